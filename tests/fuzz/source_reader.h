/* source_reader - any bytes given to a reader of sources: keys of sizes that keys have, an error
 * with a message, or nothing done. */
#ifndef VMCRYPT_TESTS_FUZZ_SOURCE_READER_H
#define VMCRYPT_TESTS_FUZZ_SOURCE_READER_H

#include <stdint.h>
#include <stdlib.h>

#include "keywrap/source.h"

typedef enum source_verdict source_reader(struct source *source, struct error *error);

static void check_source(source_reader *reader, const uint8_t *data, size_t size,
                         const struct source_options *options)
{
    struct keyring ring = KEYRING_INIT;
    struct buffer file = BUFFER_INIT;
    struct log log = {.program = "fuzz", .level = -1};
    struct error error = ERROR_INIT;
    if (!buffer_append(&file, data, size))
        abort();
    struct source source = {
        .path = "-", .options = options, .file = &file, .ring = &ring, .log = &log};
    enum source_verdict verdict = reader(&source, &error);
    if (verdict == SOURCE_READ && ring.key_count == 0)
        abort();
    if (verdict == SOURCE_REFUSED && (error.code == ERROR_NONE || error.message[0] == '\0'))
        abort();
    if (verdict == SOURCE_NOT_THIS && (error.code != ERROR_NONE || ring.key_count != 0))
        abort();
    for (size_t i = 0; i < ring.key_count; i++)
        if (!source_is_key_size(ring.keys[i].key->length))
            abort();
    keyring_free(&ring);
    buffer_free(&file);
}

#endif
