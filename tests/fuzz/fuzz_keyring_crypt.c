/* Any bytes as an encrypted keyring: opened, or refused with a message and nothing to show. */
#include <stdint.h>
#include <stdlib.h>

#include "keywrap/keyring_crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHEAP = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct buffer file = BUFFER_INIT, yaml = BUFFER_INIT;
    struct secret *passphrase = secret_copy("correct horse", 13, &error);
    uint64_t cost = 0;
    if (passphrase == NULL || !buffer_append(&file, data, size))
        abort();
    bool sound = keyring_crypt_cost(&file, &cost, &error);
    if (sound && !keyring_is_encrypted(&file))
        abort();
    if (!sound || cost <= CHEAP) {
        bool ok = keyring_decrypt(&file, passphrase, &yaml, &error);
        if (!ok && (error.code == ERROR_NONE || error.message[0] == '\0' || yaml.length > 0))
            abort();
    }
    secret_free(passphrase);
    buffer_free(&file);
    buffer_free(&yaml);
    return 0;
}
