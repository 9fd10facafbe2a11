/* pkcs12_crypt - how parts of a PKCS#12 file are protected, and undoing it; see pkcs12.h. */
#include "keywrap/pkcs12_private.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "base/buffer.h"
#include "keywrap/phrase.h"

/* What PBKDF2 is told. */
struct pbkdf2 {
    struct der_item salt;
    uint64_t rounds, key_bytes;
    int prf;
};

bool pkcs12_phrase_at(const struct pkcs12_walk *w, size_t i, struct pkcs12_phrase *phrase)
{
    /* The empty and the absent passphrase come first: that one of them opens the file is worth
     * knowing even when a right one was given, which then equals it. */
    static const struct pkcs12_phrase none[] = {{.kind = PKCS12_EMPTY}, {.kind = PKCS12_ABSENT}};
    if (i < 2) {
        *phrase = none[i];
        return true;
    }
    if (w->ring == NULL || i - 2 >= w->ring->phrase_count)
        return false;
    *phrase = (struct pkcs12_phrase){PKCS12_GIVEN, i - 2, w->ring->phrases[i - 2].passphrase};
    return true;
}

static const char *phrase_bytes(const struct pkcs12_phrase *phrase, int *length)
{
    *length = phrase->kind == PKCS12_GIVEN ? (int)phrase->secret->length : 0;
    if (phrase->kind == PKCS12_GIVEN)
        return (const char *)phrase->secret->data;
    return phrase->kind == PKCS12_EMPTY ? "" : NULL;
}

/* SEQUENCE { OID, parameters } */
static int read_algorithm(const struct der_item *item, struct der *parameters, char *name)
{
    struct der_item oid;
    *parameters = der_inside(item);
    if (item->tag != DER_SEQUENCE || !der_expect(parameters, DER_OID, &oid)) {
        if (name != NULL)
            snprintf(name, DER_OID_TEXT, "(malformed)");
        parameters->failed = true;
        return NID_undef;
    }
    return der_oid(&oid, name, true);
}

/* PBKDF2-params: salt, rounds, [key length], [PRF] */
static bool read_pbkdf2(struct der *outer, struct pbkdf2 *kdf)
{
    struct der_item params, number, prf;
    struct der rest;
    *kdf = (struct pbkdf2){.prf = NID_hmacWithSHA1};
    if (!der_expect(outer, DER_SEQUENCE, &params))
        return false;
    struct der d = der_inside(&params);
    if (!der_expect(&d, DER_OCTETS, &kdf->salt) || !der_expect(&d, DER_INTEGER, &number) ||
        !der_number(&number, &kdf->rounds))
        return false;
    if (der_optional(&d, DER_INTEGER, &number) && !der_number(&number, &kdf->key_bytes))
        return false;
    if (der_optional(&d, DER_SEQUENCE, &prf))
        kdf->prf = read_algorithm(&prf, &rest, NULL);
    return der_at_end(&d);
}

static bool is_old_cipher(int nid)
{
    const char *name = OBJ_nid2sn(nid);
    return name != NULL && (strncmp(name, "DES", 3) == 0 || strncmp(name, "RC", 2) == 0);
}

/* Triple DES is old, but in OpenSSL's default provider. */
static bool needs_legacy(int nid)
{
    return is_old_cipher(nid) && strncmp(OBJ_nid2sn(nid), "DES-EDE3", 8) != 0;
}

/* scrypt-params: salt, N, r, p; its work is counted like rounds of PBKDF2, to which N r p is about
 * equal. */
static bool read_scrypt(struct der *outer, struct pkcs12_scheme *scheme, char *kdf, size_t size)
{
    struct der_item params, salt, number;
    uint64_t n[3] = {0};
    if (!der_expect(outer, DER_SEQUENCE, &params))
        return false;
    struct der d = der_inside(&params);
    bool ok = der_expect(&d, DER_OCTETS, &salt);
    for (int i = 0; ok && i < 3; i++)
        ok = der_expect(&d, DER_INTEGER, &number) && der_number(&number, &n[i]);
    if (!ok)
        return false;
    scheme->salt_bytes = salt.length;
    if (__builtin_mul_overflow(n[0], n[1], &scheme->rounds) ||
        __builtin_mul_overflow(scheme->rounds, n[2], &scheme->rounds))
        scheme->rounds = UINT64_MAX;
    snprintf(kdf, size, "scrypt (N %llu, r %llu, p %llu)", (unsigned long long)n[0],
             (unsigned long long)n[1], (unsigned long long)n[2]);
    return true;
}

