/* cli_file - see cli_file.h. */
#include "tools/cli_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keywrap/cryptodict.h"
#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "tools/cli_vmx.h"

struct file_job {
    struct cli *cli;
    bool decrypt;
    const char *in, *out;
    size_t unit_bytes;
    uint64_t first_unit;
    struct secret *key;
    struct xts *xts;
    struct disk *disk; /* IN, as it is */
    struct disk_job job;
};

static bool read_geometry(struct file_job *f, struct error *error)
{
    struct disk_options options;
    const char *first = cli_value(f->cli, "first-unit");
    if (!cli_disk_options(f->cli, &options, error))
        return false;
    f->unit_bytes = options.unit_bytes == 0 ? 512 : options.unit_bytes;
    if (first == NULL)
        return true;
    char *end = NULL;
    errno = 0;
    f->first_unit = strtoull(first, &end, 10);
    return (first[0] >= '0' && first[0] <= '9' && errno == 0 && *end == '\0') ||
           error_set(error, ERROR_USAGE, "--first-unit takes a number");
}

static bool key_of_vm(struct file_job *f, const char *vmx, struct error *error)
{
    struct vmx_config config;
    struct crypto_key key = {.key = NULL};
    if (!vmx_config_load(&config, vmx, error))
        return false;
    bool ok = cli_vmx_unlock(f->cli, &config, vmx, error);
    const char *text = ok ? vmx_config_get(&config, "dataFileKey") : NULL;
    if (ok && text == NULL)
        ok = error_set(error, ERROR_NO_KEY, "these settings hold no dataFileKey");
    if (ok && !(ok = crypto_key_parse(text, strlen(text), &key, error)))
        error_prefix(error, "dataFileKey");
    vmx_config_free(&config);
    if (!ok)
        return error_in_file(error, vmx);
    f->key = secret_copy(key.key->data, key.key->length, error);
    crypto_key_free(&key);
    return f->key != NULL;
}

static bool key_at_hand(struct file_job *f, struct error *error)
{
    if (!cli_keys(f->cli, NULL, error))
        return false;
    if (f->cli->ring.key_count != 1)
        return error_set(error, ERROR_USAGE,
                         "name the file's key, one only, with --key ID=FILE; "
                         "or the VM's settings with --vmx");
    const struct secret *key = f->cli->ring.keys[0].key;
    f->key = secret_copy(key->data, key->length, error);
    return f->key != NULL;
}

static bool find_key(struct file_job *f, struct error *error)
{
    const char *vmx = cli_value(f->cli, "vmx");
    if (!(vmx != NULL ? key_of_vm(f, vmx, error) : key_at_hand(f, error)))
        return false;
    if (f->key->length != 32 && f->key->length != 64)
        return error_set(error, ERROR_USAGE,
                         "AES-XTS takes a key of 32 or 64 bytes, this one has %zu", f->key->length);
    f->xts = xts_new(f->key, f->unit_bytes, error);
    return f->xts != NULL;
}

static bool write_output(struct file_job *f, struct error *error)
{
    struct disk_output out;
    struct copy_identity identity;
    if (!disk_job_options(f->cli, &f->job, disk_size(f->disk), error))
        return false;
    f->job.copy.cipher = (struct copy_cipher){f->xts, f->decrypt, f->first_unit};
    enum copy_operation operation = f->decrypt ? COPY_FILE_DECRYPT : COPY_FILE_ENCRYPT;
    if (!copy_identify(f->disk, &f->job.copy.cipher, operation, &identity, error) ||
        !disk_output_open(f->cli, &out, &f->job, f->out, false, f->in, f->disk, error))
        return false;
    disk_job_watch(f->cli, &f->job, f->out);
    bool ok = disk_output_start(&out, &identity, error) && disk_output_copy(&out, f->disk, error);
    cli_progress_end(f->cli);
    ok = ok && disk_output_publish(&out, NULL, error) &&
         disk_job_write_digests(&f->job, f->out, out.image_path, f->in, f->disk, error);
    disk_output_close(f->cli, &out, !ok);
    return ok;
}

static int report(const struct file_job *f)
{
    if (!f->cli->json) {
        disk_job_print(f->cli, &f->job, f->out);
        cli_say(f->cli,
                "AES-XTS in data units of %zu bytes from number %" PRIu64
                ": how products encrypt swap files is not published, so that this is a guess",
                f->unit_bytes, f->first_unit);
        return disk_job_status(&f->job);
    }
    json_t *document = json_pack(
        "{s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:s}", "version", 1, "input", cli_json_text(f->in),
        "output", cli_json_text(f->out), "size", (json_int_t)disk_size(f->disk), "written",
        (json_int_t)f->job.stats.written, "data_unit", (json_int_t)f->unit_bytes, "first_unit",
        (json_int_t)f->first_unit, "layout", "hypothesis");
    disk_job_json(&f->job, document);
    return cli_print_json(document, disk_job_status(&f->job));
}

static int run(struct cli *cli, bool decrypt)
{
    struct error error = ERROR_INIT;
    struct file_job f = {
        .cli = cli, .decrypt = decrypt, .in = cli->operands[0], .out = cli->operands[1]};
    bool ok = strcmp(f.out, "-") != 0 ||
              error_set(&error, ERROR_USAGE, "a swap file is not written to standard output");
    ok = ok && read_geometry(&f, &error) && find_key(&f, &error);
    if (ok) {
        f.disk = disk_open_raw(f.in, &error);
        ok = f.disk != NULL && write_output(&f, &error);
    }
    int status = ok ? report(&f) : cli_fail(cli, &error);
    xts_free(f.xts);
    secret_free(f.key);
    disk_close(f.disk);
    return status;
}

int cli_file_decrypt(struct cli *cli)
{
    return run(cli, true);
}

int cli_file_encrypt(struct cli *cli)
{
    return run(cli, false);
}

int cli_file_info(struct cli *cli)
{
    struct error error = ERROR_INIT;
    const char *path = cli->operands[0];
    struct verify_map *map = malloc(sizeof *map);
    struct disk *disk = map == NULL ? NULL : disk_open_raw(path, &error);
    if (map == NULL)
        error_memory(&error);
    bool ok = disk != NULL && cli_map_disk(cli, disk, path, map, &error);
    int status = 0;
    if (!ok)
        status = cli_fail(cli, &error);
    else if (cli->json)
        status = cli_print_json(json_pack("{s:i, s:o, s:I, s:o}", "version", 1, "file",
                                          cli_json_text(path), "size", (json_int_t)disk_size(disk),
                                          "map", cli_map_json(map)),
                                0);
    else {
        printf("file           %s\nsize           %" PRIu64 " bytes\n", cli_printable(path),
               disk_size(disk));
        printf("noise          %" PRIu64 " bytes (encrypted or compressed)\n",
               map->bytes[VERIFY_NOISE]);
        printf("zeros          %" PRIu64 " bytes\n", map->bytes[VERIFY_ZEROS]);
        printf("plain to see   %" PRIu64 " bytes\n",
               map->bytes[VERIFY_REPEATED] + map->bytes[VERIFY_UNEVEN]);
    }
    disk_close(disk);
    free(map);
    return status;
}
