/* view_disk - the disks of a view: opened when wanted, closed when idle, and what is shown of
 * them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "vm/report.h"
#include "vm/view_private.h"
#include "vmdk/partitions.h"

void view_disk_leave(struct view *view, struct view_disk *d)
{
    if (d->newer == NULL && view->newest != d)
        return;
    *(d->newer == NULL ? &view->newest : &d->newer->older) = d->older;
    *(d->older == NULL ? &view->oldest : &d->older->newer) = d->newer;
    d->newer = d->older = NULL;
    view->idle_count--;
}

static struct disk *open_disk(const struct view *view, const struct view_disk *d,
                              struct error *error)
{
    struct disk *disk =
        d->raw ? disk_open_raw(d->path, error) : disk_open(d->path, &view->options, error);
    if (disk != NULL && d->size != 0 && disk_size(disk) != d->size) {
        error_set(error, ERROR_DAMAGED,
                  "has %" PRIu64 " bytes now, and had %" PRIu64 " when it was first looked at",
                  disk_size(disk), d->size);
        error_in_file(error, d->path);
        disk_close(disk);
        disk = NULL;
    }
    return disk;
}

bool view_disk_open(struct view *view, struct view_disk *d, struct error *error)
{
    view_disk_leave(view, d);
    if (d->disk == NULL)
        d->disk = open_disk(view, d, error);
    if (d->disk != NULL)
        d->size = disk_size(d->disk);
    return d->disk != NULL;
}

void view_disk_rest(struct view *view, struct view_disk *d)
{
    if (d->own || d->disk == NULL || d->holds > 0)
        return;
    d->older = view->newest;
    *(view->newest == NULL ? &view->oldest : &view->newest->newer) = d;
    view->newest = d;
    if (++view->idle_count > VIEW_IDLE) {
        struct view_disk *last = view->oldest;
        view_disk_leave(view, last);
        disk_close(last->disk);
        last->disk = NULL;
    }
}

void view_disk_free(struct view_disk *d)
{
    if (d == NULL)
        return;
    disk_close(d->disk);
    free(d->path);
    free(d->file);
    free(d);
}

bool view_is_newer(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Call VISIT with the path of every file that DISK is made of, as far as they are found beside
 * their descriptors. */
static bool each_file(const struct disk *disk,
                      bool (*visit)(void *user, const char *path, struct error *error), void *user,
                      struct error *error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < disk_layer_count(disk); i++) {
        const struct disk_layer layer = disk_layer_at(disk, i);
        ok = visit(user, layer.path, error);
        if (descriptor_is_embedded(layer.descriptor))
            continue;
        for (size_t j = 0; ok && j < descriptor_extent_count(layer.descriptor); j++) {
            const char *file = descriptor_extent_at(layer.descriptor, j)->file;
            char *path = file == NULL ? NULL : file_beside(layer.path, file);
            ok = file == NULL || (path != NULL ? visit(user, path, error) : error_memory(error));
            free(path);
        }
    }
    return ok;
}

static bool visit_time(void *user, const char *path, struct error *error)
{
    struct timespec *newest = user;
    struct stat st;
    (void)error;
    if (stat(path, &st) == 0 && view_is_newer(st.st_mtim, *newest))
        *newest = st.st_mtim;
    return true;
}

struct timespec view_disk_changed(const struct disk *disk)
{
    struct timespec newest = {0};
    struct error ignored = ERROR_INIT;
    each_file(disk, visit_time, &newest, &ignored);
    return newest;
}

static bool visit_place(void *user, const char *path, struct error *error)
{
    return view_evidence_add(user, path, error);
}

bool view_disk_evidence(struct view *view, const struct disk *disk, struct error *error)
{
    return each_file(disk, visit_place, view, error);
}

static struct view_entry *add_file(struct view_state *state, struct view_entry *parent,
                                   struct timespec changed, const char *stem, const char *suffix,
                                   enum view_kind kind, struct error *error)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", stem, suffix) < 0) {
        error_memory(error);
        return NULL;
    }
    struct view_entry *entry = view_entry_add(state, parent, name, kind, error);
    free(name);
    if (entry != NULL)
        entry->node.mtime = changed;
    return entry;
}

