/* Tests of vmdk/descriptor. */
#include "vmdk/descriptor.h"

#include "tests/vmdk/fixture.h"

#include "base/buffer.h"
#include "base/file.h"

static const char PLAIN[] = "# Disk DescriptorFile\n"
                            "version=1\n"
                            "encoding=\"UTF-8\"\n"
                            "CID=0172e8a4\n"
                            "parentCID=ffffffff\n"
                            "createType=\"vmfs\"\n"
                            "\n"
                            "# Extent description\n"
                            "RW 4096 VMFS \"vmfs_thick-flat.vmdk\"\n"
                            "\n"
                            "# The Disk Data Base \n"
                            "#DDB\n"
                            "\n"
                            "ddb.adapterType = \"lsilogic\"\n"
                            "ddb.longContentID = \"c493b057f416b9534001df440172e8a4\"\n";

static struct descriptor *parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct descriptor *d = descriptor_parse(text, strlen(text), &error);
    if (d == NULL)
        fail_msg("not parsed: %s", error.message);
    return d;
}

static void assert_written(const struct descriptor *d, const char *text, size_t length)
{
    struct buffer out = BUFFER_INIT;
    assert_true(descriptor_write(d, &out));
    assert_int_equal(out.length, length);
    assert_memory_equal(buffer_text(&out), text, length);
    buffer_free(&out);
}

static void assert_text(const struct descriptor *d, const char *text)
{
    struct buffer out = BUFFER_INIT;
    assert_true(descriptor_write(d, &out));
    assert_string_equal(buffer_text(&out), text);
    buffer_free(&out);
}

static void refused(const char *text, const char *part)
{
    struct error error = ERROR_INIT;
    assert_null(descriptor_parse(text, strlen(text), &error));
    assert_error(error, ERROR_DAMAGED, part);
}

static void plain_descriptor(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct descriptor *d = parse(PLAIN);
    assert_written(d, PLAIN, strlen(PLAIN));
    assert_string_equal(descriptor_get(d, "createtype"), "vmfs");
    assert_string_equal(descriptor_get(d, "version"), "1");
    assert_string_equal(descriptor_get(d, "DDB.adaptertype"), "lsilogic");
    assert_null(descriptor_get(d, "encryptionKeys"));
    assert_int_equal(descriptor_extent_count(d), 1);
    const struct descriptor_extent *e = descriptor_extent_at(d, 0);
    assert_int_equal(e->access, EXTENT_RW);
    assert_int_equal(e->sectors, 4096);
    assert_string_equal(e->type, "VMFS");
    assert_string_equal(e->file, "vmfs_thick-flat.vmdk");
    assert_int_equal(e->offset, 0);
    assert_null(descriptor_extent_at(d, 1));
    uint64_t bytes;
    assert_true(descriptor_size(d, &bytes));
    assert_int_equal(bytes, 2 << 20);
    uint32_t cid, parent;
    assert_true(descriptor_cids(d, &cid, &parent, &error));
    assert_int_equal(cid, 0x0172e8a4);
    assert_int_equal(parent, DESCRIPTOR_NO_PARENT);
    descriptor_free(d);
}

/* What real and odd files do: all of it comes back byte for byte. */
static void lossless(void **state)
{
    (void)state;
    static const char TEXT[] = "\r\n"
                               "# Disk DescriptorFile\r\n"
                               "  version = 1  \r\n"
                               "createType=twoGbMaxExtentFlat # comment\r\n"
                               "CID=1\r\nCID=2\r\n"
                               "ddb.empty = \"\"\n"
                               "ddb.open = \"no end\n"
                               "ddb.note = \"a\" # behind\n"
                               "what is this?\n"
                               "= nothing\n"
                               "name with blank = x\n"
                               "\trw 10 FLAT \"a b.vmdk\" 7 uuid device \r\n"
                               "RdOnly 20 ZERO\n"
                               "NOACCESS 30 FLAT \"c.vmdk\" 0\n"
                               "NOACCESS 1 FLAT\n"
                               "RW = setting\n"
                               "last=1\0\0\0\0\0";
    struct error error = ERROR_INIT;
    struct descriptor *d = descriptor_parse(TEXT, sizeof TEXT - 1, &error);
    assert_non_null(d);
    assert_written(d, TEXT, sizeof TEXT - 1);
    assert_string_equal(descriptor_get(d, "version"), "1");
    assert_string_equal(descriptor_get(d, "CID"), "2");
    assert_string_equal(descriptor_get(d, "ddb.empty"), "");
    assert_string_equal(descriptor_get(d, "ddb.open"), "no end");
    assert_string_equal(descriptor_get(d, "ddb.note"), "a");
    assert_string_equal(descriptor_get(d, "RW"), "setting");
    assert_string_equal(descriptor_get(d, "last"), "1");
    assert_int_equal(descriptor_extent_count(d), 4);
    const struct descriptor_extent *e = descriptor_extent_at(d, 0);
    assert_string_equal(e->file, "a b.vmdk");
    assert_int_equal(e->offset, 7);
    e = descriptor_extent_at(d, 1);
    assert_int_equal(e->access, EXTENT_RDONLY);
    assert_null(e->file);
    assert_int_equal(descriptor_extent_at(d, 2)->access, EXTENT_NOACCESS);
    assert_null(descriptor_extent_at(d, 3)->file);
    descriptor_free(d);
}

