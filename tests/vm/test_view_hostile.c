/* Views of VMs made by hand: names from hostile files, sources of all sorts, many snapshots. */
#include "tests/vm/view_fixture.h"

#include "base/utf8.h"

static struct view *open_in(struct fixture *f, const char *name, const char *snapshot)
{
    const struct view_options options = {.snapshot = snapshot};
    return must_open(fixture_path(f, name), &options);
}

static void refused(struct fixture *f, const char *name, enum error_code code, const char *says)
{
    struct error error = ERROR_INIT;
    const struct view_options options = {0};
    assert_null(view_open(fixture_path(f, name), &options, &error));
    assert_error(error, code, says);
}

static void make_directory(struct fixture *f, const char *name)
{
    assert_int_equal(mkdir(fixture_path(f, name), 0700), 0);
}

/* The first bytes of a file of the view. */
static void begins(struct view *view, const char *path, const char *tag)
{
    uint64_t size;
    uint8_t *data = content(view, path, &size);
    assert_memory_equal(data, tag, strlen(tag));
    free(data);
}

/* Disks of the same name in several directories, and names that others got already. */
static void test_names_of_disks(void **state)
{
    struct fixture *f = *state;
    make_directory(f, "a");
    make_directory(f, "b");
    make_disk(f, "web", 8, "first");
    make_disk(f, "a/web", 8, "second");
    make_disk(f, "b/web", 8, "third");
    make_disk(f, "web-2", 8, "fourth");
    make_disk(f, "..", 8, "dots");
    make_disk(f, "q\x1b\xff", 8, "odd");
    fixture_text(f, "x.vmx",
                 "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"web.vmdk\"\n"
                 "scsi0:1.present = \"TRUE\"\nscsi0:1.fileName = \"a/web.vmdk\"\n"
                 "scsi0:2.present = \"TRUE\"\nscsi0:2.fileName = \"b/web.vmdk\"\n"
                 "scsi0:3.present = \"TRUE\"\nscsi0:3.fileName = \"web-2.vmdk\"\n"
                 "scsi0:4.present = \"TRUE\"\nscsi0:4.fileName = \"...vmdk\"\n"
                 "scsi0:6.present = \"FALSE\"\nscsi0:6.fileName = \"gone.vmdk\"\n"
                 "ide1:0.present = \"TRUE\"\nide1:0.fileName = \"cd.iso\"\n");
    struct view *view = open_in(f, "", NULL);
    begins(view, "disks/web.raw", "first");
    begins(view, "disks/web-2.raw", "second");
    begins(view, "disks/web-3.raw", "third");
    begins(view, "disks/web-2-2.raw", "fourth");
    begins(view, "disks/_..raw", "dots");
    assert_null(find(view, "disks/gone.raw"));
    json_t *report = json_of(view, "report.json");
    assert_int_equal(json_array_size(json_object_get(report, "disks")), 5);
    assert_string_equal(at(report, "disks/0/state"), "plain");
    assert_string_equal(at(report, "disks/0/proofs/0/kind"), "none");
    assert_string_equal(at(report, "disks/2/image"), "web-3.raw");
    json_decref(report);
    view_close(view);
}

/* A disk elsewhere is not opened, unless a file of its name lies beside. */
static void test_outside(void **state)
{
    struct fixture *f = *state;
    make_directory(f, "vm");
    make_disk(f, "out", 8, "outside");
    make_disk(f, "vm/in", 8, "inside");
    fixture_text(f, "vm/x.vmx", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"../out.vmdk\"\n");
    refused(f, "vm", ERROR_FAILED, "outside");
    fixture_text(f, "vm/x.vmx",
                 "scsi0:0.present = \"TRUE\"\n"
                 "scsi0:0.fileName = \"/vmfs/volumes/ds/vm/in.vmdk\"\n");
    struct view *view = open_in(f, "vm/x.vmx", NULL);
    begins(view, "disks/in.raw", "inside");
    char *real = realpath(fixture_path(f, "vm"), NULL);
    assert_string_equal(view_evidence(view, 0), real);
    assert_null(view_evidence(view, 1));
    free(real);
    view_close(view);
    fixture_text(f, "vm/x.vmx", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"../out.vmdk\"\n");
    const struct view_options outside = {.disk = {.allow_outside = true}};
    view = must_open(fixture_path(f, "vm"), &outside);
    begins(view, "disks/out.raw", "outside");
    assert_non_null(view_evidence(view, 1));
    view_close(view);
}

static void add_snapshot(struct buffer *text, size_t i, const char *name, const char *disk)
{
    buffer_printf(text, "snapshot%zu.uid = \"%zu\"\n", i, i + 1);
    buffer_printf(text, "snapshot%zu.displayName = \"%s\"\n", i, name);
    buffer_printf(text, "snapshot%zu.disk0.fileName = \"%s\"\n", i, disk);
    buffer_printf(text, "snapshot%zu.disk0.node = \"scsi0:0\"\n", i);
}

