/* source_kmip - keys in KMIP messages: captures in binary, and in hex of any make; see source.h. */
#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"

/* A message that is too short to be found by what follows its head. */
static bool begins_as_message(const uint8_t *bytes, size_t length)
{
    return length >= 4 && bytes[0] == 0x42 && bytes[1] == 0 &&
           (bytes[2] == (KMIP_REQUEST_MESSAGE & 0xff) ||
            bytes[2] == (KMIP_RESPONSE_MESSAGE & 0xff)) &&
           bytes[3] == TTLV_STRUCTURE;
}

static enum source_verdict read_bytes(struct source *source, const struct buffer *bytes,
                                      struct error *error)
{
    struct kmip kmip = KMIP_INIT;
    const uint8_t *data = (const uint8_t *)buffer_text(bytes);
    enum source_verdict verdict = SOURCE_NOT_THIS;
    if (!kmip_scan(&kmip, data, bytes->length, error)) {
        verdict = SOURCE_REFUSED;
    } else if (kmip.messages > 0) {
        const uint8_t *damage = kmip.damage;
        verdict = kmip_deliver(&kmip, source, "message", error);
        /* In hex, the place in the bytes is no place in the file. */
        if (verdict == SOURCE_REFUSED && error->code == ERROR_DAMAGED && damage != NULL &&
            bytes == source->file)
            error_at(error, source->path, (uint64_t)(damage - data));
    } else if (begins_as_message(data, bytes->length)) {
        error_set(error, ERROR_DAMAGED, "a KMIP message is cut off or damaged");
        verdict = SOURCE_REFUSED;
    }
    kmip_free(&kmip);
    return verdict;
}

enum source_verdict source_kmip(struct source *source, struct error *error)
{
    struct buffer decoded = BUFFER_INIT;
    enum source_verdict verdict = read_bytes(source, source->file, error);
    if (verdict != SOURCE_NOT_THIS)
        return verdict;
    kmip_hex_decode(buffer_text(source->file), source->file->length, &decoded);
    if (decoded.failed) {
        error_memory(error);
        verdict = SOURCE_REFUSED;
    } else {
        verdict = read_bytes(source, &decoded, error);
    }
    buffer_free(&decoded);
    return verdict;
}
