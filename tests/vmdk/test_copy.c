/* Tests of vmdk/copy: content, holes, encrypting, and how it fails. */
#include "vmdk/copy.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <signal.h>
#include <time.h>
#include <openssl/sha.h>
#include <sys/resource.h>

enum { SECTOR = SECTOR_BYTES, MIB = 1 << 20 };

static struct disk *open_raw(const char *path)
{
    struct error error = ERROR_INIT;
    struct disk *disk = disk_open_raw(path, &error);
    if (disk == NULL)
        fail_msg("%s", error.message);
    return disk;
}

/* Copy DISK to NAME and return its content, of SIZE bytes. */
static uint8_t *copied(struct fixture *f, const struct disk *disk, const struct xts *x,
                       const char *name, struct copy_stats *stats)
{
    struct error error = ERROR_INIT;
    struct file_output out;
    const char *path = fixture_path(f, name);
    size_t size = (size_t)disk_size(disk);
    assert_true(file_create(&out, path, 0600, true, &error));
    if (!disk_copy(disk, x, &out, NULL, stats, &error))
        fail_msg("%s", error.message);
    assert_true(file_publish(&out, &error));
    assert_int_equal(stats->bytes, size);
    uint8_t *data = malloc(size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_int_equal(pread(fd, data, size, 0), size);
    close(fd);
    return data;
}

static uint64_t allocated(struct fixture *f, const char *name)
{
    struct stat st;
    assert_int_equal(stat(fixture_path(f, name), &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

/* Sizes that end in every way a chunk or block can. */
static void content_is_kept(void **state)
{
    struct fixture *f = *state;
    static const size_t SIZES[] = {1, 7, 8, 9, 2047, 2048, 2049, 4095, 4096, 4097, 6000, 40961};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        size_t size = SIZES[i] * SECTOR;
        uint8_t *content = malloc(size);
        struct copy_stats stats;
        fill_noise(content, size, 24 << 10);
        unlink(fixture_path(f, "in.raw"));
        struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, size, 0));
        uint8_t *got = copied(f, disk, NULL, "out.raw", &stats);
        assert_memory_equal(got, content, size);
        /* All zeros were skipped: 24 KiB of every whole 64. */
        assert_true(stats.written <= size - size / 65536 * (24 << 10));
        disk_close(disk);
        free(content);
        free(got);
    }
}

static void holes_stay(void **state)
{
    struct fixture *f = *state;
    struct copy_stats stats;
    uint8_t one = 1;
    fixture_sized(f, "in.raw", 512 * MIB);
    fixture_write_at(f, "in.raw", &one, 1, 5 * MIB + 12345);
    struct disk *disk = open_raw(fixture_write_at(f, "in.raw", &one, 1, 512 * MIB - 1));
    uint8_t *got = copied(f, disk, NULL, "out.raw", &stats);
    assert_int_equal(stats.written, 2 * 4096);
    assert_true(allocated(f, "out.raw") <= 64 << 10);
    assert_int_equal(got[5 * MIB + 12345], 1);
    assert_int_equal(got[512 * MIB - 1], 1);
    disk_close(disk);
    free(got);
}

/* Encrypted by the copy, and decrypted again by a disk over the result. */
static void encrypt_round_trip(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    static const size_t UNITS[] = {512, 4096, 65536};
    enum { SIZE = 5 * MIB };
    uint8_t *content = malloc(SIZE), *expected = malloc(SIZE);
    fill_noise(content, SIZE, 24 << 10);
    memset(content + MIB, 0, MIB);
    memset(content + 3 * MIB + SECTOR, 0, 3 * SECTOR);
    for (size_t i = 0; i < 3; i++) {
        struct copy_stats stats;
        struct xts *x = xts_new(v.dek.key, UNITS[i], &error);
        struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, SIZE, 0));
        uint8_t *got = copied(f, disk, x, "e-flat.vmdk", &stats);
        disk_close(disk);
        xts_free(x);
        memcpy(expected, content, SIZE);
        vault_encrypt(&v, expected, SIZE, UNITS[i]);
        assert_memory_equal(got, expected, SIZE);
        assert_true(allocated(f, "e-flat.vmdk") <= SIZE - MIB + (64 << 10));
        free(got);
        const char *path = vault_descriptor(f, &v, "e.vmdk",
                                            "# Disk DescriptorFile\ncreateType=\"vmfs\"\n"
                                            "RW 10240 VMFS \"e-flat.vmdk\"\n");
        disk = disk_open(path, &(struct disk_options){.keyring = &v.ring, .unit_bytes = UNITS[i]},
                         &error);
        assert_non_null(disk);
        got = copied(f, disk, NULL, "d.raw", &stats);
        assert_memory_equal(got, content, SIZE);
        disk_close(disk);
        free(got);
    }
    free(content);
    free(expected);
    vault_free(&v);
}

