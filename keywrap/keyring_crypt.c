/* keyring_crypt - see keyring_crypt.h. */
#include "keywrap/keyring_crypt.h"

#include <ctype.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/encode.h"
#include "base/reader.h"

static const char BEGIN[] = "-----BEGIN VMCRYPT KEYRING-----";
static const char END[] = "-----END VMCRYPT KEYRING-----";
static const char MAGIC[] = "VMCKRING";

enum {
    VERSION = 1,
    MAGIC_BYTES = 8,
    SALT_BYTES = 32,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    HEADER_BYTES = 68,
    KEY_BYTES = 32,
    LINE = 64,
    /* What is written: 128 MiB and about half a second. */
    LOG_N = 17,
    R = 8,
    P = 1,
    /* More is a way to stall us, not a keyring. */
    MAX_LOG_N = 30,
    MAX_R_P = 1 << 16,
};

static const uint64_t MAX_MEMORY = 1ULL << 30, MAX_COST = 4ULL << 30;

/* A keyring's bytes without the armour, taken apart. */
struct sealed {
    struct buffer bytes;
    uint32_t log_n, r, p;
    const uint8_t *salt, *nonce;
};

static void skip_blanks(const char **at, const char *end)
{
    while (*at < end && isspace((unsigned char)**at))
        ++*at;
}