static struct view_entry *add_bytes(struct view_state *state, struct view_entry *parent,
                                    struct timespec changed, const char *stem, const char *suffix,
                                    struct view_disk *d, uint64_t start, uint64_t length,
                                    struct error *error)
{
    struct view_entry *entry = add_file(state, parent, changed, stem, suffix, VIEW_DISK, error);
    if (entry != NULL) {
        entry->disk = d;
        entry->start = start;
        entry->node.size = length;
    }
    return entry;
}

static json_t *report_partition(const struct partitions *table, const struct partitions_entry *p,
                                const char *file)
{
    char type[8];
    snprintf(type, sizeof type, "0x%02x", p->mbr_type);
    json_t *entry =
        json_pack("{s:o, s:i, s:I, s:I, s:s}", "file", report_text(file), "number", (int)p->number,
                  "start", (json_int_t)p->start, "bytes", (json_int_t)p->length, "type",
                  table->scheme == PARTITIONS_GPT ? p->gpt_type : type);
    if (p->name[0] != '\0')
        json_object_set_new(entry, "name", report_text(p->name));
    return entry;
}

static bool show_partitions(struct view_state *state, struct view_entry *parent,
                            struct view_disk *d, struct timespec changed, const char *prefix,
                            json_t *report, struct error *error)
{
    struct partitions *table = malloc(sizeof *table);
    struct error unread = ERROR_INIT;
    if (table == NULL)
        return error_memory(error);
    bool ok = true;
    json_t *list = json_array();
    if (!partitions_find(d->disk, table, &unread)) {
        /* What was found before the bad place counts all the same. */
        json_object_set_new(report, "partitions_error", report_text(unread.message));
    }
    for (size_t i = 0; ok && i < table->count; i++) {
        const struct partitions_entry *p = &table->entries[i];
        char suffix[16];
        snprintf(suffix, sizeof suffix, "p%u", p->number);
        const struct view_entry *entry =
            add_bytes(state, parent, changed, prefix, suffix, d, p->start, p->length, error);
        ok = entry != NULL;
        if (ok)
            json_array_append_new(list, report_partition(table, p, entry->name));
    }
    json_object_set_new(report, "partition_table",
                        json_string(partitions_scheme_name(table->scheme)));
    if (table->scheme == PARTITIONS_GPT)
        json_object_set_new(report, "partition_table_copies",
                            json_string(table->backup_used  ? "second only"
                                        : table->backup_bad ? "first only"
                                                            : "both"));
    if (table->gpt_lost)
        json_object_set_new(report, "partition_table_copies", json_string("none"));
    if (table->left_out > 0)
        json_object_set_new(report, "partitions_left_out",
                            json_integer((json_int_t)table->left_out));
    json_object_set_new(report, "partitions", list);
    free(table);
    return ok;
}

bool view_disk_show(struct view_state *state, struct view_entry *parent, struct view_disk *d,
                    const char *stem, const char *prefix, json_t *report, struct error *error)
{
    struct timespec changed = view_disk_changed(d->disk);
    struct view_entry *image =
        add_bytes(state, parent, changed, stem, ".raw", d, 0, d->size, error);
    struct view_entry *text =
        image == NULL ? NULL : add_file(state, parent, changed, stem, ".vmdk", VIEW_TEXT, error);
    if (text == NULL || !view_descriptor(d->disk, image->name, &text->text, error))
        return false;
    text->node.size = text->text.length;
    if (view_is_newer(changed, parent->node.mtime))
        parent->node.mtime = changed;
    json_object_set_new(report, "name", report_text(stem));
    json_object_set_new(report, "image", report_text(image->name));
    json_object_set_new(report, "bytes", json_integer((json_int_t)d->size));
    return show_partitions(state, parent, d, changed, prefix, report, error);
}
