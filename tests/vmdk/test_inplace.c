/* Tests of vmdk/inplace: the journal, slots, torn units, extents that must not be converted. What
 * crashes do to all of it together is tested by tests/crash. */
#include "vmdk/inplace.h"

#include "tests/vmdk/encrypted_fixture.h"

#include "vmdk/inplace_private.h"

#define HEAD "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\n"
#define FLAT HEAD "createType=\"twoGbMaxExtentFlat\"\n"

#define TEXT FLAT "RW 64 FLAT \"a\" 0\n"

enum { SECTOR = SECTOR_BYTES, DISK = 64 * SECTOR, SEGMENT = 16 * SECTOR, BIG_UNIT = 4096 };

/* A journal in memory. */
static struct journal make_journal(const char *old_text)
{
    struct journal j = {.fd = -1,
                        .operation = INPLACE_REENCRYPT,
                        .unit_bytes = SECTOR,
                        .segment_bytes = SEGMENT,
                        .disk_bytes = DISK,
                        .file_count = 2};
    j.files = calloc(2, sizeof *j.files);
    assert_non_null(j.files);
    j.files[0] = (struct journal_file){strdup("a.vmdk"), 1234};
    j.files[1] = (struct journal_file){strdup("b \xc3\xa9.vmdk"), 99999999999};
    assert_true(buffer_append_text(&j.texts[TEXT_OLD], old_text));
    assert_true(buffer_append_text(&j.texts[TEXT_MARKED], "marked"));
    assert_true(buffer_append_text(&j.texts[TEXT_NEW], "the new one"));
    return j;
}

static uint8_t *format(struct journal *j, size_t *length)
{
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    assert_true(journal_format(j, &out, &error));
    assert_int_equal(out.length, j->header_bytes);
    uint8_t *copy = malloc(out.length);
    assert_non_null(copy);
    memcpy(copy, out.data, out.length);
    *length = out.length;
    buffer_free(&out);
    return copy;
}

static enum error_code parse_fails(const uint8_t *data, size_t length)
{
    struct error error = ERROR_INIT;
    struct journal j = {.fd = -1};
    assert_false(journal_parse(&j, data, length, &error));
    journal_free(&j);
    return error.code;
}

static void test_header(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t length;
    struct journal j = make_journal("old"), again = {.fd = -1};
    uint8_t *data = format(&j, &length);
    assert_true(journal_parse(&again, data, length, &error));
    assert_int_equal(again.operation, INPLACE_REENCRYPT);
    assert_int_equal(again.unit_bytes, SECTOR);
    assert_int_equal(again.segment_bytes, SEGMENT);
    assert_int_equal(again.disk_bytes, DISK);
    assert_int_equal(again.file_count, 2);
    assert_string_equal(again.files[1].name, "b \xc3\xa9.vmdk");
    assert_int_equal(again.files[1].size, 99999999999);
    assert_int_equal(journal_recognize(&again, "old", 3), TEXT_OLD);
    assert_int_equal(journal_recognize(&again, "marked", 6), TEXT_MARKED);
    assert_int_equal(journal_recognize(&again, "the new one", 11), TEXT_NEW);
    assert_int_equal(journal_recognize(&again, "the new on", 10), TEXT_COUNT);
    assert_memory_equal(again.digest, j.digest, JOURNAL_DIGEST);
    journal_free(&again);
    for (size_t i = 0; i < length; i++) {
        data[i] ^= 0x40;
        enum error_code code = parse_fails(data, length);
        /* A byte of the version is another version. */
        assert_int_equal(code, i >= 8 && i < 12 ? ERROR_FAILED : ERROR_DAMAGED);
        data[i] ^= 0x40;
        assert_int_equal(parse_fails(data, i), ERROR_DAMAGED);
    }
    free(data);
    journal_free(&j);
}

