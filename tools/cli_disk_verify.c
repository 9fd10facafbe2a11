/* cli_disk_verify - vmcrypt-disk verify: do ciphertext and plaintext belong together, and does
 * each look like what it should be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/verify.h"

static struct disk *open_disk(struct cli *cli, const char *path, bool stored, struct error *error)
{
    struct disk_options options;
    if (!cli_is_vmdk_name(path))
        return disk_open_raw(path, error);
    if (!cli_disk_options(cli, &options, error))
        return NULL;
    options.keyring = &cli->ring;
    options.raw_ciphertext = stored;
    options.sequential = true;
    return disk_open(path, &options, error);
}

struct comparison {
    struct cli *cli;
    const char *cipher, *plain;
    struct disk_job job;
    bool equal;
    uint64_t difference;
};

static int report_comparison(const struct comparison *c, uint64_t size)
{
    int status = c->equal ? 0 : (int)ERROR_DAMAGED;
    if (c->cli->json) {
        json_t *report = json_pack(
            "{s:i, s:o, s:o, s:b, s:I, s:o}", "version", 1, "cipher", cli_json_text(c->cipher),
            "plain", cli_json_text(c->plain), "equal", c->equal, "size", (json_int_t)size,
            "first_difference", c->equal ? json_null() : json_integer((json_int_t)c->difference));
        if (c->equal)
            json_object_set_new(report, "sha256",
                                json_pack("{s:o, s:o}", "cipher",
                                          cli_hex_json(c->job.digests.stored, COPY_DIGEST), "plain",
                                          cli_hex_json(c->job.digests.result, COPY_DIGEST)));
        return cli_print_json(report, status);
    }
    if (!c->equal) {
        struct error error = ERROR_INIT;
        error_set(&error, ERROR_DAMAGED, "is not what %s decrypts to", c->cipher);
        error_at(&error, c->plain, c->difference);
        return cli_fail(c->cli, &error);
    }
    const uint8_t *digests[] = {c->job.digests.stored, c->job.digests.result};
    const char *names[] = {c->cipher, c->plain};
    cli_say(c->cli, "%s is what %s decrypts to: %" PRIu64 " bytes compared, sha256:",
            cli_printable(c->plain), cli_printable(c->cipher), size);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < COPY_DIGEST; k++)
            printf("%02x", digests[i][k]);
        printf("  %s\n", cli_printable(names[i]));
    }
    return 0;
}

static int compare(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct comparison c = {.cli = cli, .cipher = cli->operands[0], .plain = cli->operands[1]};
    struct disk *cipher = open_disk(cli, c.cipher, false, &error);
    struct disk *plain = cipher == NULL ? NULL : open_disk(cli, c.plain, false, &error);
    bool ok = plain != NULL && disk_job_options(cli, &c.job, disk_size(cipher), &error);
    if (ok) {
        c.job.copy.digests = &c.job.digests;
        disk_job_watch(cli, &c.job, c.plain);
        ok =
            disk_compare(cipher, plain, &c.job.copy, &c.equal, &c.difference, &c.job.stats, &error);
        cli_progress_end(cli);
        if (!ok)
            error_in_file(&error, c.plain);
    }
    int status = ok ? report_comparison(&c, disk_size(cipher)) : cli_fail(cli, &error);
    disk_close(plain);
    disk_close(cipher);
    return status;
}

static int look_at_plain(struct cli *cli, const char *path)
{
    struct error error = ERROR_INIT;
    struct signatures s;
    struct disk *disk = open_disk(cli, path, false, &error);
    if (disk == NULL || !signatures_find(disk, &s, &error)) {
        disk_close(disk);
        return cli_fail(cli, &error);
    }
    disk_close(disk);
    bool proved = signatures_prove(&s);
    if (cli->json)
        return cli_print_json(json_pack("{s:i, s:o, s:b, s:o}", "version", 1, "file",
                                        cli_json_text(path), "confirmed", proved, "signatures",
                                        cli_signatures_json(&s)),
                              proved ? 0 : (int)ERROR_DAMAGED);
    cli_signatures_print(stdout, &s, 0);
    if (proved)
        return 0;
    error_set(&error, ERROR_DAMAGED, "%s",
              s.count == 0 ? "no partition table or file system is recognised in it"
                           : "only weak signs of a plaintext are in it");
    error_in_file(&error, path);
    return cli_fail(cli, &error);
}

json_t *cli_map_json(const struct verify_map *map)
{
    json_t *ranges = json_array();
    for (size_t i = 0; i < map->count; i++)
        json_array_append_new(ranges, json_pack("{s:I, s:I, s:s}", "offset",
                                                (json_int_t)map->ranges[i].offset, "length",
                                                (json_int_t)map->ranges[i].length, "look",
                                                verify_look_name(map->ranges[i].look)));
    json_t *bytes = json_object();
    for (int look = 0; look < VERIFY_LOOKS; look++)
        json_object_set_new(bytes, verify_look_name((enum verify_look)look),
                            json_integer((json_int_t)map->bytes[look]));
    return json_pack("{s:o, s:o, s:I}", "bytes", bytes, "ranges", ranges, "ranges_left_out",
                     (json_int_t)map->left_out);
}

void cli_map_print(const struct verify_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct verify_range *r = &map->ranges[i];
        printf("%-16" PRIu64 " %-16" PRIu64 " %s\n", r->offset, r->length,
               verify_look_name(r->look));
    }
    if (map->left_out > 0)
        printf("… and %zu ranges more\n", map->left_out);
}

static int report_map(struct cli *cli, const char *path, const struct verify_map *map)
{
    struct error error = ERROR_INIT;
    uint64_t plain = map->bytes[VERIFY_REPEATED] + map->bytes[VERIFY_UNEVEN];
    int status = plain > 0 ? (int)ERROR_DAMAGED : 0;
    if (cli->json)
        return cli_print_json(json_pack("{s:i, s:o, s:b, s:o}", "version", 1, "file",
                                        cli_json_text(path), "looks_encrypted", plain == 0, "map",
                                        cli_map_json(map)),
                              status);
    if (map->count > 0)
        printf("%-16s %-16s %s\n", "OFFSET", "BYTES", "LOOKS");
    cli_map_print(map);
    cli_say(cli, "%s: %" PRIu64 " bytes look like noise, %" PRIu64 " are zeros (never written)",
            cli_printable(path), map->bytes[VERIFY_NOISE], map->bytes[VERIFY_ZEROS]);
    if (plain == 0)
        return 0;
    error_set(&error, ERROR_DAMAGED, "%" PRIu64 " bytes do not look encrypted", plain);
    error_in_file(&error, path);
    return cli_fail(cli, &error);
}

bool cli_map_disk(struct cli *cli, const struct disk *disk, const char *name,
                  struct verify_map *map, struct error *error)
{
    bool ok = verify_cipher(disk, cli_progress(cli, name), map, error);
    cli_progress_end(cli);
    return ok;
}

static int look_at_cipher(struct cli *cli, const char *path)
{
    struct error error = ERROR_INIT;
    struct verify_map *map = malloc(sizeof *map);
    struct disk *disk = map == NULL ? NULL : open_disk(cli, path, true, &error);
    if (map == NULL)
        error_memory(&error);
    int status = disk != NULL && cli_map_disk(cli, disk, path, map, &error)
                     ? report_map(cli, path, map)
                     : cli_fail(cli, &error);
    disk_close(disk);
    free(map);
    return status;
}

int cli_disk_verify(struct cli *cli)
{
    struct error error = ERROR_INIT;
    bool plain = cli_value(cli, "plain") != NULL, cipher = cli_value(cli, "cipher") != NULL;
    if (plain && cipher)
        error_set(&error, ERROR_USAGE, "--plain and --cipher exclude each other");
    else if (cli->operand_count != (plain || cipher ? 1 : 2))
        error_set(&error, ERROR_USAGE,
                  "a ciphertext and a plaintext are compared; with --plain or --cipher one disk is "
                  "looked at");
    else if (cipher || cli_keys(cli, "Passphrase", &error))
        return plain    ? look_at_plain(cli, cli->operands[0])
               : cipher ? look_at_cipher(cli, cli->operands[0])
                        : compare(cli);
    return cli_fail(cli, &error);
}
