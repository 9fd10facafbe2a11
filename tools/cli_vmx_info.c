/* cli_vmx_info - vmcrypt vmx info: made as JSON, printed for people from that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli_explain.h"
#include "tools/cli_vmx.h"
#include "vmdk/disk_key.h"

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text == NULL ? json_null() : cli_json_text(text));
}

static void set_truth(json_t *object, const char *name, enum vmx_truth truth, json_t *locked)
{
    json_object_set_new(object, name,
                        truth == VMX_NOT_KNOWN ? json_null() : json_boolean(truth == VMX_YES));
    if (truth == VMX_NOT_KNOWN)
        json_array_append_new(locked, json_string(name));
}

/* "settings" and the truths; names of what cannot be known go to LOCKED. */
static void add_facts(json_t *object, const struct vmx_info *info, json_t *locked)
{
    json_t *settings = json_object();
    for (size_t i = 0; i < VMX_FACT_COUNT; i++) {
        const char *name = vmx_fact_name(i);
        set_text(settings, name, info->facts[i].text);
        if (info->facts[i].known == VMX_LOCKED)
            json_array_append_new(locked, json_string(name));
    }
    json_object_set_new(object, "settings", settings);
    set_truth(object, "vtpm", info->vtpm, locked);
    set_truth(object, "secure_boot", info->secure_boot, locked);
    set_truth(object, "data_file_key", info->data_key, locked);
    set_text(object, "data_file_key_cipher",
             info->data_key_cipher[0] == '\0' ? NULL : info->data_key_cipher);
}

/* What the descriptor beside the .vmx tells; "problem" when it cannot be read. */
static void add_descriptor(json_t *object, const char *path, const char *file)
{
    struct error error = ERROR_INIT;
    uint64_t bytes;
    char *full = cli_vmx_disk_path(path, file);
    struct descriptor *d = full == NULL ? NULL : descriptor_load(full, &error);
    bool sized = d != NULL && descriptor_size(d, &bytes);
    bool encrypted = d != NULL && descriptor_is_encrypted(d);
    struct locator *safe = encrypted ? disk_key_safe(d, &error) : NULL;
    json_object_set_new(object, "size_bytes",
                        sized ? json_integer((json_int_t)bytes) : json_null());
    set_text(object, "create_type", d == NULL ? NULL : descriptor_get(d, "createType"));
    json_object_set_new(object, "encrypted", d == NULL ? json_null() : json_boolean(encrypted));
    json_object_set_new(object, "key_safe", safe == NULL ? json_null() : cli_locator_json(safe));
    set_text(object, "problem",
             full == NULL                        ? "is not beside the .vmx"
             : d == NULL || (encrypted && !safe) ? error.message
                                                 : NULL);
    locator_free(safe);
    descriptor_free(d);
    free(full);
}

static json_t *disks_json(const struct vmx_info *info, const char *path)
{
    json_t *disks = json_array();
    for (size_t i = 0; i < info->disk_count; i++) {
        const struct vmx_disk *disk = &info->disks[i];
        json_t *object = json_object();
        set_text(object, "device", disk->device);
        set_text(object, "file", disk->file);
        json_object_set_new(object, "present", json_boolean(disk->present));
        json_object_set_new(object, "snapshot_delta", json_boolean(disk->delta));
        add_descriptor(object, path, disk->file);
        json_array_append_new(disks, object);
    }
    return disks;
}

static const char *encryption_name(enum vmx_encryption encryption)
{
    return encryption == VMX_ENCRYPTION_FULL      ? "full"
           : encryption == VMX_ENCRYPTION_PARTIAL ? "partial"
                                                  : "none";
}

/* Everything about CONFIG, which is at PATH; NULL with *error set. */
static json_t *describe(const struct vmx_config *config, const char *path, struct error *error)
{
    struct vmx_info info;
    long snapshots;
    if (!vmx_info_snapshots(path, &snapshots, error) || !vmx_info_fill(&info, config, error))
        return NULL;
    json_t *object = json_object(), *locked = json_array();
    json_object_set_new(object, "version", json_integer(1));
    set_text(object, "file", path);
    set_text(object, "encryption", encryption_name(info.encryption));
    json_object_set_new(object, "locked", json_boolean(info.locked));
    set_text(object, "code_page", dict_encoding(config->outer));
    json_object_set_new(object, "odd_lines",
                        json_integer((json_int_t)dict_odd_lines(config->outer)));
    json_object_set_new(object, "encrypted_bytes",
                        config->encrypted ? json_integer((json_int_t)config->sealed_length)
                                          : json_null());
    json_object_set_new(object, "key_safe",
                        config->encrypted ? cli_locator_json(config->safe) : json_null());
    json_object_set_new(object, "attempts", cli_attempts_json(&config->opened));
    set_text(object, "config_key_cipher", config->key.key == NULL ? NULL : config->key.cipher);
    add_facts(object, &info, locked);
    json_object_set_new(object, "snapshots", snapshots < 0 ? json_null() : json_integer(snapshots));
    json_object_set_new(object, "disks", disks_json(&info, path));
    if (info.locked)
        json_array_append_new(locked, json_string("disks"));
    json_object_set_new(object, "unknown_while_locked", locked);
    vmx_info_free(&info);
    return object;
}

static bool is_locked(const json_t *object, const char *name)
{
    const json_t *names = json_object_get(object, "unknown_while_locked");
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
            return true;
    return false;
}

