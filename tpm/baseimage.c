/* baseimage - see baseimage.h: reading a list of modules. */
#include "tpm/baseimage.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/yaml_tree.h"

static bool wrong(const char *path, struct error *error, const char *what, size_t i)
{
    error_set(error, ERROR_DAMAGED, "%s (module %zu)", what, i + 1);
    return error_in_file(error, path);
}

/* Add module I under its digest. The same bytes may be there under two names. */
static bool add_module(const char *path, const json_t *entry, size_t i, json_t *modules,
                       struct error *error)
{
    const char *given = json_string_value(json_object_get(entry, "sha256"));
    char digest[65];
    if (given == NULL || strlen(given) != 64)
        return wrong(path, error, "a module without the 64 digits of its sha256", i);
    for (size_t k = 0; k < sizeof digest; k++)
        digest[k] = (char)tolower((unsigned char)given[k]);
    if (strspn(digest, "0123456789abcdef") != 64)
        return wrong(path, error, "a sha256 that is no hex", i);
    return json_object_set(modules, digest, (json_t *)entry) == 0 || error_memory(error);
}

static json_t *take(const char *path, const json_t *tree, struct error *error)
{
    const char *version = json_string_value(json_object_get(tree, "version"));
    const json_t *name = json_object_get(tree, "name"), *list = json_object_get(tree, "modules");
    if (version == NULL || strcmp(version, "1") != 0 || !json_is_string(name) ||
        !json_is_array(list)) {
        error_set(error, ERROR_DAMAGED,
                  "is no list of a base image's modules, version 1, as `vmcrypt tpm baseimage` "
                  "writes it");
        error_in_file(error, path);
        return NULL;
    }
    json_t *modules = json_object();
    bool ok = modules != NULL && json_array_size(list) <= BASEIMAGE_MODULES_MAX;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = add_module(path, json_array_get(list, i), i, modules, error);
    if (ok)
        return json_pack("{s:O, s:o}", "name", name, "modules", modules);
    if (error->code == ERROR_NONE)
        wrong(path, error, "too many modules", BASEIMAGE_MODULES_MAX);
    json_decref(modules);
    return NULL;
}

json_t *baseimage_read(const char *path, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    json_t *tree = NULL, *image = NULL;
    if (file_read_all(path, YAML_TREE_BYTES_MAX, &text, error))
        tree = yaml_tree_read(path, buffer_text(&text), text.length, error);
    if (tree != NULL)
        image = take(path, tree, error);
    json_decref(tree);
    buffer_free(&text);
    return image;
}