/* Every way of mixing holes and data with units larger than a block. */
static void ragged_holes(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    enum { SIZE = 4 * MIB };
    struct copy_stats stats;
    uint8_t *content = calloc(1, SIZE);
    uint32_t seed = 7;
    fixture_sized(f, "in.raw", SIZE);
    for (int i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t at = seed % (SIZE - 20000);
        size_t length = 1 + (seed >> 13) % 9000;
        fill_noise(content + at, length, 0);
        fixture_write_at(f, "in.raw", content + at, length, (off_t)at);
        free((char *)f->paths[--f->count]);
    }
    struct xts *x = xts_new(v.dek.key, 16384, &error);
    struct disk *disk = open_raw(fixture_path(f, "in.raw"));
    uint8_t *got = copied(f, disk, NULL, "plain.raw", &stats);
    assert_memory_equal(got, content, SIZE);
    free(got);
    got = copied(f, disk, x, "e.raw", &stats);
    vault_encrypt(&v, content, SIZE, 16384);
    assert_memory_equal(got, content, SIZE);
    free(got);
    free(content);
    disk_close(disk);
    xts_free(x);
    vault_free(&v);
}

struct watch {
    uint64_t last;
    int calls, stop_at;
};

static bool stop_at_call(void *user, uint64_t done, uint64_t total)
{
    struct watch *w = user;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    return ++w->calls != w->stop_at;
}

/* At the start, on the way and at the end. */
static void interrupted(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    uint8_t *content = malloc(64 * MIB);
    fill_noise(content, 64 * MIB, 0);
    struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, 64 * MIB, 0));
    free(content);
    for (int at = 1; at < 4; at++) {
        struct watch w = {.stop_at = at};
        struct progress progress = {stop_at_call, &w};
        const struct copy_options slow = {.rate = at == 1 ? 0 : 256 * MIB, .progress = &progress};
        assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
        assert_false(disk_copy_with(disk, &slow, &out, &stats, &error));
        assert_error(error, ERROR_FAILED, "interrupted");
        file_abandon(&out);
        assert_false(file_exists(fixture_path(f, "out.raw")));
    }
    disk_close(disk);
}

/* A limit stands in for a file system that cannot hold it. */
static void output_full(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    struct rlimit old, small;
    struct disk *disk = open_raw(fixture_sized(f, "in.raw", 3 * MIB));
    assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 2 * MIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool copied_it = disk_copy(disk, NULL, &out, NULL, &stats, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(copied_it);
    assert_error(error, ERROR_FAILED, "as large as the disk");
    assert_non_null(strstr(error.file, "out.raw.partial"));
    file_abandon(&out);
    disk_close(disk);
}

/* An extent that shrinks while it is copied is an error, never zeros; a block boundary is where a
 * search for holes could take the missing part for one. */
static void source_fails(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    static const off_t ENDS[] = {2 * MIB - 100, 2 * MIB};
    uint8_t *content = malloc(3 * MIB);
    fill_noise(content, 3 * MIB, 0);
    for (size_t i = 0; i < 2; i++) {
        const char *path = fixture_write_at(f, "in.raw", content, 3 * MIB, 0);
        struct disk *disk = open_raw(path);
        assert_int_equal(truncate(path, ENDS[i]), 0);
        assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
        assert_false(disk_copy(disk, NULL, &out, NULL, &stats, &error));
        assert_error(error, ERROR_DAMAGED, "ends here");
        assert_int_equal(error.offset, ENDS[i]);
        assert_string_equal(error.file, path);
        file_abandon(&out);
        disk_close(disk);
    }
    free(content);
}

static void unit_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    struct vault v = vault_make();
    struct xts *x = xts_new(v.dek.key, 4096, &error);
    struct disk *disk = open_raw(fixture_sized(f, "in.raw", 9 * SECTOR));
    assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
    assert_false(disk_copy(disk, x, &out, NULL, &stats, &error));
    assert_error(error, ERROR_FAILED, "no multiple");
    file_abandon(&out);
    disk_close(disk);
    xts_free(x);
    vault_free(&v);
}

