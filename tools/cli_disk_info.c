/* cli_disk_info - vmcrypt-disk info: what a disk is, with or without its extents and keys. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/disk_key.h"
#include "vmdk/extent_file.h"

enum { EXTENTS_SHOWN = 20 };

static const char *const ACCESS_NAMES[] = {"RW", "RDONLY", "NOACCESS"};

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text == NULL ? json_null() : cli_json_text(text));
}

/* In bytes; the parser made sure that they fit. */
static json_t *sectors_json(uint64_t sectors)
{
    uint64_t bytes = sectors * SECTOR_BYTES;
    return json_integer((json_int_t)bytes);
}

static json_t *extent_json(const char *path, const struct descriptor_extent *e, bool allow_outside)
{
    json_t *object = json_object();
    json_object_set_new(object, "access", json_string(ACCESS_NAMES[e->access]));
    set_text(object, "type", e->type);
    json_object_set_new(object, "bytes", sectors_json(e->sectors));
    if (e->file == NULL)
        return object;
    struct extent_file_facts facts;
    struct error error = ERROR_INIT;
    int fd = extent_file_open(path, e->file, allow_outside, &facts, &error);
    set_text(object, "file", e->file);
    json_object_set_new(object, "offset", sectors_json(e->offset));
    json_object_set_new(object, "present", json_boolean(fd >= 0));
    if (fd < 0) {
        set_text(object, "problem", error.message);
        return object;
    }
    close(fd);
    uint64_t needed = (e->offset + e->sectors) * SECTOR_BYTES;
    json_object_set_new(object, "file_bytes", json_integer((json_int_t)facts.size));
    json_object_set_new(object, "allocated_bytes", json_integer((json_int_t)facts.allocated));
    if (facts.size < needed)
        set_text(object, "problem", "the file is cut off");
    return object;
}

static json_t *extents_json(const char *path, const struct descriptor *d, bool allow_outside)
{
    json_t *all = json_array();
    for (size_t i = 0; i < descriptor_extent_count(d); i++)
        json_array_append_new(all, extent_json(path, descriptor_extent_at(d, i), allow_outside));
    return all;
}

static void set_identity(json_t *root, const char *path, const struct descriptor *d)
{
    uint64_t bytes;
    uint32_t cid, parent;
    struct error error = ERROR_INIT;
    char text[16];
    json_object_set_new(root, "version", json_integer(1));
    set_text(root, "file", path);
    json_object_set_new(root, "size",
                        descriptor_size(d, &bytes) ? json_integer((json_int_t)bytes) : json_null());
    set_text(root, "create_type", descriptor_get(d, "createType"));
    set_text(root, "adapter", descriptor_get(d, "ddb.adapterType"));
    if (!descriptor_cids(d, &cid, &parent, &error)) {
        set_text(root, "cid_problem", error.message);
    } else {
        snprintf(text, sizeof text, "%08" PRIx32, cid);
        set_text(root, "cid", text);
        snprintf(text, sizeof text, "%08" PRIx32, parent);
        set_text(root, "parent_cid", parent == DESCRIPTOR_NO_PARENT ? NULL : text);
        set_text(root, "parent", descriptor_get(d, "parentFileNameHint"));
    }
}

/* What the descriptor says of its key, and what came of the keys in hand. False: keys were given
 * and none fits. */
static bool set_encryption(struct cli *cli, json_t *root, const struct descriptor *d)
{
    bool encrypted = descriptor_is_encrypted(d), fits = true;
    struct error error = ERROR_INIT;
    json_object_set_new(root, "encrypted", json_boolean(encrypted));
    set_text(root, "iofilters", descriptor_get(d, "ddb.iofilters"));
    set_text(root, "sidecars", descriptor_get(d, "ddb.sidecars"));
    if (!encrypted)
        return true;
    set_text(root, "key_id", descriptor_get(d, "keyID"));
    struct locator *safe = disk_key_safe(d, &error);
    if (safe == NULL) {
        set_text(root, "key_problem", error.message);
        return true;
    }
    json_object_set_new(root, "locator", cli_locator_json(safe));
    if (cli->ring.key_count + cli->ring.phrase_count > 0) {
        struct keysafe_result result;
        struct crypto_key dek;
        fits = disk_key_unlock(safe, &cli->ring, &dek, &result, &error);
        json_object_set_new(root, "unlocked", json_boolean(fits));
        json_object_set_new(root, "attempts", cli_attempts_json(&result));
        if (!fits)
            set_text(root, "key_problem", error.message);
        crypto_key_free(&dek);
        keysafe_result_free(&result);
    }
    locator_free(safe);
    return fits;
}

