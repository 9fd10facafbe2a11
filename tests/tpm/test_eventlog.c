/* Event logs made byte by byte: every way in which one can be odd, cut off or none at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "tests/tpm/samples.h"
#include "tpm/event_types.h"

static const uint16_t two[] = {BANK_SHA1, BANK_SHA256};

static void parse(struct eventlog *log, const struct buffer *b)
{
    struct error error = ERROR_INIT;
    if (!eventlog_parse(log, b->data, b->length, &error))
        fail_msg("%s", error.message);
}

static void refuse(const void *data, size_t length, const char *says)
{
    struct eventlog log;
    struct error error = ERROR_INIT;
    assert_false(eventlog_parse(&log, data, length, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    if (strstr(error.message, says) == NULL)
        fail_msg("\"%s\", without \"%s\"", error.message, says);
}

static bool has_quirk(const struct eventlog *log, const char *says)
{
    for (size_t i = 0; i < log->quirk_count; i++)
        if (strstr(log->quirks[i].text, says) != NULL)
            return true;
    return false;
}

/* A log of two banks with three events. */
static void make(struct buffer *b)
{
    *b = BUFFER_INIT;
    put_spec(b, 0, two, 2, 0, 0);
    put_agile(b, 0, EV_S_CRTM_VERSION, two, 2, 1, "v1", 2);
    put_agile(b, 7, EV_SEPARATOR, two, 2, 2, "\0\0\0\0", 4);
    put_agile(b, UINT32_MAX, EV_NO_ACTION, two, 2, 0, "wbcl", 4);
}

static void test_agile(void **state)
{
    (void)state;
    struct buffer b;
    struct eventlog log;
    make(&b);
    parse(&log, &b);
    assert_int_equal(log.format, EVENTLOG_AGILE);
    assert_int_equal(log.event_count, 4);
    assert_int_equal(log.tail, EVENTLOG_TAIL_NONE);
    assert_int_equal(log.parsed, b.length);
    assert_int_equal(log.quirk_count, 0);
    assert_int_equal(log.version_major, 2);
    assert_int_equal(log.uintn_size, 2);
    assert_int_equal(log.events[1].number, 1);
    assert_int_equal(log.events[2].pcr, 7);
    assert_int_equal(log.events[3].pcr, UINT32_MAX);
    assert_memory_equal(log.events[1].data, "v1", 2);
    const struct eventlog_digest *digest = eventlog_digest(&log.events[2], BANK_SHA256);
    assert_non_null(digest);
    assert_int_equal(digest->size, 32);
    assert_int_equal(digest->bytes[31], 2);
    assert_null(eventlog_digest(&log.events[2], BANK_SHA384));
    eventlog_free(&log);
    buffer_free(&b);
}

/* Cut anywhere: what is whole stays, nothing beyond is read (which the sanitizers see). */
static void test_cut_anywhere(void **state)
{
    (void)state;
    struct buffer b;
    make(&b);
    for (size_t length = 0; length < b.length; length++) {
        struct eventlog log;
        struct error error = ERROR_INIT;
        char *copy = malloc(length + 1);
        assert_non_null(copy);
        memcpy(copy, b.data, length);
        if (eventlog_parse(&log, copy, length, &error)) {
            assert_true(log.parsed <= length);
            /* Few bytes of a record may be alike. */
            if (log.parsed == length)
                assert_int_equal(log.tail, EVENTLOG_TAIL_NONE);
            else if (length - log.parsed > 8)
                assert_int_equal(log.tail, EVENTLOG_TAIL_TRUNCATED);
            eventlog_free(&log);
        } else
            assert_true(length < 32 + 37 + 1);
        free(copy);
    }
    buffer_free(&b);
}