/* A file that holds 0xff everywhere, as an output that is not new. */
static void dirty(struct file_output *out, const char *path, size_t size)
{
    struct error error = ERROR_INIT;
    uint8_t *ones = malloc(size);
    memset(ones, 0xff, size);
    assert_true(file_create(out, path, 0600, true, &error));
    assert_true(file_write_at(out->fd, out->partial, ones, size, 0, &error));
    free(ones);
}

static void check_content(struct file_output *out, const uint8_t *content, size_t size)
{
    uint8_t *got = malloc(size);
    assert_int_equal(pread(out->fd, got, size, 0), size);
    assert_memory_equal(got, content, size);
    free(got);
}

/* Any number of threads, any mode, the same bytes; digests are OpenSSL's of the whole. */
static void threads_and_digests(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    enum { SIZE = 9 * MIB + 3 * SECTOR };
    uint8_t *content = malloc(SIZE), expected[COPY_DIGEST];
    fill_noise(content, SIZE, 24 << 10);
    memset(content + 3 * MIB, 0, 2 * MIB);
    fixture_sized(f, "in.raw", SIZE);
    fixture_write_at(f, "in.raw", content, 3 * MIB, 0);
    const char *path = fixture_write_at(f, "in.raw", content + 5 * MIB, SIZE - 5 * MIB, 5 * MIB);
    const char *out_path = fixture_path(f, "out.raw");
    SHA256(content, SIZE, expected);
    struct disk *disk = open_raw(path);
    for (unsigned threads = 1; threads <= COPY_THREADS_MAX + 1; threads += 3) {
        for (int mode = 0; mode < 4; mode++) {
            struct copy_digests digests;
            struct copy_stats stats;
            struct file_output out;
            const struct copy_options options = {.threads = threads,
                                                 .digests = mode & 1 ? &digests : NULL,
                                                 .cache = mode & 2 ? COPY_DIRECT : COPY_CACHED,
                                                 .dense = mode == 3};
            if (options.dense)
                dirty(&out, out_path, SIZE);
            else
                assert_true(file_create(&out, out_path, 0600, true, &error));
            if (!disk_copy_with(disk, &options, &out, &stats, &error))
                fail_msg("%s", error.message);
            check_content(&out, content, SIZE);
            if (options.digests != NULL) {
                assert_memory_equal(digests.stored, expected, COPY_DIGEST);
                assert_memory_equal(digests.result, expected, COPY_DIGEST);
            }
            if (options.dense)
                assert_int_equal(stats.written, SIZE);
            else
                assert_true(stats.holes >= 2 * MIB);
            file_abandon(&out);
        }
    }
    disk_close(disk);
    free(content);
}

