/* cli_disk_track - what the change tracking file of a disk tells, as far as it is understood. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/change_track.h"
#include "vmdk/evidence.h"

enum { AREAS_MAX = 10000 };

struct areas {
    json_t *list;
    bool more;
};

static bool add_area(void *context, const struct change_track_area *area)
{
    struct areas *areas = context;
    areas->more = json_array_size(areas->list) == AREAS_MAX;
    if (!areas->more)
        json_array_append_new(
            areas->list, json_pack("{s:I, s:I, s:I}", "start", (json_int_t)area->offset, "length",
                                   (json_int_t)area->length, "number", (json_int_t)area->number));
    return !areas->more;
}

static bool describe(json_t *object, int fd, const char *path, uint64_t disk_bytes,
                     struct error *error)
{
    struct change_track ct;
    struct change_track_sum sum;
    struct areas areas = {.list = json_array()};
    bool ok = change_track_load(fd, path, disk_bytes, &ct, error) &&
              change_track_count(fd, path, &ct, &sum, error) &&
              change_track_each(fd, path, &ct, add_area, &areas, error);
    if (!ok) {
        json_decref(areas.list);
        return false;
    }
    json_object_set_new(object, "id", cli_hex_json(ct.id, sizeof ct.id));
    json_object_set_new(object, "records", json_integer((json_int_t)ct.records));
    json_object_set_new(object, "records_set", json_integer((json_int_t)sum.set));
    json_object_set_new(object, "highest", json_integer((json_int_t)sum.highest));
    json_object_set_new(object, "block_bytes", json_integer((json_int_t)ct.block_bytes));
    json_object_set_new(object, "changed", areas.list);
    json_object_set_new(object, "more", json_boolean(areas.more));
    /* No document says what these numbers mean. */
    json_object_set_new(object, "inferred", json_true());
    return true;
}

void cli_disk_track(json_t *root, const char *path, const struct descriptor *d,
                    const struct disk_options *options)
{
    const char *name = descriptor_get(d, "changeTrackPath");
    if (name == NULL || name[0] == '\0')
        return;
    const struct evidence evidence = {.allow_outside = options->allow_outside,
                                      .search_count = options->search_count,
                                      .search = options->search};
    struct evidence_file file;
    struct error error = ERROR_INIT;
    uint64_t bytes = 0;
    char *found = NULL;
    json_t *object = json_object();
    json_object_set_new(object, "file", cli_json_text(name));
    int fd = evidence_open(&evidence, path, name, &found, &file, &error);
    if (fd < 0 || !descriptor_size(d, &bytes) || !describe(object, fd, found, bytes, &error))
        json_object_set_new(object, "problem", cli_json_text(error.message));
    if (fd >= 0)
        close(fd);
    free(found);
    json_object_set_new(root, "change_tracking", object);
}

void cli_disk_track_print(const json_t *root)
{
    const json_t *object = json_object_get(root, "change_tracking");
    if (object == NULL)
        return;
    printf("%-14s %s", "changes in",
           cli_printable(json_string_value(json_object_get(object, "file"))));
    const char *problem = json_string_value(json_object_get(object, "problem"));
    if (problem != NULL)
        printf(": %s\n", cli_printable(problem));
    else
        printf(": %lld of %lld records set, in %zu areas (layout inferred; --json lists them)\n",
               json_integer_value(json_object_get(object, "records_set")),
               json_integer_value(json_object_get(object, "records")),
               json_array_size(json_object_get(object, "changed")));
}
