/* view_state - one state of a VM, or a single disk: its disks, its entries, its report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vm/report.h"
#include "vm/view_private.h"
#include "vmdk/disk_key.h"
#include "vmdk/evidence.h"

/* One disk while its state is made. */
struct candidate {
    const char *device; /* NULL: a single disk */
    const char *file;
};

/* What proves the disk, and what was noted of it. */
static void report_disk(const struct view *view, const struct disk *disk, json_t *report)
{
    struct error error = ERROR_INIT;
    json_t *proofs = json_array();
    bool proved = false, closed = disk_is_encrypted(disk) && view->options.raw_ciphertext;
    report_disk_keys(report, proofs, disk);
    if (!closed && !report_disk_signatures(proofs, disk, &proved, &error))
        report_error(report, &error);
    report_no_proof(proofs);
    const char *state = closed                     ? "ciphertext"
                        : !disk_is_encrypted(disk) ? "plain"
                        : proved                   ? "proved"
                                                   : "unproved";
    json_object_set_new(report, "state", json_string(state));
    json_object_set_new(report, "proofs", proofs);
    json_object_set_new(report, "layers", report_disk_layers(disk));
}

static json_t *report_notes(const struct view *view, const struct disk *disk)
{
    struct notes *notes = disk_notes(disk);
    json_t *list = json_array();
    if (view->note != NULL)
        json_array_append_new(list, report_text(view->note));
    for (size_t i = 0; i < notes_count(notes); i++)
        json_array_append_new(list, report_text(notes_at(notes, i)));
    if (disk_key_is_weak(disk))
        json_array_append_new(list,
                              json_string("the two halves of a disk key are equal, which is weak"));
    return list;
}

/* Where FILE is that the settings name; an absolute path of the host it comes from, or one of
 * another directory, counts by its last part too. */
static char *find_disk(const struct view *view, const char *file, struct error *error)
{
    const struct evidence evidence = {.allow_outside = view->options.allow_outside,
                                      .search_count = view->options.search_count,
                                      .search = view->options.search};
    struct evidence_file facts;
    struct error moved = ERROR_INIT;
    char *path = NULL;
    int fd = evidence_open(&evidence, view->path, file, &path, &facts, error);
    if (fd < 0 && strchr(file, '/') != NULL) {
        fd = evidence_open(&evidence, view->path, file_name(file), &path, &facts, &moved);
        if (fd >= 0)
            error_clear(error);
    }
    if (fd < 0)
        return NULL;
    close(fd);
    return path;
}

static struct view_disk *new_disk(struct view_state *state, const struct candidate *from,
                                  struct error *error)
{
    struct view *view = state->view;
    size_t count = state->disk_count;
    if ((count & (count - 1)) == 0) {
        struct view_disk **grown =
            realloc(state->disks, (count == 0 ? 1 : 2 * count) * sizeof(struct view_disk *));
        if (grown == NULL) {
            error_memory(error);
            return NULL;
        }
        state->disks = grown;
    }
    struct view_disk *d = calloc(1, sizeof *d);
    if (d == NULL) {
        error_memory(error);
        return NULL;
    }
    state->disks[state->disk_count++] = d;
    d->own = state == &view->states[0];
    d->raw = view->kind == VIEW_SOURCE_RAW;
    d->file = strdup(from->file);
    d->path = from->device == NULL ? strdup(view->path) : find_disk(view, from->file, error);
    if (d->file == NULL || (d->path == NULL && error->code == ERROR_NONE)) {
        error_memory(error);
        return NULL;
    }
    return d->path == NULL ? NULL : d;
}

/* NAME without its end; a disk's descriptor is known by that. */
static char *stem_of(const char *file)
{
    const char *name = file_name(file);
    size_t length = strlen(name) - (vm_has_suffix(name, ".vmdk") ? strlen(".vmdk") : 0);
    return strndup(name, length);
}

