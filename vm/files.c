/* files - see files.h. */
#include "vm/files.h"

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

bool vm_is_data_file(const char *name)
{
    static const char *const suffixes[] = {".nvram", ".vmsn", ".vmss", ".vmem"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (vm_has_suffix(name, suffixes[i]))
            return true;
    return false;
}

bool vm_names_add(struct vm_names *names, const char *name, struct error *error)
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

void vm_names_sort(struct vm_names *names)
{
    if (names->count > 1)
        qsort(names->names, names->count, sizeof *names->names, by_name);
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
            ok = vm_names_add(names, entry->d_name, error);
    }
    closedir(directory);
    vm_names_sort(names);
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
