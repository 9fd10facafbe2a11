/* probe_blocks - see probe.h: single blocks of the cipher, faster than whole units are decrypted,
 * of which most would be of no use. */
#include "vmdk/probe_private.h"

#include <string.h>

#include "vmdk/extent.h"
#include "vmdk/zero.h"

enum { CBC_KEY = 32, BLOCKS = PROBE_SECTOR / PROBE_BLOCK };

static EVP_CIPHER_CTX *open_block(size_t length, const uint8_t *key, bool encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = length == 32 ? EVP_aes_256_ecb() : EVP_aes_128_ecb();
    if (context == NULL || EVP_CipherInit_ex(context, cipher, NULL, key, NULL, encrypt) != 1 ||
        EVP_CIPHER_CTX_set_padding(context, 0) != 1) {
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

static EVP_CIPHER_CTX *open_salt(const uint8_t *key)
{
    uint8_t hash[32];
    EVP_CIPHER_CTX *context = NULL;
    if (EVP_Digest(key, CBC_KEY, hash, NULL, EVP_sha256(), NULL) == 1)
        context = open_block(sizeof hash, hash, true);
    secret_wipe(hash, sizeof hash);
    return context;
}

bool probe_keys_open(struct probe_keys *keys, const struct secret *key, struct error *error)
{
    *keys = (struct probe_keys){.cbc = key->length >= CBC_KEY};
    size_t half = key->length / 2, last = key->length - CBC_KEY;
    if (key->length != 32 && key->length != 64)
        return error_set(error, ERROR_FAILED, "a disk key has 32 or 64 bytes, not %zu",
                         key->length);
    bool ok = true;
    for (size_t i = 0; ok && i < 2; i++) {
        keys->data[i] = open_block(half, key->data + i * half, false);
        keys->tweak[i] = open_block(half, key->data + (1 - i) * half, true);
        keys->cbc_data[i] = open_block(CBC_KEY, key->data + i * last, false);
        keys->cbc_salt[i] = open_salt(key->data + i * last);
        ok = keys->data[i] != NULL && keys->tweak[i] != NULL && keys->cbc_data[i] != NULL &&
             keys->cbc_salt[i] != NULL;
    }
    if (ok)
        return true;
    probe_keys_close(keys);
    return error_set(error, ERROR_FAILED, "OpenSSL does not offer AES");
}

void probe_keys_close(struct probe_keys *keys)
{
    for (size_t i = 0; i < 2; i++) {
        EVP_CIPHER_CTX_free(keys->data[i]);
        EVP_CIPHER_CTX_free(keys->tweak[i]);
        EVP_CIPHER_CTX_free(keys->cbc_data[i]);
        EVP_CIPHER_CTX_free(keys->cbc_salt[i]);
    }
    *keys = (struct probe_keys){.cbc = false};
}

bool probe_crypt(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t count)
{
    int done = 0;
    return EVP_CipherUpdate(context, out, &done, in, (int)(count * PROBE_BLOCK)) == 1 &&
           (size_t)done == count * PROBE_BLOCK;
}

bool probe_has_word(const uint8_t *block)
{
    static const struct {
        size_t at;
        const char *word;
    } WORDS[] = {{0, "EFI PART"}, {0, "LABELONE"}, {3, "NTFS    "},
                 {3, "EXFAT   "}, {3, "-FVE-FS-"}, {3, "ReFS\0\0\0\0"}};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (memcmp(block + WORDS[i].at, WORDS[i].word, 8) == 0)
            return true;
    return false;
}

bool probe_locate(const struct disk_geometry *g, const struct probe_sample *s, size_t *k,
                  uint8_t number[GEOMETRY_NUMBER_BYTES])
{
    uint64_t in_units = s->at[g->from == GEOMETRY_DISK ? GEOMETRY_DISK : GEOMETRY_EXTENT];
    uint64_t position = s->at[g->from];
    if (in_units < g->header || position == EXTENT_NOWHERE)
        return false;
    in_units -= g->header;
    if (g->from != GEOMETRY_FILE)
        position -= g->header;
    uint64_t inside = in_units % geometry_unit(g);
    *k = (size_t)(inside / PROBE_SECTOR);
    return position >= inside && geometry_number(g, position - inside, number);
}

static void count_signs(const uint8_t *plain, struct probe_evidence *evidence)
{
    size_t even = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        enum probe_sign sign = probe_sign_of(plain + i * PROBE_BLOCK, i == 0);
        even += sign == PROBE_SIGN_EVEN;
        evidence->words += sign == PROBE_SIGN_WORD;
    }
    if (bytes_are_zero(plain, PROBE_SECTOR))
        evidence->zero_sectors++;
    else if (memcmp(plain, plain + 1, PROBE_SECTOR - 1) == 0)
        evidence->even_sectors++;
    else
        evidence->even_blocks += even;
}

static bool decrypt_xts(const struct probe_keys *keys, const struct disk_geometry *g,
                        const struct probe_sample *s, size_t k, const uint8_t *number,
                        uint8_t *plain)
{
    struct probe_tweak tweaks[BLOCKS];
    uint8_t first[PROBE_BLOCK];
    if (!probe_crypt(keys->tweak[g->swapped], first, number, 1))
        return false;
    tweaks[0] = probe_tweak_read(first);
    while (k-- > 0)
        tweaks[0] = probe_tweak_times(tweaks[0], BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i > 0)
            tweaks[i] = probe_tweak_times(tweaks[i - 1], 1);
        probe_tweak_xor(tweaks[i], plain + i * PROBE_BLOCK, s->data + i * PROBE_BLOCK);
    }
    if (!probe_crypt(keys->data[g->swapped], plain, plain, BLOCKS))
        return false;
    for (size_t i = 0; i < BLOCKS; i++)
        probe_tweak_xor(tweaks[i], plain + i * PROBE_BLOCK, plain + i * PROBE_BLOCK);
    return true;
}

