/* Files: whole or absent, owner and mode kept, short ones named, secrets wiped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/secret.h"
#include "tests/scratch.h"

static void assert_content(const char *path, const char *text)
{
    struct buffer b = BUFFER_INIT;
    struct error error = ERROR_INIT;
    assert_true(file_read_all(path, 1 << 20, &b, &error));
    assert_string_equal(buffer_text(&b), text);
    buffer_free(&b);
}

static void test_replace(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_true(file_replace("f", "one", 3, 0640, false, &error));
    assert_content("f", "one");
    struct stat st;
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_false(file_replace("f", "two", 3, 0600, false, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_content("f", "one");
    assert_true(file_replace("f", "three", 5, 0600, true, &error));
    assert_content("f", "three");
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640); /* the mode of the file that was there */
    assert_false(file_exists("f.partial"));
}

static void test_abandon(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct file_output out;
    assert_true(file_replace("g", "old", 3, 0600, false, &error));
    assert_true(file_create(&out, "g", 0600, true, &error));
    assert_true(file_write_at(out.fd, out.partial, "new", 3, 0, &error));
    assert_true(file_exists("g.partial"));
    assert_content("g", "old");
    file_abandon(&out);
    assert_false(file_exists("g.partial"));
    assert_content("g", "old");
    file_abandon(&out);
    /* a left-over, even one that is a link to somewhere else, is replaced, not followed */
    assert_int_equal(symlink("g", "h.partial"), 0);
    assert_true(file_replace("h", "mine", 4, 0600, false, &error));
    assert_content("h", "mine");
    assert_content("g", "old");
}

static void test_read(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct buffer b = BUFFER_INIT;
    assert_true(file_replace("r", "0123456789", 10, 0600, false, &error));
    char data[16];
    int fd = file_open_read("r", &error);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(file_read_at(fd, "r", data, 4, 6, &error));
    assert_memory_equal(data, "6789", 4);
    assert_false(file_read_at(fd, "r", data, 8, 6, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_true(error.offset == 10);
    close(fd);
    error_clear(&error);
    assert_false(file_read_all("r", 9, &b, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_string_equal(error.file, "r");
    error_clear(&error);
    assert_false(file_read_all(".", 9, &b, &error));
    assert_false(file_read_all("absent", 9, &b, &error));
    buffer_free(&b);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *path, *name, *joined;
    } cases[] = {
        {"a/b.vmx", "c", "a/c"}, {"b.vmx", "c", "c"}, {"/b", "c", "/c"}, {"a/b", "/c", "/c"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *joined = file_beside(cases[i].path, cases[i].name);
        assert_string_equal(joined, cases[i].joined);
        free(joined);
    }
    assert_string_equal(file_name("a/b/c"), "c");
    assert_string_equal(file_name("c"), "c");
}

static void test_backup(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_true(file_replace("v", "text", 4, 0604, false, &error));
    assert_true(file_backup("v", "v.bak", &error));
    assert_content("v.bak", "text");
    struct stat st;
    assert_int_equal(stat("v.bak", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
}

static void test_secret(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const size_t sizes[] = {0, 1, 32, 64, 4096, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct secret *s = secret_new(sizes[i], &error);
        assert_non_null(s);
        assert_int_equal(s->length, sizes[i]);
        assert_int_equal(s->data[sizes[i]], 0);
        memset(s->data, 0xa5, sizes[i]);
        struct secret *copy = secret_copy(s->data, s->length, &error);
        assert_true(secret_equal(s, copy));
        if (sizes[i] > 0) {
            copy->data[sizes[i] - 1] ^= 1;
            assert_false(secret_equal(s, copy));
        }
        secret_free(s);
        secret_free(copy);
    }
    assert_null(secret_new(SIZE_MAX, &error));
    assert_int_equal(error.code, ERROR_FAILED);
}

static void test_buffer(void **state)
{
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_string_equal(buffer_text(&b), "");
    for (int i = 0; i < 10000; i++)
        assert_true(buffer_printf(&b, "%d,", i));
    assert_int_equal(b.length, 48890);
    assert_int_equal(strlen(buffer_text(&b)), b.length);
    assert_null(buffer_reserve(&b, SIZE_MAX - 5));
    assert_true(b.failed);
    assert_false(buffer_append_text(&b, "x"));
    buffer_free(&b);
    assert_false(b.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace), cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_read),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_backup),  cmocka_unit_test(test_secret),
        cmocka_unit_test(test_buffer),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
