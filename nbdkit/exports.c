/* exports - see exports.h. */
#include "nbdkit/exports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".raw";

/* Bytes of TEXT before SUFFIX, or all of them. */
static size_t stem(const char *text, const char *end)
{
    size_t length = strlen(text), more = strlen(end);
    return length > more && strcmp(text + length - more, end) == 0 ? length - more : length;
}

bool exports_is_whole(const struct view_node *node)
{
    return node->name[stem(node->name, suffix)] != '\0';
}

/* NAME is what a user may call the whole disk NODE. */
static bool means(const struct view_node *node, const char *name)
{
    size_t length = stem(node->name, suffix);
    return exports_is_whole(node) && strncmp(name, node->name, length) == 0 &&
           (name[length] == '\0' || strcmp(name + length, ".vmdk") == 0);
}

/* NODE is a partition of the whole disk DISK. */
static bool is_part_of(const struct view_node *node, const struct view_node *disk)
{
    size_t length = stem(disk->name, suffix);
    const char *rest = node->name + length + strlen(".p");
    return strlen(node->name) > length + strlen(".p") &&
           strncmp(node->name, disk->name, length) == 0 &&
           strncmp(node->name + length, ".p", strlen(".p")) == 0 &&
           rest[strspn(rest, "0123456789")] == '\0';
}

const struct view_node *exports_named(const struct exports *e, const char *name,
                                      struct error *error)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->nodes[i]->name, name) == 0)
            return e->nodes[i];
    for (size_t i = 0; i < e->count; i++)
        if (means(e->nodes[i], name))
            return e->nodes[i];
    if (name[0] == '\0' && e->standard != NULL)
        return e->standard;
    char names[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < e->count && used < sizeof names; i++)
        if (exports_is_whole(e->nodes[i]))
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used == 0 ? "" : ", ", e->nodes[i]->name);
    error_set(error, ERROR_USAGE, "there is no disk '%.200s', only: %s", name, names);
    return NULL;
}

static bool add(struct exports *e, const struct view_node *node, struct error *error)
{
    if ((e->count & (e->count - 1)) == 0) {
        size_t wanted = e->count == 0 ? 1 : 2 * e->count;
        const struct view_node **nodes = reallocarray(e->nodes, wanted, sizeof *nodes);
        if (nodes == NULL)
            return error_memory(error);
        e->nodes = nodes;
    }
    e->nodes[e->count++] = node;
    return true;
}

static bool add_all(struct exports *e, struct view *view, struct error *error)
{
    uint64_t directory = VIEW_ROOT;
    if (!view_is_disk(view)) {
        const struct view_node *disks = view_lookup(view, VIEW_ROOT, "disks", error);
        if (disks == NULL && error->code == ERROR_NONE)
            error_set(error, ERROR_FAILED, "there are no disks in it");
        if (disks == NULL)
            return false;
        directory = disks->inode;
    }
    const struct view_node *node;
    bool ok = true;
    for (size_t i = 0; ok && (node = view_entry(view, directory, i, error)) != NULL; i++)
        if (node->kind == VIEW_DISK)
            ok = add(e, node, error);
    return ok && error->code == ERROR_NONE;
}

/* Leave but DISK and its partitions. */
static void keep_only(struct exports *e, const struct view_node *disk)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->count; i++)
        if (e->nodes[i] == disk || is_part_of(e->nodes[i], disk))
            e->nodes[kept++] = e->nodes[i];
    e->count = kept;
}

bool exports_find(struct exports *e, struct view *view, const char *disk, struct error *error)
{
    *e = (struct exports){0};
    error_clear(error);
    if (!add_all(e, view, error))
        return false;
    if (disk != NULL) {
        const struct view_node *only = exports_named(e, disk, error);
        if (only == NULL)
            return false;
        /* Of a single disk, all partitions are its own. */
        if (!view_is_disk(view) || !exports_is_whole(only))
            keep_only(e, only);
        e->standard = only;
        return true;
    }
    size_t whole = 0;
    for (size_t i = 0; i < e->count; i++)
        if (exports_is_whole(e->nodes[i]) && whole++ == 0)
            e->standard = e->nodes[i];
    if (whole == 0)
        return error_set(error, ERROR_FAILED, "there are no disks in it");
    if (whole > 1)
        e->standard = NULL;
    return true;
}

void exports_free(struct exports *e)
{
    free(e->nodes);
    *e = (struct exports){0};
}
