/* yaml_tree: what comes out is what PyYAML's plain loader gives, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml_tree.h"

static json_t *read_text(const char *text, struct error *error)
{
    *error = ERROR_INIT;
    return yaml_tree_read("t.yaml", text, strlen(text), error);
}

static void expect(const char *yaml, const char *json)
{
    struct error error;
    json_t *tree = read_text(yaml, &error), *wanted = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (tree == NULL)
        fail_msg("%s: %s", yaml, error.message);
    assert_true(json_equal(tree, wanted));
    json_decref(tree);
    json_decref(wanted);
}

static void refuse(const char *yaml, const char *why)
{
    struct error error;
    json_t *tree = read_text(yaml, &error);
    assert_null(tree);
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_string_equal(error.file, "t.yaml");
    if (strstr(error.message, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", yaml, error.message, why);
}

static void test_read(void **state)
{
    (void)state;
    expect("a: 1\nb: [x, 'y', 0x10, 1e5, true, null, ~]\n",
           "{\"a\":\"1\",\"b\":[\"x\",\"y\",\"0x10\",\"1e5\",\"true\",\"null\",\"~\"]}");
    expect("a:\n  - b: c\n    d: |\n      one\n      two\n  - {}\n",
           "{\"a\":[{\"b\":\"c\",\"d\":\"one\\ntwo\\n\"},{}]}");
    expect("{\"a\": [1, {\"b\": \"\\u00e9\"}]}", "{\"a\":[\"1\",{\"b\":\"é\"}]}");
    expect("a: &x [1]\nb: *x\n", "{\"a\":[\"1\"],\"b\":[\"1\"]}");
    expect("plain", "\"plain\"");
}

static void test_refused(void **state)
{
    (void)state;
    refuse("", "no YAML document");
    refuse("a: 1\na: 2\n", "line 2: this name stands here twice");
    refuse("a: 1\n---\nb: 2\n", "more than one");
    refuse("a: [1\n", "line");
    refuse("[a]: 1\n", "a name must be a plain text");
    refuse("a: &x [*x]\n", "nested too deeply");
    refuse("a: 1\n--- [\n", "line");
}

/* Aliases that make a short text 10^9 values. */
static void test_laughs(void **state)
{
    (void)state;
    char text[2000] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(text, line);
    }
    refuse(text, "too many values");
}

/* What is written reads the same, also texts that look like something else. */
static void test_write(void **state)
{
    (void)state;
    static const char json[] =
        "{\"version\":\"1\",\"digest\":\"1e10\",\"no\":\"no\",\"empty\":\"\",\"list\":[],\"map\":{}"
        ","
        "\"pem\":\"-----BEGIN X-----\\nabc\\n-----END X-----\\n\",\"colon\":\"a: b\",\"hash\":\"a "
        "#b\","
        "\"deep\":[[\"x\"],{\"y\":\"*z\"}],\"space\":\" lead\\ttab\",\"tail\":\"a\\n\\n\"}";
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    json_t *tree = json_loads(json, 0, NULL);
    assert_true(yaml_tree_write(tree, &out, &error));
    json_t *again = yaml_tree_read("w", buffer_text(&out), out.length, &error);
    assert_non_null(again);
    assert_true(json_equal(tree, again));
    assert_non_null(strstr(buffer_text(&out), "digest: \"1e10\""));
    json_decref(tree);
    json_decref(again);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_laughs),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
