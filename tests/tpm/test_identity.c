/* Identity: chains of real TPMs' certificates, and of made ones that must not pass. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include <openssl/pem.h>

#include "base/encode.h"
#include "tests/tpm/certificate_fixture.h"
#include "tests/tpm/quote_fixture.h"

#define SWTPM "esxi-synthetic/swtpm/"
#define GOOGLE "go-tpm-tools/attestations/extracted/"
#define GOOGLE_CAS "ek-ca/google-vtpm/"

static void add_cas(struct identity_cas *cas, const char *name)
{
    struct error error = ERROR_INIT;
    char path[600];
    if (!identity_cas_add(cas, sample(name, path), &error))
        fail_msg("%s: %s", path, error.message);
}

static void real_chains(void **state)
{
    (void)state;
    need_samples();
    struct identity_cas cas = {.count = 0}, swtpm = {.count = 0};
    struct quote_key ak, rsa, ecc;
    struct error error = ERROR_INIT;
    struct identity_tpm about;
    char detail[240];
    add_cas(&cas, "ek-ca/google-vtpm");
    assert_int_equal(cas.count, 5);
    load_key(&ak, GOOGLE "nonce9009.akcert.der");
    assert_true(identity_verify_chain(ak.certificate, &cas, NULL, YEAR_2030, detail, &error));
    assert_non_null(strstr(detail, "chain of 3 to"));
    assert_false(identity_verify_chain(ak.certificate, &cas, NULL, YEAR_2200, detail, &error));
    assert_non_null(strstr(error.message, "expired"));
    identity_describe(ak.certificate, &about);
    assert_string_equal(about.manufacturer, "id:474F4F47");
    assert_string_equal(about.vendor_id, "GOOG");
    assert_string_equal(about.vendor, "GOOG (Google)");
    assert_string_equal(about.model, "vTPM");
    assert_string_equal(about.version, "id:20160511");
    assert_string_equal(about.subject, "");
    assert_string_equal(about.not_before, "2021-08-31T23:11:05Z");
    assert_string_equal(about.aia, "https://pki.goog/cloud_integrity/tpm_ek_intermediate_2.crt");
    assert_true(about.has_tpm_san && about.san_critical && about.ek_usage && !about.ak_usage &&
                !about.is_ca);

    add_cas(&swtpm, SWTPM "swtpm-localca-rootca-cert.pem");
    load_key(&rsa, SWTPM "ekcert-rsa.der");
    load_key(&ecc, SWTPM "ekcert-ecc.der");
    /* The issuer between is missing; others' certificates may fill that gap, not more. */
    assert_false(identity_verify_chain(rsa.certificate, &swtpm, NULL, YEAR_2030, detail, &error));
    assert_non_null(strstr(error.message, "swtpm-localca"));
    struct identity_cas more = {.count = 0};
    add_cas(&more, SWTPM "issuercert.pem");
    assert_true(identity_verify_chain(rsa.certificate, &swtpm, &more, YEAR_2030, detail, &error));
    assert_true(identity_verify_chain(ecc.certificate, &swtpm, &more, YEAR_2030, detail, &error));
    assert_false(identity_verify_chain(ecc.certificate, &swtpm, &more, YEAR_2022, detail, &error));
    assert_non_null(strstr(error.message, "not yet valid"));
    assert_false(identity_verify_chain(rsa.certificate, &cas, &more, YEAR_2030, detail, &error));
    add_cas(&more, SWTPM "swtpm-localca-rootca-cert.pem");
    assert_false(identity_verify_chain(rsa.certificate, &cas, &more, YEAR_2030, detail, &error));
    identity_describe(rsa.certificate, &about);
    assert_string_equal(about.manufacturer, "id:00001014");
    assert_string_equal(about.vendor, "");
    quote_key_free(&ak);
    quote_key_free(&rsa);
    quote_key_free(&ecc);
    identity_cas_free(&cas);
    identity_cas_free(&swtpm);
    identity_cas_free(&more);
}

