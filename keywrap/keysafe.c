/* keysafe - see keysafe.h. */
#include "keywrap/keysafe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "keywrap/cryptodict.h"
#include "keywrap/nkp_derive.h"
#include "keywrap/nkp_memory.h"
#include "keywrap/phrase.h"

/* Products write one or two pairs. A passphrase pair costs seconds, so many are an attack. */
enum { MAX_PAIRS = 256 };

struct opening {
    const struct keyring *ring;
    struct keysafe_result *result;
    struct keysafe_attempt *attempt;
    struct secret *locked;
    enum seal_mac mac;
    uint64_t rounds_left; /* of PBKDF2 for native providers' candidates, over all pairs */
    struct error *error;  /* for what must stop the whole: memory */
};

/* What to tell of the pair at hand; a later note replaces an earlier one. */
__attribute__((format(printf, 2, 3))) static void note(struct opening *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(o->attempt->reason, sizeof o->attempt->reason, format, args);
    va_end(args);
}

/* Try one key on the pair at hand. True when it opened. Anything but "does not fit" is noted as
 * the reason, too: a damaged pair must not hide a sound one behind it. */
static bool try_key(struct opening *o, const struct secret *key, const char *what,
                    const char *origin)
{
    struct error error = ERROR_INIT;
    if (seal_open(key, o->mac, o->locked->data, o->locked->length, &o->result->plain, &error)) {
        note(o, "opened with %s%s%s", what, origin == NULL ? "" : " from ",
             origin == NULL ? "" : origin);
        return true;
    }
    if (error.code == ERROR_NO_KEY)
        note(o, "%s%s%s does not fit: %s does not hold", what, origin == NULL ? "" : " from ",
             origin == NULL ? "" : origin, seal_mac_name(o->mac));
    else
        note(o, "%s", error.message);
    return false;
}

/* nkp_search.fits: the pair's HMAC is the proof. */
static bool opens(void *context, const struct secret *kek)
{
    struct opening *o = context;
    struct error error = ERROR_INIT;
    return seal_open(kek, o->mac, o->locked->data, o->locked->length, &o->result->plain, &error);
}

/* Derive KEKs of a native provider's id from the KDKs of KIND that may fit. A key of another kind
 * counts when it was given the KDK's UUID as its id. */
static bool try_kdks(struct opening *o, struct nkp_search *search, const char *provider,
                     enum keyring_kind kind, size_t *kdks)
{
    struct keyring_search keys = {.kind = kind, .provider = provider, .id = search->id->kdk_uuid};
    const struct keyring_key *kdk;
    while ((kdk = keyring_next(o->ring, &keys)) != NULL) {
        struct error error = ERROR_INIT;
        if (kind != KEYRING_KDK && kdk->id == NULL)
            continue;
        ++*kdks;
        enum nkp_advice advice =
            nkp_memory_ask(o->ring->nkp, search->id->uuid, kdk->key, &search->hint);
        search->hint_only = advice == NKP_TRY_HINT;
        if (advice == NKP_TRY_NONE)
            continue;
        if (nkp_derive(search, kdk->key, &error)) {
            nkp_memory_tell(o->ring->nkp, search->id->uuid, kdk->key, search->found);
            note(o,
                 "opened with the KEK derived from the KDK %s from %s by %s (a hypothesis that "
                 "this pair's HMAC has now proved)",
                 search->id->kdk_uuid, kdk->origin == NULL ? "the keyring" : kdk->origin,
                 search->name);
            o->attempt->key = kdk;
            return true;
        }
        if (error.code != ERROR_NONE)
            note(o, "%s", error.message);
        else if (advice == NKP_TRY_ALL)
            nkp_memory_tell(o->ring->nkp, search->id->uuid, kdk->key, 0);
    }
    return false;
}

