/*
 * cli_disk_map - vmcrypt-disk map: what is stored where.
 *
 * The JSON is that of `qemu-img map --output=json` (start, length, depth, present, zero, data,
 * offset), with layer, file, compressed and encrypted besides.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"

static const char *word_for(const struct disk_place *p)
{
    if (p->kind == DISK_PLACE_HOLE)
        return "hole";
    if (p->kind == DISK_PLACE_ZERO)
        return "zero";
    return p->encrypted ? "encrypted" : p->compressed ? "compressed" : "data";
}

static bool print_json(const struct disk_place *p, uint64_t start, bool first)
{
    bool stored = p->kind == DISK_PLACE_STORED;
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:b, s:b, s:b, s:s, s:b, s:b}", "start", (json_int_t)start,
                  "length", (json_int_t)p->length, "depth", (json_int_t)p->layer, "present",
                  p->kind != DISK_PLACE_HOLE, "zero", !stored, "data", stored, "kind", word_for(p),
                  "compressed", p->compressed, "encrypted", p->encrypted);
    if (stored && p->file_offset != UINT64_MAX)
        json_object_set_new(object, "offset", json_integer((json_int_t)p->file_offset));
    if (stored)
        json_object_set_new(object, "file", cli_json_text(p->file));
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (text != NULL)
        printf("%s%s", first ? "[" : ",\n", text);
    free(text);
    json_decref(object);
    return text != NULL;
}

static void print_line(const struct disk_place *p, uint64_t start)
{
    printf("%16" PRIu64 " %16" PRIu64 "  %-10s", start, p->length, word_for(p));
    if (p->kind != DISK_PLACE_HOLE)
        printf("  layer %zu", p->layer);
    if (p->kind == DISK_PLACE_STORED && p->file_offset != UINT64_MAX)
        printf("  %s at %" PRIu64, cli_printable(p->file), p->file_offset);
    else if (p->kind == DISK_PLACE_STORED)
        printf("  %s", cli_printable(p->file));
    printf("\n");
}

/* B goes on where A ends, in the same way. */
static bool continues(const struct disk_place *a, const struct disk_place *b)
{
    return a->kind == b->kind && a->layer == b->layer && !a->compressed && !b->compressed &&
           (a->kind != DISK_PLACE_STORED || (a->file == b->file && a->file_offset != UINT64_MAX &&
                                             a->file_offset + a->length == b->file_offset));
}

static bool print_map(struct cli *cli, const struct disk *disk, const struct progress *progress,
                      struct error *error)
{
    uint64_t size = disk_size(disk), start = 0;
    struct disk_place held = {.length = 0}, place;
    bool first = true, ok = true;
    if (!cli->json)
        printf("%16s %16s  kind\n", "offset", "bytes");
    for (uint64_t at = 0; ok && at <= size; at += place.length) {
        place = (struct disk_place){.length = 1, .kind = DISK_PLACE_HOLE};
        if (at < size && !disk_place_at(disk, at, &place, error))
            return false;
        if (at < size && held.length > 0 && continues(&held, &place)) {
            held.length += place.length;
            continue;
        }
        if (held.length > 0 && cli->json)
            ok = print_json(&held, start, first) || error_memory(error);
        else if (held.length > 0)
            print_line(&held, start);
        first = first && held.length == 0;
        held = place;
        start = at;
        ok = ok && (progress_update(progress, at < size ? at : size, size) ||
                    error_set(error, ERROR_FAILED, "interrupted"));
    }
    if (ok && cli->json)
        printf("]\n");
    return ok && (fflush(stdout) == 0 || error_system(error, "cannot write the map"));
}

int cli_disk_map(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct disk_options options;
    const char *path = cli->operands[0];
    if (!cli_disk_options(cli, &options, &error))
        return cli_fail(cli, &error);
    /* Where things are stored needs no key. */
    options.raw_ciphertext = true;
    struct disk *disk = disk_open(path, &options, &error);
    bool ok = disk != NULL;
    if (ok) {
        ok = print_map(cli, disk, cli_progress(cli, path), &error);
        cli_progress_end(cli);
        cli_disk_tell_notes(cli, disk);
    }
    disk_close(disk);
    return ok ? 0 : cli_fail(cli, &error);
}
