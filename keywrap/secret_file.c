/* secret_file - see secret_file.h. */
#include "keywrap/secret_file.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "keywrap/passphrase.h"

void secret_file_check(const char *path, struct log *log)
{
    struct stat st;
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        (st.st_mode & 077) != 0)
        log_say(log, LOG_WARN, "%s: others may read or change this secret (mode %04o); chmod 600",
                path, (unsigned)st.st_mode & 07777);
}

struct secret *passphrase_file_read(const char *path, struct log *log, struct error *error)
{
    struct buffer file = BUFFER_INIT;
    struct secret *passphrase = NULL;
    if (file_read_all(path, PASSPHRASE_MAX, &file, error)) {
        passphrase = passphrase_from(&file, error);
        secret_file_check(path, log);
    }
    buffer_free(&file);
    return passphrase;
}
