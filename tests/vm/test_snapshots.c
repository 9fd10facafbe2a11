/* The snapshot database. */
#include "tests/vmdk/encrypted_fixture.h"

#include "base/buffer.h"
#include "vm/snapshots.h"
#include "vmx/config.h"

static void parse(struct snapshots *s, const char *text)
{
    struct error error = ERROR_INIT;
    const struct keyring none = KEYRING_INIT;
    if (!snapshots_parse(s, "x.vmsd", text, strlen(text), &none, &error))
        fail_msg("%s", error.message);
}

/* As a product writes it. [the form: files in public reports] */
static const char REAL[] = ".encoding = \"UTF-8\"\n"
                           "snapshot.lastUID = \"5\"\n"
                           "snapshot.current = \"4\"\n"
                           "snapshot0.uid = \"1\"\n"
                           "snapshot0.filename = \"my vm-Snapshot1.vmsn\"\n"
                           "snapshot0.displayName = \"post install\"\n"
                           "snapshot0.description = \"one|0Atwo\"\n"
                           "snapshot0.createTimeHigh = \"388745\"\n"
                           "snapshot0.createTimeLow = \"1991180826\"\n"
                           "snapshot0.numDisks = \"1\"\n"
                           "snapshot0.disk0.fileName = \"my vm_0.vmdk\"\n"
                           "snapshot0.disk0.node = \"scsi0:0\"\n"
                           "snapshot.numSnapshots = \"2\"\n"
                           "snapshot1.uid = \"4\"\n"
                           "snapshot1.filename = \"my vm-Snapshot4.vmsn\"\n"
                           "snapshot1.parent = \"1\"\n"
                           "snapshot1.displayName = \"second\"\n"
                           "snapshot1.createTimeHigh = \"388801\"\n"
                           "snapshot1.createTimeLow = \"-814770620\"\n"
                           "snapshot1.numDisks = \"2\"\n"
                           "snapshot1.disk0.fileName = \"my vm_0-000001.vmdk\"\n"
                           "snapshot1.disk0.node = \"scsi0:0\"\n"
                           "snapshot1.disk1.node = \"nvme0:0\"\n"
                           "snapshot1.disk1.fileName = \"/vmfs/volumes/a/other.vmdk\"\n";

static void check_real(const struct snapshots *s)
{
    assert_int_equal(s->count, 2);
    assert_int_equal(s->odd, 0);
    assert_int_equal(s->current, 4);
    assert_int_equal(s->list[0].uid, 1);
    assert_int_equal(s->list[0].parent, 0);
    assert_string_equal(s->list[0].name, "post install");
    assert_string_equal(s->list[0].description, "one\ntwo");
    assert_string_equal(s->list[0].file, "my vm-Snapshot1.vmsn");
    assert_int_equal(s->list[0].disk_count, 1);
    assert_string_equal(s->list[0].disks[0].file, "my vm_0.vmdk");
    assert_string_equal(s->list[0].disks[0].node, "scsi0:0");
    assert_int_equal(s->list[1].uid, 4);
    assert_int_equal(s->list[1].parent, 1);
    assert_string_equal(s->list[1].description, "");
    assert_int_equal(s->list[1].disk_count, 2);
    assert_string_equal(s->list[1].disks[1].file, "/vmfs/volumes/a/other.vmdk");
    assert_string_equal(s->list[1].disks[1].node, "nvme0:0");
    /* 388745 * 2^32 + 1991180826, and the same with the lower half as an unsigned number:
     * computed with Python's integers. */
    assert_int_equal(s->list[0].created, 1669649052664346);
    assert_int_equal(s->list[1].created, 1669891059848772);
}

static void test_real(void **state)
{
    (void)state;
    struct snapshots s;
    parse(&s, REAL);
    assert_false(s.encrypted);
    check_real(&s);
    snapshots_free(&s);
}

static void test_none(void **state)
{
    static const char *const texts[] = {"", ".encoding = \"UTF-8\"\n", "snapshot.current = \"0\"\n",
                                        "snapshot.uid = \"1\"\nsnapshotx.uid = \"1\"\n",
                                        "snapshot0uid = \"1\"\nsnapshot0. = \"1\"\n"};
    (void)state;
    struct snapshots s;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        parse(&s, texts[i]);
        assert_int_equal(s.count, 0);
        snapshots_free(&s);
    }
}

/* What makes no sense is left out and counted; the rest stays. */
static void test_odd(void **state)
{
    (void)state;
    struct snapshots s;
    parse(&s, "snapshot3.uid = \"9\"\nsnapshot3.displayName = \"a\"\n"
              "snapshot7.displayName = \"no uid\"\n"
              "snapshot8.uid = \"-4\"\nsnapshot9.uid = \"99999999999999999999\"\n"
              "snapshot4.uid = \"9\"\nsnapshot4.displayName = \"the same uid\"\n"
              "SNAPSHOT1.UID = \"5\"\nsnapshot1.parent = \"x\"\nsnapshot1.createTimeHigh = \"1\"\n"
              "snapshot1.disk0.node = \"scsi0:0\"\nsnapshot1.disk1.fileName = \"\"\n"
              "snapshot1.disk5.fileName = \"x.vmdk\"\nsnapshot1.disk5.fileName = \"y.vmdk\"\n"
              "snapshot1.disk5.sub.fileName = \"z.vmdk\"\n"
              "snapshot0000000001.uid = \"6\"\nsnapshot12345678901.uid = \"7\"\n");
    assert_int_equal(s.count, 2);
    assert_int_equal(s.odd, 4);
    assert_int_equal(s.list[0].uid, 5);
    assert_int_equal(s.list[0].parent, 0);
    assert_int_equal(s.list[0].created, 0);
    assert_string_equal(s.list[0].name, "");
    assert_int_equal(s.list[0].disk_count, 1);
    assert_string_equal(s.list[0].disks[0].file, "y.vmdk");
    assert_string_equal(s.list[0].disks[0].node, "");
    assert_string_equal(s.list[1].name, "a");
    snapshots_free(&s);
}

