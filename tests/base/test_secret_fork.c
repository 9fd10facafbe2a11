/* secret_fork: what a child sees of secrets, with and without it, and the kernel's own count of
 * locked memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "base/secret_fork.h"

enum { SMALL = 64, LARGE = 100000 };

struct fixture {
    struct secret *small, *large;
    struct buffer text;
};

static struct fixture fixture_new(void)
{
    struct error error = ERROR_INIT;
    struct fixture f = {.small = secret_new(SMALL, &error), .large = secret_new(LARGE, &error)};
    assert_non_null(f.small);
    assert_non_null(f.large);
    memset(f.small->data, 's', SMALL);
    memset(f.large->data, 'l', LARGE);
    assert_true(buffer_append_text(&f.text, "text"));
    return f;
}

static void fixture_free(struct fixture *f)
{
    secret_free(f->small);
    secret_free(f->large);
    buffer_free(&f->text);
}

static bool is_whole(const struct fixture *f)
{
    for (size_t i = 0; i < LARGE; i++)
        if (f->large->data[i] != 'l')
            return false;
    return f->small->data[0] == 's' && f->small->data[SMALL - 1] == 's' &&
           strcmp(buffer_text(&f->text), "text") == 0;
}

/* KiB of this process that are locked, as the kernel counts them. */
static long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmLck: %ld", &kib);
    if (status != NULL)
        fclose(status);
    return kib;
}

/* What CHECK says in a child. */
static bool in_child(bool (*check)(void *user), void *user)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(check(user) ? 0 : 1); /* past the leak check: this child frees nothing */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

static bool sees_all(void *user)
{
    return is_whole(user);
}

static bool sees_zeros(void *user)
{
    const struct fixture *f = user;
    return f->large->data[0] == 0 && f->large->data[LARGE - 1] == 0 && f->text.data[0] == 0;
}

static void test_wiped_without(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    assert_true(in_child(sees_zeros, &f));
    assert_true(is_whole(&f));
    fixture_free(&f);
}

struct child {
    struct fixture *f;
    struct secret_fork *fork;
    bool locks;  /* memory can be locked: not without a limit, nor under AddressSanitizer */
    long locked; /* in the parent */
};

static bool goes_on(void *user)
{
    struct child *c = user;
    return is_whole(c->f) && locked_kib() == 0 && secret_fork_settle(c->fork) && is_whole(c->f) &&
           (!c->locks || locked_kib() == c->locked) && in_child(sees_zeros, c->f);
}

static void test_child_goes_on(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    long before = locked_kib();
    struct fixture f = fixture_new();
    struct child c = {.f = &f, .locked = locked_kib()};
    c.locks = c.locked > before;
    c.fork = secret_fork_prepare(&error);
    assert_non_null(c.fork);
    assert_true(in_child(goes_on, &c));
    assert_true(in_child(sees_all, &f));
    secret_fork_free(c.fork);
    fixture_free(&f);
}

/* A server that stays in the foreground settles in the same process. */
static void test_no_fork(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct fixture f = fixture_new();
    long locked = locked_kib();
    struct secret_fork *fork = secret_fork_prepare(&error);
    assert_non_null(fork);
    assert_true(secret_fork_settle(fork));
    assert_int_equal(locked_kib(), locked);
    assert_true(in_child(sees_zeros, &f));
    assert_true(is_whole(&f));
    fixture_free(&f);
}

int main(void)
{
    bool locked;
    secret_process_init(&locked);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wiped_without),
        cmocka_unit_test(test_child_goes_on),
        cmocka_unit_test(test_no_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