static void code_pages(void **state)
{
    (void)state;
    static const struct {
        const char *encoding, *bytes, *text;
    } CASES[] = {
        {"windows-1252", "caf\xe9", "caf\xc3\xa9"},
        {"WINDOWS-1251", "\xe4\xe8\xf1\xea", "\xd0\xb4\xd0\xb8\xd1\x81\xd0\xba"},
        {"ISO-8859-1", "caf\xe9", "caf\xc3\xa9"},
        {"Shift_JIS", "\x83\x66\x83\x42\x5c\x83\x58", "\xe3\x83\x87\xe3\x82\xa3\x5c\xe3\x82\xb9"},
        {"GBK", "\xb4\xc5\xc5\xcc", "\xe7\xa3\x81\xe7\x9b\x98"},
        {"UTF-8", "caf\xc3\xa9", "caf\xc3\xa9"},
        /* Not known, or not of that code page: kept. */
        {"UTF-7", "caf\xe9", "caf\xe9"},
        {"ISO-2022-CN-EXT", "caf\xe9", "caf\xe9"},
        {"../../evil", "caf\xe9", "caf\xe9"},
        {"UTF-8", "caf\xe9", "caf\xe9"},
        {"GBK", "x\xff", "x\xff"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct error error = ERROR_INIT;
        char text[512];
        /* The code page counts for lines before it too. */
        snprintf(text, sizeof text,
                 "# Disk DescriptorFile\nddb.n = \"%s\"\nRW 1 FLAT \"%s\" 0\n"
                 "encoding=\"%s\"\n",
                 CASES[i].bytes, CASES[i].bytes, CASES[i].encoding);
        struct descriptor *d = parse(text);
        assert_string_equal(descriptor_get(d, "ddb.n"), CASES[i].text);
        assert_string_equal(descriptor_extent_at(d, 0)->file, CASES[i].text);
        assert_text(d, text);
        if (i < 6) {
            assert_true(descriptor_set(d, "ddb.n", "other", &error));
            assert_true(descriptor_set(d, "ddb.n", CASES[i].text, &error));
            assert_text(d, text);
        }
        descriptor_free(d);
    }
    struct error error = ERROR_INIT;
    struct descriptor *d = parse("# Disk DescriptorFile\nencoding=\"windows-1252\"\n");
    assert_false(descriptor_set(d, "x", "\xe7\xa3\x81", &error));
    assert_error(error, ERROR_FAILED, "windows-1252");
    assert_false(descriptor_set(d, "Encoding", "UTF-8", &error));
    assert_error(error, ERROR_FAILED, "code page");
    assert_true(descriptor_set(d, "encoding", "windows-1252", &error));
    descriptor_free(d);
}

static void malformed(void **state)
{
    (void)state;
    refused("", "lacks the line");
    refused("version=1\n# Disk DescriptorFile\n", "lacks the line");
#define HEAD "# Disk DescriptorFile\n"
    refused(HEAD "RW\n", "line 2: an extent without size");
    refused(HEAD "\nRW -1 FLAT \"a\" 0\n", "line 3: negative size");
    refused(HEAD "RW 1x FLAT \"a\" 0\n", "no number");
    refused(HEAD "RW 18446744073709551616 FLAT \"a\" 0\n", "too large");
    refused(HEAD "RW 18014398509481984 FLAT \"a\" 0\n", "too large");
    refused(HEAD "RW 99999999999999999999999999 FLAT \"a\" 0\n", "too large");
    refused(HEAD "RW 1 FLAT \"a\" -1\n", "negative offset");
    refused(HEAD "RW 1 FLAT \"a\" 18446744073709551615\n", "too large");
    refused(HEAD "RW 1 FLAT \"a\" zero\n", "no number");
    refused(HEAD "RW 1\n", "without a type");
    refused(HEAD "RW 1 \"a\" 0\n", "without a type");
    refused(HEAD "RW 1 FLAT\n", "without a file name");
    refused(HEAD "RW 1 FLAT a 0\n", "not in quotes");
    refused(HEAD "RW 1 FLAT \"a\n", "not in quotes");
    refused(HEAD "RW 1 FLAT \"\n", "not in quotes");
    struct error error = ERROR_INIT;
    static const char NUL[] = HEAD "RW 1 FLAT \"a\0b\" 0\n";
    assert_null(descriptor_parse(NUL, sizeof NUL - 1, &error));
    assert_error(error, ERROR_DAMAGED, "NUL");
    struct descriptor *d = parse(HEAD "CID=123456789\n");
    uint32_t cid, parent;
    assert_false(descriptor_cids(d, &cid, &parent, &error));
    descriptor_free(d);
    d = parse(HEAD "parentCID=xyz\n");
    assert_false(descriptor_cids(d, &cid, &parent, &error));
    descriptor_free(d);
    d = parse(HEAD "RW 18014398509481983 ZERO\nRW 18014398509481983 ZERO\n");
    uint64_t bytes;
    assert_false(descriptor_size(d, &bytes));
    descriptor_free(d);
}

static struct buffer many_extents(size_t count)
{
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, HEAD);
    for (size_t i = 0; i < count; i++)
        buffer_printf(&text, "RW 8 FLAT \"disk-f%06zu.vmdk\" 0\n", i);
    assert_false(text.failed);
    return text;
}