static void xor_block(uint8_t *out, const uint8_t *with)
{
    for (size_t i = 0; i < PROBE_BLOCK; i++)
        out[i] ^= with[i];
}

/* *tells: the first block does not depend on what is not known. */
static bool decrypt_cbc(const struct probe_keys *keys, const struct disk_geometry *g,
                        const struct probe_sample *s, size_t k, uint8_t *number, uint8_t *plain,
                        bool *tells)
{
    bool salted = g->cipher == GEOMETRY_CBC_ESSIV;
    if ((salted && !probe_crypt(keys->cbc_salt[g->swapped], number, number, 1)) ||
        !probe_crypt(keys->cbc_data[g->swapped], plain, s->data, BLOCKS))
        return false;
    *tells = k == 0 || s->has_before;
    xor_block(plain, k == 0 ? number : s->before);
    for (size_t i = 1; i < BLOCKS; i++)
        xor_block(plain + i * PROBE_BLOCK, s->data + (i - 1) * PROBE_BLOCK);
    return true;
}

bool probe_weigh(const struct probe_keys *keys, const struct disk_geometry *g,
                 const struct probe_sample *s, struct probe_evidence *evidence, bool *shows)
{
    uint8_t number[GEOMETRY_NUMBER_BYTES], plain[PROBE_SECTOR];
    struct probe_evidence before = *evidence;
    size_t k;
    bool tells = true, cbc = g->cipher != GEOMETRY_XTS;
    *shows = false;
    if (!probe_locate(g, s, &k, number))
        return true;
    if (cbc ? !decrypt_cbc(keys, g, s, k, number, plain, &tells)
            : !decrypt_xts(keys, g, s, k, number, plain))
        return false;
    evidence->sectors++;
    count_signs(plain, evidence);
    /* What lies behind the first block of CBC says nothing of the vector. */
    *shows =
        cbc ? tells && probe_sign_of(plain, true) != PROBE_SIGN_NONE
            : evidence->zero_sectors + evidence->even_sectors + evidence->even_blocks +
                      evidence->words >
                  before.zero_sectors + before.even_sectors + before.even_blocks + before.words;
    secret_wipe(plain, sizeof plain);
    return true;
}