static bool show_disk(struct view_state *state, struct view_entry *parent,
                      const struct candidate *from, struct view_names *names, json_t *report,
                      struct error *error)
{
    struct view *view = state->view;
    struct view_disk *d = new_disk(state, from, error);
    char *stem = NULL, *prefix = NULL;
    bool ok = d != NULL && view_disk_open(view, d, error);
    if (ok && from->device != NULL) {
        char *wish = stem_of(from->file);
        stem = wish == NULL ? NULL : view_names_take(names, wish, "disk", error);
        if (stem == NULL || asprintf(&prefix, "%s.", stem) < 0)
            ok = error_memory(error);
        free(wish);
    }
    if (ok) {
        ok = view_disk_show(state, parent, d, stem == NULL ? "disk" : stem,
                            prefix == NULL ? "" : prefix, report, error);
        report_disk(view, d->disk, report);
        json_object_set_new(report, "notes", report_notes(view, d->disk));
        d->report = report;
        /* Otherwise all files are below directories that are known. */
        if (ok && d->own && view->options.allow_outside)
            ok = view_disk_evidence(view, d->disk, error);
        view_disk_rest(view, d);
    }
    free(prefix);
    free(stem);
    return ok;
}

/* A snapshot's disk that cannot be opened is told; the VM's own must. */
static bool add_disk(struct view_state *state, struct view_entry *parent,
                     const struct candidate *from, struct view_names *names, json_t *list,
                     struct error *error)
{
    struct error reason = ERROR_INIT;
    json_t *report = json_object();
    if (from->device != NULL)
        json_object_set_new(report, "device", report_text(from->device));
    json_object_set_new(report, "source", report_text(from->file));
    bool ok = show_disk(state, parent, from, names, report, &reason);
    if (!ok) {
        error_in_file(&reason, from->file);
        json_object_set_new(report, "state", json_string("failed"));
        report_error(report, &reason);
    }
    json_array_append_new(list, report);
    if (!ok && state == &state->view->states[0]) {
        *error = reason;
        return false;
    }
    return true;
}

static bool add_disks(struct view_state *state, struct view_entry *parent, json_t *list,
                      struct error *error)
{
    const struct view *view = state->view;
    const struct snapshot *snapshot = state->snapshot;
    struct view_names names = {0};
    bool ok = true;
    size_t count = snapshot != NULL ? snapshot->disk_count : view->info.disk_count;
    for (size_t i = 0; ok && i < count; i++) {
        struct candidate from;
        if (snapshot != NULL) {
            from = (struct candidate){snapshot->disks[i].node, snapshot->disks[i].file};
        } else {
            from = (struct candidate){view->info.disks[i].device, view->info.disks[i].file};
            if (!view->info.disks[i].present)
                continue;
        }
        if (vm_has_suffix(from.file, ".vmdk"))
            ok = add_disk(state, parent, &from, &names, list, error);
    }
    view_names_free(&names);
    return ok;
}

