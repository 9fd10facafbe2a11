/* PCR values in every form that they come in, and selections. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/tpm/samples.h"
#include "tpm/pcr.h"

static bool parse(const char *text, size_t length, const struct pcr_selection *selection,
                  struct pcr_set *set, const char **form, struct error *error)
{
    *error = ERROR_INIT;
    return pcr_parse("values", text, length, selection, set, form, error);
}

static void expect(const char *text, const char *form)
{
    struct pcr_set set;
    struct error error;
    const char *found = "";
    uint8_t value[32];
    if (!parse(text, strlen(text), NULL, &set, &found, &error))
        fail_msg("%s: %s", form, error.message);
    assert_string_equal(found, form);
    memset(value, 0xab, sizeof value);
    const struct pcr_bank *bank = pcr_bank(&set, BANK_SHA256);
    assert_non_null(bank);
    assert_int_equal(bank->known, 1u << 7);
    assert_memory_equal(bank->value[7], value, 32);
}

static void refuse(const char *text, const char *says)
{
    struct pcr_set set;
    struct error error;
    const char *form;
    assert_false(parse(text, strlen(text), NULL, &set, &form, &error));
    if (strstr(error.message, says) == NULL)
        fail_msg("\"%s\": \"%s\", without \"%s\"", text, error.message, says);
}

#define AB8 "abababababababab"
#define HEX AB8 AB8 AB8 AB8
#define BASE64 "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
#define INTS8 "-85,-85,-85,-85,-85,-85,-85,171"
#define INTS INTS8 "," INTS8 "," INTS8 "," INTS8

static void test_text(void **state)
{
    (void)state;
    expect("sha256:\n  7 : 0x" HEX "\n", "tpm2_pcrread text");
    expect("  sha1:\n  sha256:\r\n    7: 0xABABABABABABABAB" AB8 AB8 AB8 "\r\n",
           "tpm2_pcrread text");
    expect("quoted: ff544347\npcrs:\n  sha1: { }\n  sha256:\n    7 : 0x" HEX "\ncalcDigest: 00\n",
           "tpm2_pcrread text");
    refuse("sha256:\n 7 : 0x" HEX "00\n", "has 33 bytes");
    refuse("sha256:\n 7 : 0xzz\n", "no hex");
    refuse("sha256:\n 24 : 0x" HEX "\n", "PCR 24");
    refuse("sha256:\n 7 : 0x" HEX "\n 7 : 0x00" AB8 AB8 AB8 "ababababababab\n",
           "two different values");
    refuse("something else\n", "--selection");
    struct pcr_set set;
    struct error error;
    const char *form, linux_text[] =
                          "PCR-00: 85 38 96 31 5B 9F 45 3E 70 89 EB 64 91 9D AF 11 90 49 "
                          "C8 69 \nPCR-01: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
                          "00 00 00 00 00 \n";
    assert_true(parse(linux_text, strlen(linux_text), NULL, &set, &form, &error));
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->known, 3);
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->value[0][19], 0x69);
}

static void test_json(void **state)
{
    (void)state;
    expect("{\"banks\": {\"sha256\": {\"7\": \"" HEX "\"}}}", "JSON of banks");
    expect("{\"pcrs\": {\"sha256\": {\"7\": \"" HEX "\"}, \"odd\": {\"7\": 1}}}", "JSON of banks");
    expect("{\"banks\": [{\"algorithm\": \"SHA256\", \"pcrs\": {\"7\": \"" BASE64 "\"}}]}",
           "vCenter JSON");
    expect("{\"value\": {\"banks\": [{\"algorithm\": \"SHA256\", \"pcrs\": {\"7\": \"" BASE64
           "\"}}]}}",
           "vCenter JSON");
    expect("{\"banks\": [{\"algorithm\": \"SHA256\", \"pcrs\": {\"7\": [" INTS "]}}]}",
           "vCenter JSON");
    expect("{\"alg\": 11, \"pcrs\": {\"7\": \"" HEX "\"}}", "go-tpm-tools JSON");
    expect("{\"hash\": \"SHA256\", \"pcrs\": {\"7\": \"" BASE64 "\"}}", "go-tpm-tools JSON");
    expect("{\"Log\": {\"PCRs\": [{\"Index\": 7, \"Digest\": \"" BASE64 "\", \"DigestAlg\": 5}]}}",
           "go-attestation JSON");
    expect("{\"pcr_manifest\": {\"sha1pcrs\": [], \"sha2pcrs\": [{\"index\": \"pcr_7\", \"value\": "
           "\"" HEX "\"}]}}",
           "Intel host manifest");
    refuse("{\"banks\": {\"sha256\": {\"x\": \"" HEX "\"}}}", "names a PCR that there is not");
    refuse("{\"banks\": {\"sha256\": {\"24\": \"" HEX "\"}}}", "names a PCR that there is not");
    refuse("{\"banks\": {\"sha256\": {\"7\": \"?\"}}}", "neither hex nor base64");
    refuse("{\"banks\": {\"sha1\": {\"7\": \"" HEX "\"}}}", "32 bytes, not 20");
    refuse("{\"banks\": {}}", "has no PCR values");
    refuse("{\"other\": {}}", "JSON without PCR values");
    refuse("{\"banks\": {\"sha256\": {\"7\": \"" HEX "\"}", "cut short");
    refuse("{\"banks\": {}, \"banks\": {}}", "damaged");
    refuse("{\"banks\": {\"sha256\": {\"7\": [256]}}}", "neither hex nor base64");
    refuse("{\"banks\": {\"sha256\": {\"7\": [-129]}}}", "neither hex nor base64");
}

/* What tpm2_quote writes, byte by byte: two banks, nine digests in two lists. */
static void make_serialized(struct buffer *b)
{
    *b = BUFFER_INIT;
    put32(b, 2);
    put16(b, BANK_SHA1);
    buffer_append(b, "\3\xff\0\0\0\0", 6);
    put16(b, BANK_SHA256);
    buffer_append(b, "\3\x80\0\0\0\0", 6);
    memset(buffer_reserve(b, 112), 0, 112);
    b->length += 112;
    put32(b, 2);
    for (int i = 0; i < 16; i++) {
        if (i % 8 == 0)
            put32(b, i == 0 ? 8 : 1);
        size_t size = i < 8 ? 20 : i == 8 ? 32 : 0;
        put16(b, (unsigned)size);
        memset(buffer_reserve(b, 64), 0, 64);
        memset(b->data + b->length, i == 8 ? 0xab : i, size);
        b->length += 64;
    }
}

