/* Keys in PyKMIP's SQLite store, and databases that are none or are hostile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "keywrap/source.h"
#include "tests/scratch.h"

/* The tables that matter, as SQLAlchemy makes them from PyKMIP's kmip/pie/objects.py. */
static const char schema[] =
    "CREATE TABLE managed_objects (uid INTEGER NOT NULL, object_type INTEGER,"
    " class_type VARCHAR(50), value VARBINARY(1024), name_index INTEGER,"
    " operation_policy_name VARCHAR(50), sensitive BOOLEAN, initial_date INTEGER,"
    " owner VARCHAR(50), PRIMARY KEY (uid));"
    "CREATE TABLE crypto_objects (uid INTEGER NOT NULL, cryptographic_usage_mask INTEGER,"
    " state INTEGER, PRIMARY KEY (uid));"
    "CREATE TABLE keys (uid INTEGER NOT NULL, cryptographic_algorithm INTEGER,"
    " cryptographic_length INTEGER, key_format_type INTEGER, _kdw_wrapping_method INTEGER,"
    " PRIMARY KEY (uid));"
    "CREATE TABLE managed_object_names (id INTEGER NOT NULL, mo_uid INTEGER, name VARCHAR,"
    " name_index INTEGER, name_type INTEGER, PRIMARY KEY (id));";

static const char objects[] =
    "INSERT INTO managed_objects VALUES"
    "(1,2,'SymmetricKey',x'0101010101010101010101010101010101010101010101010101010101010101',"
    "  0,'default',0,0,'vc'),"
    "(2,2,'SymmetricKey',x'0202020202020202020202020202020202020202020202020202020202020202',"
    "  0,'default',0,0,'vc'),"
    "(3,1,'X509Certificate',x'30820000',0,'default',0,0,'vc'),"
    "(7,2,'SymmetricKey',x'070707',0,'default',0,0,'vc'),"
    "(8,2,'SymmetricKey',NULL,0,'default',0,0,'vc');"
    "INSERT INTO crypto_objects VALUES (1,12,2),(2,12,4),(3,12,1),(7,12,2),(8,12,2);"
    "INSERT INTO keys VALUES (1,3,256,1,-1),(2,3,256,1,-1),(7,3,24,1,-1),(8,3,256,1,-1);"
    "INSERT INTO managed_object_names VALUES (1,1,'web01 key',0,1),(2,1,'other',1,1);";

struct outcome {
    struct keyring ring;
    struct error error;
    size_t warnings;
    bool ok;
};

