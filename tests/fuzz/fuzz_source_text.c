/* Any bytes as the text forms of keys, as they are and as wrapped ones. */
#include "tests/fuzz/source_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static source_reader *const readers[] = {source_pem, source_locator, source_hex, source_base64,
                                             source_raw};
    struct error error = ERROR_INIT;
    struct wrap_key key = {.aes = secret_new(32, &error)};
    struct source_options plain = {.id = NULL}, wrapped = {.unwrap = &key};
    if (key.aes == NULL)
        abort();
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        check_source(readers[i], data, size, &plain);
        check_source(readers[i], data, size, &wrapped);
    }
    wrap_key_free(&key);
    return 0;
}