static void test_tails(void **state)
{
    (void)state;
    static const struct {
        int fill;
        size_t length;
        enum eventlog_tail tail;
    } cases[] = {
        {0, 1, EVENTLOG_TAIL_ZERO},        {0, 5000, EVENTLOG_TAIL_ZERO},
        {0xff, 1, EVENTLOG_TAIL_FF},       {0xff, 70000, EVENTLOG_TAIL_FF},
        {0x20, 64, EVENTLOG_TAIL_GARBAGE}, {0x20, 3, EVENTLOG_TAIL_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer b;
        struct eventlog log;
        make(&b);
        size_t whole = b.length;
        memset(buffer_reserve(&b, cases[i].length), cases[i].fill, cases[i].length);
        b.length += cases[i].length;
        parse(&log, &b);
        assert_int_equal(log.event_count, 4);
        assert_int_equal(log.parsed, whole);
        assert_int_equal(log.tail, cases[i].tail);
        eventlog_free(&log);
        /* One other byte at the end of a fill makes it no fill. */
        if (cases[i].length > 100) {
            b.data[b.length - 1] ^= 1;
            parse(&log, &b);
            assert_int_equal(log.tail, EVENTLOG_TAIL_GARBAGE);
            assert_int_equal(log.event_count, 4);
            eventlog_free(&log);
        }
        buffer_free(&b);
    }
}

static void expect_garbage(struct buffer *b, const char *says)
{
    struct eventlog log;
    parse(&log, b);
    assert_int_equal(log.tail, EVENTLOG_TAIL_GARBAGE);
    assert_int_equal(log.event_count, 4);
    if (!has_quirk(&log, says))
        fail_msg("no quirk with \"%s\": \"%s\"", says,
                 log.quirk_count == 0 ? "" : log.quirks[log.quirk_count - 1].text);
    eventlog_free(&log);
    buffer_free(b);
}

static void test_malformed_records(void **state)
{
    (void)state;
    static const uint16_t three[] = {BANK_SHA1, BANK_SHA256, BANK_SHA384};
    static const uint16_t twice[] = {BANK_SHA256, BANK_SHA256}, other[] = {BANK_SHA512};
    struct buffer b;
    make(&b);
    put_agile(&b, 1, EV_ACTION, three, 3, 1, "x", 1);
    expect_garbage(&b, "3 digests in a log of 2 banks");
    make(&b);
    put_agile(&b, 1, EV_ACTION, twice, 2, 1, "x", 1);
    expect_garbage(&b, "two digests of algorithm 0x000b");
    make(&b);
    put_agile(&b, 1, EV_ACTION, other, 1, 1, "x", 1);
    expect_garbage(&b, "has not announced");
    make(&b);
    put_agile(&b, 4711, EV_ACTION, two, 2, 1, "x", 1);
    expect_garbage(&b, "PCR 4711");
    make(&b);
    put_agile(&b, UINT32_MAX, EV_ACTION, two, 2, 1, "x", 1);
    expect_garbage(&b, "PCR 4294967295");
    make(&b);
    put_spec(&b, 0, two, 2, 0, 0);
    expect_garbage(&b, "another log begins here");
}

/* A size that reaches past the end, up to where sums overflow. */
static void test_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {5, 1000, INT32_MAX, UINT32_MAX - 20, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buffer b;
        struct eventlog log;
        make(&b);
        put_agile(&b, 1, EV_ACTION, two, 2, 9, "four", 4);
        uint32_t size = sizes[i];
        for (size_t k = 0; k < 4; k++)
            b.data[b.length - 8 + k] = (char)(size >> 8 * k);
        parse(&log, &b);
        assert_int_equal(log.tail, EVENTLOG_TAIL_TRUNCATED);
        assert_int_equal(log.event_count, 4);
        assert_true(log.has_cut);
        assert_int_equal(log.cut.pcr, 1);
        assert_int_equal(eventlog_digest(&log.cut, BANK_SHA256)->bytes[0], 9);
        eventlog_free(&log);
        buffer_free(&b);
    }
}

static void test_missing_digests_are_told(void **state)
{
    (void)state;
    struct buffer b;
    struct eventlog log;
    make(&b);
    put_agile(&b, 11, EV_EVENT_TAG, two + 1, 1, 1, "x", 1);
    put_agile(&b, 40, EV_EVENT_TAG, two, 2, 1, "x", 1);
    parse(&log, &b);
    assert_int_equal(log.event_count, 6);
    assert_true(has_quirk(&log, "1 events, the first is number 4, have no digest for bank sha1"));
    assert_true(has_quirk(&log, "number 5, are for a PCR above 23"));
    eventlog_free(&log);
    buffer_free(&b);
}

