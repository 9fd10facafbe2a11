/* source - one reader of key sources under the fuzzer. */
#ifndef VMCRYPT_TESTS_FUZZ_SOURCE_H
#define VMCRYPT_TESTS_FUZZ_SOURCE_H

#include <stdint.h>
#include <stdlib.h>

#include "keywrap/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys of a key's size, or a refusal with a message, or another form and nothing said or added. */
static inline int fuzz_source(enum source_verdict (*read)(struct source *, struct error *),
                              const uint8_t *data, size_t size)
{
    static const struct source_options options = {0};
    struct log log = {.program = "fuzz", .level = -1};
    struct buffer file = BUFFER_INIT;
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    struct source source = {
        .path = "/nowhere/file", .options = &options, .file = &file, .ring = &ring, .log = &log};
    if (!buffer_append(&file, data, size))
        abort();
    enum source_verdict verdict = read(&source, &error);
    bool said = error.code != ERROR_NONE && error.message[0] != '\0';
    if (said != (verdict == SOURCE_REFUSED) || (ring.key_count > 0) < (verdict == SOURCE_READ) ||
        (verdict == SOURCE_NOT_THIS && ring.key_count > 0))
        abort();
    for (size_t i = 0; i < ring.key_count; i++)
        if (!source_is_key_size(ring.keys[i].key->length))
            abort();
    keyring_free(&ring);
    buffer_free(&file);
    return 0;
}

#endif
