/* A PyKMIP store with some bytes changed and maybe cut off: keys, or a refusal with a message. The
 * store is made here; the input says what to change: two bytes of place, one of value, repeated. */
#include <sqlite3.h>

#include "tests/fuzz/source.h"

static const char content[] =
    "PRAGMA page_size=512;"
    "CREATE TABLE managed_objects (uid INTEGER NOT NULL, object_type INTEGER, value "
    "VARBINARY(1024),"
    " owner VARCHAR(50), PRIMARY KEY (uid));"
    "CREATE TABLE crypto_objects (uid INTEGER NOT NULL, state INTEGER, PRIMARY KEY (uid));"
    "CREATE TABLE keys (uid INTEGER NOT NULL, cryptographic_algorithm INTEGER,"
    " cryptographic_length INTEGER, _kdw_wrapping_method INTEGER, PRIMARY KEY (uid));"
    "CREATE TABLE managed_object_names (id INTEGER NOT NULL, mo_uid INTEGER, name VARCHAR,"
    " PRIMARY KEY (id));"
    "INSERT INTO managed_objects VALUES (1,2,zeroblob(32),'vc'),(2,2,zeroblob(1500),'vc');"
    "INSERT INTO crypto_objects VALUES (1,2),(2,4);"
    "INSERT INTO keys VALUES (1,3,256,-1),(2,3,256,1);"
    "INSERT INTO managed_object_names VALUES (1,1,'web01'),(2,1,hex(zeroblob(600)));";

static unsigned char *make_store(sqlite3_int64 *size)
{
    sqlite3 *db;
    unsigned char *store = NULL;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        sqlite3_exec(db, content, NULL, NULL, NULL) == SQLITE_OK)
        store = sqlite3_serialize(db, "main", size, 0);
    sqlite3_close(db);
    if (store == NULL)
        abort();
    return store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char *store;
    static sqlite3_int64 length;
    struct buffer changed = BUFFER_INIT;
    if (store == NULL)
        store = make_store(&length);
    if (!buffer_append(&changed, store, (size_t)length))
        abort();
    for (size_t i = 0; i + 3 <= size; i += 3) {
        size_t at = (size_t)data[i] << 8 | data[i + 1];
        if (at < changed.length)
            changed.data[at] = (char)data[i + 2];
        else if (changed.length > 0)
            changed.length--;
    }
    int result = fuzz_source(source_sqlite, (const uint8_t *)buffer_text(&changed), changed.length);
    buffer_free(&changed);
    return result;
}
