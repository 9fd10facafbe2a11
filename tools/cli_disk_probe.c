/* cli_disk_probe - vmcrypt-disk probe: find out how the data of a disk are encrypted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/disk_key.h"
#include "vmdk/probe.h"

enum { HEAD_BYTES = 512, PLAIN_SHOWN = 8 };

struct probing {
    struct cli *cli;
    const char *path;
    struct disk *disk;
    struct probe *probe;
    bool tried;         /* with a key, be it of no use */
    char key_from[512]; /* where the key came from */
    struct probe_result *result;
};

/* A descriptor that cannot be read is no image. */
static bool says_descriptor(const char *path)
{
    struct error ignored = ERROR_INIT;
    char head[HEAD_BYTES];
    int fd = file_open_read(path, &ignored);
    ssize_t got = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
    if (fd >= 0)
        close(fd);
    return got > 0 && memmem(head, (size_t)got, "Disk DescriptorFile", 19) != NULL;
}

/* A disk with its descriptor, or a file of which nothing is known but its bytes. */
static bool open_disk(struct probing *p, struct error *error)
{
    struct disk_options options;
    if (!cli_disk_options(p->cli, &options, error))
        return false;
    options.raw_ciphertext = true;
    options.top_only = true;
    struct descriptor *d = descriptor_load(p->path, error);
    bool raw = d == NULL && error->code == ERROR_DAMAGED && !says_descriptor(p->path);
    if (raw)
        error_clear(error);
    else if (d == NULL)
        return false;
    descriptor_free(d);
    p->disk = raw ? disk_open_raw(p->path, error) : disk_open(p->path, &options, error);
    return p->disk != NULL;
}

static bool try_key(struct probing *p, const struct secret *key, const char *from,
                    struct error *error)
{
    p->tried = true;
    snprintf(p->key_from, sizeof p->key_from, "%s", from);
    return probe_key(p->probe, key, p->result, error);
}

/* The key that the descriptor holds, if one in hand unlocks it. */
static bool try_locked_key(struct probing *p, struct error *error)
{
    struct keysafe_result unlocked;
    struct crypto_key dek;
    struct locator *safe = disk_key_safe(disk_descriptor(p->disk), error);
    if (safe == NULL)
        return false;
    bool ok = disk_key_unlock(safe, &p->cli->ring, &dek, &unlocked, error);
    if (ok) {
        ok = try_key(p, dek.key, unlocked.attempts[unlocked.opened].reason, error);
        crypto_key_free(&dek);
    }
    keysafe_result_free(&unlocked);
    locator_free(safe);
    return ok;
}

/* No descriptor names a key: each one in hand may be it. */
static bool try_keys_in_hand(struct probing *p, struct error *error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < p->cli->ring.key_count; i++) {
        const struct keyring_key *k = &p->cli->ring.keys[i];
        bool fits = k->key->length == 32 || k->key->length == 64;
        if (fits && p->result->verdict == PROBE_NOTHING)
            ok = try_key(p, k->key, k->origin, error);
    }
    if (ok && !p->tried)
        ok = error_set(error, ERROR_NO_KEY,
                       "no descriptor locks a key for these data, and none in hand has the 32 or "
                       "64 bytes of a disk key; give it with --key ID=FILE");
    return ok;
}

static bool write_geometry(struct probing *p, struct error *error)
{
    const char *path = cli_value(p->cli, "write");
    char text[GEOMETRY_TEXT];
    struct buffer out = BUFFER_INIT;
    if (path == NULL || p->result->verdict == PROBE_NOTHING)
        return true;
    geometry_print(&p->result->geometry, text);
    buffer_printf(
        &out, "# How the data of a disk are encrypted, found by vmcrypt disk probe.\n%s\n", text);
    bool ok = !out.failed ? file_replace(path, out.data, out.length, 0644,
                                         cli_value(p->cli, "force") != NULL, error)
                          : error_memory(error);
    buffer_free(&out);
    return ok;
}

static size_t plain_blocks(const struct probe_looks *looks)
{
    return looks->blocks[VERIFY_REPEATED] + looks->blocks[VERIFY_UNEVEN];
}

/* "yes" says no more than that nothing speaks against it. */
static const char *looks_encrypted(const struct probe_looks *looks)
{
    size_t plain = plain_blocks(looks), noise = looks->blocks[VERIFY_NOISE];
    return plain == 0 ? (noise > 0 ? "yes" : "unknown") : noise > plain ? "partly" : "no";
}

