/* pcr_binary - PCR values as tpm2-tools write them in binary
 * [source: tpm2-tools lib/pcr.c, the layout of tpm2-tss's structures on x86-64 and arm64]. */
#include "tpm/pcr_private.h"

#include "base/reader.h"

/* A C structure of a little-endian machine written as it stood: TPML_PCR_SELECTION, how many
 * TPML_DIGEST follow, those. Fields have room for the most that a TPM may have. */
enum {
    SELECTIONS = 16, /* in a TPML_PCR_SELECTION */
    SELECT_MIN = 3,  /* bytes of a bitmap of 24 PCRs */
    SELECT_MAX = 4,
    DIGESTS = 8, /* in a TPML_DIGEST */
    SELECTION_SIZE = 4 + SELECTIONS * 8,
    LIST_SIZE = 4 + DIGESTS * (2 + BANK_DIGEST_MAX),
};

/* Nothing belongs there: a file that has something in it was altered. */
static void skip_room(struct reader *r, size_t length)
{
    const uint8_t *bytes = reader_bytes(r, length);
    for (size_t i = 0; bytes != NULL && i < length; i++)
        if (bytes[i] != 0)
            r->failed = true;
}

static bool read_selection(struct reader *r, struct pcr_selection *selection)
{
    uint32_t count = reader_u32(r);
    if (count == 0 || count > SELECTIONS)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t algorithm = reader_u16(r);
        uint8_t size = reader_u8(r);
        uint32_t pcrs = reader_u32(r);
        skip_room(r, 1);
        if (algorithm == 0 || size < SELECT_MIN || size > SELECT_MAX ||
            (size < SELECT_MAX && pcrs >> 8 * size != 0))
            return false;
        selection->banks[i].algorithm = algorithm;
        selection->banks[i].pcrs = pcrs;
    }
    skip_room(r, (SELECTIONS - count) * 8);
    selection->count = count;
    return !r->failed;
}

static size_t bits(uint32_t value)
{
    return (size_t)__builtin_popcount(value);
}

struct digests {
    struct reader r;
    uint32_t in_list; /* not yet read of the current list */
    size_t passed;    /* of its DIGESTS places */
};

/* The next digest; NULL behind the last. */
static const uint8_t *next_digest(struct digests *d, size_t *length)
{
    while (d->in_list == 0) {
        skip_room(&d->r, (DIGESTS - d->passed) * (2 + BANK_DIGEST_MAX));
        if (reader_left(&d->r) == 0)
            return NULL;
        d->in_list = reader_u32(&d->r);
        d->passed = 0;
        if (d->in_list > DIGESTS)
            d->r.failed = true;
        if (d->r.failed)
            return NULL;
    }
    d->in_list--;
    d->passed++;
    *length = reader_u16(&d->r);
    if (*length > BANK_DIGEST_MAX)
        return NULL;
    const uint8_t *digest = reader_bytes(&d->r, *length);
    skip_room(&d->r, BANK_DIGEST_MAX - *length);
    return d->r.failed ? NULL : digest;
}

bool pcr_parse_serialized(const uint8_t *data, size_t length, struct pcr_set *out, bool *fits,
                          struct error *error)
{
    struct pcr_selection selection = {0};
    struct digests d = {.r = reader_over(data, length), .passed = DIGESTS};
    *fits = length > SELECTION_SIZE + 4 && (length - SELECTION_SIZE - 4) % LIST_SIZE == 0 &&
            read_selection(&d.r, &selection) &&
            reader_u32(&d.r) == (length - SELECTION_SIZE - 4) / LIST_SIZE;
    if (!*fits)
        return false;
    for (size_t i = 0; i < selection.count; i++)
        for (unsigned pcr = 0; pcr < 32; pcr++) {
            size_t size = 0;
            if ((selection.banks[i].pcrs >> pcr & 1) == 0)
                continue;
            const uint8_t *digest = next_digest(&d, &size);
            if (digest == NULL)
                return error_set(error, ERROR_DAMAGED,
                                 "has no well-formed value of PCR %u, which it announces", pcr);
            if (!pcr_set_add(out, selection.banks[i].algorithm, pcr, digest, size, error))
                return false;
        }
    size_t more;
    if (next_digest(&d, &more) != NULL || d.r.failed)
        return error_set(error, ERROR_DAMAGED, "has more in it than its selection names");
    return true;
}

bool pcr_parse_values(const uint8_t *data, size_t length, const struct pcr_selection *selection,
                      struct pcr_set *out, struct error *error)
{
    size_t expected = 0;
    for (size_t i = 0; i < selection->count; i++) {
        const struct bank_algorithm *bank = bank_by_id(selection->banks[i].algorithm);
        if (bank == NULL)
            return error_set(error, ERROR_FAILED, "bank 0x%04x of the selection is not known",
                             selection->banks[i].algorithm);
        expected += bank->size * bits(selection->banks[i].pcrs);
    }
    if (length != expected)
        return error_set(error, ERROR_DAMAGED,
                         "has %zu bytes; the selected PCRs would have %zu (another selection?)",
                         length, expected);
    for (size_t i = 0; i < selection->count; i++)
        for (unsigned pcr = 0; pcr < 32; pcr++) {
            if ((selection->banks[i].pcrs >> pcr & 1) == 0)
                continue;
            size_t size = bank_by_id(selection->banks[i].algorithm)->size;
            if (!pcr_set_add(out, selection->banks[i].algorithm, pcr, data, size, error))
                return false;
            data += size;
        }
    return true;
}
