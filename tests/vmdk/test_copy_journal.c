/* Tests of vmdk/copy_journal: what is kept, what is refused, what a torn or foreign one does. */
#include "vmdk/copy_journal.h"

#include "tests/vmdk/encrypted_fixture.h"

enum { MIB = 1 << 20, SLOT = 64 << 10 };

static struct copy_identity identity(void)
{
    return (struct copy_identity){.operation = COPY_DECRYPT,
                                  .size = 64 * MIB,
                                  .unit_bytes = 512,
                                  .extents = {1},
                                  .files = {2},
                                  .key = {3}};
}

static struct copy_journal *open_it(const char *path)
{
    struct error error = ERROR_INIT;
    struct copy_identity i = identity();
    struct copy_journal *j = copy_journal_open(path, &i, 0, 64 * MIB, &error);
    if (j == NULL)
        fail_msg("%s", error.message);
    return j;
}

static void keeps(void **state)
{
    struct error error = ERROR_INIT;
    const char *path = fixture_path(*state, "j");
    struct copy_journal *j = open_it(path);
    assert_int_equal(copy_journal_done(j), 0);
    struct copy_bad *bad = calloc(1, sizeof *bad);
    *bad = (struct copy_bad){.count = 3, .ranges = {{0, 512}, {3 * MIB - 512, 4096}, {9 * MIB, 1}}};
    for (uint64_t done = 1; done <= 3; done++) {
        assert_true(copy_journal_record(j, done * MIB, bad, &error));
        copy_journal_close(j);
        j = open_it(path);
        assert_int_equal(copy_journal_done(j), done * MIB);
    }
    /* Ranges behind what is done will be met again. */
    copy_journal_bad(j, bad);
    assert_int_equal(bad->count, 2);
    assert_int_equal(bad->ranges[1].length, 512);
    copy_journal_close(j);
    free(bad);
}

static void locked(void **state)
{
    struct error error = ERROR_INIT;
    struct copy_identity i = identity();
    const char *path = fixture_path(*state, "j");
    struct copy_journal *j = open_it(path);
    assert_null(copy_journal_open(path, &i, 0, 64 * MIB, &error));
    assert_error(error, ERROR_FAILED, "another process");
    copy_journal_close(j);
}

static void foreign(void **state)
{
    const char *path = fixture_path(*state, "j");
    copy_journal_close(open_it(path));
    static const char *const SAYS[] = {"operation", "size of the disk", "descriptor",
                                       "extent",    "data unit",        "data unit",
                                       "disk key",  "zero-units",       "bad-sectors"};
    for (int k = 0; k < 9; k++) {
        struct error error = ERROR_INIT;
        struct copy_identity i = identity();
        if (k == 0)
            i.operation = COPY_ENCRYPT;
        i.size += k == 1 ? 512 : 0;
        i.extents[5] = k == 2;
        i.files[0] += k == 3;
        i.unit_bytes += k == 4;
        i.first_unit = k == 5;
        i.key[15] = k == 6;
        i.decrypt_zero_units = k == 7;
        i.bad_as_zeros = k == 8;
        assert_null(copy_journal_open(path, &i, 0, 64 * MIB, &error));
        assert_error(error, ERROR_FAILED, SAYS[k]);
    }
    struct error error = ERROR_INIT;
    struct copy_identity i = identity();
    assert_null(copy_journal_open(path, &i, 0, 32 * MIB, &error));
    assert_error(error, ERROR_FAILED, "another part");
}

/* Every byte of the newest slot counts: with any of them changed the slot before is taken, and with
 * both changed the journal is refused. Cut off anywhere it is refused. */
static void torn(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    const char *path = fixture_path(f, "j");
    struct copy_identity i = identity();
    struct copy_journal *j = open_it(path);
    assert_true(copy_journal_record(j, 5 * MIB, NULL, &error)); /* slot 1 */
    assert_true(copy_journal_record(j, 7 * MIB, NULL, &error)); /* slot 0 */
    copy_journal_close(j);
    static uint8_t good[2 * SLOT], bad[2 * SLOT];
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, good, sizeof good, 0), sizeof good);
    for (size_t at = 0; at < SLOT; at += at < 200 || at > SLOT - 40 ? 1 : 997) {
        memcpy(bad, good, sizeof bad);
        bad[at] ^= 0x40;
        assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
        j = open_it(path);
        assert_int_equal(copy_journal_done(j), 5 * MIB);
        copy_journal_close(j);
    }
    bad[SLOT + 100] ^= 1;
    assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
    assert_null(copy_journal_open(path, &i, 0, 64 * MIB, &error));
    assert_error(error, ERROR_DAMAGED, "damaged");
    assert_int_equal(pwrite(fd, good, sizeof good, 0), sizeof good);
    static const off_t ENDS[] = {2 * SLOT - 1, SLOT, 100, 0};
    for (size_t k = 0; k < 4; k++) {
        assert_int_equal(ftruncate(fd, ENDS[k]), 0);
        assert_null(copy_journal_open(path, &i, 0, 64 * MIB, &error));
        assert_error(error, ERROR_DAMAGED, "damaged");
    }
    close(fd);
}

