/* wrap_rsa - RSA keys in PEM, and RSA-OAEP; see wrap.h. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "keywrap/wrap_private.h"

enum { PEM_MAX = 256 << 10, RSA_MAX_BITS = 16384 };

size_t wrap_rsa_block(const struct wrap_key *key)
{
    return (size_t)EVP_PKEY_get_size(key->rsa);
}

static EVP_PKEY_CTX *oaep_start(bool encrypt, const struct wrap_oaep *oaep,
                                const struct wrap_key *key, struct error *error)
{
    int padding = RSA_PKCS1_OAEP_PADDING;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_PAD_MODE, &padding),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, (char *)oaep->hash, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, (char *)oaep->mgf1, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->rsa, NULL);
    bool ok = ctx != NULL && (encrypt ? EVP_PKEY_encrypt_init_ex(ctx, params)
                                      : EVP_PKEY_decrypt_init_ex(ctx, params)) == 1;
    if (ok)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    error_set(error, ERROR_FAILED, "RSA-OAEP is not to be had from OpenSSL with this key");
    return NULL;
}

struct secret *wrap_oaep_open(enum wrap_method method, const struct wrap_oaep *oaep,
                              const struct wrap_key *key, struct wrap_bytes wrapped,
                              struct error *error)
{
    size_t block = wrap_rsa_block(key);
    if (wrapped.length != block) {
        error_set(error, ERROR_DAMAGED, "%zu bytes are no block of an RSA key of %zu",
                  wrapped.length, block);
        return NULL;
    }
    struct secret *room = secret_new(block, error);
    EVP_PKEY_CTX *ctx = room == NULL ? NULL : oaep_start(false, oaep, key, error);
    struct secret *plain = NULL;
    size_t length = block;
    if (ctx != NULL) {
        if (EVP_PKEY_decrypt(ctx, room->data, &length, wrapped.data, wrapped.length) == 1)
            plain = secret_copy(room->data, length, error);
        else
            wrap_no_fit(method, error);
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    secret_free(room);
    return plain;
}

bool wrap_oaep_make(const struct wrap_oaep *oaep, const struct wrap_key *key,
                    struct wrap_bytes plain, struct buffer *out, struct error *error)
{
    size_t block = wrap_rsa_block(key), length = block;
    uint8_t *end = (uint8_t *)buffer_reserve(out, block);
    if (end == NULL)
        return error_memory(error);
    EVP_PKEY_CTX *ctx = oaep_start(true, oaep, key, error);
    if (ctx == NULL)
        return false;
    bool ok = EVP_PKEY_encrypt(ctx, end, &length, plain.data, plain.length) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return error_set(error, ERROR_USAGE,
                         "%zu bytes are too many for one block of an RSA key of %zu; rsa-aes-… "
                         "wraps any number",
                         plain.length, block);
    out->length += length;
    out->data[out->length] = '\0';
    return true;
}

/* What the PEM reader asks for, and whether it did. */
struct question {
    const struct secret *passphrase;
    bool asked;
};

/* Never lets OpenSSL ask on the terminal. */
static int answer(char *out, int size, int writing, void *user)
{
    struct question *q = user;
    (void)writing;
    q->asked = true;
    if (q->passphrase == NULL || q->passphrase->length > (size_t)size)
        return -1;
    if (q->passphrase->length > 0)
        memcpy(out, q->passphrase->data, q->passphrase->length);
    return (int)q->passphrase->length;
}

typedef EVP_PKEY *pem_reader(BIO *bio, struct question *q);

static EVP_PKEY *read_private(BIO *bio, struct question *q)
{
    return PEM_read_bio_PrivateKey(bio, NULL, answer, q);
}

static EVP_PKEY *read_public(BIO *bio, struct question *q)
{
    return PEM_read_bio_PUBKEY(bio, NULL, answer, q);
}

static EVP_PKEY *read_certificate(BIO *bio, struct question *q)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, answer, q);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    X509_free(certificate);
    return key;
}

static EVP_PKEY *read_pem(const struct buffer *text, bool private_key, struct question *q)
{
    static pem_reader *const readers[] = {read_private, read_public, read_certificate};
    EVP_PKEY *key = NULL;
    size_t count = private_key ? 1 : sizeof readers / sizeof readers[0];
    for (size_t i = count; key == NULL && i-- > 0;) {
        BIO *bio = BIO_new_mem_buf(buffer_text(text), (int)text->length);
        if (bio != NULL)
            key = readers[i](bio, q);
        BIO_free(bio);
    }
    ERR_clear_error();
    return key;
}

static bool take_pem(const struct buffer *text, bool private_key, const struct secret *passphrase,
                     struct wrap_key *key, struct error *error)
{
    struct question q = {.passphrase = passphrase};
    EVP_PKEY *rsa = read_pem(text, private_key, &q);
    const char *what = private_key ? "private" : "public";
    if (rsa == NULL && q.asked)
        return error_set(error, ERROR_NO_KEY,
                         passphrase == NULL
                             ? "the private key is encrypted; give --pem-passphrase-file FILE"
                             : "the passphrase does not fit the encrypted private key");
    if (rsa == NULL)
        return error_set(error, ERROR_DAMAGED, "holds no %s key in PEM", what);
    bool ok = EVP_PKEY_is_a(rsa, "RSA") == 1;
    if (!ok)
        error_set(error, ERROR_USAGE, "holds a %s key, but no RSA key", what);
    else if (EVP_PKEY_get_bits(rsa) > RSA_MAX_BITS)
        ok = error_set(error, ERROR_USAGE, "holds an RSA key of more than %d bits", RSA_MAX_BITS);
    if (ok)
        key->rsa = rsa;
    else
        EVP_PKEY_free(rsa);
    return ok;
}

bool wrap_key_read_pem(const char *path, bool private_key, const struct secret *passphrase,
                       struct wrap_key *key, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(path, PEM_MAX, &text, error) &&
              (take_pem(&text, private_key, passphrase, key, error) || error_in_file(error, path));
    buffer_free(&text);
    return ok;
}
