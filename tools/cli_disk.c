/* cli_disk - see cli_disk.h. */
#include "tools/cli_disk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/cli_explain.h"
#include "vmdk/disk_words.h"

bool cli_disk_options(struct cli *cli, struct disk_options *options, struct error *error)
{
    const struct words words = cli_words(cli);
    return disk_options_words(&words, options, error);
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
