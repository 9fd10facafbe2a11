/* snapshots - see snapshots.h. */
#include "vm/snapshots.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "vm/files.h"
#include "vmx/config.h"

/* What one line says: snapshotN.FIELD or snapshotN.diskM.FIELD. */
struct line {
    uint64_t snapshot;
    uint64_t disk;
    bool of_disk;
    const char *field;
    const char *value;
    size_t order; /* of duplicates the last one counts */
};

struct lines {
    size_t count, capacity;
    struct line *lines;
};

/* A number at *AT behind PREFIX, in the case of no letter; *AT moves behind the dot after it. */
static bool take_number(const char **at, const char *prefix, uint64_t *number)
{
    size_t length = strlen(prefix);
    if (strncasecmp(*at, prefix, length) != 0)
        return false;
    const char *digits = *at + length;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 9 || digits[count] != '.')
        return false;
    *number = strtoull(digits, NULL, 10);
    *at = digits + count + 1;
    return true;
}

static bool add_line(struct lines *all, const char *name, const char *value, struct error *error)
{
    struct line line = {.value = value, .order = all->count};
    if (!take_number(&name, "snapshot", &line.snapshot))
        return true;
    line.of_disk = take_number(&name, "disk", &line.disk);
    line.field = name;
    if (all->count == all->capacity) {
        size_t wanted = all->capacity == 0 ? 64 : 2 * all->capacity;
        struct line *grown = realloc(all->lines, wanted * sizeof *grown);
        if (grown == NULL)
            return error_memory(error);
        all->lines = grown;
        all->capacity = wanted;
    }
    all->lines[all->count++] = line;
    return true;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = compare_u64(x->snapshot, y->snapshot);
    if (order == 0)
        order = (int)x->of_disk - (int)y->of_disk;
    if (order == 0)
        order = compare_u64(x->disk, y->disk);
    return order == 0 ? compare_u64(x->order, y->order) : order;
}

/* A 32-bit number, signed or not, as products write the halves of a time. */
static bool parse_half(const char *text, uint32_t *half)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < INT32_MIN || value > UINT32_MAX)
        return false;
    *half = (uint32_t)value;
    return true;
}

static bool parse_uid(const char *text, uint64_t *uid)
{
    size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
        return false;
    *uid = strtoull(text, NULL, 10);
    return true;
}

static void free_snapshot(struct snapshot *s)
{
    for (size_t i = 0; i < s->disk_count; i++) {
        free(s->disks[i].node);
        free(s->disks[i].file);
    }
    free(s->disks);
    free(s->name);
    free(s->description);
    free(s->file);
}

static bool add_disk(struct snapshot *s, const char *node, const char *file, struct error *error)
{
    if (s->disk_count == SNAPSHOTS_DISKS_MAX)
        return error_set(error, ERROR_DAMAGED, "a snapshot of more than %d disks",
                         SNAPSHOTS_DISKS_MAX);
    if ((s->disk_count & (s->disk_count - 1)) == 0) {
        size_t wanted = s->disk_count == 0 ? 1 : 2 * s->disk_count;
        struct snapshot_disk *grown = realloc(s->disks, wanted * sizeof *grown);
        if (grown == NULL)
            return error_memory(error);
        s->disks = grown;
    }
    struct snapshot_disk *disk = &s->disks[s->disk_count];
    *disk = (struct snapshot_disk){strdup(node), strdup(file)};
    if (disk->node == NULL || disk->file == NULL) {
        free(disk->node);
        free(disk->file);
        return error_memory(error);
    }
    s->disk_count++;
    return true;
}

/* The lines of one snapshot's disks, which are sorted. */
static bool add_disks(struct snapshot *s, const struct line *lines, size_t count,
                      struct error *error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count;) {
        const char *node = "", *file = "";
        size_t end = i;
        for (; end < count && lines[end].disk == lines[i].disk; end++) {
            if (strcasecmp(lines[end].field, "fileName") == 0)
                file = lines[end].value;
            else if (strcasecmp(lines[end].field, "node") == 0)
                node = lines[end].value;
        }
        ok = file[0] == '\0' || add_disk(s, node, file, error);
        i = end;
    }
    return ok;
}

