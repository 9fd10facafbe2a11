/* Genuine quotes of swtpm, keylime and Google, and what becomes of them when a bit changes or
 * another thing was asked for. Forged ones: test_quote_forged.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "tests/tpm/quote_fixture.h"

#define SWTPM "esxi-synthetic/swtpm/"
#define GOOGLE "go-tpm-tools/attestations/extracted/"

static const struct genuine {
    const char *ak, *msg, *sig, *pcrs, *nonce, *ek, *selection;
    bool sha1_among; /* a bank of SHA-1 too */
} genuine[] = {
    {SWTPM "ak-rsa.tpm2b", SWTPM "quote-rsa.sha256.msg", SWTPM "quote-rsa.sha256.sig",
     SWTPM "quote-rsa.sha256.pcrs", "00112233445566778899aabbccddeeff", SWTPM "ek-rsa.tpm2b",
     "sha256:0,1,2,3,4,5,6,7,11,12,13,14", false},
    {SWTPM "ak-rsa.tpm2b", SWTPM "quote-rsa.multi.msg", SWTPM "quote-rsa.multi.sig",
     SWTPM "quote-rsa.multi.pcrs", "00112233445566778899aabbccddeeff", SWTPM "ek-rsa.tpm2b",
     "sha384:0,7", true},
    {SWTPM "ak-ecc.tpm2b", SWTPM "quote-ecc.sha256.msg", SWTPM "quote-ecc.sha256.sig",
     SWTPM "quote-ecc.sha256.pcrs", "00112233445566778899aabbccddeeff", SWTPM "ek-ecc.tpm2b",
     "sha256:14", false},
    {SWTPM "ak-ecc.tpm2b", SWTPM "quote-ecc.multi.msg", SWTPM "quote-ecc.multi.sig",
     SWTPM "quote-ecc.multi.pcrs", "00112233445566778899aabbccddeeff", SWTPM "ek-ecc.tpm2b",
     "sha1:0+sha384:0,7,12", true},
    {SWTPM "ak-pss.tpm2b", SWTPM "quote-pss.msg", SWTPM "quote-pss.sig", SWTPM "quote-pss.pcrs",
     "aa", SWTPM "ek-rsa.tpm2b", "sha256:all", false},
    {"keylime/quote-ak.pub", "keylime/quote-quote.out", "keylime/quote-quotesig.out",
     "keylime/quote-quotepcr.out", "db1db298db6d60e6385b7231743e9c3056a18003",
     "keylime/quote-ek.pub", "sha256:15,16,22", false},
    {GOOGLE "nonce9009.akpub.tpm2b", GOOGLE "nonce9009.quote1.msg", GOOGLE "nonce9009.quote1.sig",
     GOOGLE "nonce9009.quote1.pcrs.json", "9009", NULL, "sha256:0,7,23", false},
    {GOOGLE "nonce9009.akpub.tpmt", GOOGLE "nonce9009.quote2.msg", GOOGLE "nonce9009.quote2.sig",
     GOOGLE "nonce9009.quote2.pcrs.json", "9009", NULL, "sha384:0,7,23", false},
};

struct loaded {
    struct quote_key ak, ek;
    struct bytes msg, sig;
    struct pcr_set values;
    struct pcr_selection selection;
    uint8_t nonce[64];
    struct quote_expect expect;
};

static struct loaded *load(const struct genuine *g)
{
    struct loaded *l = calloc(1, sizeof *l);
    struct error error = ERROR_INIT;
    const char *form;
    char path[600];
    assert_non_null(l);
    load_key(&l->ak, g->ak);
    if (g->ek != NULL)
        load_key(&l->ek, g->ek);
    l->msg = read_bytes(g->msg);
    l->sig = read_bytes(g->sig);
    if (!pcr_load(sample(g->pcrs, path), NULL, &l->values, &form, &error))
        fail_msg("%s: %s", path, error.message);
    assert_true(pcr_selection_parse(g->selection, &l->selection, &error));
    size_t length = sizeof l->nonce;
    assert_true(hex_decode(g->nonce, strlen(g->nonce), l->nonce, &length));
    l->expect = (struct quote_expect){.nonce = l->nonce,
                                      .nonce_length = length,
                                      .values = &l->values,
                                      .selection = &l->selection,
                                      .ek = g->ek == NULL ? NULL : &l->ek};
    return l;
}

static void unload(struct loaded *l)
{
    quote_key_free(&l->ak);
    quote_key_free(&l->ek);
    free(l);
}