/* Whatever a database calls its snapshots: every one has a directory, and all are file names. */
static void test_names_of_snapshots(void **state)
{
    struct fixture *f = *state;
    char longest[700], endless[700];
    memset(longest, 'x', 600);
    longest[600] = '\0';
    for (size_t i = 0; i < 600; i += 3)
        memcpy(endless + i, "\u6e2c", 3);
    endless[600] = '\0';
    const char *const names[] = {"",           ".",     "..",       "/",          "../../etc",
                                 "a/b",        "a_b",   "a_b (7)",  "a_b",        "tab\there",
                                 "bell\a",     "\xff",  longest,    longest,      endless,
                                 "\u202eevil", "disks", "a_b (9)",  "snapshot-1", "report.json",
                                 "-rf",        "~",     "a|22b|0Ac"};
    size_t count = sizeof names / sizeof names[0];
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < count; i++)
        add_snapshot(&text, i, names[i], "web.vmdk");
    make_disk(f, "web", 8, "base");
    fixture_text(f, "x.vmsd", buffer_text(&text));
    fixture_text(f, "x.vmx", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"web.vmdk\"\n");
    struct view *view = open_in(f, "x.vmx", NULL);
    uint64_t directory = must_find(view, "snapshots")->inode;
    const struct view_node *node;
    size_t seen = 0;
    for (; (node = view_entry(view, directory, seen, &error)) != NULL; seen++) {
        size_t length = strlen(node->name);
        assert_in_range(length, 1, 255 - strlen(" (4294967296)-4096"));
        assert_null(strchr(node->name, '/'));
        assert_true(strcmp(node->name, ".") != 0 && strcmp(node->name, "..") != 0);
        for (size_t i = 0; i < length; i += utf8_character(node->name + i, length - i)) {
            assert_true((unsigned char)node->name[i] >= ' ');
            assert_int_not_equal(utf8_character(node->name + i, length - i), 0);
        }
        /* Each leads to itself, so no two are alike. */
        assert_ptr_equal(view_lookup(view, directory, node->name, &error), node);
        char path[400];
        snprintf(path, sizeof path, "snapshots/%s/disks/web.raw", node->name);
        begins(view, path, "base");
    }
    assert_int_equal(seen, count);
    assert_non_null(find(view, "snapshots/snapshot-1"));
    assert_non_null(find(view, "snapshots/a_b"));
    assert_non_null(find(view, "snapshots/a_b (7)"));
    assert_non_null(find(view, "snapshots/a_b (7) (8)"));
    assert_non_null(find(view, "snapshots/a_b (9)"));
    view_close(view);
    buffer_free(&text);
}

/* Snapshots close behind who looks at them; what is in use stays open. */
static void test_many_snapshots(void **state)
{
    enum { COUNT = 60 };
    struct fixture *f = *state;
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    const struct view_node *nodes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char name[20], tag[20], file[40];
        snprintf(name, sizeof name, "d%zu", i);
        snprintf(tag, sizeof tag, "state %zu.", i);
        snprintf(file, sizeof file, "%s.vmdk", name);
        make_disk(f, name, 4, tag);
        add_snapshot(&text, i, name, file);
        for (; f->count > 8; f->count--)
            free(f->paths[f->count - 1]);
    }
    fixture_text(f, "x.vmsd", buffer_text(&text));
    fixture_text(f, "x.vmx", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"d0.vmdk\"\n");
    struct view *view = open_in(f, "x.vmx", NULL);
    size_t before = open_files();
    for (size_t i = 0; i < COUNT; i++) {
        char path[60], tag[20];
        snprintf(path, sizeof path, "snapshots/d%zu/disks/d%zu.raw", i, i);
        snprintf(tag, sizeof tag, "state %zu.", i);
        nodes[i] = must_find(view, path);
        begins(view, path, tag);
    }
    assert_int_equal(open_files(), before + VIEW_IDLE);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(view_hold(view, nodes[i], &error) && view_hold(view, nodes[i], &error));
    assert_int_equal(open_files(), before + COUNT);
    for (size_t i = 0; i < COUNT; i++)
        view_release(view, nodes[i]);
    assert_int_equal(open_files(), before + COUNT);
    const struct disk *held = view_bytes(view, nodes[0]).disk;
    for (size_t i = 1; i < COUNT; i++)
        view_release(view, nodes[i]);
    assert_int_equal(open_files(), before + VIEW_IDLE + 1);
    assert_ptr_equal(view_bytes(view, nodes[0]).disk, held);
    /* The idle one that is used again is not the next to go. */
    size_t kept = COUNT - VIEW_IDLE;
    held = view_bytes(view, nodes[kept]).disk;
    assert_non_null(held);
    assert_true(view_hold(view, nodes[kept], &error));
    view_release(view, nodes[kept]);
    assert_true(view_hold(view, nodes[1], &error));
    view_release(view, nodes[1]);
    assert_ptr_equal(view_bytes(view, nodes[kept]).disk, held);
    assert_null(view_bytes(view, nodes[kept + 1]).disk);
    view_release(view, nodes[0]);
    view_close(view);
    assert_int_equal(open_files(), before - 1);
    buffer_free(&text);
}

