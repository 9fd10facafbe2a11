/* cli_disk_encrypt - vmcrypt-disk encrypt: a plain disk under a new key of its own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keywrap/phrase.h"
#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/disk_key.h"

enum { DEFAULT_ROUNDS = 600000, UNIT_BYTES = 512 };

struct encryption {
    struct cli *cli;
    const char *in, *out;
    bool from_vmdk;
    struct secret *passphrase; /* NULL when locked for a KEK */
    struct keysafe_locker locker;
    enum seal_mac mac;
    struct disk *disk;
    struct crypto_key dek;
    struct disk_job job;
};

static bool parse_rounds(const char *text, unsigned *rounds, struct error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 ||
        value > PHRASE_MAX_ROUNDS)
        return error_set(error, ERROR_USAGE, "--rounds takes a number from 1 to %d",
                         PHRASE_MAX_ROUNDS);
    *rounds = (unsigned)value;
    return true;
}

static bool read_options(struct encryption *e, struct error *error)
{
    struct cli *cli = e->cli;
    const char *from = cli_value(cli, "from"), *mac = cli_value(cli, "mac");
    const char *rounds = cli_value(cli, "rounds");
    if (!cli_is_vmdk_name(e->out))
        return error_set(error, ERROR_USAGE, "the name of an encrypted disk has to end in .vmdk");
    if (from != NULL && strcmp(from, "raw") != 0 && strcmp(from, "vmdk") != 0)
        return error_set(error, ERROR_USAGE, "--from takes raw or vmdk");
    e->from_vmdk = from != NULL ? strcmp(from, "vmdk") == 0 : cli_is_vmdk_name(e->in);
    e->locker = (struct keysafe_locker){
        .pass2key = "PBKDF2-HMAC-SHA-256", .cipher = "AES-256", .rounds = DEFAULT_ROUNDS};
    if (!seal_mac_parse(mac != NULL ? mac : "HMAC-SHA-256", &e->mac, error)) {
        error->code = ERROR_USAGE;
        return false;
    }
    return rounds == NULL || parse_rounds(rounds, &e->locker.rounds, error);
}

/* The KEK named, or a passphrase: exactly one of them. */
static bool choose_locker(struct encryption *e, struct error *error)
{
    const char *kek = cli_value(e->cli, "kek");
    const char *file = cli_value(e->cli, "passphrase-file");
    if (kek != NULL && file != NULL)
        return error_set(error, ERROR_USAGE, "--kek and --passphrase-file exclude each other");
    if (kek != NULL) {
        if (!cli_keys(e->cli, NULL, error))
            return false;
        e->locker.kek = cli_find_kek(e->cli, kek, error);
        return e->locker.kek != NULL;
    }
    e->passphrase = cli_new_passphrase(e->cli, file, error);
    e->locker.passphrase = e->passphrase;
    return e->passphrase != NULL;
}

static bool open_source(struct encryption *e, struct error *error)
{
    struct disk_options options;
    if (!cli_disk_options(e->cli, &options, error))
        return false;
    options.sequential = true;
    /* A conversion may begin with an encrypted disk; by itself this asks for what is meant. */
    bool converts = strcmp(e->cli->command->name, "convert") == 0;
    options.keyring = converts ? &e->cli->ring : NULL;
    e->disk = e->from_vmdk ? disk_open(e->in, &options, error) : disk_open_raw(e->in, error);
    if (e->disk == NULL || !disk_is_encrypted(e->disk) || converts)
        return e->disk != NULL;
    error_set(error, ERROR_FAILED, "is encrypted already; decrypt it first");
    return error_in_file(error, e->in);
}

/* The descriptor with a disk key of its own. In a job with journals it is written before any data
 * are, since without it they would be lost. */
static struct descriptor *new_descriptor(struct encryption *e, struct disk_output *out,
                                         struct error *error)
{
    struct descriptor *d = disk_output_describe(out, e->disk, e->from_vmdk, "vmfs", "VMFS", error);
    bool ok = d != NULL && crypto_key_generate("XTS-AES-256", &e->dek, error) &&
              disk_key_lock(d, &e->dek, &e->locker, e->mac, error) &&
              (!e->job.resume || disk_output_keep_descriptor(out, d, error));
    if (ok)
        return d;
    descriptor_free(d);
    return NULL;
}