static bool skip_text(const char **at, const char *end, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(end - *at) < length || memcmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

bool keyring_is_encrypted(const struct buffer *file)
{
    const char *at = buffer_text(file), *end = at + file->length;
    skip_blanks(&at, end);
    return skip_text(&at, end, BEGIN);
}

/* The base64 text between the two lines, without line ends. */
static bool take_off_armour(const struct buffer *file, struct buffer *text, struct error *error)
{
    const char *at = buffer_text(file), *end = at + file->length;
    skip_blanks(&at, end);
    if (!skip_text(&at, end, BEGIN))
        return error_set(error, ERROR_DAMAGED, "is no encrypted keyring");
    for (;;) {
        skip_blanks(&at, end);
        size_t length = 0;
        while (at + length < end && (isalnum((unsigned char)at[length]) || at[length] == '+' ||
                                     at[length] == '/' || at[length] == '='))
            length++;
        if (length == 0)
            break;
        if (!buffer_append(text, at, length))
            return error_memory(error);
        at += length;
    }
    bool ended = skip_text(&at, end, END);
    skip_blanks(&at, end);
    return (ended && at == end) ||
           error_set(error, ERROR_DAMAGED, "the encrypted keyring is cut off or damaged");
}

static bool check_cost(const struct sealed *s, struct error *error)
{
    if (s->log_n < 1 || s->log_n > MAX_LOG_N || s->r < 1 || s->r > MAX_R_P || s->p < 1 ||
        s->p > MAX_R_P || ((uint64_t)s->r << s->log_n) > MAX_MEMORY / 128 ||
        ((uint64_t)s->r * s->p << s->log_n) > MAX_COST / 128)
        return error_set(error, ERROR_DAMAGED,
                         "the encrypted keyring asks for scrypt with N = 2^%u, r = %u, p = %u, "
                         "which makes no sense",
                         s->log_n, s->r, s->p);
    return true;
}

/* Take FILE apart; *S must be freed with buffer_free(&s->bytes) either way. */
static bool parse(const struct buffer *file, struct sealed *s, struct error *error)
{
    *s = (struct sealed){.bytes = BUFFER_INIT};
    struct buffer text = BUFFER_INIT;
    size_t length = 0;
    bool ok = take_off_armour(file, &text, error);
    if (ok) {
        length = base64_decoded_bound(text.length);
        char *room = buffer_reserve(&s->bytes, length);
        ok = room != NULL || error_memory(error);
        if (ok && !base64_decode(buffer_text(&text), text.length, (uint8_t *)room, &length))
            ok = error_set(error, ERROR_DAMAGED, "the encrypted keyring is not base64");
    }
    buffer_free(&text);
    if (!ok)
        return false;
    s->bytes.length = length;
    struct reader r = reader_over(buffer_text(&s->bytes), length);
    const uint8_t *magic = reader_bytes(&r, MAGIC_BYTES);
    uint32_t version = reader_u32(&r);
    s->log_n = reader_u32(&r);
    s->r = reader_u32(&r);
    s->p = reader_u32(&r);
    s->salt = reader_bytes(&r, SALT_BYTES);
    s->nonce = reader_bytes(&r, NONCE_BYTES);
    if (r.failed || reader_left(&r) < TAG_BYTES || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
        return error_set(error, ERROR_DAMAGED, "the encrypted keyring is cut off or damaged");
    if (version != VERSION)
        return error_set(error, ERROR_FAILED,
                         "an encrypted keyring of version %u, and this program reads version 1",
                         version);
    return check_cost(s, error);
}

bool keyring_crypt_cost(const struct buffer *file, uint64_t *cost, struct error *error)
{
    struct sealed s;
    bool ok = parse(file, &s, error);
    *cost = ok ? (uint64_t)s.r * s.p * 128 << s.log_n : 0;
    buffer_free(&s.bytes);
    return ok;
}

static struct secret *derive(const struct sealed *s, const struct secret *passphrase,
                             struct error *error)
{
    struct secret *key = secret_new(KEY_BYTES, error);
    if (key == NULL || EVP_PBE_scrypt((const char *)passphrase->data, passphrase->length, s->salt,
                                      SALT_BYTES, (uint64_t)1 << s->log_n, s->r, s->p,
                                      MAX_MEMORY + (64 << 20), key->data, key->length) == 1)
        return key;
    secret_free(key);
    error_set(error, ERROR_FAILED, "scrypt failed, which needs %llu MiB of memory for this keyring",
              (unsigned long long)((uint64_t)s->r << s->log_n) * 128 >> 20);
    return NULL;
}

/* AES-256-GCM over LENGTH bytes at IN, the header being authenticated. */
static bool crypt_bytes(bool encrypt, const struct secret *key, const uint8_t *header,
                        const uint8_t *nonce, const uint8_t *in, size_t length, uint8_t *out,
                        uint8_t *tag)
{
    int part = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && length <= INT32_MAX &&
              EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->data, nonce, encrypt) == 1 &&
              EVP_CipherUpdate(ctx, NULL, &part, header, HEADER_BYTES) == 1 &&
              EVP_CipherUpdate(ctx, out, &part, in, (int)length) == 1 &&
              (encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1) &&
              EVP_CipherFinal_ex(ctx, out + length, &part) == 1 &&
              (!encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool keyring_decrypt(const struct buffer *file, const struct secret *passphrase, struct buffer *out,
                     struct error *error)
{
    struct sealed s;
    struct secret *key = NULL;
    bool ok = parse(file, &s, error) && (key = derive(&s, passphrase, error)) != NULL;
    if (ok) {
        const uint8_t *header = (const uint8_t *)buffer_text(&s.bytes);
        size_t length = s.bytes.length - HEADER_BYTES - TAG_BYTES;
        char *room = buffer_reserve(out, length);
        uint8_t tag[TAG_BYTES];
        memcpy(tag, header + HEADER_BYTES + length, TAG_BYTES);
        ok = room != NULL || error_memory(error);
        if (ok && !crypt_bytes(false, key, header, s.nonce, header + HEADER_BYTES, length,
                               (uint8_t *)room, tag)) {
            /* Nothing that is not proved stays. */
            secret_wipe(room, length);
            ok = error_set(error, ERROR_NO_KEY,
                           "the passphrase does not open this keyring, or it was changed");
        }
        if (ok) {
            out->length += length;
            out->data[out->length] = '\0';
        }
    }
    secret_free(key);
    buffer_free(&s.bytes);
    return ok;
}

static void put_u32(struct buffer *out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        buffer_append_byte(out, (char)(value >> shift));
}

static bool armour(const struct buffer *bytes, struct buffer *out)
{
    struct buffer text = BUFFER_INIT;
    bool ok = base64_encode(buffer_text(bytes), bytes->length, &text);
    buffer_printf(out, "%s\n", BEGIN);
    for (size_t at = 0; ok && at < text.length; at += LINE) {
        size_t left = text.length - at;
        buffer_append(out, buffer_text(&text) + at, left < LINE ? left : LINE);
        buffer_append_byte(out, '\n');
    }
    buffer_printf(out, "%s\n", END);
    buffer_free(&text);
    return ok && !out->failed;
}

bool keyring_encrypt(const struct buffer *yaml, const struct secret *passphrase, struct buffer *out,
                     struct error *error)
{
    uint8_t random[SALT_BYTES + NONCE_BYTES], tag[TAG_BYTES];
    struct sealed s = {
        .log_n = LOG_N, .r = R, .p = P, .salt = random, .nonce = random + SALT_BYTES};
    if (RAND_bytes(random, sizeof random) != 1)
        return error_set(error, ERROR_FAILED, "no random numbers");
    buffer_append(&s.bytes, MAGIC, MAGIC_BYTES);
    put_u32(&s.bytes, VERSION);
    put_u32(&s.bytes, s.log_n);
    put_u32(&s.bytes, s.r);
    put_u32(&s.bytes, s.p);
    buffer_append(&s.bytes, random, sizeof random);
    char *room = buffer_reserve(&s.bytes, yaml->length + TAG_BYTES);
    struct secret *key = NULL;
    bool ok = room != NULL || error_memory(error);
    ok = ok && (key = derive(&s, passphrase, error)) != NULL;
    if (ok && !crypt_bytes(true, key, (const uint8_t *)buffer_text(&s.bytes), s.nonce,
                           (const uint8_t *)buffer_text(yaml), yaml->length, (uint8_t *)room, tag))
        ok = error_set(error, ERROR_FAILED, "AES-256-GCM failed");
    if (ok) {
        s.bytes.length += yaml->length;
        buffer_append(&s.bytes, tag, sizeof tag);
        ok = (!s.bytes.failed && armour(&s.bytes, out)) || error_memory(error);
    }
    secret_free(key);
    buffer_free(&s.bytes);
    return ok;
}
