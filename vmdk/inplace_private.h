/* inplace_private - insides shared by inplace*.c and their tests only. */
#ifndef VMCRYPT_VMDK_INPLACE_PRIVATE_H
#define VMCRYPT_VMDK_INPLACE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "vmdk/inplace.h"
#include "vmdk/xts/xts.h"

/*
 * inplace_journal.c, inplace_slot.c: the journal. All numbers little endian.
 *
 *   header   magic[8] "vmcrinpl", u32 version 1, u32 operation, u32 unit, u32 segment, u64 disk,
 *            u64 length of the header with its digest, u64 × 3 lengths of the texts, u32 files,
 *            per file: u64 size, u32 length of the name, name; the texts; SHA-256 of all that
 *   slots    two, at the next multiple of 4096, each a multiple of 4096 long:
 *            u64 sequence (from 1), position, length, anchor (-1: none), anchor's checksum,
 *            a checksum for each sector of the segment; SHA-256 of the header's digest and all that
 */

enum { JOURNAL_CHECKSUM = 16, JOURNAL_DIGEST = 32, JOURNAL_HEADER_MAX = 128 << 20 };

enum journal_text { TEXT_OLD, TEXT_MARKED, TEXT_NEW, TEXT_COUNT };

struct journal_file {
    char *name; /* as the descriptor spells it */
    uint64_t size;
};

struct journal_slot {
    uint64_t sequence; /* 0: there is none */
    uint64_t position; /* of the segment on the disk */
    uint64_t length;
    uint64_t anchor; /* a sector that was converted before; UINT64_MAX: none */
    uint8_t anchor_checksum[JOURNAL_CHECKSUM];
    uint8_t *checksums; /* of the old sectors */
};

struct journal {
    char *path;
    int fd; /* locked; -1 while there is no file */
    enum inplace_operation operation;
    size_t unit_bytes, segment_bytes;
    uint64_t disk_bytes;
    struct buffer texts[TEXT_COUNT];
    size_t file_count;
    struct journal_file *files;
    size_t header_bytes;
    uint8_t digest[JOURNAL_DIGEST]; /* of the header */
    struct journal_slot slot;       /* the newest that verifies */
};

/* Malloc'd name of the journal of the descriptor at PATH, links resolved. */
char *journal_path(const char *path, struct error *error);

/* The header as it is to be written; also sets header_bytes and digest. */
bool journal_format(struct journal *j, struct buffer *out, struct error *error);
/* Parse a header: the first LENGTH bytes of a file. */
bool journal_parse(struct journal *j, const uint8_t *data, size_t length, struct error *error);

/* Create the file, lock it, and give it its name when it is safe on disk. */
bool journal_create(struct journal *j, struct error *error);
/* Open j->path, lock it with LOCK (for writing), read header and newest slot. */
bool journal_open(struct journal *j, bool lock, struct error *error);
/* Remove the file, for good. */
bool journal_remove(struct journal *j, struct error *error);
void journal_free(struct journal *j);

/* Which text LENGTH bytes are; TEXT_COUNT for none. */
enum journal_text journal_recognize(const struct journal *j, const char *text, size_t length);

/* Write SLOT to its place, and see it safe. */
bool journal_put(struct journal *j, const struct journal_slot *slot, struct error *error);
/* Read the newest slot that verifies into j->slot. */
bool journal_get(struct journal *j, struct error *error);

/* Where the slots begin, and bytes of one. */
uint64_t journal_slots_at(const struct journal *j);
size_t journal_slot_bytes(const struct journal *j);
/* A slot as it is to be written, in journal_slot_bytes at OUT. */
bool journal_slot_format(const struct journal *j, const struct journal_slot *slot, uint8_t *out,
                         struct error *error);
/* True when the bytes at DATA are a slot of J; fills SLOT, whose checksums have room for a whole
 * segment. */
bool journal_slot_parse(const struct journal *j, const uint8_t *data, struct journal_slot *slot);

/* Checksum of a sector; a sector of zeros has a checksum of zeros, and costs nothing. */
struct journal_hash;
struct journal_hash *journal_hash_new(struct error *error);
void journal_hash_free(struct journal_hash *hash);
bool journal_hash_sector(struct journal_hash *hash, const uint8_t *sector,
                         uint8_t checksum[JOURNAL_CHECKSUM]);

/* fsync the directory that PATH is in. Unlike file_publish it does not take a failure lightly; a
 * file system that has no such thing (EINVAL) is trusted to need none. */
bool journal_sync_directory(const char *path, struct error *error);
/* fdatasync. */
bool journal_sync_file(int fd, const char *path, struct error *error);
/* Lock FD against all others who ask; at once or not at all. */
bool journal_lock_file(int fd, const char *path, struct error *error);

/*
 * inplace_target.c: the extents, open for writing.
 */
struct target_file {
    char *name, *path;
    int fd;
    uint64_t size;
    dev_t device;
    ino_t inode;
    bool dirty;
};

struct target_extent {
    uint64_t start, length; /* on the disk */
    size_t file;            /* TARGET_ZERO: none */
    uint64_t offset;        /* in the file */
};

#define TARGET_ZERO SIZE_MAX
enum { TARGET_MAX_FILES = 4096 };

struct target {
    uint64_t size;
    size_t extent_count, file_count;
    struct target_extent *extents; /* in order, none of them empty */
    struct target_file *files;
};

bool target_open(struct target *t, const char *path, const struct descriptor *d,
                 const struct inplace_options *options, struct error *error);
void target_close(struct target *t);
bool target_read(const struct target *t, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error);
/* Not into ZERO extents. */
bool target_write(struct target *t, uint64_t offset, const uint8_t *data, size_t length,
                  struct error *error);
/* See what was written safe. */
bool target_sync(struct target *t, struct error *error);
/* The first byte from OFFSET on that is in no hole; the size of the disk when there is none. */
uint64_t target_next_data(const struct target *t, uint64_t offset);
/* Have the kernel read ahead. */
void target_will_read(const struct target *t, uint64_t offset, uint64_t length);

/*
 * inplace_segment.c: a segment in memory.
 */
struct segment {
    const struct xts *from, *to; /* either may be NULL */
    struct journal_hash *hash;
    size_t unit_bytes, capacity;
    uint64_t position; /* of the segment on the disk */
    size_t length;
    uint8_t *data;
    bool *changed;   /* by unit: to be written */
    uint8_t *unit;   /* scratch */
    uint64_t anchor; /* last sector converted so far, new; UINT64_MAX: none */
    uint8_t anchor_checksum[JOURNAL_CHECKSUM];
};

bool segment_init(struct segment *s, size_t unit_bytes, size_t capacity, struct error *error);
void segment_free(struct segment *s);
/* Find the units that are not zeros; false when there are none. */
bool segment_has_data(struct segment *s);
/* Checksums of all sectors, as they are. */
bool segment_checksums(struct segment *s, uint8_t *checksums, struct error *error);
/* Convert: all units that are not zeros … */
bool segment_convert(struct segment *s, struct error *error);
/* … or all sectors that have the checksums of the old ones. */
bool segment_convert_mixed(struct segment *s, const uint8_t *checksums, struct error *error);
/* Write what is changed, and keep the last sector of it as the anchor. */
bool segment_write(struct segment *s, struct target *t, struct error *error);
/* Bytes of it that are changed. */
uint64_t segment_changed(const struct segment *s);

#endif
