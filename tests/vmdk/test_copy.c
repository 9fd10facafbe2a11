/* Tests of vmdk/copy: content, holes, encrypting, and how it fails. */
#include "vmdk/copy.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <signal.h>
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

static bool stop_at_32_mib(void *user, uint64_t done, uint64_t total)
{
    uint64_t *last = user;
    assert_true(done >= *last && done <= total);
    *last = done;
    return done < 32 * MIB;
}

static void interrupted(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    uint64_t last = 0;
    struct progress progress = {stop_at_32_mib, &last};
    uint8_t *content = malloc(64 * MIB);
    fill_noise(content, 64 * MIB, 0);
    struct disk *disk = open_raw(fixture_write_at(f, "in.raw", content, 64 * MIB, 0));
    free(content);
    assert_true(file_create(&out, fixture_path(f, "out.raw"), 0600, false, &error));
    assert_false(disk_copy(disk, NULL, &out, &progress, &stats, &error));
    assert_error(error, ERROR_FAILED, "interrupted");
    assert_int_equal(last, 32 * MIB);
    file_abandon(&out);
    assert_false(file_exists(fixture_path(f, "out.raw")));
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

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(content_is_kept), with_files(holes_stay),        with_files(encrypt_round_trip),
        with_files(ragged_holes),    with_files(interrupted),       with_files(output_full),
        with_files(source_fails),    with_files(unit_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
