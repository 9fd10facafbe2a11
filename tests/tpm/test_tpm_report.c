/* HostTpmAttestationReport as JSON and XML in the spellings of govc, PowerCLI, pyVmomi and SOAP,
 * and Intel's manifests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "tests/tpm/samples.h"
#include "tpm/replay.h"
#include "tpm/report.h"

/* How a digest is written. */
enum spelling { BASE64, NUMBERS, ELEMENTS };

static void put_digest(struct buffer *b, enum spelling spelling, const uint8_t *digest, size_t size,
                       const char *element)
{
    for (size_t i = 0; i < size && spelling == NUMBERS; i++)
        buffer_printf(b, "%s%d", i == 0 ? "[" : ",", (int8_t)digest[i]);
    for (size_t i = 0; i < size && spelling == ELEMENTS; i++)
        buffer_printf(b, "<%s>%d</%s>\n", element, (int8_t)digest[i], element);
    if (spelling == NUMBERS)
        buffer_append_byte(b, ']');
    else if (spelling == BASE64)
        base64_encode(digest, size, b);
}

/* Digests of two events in PCR 12, and what they lead to. */
static void make_digests(uint8_t first[32], uint8_t second[32], uint8_t value[32])
{
    memset(first, 0x9c, 32);
    memset(second, 0x41, 32);
    memset(value, 0, 32);
    assert_true(bank_hash(BANK_SHA256, value, 32, first, 32, value));
    assert_true(bank_hash(BANK_SHA256, value, 32, second, 32, value));
}

static void make_json(struct buffer *b, enum spelling spelling, bool pascal, const char *method)
{
    uint8_t first[32], second[32], value[32];
    const char *quote = spelling == BASE64 ? "\"" : "";
    make_digests(first, second, value);
    buffer_printf(b, "{\"%s\": [{\"%s\": \"%s\", \"%s\": %s",
                  pascal ? "TpmPcrValues" : "tpmPcrValues",
                  pascal ? "DigestMethod" : "digestMethod", method,
                  pascal ? "DigestValue" : "digestValue", quote);
    put_digest(b, spelling, value, 32, "");
    buffer_printf(b, "%s, \"%s\": 12, \"objectName\": \"x\"}], \"%s\": [", quote,
                  pascal ? "PcrNumber" : "pcrNumber", pascal ? "TpmEvents" : "tpmEvents");
    for (int i = 0; i < 2; i++) {
        buffer_printf(b, "%s{\"%s\": 12, \"%s\": {%s\"%s\": %s", i == 0 ? "" : ",",
                      pascal ? "PcrIndex" : "pcrIndex", pascal ? "EventDetails" : "eventDetails",
                      i == 0 ? "\"componentName\": \"b.b00\", \"vibName\": \"esx-base\", "
                               "\"vibVersion\": \"8.0\", \"vibVendor\": \"VMware\", "
                             : "\"_typeName\": \"HostTpmBootSecurityOptionEventDetails\", "
                               "\"bootSecurityOption\": \"execInstalledOnly = TRUE\", ",
                      pascal ? "DataHash" : "dataHash", quote);
        put_digest(b, spelling, i == 0 ? first : second, 32, "");
        buffer_printf(b, "%s, \"%s\": \"%s\"}}", quote,
                      pascal ? "DataHashMethod" : "dataHashMethod", method);
    }
    buffer_printf(b, "], \"%s\": true}", pascal ? "TpmLogReliable" : "tpmLogReliable");
}

static void make_xml(struct buffer *b, enum spelling spelling)
{
    uint8_t first[32], second[32], value[32];
    make_digests(first, second, value);
    buffer_append_text(
        b, "<?xml version=\"1.0\"?>\n<soapenv:Envelope xmlns:soapenv=\"http://x/\" "
           "xmlns:xsi=\"http://y/\"><soapenv:Body><QueryTpmAttestationReportResponse "
           "xmlns=\"urn:vim25\"><returnval><tpmPcrValues><digestMethod>SHA256</digestMethod>");
    buffer_append_text(b, spelling == BASE64 ? "<digestValue>\n" : "");
    put_digest(b, spelling, value, 32, "digestValue");
    buffer_append_text(b, spelling == BASE64 ? "\n</digestValue>" : "");
    buffer_append_text(b, "<objectName/><pcrNumber>12</pcrNumber></tpmPcrValues>");
    for (int i = 0; i < 2; i++) {
        buffer_printf(b, "<tpmEvents><pcrIndex>12</pcrIndex><eventDetails xsi:type=\"%s\">",
                      i == 0 ? "HostTpmSoftwareComponentEventDetails"
                             : "HostTpmBootSecurityOptionEventDetails");
        buffer_append_text(b, spelling == BASE64 ? "<dataHash>" : "");
        put_digest(b, spelling, i == 0 ? first : second, 32, "dataHash");
        buffer_append_text(b, spelling == BASE64 ? "</dataHash>" : "");
        buffer_printf(b, "<dataHashMethod>SHA256</dataHashMethod>%s</eventDetails></tpmEvents>",
                      i == 0 ? "<componentName>b.b00</componentName><vibName>esx-base</vibName>"
                               "<vibVersion>8.0</vibVersion><vibVendor>VMware</vibVendor>"
                             : "<bootSecurityOption>execInstalledOnly = "
                               "TRUE</bootSecurityOption>");
    }
    buffer_append_text(b, "<tpmLogReliable>true</tpmLogReliable></returnval>"
                          "</QueryTpmAttestationReportResponse></soapenv:Body></soapenv:Envelope>");
}