/* A line of the report; VALUE may be a text, a number, a truth or null. */
static void print_value(const json_t *object, const char *label, const char *name,
                        const json_t *value)
{
    printf("  %-22s ", label);
    if (json_is_string(value))
        puts(cli_printable(json_string_value(value)));
    else if (json_is_integer(value))
        printf("%lld\n", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        puts(json_is_true(value) ? "yes" : "no");
    else
        puts(is_locked(object, name) ? "locked" : "not set");
}

static void print_settings(const json_t *object)
{
    static const struct {
        const char *label, *name;
        bool setting;
    } lines[] = {
        {"display name", "display_name", true},
        {"guest OS", "guest_os", true},
        {"hardware version", "hardware_version", true},
        {"firmware", "firmware", true},
        {"secure boot", "secure_boot", false},
        {"vTPM", "vtpm", false},
        {"BIOS UUID", "uuid_bios", true},
        {"nvram file", "nvram", true},
        {"encrypted vMotion", "vmotion_encryption", true},
        {"encrypted FT", "ft_encryption", true},
        {"crypto state", "crypto_state", true},
        {"dataFileKey", "data_file_key", false},
    };
    const json_t *settings = json_object_get(object, "settings");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        print_value(object, lines[i].label, lines[i].name,
                    json_object_get(lines[i].setting ? settings : object, lines[i].name));
    const char *cipher = json_string_value(json_object_get(object, "data_file_key_cipher"));
    if (cipher != NULL)
        printf("  %-22s %s\n", "dataFileKey cipher", cipher);
    const json_t *snapshots = json_object_get(object, "snapshots");
    if (json_is_integer(snapshots))
        print_value(object, "snapshots", "snapshots", snapshots);
    else
        printf("  %-22s unknown\n", "snapshots");
}

static void print_disk(const json_t *disk)
{
    const json_t *size = json_object_get(disk, "size_bytes");
    const json_t *encrypted = json_object_get(disk, "encrypted");
    const char *type = json_string_value(json_object_get(disk, "create_type"));
    const char *problem = json_string_value(json_object_get(disk, "problem"));
    printf("  %-10s %s%s%s\n", cli_printable(json_string_value(json_object_get(disk, "device"))),
           cli_printable(json_string_value(json_object_get(disk, "file"))),
           json_is_true(json_object_get(disk, "present")) ? "" : ", not connected",
           json_is_true(json_object_get(disk, "snapshot_delta")) ? ", snapshot delta" : "");
    if (json_is_integer(size))
        printf("             %lld bytes%s%s, %s\n", (long long)json_integer_value(size),
               type == NULL ? "" : ", ", type == NULL ? "" : cli_printable(type),
               json_is_true(encrypted) ? "encrypted" : "not encrypted");
    if (problem != NULL)
        printf("             %s\n", cli_printable(problem));
    if (json_is_object(json_object_get(disk, "key_safe")))
        cli_locator_print(stdout, json_object_get(disk, "key_safe"), 13);
}

static void print_report(const json_t *object)
{
    const json_t *locked = json_object_get(object, "locked");
    const json_t *safe = json_object_get(object, "key_safe");
    const json_t *attempts = json_object_get(object, "attempts");
    const json_t *disks = json_object_get(object, "disks");
    printf("%s\n", cli_printable(json_string_value(json_object_get(object, "file"))));
    printf("  %-22s %s%s\n", "encryption", json_string_value(json_object_get(object, "encryption")),
           json_is_true(locked)   ? ", locked"
           : json_is_object(safe) ? ", unlocked"
                                  : "");
    print_settings(object);
    if (json_is_object(safe)) {
        printf("  %-22s %lld bytes\n", "encrypted part",
               (long long)json_integer_value(json_object_get(object, "encrypted_bytes")));
        puts("Key safe");
        cli_locator_print(stdout, safe, 2);
        for (size_t i = 0; i < json_array_size(attempts); i++)
            printf("  pair %zu: %s\n", i + 1,
                   cli_printable(
                       json_string_value(json_object_get(json_array_get(attempts, i), "reason"))));
    }
    puts("Disks");
    for (size_t i = 0; i < json_array_size(disks); i++)
        print_disk(json_array_get(disks, i));
    if (json_is_true(locked))
        puts("  locked: the settings that name disks are in the encrypted part");
    else if (json_array_size(disks) == 0)
        puts("  none");
}

int cli_vmx_info(struct cli *cli)
{
    struct error error = ERROR_INIT, locked = ERROR_INIT;
    struct vmx_config config;
    const char *path = cli->operands[0];
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    bool ok = cli_keys(cli, NULL, &error);
    /* Keys that do not fit change nothing about what is in the clear. */
    if (ok && config.encrypted && cli->ring.key_count + cli->ring.phrase_count > 0 &&
        !vmx_config_unlock(&config, &cli->ring, &locked))
        error_in_file(&locked, path);
    json_t *object = ok ? describe(&config, path, &error) : NULL;
    int status = object == NULL ? cli_fail(cli, &error) : 0;
    if (object != NULL && cli->json)
        status = cli_print_json(object, 0);
    else if (object != NULL)
        print_report(object);
    if (object != NULL && !cli->json)
        json_decref(object);
    if (object != NULL && locked.code != ERROR_NONE)
        status = cli_fail(cli, &locked);
    vmx_config_free(&config);
    return status;
}
