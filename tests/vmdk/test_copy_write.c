/* Tests of vmdk/copy_write: a copy whose writes end late, in any order, short or not at all. The
 * functions of copy_ring.h here take the place of those that use io_uring. */
#include "vmdk/copy.h"
#include "vmdk/copy_journal.h"
#include "vmdk/copy_ring.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <openssl/sha.h>

enum { MIB = 1 << 20, SIZE = 9 * MIB + 1536, FAULTS = 2 };

/* What the ring does; set before a copy begins. */
static struct {
    bool last_first;
    int refuse_open;              /* errno */
    unsigned refuse_submit_after; /* this many; 0: never */
    int result;                   /* of the runs chosen: a negative errno, or 1 for half of it */
    unsigned each;                /* every so many'th run is chosen; 0: none */
    uint64_t faults[FAULTS];      /* as are those with one of these bytes */
    bool lost;
} script;

/* What happened to it. */
static struct {
    pthread_mutex_t lock;
    unsigned opened, submitted, most, chosen;
    const void *held; /* where the leak checker finds what is left to the kernel */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct copy_ring {
    int fd; /* not for direct I/O: a half of a run may end anywhere */
    unsigned count, submitted;
    struct copy_run *runs[COPY_RING];
};

struct copy_ring *copy_ring_open(int fd)
{
    char path[64];
    pthread_mutex_lock(&seen.lock);
    seen.opened++;
    pthread_mutex_unlock(&seen.lock);
    errno = script.refuse_open;
    if (script.refuse_open != 0)
        return NULL;
    struct copy_ring *r = calloc(1, sizeof *r);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    r->fd = open(path, O_WRONLY | O_CLOEXEC);
    return r;
}

void copy_ring_close(struct copy_ring *r)
{
    if (r == NULL)
        return;
    if (!script.lost && r->count != 0)
        abort();
    close(r->fd);
    free(r);
}

bool copy_ring_submit(struct copy_ring *r, struct copy_run *run)
{
    if (r->count == COPY_RING || run->length % 4096 != 0 || run->offset % 4096 != 0 ||
        (uintptr_t)run->data % 4096 != 0)
        abort();
    if (script.refuse_submit_after != 0 && r->submitted >= script.refuse_submit_after)
        return false;
    r->runs[r->count++] = run;
    r->submitted++;
    pthread_mutex_lock(&seen.lock);
    seen.submitted++;
    seen.most = r->count > seen.most ? r->count : seen.most;
    seen.held = script.lost ? run->data : seen.held;
    pthread_mutex_unlock(&seen.lock);
    return true;
}

static bool is_chosen(const struct copy_run *run)
{
    pthread_mutex_lock(&seen.lock);
    bool chosen = script.each != 0 && ++seen.chosen % script.each == 0;
    pthread_mutex_unlock(&seen.lock);
    for (unsigned i = 0; i < FAULTS; i++)
        chosen = chosen || (script.faults[i] != 0 && script.faults[i] >= run->offset &&
                            script.faults[i] < run->offset + run->length);
    return chosen;
}

/* Nothing is written before it is waited for. */
struct copy_run *copy_ring_reap(struct copy_ring *r, bool wait, int *result)
{
    if (!wait || r->count == 0 || script.lost) {
        errno = ENXIO;
        return NULL;
    }
    unsigned i = script.last_first ? r->count - 1 : 0;
    struct copy_run *run = r->runs[i];
    memmove(&r->runs[i], &r->runs[i + 1], (--r->count - i) * sizeof r->runs[0]);
    bool chosen = is_chosen(run);
    size_t length = !chosen ? run->length : script.result > 0 ? run->length / 1024 * 512 : 0;
    *result = chosen && script.result < 0 ? script.result : (int)length;
    if (pwrite(r->fd, run->data, length, (off_t)run->offset) != (ssize_t)length)
        abort();
    return run;
}

struct job {
    struct fixture *fixture;
    uint8_t *content;
    struct disk *disk;
    struct file_output out;
    struct copy_stats stats;
    struct error error;
};

/* Noise with zeros in it, some of them holes. */
static struct job job_make(struct fixture *f)
{
    struct job j = {.fixture = f, .content = malloc(SIZE), .error = ERROR_INIT};
    memset(&script, 0, sizeof script);
    seen.opened = seen.submitted = seen.most = seen.chosen = 0;
    fill_noise(j.content, SIZE, 24 << 10);
    memset(j.content + 3 * MIB, 0, MIB);
    /* Two blocks of every four in one chunk: more runs than a ring holds. */
    for (size_t at = 5 * MIB; at < 6 * MIB; at += 16384)
        memset(j.content + at, 0, 8192);
    fixture_sized(f, "in.raw", SIZE);
    fixture_write_at(f, "in.raw", j.content, 3 * MIB, 0);
    j.disk = disk_open_raw(
        fixture_write_at(f, "in.raw", j.content + 4 * MIB, SIZE - 4 * MIB, 4 * MIB), &j.error);
    assert_non_null(j.disk);
    return j;
}

static void job_free(struct job *j)
{
    disk_close(j->disk);
    free(j->content);
}

static bool job_run(struct job *j, struct copy_options options)
{
    char path[128];
    snprintf(path, sizeof path, "%s/out.raw", j->fixture->directory);
    error_clear(&j->error);
    if (options.cache == COPY_AUTO)
        options.cache = COPY_DIRECT;
    assert_true(file_create(&j->out, path, 0600, true, &j->error));
    bool ok = disk_copy_with(j->disk, &options, &j->out, &j->stats, &j->error);
    if (j->stats.direct_refused) {
        file_abandon(&j->out);
        skip();
    }
    return ok;
}

static void check_bytes(struct job *j, size_t size)
{
    uint8_t *got = malloc(SIZE);
    assert_int_equal(pread(j->out.fd, got, SIZE, 0), SIZE);
    assert_memory_equal(got, j->content, size);
    free(got);
}

static void check_whole(struct job *j, bool ok)
{
    if (!ok)
        fail_msg("%s", j->error.message);
    check_bytes(j, SIZE);
    file_abandon(&j->out);
}

static void any_order(void **state)
{
    struct job j = job_make(*state);
    uint8_t expected[COPY_DIGEST];
    struct copy_digests digests;
    SHA256(j.content, SIZE, expected);
    check_whole(&j, job_run(&j, (struct copy_options){.cache = COPY_CACHED}));
    assert_int_equal(seen.opened, 0);
    uint64_t written = j.stats.written;
    for (unsigned threads = 1; threads <= COPY_THREADS_MAX; threads += 5) {
        for (int how = 0; how < 4; how++) {
            script.last_first = (how & 1) != 0;
            const struct copy_options options = {.threads = threads,
                                                 .digests = how & 2 ? &digests : NULL};
            seen.opened = seen.submitted = 0;
            check_whole(&j, job_run(&j, options));
            assert_int_equal(seen.opened, threads);
            assert_true(seen.submitted > 8);
            assert_int_equal(j.stats.written, written);
            assert_int_equal(j.stats.ring_refused, 0);
            if (options.digests != NULL)
                assert_memory_equal(digests.result, expected, COPY_DIGEST);
        }
    }
    assert_int_equal(seen.most, COPY_RING);
    job_free(&j);
}

/* What the ring did not write is written all the same. */
static void unfinished_runs(void **state)
{
    struct job j = job_make(*state);
    static const int RESULTS[] = {1, 0, -EINTR, -EAGAIN, -EINVAL};
    for (size_t i = 0; i < sizeof RESULTS / sizeof RESULTS[0]; i++) {
        for (unsigned each = 1; each < 4; each++) {
            script.result = RESULTS[i];
            script.each = each;
            script.last_first = each == 2;
            check_whole(&j, job_run(&j, (struct copy_options){.threads = 2}));
        }
    }
    job_free(&j);
}

static void check_failure(struct job *j, int cause, uint64_t offset)
{
    assert_int_equal(j->error.code, ERROR_FAILED);
    assert_int_equal(j->error.cause, cause);
    assert_int_equal(j->error.offset, offset);
    assert_string_equal(j->error.file, j->out.partial);
    assert_error(j->error, ERROR_FAILED, "cannot write: ");
}

/* Of two that fail the lower is told, though the other one ends first. */
static void errors(void **state)
{
    struct job j = job_make(*state);
    static const int CAUSES[] = {EIO, ENOSPC};
    for (int i = 0; i < 8; i++) {
        script.result = -CAUSES[i & 1];
        script.last_first = (i & 2) != 0;
        script.faults[0] = 5;
        script.faults[1] = MIB + 5;
        assert_false(job_run(&j, (struct copy_options){.threads = i & 4 ? 3 : 1}));
        check_failure(&j, CAUSES[i & 1], 0);
        file_abandon(&j.out);
    }
    job_free(&j);
}

/* The journal trusts only what has been written, not what was asked for. */
static void journal_after_error(void **state)
{
    struct job j = job_make(*state);
    const struct copy_identity identity = {.operation = COPY_DECRYPT, .size = SIZE};
    for (unsigned threads = 1; threads <= 7; threads += 3) {
        const char *path = fixture_path(j.fixture, "journal");
        unlink(path);
        struct copy_journal *journal = copy_journal_open(path, &identity, 0, SIZE, &j.error);
        assert_non_null(journal);
        script.result = -EIO;
        script.last_first = true;
        script.faults[0] = 5 * MIB + 110000;
        const struct copy_options options = {.threads = threads, .journal = journal};
        assert_false(job_run(&j, options));
        assert_int_equal(j.error.cause, EIO);
        assert_in_range(j.error.offset, 5 * MIB, 5 * MIB + 110000);
        uint64_t done = copy_journal_done(journal);
        assert_true(done <= 5 * MIB);
        if (threads == 1)
            assert_int_equal(done, 5 * MIB);
        check_bytes(&j, (size_t)done);
        /* Gone on with, it is whole. */
        script.faults[0] = 0;
        struct copy_options again = options;
        again.cache = COPY_DIRECT;
        if (!disk_copy_with(j.disk, &again, &j.out, &j.stats, &j.error))
            fail_msg("%s", j.error.message);
        assert_int_equal(j.stats.kept, done);
        check_whole(&j, true);
        copy_journal_close(journal);
    }
    job_free(&j);
}

/* A kernel or container without io_uring, and one that takes back its word. */
static void refused(void **state)
{
    struct job j = job_make(*state);
    script.refuse_open = EPERM;
    check_whole(&j, job_run(&j, (struct copy_options){.threads = 2}));
    assert_int_equal(j.stats.ring_refused, EPERM);
    assert_int_equal(seen.submitted, 0);
    script.refuse_open = 0;
    for (unsigned after = 1; after < 40; after += 13) {
        script.refuse_submit_after = after;
        seen.submitted = 0;
        check_whole(&j, job_run(&j, (struct copy_options){.threads = 1}));
        assert_int_equal(seen.submitted, after);
    }
    job_free(&j);
}

/* With a limit no finished write waits behind the next turn. */
static void limited(void **state)
{
    struct job j = job_make(*state);
    check_whole(&j, job_run(&j, (struct copy_options){.rate = 1 << 30}));
    assert_int_equal(seen.opened, 0);
    assert_int_equal(j.stats.ring_refused, 0);
    job_free(&j);
}

static void lost(void **state)
{
    struct job j = job_make(*state);
    script.lost = true;
    assert_false(job_run(&j, (struct copy_options){.threads = 1}));
    assert_error(j.error, ERROR_FAILED, "cannot wait");
    assert_string_equal(j.error.file, j.out.partial);
    file_abandon(&j.out);
    job_free(&j);
}

static bool stop_at_second(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    return ++*(int *)user < 2;
}

/* copy_ring_close() above sees to it that nothing is under way. */
static void interrupted(void **state)
{
    struct job j = job_make(*state);
    int calls = 0;
    const struct progress progress = {stop_at_second, &calls};
    assert_false(job_run(&j, (struct copy_options){.threads = 3, .progress = &progress}));
    assert_error(j.error, ERROR_FAILED, "interrupted");
    file_abandon(&j.out);
    job_free(&j);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(any_order), with_files(unfinished_runs),
        with_files(errors),    with_files(journal_after_error),
        with_files(refused),   with_files(limited),
        with_files(lost),      with_files(interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
