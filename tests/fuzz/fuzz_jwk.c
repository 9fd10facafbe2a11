/* Any bytes as keys in JSON, with and without an id that is looked for. */
#include "tests/fuzz/source_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_source(source_jwk, data, size, &(struct source_options){.id = NULL});
    check_source(source_jwk, data, size, &(struct source_options){.id = "a", .provider = "p"});
    return 0;
}
