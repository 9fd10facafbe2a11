/* tree - see tree.h. */
#include "vm/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vm/files.h"

/* The names of a directory that matter, sorted; directories are put aside. */
struct tree {
    char *const *paths;
    size_t path_count, path_at;
    struct vm_names pending; /* directories to come, the next one last */
    char *directory;         /* the one at hand; NULL: none */
    struct vm_names files, vmx;
    size_t file_at;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(const char *directory, const char *name, struct error *error)
{
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) >= 0)
        return path;
    error_memory(error);
    return NULL;
}

static enum tree_kind kind_of(const char *name)
{
    if (vm_has_suffix(name, ".vmx"))
        return TREE_VMX;
    if (vm_has_suffix(name, ".vmdk"))
        return TREE_VMDK;
    return vm_is_data_file(name) ? TREE_DATA : TREE_OTHER;
}

/* What ENTRY is, without following a link to a directory. */
static bool is_directory(DIR *directory, const struct dirent *entry, bool *file)
{
    struct stat st;
    *file = entry->d_type == DT_REG;
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR)
        return entry->d_type == DT_DIR;
    if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode))
        return true;
    *file = fstatat(dirfd(directory), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode);
    return false;
}

static bool take_entry(struct tree *t, DIR *directory, const struct dirent *entry,
                       struct vm_names *below, struct error *error)
{
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    bool file;
    if (is_directory(directory, entry, &file))
        return vm_names_add(below, name, error);
    enum tree_kind kind = file ? kind_of(name) : TREE_OTHER;
    if (kind == TREE_OTHER)
        return true;
    return vm_names_add(&t->files, name, error) &&
           (kind != TREE_VMX || vm_names_add(&t->vmx, name, error));
}

/* Put the directories BELOW on the pile, so that the first is on top. */
static bool pile_up(struct tree *t, const struct vm_names *below, struct error *error)
{
    for (size_t i = below->count; i-- > 0;) {
        char *path = join(t->directory, below->names[i], error);
        bool ok = path != NULL && vm_names_add(&t->pending, path, error);
        free(path);
        if (!ok)
            return false;
    }
    return true;
}

/* Takes DIRECTORY over. */
static bool enter(struct tree *t, char *directory, struct error *error)
{
    vm_names_free(&t->files);
    vm_names_free(&t->vmx);
    free(t->directory);
    t->directory = directory;
    t->file_at = 0;
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        error_system(error, "cannot list the directory");
        return error_in_file(error, directory);
    }
    struct vm_names below = {0};
    bool ok = true;
    struct dirent *entry;
    while (ok && (errno = 0, entry = readdir(stream)) != NULL)
        ok = take_entry(t, stream, entry, &below, error);
    if (ok && errno != 0) {
        ok = error_system(error, "cannot list the directory");
        error_in_file(error, directory);
    }
    closedir(stream);
    vm_names_sort(&t->files);
    vm_names_sort(&t->vmx);
    vm_names_sort(&below);
    struct error piled = ERROR_INIT;
    if (!pile_up(t, &below, &piled) && ok) {
        *error = piled;
        ok = false;
    }
    vm_names_free(&below);
    return ok;
}

/* The .vmx whose name NAME of a data file begins with ("web01-Snapshot2.vmsn": web01.vmx), else
 * the only one there is. */
static const char *vmx_for(const struct tree *t, const char *name)
{
    char wanted[256 + sizeof ".vmx"];
    const char *dot = strrchr(name, '.');
    for (size_t length = dot == NULL ? 0 : (size_t)(dot - name); length > 0 && length < 256;) {
        snprintf(wanted, sizeof wanted, "%.*s.vmx", (int)length, name);
        const char *key = wanted;
        char **found = t->vmx.count == 0 ? NULL
                                         : bsearch(&key, t->vmx.names, t->vmx.count,
                                                   sizeof *t->vmx.names, by_name);
        if (found != NULL)
            return *found;
        do
            length--;
        while (length > 0 && name[length] != '-' && name[length] != '_' && name[length] != '.');
    }
    return t->vmx.count == 1 ? t->vmx.names[0] : NULL;
}

static bool tell(struct tree *t, const char *name, struct tree_file *file, struct error *error)
{
    *file = (struct tree_file){.kind = kind_of(name), .path = join(t->directory, name, error)};
    const char *vmx = file->kind == TREE_DATA ? vmx_for(t, name) : NULL;
    if (file->path != NULL && vmx != NULL)
        file->vmx = join(t->directory, vmx, error);
    if (file->path != NULL && (vmx == NULL || file->vmx != NULL))
        return true;
    tree_file_free(file);
    return false;
}

/* The .vmx that a named data file may belong to: of all in its directory. */
static bool find_vmx_beside(const char *path, struct tree_file *file, struct error *error)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL   ? strdup(".")
                      : slash == path ? strdup("/")
                                      : strndup(path, (size_t)(slash - path));
    struct tree beside = {0};
    bool ok = (directory != NULL || error_memory(error)) && enter(&beside, directory, error);
    const char *vmx = ok ? vmx_for(&beside, slash == NULL ? path : slash + 1) : NULL;
    if (vmx != NULL) {
        file->vmx = join(directory, vmx, error);
        ok = file->vmx != NULL;
    }
    vm_names_free(&beside.pending);
    vm_names_free(&beside.files);
    vm_names_free(&beside.vmx);
    free(beside.directory);
    return ok;
}

static bool begin_path(struct tree *t, const char *path, struct tree_file *file, bool *told,
                       struct error *error)
{
    struct stat st;
    *told = false;
    if (stat(path, &st) != 0) {
        error_system(error, "cannot open");
        return error_in_file(error, path);
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return error_memory(error);
    if (S_ISDIR(st.st_mode))
        return enter(t, copy, error);
    *file = (struct tree_file){.kind = kind_of(path), .path = copy};
    *told = true;
    if (file->kind != TREE_DATA || find_vmx_beside(path, file, error))
        return true;
    tree_file_free(file);
    return false;
}

bool tree_next(struct tree *t, struct tree_file *file, bool *end, struct error *error)
{
    *end = false;
    for (;;) {
        bool told = false;
        if (t->file_at < t->files.count)
            return tell(t, t->files.names[t->file_at++], file, error);
        if (t->pending.count > 0) {
            if (!enter(t, t->pending.names[--t->pending.count], error))
                return false;
        } else if (t->path_at < t->path_count) {
            if (!begin_path(t, t->paths[t->path_at++], file, &told, error))
                return false;
        } else {
            *end = true;
            return true;
        }
        if (told)
            return true;
    }
}

struct tree *tree_new(char *const *paths, size_t count, struct error *error)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL) {
        error_memory(error);
        return NULL;
    }
    tree->paths = paths;
    tree->path_count = count;
    return tree;
}

void tree_file_free(struct tree_file *file)
{
    free(file->path);
    free(file->vmx);
    *file = (struct tree_file){0};
}

void tree_free(struct tree *tree)
{
    if (tree == NULL)
        return;
    vm_names_free(&tree->pending);
    vm_names_free(&tree->files);
    vm_names_free(&tree->vmx);
    free(tree->directory);
    free(tree);
}