/* The digests tell disks, keys and times apart, and nothing else does. */
static void identities(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make(), w = vault_make();
    static const char TEXT[] = "# Disk DescriptorFile\ncreateType=\"vmfs\"\nRW 2048 VMFS \"e\"\n";
    struct copy_identity a, b;
    fixture_sized(f, "e", MIB);
    const char *path = vault_descriptor(f, &v, "a.vmdk", TEXT);
    const struct disk_options options = {.keyring = &v.ring};
    for (int k = 0; k < 2; k++) {
        struct disk *disk = disk_open(path, &options, &error);
        assert_non_null(disk);
        assert_true(copy_identify(disk, NULL, COPY_DECRYPT, k == 0 ? &a : &b, &error));
        disk_close(disk);
    }
    assert_memory_equal(a.extents, b.extents, sizeof a.extents);
    assert_memory_equal(a.files, b.files, sizeof a.files);
    assert_memory_equal(a.key, b.key, sizeof a.key);
    assert_int_equal(a.unit_bytes, 512);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 5}};
    assert_int_equal(utimensat(AT_FDCWD, fixture_path(f, "e"), times, 0), 0);
    struct disk *disk = disk_open(path, &options, &error);
    assert_true(copy_identify(disk, NULL, COPY_DECRYPT, &b, &error));
    assert_memory_not_equal(a.files, b.files, sizeof a.files);
    assert_memory_equal(a.extents, b.extents, sizeof a.extents);
    assert_memory_equal(a.key, b.key, sizeof a.key);
    disk_close(disk);
    disk = disk_open_raw(fixture_path(f, "e"), &error);
    for (int k = 0; k < 2; k++) {
        struct xts *x = xts_new(k == 0 ? v.dek.key : w.dek.key, 512, &error);
        const struct copy_cipher cipher = {.xts = x};
        assert_true(copy_identify(disk, &cipher, COPY_ENCRYPT, k == 0 ? &a : &b, &error));
        xts_free(x);
    }
    assert_memory_not_equal(a.key, b.key, sizeof a.key);
    assert_memory_equal(a.extents, b.extents, sizeof a.extents);
    disk_close(disk);
    vault_free(&v);
    vault_free(&w);
}

static bool stop_soon(void *user, uint64_t done, uint64_t total)
{
    (void)total;
    *(uint64_t *)user = done;
    return done < 20 * MIB;
}

/* Stopped and gone on with again and again, with dirt behind what was recorded; with digests what
 * was done is read again, and must still be there. */
static void resumed(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 40 * MIB };
    struct error error = ERROR_INIT;
    struct copy_stats stats;
    struct file_output out;
    uint64_t at;
    uint8_t *content = malloc(SIZE), *got = malloc(SIZE);
    fill_noise(content, SIZE, 24 << 10);
    struct disk *disk = disk_open_raw(fixture_write_at(f, "in", content, SIZE, 0), &error);
    struct copy_identity id;
    assert_true(copy_identify(disk, NULL, COPY_DECRYPT, &id, &error));
    assert_true(file_create(&out, fixture_path(f, "out"), 0600, true, &error));
    const char *path = fixture_path(f, "j");
    struct copy_journal *j = copy_journal_open(path, &id, 0, SIZE, &error);
    struct progress progress = {stop_soon, &at};
    struct copy_options options = {.journal = j, .progress = &progress, .rate = 100 * MIB};
    assert_false(disk_copy_with(disk, &options, &out, &stats, &error));
    copy_journal_close(j);
    j = copy_journal_open(path, &id, 0, SIZE, &error);
    uint64_t done = copy_journal_done(j);
    assert_true(done >= MIB && done < SIZE);
    struct copy_digests digests;
    options = (struct copy_options){.journal = j, .digests = &digests};
    got[0] = content[MIB / 2] ^ 1;
    assert_int_equal(pwrite(out.fd, got, 1, MIB / 2), 1);
    assert_false(disk_copy_with(disk, &options, &out, &stats, &error));
    assert_error(error, ERROR_DAMAGED, "not there any more");
    assert_int_equal(error.offset, MIB / 2);
    assert_int_equal(pwrite(out.fd, content + MIB / 2, 1, MIB / 2), 1);
    assert_true(disk_copy_with(disk, &options, &out, &stats, &error));
    assert_int_equal(stats.kept, copy_journal_done(j) == SIZE ? stats.kept : 0);
    assert_int_equal(copy_journal_done(j), SIZE);
    assert_int_equal(pread(out.fd, got, SIZE, 0), SIZE);
    assert_memory_equal(got, content, SIZE);
    copy_journal_close(j);
    file_abandon(&out);
    disk_close(disk);
    free(content);
    free(got);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(keeps), with_files(locked),     with_files(foreign),
        with_files(torn),  with_files(identities), with_files(resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