/* What the lines of one snapshot say; *found when it has a uid. */
static bool make_snapshot(struct snapshot *s, const struct line *lines, size_t count, bool *found,
                          struct error *error)
{
    const char *name = "", *description = "", *file = "";
    uint32_t high = 0, low = 0;
    bool has_high = false, has_low = false;
    size_t i = 0;
    *s = (struct snapshot){0};
    *found = false;
    for (; i < count && !lines[i].of_disk; i++) {
        const char *field = lines[i].field, *value = lines[i].value;
        if (strcasecmp(field, "uid") == 0)
            *found = parse_uid(value, &s->uid);
        else if (strcasecmp(field, "parent") == 0)
            parse_uid(value, &s->parent);
        else if (strcasecmp(field, "displayName") == 0)
            name = value;
        else if (strcasecmp(field, "description") == 0)
            description = value;
        else if (strcasecmp(field, "filename") == 0)
            file = value;
        else if (strcasecmp(field, "createTimeHigh") == 0)
            has_high = parse_half(value, &high);
        else if (strcasecmp(field, "createTimeLow") == 0)
            has_low = parse_half(value, &low);
    }
    if (!*found)
        return true;
    s->created = has_high && has_low ? (uint64_t)high << 32 | low : 0;
    s->name = strdup(name);
    s->description = strdup(description);
    s->file = strdup(file);
    bool ok = s->name != NULL && s->description != NULL && s->file != NULL;
    ok = (ok || error_memory(error)) && add_disks(s, lines + i, count - i, error);
    if (!ok)
        free_snapshot(s);
    return ok;
}

static int by_uid(const void *a, const void *b)
{
    return compare_u64(((const struct snapshot *)a)->uid, ((const struct snapshot *)b)->uid);
}

static void forget_nothing(void *node)
{
    (void)node;
}

/* Keep the first of those that have the same uid. */
static bool drop_doubles(struct snapshots *snapshots, struct error *error)
{
    void *seen = NULL;
    size_t kept = 0;
    bool ok = true;
    for (size_t i = 0; i < snapshots->count; i++) {
        struct snapshot s = snapshots->list[i];
        snapshots->list[kept] = s;
        struct snapshot **node = ok ? tsearch(&snapshots->list[kept], &seen, by_uid) : NULL;
        ok = ok && (node != NULL || error_memory(error));
        if (ok && *node != &snapshots->list[kept]) {
            free_snapshot(&s);
            snapshots->odd++;
        } else {
            kept++;
        }
    }
    snapshots->count = kept;
    tdestroy(seen, forget_nothing);
    return ok;
}

static bool fill(struct snapshots *snapshots, struct lines *all, struct error *error)
{
    if (all->count > 0)
        qsort(all->lines, all->count, sizeof *all->lines, by_place);
    for (size_t i = 0; i < all->count;) {
        size_t end = i;
        bool found;
        struct snapshot s;
        while (end < all->count && all->lines[end].snapshot == all->lines[i].snapshot)
            end++;
        if (!make_snapshot(&s, all->lines + i, end - i, &found, error))
            return false;
        i = end;
        if (!found) {
            snapshots->odd++;
            continue;
        }
        size_t count = snapshots->count;
        struct snapshot *grown = snapshots->list;
        bool ok = count < SNAPSHOTS_MAX ||
                  error_set(error, ERROR_DAMAGED, "more than %d snapshots", SNAPSHOTS_MAX);
        if (ok && (count & (count - 1)) == 0) {
            grown = realloc(snapshots->list, (count == 0 ? 1 : 2 * count) * sizeof *grown);
            ok = grown != NULL || error_memory(error);
        }
        if (!ok) {
            free_snapshot(&s);
            return false;
        }
        snapshots->list = grown;
        snapshots->list[snapshots->count++] = s;
    }
    return drop_doubles(snapshots, error);
}

