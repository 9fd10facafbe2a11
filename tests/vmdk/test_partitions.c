/* Partition tables: those that sfdisk makes, as sfdisk reads them back, and broken ones. */
#include "tests/vmdk/fixture.h"

#include <jansson.h>
#include <zlib.h>

#include "base/file.h"
#include "vmdk/partitions.h"

static bool read_fd(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    return file_read_at(*(int *)user, "image", data, length, offset, error);
}

static void find_in(const char *path, struct partitions *out)
{
    struct error error = ERROR_INIT;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    const struct partitions_source source = {read_fd, &fd, (uint64_t)st.st_size};
    if (!partitions_find_in(&source, out, &error))
        fail_msg("%s", error.message);
    close(fd);
}

static void need_sfdisk(void)
{
    if (system("command -v sfdisk >/dev/null") != 0) {
        print_message("sfdisk is not installed: skipped\n");
        skip();
    }
}

/* A disk image of MIB with the table that sfdisk makes of SCRIPT. */
static const char *make_table(struct fixture *f, unsigned mib, const char *script)
{
    const char *path = fixture_path(f, "image");
    unlink(path);
    fixture_sized(f, "image", (off_t)mib << 20);
    char *command = NULL;
    fixture_text(f, "script", script);
    assert_true(asprintf(&command, "sfdisk -q %s <%s/script >/dev/null 2>&1", path, f->directory) >
                0);
    assert_int_equal(system(command), 0);
    free(command);
    return path;
}

/* The same partitions as sfdisk reads in PATH, but for extended ones. */
static void compare(const char *path, size_t wanted)
{
    struct partitions *found = malloc(sizeof *found);
    char *command = NULL;
    assert_non_null(found);
    assert_true(asprintf(&command, "sfdisk --json %s 2>/dev/null", path) > 0);
    FILE *pipe = popen(command, "r");
    json_t *table = json_loadf(pipe, 0, NULL);
    assert_int_equal(pclose(pipe), 0);
    free(command);
    assert_non_null(table);
    const json_t *list = json_object_get(json_object_get(table, "partitiontable"), "partitions");
    find_in(path, found);
    assert_int_equal(found->sector_bytes, 512);
    size_t at = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);
        const char *type = json_string_value(json_object_get(p, "type"));
        const char *name = json_string_value(json_object_get(p, "name"));
        unsigned number =
            (unsigned)atoi(json_string_value(json_object_get(p, "node")) + strlen(path));
        if (strcmp(type, "5") == 0 || strcmp(type, "f") == 0)
            continue;
        assert_true(at < found->count);
        const struct partitions_entry *e = &found->entries[at++];
        assert_int_equal(e->number, number);
        assert_int_equal(e->start, (uint64_t)json_integer_value(json_object_get(p, "start")) * 512);
        assert_int_equal(e->length, (uint64_t)json_integer_value(json_object_get(p, "size")) * 512);
        if (found->scheme == PARTITIONS_GPT)
            assert_string_equal(e->gpt_type, type);
        else
            assert_int_equal(e->mbr_type, strtoul(type, NULL, 16));
        assert_string_equal(e->name, name == NULL ? "" : name);
    }
    assert_int_equal(at, found->count);
    assert_int_equal(found->count, wanted);
    json_decref(table);
    free(found);
}

static void test_mbr(void **state)
{
    need_sfdisk();
    const char *path = make_table(*state, 64,
                                  "label: dos\nsize=8M, type=83, bootable\nsize=4M, type=7\n"
                                  "4: start=40M, size=8M, type=c\n");
    compare(path, 3);
}

static void test_logical(void **state)
{
    need_sfdisk();
    const char *path = make_table(*state, 64,
                                  "label: dos\nsize=4M, type=83\n2: size=50M, type=f\n"
                                  "5: size=2M, type=83\n6: size=2M, type=7\n7: size=3M, type=82\n"
                                  "8: size=1M, type=83\n4: size=4M, type=83\n");
    compare(path, 6);
}

static void test_gpt(void **state)
{
    need_sfdisk();
    static const char *const many = "label: gpt\nsize=1M, name=\"EFI\"\n"
                                    "7: size=4M, name=\"Gr\u00fc\u00dfe \u6e2c\u8a66\"\n"
                                    "128: size=2M, type=21686148-6449-6E6F-744E-656564454649\n";
    const char *path = make_table(*state, 32, many);
    compare(path, 3);
}

static void overwrite(const char *path, uint64_t offset, const void *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, data, length, (off_t)offset), length);
    close(fd);
}