/* What the size of the event says holds, unless a record only follows the vendor info. */
static void test_vendor_info(void **state)
{
    (void)state;
    static const struct {
        size_t there, said, outside, events, info;
        bool quirk;
    } cases[] = {
        {0, 0, 0, 2, 0, false}, {5, 5, 0, 2, 5, false}, {5, 3, 0, 2, 3, true},
        {5, 9, 0, 2, 5, true},  {0, 4, 4, 2, 4, true},  {3, 200, 0, 2, 3, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer b = BUFFER_INIT;
        struct eventlog log;
        put_spec(&b, 0, two, 2, cases[i].there, cases[i].said);
        buffer_append(&b, "wxyz", cases[i].outside);
        put_agile(&b, 1, EV_ACTION, two, 2, 1, "x", 1);
        parse(&log, &b);
        assert_int_equal(log.event_count, cases[i].events);
        assert_int_equal(log.tail, EVENTLOG_TAIL_NONE);
        assert_int_equal(log.vendor_info_size, cases[i].info);
        assert_int_equal(has_quirk(&log, "vendor info"), cases[i].quirk);
        eventlog_free(&log);
        buffer_free(&b);
    }
}

static void test_spec_refused(void **state)
{
    (void)state;
    struct buffer b = BUFFER_INIT;
    put_spec(&b, 0, two, 0, 0, 0);
    refuse(b.data, b.length, "announces 0 hash algorithms");
    buffer_free(&b);
    put_spec(&b, 0, two, 2, 0, 0);
    b.data[32 + 24] = 17;
    refuse(b.data, b.length, "announces 17");
    b.data[32 + 24] = 9;
    refuse(b.data, b.length, "ends within its list");
    b.data[32 + 24] = 2;
    b.data[32 + 28 + 2] = 0;
    refuse(b.data, b.length, "digests of no bytes");
    buffer_free(&b);
}

static void test_none_at_all(void **state)
{
    (void)state;
    char zeros[100] = {0}, ones[100];
    memset(ones, 0xff, sizeof ones);
    refuse("", 0, "is empty");
    refuse(zeros, sizeof zeros, "all zero");
    refuse(ones, sizeof ones, "all 0xff");
    refuse("bogus", 5, "too short");
    refuse("#!/bin/sh\nexit 0 # and so on, quite long\n", 42, "first record is none");
}

/* The SHA-1 logs of TPM 1.2 and its time: without a first record of their own, or with one. */
static void test_legacy(void **state)
{
    (void)state;
    static const char *const signatures[] = {NULL, "Spec ID Event00", "Spec ID Event02",
                                             "StartupLocality\0\3"};
    for (size_t i = 0; i < 4; i++) {
        struct buffer b = BUFFER_INIT;
        struct eventlog log;
        char data[29] = {0};
        if (signatures[i] != NULL) {
            memcpy(data, signatures[i], i == 3 ? 17 : 16);
            put_legacy(&b, 0, EV_NO_ACTION, 0, data, i == 3 ? 17 : 25);
        }
        put_legacy(&b, 4, EV_IPL, 7, "boot", 4);
        put_legacy(&b, UINT32_MAX, EV_NO_ACTION, 0, "x", 1);
        parse(&log, &b);
        assert_int_equal(log.format, EVENTLOG_LEGACY);
        assert_int_equal(log.has_spec, i == 1 || i == 2);
        assert_int_equal(log.bank_count, 1);
        assert_int_equal(log.banks[0].algorithm, BANK_SHA1);
        assert_int_equal(log.event_count, signatures[i] == NULL ? 2 : 3);
        assert_int_equal(log.tail, EVENTLOG_TAIL_NONE);
        assert_int_equal(log.quirk_count, 0);
        eventlog_free(&log);
        buffer_free(&b);
    }
}

static void test_names(void **state)
{
    (void)state;
    char text[32];
    struct eventlog log = {0};
    assert_string_equal(eventlog_type_name(EV_SEPARATOR, text), "EV_SEPARATOR");
    assert_string_equal(eventlog_type_name(EV_EFI_VARIABLE_AUTHORITY, text),
                        "EV_EFI_VARIABLE_AUTHORITY");
    assert_string_equal(eventlog_type_name(0x404, text), "EVTYPE_MLE_HASH");
    assert_string_equal(eventlog_type_name(0x8401, text), "EV_0x00008401");
    assert_string_equal(eventlog_register_name(&log, 7, text), "PCR 7");
    assert_string_equal(eventlog_register_name(&log, UINT32_MAX, text), "no PCR");
}

static void test_banks(void **state)
{
    (void)state;
    static const char *const names[] = {"sha256", "SHA-256", "SHA256", "sha_256", "0xb", "0x000B"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_non_null(bank_by_name(names[i]));
        assert_int_equal(bank_by_name(names[i])->id, BANK_SHA256);
    }
    assert_int_equal(bank_by_name("SM3")->id, BANK_SM3_256);
    assert_int_equal(bank_by_name("SHA3-384")->id, BANK_SHA3_384);
    assert_null(bank_by_name("md5"));
    assert_null(bank_by_name(""));
    assert_null(bank_by_name("0x"));
    assert_null(bank_by_name("0x10000b"));
}

/* The quick way to extend against OpenSSL's own, and the vectors of FIPS 180-4. */
static void test_hashes(void **state)
{
    (void)state;
    static const uint16_t banks[] = {BANK_SHA1,    BANK_SHA256,   BANK_SHA384,   BANK_SHA512,
                                     BANK_SM3_256, BANK_SHA3_256, BANK_SHA3_384, BANK_SHA3_512};
    uint8_t out[BANK_DIGEST_MAX], value[BANK_DIGEST_MAX], digest[BANK_DIGEST_MAX];
    char hex[2 * BANK_DIGEST_MAX + 1];
    assert_true(bank_hash(BANK_SHA1, "a", 1, "bc", 2, out));
    assert_string_equal(hex_text(out, 20, hex), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_true(bank_hash(BANK_SHA256, "abc", 3, "", 0, out));
    assert_string_equal(hex_text(out, 32, hex),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t i = 0; i < sizeof banks / sizeof banks[0]; i++) {
        size_t size = bank_by_id(banks[i])->size;
        memset(value, 0x11, sizeof value);
        memset(digest, 0x22, sizeof digest);
        struct bank_hasher *hasher = bank_hasher_open(banks[i]);
        if (!bank_hash(banks[i], value, size, digest, size, out)) {
            assert_null(hasher);
            continue;
        }
        assert_non_null(hasher);
        assert_true(bank_extend(hasher, value, digest));
        assert_memory_equal(value, out, size);
        assert_true(bank_hash(banks[i], value, size, digest, size, out));
        assert_true(bank_extend(hasher, value, digest));
        assert_memory_equal(value, out, size);
        bank_hasher_close(hasher);
    }
    assert_null(bank_hasher_open(0x7777));
    assert_false(bank_hash(0x7777, "", 0, "", 0, out));
}

/* The same log in every wrapping. */
static void test_unpack(void **state)
{
    (void)state;
    struct buffer b, text = BUFFER_INIT, wrapped = BUFFER_INIT;
    make(&b);
    static const struct {
        const char *before, *after, *form;
        bool hex;
    } cases[] = {
        {"", "", "base64", false},
        {"\n", "\n", "base64", false},
        {"", "\n", "hex", true},
        {"{\"type\": \"x\", \"data\": \"", "\"}", "JSON", false},
        {"\xef\xbb\xbf{\"value\": {\"data\": \"", "\"}}", "JSON", false},
        {"{\"Log\": {\"Raw\": \"", "\"}}", "JSON", false},
        {"{\"eventLog\": \"", "\"}", "JSON", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer bytes = BUFFER_INIT;
        struct error error = ERROR_INIT;
        const char *form;
        text.length = wrapped.length = 0;
        assert_true(cases[i].hex ? hex_encode(b.data, b.length, &text)
                                 : base64_encode(b.data, b.length, &text));
        buffer_append_text(&wrapped, cases[i].before);
        buffer_append(&wrapped, text.data, 60);
        if (i < 3)
            buffer_append_byte(&wrapped, '\n');
        buffer_append(&wrapped, text.data + 60, text.length - 60);
        buffer_append_text(&wrapped, cases[i].after);
        if (!eventlog_unpack("log", wrapped.data, wrapped.length, &bytes, &form, &error))
            fail_msg("case %zu: %s", i, error.message);
        assert_string_equal(form, cases[i].form);
        assert_int_equal(bytes.length, b.length);
        assert_memory_equal(bytes.data, b.data, b.length);
        buffer_free(&bytes);
    }
    /* UTF-16, as PowerShell writes what is redirected. */
    struct buffer wide = BUFFER_INIT, bytes = BUFFER_INIT;
    struct error error = ERROR_INIT;
    const char *form;
    buffer_append(&wide, "\xff\xfe", 2);
    for (size_t i = 0; i < wrapped.length; i++) {
        buffer_append_byte(&wide, wrapped.data[i]);
        buffer_append_byte(&wide, '\0');
    }
    assert_true(eventlog_unpack("log", wide.data, wide.length, &bytes, &form, &error));
    assert_int_equal(bytes.length, b.length);
    bytes.length = 0;
    assert_true(eventlog_unpack("log", b.data, b.length, &bytes, &form, &error));
    assert_string_equal(form, "raw");
    assert_false(eventlog_unpack("log", "{\"data\": \"!\"}", 13, &bytes, &form, &error));
    assert_false(eventlog_unpack("log", "{\"other\": 1}", 12, &bytes, &form, &error));
    assert_string_equal(error.file, "log");
    buffer_free(&bytes);
    buffer_free(&wide);
    buffer_free(&wrapped);
    buffer_free(&text);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agile),       cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_tails),       cmocka_unit_test(test_malformed_records),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_missing_digests_are_told),
        cmocka_unit_test(test_vendor_info), cmocka_unit_test(test_spec_refused),
        cmocka_unit_test(test_none_at_all), cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_banks),
        cmocka_unit_test(test_hashes),      cmocka_unit_test(test_unpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