/* The descriptor that an earlier run, or another part, has left, and the key in it. */
static struct descriptor *kept_descriptor(struct encryption *e, struct disk_output *out,
                                          struct error *error)
{
    struct descriptor *d = disk_output_kept_descriptor(out, error);
    struct locator *safe = d == NULL ? NULL : disk_key_safe(d, error);
    struct keysafe_result result = {0};
    bool ok = safe != NULL;
    if (ok && e->passphrase != NULL) {
        struct secret *copy = secret_copy(e->passphrase->data, e->passphrase->length, error);
        ok = copy != NULL && keyring_add_phrase(&e->cli->ring, "the passphrase", copy, error);
    }
    if (ok) {
        ok = disk_key_unlock(safe, &e->cli->ring, &e->dek, &result, error);
        keysafe_result_free(&result);
    }
    locator_free(safe);
    if (ok)
        return d;
    descriptor_free(d);
    return NULL;
}

static bool copy_under(struct encryption *e, struct disk_output *out, const struct xts *x,
                       struct error *error)
{
    struct copy_identity identity;
    e->job.copy.cipher = (struct copy_cipher){.xts = x};
    disk_job_watch(e->cli, &e->job, e->out);
    bool ok = copy_identify(e->disk, &e->job.copy.cipher, COPY_ENCRYPT, &identity, error) &&
              disk_output_start(out, &identity, error) && disk_output_copy(out, e->disk, error);
    cli_progress_end(e->cli);
    return ok;
}

static bool write_output(struct encryption *e, struct error *error)
{
    struct disk_output out;
    if (!disk_job_options(e->cli, &e->job, disk_size(e->disk), error) ||
        !disk_output_open(e->cli, &out, &e->job, e->out, true, e->in, e->disk, error))
        return false;
    struct descriptor *d =
        out.fresh ? new_descriptor(e, &out, error) : kept_descriptor(e, &out, error);
    struct xts *x = d == NULL ? NULL : xts_new(e->dek.key, UNIT_BYTES, error);
    bool ok = x != NULL && copy_under(e, &out, x, error);
    if (ok && disk_output_is_whole(&out))
        ok = disk_output_publish(&out, d, error) &&
             disk_job_write_digests(&e->job, e->out, out.image_path, e->in, e->disk, error);
    disk_output_close(e->cli, &out, !ok);
    xts_free(x);
    descriptor_free(d);
    return ok;
}

static int report(const struct encryption *e)
{
    if (!e->cli->json) {
        disk_job_print(e->cli, &e->job, e->out);
        cli_say(e->cli,
                "data units of %d bytes counted from the start of the disk: the layout of real "
                "products is not published",
                UNIT_BYTES);
        return disk_job_status(&e->job);
    }
    json_t *document = json_pack(
        "{s:i, s:o, s:o, s:I, s:I, s:s, s:s, s:i}", "version", 1, "input", cli_json_text(e->in),
        "output", cli_json_text(e->out), "size", (json_int_t)disk_size(e->disk), "written",
        (json_int_t)e->job.stats.written, "locked_by", e->locker.kek != NULL ? "fqid" : "phrase",
        "mac", seal_mac_name(e->mac), "data_unit", UNIT_BYTES);
    disk_job_json(&e->job, document);
    return cli_print_json(document, disk_job_status(&e->job));
}

int cli_disk_encrypt(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct encryption e = {.cli = cli, .in = cli->operands[0]};
    int status;
    if (cli_value(cli, "in-place") != NULL)
        return disk_job_none(cli, &error) ? cli_disk_inplace(cli, INPLACE_ENCRYPT)
                                          : cli_fail(cli, &error);
    if (!cli_disk_operands(cli, &error))
        return cli_fail(cli, &error);
    e.out = cli->operands[1];
    if (!read_options(&e, &error) || !choose_locker(&e, &error) || !open_source(&e, &error) ||
        !write_output(&e, &error))
        status = cli_fail(cli, &error);
    else
        status = report(&e);
    crypto_key_free(&e.dek);
    secret_free(e.passphrase);
    if (e.disk != NULL)
        cli_disk_tell_notes(cli, e.disk);
    disk_close(e.disk);
    return status;
}