/* Either copy of a GPT is enough; without both, the protective MBR is all there is. */
static void test_gpt_copies(void **state)
{
    need_sfdisk();
    struct partitions *found = malloc(sizeof *found);
    const char *path = make_table(*state, 16, "label: gpt\nsize=4M\nsize=2M\n");
    uint64_t end = UINT64_C(16) << 20;
    find_in(path, found);
    assert_false(found->backup_used || found->backup_bad);
    overwrite(path, end - 512 + 40, "x", 1);
    find_in(path, found);
    assert_int_equal(found->count, 2);
    assert_true(found->backup_bad && !found->backup_used);
    path = make_table(*state, 16, "label: gpt\nsize=4M\nsize=2M\n");
    overwrite(path, 1024 + 32, "x", 1); /* an entry: the header is sound */
    find_in(path, found);
    assert_int_equal(found->scheme, PARTITIONS_GPT);
    assert_int_equal(found->count, 2);
    assert_true(found->backup_used && !found->backup_bad);
    assert_int_equal(found->entries[1].start, 5 << 20);
    path = make_table(*state, 16, "label: gpt\nsize=4M\nsize=2M\n");
    overwrite(path, 512 + 16, "x", 1); /* the header */
    overwrite(path, 510, "\0", 1);     /* and the MBR */
    find_in(path, found);
    assert_int_equal(found->count, 2);
    assert_true(found->backup_used);
    path = make_table(*state, 16, "label: gpt\nsize=4M\nsize=2M\n");
    overwrite(path, 512 + 16, "x", 1);
    overwrite(path, end - 512 + 16, "x", 1);
    find_in(path, found);
    assert_int_equal(found->scheme, PARTITIONS_MBR);
    assert_int_equal(found->count, 0);
    assert_true(found->gpt_lost);
    free(found);
}

/* A disk that was made anew with an MBR keeps the old GPT: it does not count. */
static void test_stale_gpt(void **state)
{
    need_sfdisk();
    struct partitions *found = malloc(sizeof *found);
    const char *path = make_table(*state, 16, "label: gpt\nsize=4M\nsize=2M\n");
    uint8_t head[16384], mbr[512];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, head, sizeof head, 512), sizeof head);
    close(fd);
    path = make_table(*state, 16, "label: dos\nsize=3M\n");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, mbr, sizeof mbr, 0), sizeof mbr);
    close(fd);
    overwrite(path, 512, head, sizeof head);
    find_in(path, found);
    assert_int_equal(found->scheme, PARTITIONS_MBR);
    assert_int_equal(found->entries[0].length, 3 << 20);
    free(found);
}

/* An image in memory. */
struct image {
    uint8_t *data;
    size_t size;
    uint64_t bad; /* reading it fails; 0: nothing is bad */
};

static bool read_image(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    const struct image *image = user;
    if (image->bad != 0 && offset <= image->bad && image->bad < offset + length)
        return error_set(error, ERROR_FAILED, "a bad sector");
    memcpy(data, image->data + offset, length);
    return true;
}

static void set_entry(struct image *image, uint64_t sector, size_t i, uint8_t type, uint32_t start,
                      uint32_t count)
{
    uint8_t *table = image->data + sector * 512;
    table[446 + 16 * i + 4] = type;
    memcpy(table + 446 + 16 * i + 8, &start, 4);
    memcpy(table + 446 + 16 * i + 12, &count, 4);
    table[510] = 0x55;
    table[511] = 0xaa;
}

static bool find_image(const struct image *image, struct partitions *out, struct error *error)
{
    const struct partitions_source source = {read_image, (void *)image, image->size};
    *error = ERROR_INIT;
    return partitions_find_in(&source, out, error);
}

/* Chains that lead back or to themselves end; partitions beyond the disk are cut or left out. */
static void test_hostile_mbr(void **state)
{
    (void)state;
    struct error error;
    struct image image = {calloc(1, 1 << 20), 1 << 20, 0};
    struct partitions *found = malloc(sizeof *found);
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->scheme, PARTITIONS_NONE);
    set_entry(&image, 0, 1, 0x05, 100, 1900);
    set_entry(&image, 100, 0, 0x83, 10, 20);
    set_entry(&image, 100, 1, 0x05, 200, 100);
    set_entry(&image, 300, 0, 0x83, 10, 5000);
    set_entry(&image, 300, 1, 0x05, 0, 100); /* back to the first */
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->count, 2);
    assert_int_equal(found->entries[0].number, 5);
    assert_int_equal(found->entries[0].start, 110 * 512);
    assert_int_equal(found->entries[1].number, 6);
    assert_int_equal(found->entries[1].start, 310 * 512);
    assert_int_equal(found->entries[1].length, (2048 - 310) * 512);
    set_entry(&image, 300, 0, 0x83, 0xffffff00, 1);
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->count, 1);
    assert_int_equal(found->left_out, 1);
    /* Two that overlap: no table, but the code of a boot sector. */
    set_entry(&image, 0, 2, 0x83, 1000, 10);
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->scheme, PARTITIONS_NONE);
    /* As many links as there is room for, each with a partition: bounded. */
    memset(image.data, 0, image.size);
    set_entry(&image, 0, 0, 0x0f, 1, 2000);
    for (uint32_t i = 1; i < 1000; i++) {
        set_entry(&image, i, 0, 0x83, 1, 1);
        set_entry(&image, i, 1, 0x05, i, 1);
    }
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->count, PARTITIONS_MAX);
    assert_true(found->left_out > 0);
    free(found);
    free(image.data);
}

