/* What a view shows of VMs that tests/lab makes: every byte against the lab's truth. */
#include "tests/vm/view_fixture.h"

#include <pthread.h>
#include <sys/wait.h>

#include "keywrap/keyring.h"

static char lab_directory[] = "/tmp/vmcrypt-view-XXXXXX";
static bool lab_here;
static struct keyring ring;

static const char *lab_path(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/m/%s", lab_directory, name);
    return out;
}

static int make_lab(void **state)
{
    (void)state;
    char command[200], path[200];
    struct error error = ERROR_INIT;
    if (mkdtemp(lab_directory) == NULL)
        return -1;
    snprintf(command, sizeof command,
             "/usr/bin/python3 tests/lab/lab.py make vsphere-snapshots %s/m 2>/dev/null",
             lab_directory);
    int status = system(command);
    lab_here = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const struct keyring_load load = {.passive = true};
    return !lab_here || keyring_load(&ring, lab_path(path, sizeof path, "keys/keyring.yaml"), &load,
                                     &error)
               ? 0
               : -1;
}

static int remove_lab(void **state)
{
    (void)state;
    keyring_free(&ring);
    nftw(lab_directory, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void need_lab(void)
{
    if (!lab_here) {
        print_message("tests/lab cannot make a VM here: skipped\n");
        skip();
    }
}

static struct view *open_lab(const char *source, const char *snapshot)
{
    char path[200];
    const struct view_options options = {.disk = {.keyring = &ring}, .snapshot = snapshot};
    return must_open(lab_path(path, sizeof path, source), &options);
}

static json_t *truth(void)
{
    char path[200];
    json_t *value = json_load_file(lab_path(path, sizeof path, "truth.json"), 0, NULL);
    assert_non_null(value);
    return value;
}

/* PATH and its partition show what the file RAW of the truth holds. */
static void check_disk(struct view *view, const char *stem, const char *raw, uint64_t first,
                       uint64_t sectors)
{
    char path[400], name[200];
    struct buffer expected = BUFFER_INIT;
    struct error error = ERROR_INIT;
    uint64_t size;
    assert_true(file_read_all(lab_path(name, sizeof name, raw), 64 << 20, &expected, &error));
    snprintf(path, sizeof path, "%s.raw", stem);
    uint8_t *data = content(view, path, &size);
    assert_int_equal(size, expected.length);
    assert_memory_equal(data, expected.data, size);
    free(data);
    snprintf(path, sizeof path, "%s.p1", stem);
    data = content(view, path, &size);
    assert_int_equal(size, sectors * 512);
    assert_memory_equal(data, expected.data + first * 512, size);
    free(data);
    snprintf(path, sizeof path, "%s.p2", stem);
    assert_null(find(view, path));
    buffer_free(&expected);
}

/* The descriptor beside it names it, and nothing else. */
static void check_descriptor(struct view *view, const char *stem)
{
    char path[400], image[300];
    struct error error = ERROR_INIT;
    uint64_t size;
    snprintf(path, sizeof path, "%s.vmdk", stem);
    uint8_t *text = content(view, path, &size);
    struct descriptor *d = descriptor_parse((char *)text, size, &error);
    assert_non_null(d);
    assert_int_equal(descriptor_extent_count(d), 1);
    snprintf(image, sizeof image, "%s.raw", file_name(stem));
    assert_string_equal(descriptor_extent_at(d, 0)->file, image);
    assert_string_equal(descriptor_extent_at(d, 0)->type, "FLAT");
    assert_string_equal(descriptor_get(d, "createType"), "monolithicFlat");
    assert_null(descriptor_get(d, "encryptionKeys"));
    assert_null(descriptor_get(d, "ddb.iofilters"));
    snprintf(path, sizeof path, "%s.raw", stem);
    uint64_t bytes;
    assert_true(descriptor_size(d, &bytes));
    assert_int_equal(bytes, must_find(view, path)->size);
    descriptor_free(d);
    free(text);
}

/* DISKS of the truth, as directory PREFIX shows them. */
static void check_disks(struct view *view, const char *prefix, const json_t *disks,
                        const json_t *current)
{
    size_t i;
    json_t *disk;
    json_array_foreach(disks, i, disk)
    {
        char stem[300];
        const char *name = file_name(at(disk, "descriptor"));
        const json_t *place =
            json_array_get(json_object_get(json_array_get(current, i), "partitions"), 0);
        snprintf(stem, sizeof stem, "%s/%.*s", prefix, (int)strlen(name) - 5, name);
        check_disk(view, stem, at(disk, "raw"),
                   (uint64_t)json_integer_value(json_object_get(place, "first")),
                   (uint64_t)json_integer_value(json_object_get(place, "sectors")));
        check_descriptor(view, stem);
    }
    assert_int_equal(i, 2);
}

static void test_all_bytes(void **state)
{
    (void)state;
    need_lab();
    json_t *facts = truth();
    const json_t *current = json_object_get(facts, "disks");
    struct view *view = open_lab("vm", NULL);
    assert_false(view_is_disk(view));
    check_disks(view, "disks", current, current);
    size_t i;
    json_t *snapshot;
    json_array_foreach(json_object_get(facts, "snapshots"), i, snapshot)
    {
        char prefix[200];
        snprintf(prefix, sizeof prefix, "snapshots/%s/disks", at(snapshot, "directory"));
        check_disks(view, prefix, json_object_get(snapshot, "disks"), current);
    }
    assert_int_equal(i, 3);
    assert_null(find(view, "snapshots/clean install (2)"));
    assert_null(find(view, "disks/web01.raw"));
    view_close(view);
    json_decref(facts);
}

static void test_settings(void **state)
{
    (void)state;
    need_lab();
    struct view *view = open_lab("vm", NULL);
    char *text = text_of(view, "vm.vmx");
    assert_non_null(strstr(text, "scsi0:1.fileName = \"web01_1-000003.vmdk\""));
    assert_null(strstr(text, "encryption.data"));
    /* Who may look at the disks need not get the keys. */
    assert_null(strstr(text, "dataFileKey"));
    free(text);
    view_close(view);
}

static void check_report(const json_t *report, size_t layers)
{
    assert_string_equal(at(report, "config/proofs/0/kind"), "hmac");
    for (size_t i = 0; i < 2; i++) {
        const json_t *disk = json_array_get(json_object_get(report, "disks"), i);
        const json_t *proofs = json_object_get(disk, "proofs");
        assert_string_equal(at(disk, "state"), "proved");
        assert_true(json_is_true(json_object_get(disk, "encrypted")));
        assert_string_equal(at(disk, "provider"), "KMS");
        assert_int_equal(json_array_size(json_object_get(disk, "layers")), layers);
        for (size_t j = 0; j < layers; j++)
            assert_string_equal(at(json_array_get(proofs, j), "kind"), "hmac");
        assert_string_equal(at(json_array_get(proofs, layers), "kind"), "signature");
        assert_string_equal(at(disk, "partition_table"), i == 0 ? "GPT" : "MBR");
    }
}

static void test_reports(void **state)
{
    (void)state;
    need_lab();
    struct error error = ERROR_INIT;
    struct view *view = open_lab("vm", NULL);
    json_t *report = json_of(view, "report.json");
    check_report(report, 4);
    assert_int_equal(json_array_size(json_object_get(report, "snapshots")), 3);
    assert_string_equal(at(report, "snapshots/1/name"), "before / after \"patch\"");
    assert_string_equal(at(report, "snapshots/1/directory"), "before _ after _patch_");
    assert_string_equal(at(report, "snapshots/0/created"), "2023-11-14T22:30:00Z");
    json_decref(report);
    report = json_of(view, "snapshots/clean install (7)/report.json");
    check_report(report, 3);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(report, "snapshot"), "uid")), 7);
    json_decref(report);
    /* For --status: the VM's and those of snapshots that were looked at. */
    char *text = view_report(view, &error);
    assert_non_null(text);
    report = json_loads(text, 0, NULL);
    check_report(report, 4);
    assert_int_equal(json_array_size(json_object_get(report, "opened_snapshots")), 1);
    json_decref(report);
    free(text);
    view_close(view);
}

