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
    bool hashed; /* the three below are there */
    uint8_t stored[COPY_DIGEST], decrypted[COPY_DIGEST], other[COPY_DIGEST];
};

static json_t *digests_json(const struct comparison *c)
{
    if (!c->hashed)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "cipher", cli_hex_json(c->stored, COPY_DIGEST), "decrypted",
                     cli_hex_json(c->decrypted, COPY_DIGEST), "plain",
                     cli_hex_json(c->other, COPY_DIGEST));
}

static void print_digest(FILE *to, const uint8_t *digest, const char *name)
{
    for (size_t i = 0; i < COPY_DIGEST; i++)
        fprintf(to, "%02x", digest[i]);
    fprintf(to, "  %s\n", cli_printable(name));
}

static int report_comparison(const struct comparison *c, uint64_t size)
{
    int status = c->equal ? 0 : (int)ERROR_DAMAGED;
    if (c->cli->json)
        return cli_print_json(
            json_pack("{s:i, s:o, s:o, s:b, s:I, s:o, s:o}", "version", 1, "cipher",
                      cli_json_text(c->cipher), "plain", cli_json_text(c->plain), "equal", c->equal,
                      "size", (json_int_t)size, "first_difference",
                      c->equal ? json_null() : json_integer((json_int_t)c->difference), "sha256",
                      digests_json(c)),
            status);
    if (c->equal)
        cli_say(c->cli, "%s is what %s decrypts to: %" PRIu64 " bytes compared, sha256:",
                cli_printable(c->plain), cli_printable(c->cipher), size);
    if (c->hashed) {
        print_digest(stdout, c->stored, c->cipher);
        print_digest(stdout, c->other, c->plain);
    }
    if (c->hashed && !c->equal && c->cli->log.level >= 0) {
        fflush(stdout);
        print_digest(stderr, c->decrypted, "what the first decrypts to");
    }
    return status;
}

/* SHA-256 of what DISK stores and of what it reads as: compared with itself it is read to its end,
 * which a comparison that finds a difference is not. */
static bool hash_disk(struct comparison *c, const struct disk *disk, const char *name,
                      struct error *error)
{
    bool equal;
    uint64_t difference;
    disk_job_watch(c->cli, &c->job, name);
    bool ok = disk_compare(disk, disk, &c->job.copy, &equal, &difference, &c->job.stats, error) &&
              (equal || error_set(error, ERROR_FAILED, "changes while it is read"));
    cli_progress_end(c->cli);
    return ok || error_in_file(error, name);
}

static void keep_digests(struct comparison *c)
{
    memcpy(c->stored, c->job.digests.stored, COPY_DIGEST);
    memcpy(c->decrypted, c->job.digests.result, COPY_DIGEST);
    memcpy(c->other, c->job.digests.result, COPY_DIGEST);
}

/* The two differ: say so, then find the hashes of both. */
static bool hash_both(struct comparison *c, const struct disk *cipher, const struct disk *plain,
                      struct error *error)
{
    struct error difference = ERROR_INIT;
    error_set(&difference, ERROR_DAMAGED, "is not what %s decrypts to", c->cipher);
    error_at(&difference, c->plain, c->difference);
    if (!c->cli->json)
        cli_fail(c->cli, &difference);
    if (!hash_disk(c, cipher, c->cipher, error))
        return false;
    keep_digests(c);
    if (!hash_disk(c, plain, c->plain, error))
        return false;
    memcpy(c->other, c->job.digests.result, COPY_DIGEST);
    return true;
}

static bool compare_disks(struct comparison *c, const struct disk *cipher, const struct disk *plain,
                          struct error *error)
{
    struct error hashing = ERROR_INIT;
    if (!disk_job_options(c->cli, &c->job, disk_size(cipher), error))
        return false;
    c->job.copy.digests = &c->job.digests;
    disk_job_watch(c->cli, &c->job, c->plain);
    bool ok =
        disk_compare(cipher, plain, &c->job.copy, &c->equal, &c->difference, &c->job.stats, error);
    cli_progress_end(c->cli);
    if (!ok)
        return error_in_file(error, c->plain);
    c->hashed = c->equal || hash_both(c, cipher, plain, &hashing);
    if (c->equal)
        keep_digests(c);
    /* That they differ is known, whatever comes of the hashes. */
    if (!c->hashed)
        log_say(&c->cli->log, LOG_WARN, "no SHA-256 of the two: %s%s%s", hashing.file,
                hashing.file[0] == '\0' ? "" : ": ", hashing.message);
    return true;
}

static int compare(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct comparison c = {.cli = cli, .cipher = cli->operands[0], .plain = cli->operands[1]};
    struct disk *cipher = open_disk(cli, c.cipher, false, &error);
    struct disk *plain = cipher == NULL ? NULL : open_disk(cli, c.plain, false, &error);
    bool ok = plain != NULL && compare_disks(&c, cipher, plain, &error);
    int status = ok ? report_comparison(&c, disk_size(cipher)) : cli_fail(cli, &error);
    if (plain != NULL) {
        cli_disk_tell_notes(cli, cipher);
        cli_disk_tell_notes(cli, plain);
    }
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
    struct disk_job job;
    if (!disk_job_options(cli, &job, disk_size(disk), error))
        return false;
    const struct verify_options options = {
        .threads = job.copy.threads, .rate = job.copy.rate, .progress = cli_progress(cli, name)};
    bool ok = verify_cipher(disk, &options, map, error);
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
