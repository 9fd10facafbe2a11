/* view - see view.h: opening, and the questions that may be asked. */
#include "vm/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "vm/report.h"
#include "vm/view_private.h"

enum { EVIDENCE_MAX = 1024 };

/* No keys, which is not the same as not asking for any. */
static const struct keyring NO_KEYS = KEYRING_INIT;

static bool add_directory(struct view *view, char *path, struct error *error)
{
    char *real = path == NULL ? NULL : realpath(path, NULL);
    bool known = real == NULL || view->evidence.count == EVIDENCE_MAX;
    for (size_t i = 0; !known && i < view->evidence.count; i++)
        known = strcmp(view->evidence.names[i], real) == 0;
    bool ok = known || vm_names_add(&view->evidence, real, error);
    free(real);
    free(path);
    return ok;
}

bool view_evidence_add(struct view *view, const char *path, struct error *error)
{
    /* What is not there needs no access. */
    char *real = realpath(path, NULL);
    bool ok = add_directory(view, file_beside(path, "."), error) &&
              (real == NULL || add_directory(view, file_beside(real, "."), error));
    free(real);
    return ok;
}

/* Chains and their extents are many files. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The view outlives the options. */
static bool copy_options(struct view *view, const struct view_options *options, struct error *error)
{
    view->options = options->disk;
    view->options.search_count = 0;
    if (view->options.keyring == NULL)
        view->options.keyring = &NO_KEYS;
    for (size_t i = 0; i < options->disk.search_count; i++) {
        char *copy = strdup(options->disk.search[i]);
        if (copy == NULL)
            return error_memory(error);
        view->options.search[view->options.search_count++] = copy;
        if (!add_directory(view, strdup(copy), error))
            return false;
    }
    return true;
}

static bool load_vm(struct view *view, struct error *error)
{
    struct stat st;
    if (stat(view->path, &st) == 0)
        view->changed = st.st_mtim;
    if (!vmx_config_load(&view->config, view->path, error))
        return false;
    if (view->config.encrypted && !vmx_config_unlock(&view->config, view->options.keyring, error))
        return error_in_file(error, view->path);
    return vmx_info_fill(&view->info, &view->config, error);
}

/* A database that is damaged or locked must not hide the VM's present state, unless a snapshot is
 * what was asked for. */
static bool load_snapshots(struct view *view, bool needed, struct error *error)
{
    struct error reason = ERROR_INIT;
    if (snapshots_load(&view->snapshots, view->path, view->options.keyring, &reason))
        return true;
    view->no_snapshots = reason;
    if (needed)
        *error = reason;
    return !needed;
}

/* Room for the states; the first has its root. */
static bool make_states(struct view *view, const struct snapshot *only, struct error *error)
{
    bool all = view->kind == VIEW_SOURCE_VM && only == NULL;
    size_t count = 1 + (all ? view->snapshots.count : 0);
    view->states = calloc(count, sizeof *view->states);
    if (view->states == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct view_state *state = &view->states[i];
        state->view = view;
        state->first = (i << VIEW_STATE_SHIFT) + VIEW_ROOT;
        state->snapshot = i == 0 ? only : &view->snapshots.list[i - 1];
        atomic_init(&state->ready, false);
        view->state_count++;
    }
    struct view_entry *root = view_entry_add(&view->states[0], NULL, "", VIEW_DIRECTORY, error);
    if (root != NULL)
        root->node.mtime = view->changed;
    return root != NULL;
}

/* Where the disks of S may be, which are opened only later. Unless files may lie outside, they are
 * below the directories that are known already. */
static bool add_snapshot_places(struct view *view, const struct snapshot *s, struct error *error)
{
    bool ok = true;
    for (size_t i = 0; ok && view->options.allow_outside && i < s->disk_count; i++) {
        char *path = file_beside(view->path, s->disks[i].file);
        ok = path != NULL ? view_evidence_add(view, path, error) : error_memory(error);
        free(path);
    }
    return ok;
}