/* Numbers, sizes and times do not depend on what was looked at before. */
static void test_order(void **state)
{
    (void)state;
    need_lab();
    static const char *const first[] = {"snapshots/clean install (7)/disks",
                                        "snapshots/before _ after _patch_/report.json"};
    struct buffer lists[3] = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT};
    struct view *view = open_lab("vm", NULL);
    list(view, VIEW_ROOT, "", &lists[0]);
    uint64_t deep = must_find(view, "snapshots/clean install (7)/disks/web01-000002.p1")->inode;
    view_close(view);
    view = open_lab("vm", NULL);
    for (size_t i = 0; i < 2; i++)
        must_find(view, first[i]);
    list(view, VIEW_ROOT, "", &lists[1]);
    view_close(view);
    /* By its number, though nobody looked there. */
    view = open_lab("vm", NULL);
    assert_string_equal(view_node(view, deep)->name, "web01-000002.p1");
    list(view, VIEW_ROOT, "", &lists[2]);
    assert_null(view_node(view, 0));
    assert_null(view_node(view, deep + 100));
    assert_null(view_node(view, UINT64_MAX));
    view_close(view);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(buffer_text(&lists[i]), buffer_text(&lists[i + 1]));
    for (size_t i = 0; i < 3; i++)
        buffer_free(&lists[i]);
}

