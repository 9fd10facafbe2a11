/* view_entry - the entries of a tree: made once, found by name or number. */
#include <stdlib.h>
#include <string.h>

#include "vm/view_private.h"

/* Room for one more pointer behind COUNT, in steps of powers of two. */
static bool grow(void *array, size_t count, struct error *error)
{
    void **at = array;
    if (count != 0 && (count & (count - 1)) != 0)
        return true;
    void *grown = realloc(*at, (count == 0 ? 1 : 2 * count) * sizeof(void *));
    if (grown == NULL)
        return error_memory(error);
    *at = grown;
    return true;
}

struct view_entry *view_entry_add(struct view_state *state, struct view_entry *parent,
                                  const char *name, enum view_kind kind, struct error *error)
{
    if (!grow(&state->entries, state->entry_count, error) ||
        (parent != NULL && !grow(&parent->children, parent->child_count, error)))
        return NULL;
    struct view_entry *entry = calloc(1, sizeof *entry);
    if (entry != NULL)
        entry->name = strdup(name);
    if (entry == NULL || entry->name == NULL) {
        free(entry);
        error_memory(error);
        return NULL;
    }
    entry->state = state;
    entry->node = (struct view_node){
        .inode = state->first + state->entry_count,
        .name = entry->name,
        .kind = kind,
    };
    entry->node.parent = parent == NULL ? entry->node.inode : parent->node.inode;
    state->entries[state->entry_count++] = entry;
    if (parent == NULL)
        state->root = entry;
    else
        parent->children[parent->child_count++] = entry;
    return entry;
}

bool view_entry_adopt(struct view_entry *directory, struct view_entry *entry, struct error *error)
{
    if (!grow(&directory->children, directory->child_count, error))
        return false;
    directory->children[directory->child_count++] = entry;
    entry->node.parent = directory->node.inode;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct view_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int name_is(const void *name, const void *entry)
{
    const struct view_entry *const *e = entry;
    return strcmp(name, (*e)->name);
}

bool view_entry_finish(struct view_entry *directory, struct error *error)
{
    size_t count = directory->child_count;
    struct view_entry **sorted = malloc((count + 1) * sizeof(struct view_entry *));
    if (sorted == NULL)
        return error_memory(error);
    if (count > 0) {
        memcpy(sorted, directory->children, count * sizeof(struct view_entry *));
        qsort(sorted, count, sizeof(struct view_entry *), by_name);
    }
    directory->by_name = sorted;
    return true;
}

struct view_entry *view_entry_find(const struct view_entry *directory, const char *name)
{
    struct view_entry **found = bsearch(name, directory->by_name, directory->child_count,
                                        sizeof(struct view_entry *), name_is);
    return found == NULL ? NULL : *found;
}

void view_entry_free(struct view_entry *entry)
{
    if (entry == NULL)
        return;
    buffer_free(&entry->text);
    free(entry->children);
    free(entry->by_name);
    free(entry->name);
    free(entry);
}
