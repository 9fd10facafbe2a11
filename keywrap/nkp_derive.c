/* nkp_derive - see nkp_derive.h. A new candidate is a row or a word in the tables below. */
#include "keywrap/nkp_derive.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "keywrap/phrase.h"

enum { KEK_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16, DATA_MAX = 256, LIST_MAX = 12 };

/* Parts of the key id, written as one letter each: "ns" is nonce and salt, joined. */
static const struct part {
    char letter;
    const char *name;
} parts[] = {
    {'n', "nonce12"}, {'s', "salt16"},  {'w', "data32"}, {'u', "uuid"},   {'U', "uuid-text"},
    {'c', "cipher"},  {'C', "cipher0"}, {'r', "rounds"}, {'h', "header"},
};

enum kdf { KDF_NONE, KDF_HMAC, KDF_COUNTER, KDF_HKDF, KDF_PBKDF2 };

/* The first step: 32 bytes from the KDK. Every digest with every first and every second field. */
static const struct family {
    enum kdf kdf;
    bool as_text; /* also with the KDK as base64 text, as the API hands it out */
    const char *name;
    const char *digests[4];
    const char *first[LIST_MAX], *second[LIST_MAX];
} families[] = {
    {KDF_NONE, false, "", {""}, {""}, {""}},
    {KDF_HMAC,
     false,
     "hmac",
     {"sha256", "sha512"},
     {"s", "n", "w", "u", "U", "ns", "sn", "nsw", "us", "h", "c"},
     {""}},
    /* first: label, second: context */
    {KDF_COUNTER,
     false,
     "sp800-108",
     {"sha256", "sha512"},
     {"", "c", "C", "u", "U"},
     {"", "s", "n", "ns", "nsw", "u", "us", "U"}},
    /* first: salt, second: info */
    {KDF_HKDF,
     false,
     "hkdf",
     {"sha256", "sha512"},
     {"", "s", "n", "w", "ns", "u"},
     {"", "c", "C", "u", "U", "s", "n", "ns", "h"}},
    {KDF_PBKDF2,
     true,
     "pbkdf2",
     {"sha256", "sha512", "sha1"},
     {"s", "n", "w", "u", "ns", "sn", "nsw", "us", "U"},
     {""}},
};

enum use { USE_DIRECT, USE_GCM, USE_CBC, USE_CTR };

/* The second step: the KEK from those 32 bytes. */
static const struct row {
    enum use use;
    const char *name;
    const char *aad;
} rows[] = {
    {USE_DIRECT, "", ""},  {USE_GCM, "gcm", ""},  {USE_GCM, "gcm", "h"}, {USE_GCM, "gcm", "hC"},
    {USE_GCM, "gcm", "u"}, {USE_GCM, "gcm", "U"}, {USE_GCM, "gcm", "c"}, {USE_GCM, "gcm", "C"},
    {USE_GCM, "gcm", "r"}, {USE_CBC, "cbc", ""},  {USE_CTR, "ctr", ""},
};

/* What is at work: one family with one choice of each list. */
struct deriving {
    struct nkp_search *search;
    const struct secret *kdk; /* as it is, or as text */
    bool is_text;
    const struct family *family;
    const char *digest, *first, *second;
    size_t step;         /* counts these choices, from 1 */
    size_t only, except; /* the one to make, or the one not to; 0: none */
    EVP_CIPHER_CTX *cipher;
    struct secret *base, *kek;
    struct error *error;
};

struct data {
    size_t length;
    uint8_t bytes[DATA_MAX];
};

static void put(struct data *data, const void *bytes, size_t length)
{
    memcpy(data->bytes + data->length, bytes, length);
    data->length += length;
}

static void put_u32(struct data *data, uint32_t value)
{
    const uint8_t big_endian[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                                   (uint8_t)(value >> 8), (uint8_t)value};
    put(data, big_endian, sizeof big_endian);
}

/* The longest list of letters above gives 80 bytes, two of them still less than DATA_MAX. */
static void put_parts(struct data *data, const struct nkp_id *id, const char *letters)
{
    const uint8_t rounds[4] = {(uint8_t)id->rounds, (uint8_t)(id->rounds >> 8),
                               (uint8_t)(id->rounds >> 16), (uint8_t)(id->rounds >> 24)};
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'n':
            put(data, id->nonce, sizeof id->nonce);
            break;
        case 's':
            put(data, id->salt, sizeof id->salt);
            break;
        case 'w':
            put(data, id->wrapped, sizeof id->wrapped);
            break;
        case 'u':
            put(data, id->uuid, sizeof id->uuid);
            break;
        case 'U':
            put(data, id->kdk_uuid, strlen(id->kdk_uuid));
            break;
        case 'c':
            put(data, id->cipher, strlen(id->cipher));
            break;
        case 'C':
            put(data, id->cipher, strlen(id->cipher) + 1);
            break;
        case 'r':
            put(data, rounds, sizeof rounds);
            break;
        default:
            put(data, id->header, sizeof id->header);
            break;
        }
    }
}

