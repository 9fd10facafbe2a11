/* seSparse extents: see extent_harness.h. */
#include "tests/fuzz/extent_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sectors = 0;
    if (size >= 24)
        memcpy(&sectors, data + 16, sizeof sectors);
    harness_run(&extent_sesparse, data, size, sectors);
    return 0;
}
