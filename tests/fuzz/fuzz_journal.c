/*
 * Journals of in-place conversions: hostile headers and slots. The checksums are made to hold, so
 * that what is behind them is reached; what is parsed is written again as the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "vmdk/inplace_private.h"

enum { LENGTH_AT = 32, HEADER_MIN = 100 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_slot(const struct journal *j, const uint8_t *data, size_t size)
{
    if (j->segment_bytes > 1 << 20)
        return;
    size_t bytes = journal_slot_bytes(j);
    uint8_t *slot = calloc(1, bytes);
    struct journal_slot found = {.checksums = malloc(j->segment_bytes / 32)};
    require(slot != NULL && found.checksums != NULL);
    memcpy(slot, data, size < bytes ? size : bytes);
    if (journal_slot_parse(j, slot, &found))
        require(found.length <= j->segment_bytes && found.position <= j->disk_bytes);
    free(slot);
    free(found.checksums);
}

static void check_header(uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct journal j = {.fd = -1};
    if (!journal_parse(&j, data, size, &error)) {
        require(error.code != ERROR_NONE);
    } else {
        struct buffer again = BUFFER_INIT;
        require(journal_format(&j, &again, &error));
        require(again.length == j.header_bytes && memcmp(again.data, data, again.length) == 0);
        buffer_free(&again);
        check_slot(&j, data, size);
    }
    journal_free(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, data, size);
    check_header(copy, size);
    if (size >= HEADER_MIN) {
        for (size_t i = 0; i < 8; i++)
            copy[LENGTH_AT + i] = (uint8_t)((uint64_t)size >> (8 * i));
        require(EVP_Digest(copy, size - JOURNAL_DIGEST, copy + size - JOURNAL_DIGEST, NULL,
                           EVP_sha256(), NULL) == 1);
        check_header(copy, size);
    }
    free(copy);
    return 0;
}
