/*
 * The settings dictionary. The grammar and the escapes are those of open-vm-tools
 * lib/dict/dictll.c; bytes of code pages were taken from python3 codecs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "vmx/dict.h"

static struct dict *parse_bytes(const char *text, size_t length, const char *encoding)
{
    struct error error = ERROR_INIT;
    struct dict *dict = dict_parse(text, length, encoding, &error);
    if (dict == NULL)
        fail_msg("%s", error.message);
    return dict;
}

static struct dict *parse(const char *text)
{
    return parse_bytes(text, strlen(text), NULL);
}

static void assert_value(const struct dict *dict, const char *name, const char *expected)
{
    const char *value = dict_get(dict, name);
    if (expected == NULL) {
        assert_null(value);
        return;
    }
    if (value == NULL)
        fail_msg("%s is not there", name);
    assert_string_equal(value, expected);
}

static void assert_bytes(const struct dict *dict, const char *expected, size_t length)
{
    struct buffer out = BUFFER_INIT;
    assert_true(dict_write(dict, &out));
    if (out.length != length || memcmp(buffer_text(&out), expected, length) != 0)
        fail_msg("wrote '%s' instead of '%.*s'", buffer_text(&out), (int)length, expected);
    buffer_free(&out);
}

static void assert_text(const struct dict *dict, const char *expected)
{
    assert_bytes(dict, expected, strlen(expected));
}

static void set(struct dict *dict, const char *name, const char *value)
{
    struct error error = ERROR_INIT;
    if (!dict_set(dict, name, value, &error))
        fail_msg("%s", error.message);
}

static void refuse(struct dict *dict, const char *name, const char *value, enum error_code code)
{
    struct error error = ERROR_INIT;
    assert_false(dict_set(dict, name, value, &error));
    assert_int_equal(error.code, code);
}

/* One line and the value it gives; NULL: no setting. */
static void spellings(void **state)
{
    (void)state;
    static const struct {
        const char *line, *value;
    } cases[] = {
        {"a = \"b\"", "b"},
        {"a=\"b\"", "b"},
        {"\t a \t=\t \"b\" \t", "b"},
        {"A = \"b\"", "b"},
        {"a = \"\"", ""},
        {"a =", ""},
        {"a = # nothing", ""},
        {"a = b", "b"},
        {"a = b # c", "b"},
        {"a = b#c", "b"},
        {"a = b c  ", "b c"},
        {"a = \"b\" # c", "b"},
        {"a = \"b\"# \"c\"", "b"},
        {"a = \"b # c\"", "b # c"},
        {"a = \" b \"", " b "},
        {"a = \"say \"b\" twice\"", "say \"b\" twice"},
        {"a = \"x=y\"", "x=y"},
        {"a = \"|22b|22 |7C |0A|0D|09\"", "\"b\" | \n\r\t"},
        {"a = b|20c", "b c"},
        {"a = \"|7c|7C\"", "||"},
        {"a = \"|c3|A9\"", "\xc3\xa9"},
        {"a = \"|\"", "|"},
        {"a = \"|2\"", "|2"},
        {"a = \"|2G|xx||22\"", "|2G|xx|\""},
        {"a = \"|00\"", "|00"},
        {"a = \"|C3|28\"", "|C3("},
        {"a = \"|7C22\"", "|22"},
        {"a = \"b", NULL},
        {"a = \"b\" c", NULL},
        {"a \"b\"", NULL},
        {"a b = \"c\"", NULL},
        {"= \"b\"", NULL},
        {"# a = \"b\"", NULL},
        {"a#= \"b\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dict *dict = parse(cases[i].line);
        assert_value(dict, "a", cases[i].value);
        assert_text(dict, cases[i].line);
        dict_free(dict);
    }
}

static const char lossless_text[] = "\xef\xbb\xbf# made by hand\r\n"
                                    "\r\n"
                                    ".encoding = \"UTF-8\"\n"
                                    "  Name =   \"one\"   # first\r\n"
                                    "what is this\n"
                                    "name=\"two\"\n"
                                    "bare\t=\tvalue\r"
                                    "\n"
                                    "last = \"3\"\0\0\0";

static void untouched_text_is_kept(void **state)
{
    (void)state;
    struct dict *dict = parse_bytes(lossless_text, sizeof lossless_text - 1, NULL);
    assert_bytes(dict, lossless_text, sizeof lossless_text - 1);
    assert_int_equal(dict_odd_lines(dict), 1);
    assert_value(dict, "name", "two");
    assert_value(dict, "BARE", "value");
    assert_value(dict, "last", "3");
    assert_value(dict, "nam", NULL);
    static const char *const order[] = {".encoding", "Name", "name", "bare", "last"};
    const char *name, *value;
    for (size_t i = 0; i < 5; i++) {
        assert_true(dict_at(dict, i, &name, &value));
        assert_string_equal(name, order[i]);
    }
    assert_string_equal(value, "3");
    assert_false(dict_at(dict, 5, &name, &value));
    assert_true(dict_at(dict, 1, &name, &value));
    assert_string_equal(value, "one");
    dict_free(dict);
}

static void line_ends(void **state)
{
    (void)state;
    static const char text[] =
        "a = \"1\"\rb = \"2\"\nc = \"3\"\r\nd = \"4\"\0 = \"5\"\n\0\0\n\0x\n";
    struct dict *dict = parse_bytes(text, sizeof text - 1, NULL);
    assert_bytes(dict, text, sizeof text - 1);
    assert_value(dict, "a", "1");
    assert_value(dict, "b", "2");
    assert_value(dict, "c", "3");
    assert_value(dict, "d", "4");
    assert_int_equal(dict_odd_lines(dict), 1);
    dict_free(dict);
}

static void setting_changes_only_the_value(void **state)
{
    (void)state;
    struct dict *dict = parse_bytes(lossless_text, sizeof lossless_text - 1, NULL);
    set(dict, "NAME", "2 \"|\n");
    set(dict, "bare", "quoted now");
    set(dict, "last", "");
    static const char changed[] = "\xef\xbb\xbf# made by hand\r\n"
                                  "\r\n"
                                  ".encoding = \"UTF-8\"\n"
                                  "  Name =   \"one\"   # first\r\n"
                                  "what is this\n"
                                  "name=\"2 |22|7C|0A\"\n"
                                  "bare\t=\t\"quoted now\"\r\n"
                                  "last = \"\"\0\0\0";
    assert_bytes(dict, changed, sizeof changed - 1);
    assert_value(dict, "name", "2 \"|\n");
    set(dict, "Name", "back");
    set(dict, "name", "and on");
    assert_value(dict, "name", "and on");
    dict_free(dict);
}

static void new_settings_follow_the_last(void **state)
{
    (void)state;
    struct dict *dict = parse("# head\r\na = \"1\"\r\n# tail\r\n");
    set(dict, "b", "2");
    set(dict, "c", "3");
    assert_text(dict, "# head\r\na = \"1\"\r\nb = \"2\"\r\nc = \"3\"\r\n# tail\r\n");
    dict_free(dict);
    dict = parse("a = \"1\"");
    set(dict, "b", "2");
    assert_text(dict, "a = \"1\"\nb = \"2\"\n");
    dict_free(dict);
    dict = parse("# only");
    set(dict, "b", "2");
    assert_text(dict, "# only\nb = \"2\"\n");
    dict_free(dict);
    struct error error = ERROR_INIT;
    dict = dict_new(NULL, &error);
    assert_non_null(dict);
    assert_text(dict, "");
    set(dict, "b", "2");
    assert_text(dict, "b = \"2\"\n");
    dict_free(dict);
}

static void unsetting(void **state)
{
    (void)state;
    struct dict *dict = parse("a = \"1\"\nb = \"2\"\n# c\nA = \"3\"\nd = \"4\"\n");
    assert_int_equal(dict_unset(dict, "nothing"), 0);
    assert_int_equal(dict_unset(dict, "a"), 2);
    assert_int_equal(dict_unset(dict, "a"), 0);
    assert_value(dict, "a", NULL);
    assert_text(dict, "b = \"2\"\n# c\nd = \"4\"\n");
    const char *name, *value;
    assert_true(dict_at(dict, 1, &name, &value));
    assert_string_equal(name, "d");
    assert_false(dict_at(dict, 2, &name, &value));
    set(dict, "a", "5");
    assert_int_equal(dict_unset(dict, "d"), 1);
    assert_int_equal(dict_unset(dict, "a"), 1);
    set(dict, "e", "6");
    assert_text(dict, "b = \"2\"\ne = \"6\"\n# c\n");
    assert_int_equal(dict_unset(dict, "b"), 1);
    assert_int_equal(dict_unset(dict, "e"), 1);
    assert_text(dict, "# c\n");
    assert_false(dict_at(dict, 0, &name, &value));
    set(dict, "b", "7");
    assert_text(dict, "# c\nb = \"7\"\n");
    dict_free(dict);
}

static void byte_order_marks(void **state)
{
    (void)state;
    struct dict *dict = parse("\xef\xbb\xbf"
                              "a = \"1\"\n");
    assert_value(dict, "a", "1");
    dict_drop_mark(dict);
    assert_text(dict, "a = \"1\"\n");
    dict_free(dict);
    /* The bytes of one within the text belong to the name, also when they come to its start. */
    dict = parse("a = \"1\"\n\xef\xbb\xbf"
                 "b = \"2\"\n");
    assert_value(dict,
                 "\xef\xbb\xbf"
                 "b",
                 "2");
    assert_int_equal(dict_unset(dict, "a"), 1);
    assert_text(dict, "\xef\xbb\xbf\xef\xbb\xbf"
                      "b = \"2\"\n");
    dict_free(dict);
}

static void truth(void **state)
{
    (void)state;
    struct dict *dict = parse("a = \"TRUE\"\nb = \"yes\"\nc = \"1\"\nd = \"FALSE\"\ne = \"\"\n");
    assert_true(dict_get_bool(dict, "a", false));
    assert_true(dict_get_bool(dict, "b", false));
    assert_true(dict_get_bool(dict, "c", false));
    assert_false(dict_get_bool(dict, "d", true));
    assert_false(dict_get_bool(dict, "e", true));
    assert_true(dict_get_bool(dict, "f", true));
    assert_false(dict_get_bool(dict, "f", false));
    dict_free(dict);
}

/* Code page, a word's bytes in it, and the word in UTF-8 (python3: word.encode(page)). */
static void code_pages(void **state)
{
    (void)state;
    static const struct {
        const char *page, *bytes, *text;
    } cases[] = {
        {"windows-1252", "caf\xe9 \x80", "caf\xc3\xa9 \xe2\x82\xac"},
        {"WINDOWS-1252", "\xfc", "\xc3\xbc"},
        {"ISO-8859-1", "\xfc", "\xc3\xbc"},
        {"ISO-8859-2", "\xb1", "\xc4\x85"},
        {"ISO-8859-15", "\xa4", "\xe2\x82\xac"},
        {"windows-1251", "\xcc\xe8\xf0", "\xd0\x9c\xd0\xb8\xd1\x80"},
        {"KOI8-R", "\xed\xc9\xd2", "\xd0\x9c\xd0\xb8\xd1\x80"},
        {"windows-1255", "\xf9\xec", "\xd7\xa9\xd7\x9c"},
        {"GBK", "\xd6\xd0\xce\xc4", "\xe4\xb8\xad\xe6\x96\x87"},
        {"GB18030", "\x81\x30\x8b\x38", "\xc4\x80"},
        /* second bytes 0x5c and 0x7c: a backslash and a bar to whoever looks at bytes */
        {"GBK", "\x81\x5c\x81\x7c", "\xe4\xb9\x97\xe4\xba\x85"},
        {"Shift_JIS", "\x83\x5c\x83\x7c", "\xe3\x82\xbd\xe3\x83\x9d"},
        {"Shift_JIS", "\x83\x7c\x32\x32", "\xe3\x83\x9d\x32\x32"},
        {"Shift_JIS", "C:\\\x83\x7c\\\x95\x5c~", "C:\\\xe3\x83\x9d\\\xe8\xa1\xa8~"},
        {"Big5", "\xa4\xa4\xa4\xe5", "\xe4\xb8\xad\xe6\x96\x87"},
        {"Big5", "\xb3\x5c", "\xe8\xa8\xb1"},
        {"EUC-KR", "\xc7\xd1\xb1\xdb", "\xed\x95\x9c\xea\xb8\x80"},
        {"EUC-JP", "\xc6\xfc\xcb\xdc", "\xe6\x97\xa5\xe6\x9c\xac"},
        {"UTF-8", "\xe6\x97\xa5", "\xe6\x97\xa5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], changed[256];
        snprintf(text, sizeof text, ".encoding = \"%s\"\na = \"%s\"\nb = \"|22\"\n", cases[i].page,
                 cases[i].bytes);
        struct dict *dict = parse(text);
        assert_string_equal(dict_encoding(dict), cases[i].page);
        assert_value(dict, "a", cases[i].text);
        assert_value(dict, "b", "\"");
        assert_text(dict, text);
        set(dict, "b", cases[i].text);
        snprintf(changed, sizeof changed, ".encoding = \"%s\"\na = \"%s\"\nb = \"%s\"\n",
                 cases[i].page, cases[i].bytes, cases[i].bytes);
        assert_text(dict, changed);
        dict_free(dict);
    }
}

/* Every code page that is known must hold ASCII as it is, or the grammar would not be seen. */
static void ascii_is_ascii_everywhere(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "windows-1250", "windows-1254", "windows-1258", "windows-874", "TIS-620",   "ISO-8859-8",
        "ISO-8859-16",  "KOI8-U",       "IBM437",       "IBM866",      "macintosh", "Shift_JIS",
        "EUC-JP",       "GB2312",       "GB18030",      "Big5-HKSCS",  "EUC-KR",    "EUC-TW",
    };
    char ascii[128];
    size_t length = 0;
    for (char c = ' '; c < 0x7f; c++)
        if (c != '"' && c != '|')
            ascii[length++] = c;
    ascii[length] = '\0';
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        char text[512], expected[256];
        /* An undecodable byte behind it makes sure that the whole value is converted. */
        snprintf(text, sizeof text, ".encoding = \"%s\"\na = \"%s\xff\"\n", pages[i], ascii);
        struct dict *dict = parse(text);
        snprintf(expected, sizeof expected, "%s", dict_get(dict, "a"));
        expected[length] = '\0';
        assert_string_equal(expected, ascii);
        assert_true(strlen(dict_get(dict, "a")) > length);
        dict_free(dict);
    }
}