/* snapshots/NAME, of which each is the root of its state. */
static bool add_snapshots(struct view *view, struct error *error)
{
    if (view->state_count == 1)
        return true;
    struct view_names names = {0};
    struct view_entry *root = view->states[0].root;
    struct view_entry *directory =
        view_entry_add(&view->states[0], root, "snapshots", VIEW_DIRECTORY, error);
    struct stat st;
    bool ok = directory != NULL;
    if (ok && stat(view->snapshots.path, &st) == 0)
        directory->node.mtime = st.st_mtim;
    for (size_t i = 1; ok && i < view->state_count; i++) {
        struct view_state *state = &view->states[i];
        char *name =
            view_names_take_uid(&names, state->snapshot->name, state->snapshot->uid, error);
        struct view_entry *entry =
            name == NULL ? NULL : view_entry_add(state, NULL, name, VIEW_DIRECTORY, error);
        free(name);
        ok = entry != NULL && view_entry_adopt(directory, entry, error) &&
             add_snapshot_places(view, state->snapshot, error);
        if (ok)
            entry->node.mtime = directory->node.mtime;
    }
    view_names_free(&names);
    return ok && view_entry_finish(directory, error);
}

static bool open_all(struct view *view, const struct view_options *options, struct error *error)
{
    const struct snapshot *only = NULL;
    if (view->kind == VIEW_SOURCE_VM &&
        (!load_vm(view, error) || !load_snapshots(view, options->snapshot != NULL, error)))
        return false;
    if (options->snapshot != NULL) {
        if (view->kind != VIEW_SOURCE_VM)
            return error_set(error, ERROR_USAGE,
                             "a single disk has no snapshots by name; name the VM, or the "
                             "descriptor of the snapshot's disk");
        only = snapshots_find(&view->snapshots, options->snapshot, error);
        if (only == NULL)
            return error_in_file(error, view->path);
    }
    if (!view_evidence_add(view, view->path, error) || !make_states(view, only, error) ||
        !add_snapshots(view, error) || !view_state_make(&view->states[0], error))
        return false;
    atomic_store(&view->states[0].ready, true);
    if (view->kind != VIEW_SOURCE_VM)
        view->whole = view_entry_find(view->states[0].root, "disk.raw");
    return true;
}

struct view *view_open(const char *source, const struct view_options *options, struct error *error)
{
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_memory(error);
        return NULL;
    }
    error_clear(error);
    raise_limit();
    pthread_mutex_init(&view->lock, NULL);
    if (!copy_options(view, options, error) ||
        !view_source_find(view, source, options->raw, error) || !open_all(view, options, error)) {
        view_close(view);
        return NULL;
    }
    return view;
}

void view_close(struct view *view)
{
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->state_count; i++)
        view_state_free(&view->states[i]);
    free(view->states);
    for (size_t i = 0; i < view->options.search_count; i++)
        free((char *)view->options.search[i]);
    snapshots_free(&view->snapshots);
    vmx_info_free(&view->info);
    vmx_config_free(&view->config);
    vm_names_free(&view->evidence);
    pthread_mutex_destroy(&view->lock);
    free(view->note);
    free(view->path);
    free(view->source);
    free(view);
}

bool view_is_disk(const struct view *view)
{
    return view->whole != NULL;
}

uint64_t view_disk_inode(const struct view *view)
{
    return view->whole == NULL ? 0 : view->whole->node.inode;
}

/* See that STATE has its entries. */
static bool make_ready(struct view_state *state, struct error *error)
{
    if (atomic_load_explicit(&state->ready, memory_order_acquire))
        return true;
    pthread_mutex_lock(&state->view->lock);
    bool ok = atomic_load(&state->ready);
    if (!ok) {
        ok = view_state_make(state, error);
        atomic_store_explicit(&state->ready, ok, memory_order_release);
    }
    pthread_mutex_unlock(&state->view->lock);
    return ok;
}

