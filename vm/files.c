/* files - see files.h. */
#include "vm/files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"

/* More files than any VM directory holds; more is not a VM's directory. */
enum { MAX_FILES = 1 << 20 };

bool vm_has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && strcasecmp(name + length - tail, suffix) == 0;
}

static bool add_name(struct vm_names *names, const char *name, struct error *error)
{
    size_t count = names->count;
    if (count == MAX_FILES)
        return error_set(error, ERROR_FAILED, "more than %d files in one directory", MAX_FILES);
    if ((count & (count - 1)) == 0) {
        char **grown = realloc(names->names, (count == 0 ? 1 : 2 * count) * sizeof *grown);
        if (grown == NULL)
            return error_memory(error);
        names->names = grown;
    }
    names->names[count] = strdup(name);
    if (names->names[count] == NULL)
        return error_memory(error);
    names->count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool list_directory(const char *path, struct vm_names *names, struct error *error)
{
    *names = (struct vm_names){0};
    DIR *directory = opendir(path);
    if (directory == NULL) {
        error_system(error, "cannot list the directory");
        return error_in_file(error, path);
    }
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(directory)) != NULL;) {
        struct stat st;
        if (fstatat(dirfd(directory), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            ok = add_name(names, entry->d_name, error);
    }
    closedir(directory);
    if (names->count > 0)
        qsort(names->names, names->count, sizeof *names->names, by_name);
    return ok;
}

void vm_names_free(struct vm_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct vm_names){0};
}

bool vm_files_beside(const char *vmx, struct vm_names *names, struct error *error)
{
    char *directory = file_beside(vmx, ".");
    if (directory == NULL)
        return error_memory(error);
    bool ok = list_directory(directory, names, error);
    free(directory);
    return ok;
}

char *vm_find_vmx(const char *path, struct error *error)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        error_system(error, "cannot open");
        error_in_file(error, path);
        return NULL;
    }
    if (!S_ISDIR(st.st_mode)) {
        char *copy = strdup(path);
        if (copy == NULL)
            error_memory(error);
        return copy;
    }
    struct vm_names names;
    const char *found = NULL;
    size_t count = 0;
    if (list_directory(path, &names, error)) {
        for (size_t i = 0; i < names.count; i++) {
            if (vm_has_suffix(names.names[i], ".vmx")) {
                found = names.names[i];
                count++;
            }
        }
        if (count != 1) {
            error_set(error, ERROR_USAGE,
                      count == 0 ? "no .vmx file in this directory"
                                 : "%zu .vmx files in this directory; name the one you mean",
                      count);
            error_in_file(error, path);
        }
    }
    char *vmx = count == 1 ? malloc(strlen(path) + strlen(found) + 2) : NULL;
    if (vmx != NULL)
        stpcpy(stpcpy(stpcpy(vmx, path), "/"), found);
    else if (count == 1)
        error_memory(error);
    vm_names_free(&names);
    return vmx;
}

/* "scsi0:0.fileName": the length of the device part; 0 when NAME is no such setting. */
static size_t device_length(const char *name)
{
    static const char *const buses[] = {"scsi", "sata", "nvme", "ide"};
    const char *dot = strrchr(name, '.');
    if (dot == NULL || strcasecmp(dot, ".fileName") != 0)
        return 0;
    for (size_t i = 0; i < sizeof buses / sizeof buses[0]; i++) {
        size_t bus = strlen(buses[i]);
        const char *at = name + bus;
        if (strncasecmp(name, buses[i], bus) != 0 || !isdigit((unsigned char)*at))
            continue;
        at += strspn(at, "0123456789");
        if (*at != ':' || !isdigit((unsigned char)at[1]))
            continue;
        at += 1 + strspn(at + 1, "0123456789");
        if (at == dot)
            return (size_t)(dot - name);
    }
    return 0;
}

static bool is_virtual_disk(const struct vmx_config *config, const char *device, size_t length)
{
    char name[96];
    if (length > 64)
        return false;
    memcpy(name, device, length);
    strcpy(name + length, ".present");
    const char *present = vmx_config_get(config, name);
    if (present != NULL && strcasecmp(present, "FALSE") == 0)
        return false;
    strcpy(name + length, ".deviceType");
    const char *type = vmx_config_get(config, name);
    return type == NULL || (strcasestr(type, "cdrom") == NULL && strcasestr(type, "raw") == NULL);
}

static bool add_disk(struct vm_disks *disks, const char *device, size_t length, const char *file,
                     struct error *error)
{
    for (size_t i = 0; i < disks->count; i++)
        if (strncasecmp(disks->disks[i].device, device, length) == 0 &&
            disks->disks[i].device[length] == '\0')
            return true;
    struct vm_disk *grown = realloc(disks->disks, (disks->count + 1) * sizeof *grown);
    if (grown == NULL)
        return error_memory(error);
    disks->disks = grown;
    struct vm_disk *disk = &disks->disks[disks->count];
    disk->device = strndup(device, length);
    disk->file = strdup(file);
    if (disk->device == NULL || disk->file == NULL) {
        free(disk->device);
        free(disk->file);
        return error_memory(error);
    }
    disks->count++;
    return true;
}

bool vm_disks_of(const struct vmx_config *config, struct vm_disks *disks, struct error *error)
{
    *disks = (struct vm_disks){0};
    const struct dict *dicts[] = {config->inner, config->outer};
    for (size_t d = 0; d < 2; d++) {
        const char *name, *ignored;
        for (size_t i = 0; dicts[d] != NULL && dict_at(dicts[d], i, &name, &ignored); i++) {
            size_t length = device_length(name);
            const char *file = length == 0 ? NULL : vmx_config_get(config, name);
            if (file != NULL && vm_has_suffix(file, ".vmdk") &&
                is_virtual_disk(config, name, length) &&
                !add_disk(disks, name, length, file, error))
                return false;
        }
    }
    return true;
}

void vm_disks_free(struct vm_disks *disks)
{
    for (size_t i = 0; i < disks->count; i++) {
        free(disks->disks[i].device);
        free(disks->disks[i].file);
    }
    free(disks->disks);
    *disks = (struct vm_disks){0};
}
