/* data_files - see data_files.h. */
#include "vmx/data_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

enum { MOST = 4096 };

static bool is_data_file(const char *name)
{
    static const char *const extensions[] = {".nvram", ".vmsn", ".vmss", ".vmem", ".vswp"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        size_t size = strlen(extensions[i]);
        if (length > size && strcasecmp(name + length - size, extensions[i]) == 0)
            return true;
    }
    return false;
}

static bool add(struct vmx_data_files *files, const char *name, struct error *error)
{
    if (files->count == MOST)
        return error_set(error, ERROR_FAILED, "more than %d data files beside it", MOST);
    char **names = reallocarray(files->names, files->count + 1, sizeof *names);
    if (names == NULL)
        return error_memory(error);
    files->names = names;
    names[files->count] = strdup(name);
    if (names[files->count] == NULL)
        return error_memory(error);
    files->count++;
    return true;
}

static bool add_beside(struct vmx_data_files *files, const char *path, struct error *error)
{
    char *folder = file_beside(path, ".");
    if (folder == NULL)
        return error_memory(error);
    DIR *directory = opendir(folder);
    free(folder);
    if (directory == NULL) {
        error_system(error, "cannot list the folder of the VM");
        return error_in_file(error, path);
    }
    bool ok = true;
    for (const struct dirent *entry; ok && (entry = readdir(directory)) != NULL;)
        if (is_data_file(entry->d_name))
            ok = add(files, entry->d_name, error);
    closedir(directory);
    return ok;
}

/* Files that settings name and that the folder did not show: of another name, or elsewhere. */
static bool add_named(struct vmx_data_files *files, const struct vmx_config *config,
                      const char *path, struct error *error)
{
    static const char *const settings[] = {"nvram", "checkpoint.vmState", "sched.swap.derivedName"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *name = vmx_config_get(config, settings[i]);
        if (name == NULL || name[0] == '\0' || (strchr(name, '/') == NULL && is_data_file(name)))
            continue;
        char *full = file_beside(path, name);
        if (full == NULL)
            return error_memory(error);
        bool there = file_exists(full);
        free(full);
        if (there && !add(files, name, error))
            return false;
    }
    return true;
}

bool vmx_data_files_find(struct vmx_data_files *files, const struct vmx_config *config,
                         const char *path, struct error *error)
{
    *files = (struct vmx_data_files){0, NULL};
    if (add_beside(files, path, error) && add_named(files, config, path, error))
        return true;
    vmx_data_files_free(files);
    return false;
}

void vmx_data_files_free(struct vmx_data_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->names[i]);
    free(files->names);
    *files = (struct vmx_data_files){0, NULL};
}
