/*
 * extent_sparse_private - insides shared by extent_sparse*.c only.
 *
 * A hosted sparse extent is cut into grains. A directory names tables, a table names the sector of
 * each of its grains; directory and tables may be there twice. In a stream each grain is deflated
 * and follows a marker that says which one it is.
 * [docs/formats.md; source: VMware's Virtual Disk Format 5.0, libvmdk, qemu block/vmdk.c]
 */
#ifndef VMCRYPT_VMDK_EXTENT_SPARSE_PRIVATE_H
#define VMCRYPT_VMDK_EXTENT_SPARSE_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/extent.h"

enum {
    SPARSE_HEADER_BYTES = 512,
    SPARSE_MARKER_BYTES = 12,                             /* of a grain; its data follow at once */
    SPARSE_GRAIN_SECTORS_MAX = (16 << 20) / SECTOR_BYTES, /* products write 128 */
    SPARSE_TABLE_MIN = 16,                                /* entries; products write 512 */
    SPARSE_TABLE_MAX = 4096,
    SPARSE_ENTRIES = 512, /* read at a time */
};

#define SPARSE_DIRECTORY_IN_FOOTER UINT64_MAX
/* An entry for a grain that lay behind the end of a cut stream, or not: nobody knows. No file that
 * 32-bit sectors reach into has it. */
#define SPARSE_LOST UINT32_MAX

enum sparse_flag {
    SPARSE_NEWLINES = 1 << 0,
    SPARSE_REDUNDANT = 1 << 1,
    SPARSE_ZERO_GRAINS = 1 << 2,
    SPARSE_COMPRESSED = 1 << 16,
    SPARSE_MARKERS = 1 << 17,
};

/* As it is in the file; all places in sectors. */
struct sparse_header {
    uint32_t version, flags;
    uint64_t capacity, grain_sectors;
    uint32_t table_entries;
    uint64_t copy_at, directory_at, overhead;
    uint8_t unclean, newlines[4];
    uint16_t algorithm;
};

enum { SPARSE_PRIMARY, SPARSE_COPY, SPARSE_DIRECTORIES };

struct sparse {
    uint64_t file_bytes;
    uint64_t grain_bytes, grain_sectors;
    uint64_t data_at; /* grains lie from this byte on */
    uint32_t table_entries;
    uint64_t table_count;
    bool zero_grains, compressed, markers;
    uint64_t directories[SPARSE_DIRECTORIES]; /* first byte; 0: none that can be used */
    size_t choice_count;                      /* a power of two */
    _Atomic uint64_t *choices;                /* see extent_sparse_table.c */
    atomic_uint noted;                        /* what was noted already */
    struct stream_index *index;               /* instead of directories; NULL: there is none */
    struct grain_cache *cache;                /* compressed only */
};

/* extent_sparse.c */

/* False when BYTES do not begin with the magic. */
bool sparse_header_parse(const uint8_t bytes[SPARSE_HEADER_BYTES], struct sparse_header *header);
/* Bytes of grain GRAIN that belong to the extent, all but in the last one. */
size_t sparse_grain_length(const struct extent *e, uint64_t grain);

/* extent_sparse_table.c */

/* Where the directories are, as HEADER says; one that cannot be used is noted. */
bool sparse_tables_open(const struct extent *e, const struct sparse_header *header,
                        struct error *error);
/* Entries of COUNT grains, all of one table. */
bool sparse_entries(const struct extent *e, uint64_t grain, uint32_t *entries, size_t count,
                    struct error *error);
enum sparse_kind { SPARSE_STORED, SPARSE_ZERO, SPARSE_ABSENT, SPARSE_BAD };
enum sparse_kind sparse_kind_of(const struct sparse *s, uint32_t entry);
/* Set *error for the entry of GRAIN, which is bad. Returns false. */
bool sparse_bad_entry(const struct extent *e, uint64_t grain, uint32_t entry, struct error *error);

/* extent_sparse_stream.c */

/* The directory's place out of the footer; false, without an error, when there is no footer that
 * agrees with HEADER. */
bool sparse_footer(const struct extent *e, const struct sparse_header *header,
                   uint64_t *directory_at);
/* The grain whose marker is the first in the stream; false when none is there. */
bool sparse_first_grain(const struct extent *e, uint64_t *grain);
/* Find the grains by their markers, for want of a directory, and the directory too, if it is there;
 * else *directory_at is 0. */
bool stream_index_make(const struct extent *e, uint64_t *directory_at, struct error *error);
/* Whether the grains can be read without a directory; a note of it. */
bool stream_index_check(const struct extent *e, struct error *error);
void stream_index_free(struct stream_index *index);
/* As of sparse_entries. */
bool stream_index_entries(const struct extent *e, uint64_t grain, uint32_t *entries, size_t count,
                          struct error *error);
/* Where the markers ended. */
uint64_t stream_index_end(const struct stream_index *index);

/* extent_sparse_grain.c */

/* A deflated grain is no longer than this, however badly it was deflated. */
static inline uint64_t sparse_deflated_max(const struct sparse *s)
{
    return 2 * s->grain_bytes;
}

/* In a snapshot chain many extents have one each, so theirs are smaller. */
struct grain_cache *grain_cache_new(uint64_t grain_bytes, bool delta, struct error *error);
void grain_cache_free(struct grain_cache *cache);
/* LENGTH bytes at SKIP of the compressed GRAIN, which ENTRY names. */
bool sparse_grain_read(const struct extent *e, uint64_t grain, uint32_t entry, size_t skip,
                       uint8_t *data, size_t length, struct error *error);

#endif
