/* Tests of vmdk/disk: opening, reading across extents, decrypting, refusing. */
#include "vmdk/disk.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <pthread.h>

#include <openssl/sha.h>

#include "base/encode.h"
#include "vmdk/extent_pool.h"

#define HEAD "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\n"
#define FLAT HEAD "createType=\"twoGbMaxExtentFlat\"\n"

enum { SECTOR = SECTOR_BYTES, KIB = 1024 };

static struct disk *open_disk(const char *path, const struct disk_options *options)
{
    static const struct disk_options none = {.keyring = NULL};
    struct error error = ERROR_INIT;
    struct disk *disk = disk_open(path, options == NULL ? &none : options, &error);
    if (disk == NULL)
        fail_msg("%s: %s", error.file, error.message);
    return disk;
}

static void refused(const char *path, const struct disk_options *options, enum error_code code,
                    const char *part)
{
    static const struct disk_options none = {.keyring = NULL};
    struct error error = ERROR_INIT;
    assert_null(disk_open(path, options == NULL ? &none : options, &error));
    assert_error(error, code, part);
    assert_string_not_equal(error.file, "");
}

/* All of DISK equals WANTED, in one read and in reads of every odd shape. */
static void assert_content(const struct disk *disk, const uint8_t *wanted, size_t size)
{
    struct error error = ERROR_INIT;
    uint8_t *got = malloc(size);
    assert_int_equal(disk_size(disk), size);
    assert_true(disk_read(disk, 0, got, size, &error));
    assert_memory_equal(got, wanted, size);
    uint32_t seed = 99;
    for (int i = 0; i < 500; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t offset = seed % size;
        seed = seed * 1664525 + 1013904223;
        size_t length = seed % 9000;
        if (length > size - offset)
            length = size - offset;
        memset(got, 0xa5, length);
        assert_true(disk_read(disk, offset, got, length, &error));
        assert_memory_equal(got, wanted + offset, length);
    }
    free(got);
    uint8_t byte;
    assert_true(disk_read(disk, size, &byte, 0, &error));
    assert_false(disk_read(disk, size, &byte, 1, &error));
    assert_false(disk_read(disk, UINT64_MAX, &byte, 1, &error));
    assert_false(disk_read(disk, UINT64_MAX, &byte, SIZE_MAX, &error));
}

/* Runs cover the disk, are never empty, and what is called zero is. */
static uint64_t assert_runs(const struct disk *disk, const uint8_t *wanted, size_t size)
{
    struct error error = ERROR_INIT;
    enum disk_run run;
    uint64_t length, zeros = 0;
    for (uint64_t at = 0; at < size; at += length) {
        assert_true(disk_run_at(disk, at, &run, &length, &error));
        assert_true(length > 0 && length <= size - at);
        if (run == DISK_ZERO) {
            assert_true(bytes_are_zero(wanted + at, length));
            zeros += length;
        }
    }
    for (uint64_t at = 0; at < size; at += 333) {
        assert_true(disk_run_at(disk, at, &run, &length, &error));
        assert_true(length > 0 && length <= size - at);
        if (run == DISK_ZERO)
            assert_true(bytes_are_zero(wanted + at, length));
    }
    assert_false(disk_run_at(disk, size, &run, &length, &error));
    return zeros;
}

/* Three files' worth of ways to lay out a disk: parts of a file out of order, odd offsets, a
 * ZERO extent in the middle, an empty extent. */
static const char LAYOUT[] = FLAT "RW 201 FLAT \"a file.vmdk\" 301\n"
                                  "RW 99 FLAT \"a file.vmdk\" 0\n"
                                  "RW 0 FLAT \"never.vmdk\" 0\n"
                                  "RW 100 ZERO\n"
                                  "RDONLY 240 VMFS \"b.vmdk\"\n";
enum { LAYOUT_BYTES = (201 + 99 + 100 + 240) * SECTOR };

