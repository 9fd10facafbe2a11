/* Any bytes as a keyring file: loaded, or refused with a message. Inputs that could name a file to
 * be read elsewhere are left out. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keywrap/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct keyring ring = KEYRING_INIT;
    struct log log = {.program = "fuzz", .level = -1};
    struct error error = ERROR_INIT;
    if (memchr(data, '/', size) != NULL)
        return 0;
    if (fd < 0 && ((fd = memfd_create("ring", 0)) < 0 || dup2(fd, 100) < 0))
        abort();
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (!keyring_load(&ring, "/proc/self/fd/100", &log, &error) &&
        (error.code == ERROR_NONE || error.message[0] == '\0'))
        abort();
    keyring_free(&ring);
    return 0;
}