/* A root, an intermediate, an EK and an AK, each with its certificate. */
struct world {
    EVP_PKEY *root_key, *middle_key, *ek_secret, *ak_secret;
    X509 *root, *middle;
    struct quote_key ek, ak;
    struct identity_cas cas, middles;
};

static void push(struct identity_cas *cas, X509 *certificate)
{
    struct error error = ERROR_INIT;
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    assert_true(identity_cas_parse(cas, "made", der, (size_t)length, &error));
    OPENSSL_free(der);
}

static void take_key(struct quote_key *key, EVP_PKEY *secret, uint32_t attributes, uint16_t scheme)
{
    struct error error = ERROR_INIT;
    struct bytes public = public_bytes(secret, attributes, scheme, BANK_SHA256);
    assert_true(quote_key_parse(key, "made", public.at, public.length, &error));
}

static void new_world(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->root_key = make_ec("P-256");
    w->middle_key = make_ec("P-384");
    w->ek_secret = make_rsa(2048);
    w->ak_secret = make_ec("P-256");
    w->root = issue(&(struct order){.name = "Root", .key = w->root_key, .is_ca = true});
    w->middle = issue(&(struct order){.name = "Middle",
                                      .key = w->middle_key,
                                      .issuer = w->root,
                                      .issuer_key = w->root_key,
                                      .is_ca = true});
    push(&w->cas, w->root);
    push(&w->middles, w->middle);
    take_key(&w->ek, w->ek_secret, EK_ATTRIBUTES, 0x10);
    take_key(&w->ak, w->ak_secret, AK_ATTRIBUTES, 0x18);
}

static void end_world(struct world *w)
{
    EVP_PKEY_free(w->root_key);
    EVP_PKEY_free(w->middle_key);
    EVP_PKEY_free(w->ek_secret);
    EVP_PKEY_free(w->ak_secret);
    X509_free(w->root);
    X509_free(w->middle);
    quote_key_free(&w->ek);
    quote_key_free(&w->ak);
    identity_cas_free(&w->cas);
    identity_cas_free(&w->middles);
}

static struct order by_middle(const struct world *w, EVP_PKEY *key)
{
    return (struct order){.key = key,
                          .issuer = w->middle,
                          .issuer_key = w->middle_key,
                          .tpm_san = true,
                          .usage = "2.23.133.8.1"};
}

static struct quote_verdict judge(const struct world *w, struct identity_evidence *e,
                                  struct identity_binding *binding)
{
    struct quote_verdict verdict;
    e->ak = &w->ak;
    e->when = YEAR_2030;
    if (e->cas == NULL)
        e->cas = &w->cas;
    e->intermediates = &w->middles;
    identity_check(e, &verdict, binding);
    return verdict;
}

