/* view_fixture - looking at a view as its user would, and small VMs made by hand. */
#ifndef VMCRYPT_TESTS_VM_VIEW_FIXTURE_H
#define VMCRYPT_TESTS_VM_VIEW_FIXTURE_H

#include "tests/vmdk/fixture.h"

#include <dirent.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/file.h"
#include "vm/view.h"

static inline struct view *must_open(const char *source, const struct view_options *options)
{
    struct error error = ERROR_INIT;
    struct view *view = view_open(source, options, &error);
    if (view == NULL)
        fail_msg("%s: %s: %s", source, error.file, error.message);
    return view;
}

/* The node at PATH below the root; NULL when it is not there. */
static inline const struct view_node *find(struct view *view, const char *path)
{
    char copy[512], *rest = copy;
    const struct view_node *node = view_node(view, VIEW_ROOT);
    snprintf(copy, sizeof copy, "%s", path);
    for (char *name; node != NULL && (name = strsep(&rest, "/")) != NULL;) {
        struct error error = ERROR_INIT;
        uint64_t parent = node->inode;
        node = view_lookup(view, parent, name, &error);
        assert_int_equal(error.code, ERROR_NONE);
        assert_true(node == NULL || node->parent == parent);
        assert_true(node == NULL || view_node(view, node->inode) == node);
    }
    return node;
}

static inline const struct view_node *must_find(struct view *view, const char *path)
{
    const struct view_node *node = find(view, path);
    if (node == NULL)
        fail_msg("no %s", path);
    return node;
}

/* All bytes of the file at PATH, to be freed. */
static inline uint8_t *content(struct view *view, const char *path, uint64_t *size)
{
    struct error error = ERROR_INIT;
    const struct view_node *node = must_find(view, path);
    assert_int_not_equal(node->kind, VIEW_DIRECTORY);
    uint8_t *data = calloc(1, node->size + 1);
    assert_non_null(data);
    if (!view_hold(view, node, &error))
        fail_msg("%s: %s: %s", path, error.file, error.message);
    struct view_bytes bytes = view_bytes(view, node);
    assert_int_equal(bytes.text != NULL, node->kind == VIEW_TEXT);
    if (bytes.text != NULL)
        memcpy(data, bytes.text, node->size);
    else if (!disk_read(bytes.disk, bytes.start, data, node->size, &error))
        fail_msg("%s: %s: %s", path, error.file, error.message);
    view_release(view, node);
    *size = node->size;
    return data;
}

static inline char *text_of(struct view *view, const char *path)
{
    uint64_t size;
    return (char *)content(view, path, &size);
}

static inline json_t *json_of(struct view *view, const char *path)
{
    char *text = text_of(view, path);
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    free(text);
    return value;
}

/* A string inside of JSON: names and numbers of elements, "disks/0/state". NULL when not there. */
static inline const char *at(const json_t *value, const char *path)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *name; (name = strsep(&rest, "/")) != NULL;)
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
    return json_string_value(value);
}

/* Every entry below directory INODE as lines "PATH INODE KIND SIZE MTIME" in OUT, in the order of
 * the view. Sets what is below snapshots aside when SNAPSHOTS is false. */
static inline void list(struct view *view, uint64_t inode, const char *prefix, struct buffer *out)
{
    struct error error = ERROR_INIT;
    const struct view_node *node;
    for (size_t i = 0; (node = view_entry(view, inode, i, &error)) != NULL; i++) {
        char path[512];
        assert_int_equal(node->parent, inode);
        assert_ptr_equal(view_lookup(view, inode, node->name, &error), node);
        snprintf(path, sizeof path, "%.250s/%.250s", prefix, node->name);
        buffer_printf(out, "%s %llu %d %llu %lld.%09ld\n", path, (unsigned long long)node->inode,
                      node->kind, (unsigned long long)node->size, (long long)node->mtime.tv_sec,
                      node->mtime.tv_nsec);
        if (node->kind == VIEW_DIRECTORY)
            list(view, node->inode, path, out);
    }
    assert_int_equal(error.code, ERROR_NONE);
}

static inline size_t open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* A flat disk NAME.vmdk of SECTORS, every sector of which begins with TAG. */
static inline void make_disk(struct fixture *f, const char *name, size_t sectors, const char *tag)
{
    char file[300], text[700];
    const char *dot = file_name(name);
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
             "createType=\"monolithicFlat\"\nRW %zu FLAT \"%s-flat.vmdk\" 0\n"
             "ddb.adapterType = \"ide\"\nddb.geometry.cylinders = \"77\"\n"
             "ddb.uuid = \"60 00 C2 9a 01 02 03 04-05 06 07 08 09 0a 0b 0c\"\n",
             sectors, dot);
    snprintf(file, sizeof file, "%s.vmdk", name);
    fixture_text(f, file, text);
    snprintf(file, sizeof file, "%s-flat.vmdk", name);
    uint8_t *data = calloc(sectors, 512);
    assert_non_null(data);
    for (size_t i = 0; i < sectors; i++)
        memcpy(data + i * 512, tag, strlen(tag));
    unlink(fixture_path(f, file));
    fixture_write_at(f, file, data, sectors * 512, 0);
    free(data);
}

#endif
