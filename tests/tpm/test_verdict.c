/*
 * verdict: a good host is trusted; one that carries its own log and evidence, with an honest TPM
 * and attestation key, is not when something else booted. Each test is an attack on a sensible
 * policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "tests/tpm/certificate_fixture.h"
#include "tests/tpm/verdict_fixture.h"

#include "tests/scratch.h"

static const char evil[] = "what nobody permitted";

static int set_up(void **state)
{
    if (scratch_set_up(state) != 0)
        return -1;
    save_image();
    return 0;
}

static void expect_boot(void (*boot)(struct host *), const char *why)
{
    struct host h;
    host_open(&h, 1);
    boot(&h);
    host_expect(&h, NULL, USUAL_PCRS, why);
    host_close(&h);
}

static void evil_module(struct host *h)
{
    boot_good(h);
    say_module(h, 13, "driver.v00", evil);
}

/* A kernel that calls itself volatile. */
static void volatile_kernel(struct host *h)
{
    boot_good(h);
    say_module(h, 12, "state.tgz", evil);
}

/* Bytes of a module where the log can show them, as what is not judged by its digest. */
static void module_as_option(struct host *h)
{
    boot_good(h);
    say_tag(h, 13, 5, no_piece, text_piece("evil = TRUE"));
}

static void module_as_asset_tag(struct host *h)
{
    boot_good(h);
    say_tag(h, 14, 6, no_piece, text_piece(evil));
}

static void module_as_version(struct host *h)
{
    uint8_t record[600] = {0};
    boot_good(h);
    record[0] = sizeof record & 0xff;
    record[1] = sizeof record >> 8;
    record[4] = 1;
    for (size_t i = 16; i < 32; i += 4) {
        record[i] = 32;
        record[i + 2] = 2;
    }
    record[32] = 'x';
    say_tag(h, 13, 8, no_piece, (struct piece){record, sizeof record});
}

static void both_options(struct host *h)
{
    boot_good(h);
    say_tag(h, 14, 5, no_piece, (struct piece){"execInstalledOnly = FALSE", 26});
    say_tag(h, 14, 5, no_piece, (struct piece){"execInstalledOnly = TRUE", 25});
}

static void test_modules(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    boot_good(&h);
    host_expect(&h, NULL, USUAL_PCRS, "execInstalledOnly = TRUE was not measured");
    say_tag(&h, 14, 5, no_piece, (struct piece){"execInstalledOnly = TRUE", 25});
    host_expect(&h, NULL, USUAL_PCRS, NULL);
    say_module(&h, 13, "state.tgz", "this host's own");
    host_expect(&h, NULL, USUAL_PCRS, NULL);
    host_close(&h);
    expect_boot(evil_module, "a module of no permitted base image");
    expect_boot(volatile_kernel, "a module of no permitted base image");
    expect_boot(module_as_option, "a security option that is not permitted");
    expect_boot(module_as_asset_tag, "an asset tag that is not permitted");
    expect_boot(module_as_version, "1 of ESXi's events are not accounted for");
    expect_boot(both_options, "a security option that is not permitted");
}

#define PARTS_START                                                                                \
    "boot: {secure-boot: required, authorities: [%s]}\n"                                           \
    "esxi:\n  base-images: [" IMAGE_FILE "]\n  volatile: [state.tgz]\n"

static const char *any_options(void)
{
    static char parts[600];
    char certificate[65];
    snprintf(parts, sizeof parts, PARTS_START, sha256_text(vendor, certificate));
    return parts;
}

/* What is in no quote, and not in the log: an evil module in PCR 13. */
static void test_unquoted(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    boot_good(&h);
    host_extend(&h, 0, 13, text_piece(evil));
    host_expect(&h, any_options(), USUAL_PCRS, "differs");
    host_expect(&h, any_options(), USUAL_PCRS & ~(1u << 13), "no quote vouches for");
    host_close(&h);
    /* The same, and the log does not even say that PCR 13 was extended. */
    host_open(&h, 1);
    boot_firmware(&h);
    say_module(&h, 12, "b.b00", image_modules[0]);
    host_extend(&h, 0, 13, text_piece(evil));
    host_expect(&h, any_options(), USUAL_PCRS & ~(1u << 13), "no quote vouches for PCR 13");
    host_close(&h);
}

