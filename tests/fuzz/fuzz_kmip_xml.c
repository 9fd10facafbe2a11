/* Any text as KMIP in XML: keys, or a refusal with a message. */
#include "tests/fuzz/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_source(source_kmip_xml, data, size);
}