static struct view_entry *entry_at(const struct view *view, uint64_t inode)
{
    uint64_t number = inode - VIEW_ROOT, state_number = number >> VIEW_STATE_SHIFT;
    uint64_t local = number - (state_number << VIEW_STATE_SHIFT);
    struct error ignored = ERROR_INIT;
    if (inode < VIEW_ROOT || state_number >= view->state_count)
        return NULL;
    struct view_state *state = &view->states[state_number];
    /* Its root is there from the beginning. The kernel may know others of an earlier mount. */
    if (local == 0)
        return state->root;
    if (!make_ready(state, &ignored) || local >= state->entry_count)
        return NULL;
    return state->entries[local];
}

const struct view_node *view_node(struct view *view, uint64_t inode)
{
    const struct view_entry *entry = entry_at(view, inode);
    return entry == NULL ? NULL : &entry->node;
}

/* Directory INODE with all its entries there. */
static struct view_entry *directory_at(struct view *view, uint64_t inode, struct error *error)
{
    struct view_entry *directory = entry_at(view, inode);
    error_clear(error);
    if (directory == NULL || directory->node.kind != VIEW_DIRECTORY ||
        !make_ready(directory->state, error))
        return NULL;
    return directory;
}

const struct view_node *view_lookup(struct view *view, uint64_t parent, const char *name,
                                    struct error *error)
{
    const struct view_entry *directory = directory_at(view, parent, error);
    const struct view_entry *entry = directory == NULL ? NULL : view_entry_find(directory, name);
    return entry == NULL ? NULL : &entry->node;
}

const struct view_node *view_entry(struct view *view, uint64_t parent, size_t i,
                                   struct error *error)
{
    const struct view_entry *directory = directory_at(view, parent, error);
    return directory == NULL || i >= directory->child_count ? NULL : &directory->children[i]->node;
}

bool view_hold(struct view *view, const struct view_node *node, struct error *error)
{
    struct view_disk *d = ((const struct view_entry *)node)->disk;
    if (d == NULL)
        return true;
    pthread_mutex_lock(&view->lock);
    bool ok = view_disk_open(view, d, error);
    if (ok)
        d->holds++;
    pthread_mutex_unlock(&view->lock);
    return ok;
}

void view_release(struct view *view, const struct view_node *node)
{
    struct view_disk *d = ((const struct view_entry *)node)->disk;
    if (d == NULL)
        return;
    pthread_mutex_lock(&view->lock);
    d->holds--;
    view_disk_rest(view, d);
    pthread_mutex_unlock(&view->lock);
}

struct view_bytes view_bytes(struct view *view, const struct view_node *node)
{
    const struct view_entry *entry = (const struct view_entry *)node;
    (void)view;
    if (node->kind == VIEW_TEXT)
        return (struct view_bytes){.text = buffer_text(&entry->text)};
    return (struct view_bytes){.disk = entry->disk == NULL ? NULL : entry->disk->disk,
                               .start = entry->start};
}

char *view_report(struct view *view, struct error *error)
{
    pthread_mutex_lock(&view->lock);
    json_t *report = json_copy(view->states[0].report);
    json_t *opened = json_array();
    view_state_refresh(&view->states[0]);
    for (size_t i = 1; i < view->state_count; i++) {
        if (!atomic_load(&view->states[i].ready))
            continue;
        view_state_refresh(&view->states[i]);
        json_array_append(opened, view->states[i].report);
    }
    json_object_set_new(report, "opened_snapshots", opened);
    char *text = json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(report);
    pthread_mutex_unlock(&view->lock);
    if (text == NULL)
        error_memory(error);
    return text;
}

const char *view_evidence(const struct view *view, size_t i)
{
    return i < view->evidence.count ? view->evidence.names[i] : NULL;
}