/* A native provider's id names a KDK; how the KEK follows from it is tried out. */
static bool try_native(struct opening *o, const struct nkp_id *id, const char *provider)
{
    struct nkp_search search = {
        .id = id, .fits = opens, .context = o, .rounds_left = &o->rounds_left};
    size_t kdks = 0;
    if (try_kdks(o, &search, provider, KEYRING_KDK, &kdks) ||
        try_kdks(o, &search, provider, KEYRING_KEK, &kdks))
        return true;
    if (kdks == 0 && o->attempt->reason[0] == '\0') {
        o->attempt->missing = true;
        note(o, "needs the KDK %s of native key provider \"%s\", which the keyring does not hold",
             id->kdk_uuid, provider);
    } else if (kdks > 0 && search.tried == 0) {
        note(o, "not tried: no way to derive a KEK that is known here fitted other things that the "
                "same KDK should open");
    } else if (kdks > 0) {
        note(o,
             "none of %zu ways to derive its KEK from %zu KDK%s fits%s: the KDK is another one, or "
             "the product does it in a way not known here, which we would like to hear of",
             search.tried, kdks, kdks == 1 ? "" : "s",
             search.cut_short ? " (those of too many PBKDF2 rounds were left out)" : "");
    }
    return false;
}

static bool try_fqid(struct opening *o, const struct locator *locker)
{
    const char *provider = locator_text(locker, LOCATOR_FQID_SERVER);
    const char *id = locator_text(locker, LOCATOR_FQID_KEY);
    struct keyring_search search = {.kind = KEYRING_KEK, .provider = provider, .id = id};
    const struct keyring_key *key;
    size_t named = 0, nameless = 0; /* keys tried, of that id and without one */
    while ((key = keyring_next(o->ring, &search)) != NULL) {
        if (try_key(o, key->key, "the key", key->origin)) {
            o->attempt->key = key;
            return true;
        }
        if (key->id != NULL)
            named++;
        else
            nameless++;
    }
    struct nkp_id native;
    if (nkp_id_decode(id, &native))
        return try_native(o, &native, provider);
    /* What a PKCS#12 file holds is taken for a KDK, but may be this KEK. */
    search = (struct keyring_search){.kind = KEYRING_KDK, .provider = provider, .id = id};
    while ((key = keyring_next(o->ring, &search)) != NULL)
        if (opens(o, key->key)) {
            note(o, "opened with the key from %s", key->origin);
            o->attempt->key = key;
            return true;
        }
    o->attempt->missing = named == 0;
    if (named == 0 && nameless == 0)
        note(o, "needs KEK %s from provider \"%s\", which the keyring does not hold", id, provider);
    else if (named == 0)
        note(o,
             "needs KEK %s from provider \"%s\", which the keyring does not hold; of %zu key%s "
             "without an id none fits: %s does not hold",
             id, provider, nameless, nameless == 1 ? "" : "s", seal_mac_name(o->mac));
    return false;
}

static bool try_phrases(struct opening *o, const struct locator *locker)
{
    const struct locator_field *keygen = &locker->fields[LOCATOR_PHRASE_KEYGEN];
    struct phrase_params params;
    struct error error = ERROR_INIT;
    if (!phrase_params_parse(keygen->value, keygen->length, &params, &error)) {
        note(o, "%s", error.message);
        return false;
    }
    o->attempt->missing = o->ring->phrase_count == 0;
    if (o->attempt->missing)
        note(o, "needs a passphrase, and none was given");
    for (size_t i = 0; i < o->ring->phrase_count; i++) {
        const struct keyring_phrase *phrase = &o->ring->phrases[i];
        struct secret *key = keyring_phrase_key(o->ring, i, &params, &error);
        bool opened = key != NULL && try_key(o, key, "the passphrase", phrase->origin);
        if (key == NULL)
            note(o, "%s", error.message);
        secret_free(key);
        if (opened) {
            o->attempt->phrase = phrase;
            return true;
        }
    }
    return false;
}

/* A rawkey carries its key: a crypto dictionary or the bare bytes. */
static bool try_rawkey(struct opening *o, const struct locator *locker)
{
    struct error error = ERROR_INIT;
    struct crypto_key key;
    if (!crypto_key_parse((char *)locker->key->data, locker->key->length, &key, &error))
        return try_key(o, locker->key, "the raw key in the locator", NULL);
    bool opened = try_key(o, key.key, "the raw key in the locator", NULL);
    crypto_key_free(&key);
    return opened;
}

