/* base64, hex and percent escapes (vectors of RFC 4648), the byte reader, and errors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/encode.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/reader.h"

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buffer out = BUFFER_INIT;
        uint8_t bytes[16];
        size_t length = sizeof bytes;
        assert_true(base64_encode(vectors[i].plain, strlen(vectors[i].plain), &out));
        assert_string_equal(buffer_text(&out), vectors[i].text);
        buffer_free(&out);
        assert_true(base64_decode(vectors[i].text, strlen(vectors[i].text), bytes, &length));
        assert_int_equal(length, strlen(vectors[i].plain));
        assert_memory_equal(bytes, vectors[i].plain, length);
        assert_true(length <= base64_decoded_bound(strlen(vectors[i].text)));
    }
    uint8_t bytes[16];
    size_t length = sizeof bytes;
    assert_true(base64_decode("Zg", 2, bytes, &length)); /* padding may be left out */
    assert_int_equal(length, 1);
    static const char *const bad[] = {
        "Z", "Zg=", "Zh==", "Zm9=", "Z===", "Zm9v=", "Zm 9v", "Zm9-", "Zg==\n", "===="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        length = sizeof bytes;
        if (base64_decode(bad[i], strlen(bad[i]), bytes, &length))
            fail_msg("accepted: %s", bad[i]);
    }
    length = 2;
    assert_false(base64_decode("Zm9v", 4, bytes, &length)); /* no room */
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t bytes[4];
    size_t length = sizeof bytes;
    assert_true(hex_decode("00fFa5", 6, bytes, &length));
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "\x00\xff\xa5", 3);
    length = sizeof bytes;
    assert_false(hex_decode("0", 1, bytes, &length));
    assert_false(hex_decode("0g", 2, bytes, &length));
    assert_false(hex_decode("0011223344", 10, bytes, &length));
    struct buffer out = BUFFER_INIT;
    assert_true(hex_encode("\x00\xff\xa5", 3, &out));
    assert_string_equal(buffer_text(&out), "00ffa5");
    buffer_free(&out);
}

static void test_percent(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } vectors[] = {{"hello", "hello"},
                   {"hello world", "hello%20world"},
                   {"a/b+c=d", "a%2fb%2bc%3dd"},
                   {"hello%20world", "hello%2520world"},
                   {"", ""}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buffer out = BUFFER_INIT;
        uint8_t bytes[32];
        size_t length = sizeof bytes;
        assert_true(percent_encode(vectors[i].plain, strlen(vectors[i].plain), &out));
        assert_string_equal(buffer_text(&out), vectors[i].text);
        buffer_free(&out);
        assert_true(percent_decode(vectors[i].text, strlen(vectors[i].text), bytes, &length));
        assert_int_equal(length, strlen(vectors[i].plain));
        assert_memory_equal(bytes, vectors[i].plain, length);
    }
    uint8_t bytes[4];
    size_t length = sizeof bytes;
    assert_false(percent_decode("a%ZZ", 4, bytes, &length));
    assert_false(percent_decode("a%2", 3, bytes, &length));
    assert_false(percent_decode("abcde", 5, bytes, &length));
}

static void test_reader(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct reader r = reader_over(data, sizeof data);
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16(&r), 0x0302);
    assert_int_equal(reader_u32(&r), 0x07060504);
    assert_true(reader_u64(&r) == 0x0f0e0d0c0b0a0908);
    assert_int_equal(reader_left(&r), 0);
    assert_false(r.failed);
    assert_int_equal(reader_u8(&r), 0);
    assert_true(r.failed);
    r = reader_over(data, sizeof data);
    assert_null(reader_bytes(&r, SIZE_MAX));
    assert_int_equal(reader_u8(&r), 0); /* failure is sticky */
}

static void test_printable(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain", "plain"},
        {"Grüße, 日本…", "Grüße, 日本…"},
        {"a\033[31mb\nc\x7f", "a\\x1b[31mb\\x0ac\\x7f"},
        {"\xc2\x9b", "\\xc2\\x9b"},                   /* U+009B, a one-character CSI */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* U+202E, right to left */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},          /* U+2066, isolate */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},          /* U+2028, line separator */
        {"\xff\xc0\xaf\xe2", "\\xff\\xc0\\xaf\\xe2"}, /* no UTF-8, and cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char shown[64];
        printable_copy(cases[i].text, shown, sizeof shown);
        assert_string_equal(shown, cases[i].shown);
    }
    char small[8];
    printable_copy("\x01\x02\x03\x04", small, sizeof small);
    assert_string_equal(small, "\\x01");
}

static void test_error(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_false(error_set(&error, ERROR_DAMAGED, "bad %d", 7));
    error_at(&error, "inner", 12);
    error_in_file(&error, "outer"); /* the place that knew most wins */
    error_prefix(&error, "disk %d", 1);
    assert_string_equal(error.message, "disk 1: bad 7");
    assert_string_equal(error.file, "inner");
    assert_true(error.offset == 12);
    errno = ENOSPC;
    error_system(&error, "cannot write");
    assert_string_equal(error.message, "cannot write: No space left on device");
    assert_int_equal(error.code, ERROR_FAILED);
    assert_string_equal(error.file, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),    cmocka_unit_test(test_hex),
        cmocka_unit_test(test_percent),   cmocka_unit_test(test_reader),
        cmocka_unit_test(test_printable), cmocka_unit_test(test_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