/* A disk that is another when it is opened again is not shown under the old one's size. */
static void test_changed_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i <= VIEW_IDLE; i++)
        add_snapshot(&text, i, "s", i == 0 ? "old.vmdk" : "web.vmdk");
    make_disk(f, "web", 8, "base");
    make_disk(f, "old", 8, "old");
    fixture_text(f, "x.vmsd", buffer_text(&text));
    fixture_text(f, "x.vmx", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"web.vmdk\"\n");
    struct view *view = open_in(f, "x.vmx", NULL);
    const struct view_node *node = must_find(view, "snapshots/s/disks/old.raw");
    for (size_t i = 1; i <= VIEW_IDLE; i++) {
        char path[60];
        snprintf(path, sizeof path, "snapshots/s (%zu)/disks/web.raw", i + 1);
        begins(view, path, "base");
    }
    assert_null(view_bytes(view, node).disk);
    make_disk(f, "old", 9, "old");
    assert_false(view_hold(view, node, &error));
    assert_error(error, ERROR_DAMAGED, "had 4096 when it was first looked at");
    make_disk(f, "old", 8, "old");
    error_clear(&error);
    assert_true(view_hold(view, node, &error));
    view_release(view, node);
    view_close(view);
    buffer_free(&text);
}

static void test_sources(void **state)
{
    struct fixture *f = *state;
    make_disk(f, "web", 8, "base");
    fixture_write_at(f, "lone.img", "lone", 4, 0);
    fixture_sized(f, "lone.img", 8192);
    fixture_write_at(f, "lone-flat.vmdk", "flat", 4, 0);
    fixture_sized(f, "lone-flat.vmdk", 8192);
    struct view *view = open_in(f, "lone.img", NULL);
    begins(view, "disk.raw", "lone");
    json_t *report = json_of(view, "report.json");
    assert_non_null(strstr(at(report, "disks/0/notes/0"), "no descriptor beside it names it"));
    json_decref(report);
    view_close(view);
    view = open_in(f, "lone-flat.vmdk", NULL);
    begins(view, "disk.raw", "flat");
    view_close(view);
    view = open_in(f, "web-flat.vmdk", NULL);
    char *text = text_of(view, "disk.vmdk");
    assert_non_null(strstr(text, "ddb.geometry.cylinders = \"77\""));
    assert_non_null(strstr(text, "ddb.adapterType = \"ide\""));
    assert_non_null(strstr(text, "ddb.uuid = \"60 00 C2 9a 01"));
    assert_null(strstr(text, "12345678"));
    free(text);
    view_close(view);
    const struct view_options raw = {.raw = true};
    view = must_open(fixture_path(f, "lone-flat.vmdk"), &raw);
    assert_int_equal(must_find(view, "disk.raw")->size, 8192);
    view_close(view);
    refused(f, "none", ERROR_FAILED, "cannot open");
    refused(f, "", ERROR_USAGE, "no .vmx file");
    fixture_text(f, "odd.vmdk", "no descriptor, though it is called one\n");
    refused(f, "odd.vmdk", ERROR_DAMAGED, "Disk DescriptorFile");
    fixture_text(f, "short.img", "not a sector");
    refused(f, "short.img", ERROR_DAMAGED, "no whole sectors");
    struct error error = ERROR_INIT;
    const struct view_options options = {.snapshot = "1"};
    assert_null(view_open(fixture_path(f, "web.vmdk"), &options, &error));
    assert_error(error, ERROR_USAGE, "single disk has no snapshots");
    /* An extent of two disks: which one is meant? */
    fixture_text(f, "other.vmdk",
                 "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                 "createType=\"custom\"\nRW 8 FLAT \"lone.img\" 0\nRW 8 FLAT \"lone.img\" 8\n");
    view = open_in(f, "lone.img", NULL);
    report = json_of(view, "report.json");
    assert_non_null(strstr(at(report, "disks/0/notes/0"), "which names lone.img"));
    json_decref(report);
    view_close(view);
    fixture_text(f, "third.vmdk",
                 "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                 "createType=\"custom\"\nRW 16 FLAT \"lone.img\" 0\n");
    refused(f, "lone.img", ERROR_USAGE, "several disks");
}

/* Asking for what is none of its things. */
static void test_questions(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    make_disk(f, "web", 8, "base");
    struct view *view = open_in(f, "web.vmdk", NULL);
    const struct view_node *root = view_node(view, VIEW_ROOT);
    assert_int_equal(root->kind, VIEW_DIRECTORY);
    assert_int_equal(root->parent, VIEW_ROOT);
    uint64_t file = view_disk_inode(view);
    assert_null(view_lookup(view, file, "x", &error));
    assert_null(view_lookup(view, 999, "x", &error));
    assert_null(view_lookup(view, VIEW_ROOT, "", &error));
    assert_null(view_lookup(view, VIEW_ROOT, "..", &error));
    assert_null(view_entry(view, file, 0, &error));
    assert_null(view_entry(view, VIEW_ROOT, SIZE_MAX, &error));
    assert_int_equal(error.code, ERROR_NONE);
    view_close(view);
    view_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_of_disks, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_outside, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_names_of_snapshots, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_many_snapshots, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_changed_meanwhile, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_sources, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_questions, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