/* Disjoint parts by separate copies; what is not in a part is not touched. */
static void parts(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    enum { SIZE = 5 * MIB + SECTOR };
    uint8_t *content = malloc(SIZE);
    struct copy_stats stats;
    struct file_output out;
    fill_noise(content, SIZE, 0);
    struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, SIZE, 0));
    dirty(&out, fixture_path(f, "out.raw"), SIZE);
    struct copy_options options = {.offset = 2 * MIB, .length = MIB};
    assert_true(disk_copy_with(disk, &options, &out, &stats, &error));
    assert_int_equal(stats.bytes, MIB);
    uint8_t *got = malloc(SIZE);
    assert_int_equal(pread(out.fd, got, SIZE, 0), SIZE);
    assert_memory_equal(got + 2 * MIB, content + 2 * MIB, MIB);
    assert_int_equal(got[2 * MIB - 1], 0xff);
    assert_int_equal(got[3 * MIB], 0xff);
    free(got);
    options = (struct copy_options){.offset = 3 * MIB};
    assert_true(disk_copy_with(disk, &options, &out, &stats, &error));
    options = (struct copy_options){.length = 2 * MIB};
    assert_true(disk_copy_with(disk, &options, &out, &stats, &error));
    check_content(&out, content, SIZE);
    static const struct copy_options WRONG[] = {
        {.offset = 512}, {.length = 512}, {.offset = 6 * MIB}, {.length = 6 * MIB}};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        assert_false(disk_copy_with(disk, &WRONG[i], &out, &stats, &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
    file_abandon(&out);
    disk_close(disk);
    free(content);
}

static void rate(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    struct timespec from, to;
    uint8_t *content = malloc(4 * MIB);
    fill_noise(content, 4 * MIB, 0);
    struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, 4 * MIB, 0));
    free(content);
    assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
    clock_gettime(CLOCK_MONOTONIC, &from);
    const struct copy_options options = {.rate = 10 * MIB};
    assert_true(disk_copy_with(disk, &options, &out, &stats, &error));
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    assert_true(seconds > 0.25);
    file_abandon(&out);
    disk_close(disk);
}

/* The first difference, whichever thread meets another one before. */
static void comparing(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    enum { SIZE = 12 * MIB };
    uint8_t *content = malloc(SIZE);
    fill_noise(content, SIZE, 0);
    memset(content + 4 * MIB, 0, 4 * MIB);
    fixture_sized(f, "a.raw", SIZE);
    fixture_write_at(f, "a.raw", content, 4 * MIB, 0);
    struct disk *a = open_raw(fixture_write_at(f, "a.raw", content + 8 * MIB, 4 * MIB, 8 * MIB));
    struct disk *b = open_raw(fixture_write_at(f, "b.raw", content, SIZE, 0));
    struct copy_stats stats;
    struct copy_digests digests;
    bool equal;
    uint64_t at;
    for (int hashed = 0; hashed < 2; hashed++) {
        const struct copy_options options = {.threads = 4, .digests = hashed ? &digests : NULL};
        assert_true(disk_compare(a, b, &options, &equal, &at, &stats, &error));
        assert_true(equal);
        static const off_t PLACES[] = {11 * MIB + 5, 9 * MIB + 1, 6 * MIB, 3 * MIB + 4095, 0};
        for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
            uint8_t other = content[PLACES[i]] ^ 1;
            fixture_write_at(f, "b.raw", &other, 1, PLACES[i]);
            assert_true(disk_compare(a, b, &options, &equal, &at, &stats, &error));
            assert_false(equal);
            assert_int_equal(at, PLACES[i]);
        }
        fixture_write_at(f, "b.raw", content, SIZE, 0);
    }
    struct disk *small = open_raw(fixture_sized(f, "c.raw", MIB));
    assert_false(disk_compare(a, small, &(struct copy_options){0}, &equal, &at, &stats, &error));
    assert_error(error, ERROR_DAMAGED, "differ in size");
    disk_close(small);
    disk_close(a);
    disk_close(b);
    free(content);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(content_is_kept),
        with_files(holes_stay),
        with_files(encrypt_round_trip),
        with_files(ragged_holes),
        with_files(interrupted),
        with_files(output_full),
        with_files(source_fails),
        with_files(unit_does_not_fit),
        with_files(threads_and_digests),
        with_files(parts),
        with_files(rate),
        with_files(comparing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