/* PBES2-params: key derivation, cipher */
static bool read_pbes2(struct der *outer, struct pkcs12_scheme *scheme)
{
    struct der_item params, kdf_item, cipher_item;
    struct der kdf_params, rest;
    char kdf[DER_OID_TEXT], cipher[DER_OID_TEXT];
    if (!der_expect(outer, DER_SEQUENCE, &params))
        return false;
    struct der d = der_inside(&params);
    if (!der_expect(&d, DER_SEQUENCE, &kdf_item) || !der_expect(&d, DER_SEQUENCE, &cipher_item))
        return false;
    int kdf_nid = read_algorithm(&kdf_item, &kdf_params, kdf);
    int cipher_nid = read_algorithm(&cipher_item, &rest, cipher);
    bool ok = cipher_nid != NID_undef;
    if (kdf_nid == NID_id_pbkdf2) {
        struct pbkdf2 values;
        ok = ok && read_pbkdf2(&kdf_params, &values);
        if (ok)
            snprintf(kdf, sizeof kdf, "PBKDF2 with %s", OBJ_nid2ln(values.prf));
        scheme->rounds = ok ? values.rounds : 0;
        scheme->salt_bytes = ok ? values.salt.length : 0;
    } else {
        ok = ok && kdf_nid == NID_id_scrypt && read_scrypt(&kdf_params, scheme, kdf, sizeof kdf);
    }
    snprintf(scheme->name, sizeof scheme->name, "PBES2: %.80s, %.60s", kdf, cipher);
    scheme->weak = is_old_cipher(cipher_nid);
    scheme->legacy = needs_legacy(cipher_nid);
    return ok;
}

bool pkcs12_scheme_read(const struct der_item *algorithm, struct pkcs12_scheme *scheme)
{
    struct der d;
    struct der_item params, salt, number;
    int cipher, digest;
    *scheme = (struct pkcs12_scheme){0};
    int nid = read_algorithm(algorithm, &d, scheme->name);
    if (nid == NID_pbes2)
        return read_pbes2(&d, scheme);
    if (!EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, &cipher, &digest, NULL) || cipher <= 0)
        return false;
    /* PBES1, and what PKCS#12 adds to it: salt, rounds. All its ciphers are old. */
    scheme->weak = true;
    scheme->legacy = needs_legacy(cipher);
    if (!der_expect(&d, DER_SEQUENCE, &params))
        return false;
    d = der_inside(&params);
    if (!der_expect(&d, DER_OCTETS, &salt) || !der_expect(&d, DER_INTEGER, &number) ||
        !der_number(&number, &scheme->rounds))
        return false;
    scheme->salt_bytes = salt.length;
    return true;
}

/* False, and told why, when a derivation would be too much work. */
static bool may_derive(struct pkcs12_walk *w, const struct pkcs12_scheme *scheme, char *problem)
{
    if (scheme->salt_bytes > PHRASE_MAX_SALT) {
        snprintf(problem, PKCS12_PROBLEM, "%zu bytes of salt: more than %d are not taken",
                 scheme->salt_bytes, PHRASE_MAX_SALT);
        return false;
    }
    if (scheme->rounds == 0 || scheme->rounds > PKCS12_MAX_ROUNDS) {
        snprintf(problem, PKCS12_PROBLEM, "%llu rounds: from 1 to %d are taken",
                 (unsigned long long)scheme->rounds, PKCS12_MAX_ROUNDS);
        return false;
    }
    if (scheme->rounds > w->rounds_left) {
        snprintf(problem, PKCS12_PROBLEM, "not tried: %d rounds were spent on this file already",
                 PKCS12_MAX_ROUNDS_IN_ALL);
        return false;
    }
    w->rounds_left -= scheme->rounds;
    return true;
}

/* A library context with the old ciphers, made when first needed; NULL (OpenSSL's default) for
 * SCHEMEs that do without. */
static OSSL_LIB_CTX *context_for(struct pkcs12_walk *w, const struct pkcs12_scheme *scheme)
{
    if (!scheme->legacy || w->legacy != NULL || w->legacy_failed)
        return scheme->legacy ? w->legacy : NULL;
    w->legacy = OSSL_LIB_CTX_new();
    static const char *const names[] = {"legacy", "default"};
    for (size_t i = 0; w->legacy != NULL && i < 2; i++)
        w->providers[i] = OSSL_PROVIDER_load(w->legacy, names[i]);
    w->legacy_failed = w->providers[0] == NULL || w->providers[1] == NULL;
    return w->legacy;
}

void pkcs12_crypt_end(struct pkcs12_walk *w)
{
    for (size_t i = 0; i < 2; i++)
        if (w->providers[i] != NULL)
            OSSL_PROVIDER_unload(w->providers[i]);
    OSSL_LIB_CTX_free(w->legacy);
    /* What was refused on the way is told in our own words. */
    ERR_clear_error();
}

