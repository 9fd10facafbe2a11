/*
 * cli_disk_convert - vmcrypt-disk convert: a disk, whatever it is made of, as one file of a kind
 * that other tools read. Flat results are those of decrypt and encrypt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/convert.h"

enum { NEW_FILE_MODE = 0600 };

struct conversion {
    struct cli *cli;
    const char *in, *out;
    struct disk *disk;
    struct signatures signatures;
    struct convert_options options;
    struct convert_stats stats;
};

static bool is(const char *text, const char *a, const char *b)
{
    return strcasecmp(text, a) == 0 || strcasecmp(text, b) == 0;
}

/* A descriptor of the whole disk, to lie inside of the file at PATH. */
static struct descriptor *describe(const struct conversion *c, struct error *error)
{
    const char *file = file_name(c->out);
    const char *adapter = descriptor_get(disk_descriptor(c->disk), "ddb.adapterType");
    struct descriptor *d = descriptor_new_flat(file, disk_size(c->disk), adapter, error);
    char type[] = "SPARSE", *name = strdup(file);
    struct descriptor_extent extent = {
        .sectors = disk_size(c->disk) / SECTOR_BYTES, .type = type, .file = name};
    bool ok = d != NULL && (name != NULL || error_memory(error)) &&
              descriptor_set_extents(d, &extent, 1, error) &&
              descriptor_set(d, "createType", convert_type(c->options.format), error);
    free(name);
    if (ok)
        return d;
    descriptor_free(d);
    return NULL;
}

static bool write_file(struct conversion *c, struct error *error)
{
    struct file_output out = {.fd = -1};
    struct descriptor *d = describe(c, error);
    bool ok = d != NULL &&
              file_create(&out, c->out, NEW_FILE_MODE, cli_value(c->cli, "force") != NULL, error);
    if (ok) {
        c->options.progress = cli_progress(c->cli, c->out);
        ok = disk_convert(c->disk, d, &c->options, &out, &c->stats, error) &&
             file_publish(&out, error);
        cli_progress_end(c->cli);
    }
    file_abandon(&out);
    descriptor_free(d);
    return ok;
}

static bool is_source(const struct conversion *c)
{
    struct stat a, b;
    if (stat(c->out, &a) != 0)
        return false;
    for (size_t i = 0; i < disk_layer_count(c->disk); i++)
        if (stat(disk_layer_at(c->disk, i).path, &b) == 0 && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino)
            return true;
    return false;
}

static int report(const struct conversion *c)
{
    bool confirmed = signatures_prove(&c->signatures);
    if (!c->cli->json) {
        cli_say(c->cli, "%s: %" PRIu64 " bytes of disk, %" PRIu64 " of them stored, in %" PRIu64,
                cli_printable(c->out), c->stats.bytes, c->stats.stored, c->stats.file);
        if (disk_is_encrypted(c->disk))
            cli_say(c->cli, "plaintext: %s",
                    confirmed ? "confirmed by what it shows" : "not confirmed");
        return 0;
    }
    json_t *report =
        json_pack("{s:i, s:o, s:o, s:s, s:I, s:I, s:I, s:b, s:b, s:o, s:o}", "version", 1, "input",
                  cli_json_text(c->in), "output", cli_json_text(c->out), "create_type",
                  convert_type(c->options.format), "size", (json_int_t)c->stats.bytes, "stored",
                  (json_int_t)c->stats.stored, "file_size", (json_int_t)c->stats.file, "encrypted",
                  disk_is_encrypted(c->disk), "plaintext_confirmed", confirmed, "signatures",
                  cli_signatures_json(&c->signatures), "notes", cli_disk_notes_json(c->disk));
    return cli_print_json(report, 0);
}

/* What only copies into flat files can do. */
static bool refuse_copy_options(const struct cli *cli, struct error *error)
{
    static const char *const names[] = {"rate-limit",  "direct", "buffered",     "sha256",
                                        "bad-sectors", "resume", "range",        "shard",
                                        "finish",      "mac",    "require-proof"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cli_value(cli, names[i]) != NULL)
            return error_set(error, ERROR_USAGE, "--%s is for --to raw and --to flat", names[i]);
    return true;
}

static bool convert(struct conversion *c, struct error *error)
{
    struct disk_options options;
    unsigned level;
    if (!refuse_copy_options(c->cli, error) || !cli_disk_options(c->cli, &options, error) ||
        !cli_number(c->cli, "level", 9, &level, error) ||
        !cli_number(c->cli, "threads", COPY_THREADS_MAX, &c->options.threads, error) ||
        !cli_keys(c->cli, "Passphrase", error))
        return false;
    c->options.level = (int)level;
    options.keyring = &c->cli->ring;
    options.sequential = true;
    c->disk = disk_open(c->in, &options, error);
    if (c->disk == NULL)
        return false;
    if (is_source(c)) {
        error_set(error, ERROR_USAGE, "is the disk that is read");
        return error_in_file(error, c->out);
    }
    return signatures_find(c->disk, &c->signatures, error) && write_file(c, error);
}

int cli_disk_convert(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct conversion c = {.cli = cli, .in = cli->operands[0], .out = cli->operands[1]};
    const char *to = cli_value(cli, "to");
    if (to == NULL) {
        error_set(&error, ERROR_USAGE, "--to FORMAT is missing: raw, flat, sparse or stream");
        return cli_fail(cli, &error);
    }
    if (cli_value(cli, "kek") != NULL && is(to, "flat", "monolithicFlat"))
        return cli_disk_encrypt(cli);
    if (cli_value(cli, "kek") != NULL) {
        error_set(&error, ERROR_USAGE, "only --to flat can be encrypted on the way");
        return cli_fail(cli, &error);
    }
    if (is(to, "raw", "raw") || is(to, "flat", "monolithicFlat"))
        return cli_disk_decrypt(cli);
    if (!is(to, "sparse", "monolithicSparse") && !is(to, "stream", "streamOptimized")) {
        error_set(&error, ERROR_USAGE, "--to takes raw, flat, sparse or stream");
        return cli_fail(cli, &error);
    }
    c.options.format = is(to, "stream", "streamOptimized") ? CONVERT_STREAM : CONVERT_SPARSE;
    int status = convert(&c, &error) ? report(&c) : cli_fail(cli, &error);
    if (c.disk != NULL)
        cli_disk_tell_notes(cli, c.disk);
    disk_close(c.disk);
    return status;
}