static void undecodable_bytes_are_shown_and_kept(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ".encoding = \"UTF-8\"\na = \"x\xe9y\xc3\xa9\"\n",
        ".encoding = \"Klingon\"\na = \"x\xe9y\xc3\xa9\"\n",
        ".encoding = \"ISO-2022-CN-EXT\"\na = \"x\xe9y\xc3\xa9\"\n",
        ".encoding = \"UTF-8//TRANSLIT\"\na = \"x\xe9y\xc3\xa9\"\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct dict *dict = parse(texts[i]);
        assert_value(dict, "a", "x|E9y\xc3\xa9");
        set(dict, "a", "x|E9y\xc3\xa9");
        assert_text(dict, texts[i]);
        dict_free(dict);
    }
    struct dict *dict = parse(".encoding = \"Shift_JIS\"\na = \"\x83\"\nb = \"\x83\x7c\x83\"\n");
    assert_value(dict, "a", "|83");
    assert_value(dict, "b", "\xe3\x83\x9d|83");
    dict_free(dict);
    dict = parse(".encoding = \"windows-1252\"\na = \"\x81|41\"\nb\xe9 = \"\"\n");
    assert_value(dict, "a", "|81A");
    assert_value(dict, "b\xc3\xa9", "");
    dict_free(dict);
    dict = parse("a = \"\xed\xa0\x80\xf5\xc0\x80\xe2\x82\"\n");
    assert_value(dict, "a", "|ED|A0|80|F5|C0|80|E2|82");
    dict_free(dict);
}

