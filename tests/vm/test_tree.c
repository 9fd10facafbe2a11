/* Walking a tree of VMs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scratch.h"
#include "vm/tree.h"

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void make_tree(void)
{
    static const char *const directories[] = {"t", "t/b", "t/a", "t/a/deep", "t/link.vmx"};
    static const char *const files[] = {
        "t/b/two.vmx",       "t/b/one.vmx",     "t/b/one-Snapshot1.vmsn",
        "t/b/two.nvram",     "t/b/three.vmem",  "t/a/x.VMX",
        "t/a/x-flat.vmdk",   "t/a/other.nvram", "t/a/deep/y.vmsn",
        "t/notes.txt",       "t/b/.vmx",        "t/a/x.vmx.bak",
        "t/link.vmx/z.vmdk",
    };
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        assert_int_equal(mkdir(directories[i], 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        touch(files[i]);
    assert_int_equal(symlink("..", "t/b/up"), 0);
    assert_int_equal(symlink("one.vmx", "t/b/zlink.vmx"), 0);
}

/* Everything a walk over PATHS, with blanks between, tells: a line each. */
static void walk(const char *names, char *told, size_t size)
{
    struct error error = ERROR_INIT;
    char text[256], *paths[8];
    size_t count = 0;
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok(text, " "); name != NULL; name = strtok(NULL, " "))
        paths[count++] = name;
    struct tree *tree = tree_new(paths, count, &error);
    assert_non_null(tree);
    size_t used = 0;
    told[0] = '\0';
    for (;;) {
        struct tree_file file;
        bool end;
        error = ERROR_INIT;
        if (!tree_next(tree, &file, &end, &error)) {
            used += (size_t)snprintf(told + used, size - used, "! %s\n", error.file);
            continue;
        }
        if (end)
            break;
        used += (size_t)snprintf(told + used, size - used, "%d %s%s%s\n", (int)file.kind, file.path,
                                 file.vmx == NULL ? "" : " of ", file.vmx == NULL ? "" : file.vmx);
        assert_true(used < size);
        tree_file_free(&file);
    }
    tree_free(tree);
}

static void test_order_and_owners(void **state)
{
    (void)state;
    char told[4096];
    make_tree();
    walk("t", told, sizeof told);
    assert_string_equal(told, "2 t/a/other.nvram of t/a/x.VMX\n"
                              "1 t/a/x-flat.vmdk\n"
                              "0 t/a/x.VMX\n"
                              "2 t/a/deep/y.vmsn\n"
                              "2 t/b/one-Snapshot1.vmsn of t/b/one.vmx\n"
                              "0 t/b/one.vmx\n"
                              "2 t/b/three.vmem\n"
                              "2 t/b/two.nvram of t/b/two.vmx\n"
                              "0 t/b/two.vmx\n"
                              "0 t/b/zlink.vmx\n"
                              "1 t/link.vmx/z.vmdk\n");
}

static void test_named(void **state)
{
    (void)state;
    char told[4096];
    walk("t/b/two.nvram absent t/notes.txt t/a/x.VMX t/a/deep", told, sizeof told);
    assert_string_equal(told, "2 t/b/two.nvram of t/b/two.vmx\n"
                              "! absent\n"
                              "3 t/notes.txt\n"
                              "0 t/a/x.VMX\n"
                              "2 t/a/deep/y.vmsn\n");
    assert_int_equal(chdir("t/b"), 0);
    walk("one-Snapshot1.vmsn", told, sizeof told);
    assert_string_equal(told, "2 one-Snapshot1.vmsn of ./one.vmx\n");
    assert_int_equal(chdir("../.."), 0);
}

static void test_unreadable(void **state)
{
    (void)state;
    char told[4096];
    if (geteuid() == 0)
        skip(); /* root may read everything */
    assert_int_equal(chmod("t/a", 0), 0);
    walk("t", told, sizeof told);
    assert_int_equal(chmod("t/a", 0700), 0);
    assert_non_null(strstr(told, "! t/a\n"));
    assert_non_null(strstr(told, "t/b/two.vmx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_owners),
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