static void test_bad_sector(void **state)
{
    (void)state;
    struct error error;
    struct image image = {calloc(1, 1 << 20), 1 << 20, 100 * 512};
    struct partitions *found = malloc(sizeof *found);
    set_entry(&image, 0, 0, 0x83, 1, 9);
    set_entry(&image, 0, 1, 0x05, 100, 1900);
    assert_false(find_image(&image, found, &error));
    assert_string_equal(error.message, "a bad sector");
    /* What was found before stands. */
    assert_int_equal(found->count, 1);
    image.bad = 511;
    assert_false(find_image(&image, found, &error));
    assert_int_equal(found->count, 0);
    free(found);
    free(image.data);
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes);
}

/* A GPT of COUNT entries of SIZE bytes in blocks of BLOCK, whose CRCs are right, whatever it
 * says. */
static void make_gpt(struct image *image, uint64_t block, uint32_t count, uint32_t size,
                     uint64_t array)
{
    uint8_t *h = image->data + block;
    memcpy(h, "EFI PART\0\0\1\0", 12);
    put(h + 12, 92, 4);
    put(h + 16, 0, 4);
    put(h + 24, 1, 8);
    put(h + 32, image->size / block - 1, 8);
    put(h + 40, 34, 8);
    put(h + 48, image->size / block - 34, 8);
    put(h + 72, array, 8);
    put(h + 80, count, 4);
    put(h + 84, size, 4);
    uint64_t bytes = (uint64_t)count * size;
    if (array < image->size / block && bytes <= image->size - array * block)
        put(h + 88, crc32(0, image->data + array * block, (uInt)bytes), 4);
    put(h + 16, crc32(0, h, 92), 4);
}

static void test_hostile_gpt(void **state)
{
    (void)state;
    struct error error;
    struct image image = {calloc(1, 4 << 20), 4 << 20, 0};
    struct partitions *found = malloc(sizeof *found);
    static const struct {
        uint32_t count, size;
        uint64_t array;
        bool good;
    } cases[] = {
        {128, 128, 2, true},
        {4, 4096, 2, true},
        {128, 127, 2, false},
        {128, 136, 2, true},
        {UINT32_MAX, 128, 2, false},
        {128, UINT32_MAX, 2, false},
        {128, 128, UINT64_MAX, false},
        {128, 128, UINT64_MAX / 512, false},
        {0, 128, 2, false},
        {8192, 128, 2, true},
        {8193, 128, 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(image.data, 0, image.size);
        uint8_t *entry = image.data + 1024;
        entry[0] = 1;
        put(entry + 32, 100, 8);
        put(entry + 40, 199, 8);
        make_gpt(&image, 512, cases[i].count, cases[i].size, cases[i].array);
        assert_true(find_image(&image, found, &error));
        assert_int_equal(found->scheme, cases[i].good ? PARTITIONS_GPT : PARTITIONS_NONE);
        assert_int_equal(found->count, cases[i].good);
        assert_true(!cases[i].good || found->entries[0].length == 100 * 512);
    }
    /* Entries that end before they begin, or lie where the header says that nothing is. */
    uint8_t *entry = image.data + 1024;
    put(entry + 40, 99, 8);
    entry[128] = entry[256] = entry[384] = 1;
    put(entry + 128 + 32, 1, 8);
    put(entry + 128 + 40, 50, 8);
    put(entry + 256 + 32, 0, 8);
    put(entry + 256 + 40, UINT64_MAX, 8);
    put(entry + 384 + 32, 300, 8);
    put(entry + 384 + 40, 300, 8);
    make_gpt(&image, 512, 128, 128, 2);
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->count, 1);
    assert_int_equal(found->entries[0].number, 4);
    assert_int_equal(found->entries[0].length, 512);
    assert_int_equal(found->left_out, 3);
    free(found);
    free(image.data);
}

/* An image of a disk with sectors of 4,096 bytes. */
static void test_gpt_4096(void **state)
{
    (void)state;
    struct error error;
    struct image image = {calloc(1, 4 << 20), 4 << 20, 0};
    struct partitions *found = malloc(sizeof *found);
    uint8_t *entry = image.data + 2 * 4096;
    entry[0] = entry[128] = 1;
    put(entry + 32, 100, 8);
    put(entry + 40, 199, 8);
    put(entry + 128 + 32, 200, 8);
    put(entry + 128 + 40, 200, 8);
    make_gpt(&image, 4096, 128, 128, 2);
    set_entry(&image, 0, 0, 0xee, 1, UINT32_MAX);
    assert_true(find_image(&image, found, &error));
    assert_int_equal(found->scheme, PARTITIONS_GPT);
    assert_int_equal(found->sector_bytes, 4096);
    assert_int_equal(found->count, 2);
    assert_int_equal(found->entries[0].start, 100 * 4096);
    assert_int_equal(found->entries[0].length, 100 * 4096);
    assert_int_equal(found->entries[1].length, 4096);
    free(found);
    free(image.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mbr, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_logical, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_gpt, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_gpt_copies, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_stale_gpt, fixture_make, fixture_remove),
        cmocka_unit_test(test_hostile_mbr),
        cmocka_unit_test(test_bad_sector),
        cmocka_unit_test(test_hostile_gpt),
        cmocka_unit_test(test_gpt_4096),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