static const char *verdict_name(const struct probing *p)
{
    static const char *const NAMES[] = {"nothing", "likely", "proved"};
    return p->tried ? NAMES[p->result->verdict] : "no key";
}

static json_t *geometry_json(const struct disk_geometry *g)
{
    char text[GEOMETRY_TEXT];
    geometry_print(g, text);
    return json_string(text);
}

static json_t *looks_json(const struct probe_looks *looks)
{
    json_t *blocks = json_object(), *plain = json_array();
    for (int look = 0; look < VERIFY_LOOKS; look++)
        json_object_set_new(blocks, verify_look_name((enum verify_look)look),
                            json_integer((json_int_t)looks->blocks[look]));
    for (size_t i = 0; i < looks->plain_count && i < PROBE_PLAIN; i++)
        json_array_append_new(plain, json_integer((json_int_t)looks->plain[i]));
    return json_pack("{s:s, s:o, s:o, s:o}", "encrypted", looks_encrypted(looks), "blocks", blocks,
                     "plain_at", plain, "signatures", cli_signatures_json(&looks->signatures));
}

static json_t *evidence_json(const struct probe_evidence *e)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "sectors", (json_int_t)e->sectors, "zero_sectors",
                     (json_int_t)e->zero_sectors, "even_sectors", (json_int_t)e->even_sectors,
                     "even_blocks", (json_int_t)e->even_blocks, "words", (json_int_t)e->words);
}

static void set_finding(json_t *root, const struct probe_result *r)
{
    json_t *others = json_array();
    for (size_t i = 0; i < r->other_count && i < PROBE_OTHERS; i++)
        json_array_append_new(others, geometry_json(&r->others[i]));
    json_object_set_new(root, "geometry", geometry_json(&r->geometry));
    json_object_set_new(root, "evidence", evidence_json(&r->evidence));
    json_object_set_new(root, "start_confirmed", json_boolean(r->begins));
    json_object_set_new(root, "signatures", cli_signatures_json(&r->signatures));
    json_object_set_new(root, "not_told_apart", json_integer((json_int_t)r->other_count));
    json_object_set_new(root, "others", others);
}

static int status_of(const struct probing *p)
{
    return p->tried && p->result->verdict == PROBE_NOTHING ? (int)ERROR_DAMAGED : 0;
}

static int report_json(const struct probing *p)
{
    json_t *root = json_pack("{s:i, s:o, s:I, s:o, s:I, s:s}", "version", 1, "file",
                             cli_json_text(p->path), "size", (json_int_t)disk_size(p->disk),
                             "stored", looks_json(probe_looks(p->probe)), "samples",
                             (json_int_t)probe_samples(p->probe), "verdict", verdict_name(p));
    json_object_set_new(root, "key", p->tried ? cli_json_text(p->key_from) : json_null());
    if (p->result->verdict != PROBE_NOTHING)
        set_finding(root, p->result);
    else
        json_object_set_new(root, "boot_mark", json_boolean(p->result->boot_mark));
    return cli_print_json(root, status_of(p));
}

static void print_looks(const struct probe_looks *looks)
{
    size_t plain = plain_blocks(looks);
    printf("%-14s %zu blocks of %d bytes: %zu look like noise, %zu are zeros, %zu do not look "
           "encrypted\n",
           "looked at", looks->blocks[VERIFY_NOISE] + looks->blocks[VERIFY_ZEROS] + plain,
           VERIFY_BLOCK, looks->blocks[VERIFY_NOISE], looks->blocks[VERIFY_ZEROS], plain);
    if (plain == 0 && looks->blocks[VERIFY_NOISE] == 0)
        printf("%-14s cannot be told: nothing but zeros was seen\n", "encrypted");
    else if (plain == 0)
        printf("%-14s it looks so; compressed data do, too\n", "encrypted");
    else
        printf("%-14s %s\n", "encrypted",
               strcmp(looks_encrypted(looks), "no") == 0 ? "no" : "not all of it");
    if (plain > 0) {
        printf("%-14s", "not encrypted");
        for (size_t i = 0; i < looks->plain_count && i < PLAIN_SHOWN; i++)
            printf("%s %" PRIu64, i == 0 ? " at bytes" : ",", looks->plain[i]);
        printf("%s (disk verify --cipher lists all)\n",
               looks->plain_count > PLAIN_SHOWN ? " …" : "");
    }
    if (looks->signatures.count > 0) {
        printf("%-14s\n", "as stored");
        cli_signatures_print(stdout, &looks->signatures, 2);
    }
}

