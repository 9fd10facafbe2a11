/*
 * shim - a page cache and a disk that can be switched off, for LD_PRELOAD; see README.md.
 *
 * What a process writes to files below $CRASH_DIR counts as lost until it is synced: the content
 * that is on disk is kept beside, and put back by a power cut for whatever pages did not make it.
 */
#ifndef VMCRYPT_TESTS_CRASH_SHIM_H
#define VMCRYPT_TESTS_CRASH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A page of a file that differs on disk. */
struct page {
    uint64_t offset;
    uint32_t length; /* bytes of it that the file on disk has */
    bool forgotten;  /* a sync of it failed: the kernel will not write it before it is written to */
    bool punched;    /* made a hole: no page of the cache that a failed sync could forget */
    uint8_t bytes[4096];
};

struct file {
    dev_t device;
    ino_t inode;
    int fd;        /* ours; -1: not open */
    uint64_t size; /* on disk */
    size_t page_count, page_room;
    struct page *pages;
};

enum step_kind { STEP_CREATE, STEP_RENAME, STEP_UNLINK };

/* A change of the directory that is not on disk. */
struct step {
    enum step_kind kind;
    char from[512], to[512];
    char saved[512]; /* hard link to what was replaced or removed; "" for none */
};

enum { FILES_MAX = 32, STEPS_MAX = 256 };

struct shim {
    char directory[512], saves[512], state[512];
    unsigned long calls, at; /* counted so far; the one to crash at */
    unsigned long fail;      /* the call to fail with EIO */
    enum { BEFORE, HALF, AFTER } when;
    double loss; /* chance of each page to be lost; 0: the process dies, no more */
    size_t page_bytes;
    bool fast;       /* time flies, so that what is done every few seconds is done at once */
    const char *lie; /* whose syncs do nothing: "data", "journal", "directory" */
    uint64_t random;
    size_t file_count, step_count, saved_count;
    struct file files[FILES_MAX];
    struct step steps[STEPS_MAX];
};

/* model.c */
/* The file behind FD, when it is one below the directory; else NULL. */
struct file *model_file(struct shim *s, int fd);
/* Keep what is on disk of LENGTH bytes at OFFSET, which are about to be written. */
void model_dirty(struct shim *s, struct file *f, int fd, uint64_t offset, uint64_t length);
/* The same for bytes that are to become a hole. */
void model_punched(struct shim *s, struct file *f, int fd, uint64_t offset, uint64_t length);
void model_synced(struct shim *s, struct file *f);
void model_sync_failed(struct file *f);
void model_step(struct shim *s, enum step_kind kind, const char *from, const char *to);
void model_steps_synced(struct shim *s);
/* Everything that was not synced may be lost. */
void model_power_cut(struct shim *s);
/* The page cache outlives the process. */
void model_save(const struct shim *s);
void model_load(struct shim *s);

/* What is behind the names that the shim takes. */
int real_unlink(const char *path);
int real_rename(const char *from, const char *to);

#endif
