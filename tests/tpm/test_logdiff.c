/* Two logs aligned, and a log changed before it is replayed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <zlib.h>

#include "tests/scratch.h"
#include "tests/tpm/samples.h"
#include "tpm/event_types.h"
#include "tpm/logdiff.h"
#include "tpm/predict.h"
#include "tpm/replay.h"

static const uint16_t two[] = {BANK_SHA1, BANK_SHA256};

struct made {
    struct buffer bytes;
    struct eventlog log;
};

/* One event of PCR 4 for each letter, its digest and data that letter; a capital has the digest of
 * the small one, but other data. */
static void make(struct made *m, const char *letters)
{
    struct error error = ERROR_INIT;
    m->bytes = BUFFER_INIT;
    put_spec(&m->bytes, 0, two, 2, 0, 0);
    for (; *letters != '\0'; letters++)
        put_agile(&m->bytes, 4, EV_ACTION, two, 2, *letters | 0x20, letters, 1);
    assert_true(eventlog_parse(&m->log, m->bytes.data, m->bytes.length, &error));
}

static void drop(struct made *m)
{
    eventlog_free(&m->log);
    buffer_free(&m->bytes);
}

/* "-a" removed, "+b" added, "ab" changed, "aA" relabelled. */
static void check(const char *a, const char *b, const char *expected)
{
    struct made first, second;
    struct logdiff diff;
    struct error error = ERROR_INIT;
    char text[200] = "";
    make(&first, a);
    make(&second, b);
    assert_true(logdiff_compare(&first.log, &second.log, &diff, &error));
    for (size_t i = 0; i < diff.count; i++) {
        const struct logdiff_change *change = &diff.changes[i];
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%c%c ",
                 change->a == NULL   ? '+'
                 : change->b == NULL ? '-'
                                     : change->a->data[0],
                 change->b != NULL ? change->b->data[0] : change->a->data[0]);
    }
    if (strcmp(text, expected) != 0)
        fail_msg("\"%s\" and \"%s\": \"%s\", not \"%s\"", a, b, text, expected);
    logdiff_free(&diff);
    drop(&first);
    drop(&second);
}

static void test_diff(void **state)
{
    (void)state;
    check("abc", "abc", "");
    check("abc", "ac", "-b ");
    check("ac", "abc", "+b ");
    check("abc", "axc", "bx ");
    check("abc", "aBc", "bB ");
    check("", "ab", "+a +b ");
    check("ab", "", "-a -b ");
    check("abcdefg", "xbcdyfg", "ax ey ");
    check("abcd", "bcda", "-a +a ");
    check("aabb", "abab", "-a +a ");
}

/* So many that no table of them all is made. */
static void test_long(void **state)
{
    (void)state;
    enum { LONG = 3000 };
    static char a[LONG + 1], b[LONG + 1];
    struct made first, second;
    struct logdiff diff;
    struct error error = ERROR_INIT;
    memset(a, 'a', LONG);
    memset(b, 'b', LONG);
    a[0] = b[0] = a[LONG - 1] = b[LONG - 1] = 'z';
    make(&first, a);
    make(&second, b);
    assert_true(logdiff_compare(&first.log, &second.log, &diff, &error));
    assert_int_equal(diff.count, LONG - 2);
    assert_int_equal(diff.changes[0].kind, LOGDIFF_CHANGED);
    assert_int_equal(diff.same, 3);
    logdiff_free(&diff);
    drop(&first);
    drop(&second);
}

/* Digests that differ in one bank only. */
static void test_one_bank(void **state)
{
    (void)state;
    struct made first, second;
    struct logdiff diff;
    struct error error = ERROR_INIT;
    make(&first, "abc");
    make(&second, "abc");
    ((uint8_t *)eventlog_digest(&second.log.events[2], BANK_SHA1)->bytes)[19] ^= 1;
    assert_true(logdiff_compare(&first.log, &second.log, &diff, &error));
    assert_int_equal(diff.count, 1);
    assert_int_equal(diff.changes[0].kind, LOGDIFF_CHANGED);
    assert_int_equal(logdiff_bank(&diff.changes[0]), BANK_SHA1);
    logdiff_free(&diff);
    drop(&first);
    drop(&second);
}

static void expect_pcr4(const struct predict *predict, const char *letters)
{
    struct pcr_set set;
    struct error error = ERROR_INIT;
    uint8_t value[32] = {0}, digest[32];
    for (; *letters != '\0'; letters++) {
        memset(digest, *letters, 32);
        assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
    }
    assert_true(replay_log(&predict->log, &set, NULL, &error));
    assert_memory_equal(pcr_bank(&set, BANK_SHA256)->value[4], value, 32);
}

