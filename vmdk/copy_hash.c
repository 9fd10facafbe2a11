/* copy_hash - see copy_hash.h. */
#include "vmdk/copy_hash.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct copy_hash {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool stop;
    uint64_t next[COPY_SIDES];
    EVP_MD_CTX *context[COPY_SIDES];
};

struct copy_hash *copy_hash_new(struct error *error)
{
    struct copy_hash *h = calloc(1, sizeof *h);
    if (h == NULL) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->turn, NULL);
    for (int side = 0; side < COPY_SIDES; side++) {
        h->context[side] = EVP_MD_CTX_new();
        if (h->context[side] == NULL ||
            EVP_DigestInit_ex(h->context[side], EVP_sha256(), NULL) != 1) {
            error_set(error, ERROR_FAILED, "cannot compute SHA-256");
            copy_hash_free(h);
            return NULL;
        }
    }
    return h;
}

void copy_hash_free(struct copy_hash *h)
{
    if (h == NULL)
        return;
    for (int side = 0; side < COPY_SIDES; side++)
        EVP_MD_CTX_free(h->context[side]);
    pthread_cond_destroy(&h->turn);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static bool stopped(struct copy_hash *h)
{
    pthread_mutex_lock(&h->lock);
    bool stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    return stop;
}

static bool add_zeros(struct copy_hash *h, EVP_MD_CTX *context, uint64_t length)
{
    enum { ZEROS = 1 << 16 };
    static const uint8_t zeros[ZEROS];
    while (length > 0 && !stopped(h)) {
        size_t part = length < ZEROS ? (size_t)length : ZEROS;
        if (EVP_DigestUpdate(context, zeros, part) != 1)
            return false;
        length -= part;
    }
    return true;
}

bool copy_hash_add(struct copy_hash *h, enum copy_side side, uint64_t number, const void *data,
                   uint64_t length, struct error *error)
{
    pthread_mutex_lock(&h->lock);
    while (!h->stop && h->next[side] != number)
        pthread_cond_wait(&h->turn, &h->lock);
    bool stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    if (stop)
        return false;
    bool ok = data == NULL ? add_zeros(h, h->context[side], length)
                           : EVP_DigestUpdate(h->context[side], data, (size_t)length) == 1;
    if (!ok)
        return error_set(error, ERROR_FAILED, "cannot compute SHA-256");
    pthread_mutex_lock(&h->lock);
    h->next[side]++;
    pthread_cond_broadcast(&h->turn);
    pthread_mutex_unlock(&h->lock);
    return true;
}

void copy_hash_stop(struct copy_hash *h)
{
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_broadcast(&h->turn);
    pthread_mutex_unlock(&h->lock);
}

bool copy_hash_finish(struct copy_hash *h, enum copy_side side, uint8_t *digest,
                      struct error *error)
{
    return EVP_DigestFinal_ex(h->context[side], digest, NULL) == 1 ||
           error_set(error, ERROR_FAILED, "cannot compute SHA-256");
}