static uint8_t *layout_content(void)
{
    uint8_t *content = malloc(LAYOUT_BYTES);
    fill_noise(content, LAYOUT_BYTES, 24 * KIB);
    memset(content + 300 * SECTOR, 0, 100 * SECTOR);
    return content;
}

/* Put the stored bytes of the layout into its files, zeros as holes. */
static void layout_store(struct fixture *f, const uint8_t *stored)
{
    static const struct {
        const char *file;
        size_t first, count, at;
    } PARTS[] = {
        {"a file.vmdk", 0, 201, 301}, {"a file.vmdk", 201, 99, 0}, {"b.vmdk", 400, 240, 0}};
    fixture_sized(f, "a file.vmdk", 600 * SECTOR);
    fixture_sized(f, "b.vmdk", 240 * SECTOR);
    for (size_t p = 0; p < 3; p++) {
        const char *path = fixture_path(f, PARTS[p].file);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        for (size_t s = 0; s < PARTS[p].count; s++) {
            const uint8_t *sector = stored + (PARTS[p].first + s) * SECTOR;
            if (!bytes_are_zero(sector, SECTOR))
                assert_int_equal(pwrite(fd, sector, SECTOR, (off_t)(PARTS[p].at + s) * SECTOR),
                                 SECTOR);
        }
        close(fd);
    }
}

static void plain_layout(void **state)
{
    struct fixture *f = *state;
    uint8_t *content = layout_content();
    layout_store(f, content);
    struct disk *disk = open_disk(fixture_text(f, "d.vmdk", LAYOUT), NULL);
    assert_false(disk_is_encrypted(disk));
    assert_null(disk_unlocked(disk));
    assert_content(disk, content, LAYOUT_BYTES);
    /* The ZERO extent at least, and holes where the file system has them. */
    assert_true(assert_runs(disk, content, LAYOUT_BYTES) >= 100 * SECTOR);
    disk_close(disk);
    free(content);
}

static void encrypted_layout(void **state)
{
    struct fixture *f = *state;
    struct vault v = vault_make();
    static const size_t UNITS[] = {512, 4096, 65536};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *content = layout_content();
        uint8_t *stored = malloc(LAYOUT_BYTES);
        memcpy(stored, content, LAYOUT_BYTES);
        if (UNITS[i] == 512) {
            vault_encrypt(&v, stored, LAYOUT_BYTES, 512);
        } else {
            /* Units that straddle extents: the ZERO extent cannot hold ciphertext. */
            size_t first = 300 * SECTOR / UNITS[i] * UNITS[i];
            size_t last = (400 * SECTOR + UNITS[i] - 1) / UNITS[i] * UNITS[i];
            memset(content + first, 0, last - first);
            memcpy(stored, content, LAYOUT_BYTES);
            vault_encrypt(&v, stored, LAYOUT_BYTES, UNITS[i]);
        }
        layout_store(f, stored);
        const char *path = vault_descriptor(f, &v, "d.vmdk", LAYOUT);
        struct disk_options options = {.keyring = &v.ring, .unit_bytes = UNITS[i]};
        struct disk *disk = open_disk(path, &options);
        assert_true(disk_is_encrypted(disk));
        assert_non_null(disk_unlocked(disk));
        assert_int_equal(disk_unlocked(disk)->plain.length, 0);
        assert_content(disk, content, LAYOUT_BYTES);
        assert_runs(disk, content, LAYOUT_BYTES);
        disk_close(disk);
        options.raw_ciphertext = true;
        disk = open_disk(path, &options);
        assert_content(disk, stored, LAYOUT_BYTES);
        disk_close(disk);
        unlink(fixture_path(f, "a file.vmdk"));
        unlink(fixture_path(f, "b.vmdk"));
        free(content);
        free(stored);
    }
    vault_free(&v);
}