struct reader {
    struct view *view;
    unsigned seed;
    bool ok;
};

static void *read_at_random(void *user)
{
    struct reader *r = user;
    static const char *const paths[][3] = {
        {"disks", "web01-000003.raw"},
        {"snapshots", "clean install", "web01.p1"},
        {"snapshots", "clean install (7)", "web01_1-000002.raw"},
        {"snapshots", "before _ after _patch_", "web01-000001.raw"}};
    struct error error = ERROR_INIT;
    uint8_t data[3000];
    r->ok = true;
    for (size_t i = 0; r->ok && i < 200; i++) {
        const char *const *path = paths[(size_t)rand_r(&r->seed) % 4];
        const struct view_node *node = view_lookup(r->view, VIEW_ROOT, path[0], &error);
        node = view_lookup(r->view, node->inode, path[1], &error);
        if (path[2] != NULL) {
            node = view_lookup(r->view, node->inode, "disks", &error);
            node = view_lookup(r->view, node->inode, path[2], &error);
        }
        r->ok = view_hold(r->view, node, &error);
        struct view_bytes bytes = view_bytes(r->view, node);
        uint64_t offset = (uint64_t)rand_r(&r->seed) % (node->size - sizeof data);
        r->ok = r->ok && disk_read(bytes.disk, bytes.start + offset, data, sizeof data, &error);
        free(i % 50 == 0 ? view_report(r->view, &error) : NULL);
        view_release(r->view, node);
    }
    return NULL;
}

/* Many at once, for the thread sanitizer. */
static void test_threads(void **state)
{
    enum { THREADS = 6 };
    (void)state;
    need_lab();
    pthread_t threads[THREADS];
    struct reader readers[THREADS];
    struct view *view = open_lab("vm", NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){view, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, read_at_random, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(readers[i].ok);
    }
    view_close(view);
}

static void test_one_snapshot(void **state)
{
    (void)state;
    need_lab();
    static const char *const words[] = {"3", "before / after \"patch\""};
    json_t *facts = truth();
    const json_t *snapshot = json_array_get(json_object_get(facts, "snapshots"), 1);
    for (size_t i = 0; i < 2; i++) {
        struct view *view = open_lab("vm/web01.vmx", words[i]);
        assert_null(find(view, "snapshots"));
        check_disks(view, "disks", json_object_get(snapshot, "disks"),
                    json_object_get(facts, "disks"));
        view_close(view);
    }
    static const struct {
        const char *word, *says;
    } wrong[] = {
        {"clean install", "2 snapshots are called"}, {"1", "no snapshot is called"}, {"", "2 \""}};
    for (size_t i = 0; i < 3; i++) {
        char path[200];
        struct error error = ERROR_INIT;
        const struct view_options options = {.disk = {.keyring = &ring}, .snapshot = wrong[i].word};
        assert_null(view_open(lab_path(path, sizeof path, "vm"), &options, &error));
        assert_error(error, ERROR_USAGE, wrong[i].says);
    }
    json_decref(facts);
}

/* The base disk alone, by its descriptor and by its flat file. */
static void test_single_disk(void **state)
{
    (void)state;
    need_lab();
    static const char *const sources[] = {"vm/web01.vmdk", "vm/web01-flat.vmdk"};
    for (size_t i = 0; i < 2; i++) {
        struct view *view = open_lab(sources[i], NULL);
        assert_true(view_is_disk(view));
        assert_int_equal(view_disk_inode(view), must_find(view, "disk.raw")->inode);
        assert_non_null(find(view, "p1"));
        check_descriptor(view, "disk");
        char path[200];
        struct buffer expected = BUFFER_INIT;
        struct error error = ERROR_INIT;
        uint64_t size;
        assert_true(file_read_all(lab_path(path, sizeof path, "truth/disk1-snapshot2.raw"),
                                  64 << 20, &expected, &error));
        uint8_t *data = content(view, "disk.raw", &size);
        assert_int_equal(size, expected.length);
        assert_memory_equal(data, expected.data, size);
        json_t *report = json_of(view, "report.json");
        assert_string_equal(at(report, "kind"), "disk");
        assert_string_equal(at(report, "disks/0/state"), "proved");
        assert_int_equal(at(report, "disks/0/notes/0") != NULL, i == 1);
        json_decref(report);
        free(data);
        buffer_free(&expected);
        view_close(view);
    }
}

