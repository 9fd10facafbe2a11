/* Any bytes as an encrypted container. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmx/encobj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int in = -1, plain = -1;
    if (in < 0 && ((in = memfd_create("in", 0)) < 0 || (plain = memfd_create("out", 0)) < 0))
        abort();
    if (ftruncate(in, 0) != 0 || ftruncate(plain, 0) != 0 ||
        pwrite(in, data, size, 0) != (ssize_t)size)
        abort();
    char name[] = "out";
    struct file_output out = {.fd = plain, .path = name, .partial = name};
    struct encobj_result result;
    struct error error = ERROR_INIT;
    struct secret *key = secret_new(64, &error);
    bool ok = encobj_decrypt(in, "in", key, &out, NULL, &result, &error);
    if (!ok && (error.code == ERROR_NONE || error.message[0] == '\0'))
        abort();
    /* Nothing but an empty container can be proved by a key of zeros that never made a MAC. */
    if (ok && result.size > size)
        abort();
    secret_free(key);
    return 0;
}