static void made_chains(void **state)
{
    (void)state;
    struct world w;
    struct identity_binding binding;
    struct error error = ERROR_INIT;
    char detail[240];
    new_world(&w);
    struct identity_evidence e = {.ek = &w.ek};
    struct order good = by_middle(&w, w.ek_secret), o;

    w.ek.certificate = issue(&good);
    struct quote_verdict v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_PASS);
    assert_true(outcome(&v, "ek-public") == QUOTE_PASS);
    assert_true(outcome(&v, "ek-usage") == QUOTE_PASS);
    assert_true(outcome(&v, "revocation") == QUOTE_NOT_CHECKED);
    /* Nothing reaches the terminal raw. */
    assert_string_equal(quote_find(&v, "ek-tpm")->detail,
                        "id:49465800 IFX (Infineon), model SLB9670, version id:0007\\x1b[31m");
    /* A good EK alone binds no AK. */
    assert_true(!v.valid && binding.how == IDENTITY_UNBOUND);
    assert_true(outcome(&v, "binding") == QUOTE_NOT_CHECKED);
    X509_free(w.ek.certificate);

    static const char *const usages[] = {"serverAuth", "2.23.133.8.3"};
    for (size_t i = 0; i < 2; i++) {
        o = good;
        o.usage = usages[i];
        w.ek.certificate = issue(&o);
        v = judge(&w, &e, &binding);
        assert_true(outcome(&v, "ek-usage") == QUOTE_FAIL);
        X509_free(w.ek.certificate);
    }
    o = good;
    o.unknown_critical = true;
    w.ek.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_FAIL);
    assert_non_null(strstr(quote_find(&v, "ek-certificate")->detail, "unhandled critical"));
    X509_free(w.ek.certificate);
    o = good;
    o.md = "SHA1";
    w.ek.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_FAIL);
    X509_free(w.ek.certificate);
    o = good;
    o.is_ca = true;
    w.ek.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_FAIL);
    X509_free(w.ek.certificate);
    /* Issued by something that is no CA: another TPM's own key. */
    o = good;
    o.name = "Leaf";
    o.key = w.ak_secret;
    X509 *leaf = issue(&o);
    push(&w.middles, leaf);
    o = good;
    o.issuer = leaf;
    o.issuer_key = w.ak_secret;
    w.ek.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_FAIL);
    X509_free(w.ek.certificate);
    X509_free(leaf);
    /* A self-signed one, that also came along as an intermediate. */
    o = good;
    o.issuer = NULL;
    o.name = "Self";
    w.ek.certificate = issue(&o);
    push(&w.middles, w.ek.certificate);
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_FAIL);
    X509_free(w.ek.certificate);
    w.ek.certificate = issue(&good);
    /* Only an intermediate is trusted: nothing to lead to. */
    struct identity_cas middle = {.count = 0};
    push(&middle, w.middle);
    assert_false(identity_verify_chain(w.ek.certificate, &middle, NULL, YEAR_2030, detail, &error));
    assert_non_null(strstr(error.message, "no self-signed"));
    identity_cas_free(&middle);
    struct identity_cas none = {.count = 0};
    e.cas = &none;
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-certificate") == QUOTE_NOT_CHECKED);
    end_world(&w);
}

static void bindings(void **state)
{
    (void)state;
    struct world w;
    struct identity_binding binding;
    struct identity_evidence e = {.ek = NULL};
    new_world(&w);
    struct quote_verdict v = judge(&w, &e, &binding);
    assert_true(!v.valid && binding.how == IDENTITY_UNBOUND);

    struct order o = by_middle(&w, w.ak_secret);
    o.usage = "2.23.133.8.3";
    w.ak.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(v.valid && binding.how == IDENTITY_BY_CERTIFICATE);
    struct identity_cas none = {.count = 0};
    e.ak_cas = &none; /* the CAs of EKs are not those of AKs */
    v = judge(&w, &e, &binding);
    assert_true(!v.valid && binding.how == IDENTITY_UNBOUND);
    e.ak_cas = NULL;
    X509_free(w.ak.certificate);
    o.usage = "serverAuth";
    w.ak.certificate = issue(&o);
    v = judge(&w, &e, &binding);
    assert_true(!v.valid && binding.how == IDENTITY_UNBOUND);
    X509_free(w.ak.certificate);
    w.ak.certificate = NULL;

    e.ak_name = w.ak.name;
    e.ak_name_length = w.ak.name_length;
    v = judge(&w, &e, &binding);
    assert_true(v.valid && binding.how == IDENTITY_BY_NAME);
    e.ak_name_length--;
    v = judge(&w, &e, &binding);
    assert_true(!v.valid && outcome(&v, "ak-name") == QUOTE_FAIL);
    e.ak_name = w.ek.name;
    e.ak_name_length++;
    v = judge(&w, &e, &binding);
    assert_true(!v.valid && outcome(&v, "ak-name") == QUOTE_FAIL);
    e.ak_name = NULL;

    struct identity_pin pins[2] = {{.length = 32}, {.length = w.ek.name_length}};
    memcpy(pins[1].bytes, w.ek.name, w.ek.name_length);
    e.ek = &w.ek;
    e.pinned_eks = pins;
    e.pinned_count = 1;
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-pinned") == QUOTE_FAIL);
    e.pinned_count = 2;
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-pinned") == QUOTE_PASS);
    e.pinned_count = 1;
    assert_true(identity_key_digest(w.ek.key, pins[0].bytes));
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-pinned") == QUOTE_PASS);
    /* An AK given for the EK. */
    e.ek = &w.ak;
    v = judge(&w, &e, &binding);
    assert_true(outcome(&v, "ek-public") == QUOTE_FAIL);
    end_world(&w);
}

