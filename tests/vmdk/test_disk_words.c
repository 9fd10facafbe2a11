/* disk_words: what a user's words make of disk_options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmdk/disk_words.h"

/* Pairs of name and value, NULL past the last. */
static const char *value_at(const void *context, const char *name, size_t i)
{
    for (const char *const *pair = context; *pair != NULL; pair += 2)
        if (strcmp(pair[0], name) == 0 && i-- == 0)
            return pair[1];
    return NULL;
}

static bool read_words(const char *const pairs[], struct disk_options *options, struct error *error)
{
    const struct words words = {.value_at = value_at, .context = pairs};
    *error = ERROR_INIT;
    return disk_options_words(&words, options, error);
}

static void test_none(void **state)
{
    (void)state;
    static const char *const pairs[] = {NULL};
    struct disk_options options;
    struct error error;
    assert_true(read_words(pairs, &options, &error));
    const struct disk_options nothing = {0};
    assert_memory_equal(&options, &nothing, sizeof options);
}

static void test_all(void **state)
{
    (void)state;
    static const char *const pairs[] = {
        "search", "a", "decrypt-zero-units", "",       "allow-outside", "",    "ignore-cid", "",
        "search", "b", "missing-delta",      "parent", "data-unit",     "512", "data-unit",  "4096",
        NULL};
    struct disk_options options;
    struct error error;
    assert_true(read_words(pairs, &options, &error));
    assert_true(options.decrypt_zero_units && options.allow_outside && options.ignore_cid &&
                options.missing_delta);
    assert_int_equal(options.unit_bytes, 4096); /* the last one counts */
    assert_int_equal(options.search_count, 2);
    assert_string_equal(options.search[0], "a");
    assert_string_equal(options.search[1], "b");
}

static void test_geometry(void **state)
{
    (void)state;
    static const char *const pairs[] = {"geometry", "unit=4096,tweak=sector", NULL};
    struct disk_options options;
    struct error error;
    assert_true(read_words(pairs, &options, &error));
    assert_int_equal(options.unit_bytes, 4096);
    assert_int_equal(options.geometry.unit, 4096);
}

static void check_refused(const char *const pairs[], const char *words)
{
    struct disk_options options;
    struct error error;
    assert_false(read_words(pairs, &options, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    if (strstr(error.message, words) == NULL)
        fail_msg("no '%s' in: %s", words, error.message);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const unit[] = {"data-unit", "513", NULL};
    static const char *const both[] = {"data-unit", "512", "geometry", "unit=512", NULL};
    static const char *const delta[] = {"missing-delta", "child", NULL};
    const char *many[2 * (DISK_SEARCH_MAX + 1) + 1];
    for (size_t i = 0; i <= DISK_SEARCH_MAX; i++) {
        many[2 * i] = "search";
        many[2 * i + 1] = "d";
    }
    many[2 * (DISK_SEARCH_MAX + 1)] = NULL;
    check_refused(unit, "data-unit");
    check_refused(both, "exclude");
    check_refused(delta, "missing-delta");
    check_refused(many, "search");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
