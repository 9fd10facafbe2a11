/* keysafe_make - locking something for a passphrase or a KEK; see keysafe.h. */
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/encode.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keysafe.h"
#include "keywrap/phrase.h"

/* Sizes as Workstation makes them [real sample]. */
enum { PHRASE_ID_BYTES = 8, SALT_BYTES = 16 };

static bool add_text(struct locator *locator, const char *text, struct error *error)
{
    return locator_add_field(locator, text, strlen(text), error);
}

static bool add_base64(struct locator *locator, const void *data, size_t length,
                       struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = base64_encode(data, length, &text) || error_memory(error);
    ok = ok && locator_add_field(locator, buffer_text(&text), text.length, error);
    buffer_free(&text);
    return ok;
}

static bool fill_fqid(struct locator *locator, const struct keyring_key *kek, struct error *error)
{
    if (kek->provider == NULL || kek->id == NULL)
        return error_set(error, ERROR_USAGE,
                         "a key that is to lock something needs its provider and its id");
    return locator_add_field(locator, NULL, 0, error) && add_text(locator, kek->provider, error) &&
           add_text(locator, kek->id, error);
}

static bool fill_phrase(struct locator *locator, const struct keysafe_locker *locker,
                        struct secret **key, struct error *error)
{
    struct phrase_params params = {.rounds = locker->rounds, .salt_length = SALT_BYTES};
    uint8_t id[PHRASE_ID_BYTES];
    snprintf(params.pass2key, sizeof params.pass2key, "%s", locker->pass2key);
    snprintf(params.cipher, sizeof params.cipher, "%s", locker->cipher);
    if (locker->rounds == 0 || locker->rounds > PHRASE_MAX_ROUNDS ||
        cipher_key_bytes(params.cipher) == 0)
        return error_set(error, ERROR_USAGE,
                         "PBKDF2 takes 1 to %d rounds and a known cipher, not %u and '%s'",
                         PHRASE_MAX_ROUNDS, locker->rounds, params.cipher);
    if (RAND_bytes(id, sizeof id) != 1 || RAND_bytes(params.salt, SALT_BYTES) != 1)
        return error_set(error, ERROR_FAILED, "the random number generator failed");
    *key = phrase_derive(&params, locker->passphrase, error);
    struct buffer keygen = BUFFER_INIT;
    bool ok = *key != NULL && add_base64(locator, id, sizeof id, error);
    if (ok && !phrase_params_write(&params, &keygen))
        ok = error_memory(error);
    ok = ok && locator_add_field(locator, buffer_text(&keygen), keygen.length, error);
    buffer_free(&keygen);
    return ok;
}

/* A pair of LOCKED under KEY; takes over LOCKER_NODE. */
static struct locator *make_pair(struct locator *locker_node, const struct secret *key,
                                 enum seal_mac mac, const void *plain, size_t length,
                                 struct error *error)
{
    struct buffer sealed = BUFFER_INIT;
    struct locator *pair = locator_new(LOCATOR_PAIR, error);
    if (pair == NULL) {
        locator_free(locker_node);
        return NULL;
    }
    bool ok = locator_add_child(pair, locker_node, error) &&
              seal_make(key, mac, plain, length, &sealed, error) &&
              add_text(pair, seal_mac_name(mac), error) &&
              add_base64(pair, buffer_text(&sealed), sealed.length, error);
    buffer_free(&sealed);
    if (ok)
        return pair;
    locator_free(pair);
    return NULL;
}

struct locator *keysafe_make(const struct keysafe_locker *locker, enum seal_mac mac,
                             const void *plain, size_t length, struct error *error)
{
    struct secret *derived = NULL;
    struct locator *node = locator_new(locker->kek != NULL ? LOCATOR_FQID : LOCATOR_PHRASE, error);
    if (node == NULL)
        return NULL;
    bool ok = locker->kek != NULL ? fill_fqid(node, locker->kek, error)
                                  : fill_phrase(node, locker, &derived, error);
    struct locator *pair = NULL;
    if (ok)
        pair = make_pair(node, locker->kek != NULL ? locker->kek->key : derived, mac, plain, length,
                         error);
    else
        locator_free(node);
    secret_free(derived);
    struct locator *list = pair == NULL ? NULL : locator_new(LOCATOR_LIST, error);
    if (list == NULL) {
        locator_free(pair);
        return NULL;
    }
    if (locator_add_child(list, pair, error))
        return list;
    locator_free(list);
    return NULL;
}
