/* info - see info.h. */
#include "vmx/info.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "keywrap/cryptodict.h"

/* For each fact its name and the settings that tell it, the first that is there counting. */
static const struct {
    const char *name;
    const char *settings[2];
} facts[VMX_FACT_COUNT] = {
    [VMX_FACT_DISPLAY_NAME] = {"display_name", {"displayName"}},
    [VMX_FACT_GUEST_OS] = {"guest_os", {"guestOS"}},
    [VMX_FACT_HARDWARE_VERSION] = {"hardware_version", {"virtualHW.version"}},
    [VMX_FACT_FIRMWARE] = {"firmware", {"firmware"}},
    [VMX_FACT_UUID_BIOS] = {"uuid_bios", {"uuid.bios"}},
    [VMX_FACT_NVRAM] = {"nvram", {"nvram"}},
    [VMX_FACT_VMOTION_ENCRYPTION] = {"vmotion_encryption", {"migrate.encryptionMode"}},
    [VMX_FACT_FT_ENCRYPTION] = {"ft_encryption", {"ftcpt.ftEncryptionMode", "ftEncryptionMode"}},
    [VMX_FACT_CRYPTO_STATE] = {"crypto_state", {"cryptoState"}},
};

const char *vmx_fact_name(enum vmx_fact fact)
{
    return facts[fact].name;
}

static struct vmx_value find_value(const struct vmx_config *config, bool locked,
                                   const char *const *settings, size_t count)
{
    for (size_t i = 0; i < count && settings[i] != NULL; i++) {
        const char *text = vmx_config_get(config, settings[i]);
        if (text != NULL)
            return (struct vmx_value){VMX_KNOWN, text};
    }
    return (struct vmx_value){locked ? VMX_LOCKED : VMX_ABSENT, NULL};
}

static enum vmx_truth is_true(const struct vmx_config *config, bool locked, const char *name)
{
    const char *text = vmx_config_get(config, name);
    if (text == NULL)
        return locked ? VMX_NOT_KNOWN : VMX_NO;
    return strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0 ? VMX_YES : VMX_NO;
}

/* Workstation adds one on its own accord where this names a kind. */
static enum vmx_truth has_vtpm(const struct vmx_config *config, bool locked)
{
    const char *added = vmx_config_get(config, "managedvm.autoAddVTPM");
    if (added != NULL && added[0] != '\0' && strcasecmp(added, "none") != 0)
        return VMX_YES;
    return is_true(config, locked, "vtpm.present");
}

static void fill_data_key(struct vmx_info *info, const struct vmx_config *config)
{
    const char *text = vmx_config_get(config, "dataFileKey");
    struct crypto_key key = {.key = NULL};
    struct error error = ERROR_INIT;
    info->data_key = text != NULL ? VMX_YES : info->locked ? VMX_NOT_KNOWN : VMX_NO;
    if (text != NULL && crypto_key_parse(text, strlen(text), &key, &error))
        snprintf(info->data_key_cipher, sizeof info->data_key_cipher, "%s", key.cipher);
    crypto_key_free(&key);
}

/* Bytes of "scsi0:0" at the start of NAME when ".fileName" is what follows; 0 when not. */
static size_t disk_device(const char *name)
{
    static const char *const buses[] = {"scsi", "sata", "ide", "nvme"};
    for (size_t i = 0; i < sizeof buses / sizeof buses[0]; i++) {
        size_t at = strlen(buses[i]);
        if (strncasecmp(name, buses[i], at) != 0)
            continue;
        size_t bus = strspn(name + at, "0123456789");
        if (bus == 0 || name[at + bus] != ':')
            return 0;
        at += bus + 1;
        size_t unit = strspn(name + at, "0123456789");
        return unit > 0 && strcasecmp(name + at + unit, ".fileName") == 0 ? at + unit : 0;
    }
    return 0;
}

/* "NAME-000001.vmdk" */
static bool is_delta_name(const char *file)
{
    size_t length = strlen(file);
    if (length < 12 || strcasecmp(file + length - 5, ".vmdk") != 0)
        return false;
    const char *number = file + length - 12;
    return number[0] == '-' && strspn(number + 1, "0123456789") == 6;
}

static const char *device_setting(const struct vmx_config *config, const char *device,
                                  const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", device, what);
    return vmx_config_get(config, name);
}

/* Add the disk that setting NAME of DICT names, unless that is another kind of drive or another
 * line counts. */