/* PCRs that a dynamic launch extends count for nothing when the policy does not require one. */
static void test_other_layout(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    boot_firmware(&h);
    say_module(&h, 20, "b.b00", image_modules[0]);
    host_expect(&h, any_options(), USUAL_PCRS | 0x780000, "no module of any permitted base image");
    host_close(&h);
}

static void test_hidden_as_no_action(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    boot_good(&h);
    host_extend(&h, 0, 13, text_piece(evil));
    host_record(&h, 13, EV_NO_ACTION, text_piece(evil), no_piece, text_piece("nothing"));
    host_expect(&h, any_options(), USUAL_PCRS, "PCR 13 differs");
    host_close(&h);
}

/* Secure Boot was off. What the firmware said is shown as something else, in any way in which its
 * digest still fits; what it should have said is added later by what booted. */
static void hide(struct host *h, uint32_t type, const char *before, struct piece what,
                 struct piece behind)
{
    struct buffer data = BUFFER_INIT;
    buffer_append(&data, before, strlen(before));
    buffer_append(&data, what.bytes, what.length);
    buffer_append(&data, behind.bytes, behind.length);
    host_measure(h, 7, type, what, buffer_piece(&data));
    buffer_free(&data);
}

static void test_secure_boot_off(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *before;
        struct piece behind;
    } ways[] = {
        {EV_EFI_VARIABLE_DRIVER_CONFIG, "", {"", 0}},
        {EV_EFI_VARIABLE_AUTHORITY, "", {"", 0}},
        {EV_EFI_VARIABLE_AUTHORITY, "", {"\1", 1}},
        {EV_IPL, "x ", {"", 0}},
        {EV_IPL, "x ", {"\0", 1}},
        {EV_EFI_ACTION, "", {"\0", 1}},
        {EV_POST_CODE, "", {"\0\0", 2}},
        {0x1234, "", {"", 0}},
        {EV_EVENT_TAG, "\1\1\1\1", {"", 0}},
    };
    char parts[400], hex[65];
    snprintf(parts, sizeof parts, "boot: {secure-boot: required, images: [%s]}\n",
             sha256_text("the boot loader", hex));
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct host h;
        struct buffer off = BUFFER_INIT;
        put_uefi(&off, true, "SecureBoot", zero);
        host_open(&h, 1);
        hide(&h, ways[i].type, ways[i].before, buffer_piece(&off), ways[i].behind);
        hide(&h, ways[i].type, ways[i].before, separator, ways[i].behind);
        boot_good(&h);
        host_expect(&h, NULL, USUAL_PCRS, "event");
        host_expect(&h, parts, USUAL_PCRS, "event");
        buffer_free(&off);
        host_close(&h);
    }
}

/* Nothing in the log is hidden, but what booted with Secure Boot off says it was on. */
static void test_secure_boot_later(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    boot_settings(&h, zero);
    boot_separators(&h);
    say_authority(&h, vendor);
    boot_modules(&h);
    host_expect(&h, any_options(), USUAL_PCRS, "it is off");
    host_close(&h);
    host_open(&h, 1);
    say_setting(&h, true, "PK", no_piece);
    host_say(&h, 7, EV_SEPARATOR, separator);
    boot_good(&h);
    host_expect(&h, NULL, USUAL_PCRS, "after the firmware had ended");
    host_close(&h);
    host_open(&h, 1);
    host_say(&h, 0, EV_SEPARATOR, separator);
    host_expect(&h, "boot: {secure-boot: required}\n", USUAL_PCRS, "PCR 7 has no separator");
    host_close(&h);
}

/* Someone else's key vouched for what booted, behind the separator or before it. */
static void test_authorities(void **state)
{
    (void)state;
    static const uint32_t types[] = {EV_EFI_VARIABLE_AUTHORITY, EV_EFI_VARIABLE_DRIVER_CONFIG,
                                     EV_EFI_ACTION, EV_IPL, EV_SEPARATOR};
    for (size_t i = 0; i < 2 * sizeof types / sizeof types[0]; i++) {
        struct buffer value = BUFFER_INIT, data = BUFFER_INIT;
        struct host h;
        buffer_append(&value, "0123456789abcdef", 16);
        buffer_append(&value, stranger, strlen(stranger));
        put_uefi(&data, false, "db", buffer_piece(&value));
        host_open(&h, 1);
        boot_settings(&h, one);
        if (i % 2 == 0)
            host_say(&h, 7, types[i / 2], buffer_piece(&data));
        boot_separators(&h);
        say_authority(&h, vendor);
        if (i % 2 == 1)
            host_say(&h, 7, types[i / 2], buffer_piece(&data));
        boot_modules(&h);
        host_expect(&h, any_options(), USUAL_PCRS, "not among those permitted");
        buffer_free(&value);
        buffer_free(&data);
        host_close(&h);
    }
}