static bool collect(struct snapshots *snapshots, const struct dict *dict, struct error *error)
{
    struct lines all = {0};
    const char *name, *value;
    bool ok = true;
    for (size_t i = 0; ok && dict_at(dict, i, &name, &value); i++)
        ok = add_line(&all, name, value, error);
    ok = ok && fill(snapshots, &all, error);
    const char *current = dict_get(dict, "snapshot.current");
    if (current != NULL)
        parse_uid(current, &snapshots->current);
    free(all.lines);
    return ok;
}

bool snapshots_parse(struct snapshots *snapshots, const char *name, const char *text, size_t length,
                     const struct keyring *ring, struct error *error)
{
    struct vmx_config config;
    *snapshots = (struct snapshots){0};
    if (!vmx_config_parse(&config, name, text, length, error))
        return false;
    snapshots->encrypted = config.encrypted;
    bool ok = !config.encrypted || vmx_config_unlock(&config, ring, error);
    struct dict *plain = ok ? vmx_config_plain(&config, error) : NULL;
    ok = plain != NULL && collect(snapshots, plain, error);
    dict_free(plain);
    vmx_config_free(&config);
    if (!ok) {
        error_in_file(error, name);
        snapshots_free(snapshots);
    }
    return ok;
}

/* VMX with the end ".vmx" made ".vmsd". */
static char *database_path(const char *vmx)
{
    size_t length = strlen(vmx);
    char *path;
    if (vm_has_suffix(vmx, ".vmx"))
        length -= strlen(".vmx");
    return asprintf(&path, "%.*s.vmsd", (int)length, vmx) < 0 ? NULL : path;
}

bool snapshots_load(struct snapshots *snapshots, const char *vmx, const struct keyring *ring,
                    struct error *error)
{
    *snapshots = (struct snapshots){0};
    struct stat st;
    char *path = database_path(vmx);
    if (path == NULL)
        return error_memory(error);
    /* Nobody named this file, so it must not make us wait as a pipe would. */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        free(path);
        return true;
    }
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(path, DICT_MAX_BYTES, &text, error) &&
              snapshots_parse(snapshots, path, buffer_text(&text), text.length, ring, error);
    buffer_free(&text);
    if (ok)
        snapshots->path = path;
    else
        free(path);
    return ok;
}

void snapshots_free(struct snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->count; i++)
        free_snapshot(&snapshots->list[i]);
    free(snapshots->list);
    free(snapshots->path);
    *snapshots = (struct snapshots){0};
}

/* "1 \"before\", 2 \"after\"", as far as there is room. */
static void list_all(const struct snapshots *snapshots, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < snapshots->count && used < size; i++) {
        const struct snapshot *s = &snapshots->list[i];
        int length = snprintf(out + used, size - used, "%s%" PRIu64 " \"%.60s\"",
                              i == 0 ? "" : ", ", s->uid, s->name);
        if (length < 0 || (size_t)length >= size - used) {
            snprintf(out + used, size - used, "%s", size - used > 4 ? " ..." : "");
            return;
        }
        used += (size_t)length;
    }
}

const struct snapshot *snapshots_find(const struct snapshots *snapshots, const char *word,
                                      struct error *error)
{
    uint64_t uid;
    const struct snapshot *found = NULL;
    size_t count = 0;
    char all[500];
    if (parse_uid(word, &uid))
        for (size_t i = 0; i < snapshots->count; i++)
            if (snapshots->list[i].uid == uid)
                return &snapshots->list[i];
    for (size_t i = 0; i < snapshots->count; i++) {
        if (strcmp(snapshots->list[i].name, word) == 0) {
            found = &snapshots->list[i];
            count++;
        }
    }
    if (count == 1)
        return found;
    list_all(snapshots, all, sizeof all);
    if (snapshots->count == 0)
        error_set(error, ERROR_USAGE, "the VM has no snapshots");
    else if (count == 0)
        error_set(error, ERROR_USAGE, "no snapshot is called \"%.80s\"; there are %s", word, all);
    else
        error_set(error, ERROR_USAGE, "%zu snapshots are called \"%.80s\"; name the uid: %s", count,
                  word, all);
    return NULL;
}
