/* Tests of vmdk/copy_ring: the kernel's io_uring, and a kernel that forbids it. */
#include "vmdk/copy_ring.h"
#include "vmdk/copy.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MIB = 1 << 20, PIECE = 8192 };

/* Skips the test where io_uring is not to be had. */
static struct copy_ring *ring_for(int fd)
{
    struct copy_ring *r = copy_ring_open(fd);
    if (r == NULL) {
        print_message("io_uring: %s\n", strerror(errno));
        skip();
    }
    return r;
}

static int result_of(int fd, const void *data, size_t length, uint64_t offset)
{
    int result = 0;
    struct copy_ring *r = ring_for(fd);
    struct copy_run run = {NULL, data, length, offset};
    assert_null(copy_ring_reap(r, false, &result));
    assert_true(copy_ring_submit(r, &run));
    assert_ptr_equal(copy_ring_reap(r, true, &result), &run);
    assert_null(copy_ring_reap(r, false, &result));
    copy_ring_close(r);
    return result;
}

/* As many as it takes, twice around, each of them once. */
static void all_come_back(void **state)
{
    struct fixture *f = *state;
    enum { ALL = COPY_RING * PIECE };
    uint8_t *content = malloc(ALL), *got = malloc(ALL);
    struct copy_run runs[COPY_RING];
    fill_noise(content, ALL, 0);
    int fd = open(fixture_path(f, "out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct copy_ring *r = ring_for(fd);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COPY_RING; i++) {
            runs[i] =
                (struct copy_run){NULL, content + (size_t)i * PIECE, PIECE,
                                  (uint64_t)round * ALL + (uint64_t)(COPY_RING - 1 - i) * PIECE};
            assert_true(copy_ring_submit(r, &runs[i]));
        }
        for (int i = 0; i < COPY_RING; i++) {
            int result = 0;
            struct copy_run *run = copy_ring_reap(r, true, &result);
            assert_in_range(run - runs, 0, COPY_RING - 1);
            assert_non_null(run->data);
            run->data = NULL;
            assert_int_equal(result, PIECE);
        }
        assert_int_equal(pread(fd, got, ALL, (off_t)round * ALL), ALL);
        for (int i = 0; i < COPY_RING; i++)
            assert_memory_equal(got + (size_t)(COPY_RING - 1 - i) * PIECE,
                                content + (size_t)i * PIECE, PIECE);
    }
    copy_ring_close(r);
    close(fd);
    free(content);
    free(got);
}

static void results(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = calloc(1, MIB);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(result_of(full, data, PIECE, 0), -ENOSPC);
    close(full);
    const char *path = fixture_sized(f, "out", 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(result_of(fd, data, PIECE, 0), -EBADF);
    close(fd);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    struct rlimit old, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = MIB + PIECE;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int half = result_of(fd, data, (size_t)2 * PIECE, MIB);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(half, PIECE);
    close(fd);
    free(data);
}

/* As containers do it. */
static bool forbid(unsigned call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Exit status of a process that copies DISK to PATH where CALL is forbidden. */
static int copy_without(unsigned call, const struct disk *disk, const char *path, int refused)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error error = ERROR_INIT;
        struct copy_stats stats;
        struct file_output out;
        const struct copy_options options = {.cache = COPY_DIRECT};
        if (!forbid(call))
            _exit(77);
        bool ok = file_create(&out, path, 0600, true, &error) &&
                  disk_copy_with(disk, &options, &out, &stats, &error) &&
                  file_publish(&out, &error);
        if (!ok)
            fprintf(stderr, "%s\n", error.message);
        _exit(!ok ? 1 : stats.direct_refused ? 77 : stats.ring_refused != refused ? 2 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Setting up, and what is only met at the first write. */
static void forbidden(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    enum { SIZE = 7 * MIB + 512 };
    uint8_t *content = malloc(SIZE), *got = malloc(SIZE);
    fill_noise(content, SIZE, 24 << 10);
    struct disk *disk = disk_open_raw(fixture_write_at(f, "in.raw", content, SIZE, 0), &error);
    const char *path = fixture_path(f, "out.raw");
    copy_ring_close(ring_for(0));
    static const unsigned CALLS[] = {SYS_io_uring_setup, SYS_io_uring_enter};
    static const int REFUSED[] = {EPERM, 0};
    for (size_t i = 0; i < 2; i++) {
        int status = copy_without(CALLS[i], disk, path, REFUSED[i]);
        if (status == 77)
            skip();
        assert_int_equal(status, 0);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread(fd, got, SIZE, 0), SIZE);
        close(fd);
        assert_memory_equal(got, content, SIZE);
    }
    disk_close(disk);
    free(content);
    free(got);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(all_come_back),
        with_files(results),
        with_files(forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