/* Decrypt with one passphrase into PLAIN; false when it is the wrong one. */
static bool decrypt_with(struct pkcs12_walk *w, X509_ALGOR *algorithm,
                         const struct pkcs12_scheme *scheme, const struct pkcs12_phrase *phrase,
                         const struct buffer *encrypted, struct buffer *plain)
{
    int pass_length, first = 0, last = 0;
    const char *pass = phrase_bytes(phrase, &pass_length);
    OSSL_LIB_CTX *library = context_for(w, scheme);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t *out = (uint8_t *)buffer_reserve(plain, encrypted->length + EVP_MAX_BLOCK_LENGTH);
    bool ok = cipher != NULL && out != NULL && encrypted->length > 0 &&
              EVP_PBE_CipherInit_ex(algorithm->algorithm, pass, pass_length, algorithm->parameter,
                                    cipher, 0, library, NULL) == 1 &&
              EVP_DecryptUpdate(cipher, out, &first, (uint8_t *)encrypted->data,
                                (int)encrypted->length) == 1 &&
              EVP_DecryptFinal_ex(cipher, out + first, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    struct der_item whole;
    size_t length = (size_t)first + (size_t)last;
    if (!ok || !der_is_item(out, length, &whole))
        return false;
    plain->length += length;
    return true;
}

/* Try the passphrases: the proven one first, then the others, which some files have for single
 * parts. */
static bool try_phrases(struct pkcs12_walk *w, X509_ALGOR *algorithm,
                        const struct pkcs12_scheme *scheme, const struct buffer *encrypted,
                        struct buffer *plain, char *problem)
{
    struct pkcs12_phrase phrase = w->proven;
    bool known =
        phrase.kind == PKCS12_EMPTY || phrase.kind == PKCS12_ABSENT || phrase.kind == PKCS12_GIVEN;
    if (known && (!may_derive(w, scheme, problem) ||
                  decrypt_with(w, algorithm, scheme, &phrase, encrypted, plain)))
        return problem[0] == '\0';
    for (size_t i = 0; pkcs12_phrase_at(w, i, &phrase); i++) {
        if (known && phrase.kind == w->proven.kind && phrase.index == w->proven.index)
            continue;
        if (!may_derive(w, scheme, problem))
            return false;
        if (decrypt_with(w, algorithm, scheme, &phrase, encrypted, plain)) {
            if (!known)
                w->proven = phrase;
            return true;
        }
    }
    snprintf(problem, PKCS12_PROBLEM, "%s",
             w->ring == NULL || w->ring->phrase_count == 0
                 ? "needs a passphrase, and none was given"
                 : "no passphrase given opens it, or it is damaged");
    return false;
}

bool pkcs12_decrypt(struct pkcs12_walk *w, const struct der_item *algorithm,
                    const struct pkcs12_scheme *scheme, const struct der_item *encrypted,
                    struct buffer *plain, char *problem)
{
    struct buffer bytes = BUFFER_INIT;
    const uint8_t *at = algorithm->start;
    X509_ALGOR *parsed = d2i_X509_ALGOR(NULL, &at, (long)algorithm->total);
    problem[0] = '\0';
    bool ok = false;
    w->out->any_encrypted = true;
    context_for(w, scheme);
    if (parsed == NULL || !der_string(encrypted, &bytes))
        snprintf(problem, PKCS12_PROBLEM, "malformed");
    else if (scheme->legacy && w->legacy_failed)
        snprintf(problem, PKCS12_PROBLEM,
                 "needs OpenSSL's legacy provider, which is not installed");
    else
        ok = try_phrases(w, parsed, scheme, &bytes, plain, problem);
    X509_ALGOR_free(parsed);
    buffer_free(&bytes);
    if (plain->failed)
        error_memory(w->error);
    return ok;
}

/* What MacData says. */
struct mac_data {
    int digest; /* of the HMAC */
    bool is_pbmac1;
    struct pbkdf2 pbkdf2; /* of PBMAC1 */
    struct der_item salt; /* of the other */
    struct der_item expected;
};

/* PBMAC1-params: key derivation, MAC [RFC 9579] */
static bool read_pbmac1(struct der *outer, struct mac_data *mac)
{
    struct der_item params, kdf, scheme;
    struct der kdf_params, rest;
    if (!der_expect(outer, DER_SEQUENCE, &params))
        return false;
    struct der d = der_inside(&params);
    return der_expect(&d, DER_SEQUENCE, &kdf) && der_expect(&d, DER_SEQUENCE, &scheme) &&
           read_algorithm(&kdf, &kdf_params, NULL) == NID_id_pbkdf2 &&
           read_pbkdf2(&kdf_params, &mac->pbkdf2) &&
           EVP_PBE_find(EVP_PBE_TYPE_PRF, read_algorithm(&scheme, &rest, NULL), NULL, &mac->digest,
                        NULL) == 1;
}

static bool read_mac(const struct der_item *item, struct mac_data *mac,
                     struct pkcs12_scheme *scheme)
{
    struct der_item info, algorithm, number;
    struct der params;
    *mac = (struct mac_data){0};
    struct der d = der_inside(item);
    if (!der_expect(&d, DER_SEQUENCE, &info) || !der_expect(&d, DER_OCTETS, &mac->salt))
        return false;
    scheme->rounds = 1;
    if (der_optional(&d, DER_INTEGER, &number) && !der_number(&number, &scheme->rounds))
        return false;
    d = der_inside(&info);
    if (!der_expect(&d, DER_SEQUENCE, &algorithm) || !der_expect(&d, DER_OCTETS, &mac->expected))
        return false;
    mac->digest = read_algorithm(&algorithm, &params, scheme->name);
    scheme->salt_bytes = mac->salt.length;
    mac->is_pbmac1 = mac->digest == NID_pbmac1;
    if (mac->is_pbmac1) {
        if (!read_pbmac1(&params, mac))
            return false;
        scheme->rounds = mac->pbkdf2.rounds;
        scheme->salt_bytes = mac->pbkdf2.salt.length;
    }
    snprintf(scheme->name, sizeof scheme->name, "%sHMAC with %s", mac->is_pbmac1 ? "PBMAC1: " : "",
             OBJ_nid2ln(mac->digest));
    scheme->weak = mac->digest == NID_sha1 || mac->digest == NID_md5;
    return EVP_get_digestbynid(mac->digest) != NULL;
}

/* True when the MAC holds with PHRASE. */
static bool mac_holds(const struct mac_data *mac, uint64_t rounds,
                      const struct pkcs12_phrase *phrase, const struct buffer *content)
{
    const EVP_MD *digest = EVP_get_digestbynid(mac->digest);
    int pass_length, prf = NID_undef, key_bytes = EVP_MD_get_size(digest);
    const char *pass = phrase_bytes(phrase, &pass_length);
    uint8_t key[EVP_MAX_MD_SIZE], code[EVP_MAX_MD_SIZE];
    bool ok;
    if (mac->is_pbmac1) {
        key_bytes = (int)mac->pbkdf2.key_bytes;
        EVP_PBE_find(EVP_PBE_TYPE_PRF, mac->pbkdf2.prf, NULL, &prf, NULL);
        ok = mac->pbkdf2.key_bytes > 0 && mac->pbkdf2.key_bytes <= sizeof key &&
             EVP_get_digestbynid(prf) != NULL &&
             PKCS5_PBKDF2_HMAC(pass, pass_length, mac->pbkdf2.salt.content,
                               (int)mac->pbkdf2.salt.length, (int)rounds, EVP_get_digestbynid(prf),
                               key_bytes, key) == 1;
    } else {
        ok = PKCS12_key_gen_utf8_ex(pass, pass_length, (uint8_t *)mac->salt.content,
                                    (int)mac->salt.length, PKCS12_MAC_ID, (int)rounds, key_bytes,
                                    key, digest, NULL, NULL) == 1;
    }
    ok = ok &&
         HMAC(digest, key, key_bytes, (uint8_t *)buffer_text(content), content->length, code,
              NULL) != NULL &&
         mac->expected.length == (size_t)EVP_MD_get_size(digest) &&
         CRYPTO_memcmp(code, mac->expected.content, mac->expected.length) == 0;
    secret_wipe(key, sizeof key);
    return ok;
}

void pkcs12_check_mac(struct pkcs12_walk *w, const struct der_item *mac_data,
                      const struct buffer *content)
{
    struct pkcs12 *out = w->out;
    struct mac_data mac;
    struct pkcs12_phrase phrase;
    out->has_mac = true;
    if (!read_mac(mac_data, &mac, &out->mac)) {
        snprintf(out->problem, sizeof out->problem, "its MAC is malformed or of an unknown kind");
        return;
    }
    for (size_t i = 0; !out->mac_holds && pkcs12_phrase_at(w, i, &phrase); i++) {
        if (!may_derive(w, &out->mac, out->problem))
            return;
        out->mac_holds = mac_holds(&mac, out->mac.rounds, &phrase, content);
    }
    if (out->mac_holds)
        w->proven = phrase;
}
