/* Quotes that no TPM would make, each of which one check alone must stop. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/tpm/quote_fixture.h"

/* A quote of PCR 0 in SHA-256, of zeros, by KEY; for the tests below to change. */
struct made {
    EVP_PKEY *secret;
    struct quote_key key;
    struct attest attest;
    struct pcr_set values;
    struct quote_expect expect;
    uint16_t scheme, hash;
    const char *md;
};

static void make_key(struct made *m, uint32_t attributes, uint16_t scheme, uint16_t hash)
{
    struct error error = ERROR_INIT;
    struct bytes public = public_bytes(m->secret, attributes, scheme, hash);
    quote_key_free(&m->key);
    if (!quote_key_parse(&m->key, "made", public.at, public.length, &error))
        fail_msg("%s", error.message);
    /* A primary key of the endorsement hierarchy. */
    static uint8_t signer[34];
    signer[0] = 0;
    signer[1] = 0x0b;
    assert_true(
        bank_hash(BANK_SHA256, "\x40\0\0\x0b", 4, m->key.name, m->key.name_length, signer + 2));
    m->attest.signer = signer;
    m->attest.signer_length = sizeof signer;
}

static void make(struct made *m, EVP_PKEY *secret, uint16_t scheme, uint16_t hash, const char *md)
{
    static const uint8_t zeros[32];
    memset(m, 0, sizeof *m);
    m->secret = secret;
    m->scheme = scheme;
    m->hash = hash;
    m->md = md;
    m->attest = (struct attest){.magic = 0xff544347,
                                .type = 0x8018,
                                .nonce = "nonce",
                                .safe = 1,
                                .bank_count = 1,
                                .banks = {{BANK_SHA256, 3, {1, 0, 0}}}};
    m->attest.digest_length = bank_by_id(hash)->size;
    assert_true(bank_hash(hash, zeros, 32, NULL, 0, m->attest.digest));
    assert_true(pcr_put(&m->values, BANK_SHA256, 0, zeros, 32));
    m->expect = (struct quote_expect){.nonce = "nonce", .nonce_length = 5, .values = &m->values};
    make_key(m, AK_ATTRIBUTES, scheme, hash);
}

static bool judge_made(const struct made *m, struct quote_verdict *verdict)
{
    struct bytes msg = attest_bytes(&m->attest);
    struct bytes sig = sign(m->secret, m->scheme, m->hash, m->md, &msg);
    return judge_quote(&msg, &sig, &m->key, &m->expect, verdict);
}

/* The named check alone stops it. */
static void stopped_by(const struct made *m, const char *name)
{
    struct quote_verdict verdict;
    assert_true(judge_made(m, &verdict));
    assert_false(verdict.valid);
    for (size_t i = 0; i < verdict.count; i++)
        if ((verdict.checks[i].outcome == QUOTE_FAIL) !=
            (strcmp(verdict.checks[i].name, name) == 0))
            fail_msg("for %s: %s: %s (%s)", name, verdict.checks[i].name,
                     quote_outcome_name(verdict.checks[i].outcome), verdict.checks[i].detail);
}