static void check(const struct buffer *b, const char *source)
{
    struct report report;
    struct replay_report result;
    struct error error = ERROR_INIT;
    assert_true(report_is(b->data, b->length));
    if (!report_parse(&report, "report", b->data, b->length, &error))
        fail_msg("%s: %s", source, error.message);
    assert_string_equal(report.source, source);
    assert_int_equal(report.log.event_count, 2);
    assert_string_equal(report.events[0].kind, "software-component");
    assert_string_equal(report.events[0].name, "b.b00");
    assert_string_equal(report.events[0].detail, "esx-base 8.0 VMware");
    assert_string_equal(report.events[1].kind, "boot-security-option");
    assert_string_equal(report.events[1].name, "execInstalledOnly = TRUE");
    assert_false(report.unreliable);
    assert_true(replay_compare(&report.log, &report.values, &result, &error));
    assert_true(result.all_match);
    replay_report_free(&result);
    report_free(&report);
}

static void test_spellings(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct buffer b = BUFFER_INIT;
        if (i < 4)
            make_json(&b, i % 2 == 0 ? BASE64 : NUMBERS, i / 2 != 0, "SHA256");
        else
            make_xml(&b, i == 4 ? BASE64 : ELEMENTS);
        check(&b, i < 4 ? "HostTpmAttestationReport JSON" : "HostTpmAttestationReport XML");
        buffer_free(&b);
    }
    /* In a wrapper, as govc and lists of hosts have it. */
    struct buffer b = BUFFER_INIT;
    buffer_append_text(&b, "[{\"report\": ");
    make_json(&b, BASE64, false, "SHA256");
    buffer_append_text(&b, "}]");
    check(&b, "HostTpmAttestationReport JSON");
    buffer_free(&b);
}

/* Real reports have called 32 bytes SHA1. */
static void test_mislabelled(void **state)
{
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct report report;
    struct error error = ERROR_INIT;
    make_json(&b, BASE64, false, "SHA1");
    check(&b, "HostTpmAttestationReport JSON");
    assert_true(report_parse(&report, "report", b.data, b.length, &error));
    assert_int_equal(report.log.quirk_count, 1);
    assert_non_null(strstr(report.log.quirks[0].text, "3 digests are not of the method"));
    assert_int_equal(report.log.banks[0].algorithm, BANK_SHA256);
    report_free(&report);
    buffer_free(&b);
    /* 40 zeros for a SHA-1 of zeros. */
    char zeros[2 * 40 + 1], text[300];
    memset(zeros, '0', 80);
    zeros[80] = '\0';
    snprintf(text, sizeof text,
             "{\"tpmPcrValues\": [{\"digestMethod\": \"SHA1\", \"digestValue\": \"%s\", "
             "\"pcrNumber\": 3}]}",
             zeros);
    assert_true(report_parse(&report, "report", text, strlen(text), &error));
    assert_int_equal(pcr_bank(&report.values, BANK_SHA1)->known, 1u << 3);
    assert_int_equal(report.log.quirk_count, 1);
    report_free(&report);
}

static void test_tampered(void **state)
{
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct report report;
    struct replay_report result;
    struct error error = ERROR_INIT;
    make_json(&b, NUMBERS, false, "SHA256");
    char *at = strstr(b.data, "[65,65");
    assert_non_null(at);
    at[2] = '4';
    assert_true(report_parse(&report, "report", b.data, b.length, &error));
    assert_true(replay_compare(&report.log, &report.values, &result, &error));
    assert_false(result.all_match);
    assert_true(result.results[0].explained);
    replay_report_free(&result);
    report_free(&report);
    buffer_free(&b);
}

