/*
 * view_private - insides shared by view*.c only.
 *
 * A view is a row of states: the VM's own (or the single disk), then its snapshots. A state makes
 * its entries when it is first looked at, always in the same order, and numbers them in it: inode
 * numbers are the state's first one and those behind it, whatever else was looked at before.
 */
#ifndef VMCRYPT_VM_VIEW_PRIVATE_H
#define VMCRYPT_VM_VIEW_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "base/buffer.h"
#include "vm/files.h"
#include "vm/snapshots.h"
#include "vm/view.h"
#include "vmx/config.h"
#include "vmx/info.h"

enum {
    VIEW_STATE_SHIFT = 24, /* inode numbers of one state */
    VIEW_NAME_BYTES = 200, /* leaves room for what is put behind it, below NAME_MAX */
};

/* A disk that is shown. */
struct view_disk {
    char *path;
    char *file;        /* as the settings or the database name it */
    bool raw;          /* of disk_open_raw */
    bool own;          /* of the state that is always open */
    uint64_t size;     /* when it was first opened */
    struct disk *disk; /* NULL while closed */
    json_t *report;    /* its part of the state's */
    size_t holds;
    struct view_disk *newer, *older; /* among the idle ones */
};

struct view_entry {
    struct view_node node; /* first: a node is its entry */
    char *name;
    struct view_state *state;
    struct buffer text;     /* VIEW_TEXT */
    struct view_disk *disk; /* VIEW_DISK */
    uint64_t start;         /* VIEW_DISK */
    size_t child_count;     /* VIEW_DIRECTORY */
    struct view_entry **children;
    struct view_entry **by_name; /* the same, sorted; NULL until all are there */
};

struct view_state {
    struct view *view;
    const struct snapshot *snapshot; /* NULL: the VM's present state, or a disk */
    uint64_t first;                  /* inode number of its root */
    struct view_entry *root;         /* there from the beginning */
    atomic_bool ready;               /* all entries are there, and change no more */
    size_t entry_count;
    struct view_entry **entries; /* the first is the root; may move until READY */
    size_t disk_count;
    struct view_disk **disks;
    json_t *report;
};

/* What SOURCE turned out to be. */
enum view_source { VIEW_SOURCE_VM, VIEW_SOURCE_DISK, VIEW_SOURCE_RAW };

struct view {
    char *source; /* as given */
    char *path;   /* the .vmx, the descriptor, the image */
    char *note;   /* how PATH was found, when SOURCE did not tell; NULL */
    enum view_source kind;
    struct disk_options options;
    struct vmx_config config; /* of a VM */
    struct vmx_info info;
    struct snapshots snapshots;
    struct error no_snapshots;      /* why their database could not be read; ERROR_NONE */
    struct timespec changed;        /* the .vmx */
    const struct view_entry *whole; /* disk.raw of a single disk */
    struct vm_names evidence;
    size_t state_count;
    struct view_state *states;
    pthread_mutex_t lock; /* of the making of states, of holds, and of idle disks */
    size_t idle_count;
    struct view_disk *newest, *oldest; /* idle disks, open */
};

/* view_source.c: what SOURCE is: kind, path, note. */
bool view_source_find(struct view *view, const char *source, bool raw, struct error *error);

/* view.c: note the directory that PATH really lies in. */
bool view_evidence_add(struct view *view, const char *path, struct error *error);

/* view_state.c: make the entries of STATE below its root, which is there. Only short memory is an
 * error for a snapshot; what else is wrong its report tells. Hold the lock. */
bool view_state_make(struct view_state *state, struct error *error);
/* Bring its report up to date, with what was noted since. Hold the lock. */
void view_state_refresh(struct view_state *state);
void view_state_free(struct view_state *state);

/* view_entry.c */
/* A new entry NAME (copied) of KIND at the end of PARENT, or the root of its state when that is
 * NULL. */
struct view_entry *view_entry_add(struct view_state *state, struct view_entry *parent,
                                  const char *name, enum view_kind kind, struct error *error);
/* Put the root of another state into DIRECTORY. */
bool view_entry_adopt(struct view_entry *directory, struct view_entry *entry, struct error *error);
/* No more children come. */
bool view_entry_finish(struct view_entry *directory, struct error *error);
struct view_entry *view_entry_find(const struct view_entry *directory, const char *name);
void view_entry_free(struct view_entry *entry);

/* view_disk.c */
/* Open it, and check that it is what it was. Hold the lock, but for a disk not shown yet. */
bool view_disk_open(struct view *view, struct view_disk *d, struct error *error);
void view_disk_free(struct view_disk *d);
/* Nobody uses it now: keep it open for a while. */
void view_disk_rest(struct view *view, struct view_disk *d);
/* It is to be used, or to go: it is not idle any more. */
void view_disk_leave(struct view *view, struct view_disk *d);
/* Entries of D in PARENT: the image, its descriptor, its partitions. Names begin with STEM, those
 * of partitions with PREFIX. REPORT gets what was found. */
bool view_disk_show(struct view_state *state, struct view_entry *parent, struct view_disk *d,
                    const char *stem, const char *prefix, json_t *report, struct error *error);
bool view_is_newer(struct timespec a, struct timespec b);
/* When the newest of the files that DISK is made of was changed. */
struct timespec view_disk_changed(const struct disk *disk);
/* Note the directories of the files that DISK is made of. */
bool view_disk_evidence(struct view *view, const struct disk *disk, struct error *error);

/* view_descriptor.c: the text of a plain descriptor for DISK in the file IMAGE, always the same. */
bool view_descriptor(const struct disk *disk, const char *image, struct buffer *text,
                     struct error *error);

/* view_name.c: names that were given already. */
struct view_names {
    void *tree;
};
/* A name like WISH that may be a file's, and that none before had: "web", "web-2". Malloc'd. */
char *view_names_take(struct view_names *names, const char *wish, const char *fallback,
                      struct error *error);
/* The same for a snapshot: "before", "before (7)". */
char *view_names_take_uid(struct view_names *names, const char *wish, uint64_t uid,
                          struct error *error);
void view_names_free(struct view_names *names);

#endif
