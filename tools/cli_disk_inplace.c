/* cli_disk_inplace - vmcrypt-disk decrypt --in-place, encrypt --in-place, rekey; see cli_disk.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "tools/cli_vmx.h"
#include "vmdk/disk_key.h"

enum { DEFAULT_ROUNDS = 600000, DEFAULT_UNIT_BYTES = 512, SEGMENT_MIN_KIB = 4 };

struct conversion {
    struct cli *cli;
    const char *path;
    enum inplace_operation operation;
    struct disk_options disk_options;
    struct inplace_options options;
    struct cli_vmx_locker locker; /* of the new disk key */
    bool locked;                  /* LOCKER is filled */
    bool nothing;                 /* it is decrypted already: perhaps by a run killed at its end */
    struct inplace_stats stats;
};

bool cli_disk_operands(struct cli *cli, struct error *error)
{
    size_t wanted = cli_value(cli, "in-place") != NULL ? 1 : 2;
    if (cli->operand_count < wanted)
        return error_set(error, ERROR_USAGE, "an operand is missing");
    return cli->operand_count == wanted ||
           error_set(error, ERROR_USAGE, "in place a disk is its own output; name one only");
}

static bool read_segment_size(struct conversion *c, struct error *error)
{
    const char *text = cli_value(c->cli, "segment");
    char *end;
    if (text == NULL)
        return true;
    unsigned long kib = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || kib < SEGMENT_MIN_KIB ||
        kib > INPLACE_SEGMENT_MAX / 1024 || kib % SEGMENT_MIN_KIB != 0)
        return error_set(error, ERROR_USAGE, "--segment takes a multiple of %d KiB, up to %d",
                         SEGMENT_MIN_KIB, INPLACE_SEGMENT_MAX / 1024);
    c->options.segment_bytes = kib * 1024;
    return true;
}

static bool read_options(struct conversion *c, struct error *error)
{
    static const char *const FOR_COPIES[] = {"to", "from", "decrypt-zero-units"};
    for (size_t i = 0; i < sizeof FOR_COPIES / sizeof FOR_COPIES[0]; i++) {
        if (cli_value(c->cli, FOR_COPIES[i]) != NULL)
            return error_set(error, ERROR_USAGE, "--%s and --in-place exclude each other",
                             FOR_COPIES[i]);
    }
    if (!cli_disk_options(c->cli, &c->disk_options, error) || !read_segment_size(c, error))
        return false;
    c->options.allow_outside = c->disk_options.allow_outside;
    c->options.force = cli_value(c->cli, "force") != NULL;
    return true;
}

/* Who is to lock the new disk key. The locker can open it again: a key that was not opened with
 * what is in hand is never used. */
static bool choose_locker(struct conversion *c, const char *kek, const char *phrase_file,
                          struct error *error)
{
    c->locker = (struct cli_vmx_locker){.locker = {.pass2key = "PBKDF2-HMAC-SHA-256",
                                                   .cipher = "AES-256",
                                                   .rounds = DEFAULT_ROUNDS},
                                        .mac = SEAL_HMAC_SHA256};
    c->locked = true;
    if (!cli_vmx_choose_locker(c->cli, kek, phrase_file, &c->locker, error))
        return false;
    const struct secret *phrase = c->locker.passphrase;
    if (phrase == NULL)
        return true;
    struct secret *copy = secret_copy(phrase->data, phrase->length, error);
    return copy != NULL && keyring_add_phrase(&c->cli->ring, "the new passphrase", copy, error);
}

/* The keys of the disk as it is, and of the disk as it will be. */
static bool gather_keys(struct conversion *c, struct error *error)
{
    struct cli *cli = c->cli;
    if (c->operation == INPLACE_DECRYPT)
        return cli_keys(cli, "Passphrase", error);
    if (c->operation == INPLACE_REENCRYPT)
        return cli_keys(cli, "Passphrase", error) &&
               choose_locker(c, cli_value(cli, "new-kek"), cli_value(cli, "new-passphrase-file"),
                             error);
    const char *kek = cli_value(cli, "kek"), *file = cli_value(cli, "passphrase-file");
    /* Here a passphrase file is the new passphrase, and no key to be tried. */
    return (kek == NULL || file != NULL || cli_keys(cli, NULL, error)) &&
           choose_locker(c, kek, file, error);
}

/* A wrong key or data unit would destroy what it reads wrong. */
static bool check_plaintext(const struct conversion *c, const struct disk *disk,
                            struct error *error)
{
    struct signatures *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    bool ok = signatures_find(disk, s, error), proved = ok && signatures_prove(s);
    if (ok && !proved && !c->options.force)
        ok = error_set(error, ERROR_DAMAGED,
                       "the plaintext is not confirmed: %s; converting it in place might destroy "
                       "it. Decrypt a copy, try --data-unit, or insist with --force",
                       s->count == 0 ? "nothing in it is recognised" : "only weak signs are in it");
    if (ok && !proved)
        log_say(&c->cli->log, LOG_WARN, "%s: the plaintext is not confirmed",
                cli_printable(c->path));
    if (ok && proved && c->cli->log.level > 0)
        cli_signatures_print(stderr, s, 2);
    free(s);
    return ok;
}