static void test_find(void **state)
{
    (void)state;
    struct snapshots s;
    struct error error = ERROR_INIT;
    parse(&s, "snapshot0.uid = \"1\"\nsnapshot0.displayName = \"2\"\n"
              "snapshot1.uid = \"2\"\nsnapshot1.displayName = \"twice\"\n"
              "snapshot2.uid = \"3\"\nsnapshot2.displayName = \"twice\"\n"
              "snapshot3.uid = \"4\"\nsnapshot3.displayName = \"77\"\n");
    assert_int_equal(snapshots_find(&s, "2", &error)->uid, 2);
    assert_int_equal(snapshots_find(&s, "3", &error)->uid, 3);
    assert_int_equal(snapshots_find(&s, "77", &error)->uid, 4);
    assert_null(snapshots_find(&s, "twice", &error));
    assert_error(error, ERROR_USAGE, "2 snapshots are called \"twice\"");
    assert_error(error, ERROR_USAGE, "1 \"2\", 2 \"twice\", 3 \"twice\", 4 \"77\"");
    assert_null(snapshots_find(&s, "5", &error));
    assert_error(error, ERROR_USAGE, "no snapshot is called \"5\"");
    snapshots_free(&s);
    parse(&s, "");
    assert_null(snapshots_find(&s, "1", &error));
    assert_error(error, ERROR_USAGE, "no snapshots");
}

/* Too many; and as many as may be, with names and uids alike, in no time. */
static void test_many(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    const struct keyring none = KEYRING_INIT;
    struct buffer text = BUFFER_INIT;
    struct snapshots s;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        buffer_printf(&text, "snapshot%zu.uid = \"%zu\"\n", i, i % 2 == 0 ? i : i - 1);
    parse(&s, buffer_text(&text));
    assert_int_equal(s.count, SNAPSHOTS_MAX / 2);
    assert_int_equal(s.odd, SNAPSHOTS_MAX / 2);
    snapshots_free(&s);
    buffer_append_text(&text, "snapshot9999.uid = \"1\"\n");
    assert_false(snapshots_parse(&s, "x", buffer_text(&text), text.length, &none, &error));
    assert_error(error, ERROR_DAMAGED, "more than 4096 snapshots");
    buffer_free(&text);
    buffer_append_text(&text, "snapshot0.uid = \"1\"\n");
    for (size_t i = 0; i <= SNAPSHOTS_DISKS_MAX; i++)
        buffer_printf(&text, "snapshot0.disk%zu.fileName = \"d\"\n", i);
    assert_false(snapshots_parse(&s, "x", buffer_text(&text), text.length, &none, &error));
    assert_error(error, ERROR_DAMAGED, "more than 1024 disks");
    buffer_free(&text);
}

/* An encrypted database is opened as a .vmx is. */
static void test_encrypted(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vmx_config config;
    struct buffer text = BUFFER_INIT;
    struct vault vault = vault_make();
    struct snapshots s;
    const struct keysafe_locker locker = {.kek = &vault.ring.keys[0]};
    assert_true(vmx_config_parse(&config, "x", REAL, strlen(REAL), &error));
    assert_true(vmx_config_encrypt(&config, "AES-256", &locker, SEAL_HMAC_SHA256, &error));
    assert_true(dict_write(config.outer, &text));
    assert_null(strstr(buffer_text(&text), "post install"));
    fixture_text(f, "my vm.vmsd", buffer_text(&text));
    const char *vmx = fixture_text(f, "my vm.vmx", "");
    assert_true(snapshots_load(&s, vmx, &vault.ring, &error));
    assert_true(s.encrypted);
    check_real(&s);
    snapshots_free(&s);
    assert_false(snapshots_load(&s, vmx, &vault.wrong, &error));
    assert_error(error, ERROR_NO_KEY, "no key opens it");
    assert_non_null(strstr(error.file, "my vm.vmsd"));
    buffer_free(&text);
    vmx_config_free(&config);
    vault_free(&vault);
}

static void test_files(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    const struct keyring none = KEYRING_INIT;
    struct snapshots s;
    const char *vmx = fixture_text(f, "a.VMX", "");
    assert_true(snapshots_load(&s, vmx, &none, &error));
    assert_int_equal(s.count, 0);
    assert_null(s.path);
    /* One that would make us wait. */
    assert_int_equal(mkfifo(fixture_path(f, "a.vmsd"), 0600), 0);
    assert_true(snapshots_load(&s, vmx, &none, &error));
    assert_null(s.path);
    unlink(fixture_path(f, "a.vmsd"));
    fixture_text(f, "a.vmsd", REAL);
    assert_true(snapshots_load(&s, vmx, &none, &error));
    check_real(&s);
    assert_non_null(strstr(s.path, "/a.vmsd"));
    snapshots_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_many),
        cmocka_unit_test_setup_teardown(test_encrypted, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_files, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
