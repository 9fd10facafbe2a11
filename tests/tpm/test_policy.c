/* policy: what is read from one, what is refused, command lines, and Trust Authority's exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/yaml_tree.h"
#include "tests/scratch.h"
#include "tpm/policy.h"
#include "tpm/policy_import.h"

static void save(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static bool parse(const char *text, struct policy *policy, struct error *error)
{
    *error = ERROR_INIT;
    return policy_parse(policy, "p.yaml", text, strlen(text), error);
}

static void refuse(const char *text, const char *why)
{
    struct policy policy;
    struct error error;
    if (parse(text, &policy, &error))
        fail_msg("accepted: %s", text);
    assert_true(error.code == ERROR_DAMAGED || error.cause != 0);
    if (strstr(error.message, why) == NULL && strstr(error.file, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, why);
}

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_defaults(void **state)
{
    (void)state;
    struct policy p;
    struct error error;
    assert_true(parse("version: 1\n", &p, &error));
    assert_string_equal(p.name, "p.yaml");
    assert_true(p.nonce_required);
    assert_false(p.ek_required || p.ek_certificate_required || p.secure_boot_required);
    assert_true(p.bind_certificate && p.bind_name && !p.bind_credential);
    assert_int_equal(p.lifetime, 3600);
    assert_null(p.base_images);
    assert_int_equal(p.bank_count, 1);
    assert_int_equal(p.banks[0], BANK_SHA256);
    /* sha256sum of "version: 1\n" */
    char hex[65];
    assert_string_equal(hex_text(p.sha256, 32, hex),
                        "09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847");
    policy_free(&p);
}

static void test_whole(void **state)
{
    (void)state;
    struct policy p;
    struct error error;
    save("image.yaml", "version: 1\nname: img\nmodules:\n  - {name: b.b00, sha256: " HEX64 "}\n");
    if (!parse("version: 1\n"
               "name: production\n"
               "quote: {banks: [SHA-384, sha256], nonce: optional}\n"
               "attestation-key: {binding: [name], names: [000BAA]}\n"
               "boot:\n"
               "  secure-boot: required\n"
               "  authorities: [" HEX64 "]\n"
               "  pcrs: {\"0\": [AABB], \"7\": []}\n"
               "esxi:\n"
               "  base-images: [image.yaml]\n"
               "  volatile: [state.tgz]\n"
               "  security-options: [\"execInstalledOnly = TRUE\"]\n"
               "attestation: {lifetime: 60}\n",
               &p, &error))
        fail_msg("%s", error.message);
    assert_string_equal(p.name, "production");
    assert_int_equal(p.bank_count, 2);
    assert_int_equal(p.banks[0], BANK_SHA384);
    assert_false(p.nonce_required || p.bind_certificate || p.bind_credential);
    assert_true(p.bind_name && p.secure_boot_required);
    assert_true(policy_lists(p.ak_names, "000baa"));
    assert_true(policy_lists(json_object_get(p.pcrs, "0"), "aabb"));
    assert_int_equal(json_array_size(p.base_images), 1);
    assert_non_null(
        json_object_get(json_object_get(json_array_get(p.base_images, 0), "modules"), HEX64));
    assert_int_equal(p.lifetime, 60);
    policy_free(&p);
}

/* A policy that is not understood whole must not be used at all. */
static void test_refused(void **state)
{
    (void)state;
    refuse("[]\n", "must be a mapping");
    refuse("version: 2\n", "version: must be 1");
    refuse("version: 1\nesx: {}\n", "esx: no such setting");
    refuse("version: 1\nboot: {secureboot: required}\n", "boot.secureboot: no such setting");
    refuse("version: 1\nboot: {secure-boot: yes}\n",
           "boot.secure-boot: takes required or optional");
    refuse("version: 1\nboot: {pcrs: {\"24\": []}}\n", "is no PCR");
    refuse("version: 1\nboot: {pcrs: {\"0\": [xyz]}}\n", "is no digest");
    refuse("version: 1\nboot: {images: [abc]}\n", "is no digest");
    refuse("version: 1\nquote: {ignore-pcrs: [24]}\n", "is no PCR");
    refuse("version: 1\nboot: {images: {}}\n", "must be a list");
    refuse("version: 1\nquote: {banks: [md5]}\n", "is no bank");
    refuse("version: 1\nquote: {banks: []}\n", "names none");
    refuse("version: 1\nendorsement: {keys: required}\n", "trusted-keys");
    refuse("version: 1\nendorsement: {certificates: required}\n", "cas");
    refuse("version: 1\nendorsement: {cas: [nowhere.pem]}\n", "nowhere.pem");
    refuse("version: 1\nendorsement: {certificates-pem: abc}\n", "no certificates in PEM");
    refuse("version: 1\nendorsement: {trusted-keys: [{name: a}]}\n", "entry 1 must have");
    refuse("version: 1\nattestation-key: {binding: [faith]}\n", "takes certificate");
    refuse("version: 1\nattestation: {lifetime: 0}\n", "takes seconds");
    refuse("version: 1\nesxi: {signers: []}\n", "nothing ties PCRs 11 to 14");
    refuse("version: 1\nboot: {authorities: []}\n", "mean nothing without secure-boot");
    /* A kernel can ask the boot loader not to measure: Secure Boot must verify the kernel. */
    refuse("version: 1\nboot: {images: []}\nesxi: {signers: []}\n", "nothing ties PCRs 11 to 14");
    refuse("version: 1\nboot: {secure-boot: required}\nesxi: {signers: []}\n",
           "nothing ties PCRs 11 to 14");
    refuse("version: 1\nboot: {pcrs: {\"4\": []}}\nesxi: {signers: []}\n",
           "nothing ties PCRs 11 to 14");
    refuse("version: 1\nboot: {secure-boot: required, images: []}\nesxi: {signers: []}\n",
           "base-images");
    save("bad.yaml", "version: 1\nname: x\nmodules: [{name: a, sha256: 12}]\n");
    refuse("version: 1\nboot: {pcrs: {\"17\": []}}\nesxi: {base-images: [bad.yaml]}\n", "sha256");
}