static bool check_disk(const struct conversion *c, const struct disk *disk, struct error *error)
{
    bool encrypted = disk_is_encrypted(disk);
    if (c->operation == INPLACE_ENCRYPT)
        return !encrypted ||
               error_set(error, ERROR_FAILED, "is encrypted already; see rekey --in-place --deep");
    if (!encrypted && c->operation == INPLACE_REENCRYPT)
        return error_set(error, ERROR_USAGE, "is not encrypted; see encrypt");
    disk_key_warn_filters(disk_descriptor(disk), c->path, &c->cli->log);
    return check_plaintext(c, disk, error);
}

static struct descriptor *clone(const struct descriptor *d, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *copy = NULL;
    if (descriptor_write(d, &text))
        copy = descriptor_parse(buffer_text(&text), text.length, error);
    else
        error_memory(error);
    buffer_free(&text);
    return copy;
}

/* The descriptor of the disk as it will be. */
static struct descriptor *describe(struct conversion *c, const struct disk *disk,
                                   struct error *error)
{
    struct crypto_key dek = {.key = NULL};
    struct descriptor *d = clone(disk_descriptor(disk), error);
    bool ok = d != NULL;
    const struct keysafe_result *unlocked = disk_unlocked(disk);
    if (ok && unlocked != NULL && cli_value(c->cli, "mac") == NULL)
        c->locker.mac = unlocked->mac;
    if (ok && c->operation == INPLACE_DECRYPT)
        ok = disk_key_strip(d, error);
    else if (ok)
        ok = crypto_key_generate("XTS-AES-256", &dek, error) &&
             disk_key_lock(d, &dek, &c->locker.locker, c->locker.mac, error);
    crypto_key_free(&dek);
    if (!ok) {
        descriptor_free(d);
        d = NULL;
    }
    return d;
}

static struct inplace *begin(struct conversion *c, struct error *error)
{
    struct inplace *job = NULL;
    size_t unit = c->disk_options.unit_bytes == 0 ? DEFAULT_UNIT_BYTES : c->disk_options.unit_bytes;
    if (!geometry_is_default(&c->disk_options.geometry)) {
        error_set(error, ERROR_USAGE,
                  "a disk of another --geometry is not converted in place; decrypt a copy");
        return NULL;
    }
    if (c->operation != INPLACE_ENCRYPT)
        c->disk_options.keyring = &c->cli->ring;
    /* A delta is refused for what it is, wherever its parent may be. */
    c->disk_options.top_only = true;
    struct disk *disk = disk_open(c->path, &c->disk_options, error);
    if (disk == NULL)
        return NULL;
    c->nothing = c->operation == INPLACE_DECRYPT && !disk_is_encrypted(disk);
    if (c->nothing) {
        c->stats.bytes = disk_size(disk);
        disk_close(disk);
        return NULL;
    }
    struct descriptor *new = check_disk(c, disk, error) ? describe(c, disk, error) : NULL;
    if (new != NULL)
        job = inplace_begin(c->path, c->operation, unit, disk_descriptor(disk), new, &c->options,
                            error);
    else
        error_in_file(error, c->path);
    descriptor_free(new);
    disk_close(disk);
    return job;
}

static struct inplace *resume(struct conversion *c, const struct inplace_state *state,
                              struct error *error)
{
    if (state->operation != c->operation) {
        error_set(error, ERROR_USAGE, "an in-place %s was interrupted here; '%s' finishes it",
                  inplace_name(state->operation), inplace_command(state->operation));
        error_in_file(error, c->path);
        return NULL;
    }
    return inplace_resume(c->path, &c->options, error);
}

/* What an error leaves behind, when it is not what the error is about. */
static void say_state(const struct conversion *c, const struct error *cause)
{
    struct error error = ERROR_INIT;
    struct inplace_state state;
    bool found;
    if (cause->code == ERROR_PARTIAL && inplace_find(c->path, &found, &state, &error) && found &&
        strstr(cause->message, inplace_command(state.operation)) == NULL)
        cli_say(c->cli, "%s: %.1f of %.1f MiB are converted; '%s' goes on", cli_printable(c->path),
                (double)state.done / 1048576, (double)state.size / 1048576,
                inplace_command(state.operation));
}

static bool convert(struct conversion *c, struct error *error)
{
    struct inplace_state state;
    bool found;
    if (!inplace_find(c->path, &found, &state, error) || !gather_keys(c, error))
        return false;
    struct inplace *job = found ? resume(c, &state, error) : begin(c, error);
    if (c->nothing)
        return true;
    bool ok = job != NULL && inplace_unlock(job, &c->cli->ring, error);
    if (ok) {
        const struct progress *progress = cli_progress(c->cli, c->path);
        ok = inplace_run(job, progress, &c->stats, error);
        cli_progress_end(c->cli);
        if (!ok)
            say_state(c, error);
    }
    inplace_close(job);
    return ok;
}