/* Headers whose checksum holds, and that are nonsense all the same. */
static void test_header_nonsense(void **state)
{
    (void)state;
    static const struct {
        unsigned operation;
        size_t unit, segment;
        uint64_t disk;
    } CASES[] = {
        {0, 512, SEGMENT, DISK},
        {4, 512, SEGMENT, DISK},
        {1, 0, SEGMENT, DISK},
        {1, 256, SEGMENT, DISK},
        {1, 768, 768, 768},
        {1, 131072, 131072, 131072},
        {1, 512, 0, DISK},
        {1, 512, SEGMENT + 1, DISK},
        {1, 512, UINT32_C(512) << 20, DISK},
        {1, 512, SEGMENT, 0},
        {1, 512, SEGMENT, DISK + 1},
        {1, 512, SEGMENT, UINT64_C(1) << 63},
        {1, 4096, SEGMENT, DISK + 512},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        size_t length;
        struct journal j = make_journal("old");
        j.operation = (enum inplace_operation)CASES[i].operation;
        j.unit_bytes = CASES[i].unit;
        j.segment_bytes = CASES[i].segment;
        j.disk_bytes = CASES[i].disk;
        uint8_t *data = format(&j, &length);
        assert_int_equal(parse_fails(data, length), ERROR_DAMAGED);
        free(data);
        journal_free(&j);
    }
}

static uint8_t *make_slot(struct journal *j, uint64_t sequence, uint64_t position, uint64_t length)
{
    static uint8_t checksums[SEGMENT / SECTOR * 2 * JOURNAL_CHECKSUM];
    struct error error = ERROR_INIT;
    struct journal_slot slot = {.sequence = sequence,
                                .position = position,
                                .length = length,
                                .anchor = UINT64_MAX,
                                .checksums = checksums};
    memset(checksums, (int)(sequence + 1), sizeof checksums);
    /* Room for those that are too long, too. */
    uint8_t *data = calloc(4, journal_slot_bytes(j));
    assert_non_null(data);
    assert_true(journal_slot_format(j, &slot, data, &error));
    return data;
}

static bool slot_holds(const struct journal *j, const uint8_t *data)
{
    uint8_t checksums[SEGMENT / SECTOR * JOURNAL_CHECKSUM];
    struct journal_slot slot = {.checksums = checksums};
    return journal_slot_parse(j, data, &slot);
}

static void test_slot(void **state)
{
    (void)state;
    size_t length;
    struct journal j = make_journal("old"), other = make_journal("another");
    free(format(&j, &length));
    free(format(&other, &length));
    uint8_t *data = make_slot(&j, 7, SEGMENT, SEGMENT);
    assert_true(slot_holds(&j, data));
    assert_false(slot_holds(&other, data));
    size_t used = 48 + SEGMENT / SECTOR * JOURNAL_CHECKSUM + JOURNAL_DIGEST;
    for (size_t i = 0; i < used; i++) {
        data[i] ^= 1;
        assert_false(slot_holds(&j, data));
        data[i] ^= 1;
    }
    /* Torn at every byte, over zeros and over an older slot. */
    uint8_t *older = make_slot(&j, 5, 0, SEGMENT), *torn = calloc(4, journal_slot_bytes(&j));
    for (size_t i = 0; i < used; i++) {
        memset(torn, 0, journal_slot_bytes(&j));
        memcpy(torn, data, i);
        assert_false(slot_holds(&j, torn));
        memcpy(torn, older, journal_slot_bytes(&j));
        memcpy(torn, data, i);
        /* The first byte is the only one that can be all of the difference in the sequence. */
        assert_int_equal(slot_holds(&j, torn), i == 0);
    }
    free(torn);
    free(older);
    free(data);
    static const uint64_t NONSENSE[][3] = {
        {0, 0, SEGMENT},          {1, 0, 0},
        {1, 0, SEGMENT + SECTOR}, {1, 1, SEGMENT},
        {1, 0, SEGMENT - 1},      {1, DISK - SEGMENT + SECTOR, SEGMENT},
        {1, DISK, SECTOR},        {1, UINT64_MAX - 511, SECTOR},
    };
    for (size_t i = 0; i < sizeof NONSENSE / sizeof NONSENSE[0]; i++) {
        data = make_slot(&j, NONSENSE[i][0], NONSENSE[i][1], NONSENSE[i][2]);
        assert_false(slot_holds(&j, data));
        free(data);
    }
    journal_free(&j);
    journal_free(&other);
}

