/* source_sqlite - keys in the SQLite store of a PyKMIP server; see source.h.
 *
 * Tables as in PyKMIP's kmip/pie/objects.py [source]: managed_objects(uid, object_type, value, …),
 * crypto_objects(uid, state, …), keys(uid, cryptographic_algorithm, …, _kdw_wrapping_method),
 * managed_object_names(mo_uid, name). Numbers are KMIP's; -1 stands for none.
 *
 * The store is read from memory and never written. Key bytes go from there straight into secrets:
 * pages are mapped rather than cached, and values are read as incremental blobs, so that none of
 * SQLite's own memory ever holds them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/file.h"
#include "keywrap/kmip.h"

/* A key is small; the longest certificates are below this. Steps bound what a hostile schema may
 * make SQLite compute. */
enum { VALUE_LONGEST = 64 << 10, STEPS_AT_ONCE = 1 << 16, STEPS_MAX = 1 << 11 };

static const char magic[16] = "SQLite format 3";

static const char query[] =
    "SELECT m.rowid, m.uid, m.object_type, c.state, k.cryptographic_algorithm,"
    " k.cryptographic_length, k._kdw_wrapping_method, n.name"
    " FROM managed_objects m"
    " LEFT JOIN crypto_objects c ON c.uid = m.uid"
    " LEFT JOIN keys k ON k.uid = m.uid"
    " LEFT JOIN (SELECT mo_uid, name, min(id) FROM managed_object_names GROUP BY mo_uid) n"
    " ON n.mo_uid = m.uid ORDER BY m.uid";
enum { ROW, UID, TYPE, STATE, ALGORITHM, BITS, WRAPPING, NAME };

/* One object: its texts, to which the kmip part points, and where its bytes are among all. */
struct row {
    char uid[24];
    char *name;
    size_t value_at, value_length;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *objects;
    struct row *rows;
    size_t count, capacity;
    struct buffer values;
    unsigned steps;
};

static int count_steps(void *context)
{
    struct store *store = context;
    return ++store->steps > STEPS_MAX;
}

static bool fail(const struct store *store, struct error *error)
{
    return error_set(error, ERROR_DAMAGED, "PyKMIP store: %s",
                     store->steps > STEPS_MAX ? "takes too long to read"
                                              : sqlite3_errmsg(store->db));
}

/* A store in write-ahead mode cannot be read from memory; its two version bytes say so. What is in
 * the log beside it is not in it. */
static bool leave_wal_mode(struct buffer *bytes)
{
    enum { WRITE_VERSION = 18, READ_VERSION = 19, WAL = 2, LEGACY = 1 };
    bool is_wal = bytes->data[WRITE_VERSION] == WAL || bytes->data[READ_VERSION] == WAL;
    if (is_wal)
        bytes->data[WRITE_VERSION] = bytes->data[READ_VERSION] = LEGACY;
    return is_wal;
}

/* SQLite reads what is missing of the last page as zeros. */
static bool check_size(const struct buffer *bytes, struct error *error)
{
    enum { PAGE_SIZE = 16, PAGE_COUNT = 28, LARGEST_PAGE = 65536 };
    const uint8_t *data = (const uint8_t *)bytes->data;
    uint64_t page = (uint64_t)data[PAGE_SIZE] << 8 | data[PAGE_SIZE + 1], count = 0;
    for (size_t i = 0; i < 4; i++)
        count = count << 8 | data[PAGE_COUNT + i];
    uint64_t size = count * (page == 1 ? LARGEST_PAGE : page);
    return bytes->length >= size ||
           error_set(error, ERROR_DAMAGED,
                     "SQLite database that is cut off: %zu of %" PRIu64 " bytes", bytes->length,
                     size);
}