static void test_predict(void **state)
{
    (void)state;
    struct made m;
    struct predict predict;
    struct error error = ERROR_INIT;
    uint8_t digest[32];
    make(&m, "abcd");
    assert_true(predict_begin(&predict, &m.log, &error));
    expect_pcr4(&predict, "abcd");
    assert_true(predict_drop(&predict, 2, &error));
    expect_pcr4(&predict, "acd");
    memset(digest, 'x', 32);
    assert_true(predict_set_digest(&predict, 3, BANK_SHA256, digest, 32, &error));
    expect_pcr4(&predict, "axd");
    assert_false(predict_set_digest(&predict, 3, BANK_SHA384, digest, 48, &error));
    assert_false(predict_set_digest(&predict, 3, BANK_SHA256, digest, 20, &error));
    assert_false(predict_drop(&predict, 5, &error));
    assert_false(predict_drop(&predict, 2, &error));
    assert_false(predict_drop(&predict, 0, &error));
    predict_end(&predict);
    /* The log itself is as it was. */
    assert_int_equal(m.log.events[2].pcr, 4);
    assert_int_equal(eventlog_digest(&m.log.events[3], BANK_SHA256)->bytes[0], 'c');
    drop(&m);
}

static void put_tag(struct buffer *b, uint32_t pcr, uint32_t id, const char *text, size_t length)
{
    struct buffer data = BUFFER_INIT;
    put32(&data, id);
    put32(&data, (uint32_t)length);
    buffer_append(&data, text, length);
    put_agile(b, pcr, EV_EVENT_TAG, two, 2, 'm', data.data, data.length);
    buffer_free(&data);
}

static void check_value(const struct predict *predict, unsigned pcr, const void *data,
                        size_t length)
{
    struct pcr_set set;
    struct error error = ERROR_INIT;
    uint8_t value[32] = {0}, digest[32];
    assert_true(bank_hash(BANK_SHA256, data, length, "", 0, digest));
    assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
    assert_true(replay_log(&predict->log, &set, NULL, &error));
    assert_memory_equal(pcr_bank(&set, BANK_SHA256)->value[pcr], value, 32);
}

static void test_predict_esxi(void **state)
{
    (void)state;
    struct made m = {.bytes = BUFFER_INIT};
    struct predict predict;
    struct error error = ERROR_INIT;
    static const uint32_t modules[] = {2, 3}, command[] = {4};
    size_t number;
    put_spec(&m.bytes, 0, two, 2, 0, 0);
    put_tag(&m.bytes, 13, 2, "vmx.v00", 8);
    put_tag(&m.bytes, 14, 4, "/b.b00 a=b", 10);
    put_tag(&m.bytes, 12, 2, "s.v00", 6);
    put_tag(&m.bytes, 12, 2, "s.v00", 6);
    put_agile(&m.bytes, 4, EV_EFI_BOOT_SERVICES_APPLICATION, two, 2, 'e', "", 0);
    assert_true(eventlog_parse(&m.log, m.bytes.data, m.bytes.length, &error));
    assert_true(predict_begin(&predict, &m.log, &error));
    assert_true(predict_find_tag(&predict, command, 1, NULL, &number, &error));
    assert_int_equal(number, 2);
    assert_true(predict_set_data(&predict, number, "/b.b00 x=y", 10, &error));
    check_value(&predict, 14, "/b.b00 x=y", 10);
    assert_false(predict_find_tag(&predict, modules, 2, "vmx", &number, &error));
    assert_false(predict_find_tag(&predict, modules, 2, "s.v00", &number, &error));
    assert_non_null(strstr(error.message, "more than one"));
    assert_true(predict_find_tag(&predict, modules, 2, "vmx.v00", &number, &error));
    assert_int_equal(number, 1);

    /* A module is measured unpacked. */
    gzFile packed = gzopen("module.gz", "wb");
    assert_int_equal(gzputs(packed, "what is in the module"), 21);
    gzclose(packed);
    assert_true(predict_set_file(&predict, number, "module.gz", true, &error));
    check_value(&predict, 13, "what is in the module", 21);
    /* An empty one as a zero byte. */
    FILE *empty = fopen("empty", "w");
    fclose(empty);
    assert_true(predict_set_file(&predict, number, "empty", true, &error));
    check_value(&predict, 13, "", 1);
    assert_int_equal(truncate("module.gz", 20), 0);
    assert_false(predict_set_file(&predict, number, "module.gz", true, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_false(predict_set_file(&predict, 5, "empty", false, &error));
    assert_non_null(strstr(error.message, "Authenticode"));
    predict_end(&predict);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff),         cmocka_unit_test(test_long),
        cmocka_unit_test(test_one_bank),     cmocka_unit_test(test_predict),
        cmocka_unit_test(test_predict_esxi),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