static void genuine_quotes(void **state)
{
    (void)state;
    need_samples();
    for (size_t i = 0; i < sizeof genuine / sizeof genuine[0]; i++) {
        struct loaded *l = load(&genuine[i]);
        struct quote_verdict verdict;
        assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &l->expect, &verdict));
        for (size_t c = 0; c < verdict.count; c++) {
            bool may_warn = genuine[i].sha1_among && strcmp(verdict.checks[c].name, "bank") == 0;
            if (verdict.checks[c].outcome != (may_warn ? QUOTE_WARN : QUOTE_PASS))
                fail_msg("%s: %s: %s", genuine[i].msg, verdict.checks[c].name,
                         verdict.checks[c].detail);
        }
        assert_true(verdict.valid);
        assert_int_equal(verdict.count, 20);
        unload(l);
    }
}

/* No bit of a message or a signature can change. */
static void flipped_bits(void **state)
{
    (void)state;
    need_samples();
    static const size_t which[] = {0, 3, 4};
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++) {
        struct loaded *l = load(&genuine[which[i]]);
        struct quote_verdict verdict;
        /* Neither the nonce nor the values help here: the signature alone must do. */
        struct quote_expect expect = {.values = &l->values};
        for (size_t bit = 0; bit < 8 * (l->msg.length + l->sig.length); bit++) {
            struct bytes *b = bit < 8 * l->msg.length ? &l->msg : &l->sig;
            size_t at = b == &l->msg ? bit : bit - 8 * l->msg.length;
            b->at[at / 8] ^= (uint8_t)(1 << at % 8);
            if (judge_quote(&l->msg, &l->sig, &l->ak, &expect, &verdict)) {
                assert_false(verdict.valid);
                assert_true(outcome(&verdict, "signature") == QUOTE_FAIL);
            }
            b->at[at / 8] ^= (uint8_t)(1 << at % 8);
        }
        assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &expect, &verdict) && verdict.valid);
        unload(l);
    }
}

/* No bit of a file of PCR values either: what is accepted is the same values, or tells of unsigned
 * ones. */
static void flipped_values(void **state)
{
    (void)state;
    need_samples();
    struct loaded *l = load(&genuine[0]);
    struct bytes file = read_bytes(genuine[0].pcrs);
    struct pcr_set before = l->values;
    struct error error = ERROR_INIT;
    const char *form;
    for (size_t bit = 0; bit < 8 * file.length; bit++) {
        struct quote_verdict verdict;
        file.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(&l->values, 0, sizeof l->values);
        if (pcr_parse("values", file.at, file.length, NULL, &l->values, &form, &error) &&
            judge_quote(&l->msg, &l->sig, &l->ak, &l->expect, &verdict) && verdict.valid &&
            outcome(&verdict, "values") == QUOTE_PASS &&
            memcmp(&before, &l->values, sizeof before) != 0)
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        file.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    unload(l);
}

static void expectations(void **state)
{
    (void)state;
    need_samples();
    struct loaded *l = load(&genuine[0]);
    struct quote_verdict verdict;
    struct error error = ERROR_INIT;
    struct quote_expect e = l->expect;
    uint8_t longer[17];
    memcpy(longer, l->nonce, 16);
    longer[16] = 0;

    e.nonce_length = 15;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
    assert_true(outcome(&verdict, "nonce") == QUOTE_FAIL);
    e.nonce_length = 0;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
    e.nonce = longer;
    e.nonce_length = 17;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
    e.nonce = NULL;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "nonce") == QUOTE_NOT_CHECKED);

    e = l->expect;
    static const char *const unsigned_pcrs[] = {"sha256:0,8", "sha256:23", "sha1:0",
                                                "sha256:0+sha384:0"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(pcr_selection_parse(unsigned_pcrs[i], &l->selection, &error));
        assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
        assert_true(outcome(&verdict, "selection") == QUOTE_FAIL);
    }
    e.selection = NULL;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "selection") == QUOTE_NOT_CHECKED);

    /* Values beside the signed ones are named, and do not count. */
    uint8_t other[32] = {1};
    assert_true(pcr_put(&l->values, BANK_SHA256, 9, other, sizeof other));
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "values") == QUOTE_WARN);
    assert_non_null(strstr(quote_find(&verdict, "values")->detail, "sha256:9"));
    pcr_bank_add(&l->values, BANK_SHA256)->known &= ~(1u << 12);
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
    assert_non_null(strstr(quote_find(&verdict, "digest")->detail, "sha256:12"));
    e.values = NULL;
    assert_true(judge_quote(&l->msg, &l->sig, &l->ak, &e, &verdict) && !verdict.valid);
    assert_true(outcome(&verdict, "digest") == QUOTE_NOT_CHECKED);
    unload(l);
}