static void test_normalise(void **state)
{
    (void)state;
    struct policy p;
    struct error error;
    assert_true(parse("version: 1\n", &p, &error));
    char *text = policy_normalise(
        &p, "b.b00  bootUUID=0123 vmbTrustedBoot=false\ttboot=0x0 bootUUIDx=1 bootUUID ", &error);
    assert_string_equal(text, "b.b00 vmbTrustedBoot=false tboot=0x0 bootUUIDx=1");
    free(text);
    policy_free(&p);
    save("image.yaml", "version: 1\nname: img\nmodules: []\n");
    assert_true(parse("version: 1\nboot: {pcrs: {\"17\": []}}\nesxi: {base-images: [image.yaml], "
                      "ignore-options: [a, b]}\n",
                      &p, &error));
    text = policy_normalise(&p, "x a=1 b bootUUID=1", &error);
    assert_string_equal(text, "x bootUUID=1");
    free(text);
    policy_free(&p);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"Test CA", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static char *pem_of_key(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    PEM_write_bio_PUBKEY(bio, key);
    long length = BIO_get_mem_data(bio, &text);
    char *copy = strndup(text, (size_t)length);
    BIO_free(bio);
    return copy;
}

/* The helper's JSON, as VMware's PowerCLI examples write it: settings, a CA, an EK, and parts that
 * are not for us, with certificates that are no TPM manufacturer's. */
static void test_import(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *ca = make_certificate(key);
    unsigned char *der = NULL;
    int length = i2d_X509(ca, &der);
    struct buffer base64 = BUFFER_INIT, text = BUFFER_INIT;
    char *pem = pem_of_key(key);
    struct error error = ERROR_INIT;
    assert_true(base64_encode(der, (size_t)length, &base64));
    json_t *root = json_pack(
        "{s:s, s:{s:s, s:[{s:s}], s:[{s:s, s:s}], s:[{s:s, s:s}], s:{s:b, s:b}, s:[{s:s}]}}", "VC",
        "vc01", "TrustAuthorityCluster", "Name", "tac", "TrustAuthorityPrincipal", "CertRawData",
        "AAAA", "TrustAuthorityTpm2CACertificate", "Name", "vendor", "CertRawData",
        buffer_text(&base64), "TrustAuthorityTpm2EndorsementKey", "Name", "esx01", "PublicKey", pem,
        "TrustAuthorityTpm2AttestationSettings", "RequireEndorsementKey", 1,
        "RequireCertificateValidation", 0, "TrustAuthorityVMHostBaseImage", "Name", "x");
    char *json = json_dumps(root, 0);
    save("export.json", json);
    struct policy_import import;
    struct log log = {.level = -1};
    assert_true(policy_import_start(&import, "from ta", &error));
    if (!policy_import_file(&import, "export.json", &log, &error))
        fail_msg("%s", error.message);
    assert_int_equal(import.cas, 1);
    assert_int_equal(import.keys, 1);
    assert_int_equal(import.settings, 2);
    assert_int_equal(import.base_images, 1);
    assert_true(yaml_tree_write(import.policy, &text, &error));
    struct policy p;
    if (!policy_parse(&p, "p.yaml", buffer_text(&text), text.length, &error))
        fail_msg("%s\n%s", error.message, buffer_text(&text));
    assert_string_equal(p.name, "from ta");
    assert_true(p.ek_required);
    assert_false(p.ek_certificate_required);
    assert_int_equal(p.cas.count, 1);
    assert_int_equal(X509_cmp(p.cas.certificates[0], ca), 0);
    const json_t *entry = json_array_get(p.trusted_keys, 0);
    assert_string_equal(json_string_value(json_object_get(entry, "name")), "esx01");
    assert_string_equal(json_string_value(json_object_get(entry, "public-key")), pem);
    policy_free(&p);
    policy_import_free(&import);
    save("none.json", "{\"a\": [1]}");
    assert_true(policy_import_start(&import, "x", &error));
    assert_false(policy_import_file(&import, "none.json", &log, &error));
    assert_non_null(strstr(error.message, "holds no CA certificates"));
    policy_import_free(&import);
    buffer_free(&base64);
    buffer_free(&text);
    OPENSSL_free(der);
    free(json);
    free(pem);
    json_decref(root);
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_import),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