static void values_without_a_form_are_refused(void **state)
{
    (void)state;
    static const char text[] = ".encoding = \"windows-1252\"\na = \"\xe9\"\n";
    struct dict *dict = parse(text);
    refuse(dict, "a", "\xe6\x97\xa5", ERROR_FAILED);
    refuse(dict, "b", "\xe6\x97\xa5", ERROR_FAILED);
    refuse(dict, "b", "\xe9", ERROR_FAILED);
    refuse(dict, ".encoding", "UTF-8", ERROR_FAILED);
    refuse(dict, "", "x", ERROR_USAGE);
    refuse(dict, "a b", "x", ERROR_USAGE);
    refuse(dict, "a=b", "x", ERROR_USAGE);
    refuse(dict, "#a", "x", ERROR_USAGE);
    refuse(dict, "a\"", "x", ERROR_USAGE);
    refuse(dict, "a\n", "x", ERROR_USAGE);
    refuse(dict, "\xc3\xa9", "x", ERROR_USAGE);
    assert_text(dict, text);
    dict_free(dict);
    dict = parse(".encoding = \"Klingon\"\n");
    refuse(dict, "a", "\xc3\xa9", ERROR_FAILED);
    set(dict, "a", "plain");
    dict_free(dict);
}

static void code_page_of_ascii_text_can_change(void **state)
{
    (void)state;
    struct dict *dict = parse(".encoding = \"UTF-8\"\na = \"b\"\n");
    set(dict, ".encoding", "windows-1252");
    set(dict, "a", "\xc3\xa9");
    assert_text(dict, ".encoding = \"windows-1252\"\na = \"\xe9\"\n");
    refuse(dict, ".ENCODING", "GBK", ERROR_FAILED);
    dict_free(dict);
}

