/* Any bytes as a KMIP capture, in binary or as hex: keys, or a refusal with a message. */
#include "tests/fuzz/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_source(source_kmip, data, size);
}
