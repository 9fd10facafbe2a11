/* Certificates of TPMs and their CAs, made to order with OpenSSL. */
#ifndef VMCRYPT_TESTS_TPM_CERTIFICATE_FIXTURE_H
#define VMCRYPT_TESTS_TPM_CERTIFICATE_FIXTURE_H

#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum { YEAR_2022 = 1640995200, YEAR_2030 = 1893456000, YEAR_2200 = 7258118400 };

/* Certificates to order. */
struct order {
    const char *name;
    EVP_PKEY *key;
    X509 *issuer; /* NULL: itself */
    EVP_PKEY *issuer_key;
    bool is_ca, tpm_san, unknown_critical;
    const char *usage; /* extended */
    const char *md;
};

static inline void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void add_tpm_san(X509 *certificate)
{
    static const struct {
        const char *oid, *value;
    } parts[] = {{"2.23.133.2.1", "id:49465800"},
                 {"2.23.133.2.2", "SLB9670"},
                 {"2.23.133.2.3", "id:0007\x1b[31m"}};
    GENERAL_NAME *general = GENERAL_NAME_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    X509_NAME *name = X509_NAME_new();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, parts[i].oid, MBSTRING_UTF8,
                                                    (const unsigned char *)parts[i].value, -1, -1,
                                                    0),
                         1);
    general->type = GEN_DIRNAME;
    general->d.directoryName = name;
    sk_GENERAL_NAME_push(names, general);
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 1, 0), 1);
    GENERAL_NAMES_free(names);
}

static inline void add_unknown(X509 *certificate)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static inline X509 *issue(const struct order *o)
{
    X509 *c = X509_new();
    assert_non_null(c);
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 4711);
    ASN1_TIME_set(X509_getm_notBefore(c), YEAR_2022);
    ASN1_TIME_set(X509_getm_notAfter(c), YEAR_2030 + 1000);
    if (o->name != NULL)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)o->name, -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(o->issuer == NULL ? c : o->issuer));
    X509_set_pubkey(c, o->key);
    add_extension(c, NID_basic_constraints, o->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (o->is_ca)
        add_extension(c, NID_key_usage, "critical,keyCertSign");
    if (o->usage != NULL)
        add_extension(c, NID_ext_key_usage, o->usage);
    if (o->tpm_san)
        add_tpm_san(c);
    if (o->unknown_critical)
        add_unknown(c);
    assert_true(X509_sign(c, o->issuer == NULL ? o->key : o->issuer_key,
                          EVP_get_digestbyname(o->md == NULL ? "SHA256" : o->md)) > 0);
    return c;
}

#endif