static void zero_units(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    /* Unit 0 never written, unit 1 an encrypted zero, unit 2 in a ZERO extent. */
    uint8_t stored[2 * SECTOR] = {0}, got[3 * SECTOR], zero[3 * SECTOR] = {0}, unit0[SECTOR] = {0};
    struct xts *x = xts_new(v.dek.key, 512, &error);
    assert_true(xts_encrypt(x, 1, stored + SECTOR, stored + SECTOR, SECTOR, &error));
    assert_true(xts_decrypt(x, 0, unit0, unit0, SECTOR, &error));
    xts_free(x);
    fixture_write_at(f, "z-flat.vmdk", stored, sizeof stored, 0);
    const char *path = vault_descriptor(
        f, &v, "z.vmdk", HEAD "createType=\"custom\"\nRW 2 FLAT \"z-flat.vmdk\" 0\nRW 1 ZERO\n");
    struct disk_options options = {.keyring = &v.ring};
    struct disk *disk = open_disk(path, &options);
    assert_true(disk_read(disk, 0, got, sizeof got, &error));
    assert_memory_equal(got, zero, sizeof got);
    disk_close(disk);
    options.decrypt_zero_units = true;
    disk = open_disk(path, &options);
    assert_true(disk_read(disk, 0, got, sizeof got, &error));
    assert_memory_equal(got, unit0, SECTOR);
    assert_memory_equal(got + SECTOR, zero, 2 * SECTOR);
    enum disk_run run;
    uint64_t length;
    assert_true(disk_run_at(disk, 0, &run, &length, &error));
    assert_int_equal(run, DISK_DATA);
    assert_true(disk_run_at(disk, 2 * SECTOR, &run, &length, &error));
    assert_int_equal(run, DISK_ZERO);
    disk_close(disk);
    vault_free(&v);
}

/* Holes of the file that begin and end inside a data unit: only whole units are zero. */
static void holes_inside_units(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    enum { SIZE = 64 * KIB, HOLE = 8 * KIB, HOLE_END = 24 * KIB };
    uint8_t noise[SIZE], content[SIZE];
    fill_noise(noise, sizeof noise, 0);
    fixture_sized(f, "h.vmdk", SIZE + SECTOR);
    fixture_write_at(f, "h.vmdk", noise, HOLE, 0);
    fixture_write_at(f, "h.vmdk", noise, SIZE + SECTOR - HOLE_END, HOLE_END);
    const char *path = vault_descriptor(f, &v, "d.vmdk", FLAT "RW 128 FLAT \"h.vmdk\" 1\n");
    struct disk *disk =
        open_disk(path, &(struct disk_options){.keyring = &v.ring, .unit_bytes = 4096});
    assert_true(disk_read(disk, 0, content, sizeof content, &error));
    uint64_t zeros = assert_runs(disk, content, sizeof content);
    if (zeros == 0)
        print_message("no holes in files here\n");
    else
        assert_int_equal(zeros, 12 * KIB);
    disk_close(disk);
    vault_free(&v);
}