static bool open_store(struct store *store, struct buffer *bytes, struct error *error)
{
    enum { IDLE_LIMIT = 0, TEXT_LIMIT = 1 << 20 };
    if (sqlite3_open_v2(":memory:", &store->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return store->db == NULL ? error_memory(error) : fail(store, error);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, TEXT_LIMIT);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, IDLE_LIMIT);
    sqlite3_progress_handler(store->db, STEPS_AT_ONCE, count_steps, store);
    sqlite3_int64 size = (sqlite3_int64)bytes->length;
    char pragmas[128];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA mmap_size=%" PRId64 "; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY",
             (int64_t)size);
    if (sqlite3_deserialize(store->db, "main", (unsigned char *)bytes->data, size, size,
                            SQLITE_DESERIALIZE_READONLY) != SQLITE_OK ||
        sqlite3_exec(store->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return fail(store, error);
    if (sqlite3_table_column_metadata(store->db, "main", "managed_objects", "value", NULL, NULL,
                                      NULL, NULL, NULL) == SQLITE_ERROR)
        return error_set(error, ERROR_NO_KEY,
                         "an SQLite database, but no PyKMIP store: no managed_objects in it");
    return sqlite3_prepare_v2(store->db, query, sizeof query, &store->objects, NULL) == SQLITE_OK ||
           fail(store, error);
}

static void close_store(struct store *store)
{
    sqlite3_finalize(store->objects);
    sqlite3_close(store->db);
    for (size_t i = 0; i < store->count; i++)
        free(store->rows[i].name);
    free(store->rows);
    buffer_free(&store->values);
}

/* The object's bytes; a value that is NULL, empty or huge is left out. */
static bool read_value(struct store *store, sqlite3_int64 id, struct row *row, struct error *error)
{
    sqlite3_blob *blob = NULL;
    int result = sqlite3_blob_open(store->db, "main", "managed_objects", "value", id, 0, &blob);
    bool ok = true;
    if (result == SQLITE_OK) {
        int length = sqlite3_blob_bytes(blob);
        if (length > 0 && length <= VALUE_LONGEST) {
            char *to = buffer_reserve(&store->values, (size_t)length);
            if (to == NULL)
                ok = error_memory(error);
            else
                ok = sqlite3_blob_read(blob, to, length, 0) == SQLITE_OK || fail(store, error);
            row->value_at = store->values.length;
            row->value_length = (size_t)length;
            store->values.length += ok ? (size_t)length : 0;
        }
    } else if (result != SQLITE_ERROR) {
        /* SQLITE_ERROR says that the value is no blob or text, hence no key. */
        ok = fail(store, error);
    }
    sqlite3_blob_close(blob);
    return ok;
}

static struct row *new_row(struct store *store, struct error *error)
{
    if (store->count == store->capacity) {
        size_t capacity = store->capacity == 0 ? 64 : store->capacity * 2;
        struct row *grown = realloc(store->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            error_memory(error);
            return NULL;
        }
        store->rows = grown;
        store->capacity = capacity;
    }
    store->rows[store->count] = (struct row){0};
    return &store->rows[store->count++];
}

static uint32_t number(sqlite3_stmt *row, int column)
{
    int64_t value = sqlite3_column_int64(row, column);
    return value < 0 || value > UINT32_MAX ? 0 : (uint32_t)value;
}

static bool read_row(struct store *store, struct error *error)
{
    sqlite3_stmt *from = store->objects;
    struct row *row = new_row(store, error);
    if (row == NULL)
        return false;
    if (sqlite3_column_type(from, UID) == SQLITE_INTEGER)
        snprintf(row->uid, sizeof row->uid, "%" PRId64, (int64_t)sqlite3_column_int64(from, UID));
    const unsigned char *name = sqlite3_column_text(from, NAME);
    row->name = name == NULL ? NULL : strdup((const char *)name);
    if (name != NULL && row->name == NULL)
        return error_memory(error);
    return read_value(store, sqlite3_column_int64(from, ROW), row, error);
}

static struct kmip_text text(const char *string)
{
    return (struct kmip_text){string, string == NULL ? 0 : strlen(string)};
}

static bool read_objects(struct store *store, struct kmip *kmip, struct error *error)
{
    int result;
    while ((result = sqlite3_step(store->objects)) == SQLITE_ROW) {
        struct kmip_part *part = kmip_add(kmip, error);
        if (part == NULL || !read_row(store, error))
            return false;
        part->has_object = true;
        part->object_type = number(store->objects, TYPE);
        part->state = number(store->objects, STATE);
        part->algorithm = number(store->objects, ALGORITHM);
        part->bits = number(store->objects, BITS);
        part->is_wrapped = sqlite3_column_type(store->objects, WRAPPING) == SQLITE_INTEGER &&
                           sqlite3_column_int64(store->objects, WRAPPING) > 0;
    }
    return result == SQLITE_DONE || fail(store, error);
}

/* Point the parts to their texts and bytes, which stay where they are from now on. */
static void link_parts(const struct store *store, struct kmip *kmip)
{
    for (size_t i = 0; i < kmip->count; i++) {
        const struct row *row = &store->rows[i];
        struct kmip_part *part = &kmip->parts[i];
        if (row->uid[0] != '\0')
            part->id = text(row->uid);
        part->name = text(row->name);
        if (row->value_length > 0)
            part->material =
                (struct kmip_text){store->values.data + row->value_at, row->value_length};
    }
}

/* What a server that still ran, or was stopped hard, left beside its store. */
static void warn_of_journals(struct source *source)
{
    static const char *const endings[] = {"-journal", "-wal"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s%s", source->path, endings[i]) < 0)
            return;
        if (file_exists(path))
            log_say(source->log, LOG_WARN, "%s: not read; the newest keys may be in it only", path);
        free(path);
    }
}

enum source_verdict source_sqlite(struct source *source, struct error *error)
{
    const struct buffer *file = source->file;
    if (file->length < sizeof magic || memcmp(file->data, magic, sizeof magic) != 0)
        return SOURCE_NOT_THIS;
    enum source_verdict verdict = SOURCE_REFUSED;
    struct store store = {0};
    struct kmip kmip = KMIP_INIT;
    struct buffer bytes = BUFFER_INIT;
    enum { DATABASE_HEADER = 100 };
    if (file->length < DATABASE_HEADER) {
        error_set(error, ERROR_DAMAGED, "SQLite database that is cut off in its header");
        goto out;
    }
    if (!buffer_append(&bytes, file->data, file->length)) {
        error_memory(error);
        goto out;
    }
    if (leave_wal_mode(&bytes))
        log_say(source->log, LOG_INFO, "%s: was in write-ahead mode", source->path);
    if (!check_size(&bytes, error) || !open_store(&store, &bytes, error) ||
        !read_objects(&store, &kmip, error))
        goto out;
    link_parts(&store, &kmip);
    warn_of_journals(source);
    verdict = kmip_deliver(&kmip, source, "object", error);
out:
    kmip_free(&kmip);
    close_store(&store);
    buffer_free(&bytes);
    return verdict;
}