static bool add_disk(struct vmx_info *info, const struct vmx_config *config, const char *name,
                     const char *value, struct error *error)
{
    size_t length = disk_device(name);
    if (length == 0 || length > 32 || vmx_config_get(config, name) != value)
        return true;
    char *device = strndup(name, length);
    struct vmx_disk *disks = reallocarray(info->disks, info->disk_count + 1, sizeof *info->disks);
    if (disks != NULL)
        info->disks = disks;
    if (device == NULL || disks == NULL) {
        free(device);
        return error_memory(error);
    }
    const char *type = device_setting(config, device, "deviceType");
    const char *present = device_setting(config, device, "present");
    if (type != NULL && strcasestr(type, "disk") == NULL) {
        free(device);
        return true;
    }
    disks[info->disk_count++] = (struct vmx_disk){
        .device = device,
        .file = value,
        .type = type,
        .present = present == NULL || strcasecmp(present, "FALSE") != 0,
        .delta = is_delta_name(value),
    };
    return true;
}

static bool add_disks(struct vmx_info *info, const struct vmx_config *config,
                      const struct dict *dict, struct error *error)
{
    enum { MOST = 1024 }; /* four times what any product lets a VM have */
    const char *name, *value;
    for (size_t i = 0; dict_at(dict, i, &name, &value); i++) {
        if (!add_disk(info, config, name, value, error))
            return false;
        if (info->disk_count > MOST)
            return error_set(error, ERROR_DAMAGED, "more than %d disks", MOST);
    }
    return true;
}

bool vmx_info_fill(struct vmx_info *info, const struct vmx_config *config, struct error *error)
{
    *info = (struct vmx_info){.locked = config->encrypted && config->inner == NULL};
    if (config->encrypted) {
        const char *type = vmx_config_get(config, "vmx.encryptionType");
        bool partial = type != NULL && strcasecmp(type, "partial") == 0;
        info->encryption = partial ? VMX_ENCRYPTION_PARTIAL : VMX_ENCRYPTION_FULL;
    }
    for (size_t i = 0; i < VMX_FACT_COUNT; i++)
        info->facts[i] = find_value(config, info->locked, facts[i].settings, 2);
    info->vtpm = has_vtpm(config, info->locked);
    info->secure_boot = is_true(config, info->locked, "uefi.secureBoot.enabled");
    fill_data_key(info, config);
    if (add_disks(info, config, config->outer, error) &&
        (config->inner == NULL || add_disks(info, config, config->inner, error)))
        return true;
    vmx_info_free(info);
    return false;
}

void vmx_info_free(struct vmx_info *info)
{
    for (size_t i = 0; i < info->disk_count; i++)
        free(info->disks[i].device);
    free(info->disks);
    *info = (struct vmx_info){0};
}

/* PATH with the end ".vmx" made ".vmsd"; NULL when memory is short. */
static char *database_path(const char *path)
{
    size_t length = strlen(path);
    if (length > 4 && strcasecmp(path + length - 4, ".vmx") == 0)
        length -= 4;
    char *database;
    return asprintf(&database, "%.*s.vmsd", (int)length, path) < 0 ? NULL : database;
}

/* Products make the database with the VM, and leave it empty when the last snapshot goes. */
static bool is_empty(const struct dict *dict)
{
    const char *name, *value;
    for (size_t i = 0; dict_at(dict, i, &name, &value); i++)
        if (strcasecmp(name, ".encoding") != 0)
            return false;
    return dict_odd_lines(dict) == 0;
}

bool vmx_info_snapshots(const char *path, long *count, struct error *error)
{
    *count = -1;
    char *database = database_path(path);
    if (database == NULL)
        return error_memory(error);
    struct buffer text = BUFFER_INIT;
    struct dict *dict = NULL;
    bool ok = true;
    struct stat st;
    /* Nobody named this file, so it must not make us wait as a pipe would. */
    if (stat(database, &st) == 0 && S_ISREG(st.st_mode)) {
        ok = file_read_all(database, DICT_MAX_BYTES, &text, error);
        dict = ok ? dict_parse(buffer_text(&text), text.length, NULL, error) : NULL;
        ok = dict != NULL || error_in_file(error, database);
    }
    const char *value = dict == NULL ? NULL : dict_get(dict, "snapshot.numSnapshots");
    if (dict != NULL && value == NULL && is_empty(dict))
        value = "0";
    if (value != NULL && value[0] != '\0' && strspn(value, "0123456789") == strlen(value) &&
        strlen(value) < 9)
        *count = strtol(value, NULL, 10);
    dict_free(dict);
    buffer_free(&text);
    free(database);
    return ok;
}