static void schemes(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint16_t scheme, hash;
        const char *md;
    } all[] = {
        {"rsa", 0x14, BANK_SHA256, "SHA256"},     {"rsa", 0x16, BANK_SHA256, "SHA256"},
        {"rsa", 0x14, BANK_SHA384, "SHA384"},     {"rsa", 0x16, BANK_SHA512, "SHA512"},
        {"P-256", 0x18, BANK_SHA256, "SHA256"},   {"P-384", 0x18, BANK_SHA384, "SHA384"},
        {"P-521", 0x18, BANK_SHA512, "SHA512"},   {"P-384", 0x18, BANK_SHA256, "SHA256"},
        {"rsa", 0x14, BANK_SHA3_256, "SHA3-256"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct made m;
        struct quote_verdict verdict;
        make(&m, all[i].key[0] == 'r' ? make_rsa(2048) : make_ec(all[i].key), all[i].scheme,
             all[i].hash, all[i].md);
        assert_true(judge_made(&m, &verdict));
        assert_true(verdict.valid);
        assert_true(outcome(&verdict, "scheme") == QUOTE_PASS);
        /* The same as tpm2_quote -f plain writes it, which only the key can explain. */
        struct bytes msg = attest_bytes(&m.attest), wrapped = {.length = 0};
        struct bytes sig = sign_plain(m.secret, m.md, m.scheme == 0x16, &msg);
        put_sized(&wrapped, msg.at, msg.length);
        assert_true(judge_quote(&wrapped, &sig, &m.key, &m.expect, &verdict));
        assert_true(verdict.valid);
        sig.at[sig.length++] = 0;
        assert_false(judge_quote(&wrapped, &sig, &m.key, &m.expect, &verdict));
        sig.length--;
        m.key.has_public = false; /* as from PEM: PKCS #1 v1.5 or ECDSA, SHA-2 */
        assert_true(judge_quote(&msg, &sig, &m.key, &m.expect, &verdict));
        assert_true(verdict.valid == (m.scheme != 0x16 && m.hash != BANK_SHA3_256));
        quote_key_free(&m.key);
        EVP_PKEY_free(m.secret);
    }
}

static void forged(void **state)
{
    (void)state;
    struct made good, m;
    struct quote_verdict verdict;
    make(&good, make_ec("P-256"), 0x18, BANK_SHA256, "SHA256");
    assert_true(judge_made(&good, &verdict) && verdict.valid);

    m = good;
    m.attest.magic = 0xff544348; /* CVE-2024-29038 */
    if (judge_made(&m, &verdict))
        stopped_by(&m, "magic");
    m = good;
    m.attest.type = 0x8017; /* TPM2_ST_ATTEST_CERTIFY */
    if (judge_made(&m, &verdict))
        assert_true(!verdict.valid && outcome(&verdict, "type") == QUOTE_FAIL);
    m = good;
    m.attest.type = 0x801a; /* TPM2_ST_ATTEST_CREATION */
    if (judge_made(&m, &verdict))
        assert_true(!verdict.valid && outcome(&verdict, "type") == QUOTE_FAIL);
    m = good;
    m.attest.nonce = "nonc";
    stopped_by(&m, "nonce");
    m = good;
    m.attest.nonce = "";
    stopped_by(&m, "nonce");
    m = good;
    m.attest.signer_length = 0;
    stopped_by(&m, "qualified-signer");
    m = good;
    m.attest.safe = 0;
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "clock-safe") == QUOTE_WARN);
    m = good;
    m.attest.digest[5] ^= 1;
    stopped_by(&m, "digest");
    m = good;
    m.attest.digest_length = 31;
    stopped_by(&m, "digest");
    m = good;
    m.attest.digest_length = 0;
    stopped_by(&m, "digest");
    quote_key_free(&good.key);
    EVP_PKEY_free(good.secret);
}