static const EVP_MD *digest_of(const char *name)
{
    if (strcmp(name, "sha1") == 0)
        return EVP_sha1();
    return strcmp(name, "sha512") == 0 ? EVP_sha512() : EVP_sha256();
}

/* The first 32 bytes of an HMAC by a digest of at least that. */
static bool hmac(const char *digest, const void *key, size_t key_length, const struct data *data,
                 uint8_t *out, size_t out_length)
{
    uint8_t whole[EVP_MAX_MD_SIZE];
    bool ok = HMAC(digest_of(digest), key, (int)key_length, data->bytes, data->length, whole,
                   NULL) != NULL;
    memcpy(out, whole, out_length);
    secret_wipe(whole, sizeof whole);
    return ok;
}

/* RFC 5869, one block of output. */
static bool hkdf(struct deriving *d)
{
    const struct nkp_id *id = d->search->id;
    const EVP_MD *md = digest_of(d->digest);
    struct data salt = {0}, info = {0};
    uint8_t key[EVP_MAX_MD_SIZE];
    put_parts(&salt, id, d->first);
    put_parts(&info, id, d->second);
    put(&info, "\x01", 1);
    bool ok =
        HMAC(md, salt.bytes, (int)salt.length, d->kdk->data, d->kdk->length, key, NULL) != NULL &&
        hmac(d->digest, key, (size_t)EVP_MD_get_size(md), &info, d->base->data, KEK_BYTES);
    secret_wipe(key, sizeof key);
    return ok;
}

/* NIST SP 800-108, counter mode: HMAC(KDK, 1 | label | 0 | context | 256), numbers of 32 bits. */
static bool counter_kdf(struct deriving *d)
{
    struct data data = {0};
    put_u32(&data, 1);
    put_parts(&data, d->search->id, d->first);
    put(&data, "", 1);
    put_parts(&data, d->search->id, d->second);
    put_u32(&data, 8 * KEK_BYTES);
    return hmac(d->digest, d->kdk->data, d->kdk->length, &data, d->base->data, KEK_BYTES);
}

static bool derive_base(struct deriving *d)
{
    const struct nkp_id *id = d->search->id;
    struct data first = {0};
    put_parts(&first, id, d->first);
    switch (d->family->kdf) {
    case KDF_HMAC:
        return hmac(d->digest, d->kdk->data, d->kdk->length, &first, d->base->data, KEK_BYTES);
    case KDF_COUNTER:
        return counter_kdf(d);
    case KDF_HKDF:
        return hkdf(d);
    case KDF_PBKDF2:
        *d->search->rounds_left -= id->rounds;
        return PKCS5_PBKDF2_HMAC((const char *)d->kdk->data, (int)d->kdk->length, first.bytes,
                                 (int)first.length, (int)id->rounds, digest_of(d->digest),
                                 KEK_BYTES, d->base->data) == 1;
    default:
        memcpy(d->base->data, d->kdk->data, d->kdk->length);
        return true;
    }
}

static const EVP_CIPHER *cipher_for(enum use use, size_t key_bytes)
{
    static const EVP_CIPHER *(*const ciphers[][3])(void) = {
        [USE_GCM] = {EVP_aes_128_gcm, EVP_aes_192_gcm, EVP_aes_256_gcm},
        [USE_CBC] = {EVP_aes_128_cbc, EVP_aes_192_cbc, EVP_aes_256_cbc},
        [USE_CTR] = {EVP_aes_128_ctr, EVP_aes_192_ctr, EVP_aes_256_ctr},
    };
    return ciphers[use][(key_bytes - 16) / 8]();
}

/* The 32 bytes of the id decrypted under the base. False: a tag does not hold. */
static bool unwrap(struct deriving *d, const struct row *row)
{
    const struct nkp_id *id = d->search->id;
    uint8_t *out = d->kek->data;
    struct data aad = {0};
    int n;
    bool gcm = row->use == USE_GCM;
    put_parts(&aad, id, row->aad);
    return EVP_DecryptInit_ex(d->cipher, cipher_for(row->use, d->base->length), NULL, d->base->data,
                              gcm ? id->nonce : id->salt) == 1 &&
           EVP_CIPHER_CTX_set_padding(d->cipher, 0) == 1 &&
           (aad.length == 0 ||
            EVP_DecryptUpdate(d->cipher, NULL, &n, aad.bytes, (int)aad.length) == 1) &&
           EVP_DecryptUpdate(d->cipher, out, &n, id->wrapped, sizeof id->wrapped) == 1 &&
           (!gcm || EVP_CIPHER_CTX_ctrl(d->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                                        (void *)id->salt) == 1) &&
           EVP_DecryptFinal_ex(d->cipher, out + sizeof id->wrapped, &n) == 1;
}

static void name_parts(struct buffer *name, const char *letters)
{
    for (const char *at = letters; *at != '\0'; at++)
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            if (parts[i].letter == *at)
                buffer_printf(name, "%s%s", at == letters ? "" : "|", parts[i].name);
}