static void bounds(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct buffer text = many_extents(DESCRIPTOR_MAX_EXTENTS);
    struct descriptor *d = descriptor_parse(text.data, text.length, &error);
    assert_non_null(d);
    assert_int_equal(descriptor_extent_count(d), DESCRIPTOR_MAX_EXTENTS);
    assert_written(d, text.data, text.length);
    descriptor_free(d);
    buffer_append_text(&text, "RW 8 ZERO\n");
    assert_null(descriptor_parse(text.data, text.length, &error));
    assert_error(error, ERROR_DAMAGED, "line 65538: more than 65536 extents");
    buffer_free(&text);

    buffer_append_text(&text, HEAD);
    while (text.length < DESCRIPTOR_MAX_BYTES)
        buffer_append_text(&text, "\n\n\n\n\n\n\n\n");
    assert_null(descriptor_parse(text.data, DESCRIPTOR_MAX_BYTES, &error));
    assert_error(error, ERROR_DAMAGED, "lines");
    assert_null(descriptor_parse(text.data, DESCRIPTOR_MAX_BYTES + 1, &error));
    assert_error(error, ERROR_DAMAGED, "too large");
    buffer_free(&text);
}

static void setting(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct descriptor *d = parse(HEAD "CID=1\r\nCID=2 # two\r\nddb.a = \"x\"\r\nddb.c =   y");
    assert_true(descriptor_set(d, "cid", "abcd", &error));
    assert_string_equal(descriptor_get(d, "CID"), "abcd");
    assert_true(descriptor_set(d, "ddb.c", "y z", &error));
    assert_true(descriptor_set(d, "ddb.A", "", &error));
    assert_true(descriptor_set(d, "ddb.new", "n", &error));
    assert_true(descriptor_set(d, "keyID", "00c0ffee", &error));
    assert_true(descriptor_set(d, "createType", "vmfs", &error));
    assert_string_equal(descriptor_get(d, "ddb.new"), "n");
    assert_text(d, HEAD "CID=1\r\nCID=abcd\r\nkeyID=00c0ffee\ncreateType=\"vmfs\"\n"
                        "ddb.a = \"\"\r\nddb.c =   \"y z\"\nddb.new = \"n\"\n");
    assert_int_equal(descriptor_unset(d, "CID"), 2);
    assert_int_equal(descriptor_unset(d, "CID"), 0);
    assert_null(descriptor_get(d, "CID"));
    assert_false(descriptor_set(d, "CID", "a\nb", &error));
    assert_false(descriptor_set(d, "CID", "a\"b", &error));
    assert_text(d, HEAD "keyID=00c0ffee\ncreateType=\"vmfs\"\n"
                        "ddb.a = \"\"\r\nddb.c =   \"y z\"\nddb.new = \"n\"\n");
    descriptor_free(d);
    d = parse("# Extent description\n" HEAD "?");
    assert_true(descriptor_set(d, "version", "1", &error));
    assert_true(descriptor_set_extents(d, NULL, 0, &error));
    assert_text(d, "# Extent description\n" HEAD "version=1\n?\n");
    descriptor_free(d);
    d = parse("# Disk DescriptorFile");
    assert_true(descriptor_set(d, "ddb.a", "1", &error));
    assert_true(descriptor_set(d, "version", "1", &error));
    assert_text(d, HEAD "version=1\nddb.a = \"1\"\n");
    descriptor_free(d);
}