/* The newest slot that verifies, at its place. */
static void test_newest_slot(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct journal j = make_journal("old");
    j.path = strdup(fixture_path(f, "x.journal"));
    assert_true(journal_create(&j, &error));
    struct stat st;
    assert_int_equal(stat(j.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    uint8_t sums[SEGMENT / SECTOR * JOURNAL_CHECKSUM] = {1, 2, 3};
    struct journal_slot slot = {.length = SEGMENT, .anchor = UINT64_MAX, .checksums = sums};
    for (uint64_t sequence = 1; sequence <= 4; sequence++) {
        slot.sequence = sequence;
        slot.position = (sequence - 1) * SEGMENT;
        assert_true(journal_put(&j, &slot, &error));
        struct journal now = {.fd = -1, .path = strdup(j.path)};
        assert_true(journal_open(&now, false, &error));
        assert_int_equal(now.slot.sequence, sequence);
        assert_int_equal(now.slot.position, slot.position);
        assert_memory_equal(now.slot.checksums, sums, sizeof sums);
        journal_free(&now);
    }
    /* The newest is torn: the one before counts. Both are: none does. */
    for (uint64_t left = 3; left != UINT64_MAX; left = left == 3 ? 0 : UINT64_MAX) {
        uint64_t at = journal_slots_at(&j) + (left == 3 ? 0 : journal_slot_bytes(&j)) + 60;
        assert_int_equal(pwrite(j.fd, "torn", 4, (off_t)at), 4);
        struct journal now = {.fd = -1, .path = strdup(j.path)};
        assert_true(journal_open(&now, false, &error));
        assert_int_equal(now.slot.sequence, left);
        journal_free(&now);
    }
    journal_free(&j);
}

static void test_journal_file(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct journal j = make_journal("old");
    j.path = strdup(fixture_path(f, "x.journal"));
    assert_true(journal_create(&j, &error));
    /* It is locked while it is used, and never made over another one. */
    struct journal second = {.fd = -1, .path = strdup(j.path)};
    assert_false(journal_open(&second, true, &error));
    assert_error(error, ERROR_FAILED, "in use");
    journal_free(&second);
    second = make_journal("old");
    second.path = strdup(j.path);
    error_clear(&error);
    assert_false(journal_create(&second, &error));
    assert_error(error, ERROR_FAILED, "exists");
    journal_free(&second);
    assert_int_equal(ftruncate(j.fd, (off_t)journal_slots_at(&j)), 0);
    second = (struct journal){.fd = -1, .path = strdup(j.path)};
    error_clear(&error);
    assert_false(journal_open(&second, false, &error));
    assert_error(error, ERROR_DAMAGED, "ends early");
    journal_free(&second);
    assert_true(journal_remove(&j, &error));
    assert_false(file_exists(j.path));
    journal_free(&j);
}

/* --- torn units --- */

static void fill_old(uint8_t *data, size_t length)
{
    fill_noise(data, length, 0);
    memset(data + BIG_UNIT, 0, BIG_UNIT);                        /* never written */
    memset(data + 2 * BIG_UNIT + SECTOR, 0, (size_t)3 * SECTOR); /* zeros in a written unit */
}

/* Every set of sectors of a unit that may have got to the disk, or not. */
static void test_torn_units(void **state)
{
    (void)state;
    enum { LENGTH = 3 * BIG_UNIT, FIRST = 5 };
    struct error error = ERROR_INIT;
    struct vault from = vault_make(), to = vault_make();
    struct segment s;
    struct xts *x = xts_new(from.dek.key, BIG_UNIT, &error);
    struct xts *y = xts_new(to.dek.key, BIG_UNIT, &error);
    uint8_t old[LENGTH], new[LENGTH], sums[LENGTH / SECTOR * JOURNAL_CHECKSUM];
    assert_true(x != NULL && y != NULL && segment_init(&s, BIG_UNIT, LENGTH, &error));
    s.from = x;
    s.to = y;
    s.position = FIRST * BIG_UNIT;
    s.length = LENGTH;
    fill_old(old, LENGTH);
    memcpy(s.data, old, LENGTH);
    assert_true(segment_has_data(&s));
    assert_true(segment_checksums(&s, sums, &error) && segment_convert(&s, &error));
    memcpy(new, s.data, LENGTH);
    assert_true(bytes_are_zero(new + BIG_UNIT, BIG_UNIT));
    assert_memory_not_equal(new, old, BIG_UNIT);
    for (unsigned set = 0; set < 256; set++) {
        memcpy(s.data, old, LENGTH);
        for (size_t i = 0; i < LENGTH / SECTOR; i++) {
            if ((set >> (i % 8) & 1) != 0)
                memcpy(s.data + i * SECTOR, new + i *SECTOR, SECTOR);
        }
        assert_true(segment_convert_mixed(&s, sums, &error));
        assert_memory_equal(s.data, new, LENGTH);
        /* All is to be written again but what was never written. */
        assert_true(s.changed[0] && !s.changed[1] && s.changed[2]);
    }
    segment_free(&s);
    xts_free(x);
    xts_free(y);
    vault_free(&from);
    vault_free(&to);
}

/* --- extents that must not be converted --- */

static struct inplace *begin(const char *path, const struct inplace_options *options,
                             struct error *error)
{
    static const struct inplace_options none = {.segment_bytes = SEGMENT};
    struct descriptor *old = descriptor_load(path, error);
    struct descriptor *new = descriptor_load(path, error);
    assert_true(old != NULL && new != NULL);
    assert_true(descriptor_set(new, "changed", "yes", error));
    struct inplace *job = inplace_begin(path, INPLACE_ENCRYPT, SECTOR, old, new,
                                        options == NULL ? &none : options, error);
    descriptor_free(old);
    descriptor_free(new);
    return job;
}

static void refused(const char *path, enum error_code code, const char *part)
{
    struct error error = ERROR_INIT;
    assert_null(begin(path, NULL, &error));
    assert_error(error, code, part);
    assert_string_not_equal(error.file, "");
    char journal[256];
    snprintf(journal, sizeof journal, "%s.journal", path);
    assert_false(file_exists(journal));
}

static void test_extents(void **state)
{
    struct fixture *f = *state;
    fixture_sized(f, "a", 100 * SECTOR);
    fixture_sized(f, "b", 100 * SECTOR);
    refused(fixture_text(f, "1.vmdk", FLAT "RW 10 FLAT \"a\" 0\nRW 10 FLAT \"a\" 9\n"),
            ERROR_DAMAGED, "share bytes");
    assert_int_equal(symlink("a", fixture_path(f, "also a")), 0);
    refused(fixture_text(f, "2.vmdk",
                         FLAT "RW 10 FLAT \"a\" 0\nRW 10 FLAT \"b\" 0\nRW 1 FLAT \"also a\" 3\n"),
            ERROR_DAMAGED, "share bytes");
    refused(fixture_text(f, "3.vmdk", FLAT "RW 10 FLAT \"a\" 0\nRDONLY 10 FLAT \"b\" 0\n"),
            ERROR_FAILED, "RDONLY");
    refused(fixture_text(f, "4.vmdk", FLAT "RW 10 FLAT \"a\" 91\n"), ERROR_DAMAGED, "cut off");
    refused(fixture_text(f, "5.vmdk",
                         FLAT "RW 1 FLAT \"5.vmdk\" 0\n#" /* itself */
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "0123456789012345678901234567890123456789012345678901234"
                              "\n"),
            ERROR_DAMAGED, "belongs to it");
    fixture_sized(f, "6.vmdk.journal.partial", SECTOR);
    refused(fixture_text(f, "6.vmdk", FLAT "RW 1 FLAT \"6.vmdk.journal.partial\" 0\n"),
            ERROR_DAMAGED, "belongs to it");
    refused(fixture_text(f, "7.vmdk", FLAT "RW 1 SPARSE \"a\"\n"), ERROR_FAILED, "only flat");
    refused(fixture_text(f, "8.vmdk", FLAT "RW 1 FLAT \"/etc/passwd\" 0\n"), ERROR_FAILED,
            "outside");
    /* Parts that only touch each other are fine. */
    struct error error = ERROR_INIT;
    struct inplace *job = begin(
        fixture_text(f, "9.vmdk", FLAT "RW 10 FLAT \"a\" 10\nRW 5 ZERO\nRW 10 FLAT \"a\" 0\n"),
        NULL, &error);
    assert_non_null(job);
    /* Locked: a second one cannot begin. */
    refused(fixture_path(f, "9.vmdk"), ERROR_FAILED, "in use");
    inplace_close(job);
}

static void test_links_and_locks(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    const struct inplace_options force = {.segment_bytes = SEGMENT, .force = true};
    const char *a = fixture_sized(f, "a", 100 * SECTOR);
    const char *path = fixture_text(f, "1.vmdk", FLAT "RW 10 FLAT \"a\" 0\n");
    assert_int_equal(link(a, fixture_path(f, "b")), 0);
    refused(path, ERROR_FAILED, "hard links");
    struct inplace *job = begin(path, &force, &error);
    assert_non_null(job);
    inplace_close(job);
    unlink(a);
    rename(fixture_path(f, "b"), a);
    assert_int_equal(mkdir(fixture_path(f, "1.vmdk.lck"), 0700), 0);
    refused(path, ERROR_FAILED, "running VM");
    job = begin(path, &force, &error);
    assert_non_null(job);
    inplace_close(job);
    assert_int_equal(rmdir(fixture_path(f, "1.vmdk.lck")), 0);
    const char *alias = fixture_path(f, "alias.vmdk");
    assert_int_equal(symlink("1.vmdk", alias), 0);
    refused(alias, ERROR_FAILED, "link");
    unlink(alias);
    assert_int_equal(link(path, alias), 0);
    refused(path, ERROR_FAILED, "several names");
}

/* --- what readers are told --- */

static void check_fails(const char *path, const char *part)
{
    struct error error = ERROR_INIT;
    const struct disk_options options = {.keyring = NULL};
    assert_null(disk_open(path, &options, &error));
    assert_error(error, ERROR_DAMAGED, part);
}

static void write_journal(struct journal *j, const char *path)
{
    struct error error = ERROR_INIT;
    assert_true(asprintf(&j->path, "%s.journal", path) > 0);
    assert_true(journal_create(j, &error));
}

static void test_readers(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct inplace_state now;
    bool found;
    fixture_sized(f, "a", DISK);
    const char *path = fixture_text(f, "1.vmdk", TEXT), *link = fixture_path(f, "link.vmdk");
    assert_true(inplace_find(path, &found, &now, &error) && !found);
    assert_int_equal(symlink("1.vmdk", link), 0);
    struct journal j = make_journal(TEXT);
    write_journal(&j, path);
    uint8_t sums[SEGMENT / SECTOR * JOURNAL_CHECKSUM] = {0};
    const struct journal_slot slot = {.sequence = 1,
                                      .position = SEGMENT,
                                      .length = SEGMENT,
                                      .anchor = UINT64_MAX,
                                      .checksums = sums};
    assert_true(journal_put(&j, &slot, &error));
    journal_free(&j);
    assert_true(inplace_find(path, &found, &now, &error) && found);
    assert_int_equal(now.done, SEGMENT);
    assert_int_equal(now.size, DISK);
    check_fails(path, "vmcrypt disk rekey --in-place --deep");
    check_fails(link, "vmcrypt disk rekey --in-place --deep");
    /* Another disk's; none at all; and one that is gone. */
    fixture_text(f, "1.vmdk", TEXT "# changed\n");
    check_fails(path, "another disk's");
    fixture_text(f, "1.vmdk.journal",
                 "this is no journal, but who knows what it is about: let us "
                 "see whether it is removed without a thought");
    check_fails(path, "no journal");
    unlink(fixture_path(f, "1.vmdk.journal"));
    fixture_text(f, "1.vmdk", HEAD "createType=\"" INPLACE_MARK "\"\nNOACCESS 64 FLAT \"a\" 0\n");
    check_fails(path, "1.vmdk.journal is missing");
}

/* A conversion from begin to end, and the marked text on the way. */
struct watch {
    const char *path;
    unsigned updates, stop_at;
};

static bool watch_update(void *user, uint64_t done, uint64_t total)
{
    struct watch *w = user;
    assert_true(done <= total);
    if (w->updates == 1)
        check_fails(w->path, "in-place");
    return ++w->updates != w->stop_at;
}

static void read_file(const char *path, uint8_t *data, size_t length)
{
    struct error error = ERROR_INIT;
    int fd = file_open_read(path, &error);
    assert_true(file_read_at(fd, path, data, length, 0, &error));
    close(fd);
}

static void test_whole(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    uint8_t plain[DISK], wanted[DISK], got[DISK];
    fill_noise(plain, DISK, 0);
    memset(plain + 3 * SECTOR, 0, (size_t)9 * SECTOR);
    memcpy(wanted, plain, DISK);
    vault_encrypt(&v, wanted, DISK, SECTOR);
    const char *a = fixture_write_at(f, "a", plain, DISK, 0);
    const char *path = fixture_text(f, "1.vmdk", FLAT "RW 64 FLAT \"a\" 0\n");
    const char *end = vault_descriptor(f, &v, "end.vmdk", FLAT "RW 64 FLAT \"a\" 0\n");
    const struct inplace_options options = {.segment_bytes = SEGMENT};
    struct descriptor *old = descriptor_load(path, &error), *new = descriptor_load(end, &error);
    struct inplace *job = inplace_begin(path, INPLACE_ENCRYPT, SECTOR, old, new, &options, &error);
    assert_non_null(job);
    assert_false(inplace_unlock(job, &v.wrong, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    error_clear(&error);
    assert_true(inplace_unlock(job, &v.ring, &error));
    struct watch w = {.path = path, .stop_at = 3};
    const struct progress progress = {watch_update, &w};
    struct inplace_stats stats;
    assert_false(inplace_run(job, &progress, &stats, &error));
    assert_error(error, ERROR_PARTIAL, "vmcrypt disk encrypt --in-place");
    inplace_close(job);
    read_file(a, got, DISK);
    assert_memory_equal(got, wanted, 2 * SEGMENT);
    assert_memory_equal(got + 2 * SEGMENT, plain + 2 * SEGMENT, DISK - 2 * SEGMENT);
    /* An extent that is not as it was left is noticed before anything is written. */
    fixture_write_at(f, "a", plain, SEGMENT, 0);
    job = inplace_resume(path, &options, &error);
    assert_true(job != NULL && inplace_unlock(job, &v.ring, &error));
    assert_false(inplace_run(job, NULL, &stats, &error));
    assert_error(error, ERROR_DAMAGED, "older copy");
    inplace_close(job);
    fixture_write_at(f, "a", wanted, SEGMENT, 0);
    job = inplace_resume(path, &options, &error);
    assert_true(job != NULL && inplace_unlock(job, &v.ring, &error));
    assert_true(inplace_run(job, NULL, &stats, &error));
    assert_true(stats.resumed && stats.bytes == DISK);
    inplace_close(job);
    read_file(a, got, DISK);
    assert_memory_equal(got, wanted, DISK);
    bool found;
    struct inplace_state now;
    assert_true(inplace_find(path, &found, &now, &error) && !found);
    descriptor_free(old);
    descriptor_free(new);
    vault_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_nonsense),
        cmocka_unit_test(test_slot),
        cmocka_unit_test_setup_teardown(test_newest_slot, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_journal_file, fixture_make, fixture_remove),
        cmocka_unit_test(test_torn_units),
        cmocka_unit_test_setup_teardown(test_extents, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_links_and_locks, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_readers, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_whole, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
