/* cli_disk - see cli_disk.h. */
#include "tools/cli_disk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/cli_explain.h"

bool cli_disk_options(struct cli *cli, struct disk_options *options, struct error *error)
{
    *options = (struct disk_options){
        .decrypt_zero_units = cli_value(cli, "decrypt-zero-units") != NULL,
        .allow_outside = cli_value(cli, "allow-outside") != NULL,
        .ignore_cid = cli_value(cli, "ignore-cid") != NULL,
        .missing_delta = cli_value(cli, "missing-delta") != NULL,
    };
    if (options->missing_delta && strcmp(cli_value(cli, "missing-delta"), "parent") != 0)
        return error_set(error, ERROR_USAGE, "--missing-delta takes parent");
    const char *directory;
    while ((directory = cli_value_at(cli, "search", options->search_count)) != NULL) {
        if (options->search_count == DISK_SEARCH_MAX)
            return error_set(error, ERROR_USAGE, "--search takes at most %d directories",
                             DISK_SEARCH_MAX);
        options->search[options->search_count++] = directory;
    }
    const char *unit = cli_value(cli, "data-unit"), *geometry = cli_value(cli, "geometry");
    if (geometry != NULL && unit != NULL)
        return error_set(error, ERROR_USAGE, "--geometry and --data-unit exclude each other");
    if (geometry != NULL && !geometry_load(geometry, &options->geometry, error))
        return false;
    options->unit_bytes = options->geometry.unit;
    if (unit == NULL)
        return true;
    if (strcmp(unit, "512") != 0 && strcmp(unit, "4096") != 0)
        return error_set(error, ERROR_USAGE, "--data-unit takes 512 or 4096");
    options->unit_bytes = strcmp(unit, "512") == 0 ? 512 : 4096;
    return true;
}

bool cli_is_vmdk_name(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && strcasecmp(path + length - 5, ".vmdk") == 0;
}

json_t *cli_signatures_json(const struct signatures *s)
{
    json_t *all = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const struct signature *found = &s->found[i];
        json_array_append_new(all,
                              json_pack("{s:o, s:I, s:I, s:b}", "what", cli_json_text(found->what),
                                        "offset", (json_int_t)found->offset, "length",
                                        (json_int_t)found->length, "strong", found->strong));
    }
    return all;
}

void cli_signatures_print(FILE *to, const struct signatures *s, int indent)
{
    for (size_t i = 0; i < s->count; i++)
        fprintf(to, "%*s%s at byte %" PRIu64 "%s\n", indent, "", cli_printable(s->found[i].what),
                s->found[i].offset, s->found[i].strong ? "" : " (weak)");
}

void cli_disk_tell_notes(struct cli *cli, const struct disk *disk)
{
    struct notes *notes = disk_notes(disk);
    for (size_t i = 0; i < notes_count(notes); i++)
        log_say(&cli->log, LOG_WARN, "%s", notes_at(notes, i));
    if (notes_lost(notes) > 0)
        log_say(&cli->log, LOG_WARN, "and %zu more of that kind", notes_lost(notes));
}

json_t *cli_disk_notes_json(const struct disk *disk)
{
    struct notes *notes = disk_notes(disk);
    json_t *all = json_array();
    for (size_t i = 0; i < notes_count(notes); i++)
        json_array_append_new(all, cli_json_text(notes_at(notes, i)));
    return all;
}

void cli_say(const struct cli *cli, const char *format, ...)
{
    if (cli->log.level < 0)
        return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", cli->program->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}