static void forged_selections(void **state)
{
    (void)state;
    struct made good, m;
    struct quote_verdict verdict;
    static const uint8_t zeros[64];
    make(&good, make_ec("P-256"), 0x18, BANK_SHA256, "SHA256");

    m = good; /* nothing is selected: the digest is that of nothing */
    m.attest.bank_count = 0;
    assert_true(bank_hash(BANK_SHA256, NULL, 0, NULL, 0, m.attest.digest));
    stopped_by(&m, "selection");
    m.attest.bank_count = 1;
    m.attest.banks[0].bits[0] = 0;
    stopped_by(&m, "selection");

    m = good; /* a bank twice */
    m.attest.bank_count = 2;
    m.attest.banks[1] = m.attest.banks[0];
    assert_true(bank_hash(BANK_SHA256, zeros, 64, NULL, 0, m.attest.digest));
    stopped_by(&m, "selection-form");

    m = good; /* PCR 24 */
    m.attest.banks[0].size = 4;
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "selection-form") == QUOTE_WARN);
    m.attest.banks[0].bits[3] = 1;
    assert_true(judge_made(&m, &verdict) && !verdict.valid);
    assert_true(outcome(&verdict, "selection-form") == QUOTE_FAIL);

    m = good; /* an unknown bank */
    m.attest.bank_count = 2;
    m.attest.banks[1] = m.attest.banks[0];
    m.attest.banks[1].algorithm = 0x7777;
    assert_true(judge_made(&m, &verdict) ? !verdict.valid : true);

    m = good; /* more banks than it says */
    struct bytes msg = attest_bytes(&m.attest);
    msg.at[msg.length++] = 0;
    struct bytes sig = sign(m.secret, m.scheme, m.hash, m.md, &msg);
    assert_false(judge_quote(&msg, &sig, &m.key, &m.expect, &verdict));

    m = good; /* SHA-1 alone */
    m.attest.banks[0].algorithm = BANK_SHA1;
    assert_true(pcr_put(&m.values, BANK_SHA1, 0, zeros, 20));
    assert_true(bank_hash(BANK_SHA256, zeros, 20, NULL, 0, m.attest.digest));
    m.expect.values = &m.values;
    stopped_by(&m, "bank");
    m.expect.allow_sha1 = true;
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "bank") == QUOTE_WARN);
    /* The order of the banks is part of what is signed. */
    m.attest.bank_count = 2;
    m.attest.banks[1] = good.attest.banks[0];
    uint8_t other[32] = {1};
    m.values.banks[0].known = 0;
    m.values.bank_count = 0;
    assert_true(pcr_put(&m.values, BANK_SHA1, 0, zeros, 20));
    assert_true(pcr_put(&m.values, BANK_SHA256, 0, other, 32));
    assert_true(bank_hash(BANK_SHA256, zeros, 20, other, 32, m.attest.digest));
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    assert_true(bank_hash(BANK_SHA256, other, 32, zeros, 20, m.attest.digest));
    stopped_by(&m, "digest");
    quote_key_free(&good.key);
    EVP_PKEY_free(good.secret);
}

static void bad_keys(void **state)
{
    (void)state;
    static const struct {
        uint32_t bit;
        const char *name;
    } attributes[] = {{0x10000, "key-restricted"}, {0x40000, "key-sign"},
                      {0x20000, "key-no-decrypt"}, {0x2, "key-fixed-tpm"},
                      {0x10, "key-fixed-parent"},  {0x20, "key-origin"}};
    struct made m;
    struct quote_verdict verdict;
    make(&m, make_ec("P-256"), 0x18, BANK_SHA256, "SHA256");
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        make_key(&m, AK_ATTRIBUTES ^ attributes[i].bit, 0x18, BANK_SHA256);
        stopped_by(&m, attributes[i].name);
        m.expect.allow_unrestricted = true;
        assert_true(judge_made(&m, &verdict) && verdict.valid);
        assert_true(outcome(&verdict, attributes[i].name) == QUOTE_WARN);
        m.expect.allow_unrestricted = false;
    }
    /* A key that leaves its scheme open, and one that fixes another hash. */
    make_key(&m, AK_ATTRIBUTES, 0x10, 0);
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    assert_true(outcome(&verdict, "scheme") == QUOTE_NOT_CHECKED);
    make_key(&m, AK_ATTRIBUTES, 0x18, BANK_SHA384);
    stopped_by(&m, "scheme");
    quote_key_free(&m.key);
    EVP_PKEY_free(m.secret);

    EVP_PKEY *rsa = make_rsa(2048);
    make(&m, rsa, 0x14, BANK_SHA256, "SHA256");
    make_key(&m, AK_ATTRIBUTES, 0x16, BANK_SHA256); /* PSS fixed, PKCS #1 v1.5 made */
    stopped_by(&m, "scheme");
    quote_key_free(&m.key);
    make(&m, rsa, 0x14, BANK_SHA1, "SHA1");
    stopped_by(&m, "hash");
    m.expect.allow_sha1 = true;
    assert_true(judge_made(&m, &verdict) && verdict.valid);
    quote_key_free(&m.key);
    EVP_PKEY_free(rsa);
    make(&m, make_rsa(1024), 0x14, BANK_SHA256, "SHA256");
    stopped_by(&m, "key-strength");
    quote_key_free(&m.key);
    EVP_PKEY_free(m.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes),
        cmocka_unit_test(forged),
        cmocka_unit_test(forged_selections),
        cmocka_unit_test(bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
