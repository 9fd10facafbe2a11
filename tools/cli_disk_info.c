/* cli_disk_info - vmcrypt-disk info: what a disk is, with or without its extents and keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "tools/cli_explain.h"
#include "vmdk/disk_key.h"
#include "vmdk/evidence.h"

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
    const struct evidence evidence = {.allow_outside = allow_outside};
    struct evidence_file facts;
    struct error error = ERROR_INIT;
    int fd = evidence_open(&evidence, path, e->file, NULL, &facts, &error);
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
    bool flat = strcasecmp(e->type, "FLAT") == 0 || strcasecmp(e->type, "VMFS") == 0;
    if (flat && facts.size < needed)
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

/* What else products note of a disk. */
static const struct {
    const char *setting, *name, *label;
} NOTED[] = {
    {"encoding", "encoding", "encoding"},
    {"ddb.uuid", "uuid", "uuid"},
    {"ddb.longContentID", "long_content_id", "content ID"},
    {"ddb.virtualHWVersion", "hardware_version", "hardware"},
    {"ddb.toolsVersion", "tools_version", "tools"},
    {"ddb.thinProvisioned", "thin_provisioned", "thin"},
};

static void set_noted(json_t *root, const struct descriptor *d)
{
    for (size_t i = 0; i < sizeof NOTED / sizeof NOTED[0]; i++)
        set_text(root, NOTED[i].name, descriptor_get(d, NOTED[i].setting));
}

/* The files that I/O filters keep beside the disk, "NAME_1,vmfd;NAME_2.vmfd". What is in them is
 * not published. */
static void set_sidecars(json_t *root, const char *path, const struct descriptor *d,
                         bool allow_outside)
{
    const char *all = descriptor_get(d, "ddb.sidecars");
    const struct evidence evidence = {.allow_outside = allow_outside};
    json_t *list = json_array();
    for (const char *at = all; at != NULL && *at != '\0';) {
        struct evidence_file facts;
        struct error error = ERROR_INIT;
        at += strspn(at, "; ");
        size_t length = strcspn(at, ";");
        char *name = length == 0 ? NULL : strndup(at, length);
        at += length;
        if (name == NULL)
            continue;
        int fd = evidence_open(&evidence, path, name, NULL, &facts, &error);
        json_t *object = json_pack("{s:o, s:b}", "file", cli_json_text(name), "present", fd >= 0);
        if (fd >= 0) {
            json_object_set_new(object, "file_bytes", json_integer((json_int_t)facts.size));
            close(fd);
        }
        json_array_append_new(list, object);
        free(name);
    }
    json_object_set_new(root, "sidecar_files", list);
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

/* Who locks the key of a layer: the first locker that its descriptor names. */
static void set_locker(json_t *object, const struct descriptor *d)
{
    struct error error = ERROR_INIT;
    struct locator *safe = descriptor_is_encrypted(d) ? disk_key_safe(d, &error) : NULL;
    const struct locator *locker = safe;
    while (locker != NULL && locker->child_count > 0)
        locker = locker->children[0];
    bool fqid = locker != NULL && locker->type == LOCATOR_FQID;
    set_text(object, "provider", fqid ? locator_text(locker, LOCATOR_FQID_SERVER) : NULL);
    set_text(object, "key_id", fqid ? locator_text(locker, LOCATOR_FQID_KEY) : NULL);
    set_text(object, "locked_by", locker == NULL ? NULL : locator_type_name(locker->type));
    locator_free(safe);
}

/* The chain, the top first. */
static json_t *layers_json(const struct disk *disk)
{
    json_t *all = json_array();
    for (size_t i = 0; i < disk_layer_count(disk); i++) {
        struct disk_layer layer = disk_layer_at(disk, i);
        uint32_t cid = 0, parent;
        struct error error = ERROR_INIT;
        char text[16];
        descriptor_cids(layer.descriptor, &cid, &parent, &error);
        snprintf(text, sizeof text, "%08" PRIx32, cid);
        json_t *object = json_object();
        set_text(object, "file", layer.path);
        json_object_set_new(object, "size", json_integer((json_int_t)layer.size));
        set_text(object, "create_type", descriptor_get(layer.descriptor, "createType"));
        set_text(object, "cid", text);
        json_object_set_new(object, "missing", json_boolean(layer.missing));
        json_object_set_new(object, "encrypted", json_boolean(layer.encrypted));
        set_locker(object, layer.descriptor);
        set_text(object, "unlocked",
                 layer.unlocked == NULL ? NULL
                                        : layer.unlocked->attempts[layer.unlocked->opened].reason);
        json_array_append_new(all, object);
    }
    return all;
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
    bool plain = disk != NULL && (!disk_is_encrypted(disk) || keys);
    if (plain && signatures_find(disk, &s, &error)) {
        json_object_set_new(root, "signatures", cli_signatures_json(&s));
        json_object_set_new(root, "plaintext_confirmed", json_boolean(signatures_prove(&s)));
    } else if (disk == NULL || plain) {
        char problem[sizeof error.file + sizeof error.message + 2];
        snprintf(problem, sizeof problem, "%s: %s", error.file, error.message);
        set_text(root, "problem", problem);
    }
    if (disk != NULL) {
        json_object_set_new(root, "layers", layers_json(disk));
        json_object_set_new(root, "notes", cli_disk_notes_json(disk));
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

static void print_layers(const json_t *layers)
{
    if (json_array_size(layers) < 2)
        return;
    printf("%-14s %zu layers, the newest first\n", "chain", json_array_size(layers));
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *l = json_array_get(layers, i);
        printf("  %3zu  %s", i, text_of(l, "file"));
        printf("  %s  CID %s", text_of(l, "create_type"), text_of(l, "cid"));
        if (json_is_true(json_object_get(l, "encrypted")))
            printf("  encrypted, locked by %s", text_of(l, "locked_by"));
        if (json_is_string(json_object_get(l, "key_id"))) {
            printf(" %s/", text_of(l, "provider"));
            printf("%s", text_of(l, "key_id"));
        }
        printf("%s\n", json_is_true(json_object_get(l, "missing")) ? "  DATA MISSING" : "");
    }
}

static void print_sidecars(const json_t *files)
{
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *f = json_array_get(files, i);
        printf("  %s: ", text_of(f, "file"));
        if (json_is_true(json_object_get(f, "present")))
            printf("%lld bytes, of unknown content\n", number_of(f, "file_bytes"));
        else
            printf("not here\n");
    }
}

static void print_notes(const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++)
        printf("%-14s %s\n", "note", cli_printable(json_string_value(json_array_get(notes, i))));
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
    for (size_t i = 0; i < sizeof NOTED / sizeof NOTED[0]; i++)
        print_line(root, NOTED[i].label, NOTED[i].name);
    print_line(root, "CID", "cid");
    print_line(root, "CID", "cid_problem");
    print_line(root, "parent CID", "parent_cid");
    print_line(root, "parent", "parent");
    cli_inplace_print(root);
    cli_disk_track_print(root);
    print_extents(json_object_get(root, "extents"));
    print_layers(json_object_get(root, "layers"));
    bool encrypted = json_is_true(json_object_get(root, "encrypted"));
    printf("%-14s %s\n", "encrypted", encrypted ? "yes" : "no");
    print_line(root, "I/O filters", "iofilters");
    print_line(root, "sidecars", "sidecars");
    print_sidecars(json_object_get(root, "sidecar_files"));
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
    print_notes(json_object_get(root, "notes"));
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
    cli_disk_track(root, path, d, &options);
    set_noted(root, d);
    set_sidecars(root, path, d, options.allow_outside);
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