static void extents_replaced(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char flat[] = "FLAT", vmfs[] = "VMFS", zero[] = "ZERO", name[] = "a b.vmdk", bad[] = "a\"b";
    struct descriptor_extent extents[] = {{.sectors = 5, .type = flat, .file = name, .offset = 3},
                                          {.sectors = 6, .type = zero, .access = EXTENT_RDONLY},
                                          {.sectors = 7, .type = vmfs, .file = name}};
    struct descriptor *d =
        parse(HEAD "a=1\nRW 1 FLAT \"x\" 0\n# between\nRW 2 FLAT \"y\" 0\nddb.b = \"1\"");
    assert_true(descriptor_set_extents(d, extents, 3, &error));
    assert_text(d, HEAD "a=1\nRW 5 FLAT \"a b.vmdk\" 3\nRDONLY 6 ZERO\nRW 7 VMFS \"a b.vmdk\"\n"
                        "# between\nddb.b = \"1\"\n");
    assert_int_equal(descriptor_extent_count(d), 3);
    assert_int_equal(descriptor_extent_at(d, 0)->offset, 3);
    assert_true(descriptor_set_extents(d, extents, 0, &error));
    assert_int_equal(descriptor_extent_count(d), 0);
    extents[0].file = bad;
    assert_false(descriptor_set_extents(d, extents, 1, &error));
    assert_text(d, HEAD "a=1\n# between\nddb.b = \"1\"\n");
    descriptor_free(d);
    extents[0].file = name;
    d = parse(HEAD "a=1\r\n# Extent description\n\nddb.b = \"1\"\n");
    assert_true(descriptor_set_extents(d, extents, 1, &error));
    assert_text(d, HEAD "a=1\r\n# Extent description\nRW 5 FLAT \"a b.vmdk\" 3\n\nddb.b = \"1\"\n");
    descriptor_free(d);
}

static void new_flat(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct descriptor *d =
        descriptor_new_flat("x-flat.vmdk", (UINT64_C(100) << 30) - 1, NULL, &error);
    assert_non_null(d);
    uint64_t bytes;
    assert_true(descriptor_size(d, &bytes));
    assert_int_equal(bytes, UINT64_C(100) << 30);
    assert_string_equal(descriptor_get(d, "createType"), "monolithicFlat");
    assert_string_equal(descriptor_get(d, "ddb.adapterType"), "lsilogic");
    assert_string_equal(descriptor_get(d, "ddb.geometry.cylinders"), "13054");
    assert_string_equal(descriptor_extent_at(d, 0)->file, "x-flat.vmdk");
    assert_int_equal(strlen(descriptor_get(d, "ddb.uuid")), 47);
    assert_memory_equal(descriptor_get(d, "ddb.uuid"), "60 00 C2 9", 10);
    uint32_t cid, again, parent;
    assert_true(descriptor_cids(d, &cid, &parent, &error));
    assert_int_equal(parent, DESCRIPTOR_NO_PARENT);
    char id[9];
    snprintf(id, sizeof id, "%08x", cid);
    assert_string_equal(descriptor_get(d, "ddb.longContentID") + 24, id);
    assert_true(descriptor_renew_cid(d, &error));
    assert_true(descriptor_cids(d, &again, &parent, &error));
    assert_int_not_equal(cid, again);
    /* It reads as any other. */
    struct buffer out = BUFFER_INIT;
    assert_true(descriptor_write(d, &out));
    struct descriptor *read = descriptor_parse(out.data, out.length, &error);
    assert_non_null(read);
    descriptor_free(read);
    buffer_free(&out);
    descriptor_free(d);
    assert_null(descriptor_new_flat("x", UINT64_MAX, NULL, &error));
}

