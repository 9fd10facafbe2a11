/* Any bytes as a keyring file: loaded, or refused with a message. What was loaded is written to
 * another keyring, and comes back from there. Inputs that could name a file to be read elsewhere
 * are left out. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keywrap/keyring.h"
#include "keywrap/keyring_crypt.h"
#include "keywrap/keyring_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHEAP = 1 << 16 };

static struct log quiet = {.program = "fuzz", .level = -1};

/* A keyring file in an empty directory of its own, where it can name nothing but itself. */
static const char *make_place(void)
{
    static char path[] = "/tmp/vmcrypt-fuzz-XXXXXX/ring";
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (mkdtemp(path) == NULL)
        abort();
    *slash = '/';
    /* `fd: 0` is to read nothing. */
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        abort();
    return path;
}

static struct secret *answer(void *context, const char *what, struct error *error)
{
    (void)context;
    (void)what;
    return secret_copy("x", 1, error);
}

static void load(struct keyring *ring, const struct buffer *text)
{
    struct keyring_load how = {.log = &quiet, .passive = true};
    struct error error = ERROR_INIT;
    if (!keyring_load_bytes(ring, text, "other", &how, &error))
        abort();
}

/* Keys that were read can be written and read again, unless a name is no UTF-8. */
static void write_again(const struct keyring *ring)
{
    struct keyring again = KEYRING_INIT;
    struct buffer yaml = BUFFER_INIT;
    struct error error = ERROR_INIT;
    if (keyring_write_add(&yaml, ring, &error)) {
        load(&again, &yaml);
        for (size_t i = 0; i < ring->key_count; i++)
            if (keyring_find(&again, &ring->keys[i], ring->keys[i].key) == NULL)
                abort();
        if (again.phrase_count != ring->phrase_count)
            abort();
    }
    buffer_free(&yaml);
    keyring_free(&again);
}

/* Keys added to the text leave what stands there. */
static void add_to(const uint8_t *data, size_t size)
{
    struct keyring ring = KEYRING_INIT;
    struct buffer yaml = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct keyring_key key = {.id = "added", .key = secret_new(32, &error)};
    if (!buffer_append(&yaml, data, size) || !keyring_add(&ring, &key, &error))
        abort();
    keyring_write_add(&yaml, &ring, &error);
    if (yaml.length < size || (size > 0 && memcmp(yaml.data, data, size) != 0))
        abort();
    buffer_free(&yaml);
    keyring_free(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *path;
    static int fd = -1;
    struct keyring ring = KEYRING_INIT;
    struct keyring_load how = {.log = &quiet, .ask = answer};
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    uint64_t cost;
    if (path == NULL)
        path = make_place();
    if (memchr(data, '/', size) != NULL)
        return 0;
    if (fd < 0 && (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        abort();
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    buffer_append(&text, data, size);
    if (keyring_crypt_cost(&text, &cost, &error) && cost > CHEAP)
        how.ask = NULL;
    buffer_free(&text);
    error_clear(&error);
    if (keyring_load(&ring, path, &how, &error))
        write_again(&ring);
    else if (error.code == ERROR_NONE || error.message[0] == '\0')
        abort();
    keyring_free(&ring);
    add_to(data, size);
    return 0;
}
