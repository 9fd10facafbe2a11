/*
 * inplace - decrypt, encrypt or re-encrypt a flat disk on its own bytes, so that a crash at any
 * instant loses nothing and the same command goes on.
 *
 * A disk is converted in segments, in order of its bytes. Units of zeros were never written: they
 * stay zeros, nothing is written there, holes stay holes. What is where is told by a journal
 * beside the descriptor, NAME.vmdk.journal, with the old and the new text of the descriptor (so
 * that no disk key, wrapped in them, can get lost) and two slots. Slot n says: all before segment
 * n is new, all behind it is old, and these are checksums of the old content of each 512-byte
 * sector in it.
 *
 *   1. the journal, at its full size, written under another name, fsynced, renamed; directory
 * synced
 *   2. the descriptor replaced by a marked one that no program opens; directory synced
 *   3. for each segment n that has data:
 *        a. slot n over slot n-2; journal synced
 *        b. the converted bytes over the old ones; extents synced
 *   4. the descriptor replaced by the new one; directory synced
 *   5. the journal removed; directory synced
 *
 * Why that is enough, with nothing assumed of what is not synced (any subset of unsynced sectors
 * may get lost, in any order):
 *   - The journal has its name only when it is whole (1), so a bad one is damage, not a crash.
 *     Before 3b of the first segment no byte of the disk has changed.
 *   - 3a begins when segment n-1 is safe. A slot n that is torn does not verify; then slot n-1 is
 *     the newest one that does (it is in the other place), and its segment is all new: none of its
 *     sectors matches a checksum, and everything behind it is old.
 *   - 3b begins when slot n is safe. Each sector of segment n is then old or new; it is old exactly
 *     when its checksum is that of slot n (16 bytes of SHA-256; no guest can make old and new look
 *     alike, since at least one of them is ciphertext under a key that it does not know). XTS works
 *     on blocks of 16 bytes, so the old sectors of a torn unit of 4096 bytes can be converted
 * alone; and that it is torn tells that it was not a unit of zeros.
 *   - Going on never makes a slot from a mixed state: slot n stays as it is until segment n is
 *     wholly new and safe. Crashes while going on change nothing of the above.
 *   - Going on begins by writing slot n and later all of segment n again, even what looks right:
 *     it may be in the page cache only, after a kill or after a sync that failed, of which the
 *     kernel tells once and then calls the pages clean.
 *   - There is no "done" record. The new descriptor appears when the last segment is safe, so
 *     finding it says the same.
 * The marked descriptor has the old settings, a createType that does not exist, and extents of
 * access NOACCESS: also without the journal, and for other products, the disk is not one that can
 * be opened by mistake while it is half of each.
 *
 * Not covered: a disk that tears single 512-byte sectors, and others who write to the extents
 * meanwhile. They are locked (OFD locks, which qemu honours), and each slot has a checksum of a
 * sector that was converted just before, to notice an extent that was replaced or written to.
 *
 * As in cryptsetup's LUKS2 re-encryption ("checksum" resilience), from which this differs in the
 * two slots, in that the descriptor is marked, and in the distrust of the page cache.
 */
#ifndef VMCRYPT_VMDK_INPLACE_H
#define VMCRYPT_VMDK_INPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"
#include "keywrap/keyring.h"
#include "vmdk/descriptor.h"

enum inplace_operation { INPLACE_DECRYPT = 1, INPLACE_ENCRYPT, INPLACE_REENCRYPT };

enum {
    INPLACE_SEGMENT_BYTES = 16 << 20, /* default: two syncs for so many bytes */
    INPLACE_SEGMENT_MAX = 256 << 20,
};

/* createType of a marked descriptor. */
#define INPLACE_MARK "vmcrypt-interrupted"

struct inplace_options {
    size_t segment_bytes; /* a multiple of the data unit; 0 for INPLACE_SEGMENT_BYTES */
    bool allow_outside;   /* as in disk_options */
    bool force;           /* convert files with several hard links, or with a VMware lock beside */
};

/* How far an interrupted disk is. */
struct inplace_state {
    enum inplace_operation operation;
    uint64_t done, size; /* bytes of the disk that are surely converted, and all */
    bool finished;       /* only the journal is left over */
};

/* "decryption" … and "vmcrypt disk decrypt --in-place" … */
const char *inplace_name(enum inplace_operation operation);
const char *inplace_command(enum inplace_operation operation);

/* Is there a journal beside the descriptor at PATH? *found with *state. False: there is one, but
 * it is damaged or another disk's (ERROR_DAMAGED), or cannot be read. */
bool inplace_find(const char *path, bool *found, struct inplace_state *state, struct error *error);

/* For all that reads disks: false (ERROR_DAMAGED, the message names the command that goes on) when
 * the disk at PATH, described by D, is interrupted. */
bool inplace_check(const char *path, const struct descriptor *d, struct error *error);

struct inplace;

/*
 * Prepare to convert the disk at PATH, described by OLD, into one described by NEW. Its extents are
 * opened for writing, locked and checked: all are flat and RW, none overlaps another, the
 * descriptor is still OLD. The caller has checked that OLD can be read and what it shows. Nothing
 * is written before inplace_run.
 */
struct inplace *inplace_begin(const char *path, enum inplace_operation operation, size_t unit_bytes,
                              const struct descriptor *old, const struct descriptor *new,
                              const struct inplace_options *options, struct error *error);

/* Prepare to go on with the disk at PATH, which has a journal. */
struct inplace *inplace_resume(const char *path, const struct inplace_options *options,
                               struct error *error);
void inplace_close(struct inplace *job);

enum inplace_operation inplace_job_operation(const struct inplace *job);

/* Unlock the keys that the operation needs from the texts that are in the journal, or will be:
 * what was never opened with the keys in hand is never written. */
bool inplace_unlock(struct inplace *job, const struct keyring *ring, struct error *error);

struct inplace_stats {
    uint64_t bytes;     /* of the disk */
    uint64_t converted; /* bytes of it that were converted in this run; zeros are not */
    bool resumed;
};

/* Convert, to the end. When it fails after the first change of the disk the code is ERROR_PARTIAL
 * (or ERROR_DAMAGED) and the disk can be resumed, unless the message says otherwise. PROGRESS may
 * stop it after any segment. */
bool inplace_run(struct inplace *job, const struct progress *progress, struct inplace_stats *stats,
                 struct error *error);

#endif
