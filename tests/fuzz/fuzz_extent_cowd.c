/* COWD extents: see extent_harness.h. */
#include "tests/fuzz/extent_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t sectors = 0;
    if (size >= 16)
        memcpy(&sectors, data + 12, sizeof sectors);
    harness_run(&extent_cowd, data, size, sectors);
    return 0;
}