static void default_code_page(void **state)
{
    (void)state;
    struct dict *dict = parse_bytes("a = \"\xe9\"\n", 9, "windows-1252");
    assert_string_equal(dict_encoding(dict), "windows-1252");
    assert_value(dict, "a", "\xc3\xa9");
    dict_free(dict);
    static const char own[] = "a = \"\xc3\xa9\"\n.encoding = \"UTF-8\"\n";
    dict = parse_bytes(own, sizeof own - 1, "windows-1252");
    assert_string_equal(dict_encoding(dict), "UTF-8");
    assert_value(dict, "a", "\xc3\xa9");
    dict_free(dict);
}

static void copying(void **state)
{
    (void)state;
    static const char text[] = ".encoding = \"windows-1252\"\r\n"
                               " a =\"\xe9|22\" # c\r\n"
                               "b = \x81|41|E9\r\n";
    struct error error = ERROR_INIT;
    struct dict *from = parse(text);
    struct dict *same = dict_new("windows-1252", &error), *other = dict_new("UTF-8", &error);
    for (size_t i = 1; i < 3; i++) {
        assert_true(dict_append_from(same, from, i, &error));
        assert_true(dict_append_from(other, from, i, &error));
    }
    assert_false(dict_append_from(same, from, 3, &error));
    assert_text(same, " a =\"\xe9|22\" # c\r\nb = \x81|41|E9\r\n");
    assert_text(other, "a = \"\xc3\xa9|22\"\r\nb = \"|7C81|41|E9\"\r\n");
    assert_value(same, "b", "|81A|E9");
    assert_value(other, "b", "|81A|E9");
    struct dict *third = dict_new("GBK", &error);
    static const char cyrillic[] = "a = \"\xf0\x9f\x98\x80\"\n";
    struct dict *smile = parse(cyrillic);
    assert_false(dict_append_from(third, smile, 0, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    dict_free(third);
    dict_free(smile);
    dict_free(from);
    dict_free(same);
    dict_free(other);
}

static void bounds(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t length = (size_t)DICT_MAX_LINES + 1;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, '\n', length);
    assert_null(dict_parse(text, length, NULL, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    struct dict *dict = parse_bytes(text, length - 1, NULL);
    dict_free(dict);
    assert_null(dict_parse(text, (size_t)DICT_MAX_BYTES + 1, NULL, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    free(text);
}

/* A hundred times as many lines may cost a few hundred times the time, not ten thousand. */
static double seconds_for(size_t lines)
{
    struct buffer text = BUFFER_INIT;
    char name[32];
    for (size_t i = 0; i < lines; i++)
        buffer_printf(&text, "n%zu = \"|22%zu\"\n", i / 2, i);
    clock_t start = clock();
    struct dict *dict = parse_bytes(buffer_text(&text), text.length, NULL);
    for (size_t i = 0; i < lines; i++) {
        snprintf(name, sizeof name, "n%zu", i / 2);
        set(dict, name, "new value");
        snprintf(name, sizeof name, "m%zu", i);
        if (i % 4 == 0)
            set(dict, name, "x");
        const char *at, *value;
        assert_true(dict_at(dict, i, &at, &value));
    }
    for (size_t i = 0; i < lines / 2; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        assert_int_equal(dict_unset(dict, name), 2);
    }
    double taken = (double)(clock() - start) / CLOCKS_PER_SEC;
    dict_free(dict);
    buffer_free(&text);
    return taken;
}

static void time_is_linear(void **state)
{
    (void)state;
    double small = seconds_for(4000), large = seconds_for(400000);
    print_message("# 4,000 lines: %.3f s, 400,000 lines: %.3f s\n", small, large);
    assert_true(large < 100 * 10 * (small + 0.01));
}

static void real_file_comes_back(void **state)
{
    (void)state;
    const char *samples = getenv("VMCRYPT_SAMPLES");
    char path[4096];
    snprintf(path, sizeof path, "%s/vmx/encrypted-password.vmx",
             samples == NULL ? "../shared/samples" : samples);
    if (!file_exists(path)) {
        print_message("# no samples at %s\n", path);
        skip();
    }
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    assert_true(file_read_all(path, DICT_MAX_BYTES, &text, &error));
    struct dict *dict = parse_bytes(text.data, text.length, NULL);
    assert_bytes(dict, text.data, text.length);
    assert_value(dict, "displayname", "Encrypted VM");
    assert_string_equal(dict_encoding(dict), "UTF-8");
    assert_int_equal(dict_odd_lines(dict), 0);
    dict_free(dict);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(untouched_text_is_kept),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(setting_changes_only_the_value),
        cmocka_unit_test(new_settings_follow_the_last),
        cmocka_unit_test(unsetting),
        cmocka_unit_test(byte_order_marks),
        cmocka_unit_test(truth),
        cmocka_unit_test(code_pages),
        cmocka_unit_test(ascii_is_ascii_everywhere),
        cmocka_unit_test(undecodable_bytes_are_shown_and_kept),
        cmocka_unit_test(values_without_a_form_are_refused),
        cmocka_unit_test(code_page_of_ascii_text_can_change),
        cmocka_unit_test(default_code_page),
        cmocka_unit_test(copying),
        cmocka_unit_test(bounds),
        cmocka_unit_test(time_is_linear),
        cmocka_unit_test(real_file_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