static json_t *report_snapshot(const struct snapshot *s)
{
    json_t *entry = json_pack("{s:I, s:o, s:o}", "uid", (json_int_t)s->uid, "name",
                              report_text(s->name), "description", report_text(s->description));
    if (s->parent != 0)
        json_object_set_new(entry, "parent", json_integer((json_int_t)s->parent));
    time_t seconds = (time_t)(s->created / 1000000);
    struct tm utc;
    char text[40];
    if (s->created != 0 && gmtime_r(&seconds, &utc) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        json_object_set_new(entry, "created", json_string(text));
    return entry;
}

static json_t *report_snapshots(const struct view *view)
{
    json_t *list = json_array();
    const struct view_entry *directory = NULL;
    for (size_t i = 1; i < view->state_count; i++) {
        const struct view_state *state = &view->states[i];
        json_t *entry = report_snapshot(state->snapshot);
        directory = state->root;
        json_object_set_new(entry, "directory", report_text(directory->name));
        json_array_append_new(list, entry);
    }
    return list;
}

static void report_vm(const struct view_state *state)
{
    const struct view *view = state->view;
    json_t *report = state->report;
    const struct vmx_value *name = &view->info.facts[VMX_FACT_DISPLAY_NAME];
    if (name->known == VMX_KNOWN)
        json_object_set_new(report, "display_name", report_text(name->text));
    json_object_set_new(report, "config",
                        json_pack("{s:o, s:b, s:o}", "source", report_text(view->path), "encrypted",
                                  (int)view->config.encrypted, "proofs",
                                  report_config_proofs(&view->config)));
    if (state->snapshot != NULL) {
        json_object_set_new(report, "snapshot", report_snapshot(state->snapshot));
        return;
    }
    json_object_set_new(report, "snapshots", report_snapshots(view));
    if (view->snapshots.odd > 0)
        json_object_set_new(report, "snapshots_left_out",
                            json_integer((json_int_t)view->snapshots.odd));
    if (view->no_snapshots.code != ERROR_NONE)
        json_object_set_new(report, "snapshots_error", report_text(view->no_snapshots.message));
}

static bool add_report(struct view_state *state, struct error *error)
{
    struct view_entry *root = state->root;
    struct timespec newest = root->node.mtime;
    for (size_t i = 1; i < state->entry_count; i++)
        if (view_is_newer(state->entries[i]->node.mtime, newest))
            newest = state->entries[i]->node.mtime;
    struct view_entry *entry = view_entry_add(state, root, "report.json", VIEW_TEXT, error);
    char *text = json_dumps(state->report, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    bool ok = entry != NULL && text != NULL && buffer_append_text(&entry->text, text) &&
              buffer_append_byte(&entry->text, '\n');
    free(text);
    if (!ok)
        return error_memory(error);
    entry->node.size = entry->text.length;
    entry->node.mtime = newest;
    /* Others know the root of a snapshot before its state is made. */
    if (state == &state->view->states[0])
        root->node.mtime = newest;
    return true;
}

static bool add_settings(struct view_state *state, struct error *error)
{
    struct view *view = state->view;
    struct view_entry *entry = view_entry_add(state, state->root, "vm.vmx", VIEW_TEXT, error);
    struct dict *plain = entry == NULL ? NULL : vmx_config_plain(&view->config, error);
    if (plain == NULL)
        return false;
    json_object_set_new(json_object_get(state->report, "config"), "settings_removed",
                        report_strip_settings(plain));
    bool ok = dict_write(plain, &entry->text) || error_memory(error);
    dict_free(plain);
    if (ok) {
        entry->node.size = entry->text.length;
        entry->node.mtime = view->changed;
    }
    return ok;
}

/* disks/ of a VM; the root itself for a single disk. */
static bool add_content(struct view_state *state, struct error *error)
{
    const struct view *view = state->view;
    struct view_entry *root = state->root;
    json_t *list = json_array();
    json_object_set_new(state->report, "disks", list);
    if (view->kind != VIEW_SOURCE_VM) {
        const struct candidate whole = {NULL, view->path};
        return add_disk(state, root, &whole, NULL, list, error);
    }
    struct view_entry *disks = view_entry_add(state, root, "disks", VIEW_DIRECTORY, error);
    return disks != NULL && add_disks(state, disks, list, error) && view_entry_finish(disks, error);
}

/* Undo a making that failed, all but the root. */
static void forget(struct view_state *state)
{
    for (size_t i = 0; i < state->disk_count; i++) {
        struct view_disk *d = state->disks[i];
        if (d->disk != NULL && !d->own)
            view_disk_leave(state->view, d);
        view_disk_free(d);
    }
    free(state->disks);
    state->disks = NULL;
    state->disk_count = 0;
    for (size_t i = 1; i < state->entry_count; i++)
        view_entry_free(state->entries[i]);
    if (state->entry_count > 1)
        state->entry_count = 1;
    if (state->root != NULL) {
        free(state->root->by_name);
        state->root->by_name = NULL;
        state->root->child_count = 0;
    }
    json_decref(state->report);
    state->report = NULL;
}

bool view_state_make(struct view_state *state, struct error *error)
{
    const struct view *view = state->view;
    const char *kind = view->kind == VIEW_SOURCE_VM ? "vm" : "disk";
    state->report =
        json_pack("{s:i, s:s, s:s, s:o}", "version", 1, "tool", "vmcrypt " VMCRYPT_VERSION, "kind",
                  kind, "source", report_text(view->source));
    if (view->kind == VIEW_SOURCE_VM)
        report_vm(state);
    bool own = state == &view->states[0];
    bool ok = add_content(state, error);
    ok = ok && (!own || view->kind != VIEW_SOURCE_VM || add_settings(state, error)) &&
         add_report(state, error) && view_entry_finish(state->root, error);
    if (!ok)
        forget(state);
    return ok;
}

void view_state_refresh(struct view_state *state)
{
    for (size_t i = 0; i < state->disk_count; i++) {
        const struct view_disk *d = state->disks[i];
        if (d->disk != NULL && d->report != NULL)
            json_object_set_new(d->report, "notes", report_notes(state->view, d->disk));
    }
}

void view_state_free(struct view_state *state)
{
    forget(state);
    view_entry_free(state->root);
    free(state->entries);
}