/* The candidate's formula. */
static void tell_name(const struct deriving *d, const struct row *row)
{
    struct nkp_search *s = d->search;
    struct buffer name = BUFFER_INIT;
    const char *kdk = d->is_text ? "base64(kdk)" : "kdk";
    buffer_append_text(&name, row->name);
    if (row->aad[0] != '\0')
        buffer_append_text(&name, "+");
    name_parts(&name, row->aad);
    buffer_append_text(&name, row->use == USE_DIRECT ? "" : "(");
    if (d->family->kdf == KDF_NONE) {
        buffer_append_text(&name, kdk);
    } else {
        buffer_printf(&name, "%s-%s(%s, ", d->family->name, d->digest, kdk);
        name_parts(&name, d->first);
        if (d->family->kdf == KDF_HKDF || d->family->kdf == KDF_COUNTER) {
            buffer_append_text(&name, ", ");
            name_parts(&name, d->second);
        }
        buffer_append_text(&name, ")");
    }
    buffer_append_text(&name, row->use == USE_DIRECT ? "" : ")");
    snprintf(s->name, sizeof s->name, "%s", buffer_text(&name));
    buffer_free(&name);
}

/* Every second step on the base at hand. */
static bool try_rows(struct deriving *d)
{
    struct nkp_search *s = d->search;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->tried++;
        if (rows[i].use == USE_DIRECT) {
            if (!s->fits(s->context, d->base))
                continue;
        } else if (!unwrap(d, &rows[i]) || !s->fits(s->context, d->kek)) {
            continue;
        }
        tell_name(d, &rows[i]);
        s->found = d->step;
        return true;
    }
    return false;
}

static bool try_base(struct deriving *d)
{
    struct nkp_search *s = d->search;
    uint32_t rounds = s->id->rounds;
    if (d->family->kdf == KDF_PBKDF2 &&
        (rounds == 0 || rounds > PHRASE_MAX_ROUNDS || rounds > *s->rounds_left)) {
        s->cut_short = true;
        return false;
    }
    d->base->length = d->family->kdf == KDF_NONE ? d->kdk->length : KEK_BYTES;
    if (!derive_base(d))
        return error_set(d->error, ERROR_FAILED, "deriving a key failed (%s)", d->family->name);
    return try_rows(d);
}

static bool try_family(struct deriving *d, const struct secret *raw, const struct secret *text)
{
    const struct family *f = d->family;
    for (size_t g = 0; f->digests[g] != NULL; g++)
        for (int t = 0; t < (f->as_text ? 2 : 1); t++)
            for (size_t a = 0; a < LIST_MAX && f->first[a] != NULL; a++)
                for (size_t b = 0; b < LIST_MAX && f->second[b] != NULL; b++) {
                    d->step++;
                    if (d->step == d->except || (d->only != 0 && d->step != d->only))
                        continue;
                    d->digest = f->digests[g];
                    d->is_text = t == 1;
                    d->kdk = d->is_text ? text : raw;
                    d->first = f->first[a];
                    d->second = f->second[b];
                    if (try_base(d))
                        return true;
                    if (d->error->code != ERROR_NONE)
                        return false;
                }
    return false;
}

static bool try_families(struct deriving *d, const struct secret *raw, const struct secret *text)
{
    d->step = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        d->family = &families[i];
        if (try_family(d, raw, text))
            return true;
        if (d->error->code != ERROR_NONE)
            return false;
    }
    return false;
}

bool nkp_derive(struct nkp_search *search, const struct secret *kdk, struct error *error)
{
    if (kdk->length != 16 && kdk->length != 24 && kdk->length != KEK_BYTES)
        return false;
    struct error inner = ERROR_INIT;
    struct deriving d = {.search = search, .error = &inner};
    struct buffer encoded = BUFFER_INIT;
    struct secret *text = NULL;
    bool found = false;
    d.cipher = EVP_CIPHER_CTX_new();
    d.base = secret_new(KEK_BYTES, &inner);
    d.kek = secret_new(KEK_BYTES, &inner);
    if (base64_encode(kdk->data, kdk->length, &encoded))
        text = secret_copy(encoded.data, encoded.length, &inner);
    bool ready = d.cipher != NULL && d.base != NULL && d.kek != NULL && text != NULL;
    d.only = search->hint;
    if (ready && search->hint != 0)
        found = try_families(&d, kdk, text);
    d.only = 0;
    d.except = search->hint;
    if (ready && inner.code == ERROR_NONE && !found && !search->hint_only)
        found = try_families(&d, kdk, text);
    if (!ready)
        error_memory(&inner);
    if (inner.code != ERROR_NONE)
        *error = inner;
    if (d.base != NULL)
        d.base->length = KEK_BYTES;
    EVP_CIPHER_CTX_free(d.cipher);
    secret_free(d.base);
    secret_free(d.kek);
    secret_free(text);
    buffer_free(&encoded);
    return found;
}