/* What the content shows, when it can be read. */
static void set_content(struct cli *cli, json_t *root, const char *path,
                        struct disk_options *options)
{
    struct error error = ERROR_INIT;
    struct signatures s = {.count = 0};
    bool keys = cli->ring.key_count + cli->ring.phrase_count > 0;
    options->keyring = keys ? &cli->ring : NULL;
    struct disk *disk = disk_open(path, options, &error);
    bool plain = disk != NULL && (!disk_is_encrypted(disk) || disk_unlocked(disk) != NULL);
    if (plain && signatures_find(disk, &s, &error)) {
        json_object_set_new(root, "signatures", cli_signatures_json(&s));
        json_object_set_new(root, "plaintext_confirmed", json_boolean(signatures_prove(&s)));
    } else if (disk == NULL || plain) {
        char problem[sizeof error.file + sizeof error.message + 2];
        snprintf(problem, sizeof problem, "%s: %s", error.file, error.message);
        set_text(root, "problem", problem);
    }
    disk_close(disk);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "(none)" : cli_printable(text);
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void print_line(const json_t *root, const char *label, const char *name)
{
    if (json_object_get(root, name) != NULL && !json_is_null(json_object_get(root, name)))
        printf("%-14s %s\n", label, text_of(root, name));
}

static void print_extents(const json_t *extents)
{
    size_t count = json_array_size(extents);
    printf("%-14s %zu\n", "extents", count);
    for (size_t i = 0; i < count && i < EXTENTS_SHOWN; i++) {
        const json_t *e = json_array_get(extents, i);
        printf("  %-8s %-8s %lld bytes", text_of(e, "access"), text_of(e, "type"),
               number_of(e, "bytes"));
        if (json_object_get(e, "file") != NULL)
            printf(" at %lld of \"%s\"", number_of(e, "offset"), text_of(e, "file"));
        if (json_object_get(e, "file_bytes") != NULL)
            printf(" (%lld bytes, %lld allocated)", number_of(e, "file_bytes"),
                   number_of(e, "allocated_bytes"));
        if (json_object_get(e, "problem") != NULL)
            printf(": %s", text_of(e, "problem"));
        putchar('\n');
    }
    if (count > EXTENTS_SHOWN)
        printf("  … and %zu more (--json shows all)\n", count - EXTENTS_SHOWN);
}

static void print_content(const json_t *root)
{
    const json_t *all = json_object_get(root, "signatures");
    print_line(root, "problem", "problem");
    if (all == NULL)
        return;
    printf(json_array_size(all) == 0 ? "content        nothing that is recognised\n" : "content\n");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *s = json_array_get(all, i);
        printf("  %s at byte %lld%s\n", text_of(s, "what"), number_of(s, "offset"),
               json_is_true(json_object_get(s, "strong")) ? "" : " (weak)");
    }
}

static void print_info(const json_t *root)
{
    printf("%-14s %s\n", "disk", text_of(root, "file"));
    printf("%-14s %lld bytes\n", "size", number_of(root, "size"));
    print_line(root, "type", "create_type");
    print_line(root, "adapter", "adapter");
    print_line(root, "CID", "cid");
    print_line(root, "CID", "cid_problem");
    print_line(root, "parent CID", "parent_cid");
    print_line(root, "parent", "parent");
    cli_inplace_print(root);
    print_extents(json_object_get(root, "extents"));
    bool encrypted = json_is_true(json_object_get(root, "encrypted"));
    printf("%-14s %s\n", "encrypted", encrypted ? "yes" : "no");
    print_line(root, "I/O filters", "iofilters");
    print_line(root, "sidecars", "sidecars");
    print_line(root, "keyID", "key_id");
    if (json_object_get(root, "locator") != NULL) {
        printf("encryptionKeys\n");
        cli_locator_print(stdout, json_object_get(root, "locator"), 2);
    }
    const json_t *attempts = json_object_get(root, "attempts");
    for (size_t i = 0; i < json_array_size(attempts); i++)
        printf("%-14s %s\n", "key in hand", text_of(json_array_get(attempts, i), "reason"));
    print_line(root, "key problem", "key_problem");
    print_content(root);
}

int cli_disk_info(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct disk_options options;
    const char *path = cli->operands[0];
    if (!cli_disk_options(cli, &options, &error) || !cli_keys(cli, NULL, &error))
        return cli_fail(cli, &error);
    struct descriptor *d = descriptor_load(path, &error);
    if (d == NULL)
        return cli_fail(cli, &error);
    json_t *root = json_object();
    set_identity(root, path, d);
    cli_inplace_info(root, path);
    json_object_set_new(root, "extents", extents_json(path, d, options.allow_outside));
    bool fits = set_encryption(cli, root, d);
    if (fits)
        set_content(cli, root, path, &options);
    descriptor_free(d);
    int status = fits ? 0 : (int)ERROR_NO_KEY;
    if (cli->json)
        return cli_print_json(root, status);
    print_info(root);
    json_decref(root);
    return status;
}
