/*
 * copy_journal - how far a copy has come, so that it goes on there after any interruption.
 *
 * A file beside the unfinished output with two slots, written in turn; each holds who the source
 * is and one number: all before it is written and was synced before the slot was. A slot that is
 * torn does not verify, then the other one counts. Nothing behind the number is trusted: it is
 * made a hole again before the copy goes on.
 *
 *   slot   magic[8] "vmcrcopy", u32 version 1, u32 operation, u64 sequence, u64 size, start, end,
 *          done, first unit, u32 unit bytes, u32 flags, extents[16], files[16], key[16],
 *          u64 count, count × (u64 offset, u64 length) of unreadable ranges; at the end of its
 *          64 KiB the SHA-256 of all before. Little endian.
 *
 * The slot is never changed in any other way, and a journal never outlives the unfinished file
 * that it speaks of: see cli_disk_output.
 */
#ifndef VMCRYPT_VMDK_COPY_JOURNAL_H
#define VMCRYPT_VMDK_COPY_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/copy.h"
#include "vmdk/disk.h"

enum { COPY_IDENTITY_DIGEST = 16 };

enum copy_operation { COPY_DECRYPT = 1, COPY_ENCRYPT, COPY_FILE_DECRYPT, COPY_FILE_ENCRYPT };

/* What has to be the same for a copy to go on. */
struct copy_identity {
    enum copy_operation operation;
    uint64_t size, first_unit;
    uint32_t unit_bytes; /* of the data that is decrypted or encrypted; 0: neither */
    bool decrypt_zero_units;
    bool bad_as_zeros;
    uint8_t extents[COPY_IDENTITY_DIGEST]; /* what the descriptor says of them and of the key */
    uint8_t files[COPY_IDENTITY_DIGEST];   /* sizes and times of change of the files */
    uint8_t key[COPY_IDENTITY_DIGEST];     /* tells keys apart, but not what they are */
};

/* Fill it for DISK; with CIPHER, for what it does to the disk's content. */
bool copy_identify(const struct disk *disk, const struct copy_cipher *cipher,
                   enum copy_operation operation, struct copy_identity *identity,
                   struct error *error);

/* Open the journal at PATH for the part START to END of the copy IDENTITY, or make one. It is
 * locked: another process that works on the same part is refused. One of another source,
 * geometry or key is refused with what differs (ERROR_FAILED), a damaged one too
 * (ERROR_DAMAGED). */
struct copy_journal *copy_journal_open(const char *path, const struct copy_identity *identity,
                                       uint64_t start, uint64_t end, struct error *error);
void copy_journal_close(struct copy_journal *journal);

/* Everything before it is done. */
uint64_t copy_journal_done(const struct copy_journal *journal);
/* Unreadable ranges before it. */
void copy_journal_bad(const struct copy_journal *journal, struct copy_bad *bad);

/* All before DONE is written and synced. BAD may be NULL. */
bool copy_journal_record(struct copy_journal *journal, uint64_t done, const struct copy_bad *bad,
                         struct error *error);

struct copy_part {
    uint64_t start, end, done;
};

/* Read the journal at PATH, which may be in use, of a part of the copy IDENTITY; unreadable
 * ranges are added to BAD. */
bool copy_journal_peek(const char *path, const struct copy_identity *identity,
                       struct copy_part *part, struct copy_bad *bad, struct error *error);

#endif