static void print_evidence(const struct probe_result *r)
{
    const struct probe_evidence *e = &r->evidence;
    printf("evidence       in %zu sectors\n", e->sectors);
    if (e->zero_sectors > 0)
        printf("  %zu of zeros (by chance once in 2^4096)\n", e->zero_sectors);
    if (e->even_sectors > 0)
        printf("  %zu of one byte repeated\n", e->even_sectors);
    if (e->even_blocks > 0)
        printf("  %zu times 16 equal bytes in other sectors (by chance once in 2^120)\n",
               e->even_blocks);
    if (e->words > 0)
        printf("  %zu words of file systems or partition tables (by chance once in 2^64)\n",
               e->words);
    cli_signatures_print(stdout, &r->signatures, 2);
}

static void print_finding(const struct probe_result *r)
{
    char text[GEOMETRY_TEXT];
    geometry_print(&r->geometry, text);
    printf("%-14s %s\n%-14s %s\n", "geometry", text, "verdict",
           r->verdict == PROBE_PROVED
               ? "proved: a wrong key or numbering shows this with a chance below 2^-90"
               : "likely: chance alone shows this with less than 2^-30");
    print_evidence(r);
    if (!r->begins)
        printf("start          not confirmed: no partition table or file system shows where the "
               "disk begins\n");
    if (r->other_count > 0) {
        printf("not told apart %zu other geometr%s the same in all that was looked at\n",
               r->other_count, r->other_count == 1 ? "y is" : "ies are");
        for (size_t i = 0; i < r->other_count && i < PROBE_OTHERS; i++) {
            geometry_print(&r->others[i], text);
            printf("  %s\n", text);
        }
        if (r->other_count > PROBE_OTHERS)
            printf("  …\n");
    }
}

static int report_text(const struct probing *p)
{
    struct error error = ERROR_INIT;
    const struct probe_result *r = p->result;
    printf("%-14s %s\n%-14s %" PRIu64 " bytes\n", "disk", cli_printable(p->path), "size",
           disk_size(p->disk));
    print_looks(probe_looks(p->probe));
    if (!p->tried) {
        printf("%-14s none: how the data are encrypted cannot be found without\n", "key");
        return 0;
    }
    printf("%-14s %s\n", "key", cli_printable(p->key_from));
    if (r->verdict != PROBE_NOTHING) {
        print_finding(r);
        return 0;
    }
    if (r->boot_mark)
        printf(
            "%-14s sector 0 ends in 55AA, which chance does once in 65,536 keys; it says nothing "
            "of units\n",
            "weak");
    error_set(&error, ERROR_DAMAGED,
              "no geometry that is known makes sense of %zu sectors: the key is another one, or "
              "the data are not encrypted, or in a way that is not thought of",
              probe_samples(p->probe));
    error_in_file(&error, p->path);
    return cli_fail(p->cli, &error);
}

static bool run(struct probing *p, struct error *error)
{
    bool keys = p->cli->ring.key_count + p->cli->ring.phrase_count > 0;
    p->probe = open_disk(p, error) ? probe_new(p->disk, 0, error) : NULL;
    if (p->probe == NULL)
        return false;
    if (!keys)
        return cli_value(p->cli, "write") == NULL ||
               error_set(error, ERROR_NO_KEY, "there is nothing to write without a key");
    bool ok = descriptor_is_encrypted(disk_descriptor(p->disk)) ? try_locked_key(p, error)
                                                                : try_keys_in_hand(p, error);
    return ok && write_geometry(p, error);
}

int cli_disk_probe(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct probing p = {.cli = cli, .path = cli->operands[0]};
    p.result = calloc(1, sizeof *p.result);
    bool ok = (p.result != NULL || error_memory(&error)) && cli_keys(cli, NULL, &error);
    if (ok && !run(&p, &error)) {
        error_in_file(&error, p.path);
        ok = false;
    }
    int status = !ok ? cli_fail(cli, &error) : cli->json ? report_json(&p) : report_text(&p);
    probe_free(p.probe);
    disk_close(p.disk);
    free(p.result);
    return status;
}