static void refuse(const char *text, const char *says)
{
    struct report report;
    struct error error = ERROR_INIT;
    assert_false(report_parse(&report, "report", text, strlen(text), &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_string_equal(error.file, "report");
    if (strstr(error.message, says) == NULL)
        fail_msg("\"%s\", without \"%s\"", error.message, says);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("{\"tpmEvents\": [{\"pcrIndex\": 24, \"eventDetails\": {}}]}", "names no PCR");
    refuse("{\"tpmEvents\": [{\"pcrIndex\": \"x\", \"eventDetails\": {}}]}", "names no PCR");
    refuse("{\"tpmEvents\": [{\"pcrIndex\": 1, \"eventDetails\": \"VMware.Vim.HostTpmX\"}]}",
           "-Depth 10");
    refuse("{\"tpmEvents\": [{\"pcrIndex\": 1, \"eventDetails\": {\"dataHash\": [1, 2]}}]}",
           "2 bytes, which is no bank's");
    refuse("{\"tpmPcrValues\": [{\"pcrNumber\": 1, \"digestValue\": \"System.Byte[]\"}]}",
           "-Depth 10");
    refuse("{\"tpmEvents\": [", "cut short");
    refuse("{}", "is no TPM attestation report");
    refuse("<a><tpmEvents></a>", "cut off or damaged");
    refuse("<!DOCTYPE a [<!ENTITY x \"y\">]><a><tpmEvents/></a>", "document type");
    refuse("<tpmEvents/>", "without elements");
    struct buffer deep = BUFFER_INIT;
    for (int i = 0; i < 40; i++)
        buffer_append_text(&deep, "<tpmEvents>");
    refuse(deep.data, "nested too deep");
    buffer_free(&deep);
    assert_false(report_is("{\"banks\": {}}", 13));
    assert_false(report_is("tpmEvents", 9));
}

static void test_unreliable(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"tpmEvents\": [], \"tpmLogReliable\": false}",
        "<r><tpmEvents/><tpmLogReliable>false</tpmLogReliable></r>"};
    for (size_t i = 0; i < 2; i++) {
        struct report report;
        struct error error = ERROR_INIT;
        assert_true(report_parse(&report, "r", texts[i], strlen(texts[i]), &error));
        assert_true(report.unreliable);
        assert_non_null(strstr(report.log.quirks[0].text, "tpmLogReliable"));
        report_free(&report);
    }
}

/* The manifest of an older SecL has other names for the same. */
static void test_intel_old(void **state)
{
    (void)state;
    uint8_t first[32], second[32], value[32];
    char hex[3][65], text[1024];
    struct report report;
    struct replay_report result;
    struct error error = ERROR_INIT;
    make_digests(first, second, value);
    hex_text(first, 32, hex[0]);
    hex_text(second, 32, hex[1]);
    hex_text(value, 32, hex[2]);
    snprintf(text, sizeof text,
             "{\"pcr_manifest\": {\"sha2pcrs\": [{\"index\": \"pcr_20\", \"value\": \"%s\", "
             "\"pcr_bank\": \"SHA256\"}], \"pcr_event_log_map\": {\"SHA256\": [{\"pcr_index\": "
             "\"pcr_20\", \"event_log\": [{\"label\": \"b.b00\", \"value\": \"%s\"}, {\"label\": "
             "\"k.b00\", \"value\": \"%s\"}]}]}}}",
             hex[2], hex[0], hex[1]);
    if (!report_parse(&report, "r", text, strlen(text), &error))
        fail_msg("%s", error.message);
    assert_string_equal(report.events[1].name, "k.b00");
    assert_true(replay_compare(&report.log, &report.values, &result, &error));
    assert_true(result.all_match);
    replay_report_free(&result);
    report_free(&report);
}

static void test_real_manifest(void **state)
{
    (void)state;
    static const char name[] = "esxi-intel-secl/vmware12/host_manifest.json";
    if (!have_sample(name))
        skip();
    struct buffer b = BUFFER_INIT;
    struct report report;
    struct replay_report result;
    struct error error = ERROR_INIT;
    assert_true(file_read_all(sample_path(name), 1 << 20, &b, &error));
    assert_true(report_is(b.data, b.length));
    assert_true(report_parse(&report, name, b.data, b.length, &error));
    assert_string_equal(report.source, "Intel SecL host manifest");
    assert_int_equal(report.log.event_count, 91);
    assert_string_equal(report.events[0].kind, "software-component");
    assert_string_equal(report.events[0].detail, "esx-base_VMware");
    assert_true(replay_compare(&report.log, &report.values, &result, &error));
    assert_true(result.all_match);
    size_t matching = 0;
    for (size_t i = 0; i < result.count; i++)
        matching += result.results[i].match == REPLAY_MATCHES;
    assert_int_equal(matching, 3);
    replay_report_free(&result);
    report_free(&report);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),     cmocka_unit_test(test_mislabelled),
        cmocka_unit_test(test_tampered),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unreliable),    cmocka_unit_test(test_intel_old),
        cmocka_unit_test(test_real_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
