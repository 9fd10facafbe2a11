/*
 * copy - a disk's content into one flat file, by several threads: as it is, decrypted, or
 * encrypted under another key; or compared with another disk.
 *
 * Workers take the next chunk in order, read, transform in a buffer of their own and write; direct
 * writes go on while the worker reads its next chunks. Chunks end in any order. Runs of zeros stay
 * holes. Memory is bounded by the number of threads, whatever the size of the disk. The caller's
 * thread does no I/O: it reports progress and keeps the journal.
 */
#ifndef VMCRYPT_VMDK_COPY_H
#define VMCRYPT_VMDK_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "vmdk/disk.h"
#include "vmdk/xts/xts.h"

enum {
    COPY_ALIGN = 1 << 20, /* parts of a disk begin on multiples of it */
    COPY_BAD_MAX = 3900,  /* unreadable ranges before a copy gives up */
    COPY_THREADS_MAX = 16,
    COPY_DIGEST = 32, /* SHA-256 */
};

struct copy_stats {
    uint64_t bytes;      /* size of the disk, or of the part */
    uint64_t written;    /* bytes written in this run; the rest are holes that read as zeros */
    uint64_t holes;      /* bytes skipped unread */
    uint64_t kept;       /* bytes that an earlier run had done */
    bool direct_refused; /* the file system of the output does not do direct I/O */
    int ring_refused;    /* errno for which direct writes went one by one, without io_uring; or 0 */
};

struct copy_range {
    uint64_t offset, length;
};

/* Ranges that could not be read and count as zeros: in order, neighbours joined. */
struct copy_bad {
    size_t count;
    struct copy_range ranges[COPY_BAD_MAX];
};

/* What is done to each unit that is not all zero. */
struct copy_cipher {
    const struct xts *xts; /* NULL: nothing */
    bool decrypt;
    uint64_t first_unit; /* number of the unit at the start of the disk */
};

/* SHA-256 of what is stored (of a disk that is decrypted: its ciphertext) and of the result. */
struct copy_digests {
    uint8_t stored[COPY_DIGEST], result[COPY_DIGEST];
};

struct copy_journal;

/* Whether writing goes through the page cache: what is larger than it can hold is written past it
 * in a fraction of the time (docs/performance.md), but is not there then for who reads it next. */
enum copy_cache {
    COPY_AUTO, /* past it from 1 GiB on, where the file system is known to do that well */
    COPY_DIRECT,
    COPY_CACHED
};

/* All zero: the whole disk as it reads. */
struct copy_options {
    struct copy_cipher cipher;
    unsigned threads;        /* 0: one for each CPU */
    uint64_t offset, length; /* the part; length 0: up to the end */
    uint64_t rate;           /* bytes per second at most; 0: no limit */
    enum copy_cache cache;
    bool dense;                   /* write zeros too: the output may hold something else */
    struct copy_bad *bad;         /* zeros for what cannot be read; NULL: it is an error */
    struct copy_digests *digests; /* NULL: not wanted; for whole disks only */
    struct copy_journal *journal; /* keeps what is done; NULL: nothing does */
    const struct progress *progress;
};

/* Write the whole of DISK to the unfinished file OUT at offset 0, keeping runs of zeros as
 * holes. With ENCRYPT each unit is encrypted before it is written; units of zeros stay holes,
 * as never-written ones are. The caller publishes or abandons OUT. */
bool disk_copy(const struct disk *disk, const struct xts *encrypt, struct file_output *out,
               const struct progress *progress, struct copy_stats *stats, struct error *error);

/* The same in all its ways. STATS is kept up to date while it runs, for PROGRESS to look at. Of
 * several errors the one at the lowest offset is told. With a journal the part begins where the
 * journal says; with digests too, what was done before is read again and compared. */
bool disk_copy_with(const struct disk *disk, const struct copy_options *options,
                    struct file_output *out, struct copy_stats *stats, struct error *error);

/* Read DISK and OTHER, both whole, and compare. *equal; when false, *difference is the first
 * byte that is not. False: could not be read, or they differ in size (ERROR_DAMAGED). */
bool disk_compare(const struct disk *disk, const struct disk *other,
                  const struct copy_options *options, bool *equal, uint64_t *difference,
                  struct copy_stats *stats, struct error *error);

/* Threads that the number 0 stands for. */
unsigned copy_default_threads(void);

#endif
