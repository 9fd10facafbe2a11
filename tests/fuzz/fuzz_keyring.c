/* Any bytes as a keyring file: loaded, or refused with a message. Inputs that could name a file to
 * be read elsewhere are left out. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keywrap/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A keyring file in an empty directory of its own, where it can name nothing but itself. */
static const char *make_place(void)
{
    static char path[] = "/tmp/vmcrypt-fuzz-XXXXXX/ring";
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (mkdtemp(path) == NULL)
        abort();
    *slash = '/';
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *path;
    static int fd = -1;
    struct keyring ring = KEYRING_INIT;
    struct log log = {.program = "fuzz", .level = -1};
    struct error error = ERROR_INIT;
    if (path == NULL)
        path = make_place();
    if (memchr(data, '/', size) != NULL)
        return 0;
    if (fd < 0 && (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        abort();
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (!keyring_load(&ring, path, &log, &error) &&
        (error.code == ERROR_NONE || error.message[0] == '\0'))
        abort();
    keyring_free(&ring);
    return 0;
}