static void other_keys(void **state)
{
    (void)state;
    need_samples();
    struct loaded *l = load(&genuine[0]);
    struct quote_verdict verdict;
    struct quote_key other;
    static const char *const keys[] = {SWTPM "ak-pss.tpm2b", SWTPM "ak-ecc.tpm2b",
                                       "keylime/quote-ak.pub", SWTPM "ek-rsa.tpm2b"};
    for (size_t i = 0; i < 4; i++) {
        load_key(&other, keys[i]);
        assert_true(judge_quote(&l->msg, &l->sig, &other, &l->expect, &verdict) && !verdict.valid);
        assert_true(outcome(&verdict, "signature") == QUOTE_FAIL);
        quote_key_free(&other);
    }
    /* The public key alone proves the signature, and says nothing of where it lives. */
    load_key(&other, SWTPM "ak-rsa.pem");
    assert_true(judge_quote(&l->msg, &l->sig, &other, &l->expect, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "key-restricted") == QUOTE_NOT_CHECKED);
    assert_true(outcome(&verdict, "scheme") == QUOTE_NOT_CHECKED);
    quote_key_free(&other);
    unload(l);
}

static void key_forms(void **state)
{
    (void)state;
    need_samples();
    static const struct {
        const char *key, *name;
    } named[] = {{SWTPM "ak-rsa.tpm2b", SWTPM "ak-rsa.name"},
                 {SWTPM "ak-ecc.tpm2b", SWTPM "ak-ecc.name"},
                 {SWTPM "ak-pss.tpm2b", SWTPM "ak-pss.name"},
                 {"keylime/quote-ak.pub", "keylime/quote-ak.name"}};
    struct quote_key key, pem;
    struct error error = ERROR_INIT;
    char path[600];
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct bytes name = read_bytes(named[i].name);
        load_key(&key, named[i].key);
        assert_int_equal(key.name_length, name.length);
        assert_memory_equal(key.name, name.at, name.length);
        quote_key_free(&key);
    }
    static const char *const pairs[][2] = {
        {SWTPM "ak-ecc.tpm2b", SWTPM "ak-ecc.pem"},
        {"keylime/quote-ek.pub", "keylime/quote-ekpub.pem"},
        {GOOGLE "nonce9009.akpub.tpmt", GOOGLE "nonce9009.akcert.der"},
        {SWTPM "ek-rsa.tpm2b", SWTPM "ekcert-rsa.der"},
    };
    for (size_t i = 0; i < 4; i++) {
        load_key(&key, pairs[i][0]);
        load_key(&pem, pairs[i][1]);
        assert_int_equal(EVP_PKEY_eq(key.key, pem.key), 1);
        assert_true(key.has_public && !pem.has_public && pem.name_length == 0);
        assert_true((pem.certificate != NULL) == (i >= 2));
        if (i >= 2)
            assert_true(quote_key_add_certificate(&key, sample(pairs[i][1], path), &error));
        assert_true((key.certificate != NULL) == (i >= 2));
        quote_key_free(&key);
        quote_key_free(&pem);
    }
    load_key(&key, SWTPM "ek-ecc.tpm2b");
    assert_false(quote_key_add_certificate(&key, sample(SWTPM "ekcert-ecc.der", path), &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_null(key.certificate);
    quote_key_free(&key);
    assert_false(quote_key_load(&key, sample(SWTPM "ak-rsa.ctx", path), &error));
    assert_non_null(strstr(error.message, "tpm2_readpublic"));
}

static bool parses(const struct bytes *b)
{
    struct quote_key key;
    struct error error = ERROR_INIT;
    bool ok = quote_key_parse(&key, "key", b->at, b->length, &error);
    assert_true(ok || (error.code != ERROR_NONE && error.message[0] != '\0' && key.key == NULL));
    quote_key_free(&key);
    return ok;
}

static void hostile_keys(void **state)
{
    (void)state;
    EVP_PKEY *ec = make_ec("P-256"), *rsa = make_rsa(2048);
    struct bytes b = public_bytes(ec, AK_ATTRIBUTES, 0x18, 0x0b);
    assert_true(parses(&b));
    for (size_t length = 0; length < b.length; length++) {
        struct bytes cut = b;
        cut.length = length;
        assert_false(parses(&cut));
    }
    b.at[b.length - 1] ^= 1; /* off the curve */
    assert_false(parses(&b));
    b.at[b.length++] = 0;
    assert_false(parses(&b));
    b = public_bytes(rsa, AK_ATTRIBUTES, 0x14, 0x0b);
    assert_true(parses(&b));
    b.at[17] ^= 0x10; /* key bits */
    assert_false(parses(&b));
    /* A certificate of an NV index may have padding behind it, and nothing else. */
    if (has_samples()) {
        b = read_bytes(SWTPM "ekcert-rsa.der");
        put(&b, "\xff\xff\xff\xff", 4);
        assert_true(parses(&b));
        put(&b, "\xfe", 1);
        assert_false(parses(&b));
    }
    static const char private[] = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n";
    b.length = 0;
    put(&b, private, sizeof private);
    assert_false(parses(&b));
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_quotes), cmocka_unit_test(flipped_bits),
        cmocka_unit_test(flipped_values), cmocka_unit_test(expectations),
        cmocka_unit_test(other_keys),     cmocka_unit_test(key_forms),
        cmocka_unit_test(hostile_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