static char *text_of(const struct bytes *b, bool base64)
{
    struct buffer text = BUFFER_INIT;
    assert_true(base64 ? base64_encode(b->at, b->length, &text)
                       : hex_encode(b->at, b->length, &text));
    char *copy = strdup(buffer_text(&text));
    buffer_free(&text);
    return copy;
}

static char *record(const struct bytes *ek, const struct bytes *name, const struct bytes *blob,
                    const struct bytes *secret, const struct bytes *returned)
{
    char *parts[] = {text_of(ek, true), text_of(name, false), text_of(blob, true),
                     text_of(secret, false), text_of(returned, false)};
    char *out = NULL;
    assert_true(asprintf(&out,
                         "{\"version\": 1, \"ek\": \"%s\", \"ak_name\": \"%s\", \"blob\": \"%s\", "
                         "\"secret\": \"%s\", \"returned\": \"%s\"}",
                         parts[0], parts[1], parts[2], parts[3], parts[4]) > 0);
    for (size_t i = 0; i < 5; i++)
        free(parts[i]);
    return out;
}

/* True when the record of these bytes binds AK (of EK). */
static bool binds(const char *text, const struct quote_key *ak, const struct quote_key *ek,
                  const char *why)
{
    struct identity_credential credential;
    struct identity_binding binding = {.how = IDENTITY_UNBOUND};
    struct error error = ERROR_INIT;
    bool ok = identity_credential_parse(&credential, "record", text, strlen(text), &error);
    if (ok) {
        ok = identity_credential_check(&credential, ak, ek, &binding, &error);
        assert_true(ok == (binding.how == IDENTITY_BY_CREDENTIAL));
        identity_credential_free(&credential);
    }
    if (!ok && (why == NULL || strstr(error.message, why) == NULL))
        fail_msg("%s", error.message);
    return ok;
}

