/* Unicode normalization; figures from UAX #15 and the Unicode Character Database. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/normalize.h"

static void check(enum normalize_form form, const char *text, const char *wanted)
{
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    assert_true(normalize_text(form, text, strlen(text), &out, &error));
    assert_string_equal(buffer_text(&out), wanted);
    assert_int_equal(out.length, strlen(wanted));
    buffer_free(&out);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *nfc, *nfd, *nfkc, *nfkd;
    } cases[] = {
        {"", "", "", "", ""},
        {"plain", "plain", "plain", "plain", "plain"},
        /* U+00FC; u and U+0308 */
        {"\u00fc", "\u00fc", "u\u0308", "\u00fc", "u\u0308"},
        {"u\u0308", "\u00fc", "u\u0308", "\u00fc", "u\u0308"},
        /* Angstrom sign (UAX #15, figure 3); ligature fi (figure 6) */
        {"\u212b", "\u00c5", "A\u030a", "\u00c5", "A\u030a"},
        {"\ufb01", "\ufb01", "\ufb01", "fi", "fi"},
        /* s with dot below and above (figure 5), the marks in either order */
        {"\u1e9b\u0323", "\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e69", "s\u0323\u0307"},
        {"s\u0307\u0323", "\u1e69", "s\u0323\u0307", "\u1e69", "s\u0323\u0307"},
        /* Hangul */
        {"\uac01", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(NORMALIZE_NONE, cases[i].text, cases[i].text);
        check(NORMALIZE_NFC, cases[i].text, cases[i].nfc);
        check(NORMALIZE_NFD, cases[i].text, cases[i].nfd);
        check(NORMALIZE_NFKC, cases[i].text, cases[i].nfkc);
        check(NORMALIZE_NFKD, cases[i].text, cases[i].nfkd);
    }
}

/* U+FDFA grows most: 18 characters in 33 bytes. */
static void test_growth(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct error error = ERROR_INIT;
    struct buffer in = BUFFER_INIT, out = BUFFER_INIT;
    for (size_t i = 0; i < MANY; i++)
        buffer_append_text(&in, "\ufdfa");
    buffer_append_text(&out, "before");
    assert_true(normalize_text(NORMALIZE_NFKD, buffer_text(&in), in.length, &out, &error));
    assert_int_equal(out.length, 6 + 33 * MANY);
    assert_memory_equal(buffer_text(&out), "before\u0635\u0644", 10);
    buffer_free(&in);
    buffer_free(&out);
}

static void test_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    enum normalize_form form;
    assert_false(normalize_text(NORMALIZE_NFC, "\xfc", 1, &out, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_int_equal(out.length, 0);
    assert_true(normalize_form_parse("NFkd", &form, &error));
    assert_int_equal(form, NORMALIZE_NFKD);
    assert_false(normalize_form_parse("nfx", &form, &error));
    assert_int_equal(error.code, ERROR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
