/* What of the FUSE server needs no kernel: names for findmnt, mountinfo, how often it complains. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fuse/mounted.h"
#include "fuse/server_limit.h"
#include "fuse/server_name.h"

static void assert_escaped(const char *name, const char *expected)
{
    char out[SERVER_NAME_MAX + 1];
    server_name_escape(name, out);
    assert_string_equal(out, expected);
}

static void test_plain_names_stay(void **state)
{
    (void)state;
    assert_escaped("/evidence/Case 7/web01.vmdk", "/evidence/Case 7/web01.vmdk");
    assert_escaped("/evidence/\xd0\xb2\xd0\xb5\xd0\xb1.vmdk",
                   "/evidence/\xd0\xb2\xd0\xb5\xd0\xb1.vmdk");
    assert_escaped("", "");
}

static void test_bytes_that_end_an_option(void **state)
{
    (void)state;
    assert_escaped("a,rw,suid", "a%2crw%2csuid");
    assert_escaped("a\\,b", "a%5c%2cb");
    assert_escaped("100%", "100%25");
    assert_escaped("a\nb\x1b[31m\x7f", "a%0ab%1b[31m%7f");
}

static void test_what_is_no_utf8(void **state)
{
    (void)state;
    assert_escaped("a\xff"
                   "b\xc3",
                   "a%ffb%c3");
    assert_escaped("\xc0\xaf", "%c0%af"); /* overlong */
}

/* Never longer than the bound, always a whole tail, at every length around it. */
static void test_long_names_keep_their_end(void **state)
{
    (void)state;
    char name[2 * SERVER_NAME_MAX], out[SERVER_NAME_MAX + 1];
    for (size_t length = SERVER_NAME_MAX - 8; length < SERVER_NAME_MAX + 40; length++) {
        memset(name, 'x', length);
        memcpy(name + length - 8, "/a,.vmdk", 9);
        server_name_escape(name, out);
        size_t full = length + 2; /* the comma takes three */
        assert_int_equal(strlen(out), full <= SERVER_NAME_MAX ? full : SERVER_NAME_MAX);
        assert_string_equal(out + strlen(out) - 10, "/a%2c.vmdk");
        assert_int_equal(strncmp(out, "...", 3) == 0, full > SERVER_NAME_MAX);
    }
}

static void test_long_names_are_not_cut_within_a_character(void **state)
{
    (void)state;
    char name[3 * SERVER_NAME_MAX + 1], out[SERVER_NAME_MAX + 1];
    for (size_t ahead = 0; ahead < 4; ahead++) {
        memset(name, 'x', ahead);
        for (size_t at = ahead; at + 4 <= sizeof name; at += 3)
            memcpy(name + at, "\xe2\x82\xac", 4);
        server_name_escape(name, out);
        assert_true(strlen(out) <= SERVER_NAME_MAX && strlen(out) > SERVER_NAME_MAX - 3);
        assert_null(strchr(out, '%')); /* half a character would be escaped */
    }
}

/* proc(5), made text: two mounts on one place, escapes, optional fields or none. */
static const char MOUNTINFO[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 22 0:38 / /mnt/case rw - tmpfs tmpfs rw\n"
    "41 22 0:39 / /mnt/a\\040b\\134c\\012d ro,nosuid - fuse.vmcrypt x ro\n"
    "42 40 0:40 / /mnt/case ro,nosuid shared:2 - fuse.vmcrypt /e/web01.vmx ro\n"
    "43 22 0:41 / /mnt/case2 ro - fuse.vmcrypt y ro\n";

static void assert_device(const char *text, const char *mountpoint, const char *expected)
{
    struct mounted found = {.ours = false};
    assert_int_equal(mounted_find(text, mountpoint, &found), expected != NULL);
    if (expected != NULL)
        assert_string_equal(found.device, expected);
}

static bool is_ours(const char *text, const char *mountpoint)
{
    struct mounted found = {.ours = false};
    return mounted_find(text, mountpoint, &found) && found.ours;
}

static void test_whose_mount(void **state)
{
    (void)state;
    assert_true(is_ours(MOUNTINFO, "/mnt/case"));
    assert_true(is_ours(MOUNTINFO, "/mnt/a b\\c\nd"));
    assert_false(is_ours(MOUNTINFO, "/"));
    assert_false(is_ours("1 2 0:9 / /m ro - fuse.vmcryptx x ro\n", "/m"));
    assert_false(is_ours("1 2 0:9 / /m ro fuse.vmcrypt x ro\n", "/m"));
    assert_false(is_ours("1 2 0:9 / /m ro - fuse.vmcrypt\n", "/m"));
}

static void test_device_of_a_mount(void **state)
{
    (void)state;
    assert_device(MOUNTINFO, "/", "254:0");
    assert_device(MOUNTINFO, "/mnt/case", "0:40"); /* the one on top */
    assert_device(MOUNTINFO, "/mnt/case2", "0:41");
    assert_device(MOUNTINFO, "/mnt/a b\\c\nd", "0:39");
    assert_device(MOUNTINFO, "/mnt/cas", NULL);
    assert_device(MOUNTINFO, "/mnt/case/", NULL);
    assert_device(MOUNTINFO, "", NULL);
}

static void test_device_in_odd_texts(void **state)
{
    (void)state;
    assert_device("", "/mnt", NULL);
    assert_device("\n\n1 2\n", "/mnt", NULL);
    assert_device("1 2 0:9 / /mnt", "/mnt", NULL);
    assert_device("1 2 0:9 / /mnt ro", "/mnt", "0:9");
    assert_device("1 2 0:99999999999999999999 / /mnt ro", "/mnt", NULL);
    assert_device("1 2 0:9 / /m\\04 ro\n", "/m\\04", "0:9");
}

static void test_limit(void **state)
{
    (void)state;
    struct server_limit limit = SERVER_LIMIT_INIT;
    uint64_t skipped = 99;
    time_t start = 1000;
    for (int i = 0; i < SERVER_LIMIT_LINES; i++) {
        assert_true(server_limit_pass(&limit, start + i, &skipped));
        assert_int_equal(skipped, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(server_limit_pass(&limit, start + SERVER_LIMIT_SECONDS - 1, &skipped));
    /* The next minute: it is told how many were not, once. */
    assert_true(server_limit_pass(&limit, start + SERVER_LIMIT_SECONDS, &skipped));
    assert_int_equal(skipped, 7);
    assert_true(server_limit_pass(&limit, start + SERVER_LIMIT_SECONDS, &skipped));
    assert_int_equal(skipped, 0);
    for (int i = 2; i < SERVER_LIMIT_LINES; i++)
        assert_true(server_limit_pass(&limit, start + SERVER_LIMIT_SECONDS + 5, &skipped));
    assert_false(server_limit_pass(&limit, start + 2 * SERVER_LIMIT_SECONDS - 1, &skipped));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_names_stay),
        cmocka_unit_test(test_bytes_that_end_an_option),
        cmocka_unit_test(test_what_is_no_utf8),
        cmocka_unit_test(test_long_names_keep_their_end),
        cmocka_unit_test(test_long_names_are_not_cut_within_a_character),
        cmocka_unit_test(test_device_of_a_mount),
        cmocka_unit_test(test_whose_mount),
        cmocka_unit_test(test_device_in_odd_texts),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