/* Digests of a permitted loader and an evil one dealt out over two banks, so that each event has a
 * permitted one in some bank; the bank that is behind was extended once more by what booted. */
static void test_split_banks(void **state)
{
    (void)state;
    struct piece good = text_piece("the boot loader"), bad = text_piece(evil);
    char parts[700], hex[65], hex384[97];
    uint8_t digest[64];
    struct host h;
    struct host_quote q[2];
    hash_piece(1, good, digest);
    snprintf(parts, sizeof parts, "quote: {banks: [sha256, sha384]}\nboot: {images: [%s, %s]}\n",
             sha256_text("the boot loader", hex), hex_text(digest, 48, hex384));
    host_open(&h, 2);
    boot_firmware(&h);
    host_expect(&h, parts, USUAL_PCRS, NULL);
    host_close(&h);

    host_open(&h, 2);
    for (size_t b = 0; b < 2; b++) {
        host_extend(&h, b, 4, good);
        host_extend(&h, b, 4, bad);
    }
    host_extend(&h, 1, 4, good);
    host_record(&h, 4, EV_EFI_BOOT_SERVICES_APPLICATION, no_piece, good, no_piece);
    host_record(&h, 4, EV_EFI_BOOT_SERVICES_APPLICATION, good, bad, no_piece);
    host_record(&h, 4, EV_EFI_BOOT_SERVICES_APPLICATION, bad, good, no_piece);
    host_quote(&h, 0, USUAL_PCRS, 3, &q[0]);
    host_quote(&h, 1, USUAL_PCRS, 3, &q[1]);
    char *why = host_judge(&h, parts, q, 2);
    assert_non_null(strstr(why, "an image that is not permitted"));
    free(why);
    quote_free(&q[0].quote);
    quote_free(&q[1].quote);
    host_close(&h);
}

/* A bank that the TPM has and the firmware does not extend can be filled with anything. */
static void test_unused_bank(void **state)
{
    (void)state;
    struct host h;
    struct host_quote q;
    host_open(&h, 2);
    boot_good(&h);
    host_quote(&h, 1, USUAL_PCRS, 3, &q);
    char *why = host_judge(&h, "boot: {secure-boot: required}\n", &q, 1);
    assert_non_null(strstr(why, "in a bank that the policy accepts"));
    free(why);
    quote_free(&q.quote);
    host_close(&h);
}

/* Two quotes: a value that the second's file has, but its quote does not sign; two boots. */
static void test_two_quotes(void **state)
{
    (void)state;
    char parts[300], golden[65];
    struct host h, other;
    struct host_quote q[2];
    host_open(&other, 1);
    boot_good(&other);
    hex_text(other.pcrs[0][4], 32, golden);
    snprintf(parts, sizeof parts, "boot: {pcrs: {\"4\": [%s]}}\n", golden);
    host_expect(&other, parts, USUAL_PCRS, NULL);

    host_open(&h, 1);
    boot_good(&h);
    host_measure(&h, 4, EV_EFI_BOOT_SERVICES_APPLICATION, text_piece(evil), no_piece);
    host_quote(&h, 0, USUAL_PCRS, 3, &q[0]);
    host_quote(&h, 0, 1, 3, &q[1]);
    pcr_put(&q[1].values, BANK_SHA256, 4, other.pcrs[0][4], 32);
    char *why = host_judge(&h, parts, q, 2);
    assert_non_null(strstr(why, "PCR 4 has a value that is not permitted"));
    free(why);
    quote_free(&q[1].quote);
    host_close(&other);

    host_quote(&h, 0, LOADER_PCRS, 3, &q[1]);
    why = host_judge(&h, "", q, 2);
    assert_string_equal(why, "");
    free(why);
    quote_free(&q[1].quote);
    host_quote(&h, 0, LOADER_PCRS, 4, &q[1]);
    why = host_judge(&h, "", q, 2);
    assert_non_null(strstr(why, "of two boots"));
    free(why);
    quote_free(&q[0].quote);
    quote_free(&q[1].quote);
    host_close(&h);
}