static void make(const char *const *statements)
{
    sqlite3 *db;
    remove("store");
    assert_int_equal(sqlite3_open("store", &db), SQLITE_OK);
    for (; *statements != NULL; statements++) {
        char *why = NULL;
        if (sqlite3_exec(db, *statements, NULL, NULL, &why) != SQLITE_OK)
            fail_msg("%s", why);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(chmod("store", 0600), 0);
}

static void read_store(struct outcome *o)
{
    struct log log = {.program = "test", .level = -1};
    const struct source_form *form = NULL;
    *o = (struct outcome){.error = ERROR_INIT};
    o->ok = source_read("store", NULL, &o->ring, &form, &log, &o->error);
    o->warnings = log.warnings;
    assert_non_null(form);
    assert_string_equal(form->name, "sqlite");
    assert_int_equal(o->ok, o->error.code == ERROR_NONE);
}

static void assert_refused(const struct outcome *o, enum error_code code, const char *words)
{
    assert_false(o->ok);
    assert_int_equal(o->error.code, code);
    if (strstr(o->error.message, words) == NULL)
        fail_msg("no '%s' in '%s'", words, o->error.message);
}

static void assert_both_keys(const struct outcome *o)
{
    if (!o->ok)
        fail_msg("%s", o->error.message);
    assert_int_equal(o->ring.key_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct keyring_key *key = &o->ring.keys[i];
        assert_string_equal(key->id, i == 0 ? "1" : "2");
        assert_int_equal(key->key->length, 32);
        for (size_t k = 0; k < 32; k++)
            assert_int_equal(key->key->data[k], i + 1);
    }
    assert_string_equal(o->ring.keys[0].name, "web01 key");
    assert_null(o->ring.keys[1].name);
    /* The second is compromised. */
    assert_int_equal(o->warnings, 1);
}

static void test_store(void **state)
{
    (void)state;
    struct outcome o;
    make((const char *const[]){schema, objects, NULL});
    read_store(&o);
    assert_both_keys(&o);
    keyring_free(&o.ring);
    /* In write-ahead mode, with everything checkpointed; and small pages, where rows spill over. */
    make((const char *const[]){"PRAGMA page_size=512; PRAGMA journal_mode=WAL", schema, objects,
                               "UPDATE managed_objects SET owner = hex(zeroblob(600))", NULL});
    read_store(&o);
    assert_both_keys(&o);
    keyring_free(&o.ring);
}

static void test_no_pykmip_store(void **state)
{
    (void)state;
    struct outcome o;
    make((const char *const[]){"CREATE TABLE config (a, b)", NULL});
    read_store(&o);
    assert_refused(&o, ERROR_NO_KEY, "no PyKMIP store");
    make((const char *const[]){"CREATE TABLE managed_objects (uid, value)", NULL});
    read_store(&o);
    assert_refused(&o, ERROR_DAMAGED, "no such table");
    make((const char *const[]){schema, NULL});
    read_store(&o);
    assert_refused(&o, ERROR_NO_KEY, "no KMIP object holds a key");
}

static void test_wrapped_object(void **state)
{
    (void)state;
    struct outcome o;
    make((const char *const[]){schema, objects, "UPDATE keys SET _kdw_wrapping_method = 1", NULL});
    read_store(&o);
    assert_refused(&o, ERROR_NO_KEY, "is wrapped");
}

/* Views and endless queries behind the names of tables, and odd values. */
static void test_hostile_schemas(void **state)
{
    (void)state;
    struct outcome o;
    make((const char *const[]){
        schema, objects, "ALTER TABLE keys RENAME TO k",
        "CREATE VIEW keys AS WITH RECURSIVE c(uid) AS (SELECT 1 UNION ALL SELECT uid+1 FROM c)"
        " SELECT uid, 3 cryptographic_algorithm, 256 cryptographic_length,"
        " 0 _kdw_wrapping_method FROM c",
        NULL});
    read_store(&o);
    assert_refused(&o, ERROR_DAMAGED, "PyKMIP store");
    make((const char *const[]){schema, objects,
                               "UPDATE managed_objects SET value = 12345 WHERE uid = 1",
                               "UPDATE crypto_objects SET state = 'x'", NULL});
    read_store(&o);
    assert_true(o.ok);
    assert_int_equal(o.ring.key_count, 1);
    assert_string_equal(o.ring.keys[0].id, "2");
    keyring_free(&o.ring);
}

static void test_cut_and_flipped(void **state)
{
    (void)state;
    struct outcome o;
    static char whole[64 << 10], bytes[64 << 10];
    make((const char *const[]){schema, objects, NULL});
    FILE *f = fopen("store", "r");
    size_t length = fread(whole, 1, sizeof whole, f);
    fclose(f);
    assert_in_range(length, 16 << 10, sizeof whole - 1);
    for (size_t i = 0; i < 200; i++) {
        size_t cut = i < 50 ? 16 + 7 * i : i < 100 ? length / 50 * (i - 50) + 16 : length;
        memcpy(bytes, whole, length);
        /* Flip a byte among those that are not zero, spread over the file. */
        size_t at = i * (length / 200);
        while (i >= 100 && at + 1 < length && bytes[at] == 0)
            at++;
        if (i >= 100 && at > 16)
            bytes[at] = (char)~bytes[at];
        f = fopen("store", "w");
        assert_int_equal(fwrite(bytes, 1, cut, f), cut);
        fclose(f);
        read_store(&o);
        if (i < 100)
            assert_refused(&o, ERROR_DAMAGED, "");
        assert_true(o.ok || o.error.message[0] != '\0');
        keyring_free(&o.ring);
    }
}

static void test_journal_beside_it(void **state)
{
    (void)state;
    struct outcome o;
    make((const char *const[]){schema, objects, NULL});
    FILE *f = fopen("store-wal", "w");
    fclose(f);
    read_store(&o);
    assert_true(o.ok);
    assert_int_equal(o.warnings, 2);
    keyring_free(&o.ring);
    remove("store-wal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store),           cmocka_unit_test(test_no_pykmip_store),
        cmocka_unit_test(test_wrapped_object),  cmocka_unit_test(test_hostile_schemas),
        cmocka_unit_test(test_cut_and_flipped), cmocka_unit_test(test_journal_beside_it),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
