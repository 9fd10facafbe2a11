/* cli_disk_decrypt - vmcrypt-disk decrypt: the plain disk, and what was proved of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/disk_key.h"

struct decryption {
    struct cli *cli;
    const char *in, *out;
    bool to_vmdk;
    struct disk *disk;
    struct signatures signatures;
    bool confirmed; /* the plaintext proves data unit and tweak */
    struct disk_job job;
};

/* As decrypt and as convert call it. */
static bool is_flat(const char *format)
{
    return strcasecmp(format, "vmdk") == 0 || strcasecmp(format, "flat") == 0 ||
           strcasecmp(format, "monolithicFlat") == 0;
}

static bool choose_format(struct decryption *d, struct error *error)
{
    const char *to = cli_value(d->cli, "to");
    if (strcmp(d->out, "-") == 0)
        return error_set(error, ERROR_USAGE,
                         "a disk image needs a file; it is not written to "
                         "standard output");
    if (to != NULL && strcasecmp(to, "raw") != 0 && !is_flat(to))
        return error_set(error, ERROR_USAGE, "--to takes raw or vmdk");
    d->to_vmdk = to != NULL ? is_flat(to) : cli_is_vmdk_name(d->out);
    if (d->to_vmdk && to != NULL && !cli_is_vmdk_name(d->out))
        return error_set(error, ERROR_USAGE, "the name of a flat .vmdk has to end in .vmdk");
    return true;
}

static size_t unit_bytes(const struct disk_options *options)
{
    return options->unit_bytes == 0 ? 512 : options->unit_bytes;
}

/* XTS has no tag: look at the plaintext before anything is written. */
static bool check_plaintext(struct decryption *d, const struct disk_options *options,
                            struct error *error)
{
    if (!signatures_find(d->disk, &d->signatures, error))
        return false;
    d->confirmed = signatures_prove(&d->signatures);
    if (!disk_is_encrypted(d->disk) || d->confirmed)
        return true;
    const char *seen =
        d->signatures.count == 0 ? "nothing in it is recognised" : "only weak signs are in it";
    struct disk_geometry geometry = options->geometry;
    char layout[GEOMETRY_TEXT];
    geometry.unit = unit_bytes(options);
    geometry_print(&geometry, layout);
    if (cli_value(d->cli, "require-proof") != NULL) {
        error_set(error, ERROR_DAMAGED, "the plaintext is not confirmed: %s, read as %s", seen,
                  layout);
        return error_in_file(error, d->in);
    }
    log_say(&d->cli->log, LOG_WARN,
            "%s: the plaintext is not confirmed: %s. The disk key is right (its MAC holds); that "
            "its data are laid out as %s is an assumption, which disk probe can check",
            cli_printable(d->in), seen, layout);
    return true;
}

static bool write_output(struct decryption *d, struct error *error)
{
    struct disk_output out;
    struct copy_identity identity;
    if (!disk_job_options(d->cli, &d->job, disk_size(d->disk), error) ||
        !copy_identify(d->disk, NULL, COPY_DECRYPT, &identity, error) ||
        !disk_output_open(d->cli, &out, &d->job, d->out, d->to_vmdk, d->in, d->disk, error))
        return false;
    disk_job_watch(d->cli, &d->job, d->out);
    bool ok = disk_output_start(&out, &identity, error);
    struct descriptor *plain = NULL;
    if (ok && d->to_vmdk) {
        plain = disk_output_describe(&out, d->disk, true, "monolithicFlat", "FLAT", error);
        ok = plain != NULL;
    }
    ok = ok && disk_output_copy(&out, d->disk, error);
    cli_progress_end(d->cli);
    if (ok && disk_output_is_whole(&out))
        ok = disk_output_publish(&out, plain, error) &&
             disk_job_write_digests(&d->job, d->out, out.image_path, d->in, d->disk, error);
    disk_output_close(d->cli, &out, !ok);
    descriptor_free(plain);
    return ok;
}

static json_t *key_json(const struct keysafe_result *unlocked)
{
    if (unlocked == NULL)
        return json_null();
    return json_pack("{s:s, s:o}", "proved_by", seal_mac_name(unlocked->mac), "reason",
                     cli_json_text(unlocked->attempts[unlocked->opened].reason));
}

static int report_json(const struct decryption *d, const struct disk_options *options)
{
    bool encrypted = disk_is_encrypted(d->disk);
    json_t *plaintext =
        json_pack("{s:o, s:o, s:o}", "confirmed", json_boolean(d->confirmed), "data_unit",
                  encrypted ? json_integer((json_int_t)unit_bytes(options)) : json_null(),
                  "signatures", cli_signatures_json(&d->signatures));
    json_t *report =
        json_pack("{s:i, s:o, s:o, s:s, s:I, s:I, s:b, s:o, s:o}", "version", 1, "input",
                  cli_json_text(d->in), "output", cli_json_text(d->out), "format",
                  d->to_vmdk ? "vmdk" : "raw", "size", (json_int_t)disk_size(d->disk), "written",
                  (json_int_t)d->job.stats.written, "encrypted", encrypted, "key",
                  key_json(disk_unlocked(d->disk)), "plaintext", plaintext);
    disk_job_json(&d->job, report);
    return cli_print_json(report, disk_job_status(&d->job));
}

static void report_text(const struct decryption *d)
{
    const struct keysafe_result *unlocked = disk_unlocked(d->disk);
    disk_job_print(d->cli, &d->job, d->out);
    if (unlocked == NULL) {
        cli_say(d->cli, "%s is not encrypted: copied", cli_printable(d->in));
        return;
    }
    cli_say(d->cli, "disk key: %s, proved by %s",
            cli_printable(unlocked->attempts[unlocked->opened].reason),
            seal_mac_name(unlocked->mac));
    cli_say(d->cli, "plaintext: %s", d->confirmed ? "confirmed by what it shows" : "not confirmed");
    if (d->cli->log.level >= 0)
        cli_signatures_print(stderr, &d->signatures, 2);
}

int cli_disk_decrypt(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct disk_options options;
    struct decryption d = {.cli = cli, .in = cli->operands[0]};
    if (cli_value(cli, "in-place") != NULL)
        return disk_job_none(cli, &error) ? cli_disk_inplace(cli, INPLACE_DECRYPT)
                                          : cli_fail(cli, &error);
    if (!cli_disk_operands(cli, &error))
        return cli_fail(cli, &error);
    d.out = cli->operands[1];
    if (!choose_format(&d, &error) || !cli_disk_options(cli, &options, &error) ||
        !cli_keys(cli, "Passphrase", &error))
        return cli_fail(cli, &error);
    options.keyring = &cli->ring;
    options.sequential = true;
    d.disk = disk_open(d.in, &options, &error);
    int status = 0;
    if (d.disk != NULL && disk_key_is_weak(d.disk))
        log_say(&cli->log, LOG_WARN, "%s: the two halves of the disk key are equal, which is weak",
                d.in);
    if (d.disk != NULL)
        disk_key_warn_filters(disk_descriptor(d.disk), d.in, &cli->log);
    if (d.disk == NULL || !check_plaintext(&d, &options, &error) || !write_output(&d, &error))
        status = cli_fail(cli, &error);
    else if (cli->json)
        status = report_json(&d, &options);
    else {
        report_text(&d);
        status = disk_job_status(&d.job);
    }
    if (d.disk != NULL)
        cli_disk_tell_notes(cli, d.disk);
    disk_close(d.disk);
    return status;
}
