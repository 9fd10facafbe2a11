/* Any bytes as a PKCS#12 file: walked and audited, or refused with a message; its keys have the
 * sizes that keys have. */
#include <stdint.h>
#include <stdlib.h>

#include "keywrap/pkcs12.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, const char *finding)
{
    (void)context;
    if (finding[0] == '\0')
        abort();
}

static void check(const struct pkcs12 *p12)
{
    struct error error = ERROR_INIT;
    if (!pkcs12_usable(p12, &error) && (error.code == ERROR_NONE || error.message[0] == '\0'))
        abort();
    for (size_t i = 0; i < p12->key_count; i++) {
        size_t length = p12->keys[i].key->length;
        if (p12->keys[i].bag >= p12->bag_count || (length != 16 && length != 24 && length != 32))
            abort();
    }
    for (size_t i = 0; i < p12->bag_count; i++)
        if (p12->bags[i].safe >= p12->safe_count)
            abort();
    pkcs12_audit(p12, NULL, ignore, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keyring ring;
    struct error error = ERROR_INIT;
    if (ring.phrase_count == 0 &&
        !keyring_add_phrase(&ring, "fuzz", secret_copy("pass", 4, &error), &error))
        abort();
    struct pkcs12 *p12 = pkcs12_read(data, size, &ring, &error);
    if (p12 != NULL)
        check(p12);
    else if (error.code == ERROR_NONE || error.message[0] == '\0')
        abort();
    pkcs12_free(p12);
    return 0;
}