static void test_serialized(void **state)
{
    (void)state;
    struct buffer b;
    struct pcr_set set;
    struct error error;
    const char *form;
    make_serialized(&b);
    assert_true(parse(b.data, b.length, NULL, &set, &form, &error));
    assert_string_equal(form, "tpm2_quote serialized");
    assert_int_equal(set.bank_count, 2);
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->known, 0xff);
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->value[5][19], 5);
    assert_int_equal(pcr_bank(&set, BANK_SHA256)->known, 0x80);
    assert_int_equal(pcr_bank(&set, BANK_SHA256)->value[7][31], 0xab);

    /* A flipped bit is refused, or it changes a value: nothing in the file counts for nothing. */
    for (size_t i = 0; i < b.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct pcr_set other;
            b.data[i] ^= (char)(1 << bit);
            if (parse(b.data, b.length, NULL, &other, &form, &error) &&
                memcmp(&other, &set, sizeof set) == 0)
                fail_msg("bit %d of byte %zu does not count", bit, i);
            b.data[i] ^= (char)(1 << bit);
        }
    for (size_t length = 0; length < b.length; length++)
        assert_false(parse(b.data, length, NULL, &set, &form, &error));
    buffer_free(&b);
}

static void test_values(void **state)
{
    (void)state;
    struct pcr_selection selection;
    struct error error = ERROR_INIT;
    struct pcr_set set;
    const char *form;
    char bytes[52];
    memset(bytes, 1, 20);
    memset(bytes + 20, 0x02, 32);
    assert_true(pcr_selection_parse("sha1:7+sha256:0", &selection, &error));
    assert_true(parse(bytes, sizeof bytes, &selection, &set, &form, &error));
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->value[7][0], 1);
    assert_int_equal(pcr_bank(&set, BANK_SHA256)->value[0][31], 2);
    assert_false(parse(bytes, sizeof bytes - 1, &selection, &set, &form, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_false(parse(bytes, sizeof bytes, NULL, &set, &form, &error));
    assert_int_equal(error.code, ERROR_USAGE);
}

static void test_selections(void **state)
{
    (void)state;
    struct pcr_selection selection;
    struct error error = ERROR_INIT;
    static const char *const bad[] = {"",
                                      "sha256",
                                      "sha256:",
                                      "sha256:24",
                                      "sha256:0,",
                                      "sha256:,0",
                                      "sha256:0+",
                                      "md5:0",
                                      "sha256:0 1",
                                      "sha256:-1",
                                      "+",
                                      ":0",
                                      "sha256:99999999999999999999",
                                      "sha256:all,1"};
    assert_true(pcr_selection_parse("sha256:0,1,23+SHA-1:all", &selection, &error));
    assert_int_equal(selection.count, 2);
    assert_int_equal(selection.banks[0].algorithm, BANK_SHA256);
    assert_int_equal(selection.banks[0].pcrs, 0x800003);
    assert_int_equal(selection.banks[1].algorithm, BANK_SHA1);
    assert_int_equal(selection.banks[1].pcrs, 0xffffff);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (pcr_selection_parse(bad[i], &selection, &error))
            fail_msg("\"%s\" was taken", bad[i]);
}

/* One TPM's values, as four programs have written them. */
static void test_real_files(void **state)
{
    (void)state;
    if (!have_sample("esxi-synthetic/swtpm/pcrread.txt"))
        skip();
    struct pcr_set text, quoted, values;
    struct pcr_selection selection;
    struct error error = ERROR_INIT;
    const char *form;
    assert_true(pcr_selection_parse("sha256:0,1,2,3,4,5,6,7,11,12,13,14", &selection, &error));
    assert_true(
        pcr_load(sample_path("esxi-synthetic/swtpm/pcrread.txt"), NULL, &text, &form, &error));
    assert_true(pcr_load(sample_path("esxi-synthetic/swtpm/quote-rsa.sha256.pcrs"), NULL, &quoted,
                         &form, &error));
    assert_string_equal(form, "tpm2_quote serialized");
    assert_true(pcr_load(sample_path("esxi-synthetic/swtpm/pcrs.values.bin"), &selection, &values,
                         &form, &error));
    assert_int_equal(text.bank_count, 1);
    assert_memory_equal(&text.banks[0], &quoted.banks[0], sizeof text.banks[0]);
    assert_memory_equal(&text.banks[0], &values.banks[0], sizeof text.banks[0]);
}

static void test_real_json(void **state)
{
    (void)state;
    if (!have_sample("go-tpm-tools/attestations/extracted/nonce9009.quote1.pcrs.json"))
        skip();
    struct pcr_set set;
    struct error error = ERROR_INIT;
    const char *form;
    assert_true(
        pcr_load(sample_path("go-tpm-tools/attestations/extracted/nonce9009.quote1.pcrs.json"),
                 NULL, &set, &form, &error));
    assert_int_equal(pcr_bank(&set, BANK_SHA256)->known, 0xffffff);
    assert_true(pcr_load(sample_path("go-attestation/windows_gcp_shielded_vm.json"), NULL, &set,
                         &form, &error));
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->known, 0xffffff);
    assert_true(pcr_load(sample_path("esxi-intel-secl/vmware12/host_manifest.json"), NULL, &set,
                         &form, &error));
    assert_int_equal(pcr_bank(&set, BANK_SHA1)->known, 0xffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),       cmocka_unit_test(test_json),
        cmocka_unit_test(test_serialized), cmocka_unit_test(test_values),
        cmocka_unit_test(test_selections), cmocka_unit_test(test_real_files),
        cmocka_unit_test(test_real_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