static void loading(void **state)
{
    struct fixture *f = *state;
    /* Sparse extents without a descriptor: one is made up, of what they say themselves. */
    static const struct {
        const char *magic;
        const char *type;
        size_t capacity_at;
    } CONTAINERS[] = {{"KDMV\1\0\0\0", "SPARSE", 12},
                      {"COWD\1\0\0\0", "VMFSSPARSE", 12},
                      {"\xbe\xba\xfe\xca\0\0\0\0", "SESPARSE", 16}};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < 3; i++) {
        uint8_t head[512] = {0};
        memcpy(head, CONTAINERS[i].magic, 8);
        head[CONTAINERS[i].capacity_at] = 99;
        const char *path = fixture_write_at(f, "c.vmdk", head, sizeof head, 0);
        struct descriptor *made = descriptor_load(path, &error);
        assert_non_null(made);
        assert_true(descriptor_is_made_up(made));
        assert_int_equal(descriptor_extent_count(made), 1);
        assert_string_equal(descriptor_extent_at(made, 0)->type, CONTAINERS[i].type);
        assert_string_equal(descriptor_extent_at(made, 0)->file, "c.vmdk");
        assert_int_equal(descriptor_extent_at(made, 0)->sectors, 99);
        descriptor_free(made);
        unlink(path);
    }
    /* A descriptor inside that is none, or lies nowhere. */
    static const uint64_t places[][2] = {
        {1, 1}, {3, 1}, {UINT64_MAX, 1}, {1, UINT64_MAX}, {1, 1 << 20}};
    for (size_t i = 0; i < 5; i++) {
        uint8_t head[1024] = "KDMV\1";
        memcpy(head + 28, places[i], 16);
        assert_null(descriptor_load(fixture_write_at(f, "e.vmdk", head, sizeof head, 0), &error));
        assert_int_equal(error.code, ERROR_DAMAGED);
    }
    uint8_t whole[1024] = "KDMV\1";
    memcpy(whole + 28, places[0], 16);
    memcpy(whole + 512, PLAIN, strlen(PLAIN));
    struct descriptor *inside =
        descriptor_load(fixture_write_at(f, "e.vmdk", whole, sizeof whole, 0), &error);
    assert_non_null(inside);
    assert_true(descriptor_is_embedded(inside));
    descriptor_free(inside);
    assert_null(descriptor_load(fixture_sized(f, "large.vmdk", 100 << 20), &error));
    assert_error(error, ERROR_DAMAGED, "104857600 bytes");
    assert_null(descriptor_load(fixture_path(f, "missing.vmdk"), &error));
    assert_error(error, ERROR_FAILED, "No such file");
    assert_null(descriptor_load(f->directory, &error));
    assert_error(error, ERROR_FAILED, "no regular file");
    const char *fifo = fixture_path(f, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(descriptor_load(fifo, &error));
    assert_error(error, ERROR_FAILED, "no regular file");
    assert_null(descriptor_load(fixture_text(f, "empty.vmdk", ""), &error));
    assert_error(error, ERROR_DAMAGED, "no disk descriptor");
    struct descriptor *d = descriptor_load(fixture_text(f, "plain.vmdk", PLAIN), &error);
    assert_non_null(d);
    descriptor_free(d);
}

static void samples(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"vmdk/vmware/vmfs_thick.vmdk",
                                        "vmdk/vmware/vmfs_thick-000001.vmdk"};
    char path[512];
    for (size_t i = 0; i < 2; i++) {
        struct error error = ERROR_INIT;
        struct buffer text = BUFFER_INIT;
        if (!fixture_sample(NAMES[i], path, sizeof path))
            skip();
        assert_true(file_read_all(path, 1 << 20, &text, &error));
        struct descriptor *d = descriptor_load(path, &error);
        assert_non_null(d);
        assert_written(d, text.data, text.length);
        assert_int_equal(descriptor_extent_at(d, 0)->sectors, 4096);
        buffer_free(&text);
        descriptor_free(d);
    }
    struct error error = ERROR_INIT;
    assert_true(fixture_sample("vmdk/vmware/streamOptimized.vmdk", path, sizeof path));
    struct descriptor *inside = descriptor_load(path, &error);
    assert_non_null(inside);
    assert_true(descriptor_is_embedded(inside));
    assert_string_equal(descriptor_get(inside, "createType"), "streamOptimized");
    descriptor_free(inside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_descriptor),
        cmocka_unit_test(lossless),
        cmocka_unit_test(code_pages),
        cmocka_unit_test(malformed),
        cmocka_unit_test(bounds),
        cmocka_unit_test(setting),
        cmocka_unit_test(extents_replaced),
        cmocka_unit_test(new_flat),
        cmocka_unit_test_setup_teardown(loading, fixture_make, fixture_remove),
        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