static void keys(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    struct keyring empty = KEYRING_INIT;
    fixture_sized(f, "k-flat.vmdk", 64 * SECTOR);
    const char *path =
        vault_descriptor(f, &v, "k.vmdk", HEAD "createType=\"vmfs\"\nRW 64 VMFS \"k-flat.vmdk\"\n");
    refused(path, &(struct disk_options){.keyring = &v.wrong}, ERROR_NO_KEY, "does not fit");
    refused(path, &(struct disk_options){.keyring = &empty}, ERROR_NO_KEY,
            "needs KEK key-1 from provider \"KMS\"");
    refused(path, &(struct disk_options){.keyring = &v.ring, .unit_bytes = 1000}, ERROR_FAILED,
            "multiple");
    refused(path, &(struct disk_options){.keyring = &v.ring, .unit_bytes = 65536}, ERROR_FAILED,
            "multiple");
    /* Without keys it opens, and does not hand out ciphertext as if it were the disk. */
    struct disk *disk = open_disk(path, NULL);
    uint8_t byte;
    enum disk_run run;
    uint64_t length;
    assert_true(disk_is_encrypted(disk));
    assert_false(disk_read(disk, 0, &byte, 1, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_false(disk_run_at(disk, 0, &run, &length, &error));
    disk_close(disk);
    vault_free(&v);
}

static void kinds_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum error_code code;
        const char *part;
    } CASES[] = {
        {HEAD "createType=\"vmfsSparse\"\nRW 8 VMFSSPARSE \"x\"\n", ERROR_DAMAGED, "is missing"},
        {HEAD "createType=\"fullDevice\"\nRW 8 FLAT \"/dev/null\" 0\n", ERROR_FAILED,
         "--allow-outside"},
        {HEAD "createType=\"custom\"\nRW 8 VSANSPARSE \"x\"\n", ERROR_FAILED, "\"VSANSPARSE\""},
        {HEAD "createType=\"custom\"\nRW 8 SPARSE\n", ERROR_DAMAGED, ""},
        {FLAT "NOACCESS 8 FLAT \"x\" 0\n", ERROR_FAILED, "NOACCESS"},
        {FLAT, ERROR_DAMAGED, "without any sectors"},
        {FLAT "RW 0 ZERO\n", ERROR_DAMAGED, "without any sectors"},
        {FLAT "RW 18014398509481983 ZERO\nRW 18014398509481983 ZERO\n", ERROR_DAMAGED, "too large"},
        {"# Disk DescriptorFile\nCID=1\nparentCID=0172e8a4\ncreateType=\"custom\"\n"
         "parentFileNameHint=\"base one.vmdk\"\nRW 8 ZERO\n",
         ERROR_DAMAGED, "the parent \"base one.vmdk\" of k.vmdk"},
        {"# Disk DescriptorFile\nCID=1\nparentCID=0172e8a4\ncreateType=\"custom\"\nRW 8 ZERO\n",
         ERROR_DAMAGED, "does not name its parent"},
        {FLAT "RW 8 FLAT \"\" 0\n", ERROR_DAMAGED, "names no file"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        refused(fixture_text(f, "k.vmdk", CASES[i].text), NULL, CASES[i].code, CASES[i].part);
}

static void extents_missing_or_short(void **state)
{
    struct fixture *f = *state;
    const char *path =
        fixture_text(f, "web.vmdk", HEAD "createType=\"vmfs\"\nRW 8 VMFS \"old-flat.vmdk\"\n");
    refused(path, NULL, ERROR_DAMAGED, "is missing");
    fixture_sized(f, "web-flat.vmdk", 8 * SECTOR);
    refused(path, NULL, ERROR_DAMAGED, "web-flat.vmdk lies beside: rename it");
    fixture_sized(f, "old-flat.vmdk", 8 * SECTOR - 1);
    refused(path, NULL, ERROR_DAMAGED, "4096 bytes are needed, it has 4095");
    fixture_sized(f, "old-flat.vmdk", 8 * SECTOR);
    disk_close(open_disk(path, NULL));
    refused(fixture_text(f, "two.vmdk", FLAT "RW 8 FLAT \"old-flat.vmdk\" 1\n"), NULL,
            ERROR_DAMAGED, "4608 bytes are needed");
    refused(fixture_text(f, "far.vmdk",
                         FLAT "RW 18014398509481983 FLAT \"old-flat.vmdk\" 18014398509481983\n"),
            NULL, ERROR_DAMAGED, "are needed");
    /* A file that shrinks afterwards is an error with the place, never zeros. */
    struct error error = ERROR_INIT;
    uint8_t data[8 * SECTOR];
    struct disk *disk = open_disk(path, NULL);
    assert_int_equal(truncate(fixture_path(f, "old-flat.vmdk"), 1000), 0);
    assert_false(disk_read(disk, 0, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "ends here");
    assert_int_equal(error.offset, 1000);
    disk_close(disk);
}

static void outside(void **state)
{
    struct fixture *f = *state;
    const struct disk_options allowed = {.allow_outside = true};
    char text[512];
    assert_int_equal(mkdir(fixture_path(f, "vm"), 0700), 0);
    fixture_sized(f, "secret", 8 * SECTOR);
    fixture_sized(f, "vm/inside", 8 * SECTOR);
    const char *secret = fixture_path(f, "secret");
    assert_int_equal(symlink("../secret", fixture_path(f, "vm/link-out")), 0);
    assert_int_equal(symlink(secret, fixture_path(f, "vm/link-abs")), 0);
    assert_int_equal(symlink("inside", fixture_path(f, "vm/link-in")), 0);
    assert_int_equal(symlink("..", fixture_path(f, "vm/up")), 0);
    const char *const names[] = {secret,     "../secret", "link-out",
                                 "link-abs", "up/secret", "x/../../secret"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(text, sizeof text, FLAT "RW 8 FLAT \"%s\" 0\n", names[i]);
        const char *path = fixture_text(f, "vm/d.vmdk", text);
        refused(path, NULL, ERROR_FAILED, "--allow-outside");
        if (i < 5)
            disk_close(open_disk(path, &allowed));
    }
    const char *path = fixture_text(f, "vm/d.vmdk", FLAT "RW 8 FLAT \"link-in\" 0\n");
    disk_close(open_disk(path, NULL));
    /* Evidence reached through a link is still in its own directory. */
    assert_int_equal(symlink("vm", fixture_path(f, "case")), 0);
    disk_close(open_disk(fixture_path(f, "case/d.vmdk"), NULL));
    /* So is a name that only looks like climbing. */
    fixture_sized(f, "vm/..x", 8 * SECTOR);
    disk_close(open_disk(fixture_text(f, "vm/d.vmdk", FLAT "RW 8 FLAT \"..x\" 0\n"), NULL));
}

static void odd_files_refused(void **state)
{
    struct fixture *f = *state;
    const struct disk_options allowed = {.allow_outside = true};
    assert_int_equal(mkfifo(fixture_path(f, "fifo"), 0600), 0);
    assert_int_equal(mkdir(fixture_path(f, "dir"), 0700), 0);
    const char *path = fixture_text(f, "d.vmdk", FLAT "RW 8 FLAT \"fifo\" 0\n");
    refused(path, NULL, ERROR_FAILED, "no regular file");
    refused(path, &allowed, ERROR_FAILED, "no regular file");
    path = fixture_text(f, "d.vmdk", FLAT "RW 8 FLAT \"dir\" 0\n");
    refused(path, NULL, ERROR_FAILED, "no regular file");
    path = fixture_text(f, "d.vmdk", FLAT "RW 8 FLAT \"/dev/zero\" 0\n");
    refused(path, NULL, ERROR_FAILED, "--allow-outside");
    refused(path, &allowed, ERROR_FAILED, "no regular file");
}

enum { MANY = 3 * EXTENT_POOL_OPEN };

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void *read_many(void *argument)
{
    const struct disk *disk = argument;
    struct error error = ERROR_INIT;
    uint32_t seed = (uint32_t)(uintptr_t)&error;
    for (int i = 0; i < 2000; i++) {
        uint8_t sector[SECTOR];
        seed = seed * 1664525 + 1013904223;
        uint64_t n = (seed >> 8) % MANY;
        if (!disk_read(disk, n * SECTOR, sector, sizeof sector, &error) ||
            sector[0] != (uint8_t)n || sector[SECTOR - 1] != (uint8_t)(n >> 8))
            return argument;
    }
    return NULL;
}

static void many_files_and_threads(void **state)
{
    struct fixture *f = *state;
    enum { THREADS = 8 };
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, FLAT);
    for (size_t i = 0; i < MANY; i++) {
        uint8_t sector[SECTOR] = {(uint8_t)i};
        sector[SECTOR - 1] = (uint8_t)(i >> 8);
        char path[128];
        snprintf(path, sizeof path, "%s/f%zu", f->directory, i);
        FILE *file = fopen(path, "we");
        assert_int_equal(fwrite(sector, 1, SECTOR, file), SECTOR);
        fclose(file);
        buffer_printf(&text, "RW 1 FLAT \"f%zu\" 0\n", i);
    }
    size_t before = open_descriptors();
    struct disk *disk = open_disk(fixture_text(f, "many.vmdk", text.data), NULL);
    buffer_free(&text);
    assert_true(open_descriptors() <= before + EXTENT_POOL_OPEN);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, disk), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = disk;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(open_descriptors() <= before + EXTENT_POOL_OPEN);
    /* A file that is another one by the time it is opened again. */
    struct error error = ERROR_INIT;
    uint8_t byte;
    for (size_t i = MANY - 1; i > 0; i--)
        assert_true(disk_read(disk, i * SECTOR, &byte, 1, &error));
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/f%d", f->directory, MANY - 2);
    snprintf(to, sizeof to, "%s/f%d", f->directory, MANY - 1);
    assert_int_equal(rename(from, to), 0);
    assert_false(disk_read(disk, (MANY - 1) * SECTOR, &byte, 1, &error));
    assert_error(error, ERROR_FAILED, "not the file any more");
    disk_close(disk);
    assert_int_equal(open_descriptors(), before);
}

static void raw_image(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    uint8_t content[5 * SECTOR];
    fill_noise(content, sizeof content, 0);
    struct disk *disk =
        disk_open_raw(fixture_write_at(f, "i.raw", content, sizeof content, 0), &error);
    assert_non_null(disk);
    assert_content(disk, content, sizeof content);
    disk_close(disk);
    assert_null(disk_open_raw(fixture_sized(f, "odd.raw", 1000), &error));
    assert_error(error, ERROR_DAMAGED, "no whole sectors");
    assert_null(disk_open_raw(fixture_sized(f, "empty.raw", 0), &error));
    assert_error(error, ERROR_DAMAGED, "without any sectors");
    assert_null(disk_open_raw(fixture_path(f, "missing.raw"), &error));
}

/* A disk that ESXi made, with the SHA-1 that its publisher gives. */
static void sample(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char path[512];
    if (!fixture_sample("vmdk/vmware/vmfs_thick.vmdk", path, sizeof path))
        skip();
    struct disk *disk = open_disk(path, NULL);
    size_t size = (size_t)disk_size(disk), length = SHA_DIGEST_LENGTH;
    uint8_t *data = malloc(size), digest[SHA_DIGEST_LENGTH], expected[SHA_DIGEST_LENGTH];
    assert_int_equal(size, 2 << 20);
    assert_true(disk_read(disk, 0, data, size, &error));
    SHA1(data, size, digest);
    assert_true(hex_decode("17eaf058191c5f2639d8f983ca7633e4f47087d1", 40, expected, &length));
    assert_memory_equal(digest, expected, sizeof digest);
    free(data);
    disk_close(disk);
    assert_true(fixture_sample("vmdk/vmware/vmfs_thick-000001.vmdk", path, sizeof path));
    refused(path, NULL, ERROR_DAMAGED, "this extent of the disk is missing");
    /* Its data are not in the samples; its parent is. */
    disk = open_disk(path, &(struct disk_options){.missing_delta = true});
    assert_int_equal(disk_layer_count(disk), 2);
    assert_true(disk_layer_at(disk, 0).missing);
    assert_int_equal(notes_count(disk_notes(disk)), 1);
    disk_close(disk);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(plain_layout),
        with_files(encrypted_layout),
        with_files(zero_units),
        with_files(holes_inside_units),
        with_files(keys),
        with_files(kinds_refused),
        with_files(extents_missing_or_short),
        with_files(outside),
        with_files(odd_files_refused),
        with_files(many_files_and_threads),
        with_files(raw_image),
        cmocka_unit_test(sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