static bool try_locker(struct opening *o, const struct locator *locker)
{
    switch (locker->type) {
    case LOCATOR_FQID:
        return try_fqid(o, locker);
    case LOCATOR_PHRASE:
        return try_phrases(o, locker);
    case LOCATOR_RAWKEY:
        return try_rawkey(o, locker);
    case LOCATOR_LIST:
        for (size_t i = 0; i < locker->child_count; i++)
            if (try_locker(o, locker->children[i]))
                return true;
        return false;
    default:
        note(o, "is locked by a '%s' locator, whose keys cannot be had offline",
             locator_type_name(locker->type));
        return false;
    }
}

/* Try one pair; *opened tells. False only when the whole cannot go on. */
static bool try_pair(struct opening *o, const struct locator *pair, bool *opened)
{
    struct keysafe_result *r = o->result;
    *opened = false;
    if (r->attempt_count == MAX_PAIRS)
        return error_set(o->error, ERROR_DAMAGED, "a key safe of more than %d pairs", MAX_PAIRS);
    struct keysafe_attempt *grown = realloc(r->attempts, (r->attempt_count + 1) * sizeof *grown);
    if (grown == NULL)
        return error_memory(o->error);
    r->attempts = grown;
    o->attempt = &r->attempts[r->attempt_count++];
    *o->attempt = (struct keysafe_attempt){.locker = pair->children[0]};
    struct error error = ERROR_INIT;
    if (!seal_mac_parse(locator_text(pair, LOCATOR_PAIR_MAC), &o->mac, &error) ||
        (o->locked = locator_pair_data(pair, &error)) == NULL) {
        note(o, "%s", error.message);
        return true;
    }
    *opened = try_locker(o, pair->children[0]);
    secret_free(o->locked);
    o->locked = NULL;
    if (*opened) {
        o->attempt->opened = true;
        r->opened = r->attempt_count - 1;
        r->mac = o->mac;
    }
    return true;
}

static bool try_all(struct opening *o, const struct locator *locator, bool *opened)
{
    if (locator->type == LOCATOR_PAIR)
        return try_pair(o, locator, opened);
    bool ok = true;
    if (locator->type == LOCATOR_LIST)
        for (size_t i = 0; ok && !*opened && i < locator->child_count; i++)
            ok = try_all(o, locator->children[i], opened);
    return ok;
}

/* The reason to show first: a key that is missing, else the first one noted. */
static bool no_key_fits(const struct keysafe_result *r, struct error *error)
{
    if (r->attempt_count == 0)
        return error_set(error, ERROR_DAMAGED, "the key safe holds no pair");
    const struct keysafe_attempt *best = &r->attempts[0];
    for (size_t i = r->attempt_count; i-- > 0;)
        if (r->attempts[i].missing)
            best = &r->attempts[i];
    const struct locator *locker = best->locker;
    struct nkp_id native;
    error_set(error, ERROR_NO_KEY, "no key opens it: %s", best->reason);
    size_t used = strlen(error->message);
    if (best->missing && locker->type == LOCATOR_FQID &&
        nkp_id_decode(locator_text(locker, LOCATOR_FQID_KEY), &native))
        snprintf(error->message + used, sizeof error->message - used,
                 "; give the provider's backup with --key FILE.p12");
    else if (best->missing && locker->type == LOCATOR_FQID)
        snprintf(error->message + used, sizeof error->message - used,
                 "; add it with --key '%s/%s=FILE'", locator_text(locker, LOCATOR_FQID_SERVER),
                 locator_text(locker, LOCATOR_FQID_KEY));
    else if (best->missing)
        snprintf(error->message + used, sizeof error->message - used,
                 "; give it with --passphrase-file FILE");
    used = strlen(error->message);
    if (r->attempt_count > 1)
        snprintf(error->message + used, sizeof error->message - used,
                 " (%zu pairs were tried; -v lists them)", r->attempt_count);
    return false;
}

bool keysafe_open(const struct locator *safe, const struct keyring *ring,
                  struct keysafe_result *result, struct error *error)
{
    *result = (struct keysafe_result){0};
    struct opening o = {
        .ring = ring, .result = result, .rounds_left = NKP_ROUNDS_BUDGET, .error = error};
    bool opened = false;
    if (!try_all(&o, safe, &opened))
        return false;
    return opened || no_key_fits(result, error);
}

void keysafe_result_free(struct keysafe_result *result)
{
    buffer_free(&result->plain);
    free(result->attempts);
    *result = (struct keysafe_result){0};
}
