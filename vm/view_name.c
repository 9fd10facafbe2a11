/* view_name - names of untrusted origin made those of files. */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "vm/view_private.h"

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* No slash, control or line-breaking character, nothing that is no UTF-8; not too long. A quote
 * has no form in a descriptor. */
static void clean(const char *wish, const char *fallback, char *out)
{
    printable_copy(wish, out, VIEW_NAME_BYTES);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '/' || *at == '"')
            *at = '_';
    if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        out[0] = '_';
    if (out[0] == '\0')
        snprintf(out, VIEW_NAME_BYTES, "%s", fallback);
}

/* *name becomes NULL when TEXT was taken before. */
static bool take(struct view_names *names, const char *text, char **name, struct error *error)
{
    char *copy = strdup(text);
    char **node = copy == NULL ? NULL : tsearch(copy, &names->tree, compare);
    *name = node != NULL && *node == copy ? strdup(copy) : NULL;
    if (node == NULL || *node != copy)
        free(copy);
    if (node == NULL || (*node == copy && *name == NULL))
        return error_memory(error);
    return true;
}

/* TEXT, or else TEXT-2, TEXT-3 … */
static char *take_numbered(struct view_names *names, const char *text, struct error *error)
{
    char numbered[VIEW_NAME_BYTES + 64];
    char *name = NULL;
    bool ok = take(names, text, &name, error);
    for (unsigned i = 2; ok && name == NULL; i++) {
        snprintf(numbered, sizeof numbered, "%s-%u", text, i);
        ok = take(names, numbered, &name, error);
    }
    return name;
}

char *view_names_take(struct view_names *names, const char *wish, const char *fallback,
                      struct error *error)
{
    char text[VIEW_NAME_BYTES];
    clean(wish, fallback, text);
    return take_numbered(names, text, error);
}

char *view_names_take_uid(struct view_names *names, const char *wish, uint64_t uid,
                          struct error *error)
{
    char text[VIEW_NAME_BYTES], with_uid[VIEW_NAME_BYTES + 32], fallback[40];
    char *name = NULL;
    snprintf(fallback, sizeof fallback, "snapshot-%" PRIu64, uid);
    clean(wish, fallback, text);
    if (!take(names, text, &name, error) || name != NULL)
        return name;
    snprintf(with_uid, sizeof with_uid, "%s (%" PRIu64 ")", text, uid);
    return take_numbered(names, with_uid, error);
}

void view_names_free(struct view_names *names)
{
    tdestroy(names->tree, free);
    names->tree = NULL;
}
