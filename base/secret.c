/* secret - see secret.h. */
#include "base/secret.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* Arena for keys and passphrases; well under the 8 MiB that Linux lets any user lock. */
enum { HEAP_BYTES = 1 << 20, HEAP_SMALLEST = 32, HEAP_LARGEST_SECRET = 16 << 10 };

void secret_process_init(bool *locked)
{
    /* Root can dump a process whatever its limits say, so leave its memory out of the dump. */
    int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (filter >= 0) {
        ssize_t ignored = write(filter, "0", 1);
        (void)ignored;
        close(filter);
    }
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* 1: locked and guarded; 2: guarded but mlock failed; 0: no arena at all. */
    *locked = CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_SMALLEST) == 1;
}

static size_t page_round(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/*
 * Pages that were freed and wiped, to be used again: a text or two is read for every layer of a
 * chain, and five system calls for each cost more than all the rest of opening it.
 */
enum { SPARE_MAX = 64 };

static struct {
    pthread_mutex_t lock;
    size_t count;
    void *pages[SPARE_MAX]; /* one page each */
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *take_spare(void)
{
    pthread_mutex_lock(&spare.lock);
    void *page = spare.count > 0 ? spare.pages[--spare.count] : NULL;
    pthread_mutex_unlock(&spare.lock);
    return page;
}

static bool keep_spare(void *page)
{
    pthread_mutex_lock(&spare.lock);
    bool kept = spare.count < SPARE_MAX;
    if (kept)
        spare.pages[spare.count++] = page;
    pthread_mutex_unlock(&spare.lock);
    return kept;
}

void *secret_pages_alloc(size_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX / 2)
        return NULL;
    size_t size = page_round(bytes);
    void *kept = size == page_round(1) ? take_spare() : NULL;
    if (kept != NULL) {
        /* The mark may have been taken off it for a fork (secret_fork.h). */
        madvise(kept, size, MADV_WIPEONFORK);
        return kept;
    }
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    /* Best effort, each: a small lock limit must not stop a recovery. */
    mlock(pages, size);
    madvise(pages, size, MADV_DONTDUMP);
    madvise(pages, size, MADV_WIPEONFORK);
    return pages;
}

void secret_pages_free(void *pages, size_t bytes)
{
    if (pages == NULL)
        return;
    OPENSSL_cleanse(pages, bytes);
    size_t size = page_round(bytes);
    if (size != page_round(1) || !keep_spare(pages))
        munmap(pages, size);
}

struct secret *secret_new(size_t length, struct error *error)
{
    struct secret *secret = calloc(1, sizeof *secret);
    if (secret == NULL) {
        error_memory(error);
        return NULL;
    }
    size_t size;
    if (__builtin_add_overflow(length, 1, &size)) {
        free(secret);
        error_memory(error);
        return NULL;
    }
    if (size <= HEAP_LARGEST_SECRET)
        secret->data = OPENSSL_secure_zalloc(size);
    if (secret->data == NULL) {
        secret->data = secret_pages_alloc(size);
        secret->mapped = size;
    }
    if (secret->data == NULL) {
        free(secret);
        error_memory(error);
        return NULL;
    }
    secret->length = length;
    return secret;
}

struct secret *secret_copy(const void *data, size_t length, struct error *error)
{
    struct secret *secret = secret_new(length, error);
    if (secret != NULL && length > 0)
        memcpy(secret->data, data, length);
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->mapped > 0)
        secret_pages_free(secret->data, secret->mapped);
    else
        OPENSSL_secure_clear_free(secret->data, secret->length + 1);
    free(secret);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->length == b->length && CRYPTO_memcmp(a->data, b->data, a->length) == 0;
}

void secret_wipe(void *data, size_t length)
{
    if (data != NULL)
        OPENSSL_cleanse(data, length);
}