static int report(const struct conversion *c)
{
    if (c->cli->json)
        return cli_print_json(
            json_pack("{s:i, s:o, s:s, s:b, s:I, s:I, s:b}", "version", 1, "disk",
                      cli_json_text(c->path), "operation", inplace_name(c->operation), "needed",
                      !c->nothing, "size", (json_int_t)c->stats.bytes, "converted",
                      (json_int_t)c->stats.converted, "resumed", c->stats.resumed),
            0);
    if (c->nothing) {
        cli_say(c->cli, "%s is not encrypted: nothing to do", cli_printable(c->path));
        return 0;
    }
    cli_say(c->cli, "%s: in-place %s %s: %" PRIu64 " bytes, %" PRIu64 " of them converted now",
            cli_printable(c->path), inplace_name(c->operation),
            c->stats.resumed ? "finished" : "done", c->stats.bytes, c->stats.converted);
    return 0;
}

int cli_disk_inplace(struct cli *cli, enum inplace_operation operation)
{
    struct error error = ERROR_INIT;
    struct conversion c = {.cli = cli, .path = cli->operands[0], .operation = operation};
    bool ok = cli_disk_operands(cli, &error) && read_options(&c, &error) && convert(&c, &error);
    int status = ok ? report(&c) : cli_fail(cli, &error);
    if (c.locked)
        cli_vmx_locker_free(&c.locker);
    return status;
}

/* The disk key as it is, under a new lock: only the descriptor changes. */
static bool rekey_descriptor(struct conversion *c, struct descriptor *d, struct error *error)
{
    struct keysafe_result result = {.attempt_count = 0};
    struct crypto_key dek = {.key = NULL};
    struct locator *safe = disk_key_safe(d, error);
    bool ok = safe != NULL && disk_key_unlock(safe, &c->cli->ring, &dek, &result, error);
    if (ok && cli_value(c->cli, "mac") == NULL)
        c->locker.mac = result.mac;
    ok = ok && disk_key_lock(d, &dek, &c->locker.locker, c->locker.mac, error);
    crypto_key_free(&dek);
    keysafe_result_free(&result);
    locator_free(safe);
    return ok;
}

static bool rekey_shallow(struct conversion *c, bool *kept, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = descriptor_load(c->path, error);
    bool ok = d != NULL && inplace_check(c->path, d, error);
    if (ok && !descriptor_is_encrypted(d))
        ok = error_set(error, ERROR_USAGE, "is not encrypted; see encrypt");
    ok = ok && gather_keys(c, error) && rekey_descriptor(c, d, error) &&
         (descriptor_write(d, &text) || error_memory(error)) &&
         cli_vmx_write(c->cli, &text, c->path, NULL, kept, error);
    buffer_free(&text);
    descriptor_free(d);
    return ok || error_in_file(error, c->path);
}

int cli_disk_rekey(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct conversion c = {.cli = cli, .path = cli->operands[0], .operation = INPLACE_REENCRYPT};
    bool deep = cli_value(cli, "deep") != NULL, in_place = cli_value(cli, "in-place") != NULL;
    bool kept = false, ok;
    if (deep && in_place)
        return cli_disk_inplace(cli, INPLACE_REENCRYPT);
    if (deep || in_place)
        ok = error_set(&error, ERROR_USAGE,
                       "a new disk key (--deep) is given --in-place: name both, or neither to "
                       "change only who can open the disk");
    else
        ok = rekey_shallow(&c, &kept, &error);
    if (kept)
        log_say(&cli->log, LOG_WARN, "%s.bak still opens with the old key", cli_printable(c.path));
    if (c.locked)
        cli_vmx_locker_free(&c.locker);
    return ok ? 0 : cli_fail(cli, &error);
}

void cli_inplace_info(json_t *root, const char *path)
{
    struct error error = ERROR_INIT;
    struct inplace_state state;
    bool found;
    if (!inplace_find(path, &found, &state, &error)) {
        json_object_set_new(root, "in_place_problem", cli_json_text(error.message));
    } else if (found) {
        json_object_set_new(root, "in_place",
                            json_pack("{s:s, s:I, s:I, s:s}", "operation",
                                      inplace_name(state.operation), "done", (json_int_t)state.done,
                                      "size", (json_int_t)state.size, "command",
                                      inplace_command(state.operation)));
    }
}

void cli_inplace_print(const json_t *root)
{
    const json_t *state = json_object_get(root, "in_place");
    const char *problem = json_string_value(json_object_get(root, "in_place_problem"));
    if (problem != NULL)
        printf("%-14s %s\n", "interrupted", cli_printable(problem));
    if (state != NULL)
        printf("%-14s in-place %s, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
               " bytes done; '%s' finishes it\n",
               "interrupted", json_string_value(json_object_get(state, "operation")),
               json_integer_value(json_object_get(state, "done")),
               json_integer_value(json_object_get(state, "size")),
               json_string_value(json_object_get(state, "command")));
}