static void credentials(void **state)
{
    (void)state;
    need_samples();
    static const struct {
        const char *ek, *ak, *name, *blob, *other_ek;
    } kinds[] = {
        {SWTPM "ek-rsa.tpm2b", SWTPM "ak-rsa.tpm2b", SWTPM "ak-rsa.name", SWTPM "cred-rsa.blob",
         SWTPM "ek-ecc.tpm2b"},
        {SWTPM "ek-ecc.tpm2b", SWTPM "ak-ecc.tpm2b", SWTPM "ak-ecc.name", SWTPM "cred-ecc.blob",
         SWTPM "ek-rsa.tpm2b"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct quote_key ak, ek, other;
        load_key(&ak, kinds[i].ak);
        load_key(&ek, kinds[i].ek);
        load_key(&other, kinds[i].other_ek);
        struct bytes ek_bytes = read_bytes(kinds[i].ek), name = read_bytes(kinds[i].name);
        struct bytes blob = read_bytes(kinds[i].blob), secret = read_bytes(SWTPM "cred.secret");
        struct bytes other_bytes = read_bytes(kinds[i].other_ek), returned = secret;
        /* The sample keeps its secret as it was hidden: 16 or so bytes, which the blob tells. */
        char *text = record(&ek_bytes, &name, &blob, &secret, &secret);
        assert_true(binds(text, &ak, &ek, NULL));
        assert_true(binds(text, &ak, NULL, NULL));
        assert_false(binds(text, &ak, &other, "another EK"));
        assert_false(binds(text, &other, &ek, "another AK"));
        free(text);
        returned.at[3] ^= 1;
        text = record(&ek_bytes, &name, &blob, &secret, &returned);
        assert_false(binds(text, &ak, &ek, "did not give back"));
        free(text);
        text = record(&other_bytes, &name, &blob, &secret, &secret);
        assert_false(binds(text, &ak, NULL, "size of this EK"));
        free(text);
        returned = secret;
        returned.length--;
        text = record(&ek_bytes, &name, &blob, &returned, &returned);
        assert_false(binds(text, &ak, &ek, "the blob hides"));
        free(text);
        for (size_t length = 1; length < blob.length; length++) {
            struct bytes cut = blob;
            struct error error = ERROR_INIT;
            size_t hidden;
            assert_false(identity_blob_check(cut.at, length, &ek, &hidden, &error));
        }
        quote_key_free(&ak);
        quote_key_free(&ek);
        quote_key_free(&other);
    }
    struct quote_key ak;
    load_key(&ak, SWTPM "ak-rsa.tpm2b");
    assert_false(binds("{}", &ak, NULL, "version 1"));
    assert_false(binds("[1]", &ak, NULL, "version 1"));
    assert_false(binds("{\"version\": 1}", &ak, NULL, "\"ek\""));
    assert_false(binds("{\"version\": 1, \"version\": 1}", &ak, NULL, "duplicate"));
    quote_key_free(&ak);
}

static void write_file(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Bundles in any order, folders with other things in them, PKCS#7. */
static void ca_files(void **state)
{
    (void)state;
    struct world w;
    struct error error = ERROR_INIT;
    char folder[] = "/tmp/vmcrypt-cas-XXXXXX", path[64];
    new_world(&w);
    assert_non_null(mkdtemp(folder));
    BIO *pem = BIO_new(BIO_s_mem());
    char *text;
    BIO_puts(pem, "Some words\n");
    PEM_write_bio_X509(pem, w.middle);
    PEM_write_bio_PUBKEY(pem, w.root_key);
    PEM_write_bio_X509(pem, w.root);
    long length = BIO_get_mem_data(pem, &text);
    struct identity_cas cas = {.count = 0};
    assert_true(identity_cas_parse(&cas, "bundle", text, (size_t)length, &error));
    assert_int_equal(cas.count, 2);
    snprintf(path, sizeof path, "%s/bundle.pem", folder);
    write_file(path, text, (size_t)length);
    text[length / 2] = '!';
    assert_false(identity_cas_parse(&cas, "bundle", text, (size_t)length, &error));
    identity_cas_free(&cas);
    BIO_free(pem);

    PKCS7 *p7 = PKCS7_new();
    assert_int_equal(PKCS7_set_type(p7, NID_pkcs7_signed), 1);
    PKCS7_content_new(p7, NID_pkcs7_data);
    PKCS7_add_certificate(p7, w.middle);
    PKCS7_add_certificate(p7, w.root);
    unsigned char *der = NULL;
    int der_length = i2d_PKCS7(p7, &der);
    assert_true(identity_cas_parse(&cas, "made", der, (size_t)der_length, &error));
    assert_int_equal(cas.count, 2);
    for (int cut = 0; cut < der_length; cut++)
        assert_false(identity_cas_parse(&cas, "made", der, (size_t)cut, &error));
    assert_int_equal(cas.count, 2);
    OPENSSL_free(der);
    PKCS7_free(p7);
    identity_cas_free(&cas);

    char note[64];
    snprintf(note, sizeof note, "%s/README", folder);
    write_file(note, "hello", 5);
    assert_true(identity_cas_add(&cas, folder, &error));
    assert_int_equal(cas.count, 2);
    identity_cas_free(&cas);
    assert_false(identity_cas_add(&cas, note, &error));
    unlink(path);
    assert_false(identity_cas_add(&cas, folder, &error));
    assert_false(identity_cas_add(&cas, path, &error));
    unlink(note);
    rmdir(folder);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_chains), cmocka_unit_test(made_chains), cmocka_unit_test(bindings),
        cmocka_unit_test(credentials), cmocka_unit_test(ca_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