/* A nonce of no bytes is in any quote that was asked for without one. */
static void test_empty_nonce(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, 1);
    h.nonce = "";
    boot_good(&h);
    host_expect(&h, "", USUAL_PCRS, "the policy requires one");
    host_expect(&h, "quote: {nonce: optional}\n", USUAL_PCRS, NULL);
    host_close(&h);
}

/* A log that claims to be a confidential VM's, in which PCRs are not PCRs. */
static void test_confidential(void **state)
{
    (void)state;
    struct host h;
    static const uint16_t bank[] = {BANK_SHA384};
    struct host_quote q;
    host_open(&h, 2);
    h.log.length = 0;
    put_spec(&h.log, 1, bank, 1, 0, 0);
    host_extend(&h, 1, 4, text_piece("x"));
    host_record(&h, 4, EV_EFI_ACTION, no_piece, text_piece("x"), text_piece("x"));
    host_quote(&h, 1, 0x10, 3, &q);
    char *why = host_judge(&h, "quote: {banks: [sha384]}\n", &q, 1);
    assert_non_null(strstr(why, "confidential VM"));
    free(why);
    quote_free(&q.quote);
    host_close(&h);
}

/* Certificates of the CA that the policy names, but not of an attestation key. */
static void test_attestation_key(void **state)
{
    (void)state;
    static const struct {
        const char *usage;
        bool is_ca, other_ca;
        const char *why;
    } cases[] = {
        {"2.23.133.8.3", false, false, NULL},
        {"2.23.133.8.1", false, false, NULL},
        {NULL, false, false, NULL},
        {"serverAuth", false, false, "nothing that the policy accepts"},
        {NULL, true, false, "nothing that the policy accepts"},
        {"2.23.133.8.3", false, true, "nothing that the policy accepts"},
    };
    static const char by_certificate[] =
        "attestation-key: {binding: [certificate], cas: [ca.pem]}\n";
    EVP_PKEY *keys[2] = {make_ec("P-256"), make_ec("P-256")};
    X509 *cas[2];
    for (size_t i = 0; i < 2; i++)
        cas[i] = issue(&(struct order){.name = "CA", .key = keys[i], .is_ca = true});
    FILE *f = fopen("ca.pem", "w");
    assert_non_null(f);
    PEM_write_X509(f, cas[0]);
    fclose(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host h;
        size_t ca = cases[i].other_ca;
        host_open(&h, 1);
        h.ak.certificate = issue(&(struct order){.name = "AK",
                                                 .key = h.key,
                                                 .issuer = cas[ca],
                                                 .issuer_key = keys[ca],
                                                 .is_ca = cases[i].is_ca,
                                                 .usage = cases[i].usage});
        boot_good(&h);
        host_expect(&h, by_certificate, USUAL_PCRS, cases[i].why);
        /* A certificate does not do where a name is asked for, nor the other way round. */
        host_expect(&h, "attestation-key: {binding: [name]}\n", USUAL_PCRS,
                    "nothing that the policy accepts");
        host_close(&h);
    }
    for (size_t i = 0; i < 2; i++) {
        X509_free(cas[i]);
        EVP_PKEY_free(keys[i]);
    }
}

/* A log of very many events is judged in little time, and told in few words. */
static void test_long_log(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct host h;
    host_open(&h, 1);
    boot_good(&h);
    struct piece tag = {"\2\0\0\0\2\0\0\0x", 10};
    for (size_t i = 0; i < MANY; i++)
        host_measure(&h, 13, EV_EVENT_TAG, one, tag);
    host_expect(&h, NULL, USUAL_PCRS, "of ESXi's events are not accounted for");
    host_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules),         cmocka_unit_test(test_unquoted),
        cmocka_unit_test(test_other_layout),    cmocka_unit_test(test_hidden_as_no_action),
        cmocka_unit_test(test_secure_boot_off), cmocka_unit_test(test_secure_boot_later),
        cmocka_unit_test(test_authorities),     cmocka_unit_test(test_split_banks),
        cmocka_unit_test(test_unused_bank),     cmocka_unit_test(test_two_quotes),
        cmocka_unit_test(test_empty_nonce),     cmocka_unit_test(test_confidential),
        cmocka_unit_test(test_attestation_key), cmocka_unit_test(test_long_log),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
