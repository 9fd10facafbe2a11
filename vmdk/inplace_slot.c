/* inplace_slot - the slots of the journal; see inplace_private.h. */
#include "vmdk/inplace_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/reader.h"
#include "vmdk/zero.h"

enum { BLOCK = 4096, FIXED_BYTES = 32 + JOURNAL_CHECKSUM };

struct journal_hash {
    EVP_MD *md;
    EVP_MD_CTX *context;
};

/* Fetched once: what EVP_Digest does for each call takes as long as hashing a sector. */
struct journal_hash *journal_hash_new(struct error *error)
{
    struct journal_hash *hash = calloc(1, sizeof *hash);
    if (hash == NULL) {
        error_memory(error);
        return NULL;
    }
    hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->context = EVP_MD_CTX_new();
    if (hash->md == NULL || hash->context == NULL) {
        error_set(error, ERROR_FAILED, "SHA-256 is not to be had from libcrypto");
        journal_hash_free(hash);
        return NULL;
    }
    return hash;
}

void journal_hash_free(struct journal_hash *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    EVP_MD_free(hash->md);
    free(hash);
}

bool journal_hash_sector(struct journal_hash *hash, const uint8_t *sector,
                         uint8_t checksum[JOURNAL_CHECKSUM])
{
    uint8_t digest[JOURNAL_DIGEST] = {0};
    bool ok = bytes_are_zero(sector, SECTOR_BYTES) ||
              (EVP_DigestInit_ex2(hash->context, hash->md, NULL) == 1 &&
               EVP_DigestUpdate(hash->context, sector, SECTOR_BYTES) == 1 &&
               EVP_DigestFinal_ex(hash->context, digest, NULL) == 1);
    memcpy(checksum, digest, JOURNAL_CHECKSUM);
    return ok;
}

static size_t checksum_bytes(uint64_t length)
{
    return (size_t)(length / SECTOR_BYTES * JOURNAL_CHECKSUM);
}

size_t journal_slot_bytes(const struct journal *j)
{
    size_t bytes = FIXED_BYTES + checksum_bytes(j->segment_bytes) + JOURNAL_DIGEST;
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static uint64_t slot_at(const struct journal *j, uint64_t sequence)
{
    return journal_slots_at(j) + sequence % 2 * journal_slot_bytes(j);
}

/* With the header's digest, a slot of another journal is none of this one. */
static bool slot_digest(const struct journal *j, const uint8_t *data, size_t length,
                        uint8_t digest[JOURNAL_DIGEST])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex2(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, j->digest, sizeof j->digest) == 1 &&
              EVP_DigestUpdate(context, data, length) == 1 &&
              EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

bool journal_slot_format(const struct journal *j, const struct journal_slot *slot, uint8_t *out,
                         struct error *error)
{
    size_t sums = checksum_bytes(slot->length);
    memset(out, 0, journal_slot_bytes(j));
    put_u64(out, slot->sequence);
    put_u64(out + 8, slot->position);
    put_u64(out + 16, slot->length);
    put_u64(out + 24, slot->anchor);
    memcpy(out + 32, slot->anchor_checksum, JOURNAL_CHECKSUM);
    memcpy(out + FIXED_BYTES, slot->checksums, sums);
    return slot_digest(j, out, FIXED_BYTES + sums, out + FIXED_BYTES + sums) ||
           error_set(error, ERROR_FAILED, "SHA-256 is not to be had from libcrypto");
}

bool journal_slot_parse(const struct journal *j, const uint8_t *data, struct journal_slot *slot)
{
    struct reader r = reader_over(data, journal_slot_bytes(j));
    uint8_t digest[JOURNAL_DIGEST];
    uint64_t sequence = reader_u64(&r), position = reader_u64(&r), length = reader_u64(&r);
    uint64_t anchor = reader_u64(&r), end;
    if (sequence == 0 || length == 0 || length > j->segment_bytes ||
        position % j->unit_bytes != 0 || length % j->unit_bytes != 0 ||
        __builtin_add_overflow(position, length, &end) || end > j->disk_bytes)
        return false;
    if (anchor != UINT64_MAX && (anchor % SECTOR_BYTES != 0 || anchor >= position))
        return false;
    size_t sums = checksum_bytes(length);
    if (!slot_digest(j, data, FIXED_BYTES + sums, digest) ||
        memcmp(digest, data + FIXED_BYTES + sums, JOURNAL_DIGEST) != 0)
        return false;
    slot->sequence = sequence;
    slot->position = position;
    slot->length = length;
    slot->anchor = anchor;
    memcpy(slot->anchor_checksum, data + 32, JOURNAL_CHECKSUM);
    memcpy(slot->checksums, data + FIXED_BYTES, sums);
    return true;
}

bool journal_put(struct journal *j, const struct journal_slot *slot, struct error *error)
{
    size_t used = FIXED_BYTES + checksum_bytes(slot->length) + JOURNAL_DIGEST;
    uint8_t *data = malloc(journal_slot_bytes(j));
    if (data == NULL)
        return error_memory(error);
    bool ok = journal_slot_format(j, slot, data, error) &&
              file_write_at(j->fd, j->path, data, used, slot_at(j, slot->sequence), error) &&
              journal_sync_file(j->fd, j->path, error);
    free(data);
    return ok;
}

bool journal_get(struct journal *j, struct error *error)
{
    size_t bytes = journal_slot_bytes(j);
    uint8_t *data = malloc(bytes);
    struct journal_slot found = {.checksums = malloc(checksum_bytes(j->segment_bytes))};
    j->slot.checksums = malloc(checksum_bytes(j->segment_bytes));
    bool ok = (data != NULL && found.checksums != NULL && j->slot.checksums != NULL) ||
              error_memory(error);
    for (uint64_t i = 0; ok && i < 2; i++) {
        ok = file_read_at(j->fd, j->path, data, bytes, slot_at(j, i), error);
        if (ok && journal_slot_parse(j, data, &found) && found.sequence % 2 == i &&
            found.sequence > j->slot.sequence) {
            struct journal_slot older = j->slot;
            j->slot = found;
            found = older;
        }
    }
    free(data);
    free(found.checksums);
    return ok;
}
