/*
 * disk - what a guest would see of its disk: bytes at offsets, whatever lies below.
 *
 * Extents (files) make a layer, which decrypts what it stores with its own key; layers, the
 * snapshot on top and the base disk at the bottom, make the disk. Thread-safe after opening; no
 * hidden seek state; sources are opened read-only.
 */
#ifndef VMCRYPT_VMDK_DISK_H
#define VMCRYPT_VMDK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "vmdk/descriptor.h"
#include "vmdk/geometry.h"
#include "vmdk/notes.h"

enum { DISK_LAYERS_MAX = 1000, DISK_SEARCH_MAX = 32 };

enum disk_run { DISK_DATA, DISK_ZERO /* reads as zeros without I/O */ };

struct disk;

/* All zero: no keys, data units of 512 bytes, nothing outside. */
struct disk_options {
    const struct keyring *keyring; /* NULL: encrypted disks open, but reading is ERROR_NO_KEY */
    size_t unit_bytes;             /* data unit, 0 for 512 */
    struct disk_geometry geometry; /* of encrypted data; unless it is all zero, it counts instead of
                                      UNIT_BYTES. Its header applies to flat extents */
    bool decrypt_zero_units; /* decrypt units whose ciphertext is all zero too; by default they
                                count as never written and read as zeros */
    bool raw_ciphertext;     /* hand out what is stored, without decrypting; needs no key */
    bool allow_outside;      /* let files lie outside the descriptor's directory, or be devices */
    const char *search[DISK_SEARCH_MAX]; /* directories where extents and parents may be, too */
    size_t search_count;
    bool top_only;      /* the layer of PATH alone: what it does not have reads as zeros */
    bool ignore_cid;    /* take a parent whose CID is not the one that its child expects */
    bool missing_delta; /* a delta whose extents are gone counts as empty: its parent is read */
    bool sequential;    /* a hint: will be read once, from front to back */
};

/*
 * Open the disk at PATH: a descriptor, or an extent that holds its own (monolithicSparse,
 * streamOptimized), or a bare sparse extent, of which a note then says that it was opened without
 * one. Everything is checked before the first read: all layers down to the base there, their
 * parents the right ones (CID), extents there and long enough, their sum, encryption known. With
 * encrypted layers and a keyring the key of each is unlocked (ERROR_NO_KEY when none fits). A
 * missing or short extent is ERROR_DAMAGED, a kind of disk that this version does not read
 * ERROR_FAILED.
 *
 * Data units of an encrypted layer are counted from the start of the disk, whichever extent holds
 * them [inferred; see docs/formats.md].
 */
struct disk *disk_open(const char *path, const struct disk_options *options, struct error *error);

/* The file or block device at PATH as a plain disk. */
struct disk *disk_open_raw(const char *path, struct error *error);
void disk_close(struct disk *disk);

uint64_t disk_size(const struct disk *disk); /* bytes, a multiple of 512 */
/* Of the top layer. */
const struct descriptor *disk_descriptor(const struct disk *disk);
/* Of any layer. */
bool disk_is_encrypted(const struct disk *disk);
/* How the key safe of the top layer was opened; NULL when that is not encrypted or was not
 * unlocked. */
const struct keysafe_result *disk_unlocked(const struct disk *disk);

/* True when the two halves of a layer's disk key are equal: it decrypts, but XTS is weak with it,
 * and we do not encrypt with such a key (FIPS 140, see xts.h). */
bool disk_key_is_weak(const struct disk *disk);

/* Layers, 0 is the top. */
struct disk_layer {
    const char *path; /* of its descriptor */
    const struct descriptor *descriptor;
    uint64_t size;
    bool encrypted;
    bool missing;                          /* see missing_delta */
    const struct keysafe_result *unlocked; /* as of disk_unlocked */
};
size_t disk_layer_count(const struct disk *disk);
struct disk_layer disk_layer_at(const struct disk *disk, size_t i);

/* What was noted so far; more may come while it is read. */
struct notes *disk_notes(const struct disk *disk);

/* Read LENGTH bytes at OFFSET; any alignment. A short or unreadable extent is an error with the
 * file and offset, never zeros. */
bool disk_read(const struct disk *disk, uint64_t offset, void *data, size_t length,
               struct error *error);

/* The same in two steps, for who needs the ciphertext too: what is stored, and decrypting it in
 * place. OFFSET and LENGTH are multiples of the data unit; both give the same when the disk is not
 * decrypted, and its data unit is 0 then. */
bool disk_read_stored(const struct disk *disk, uint64_t offset, void *data, size_t length,
                      struct error *error);
bool disk_decrypt(const struct disk *disk, uint64_t offset, void *data, size_t length,
                  struct error *error);
size_t disk_unit_bytes(const struct disk *disk);

/* What lies at OFFSET and for how many bytes (at least 1 while OFFSET is inside). */
bool disk_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                 struct error *error);

/* The same, told exactly: whose it is and where it is stored. */
enum disk_place_kind {
    DISK_PLACE_STORED,
    DISK_PLACE_ZERO, /* a layer says that it is zero, or its file has a hole there */
    DISK_PLACE_HOLE, /* no layer has it: zeros */
};
struct disk_place {
    enum disk_place_kind kind;
    uint64_t length;
    size_t layer;         /* of STORED and ZERO */
    const char *file;     /* STORED: the extent's path */
    uint64_t file_offset; /* EXTENT_NOWHERE (UINT64_MAX) when there is none */
    bool compressed, encrypted;
};
bool disk_place_at(const struct disk *disk, uint64_t offset, struct disk_place *place,
                   struct error *error);

#endif