/* Without keys nothing is shown; what is missing is told at once. */
static void test_no_key(void **state)
{
    (void)state;
    need_lab();
    static const char *const sources[] = {"vm", "vm/web01.vmdk", "vm/web01-000002.vmdk"};
    const struct view_options options = {0};
    for (size_t i = 0; i < 3; i++) {
        char path[200];
        struct error error = ERROR_INIT;
        assert_null(view_open(lab_path(path, sizeof path, sources[i]), &options, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
    }
}

/* A wrong geometry opens with the right key, but nothing in the plaintext agrees. */
static void test_unproved(void **state)
{
    (void)state;
    need_lab();
    char path[200];
    const struct view_options options = {.disk = {.keyring = &ring, .unit_bytes = 4096}};
    struct view *view = must_open(lab_path(path, sizeof path, "vm/web01.vmdk"), &options);
    json_t *report = json_of(view, "report.json");
    assert_string_equal(at(report, "disks/0/state"), "unproved");
    assert_string_equal(at(report, "disks/0/proofs/0/kind"), "hmac");
    assert_null(at(report, "disks/0/proofs/1/kind"));
    json_decref(report);
    view_close(view);
    const struct view_options stored = {.disk = {.raw_ciphertext = true}};
    view = must_open(lab_path(path, sizeof path, "vm/web01.vmdk"), &stored);
    report = json_of(view, "report.json");
    assert_string_equal(at(report, "disks/0/state"), "ciphertext");
    assert_string_equal(at(report, "disks/0/proofs/0/kind"), "none");
    json_decref(report);
    view_close(view);
}

/* A snapshot that lacks a disk tells so; the others are whole. Last: it changes the VM. */
static void test_lost_delta(void **state)
{
    (void)state;
    need_lab();
    char from[200], to[200];
    lab_path(from, sizeof from, "vm/web01_1-000001.vmdk");
    lab_path(to, sizeof to, "vm/gone");
    assert_int_equal(rename(from, to), 0);
    /* The present state needs it too. */
    struct error error = ERROR_INIT;
    char path[200];
    const struct view_options options = {.disk = {.keyring = &ring}};
    assert_null(view_open(lab_path(path, sizeof path, "vm"), &options, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    struct view *view = open_lab("vm", "2");
    assert_non_null(find(view, "disks/web01_1.raw"));
    view_close(view);
    assert_int_equal(rename(to, from), 0);
    /* A snapshot that names a disk that is not there. */
    lab_path(from, sizeof from, "vm/web01.vmsd");
    FILE *file = fopen(from, "a");
    assert_non_null(file);
    fputs("snapshot1.disk1.fileName = \"lost.vmdk\"\nsnapshot1.disk7.fileName = \"x.iso\"\n", file);
    fclose(file);
    view = open_lab("vm", NULL);
    json_t *report = json_of(view, "snapshots/before _ after _patch_/report.json");
    assert_int_equal(json_array_size(json_object_get(report, "disks")), 2);
    assert_string_equal(at(report, "disks/0/state"), "proved");
    assert_string_equal(at(report, "disks/1/state"), "failed");
    assert_non_null(at(report, "disks/1/error"));
    assert_non_null(find(view, "snapshots/before _ after _patch_/disks/web01-000001.raw"));
    assert_null(find(view, "snapshots/before _ after _patch_/disks/lost.raw"));
    assert_non_null(find(view, "snapshots/clean install/disks/web01_1.raw"));
    json_decref(report);
    view_close(view);
    /* Without its database the VM is still there. */
    file = fopen(from, "w");
    assert_non_null(file);
    fputs("encryption.keySafe = \"vmware:key/list/\"\n", file);
    fclose(file);
    view = open_lab("vm", NULL);
    report = json_of(view, "report.json");
    assert_non_null(at(report, "snapshots_error"));
    assert_string_equal(at(report, "disks/0/state"), "proved");
    assert_null(find(view, "snapshots"));
    json_decref(report);
    view_close(view);
    const struct view_options oldest = {.disk = {.keyring = &ring}, .snapshot = "2"};
    assert_null(view_open(lab_path(path, sizeof path, "vm"), &oldest, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_bytes),   cmocka_unit_test(test_settings),
        cmocka_unit_test(test_reports),     cmocka_unit_test(test_order),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_one_snapshot),
        cmocka_unit_test(test_single_disk), cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_unproved),    cmocka_unit_test(test_lost_delta),
    };
    return cmocka_run_group_tests(tests, make_lab, remove_lab);
}
