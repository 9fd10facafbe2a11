/* source_pkcs12 - PKCS#12 files, above all backups of Native Key Providers; see source.h.
 *
 * All that may be a key is taken for a KDK: which one is right shows when it opens something. */
#include <stdio.h>
#include <string.h>

#include "keywrap/nkp_id.h"
#include "keywrap/pkcs12.h"
#include "keywrap/source.h"

/* The id that the user gave: a KDK's UUID, or a whole key id, which names one. */
static const char *given_id(const struct source *source, struct nkp_id *id)
{
    const char *given = source->options->id;
    return given != NULL && nkp_id_decode(given, id) ? id->kdk_uuid : given;
}

static bool add(struct source *source, const struct pkcs12 *p12, const struct pkcs12_key *found,
                struct error *error)
{
    const struct pkcs12_bag *bag = &p12->bags[found->bag];
    const struct pkcs12_fact *uuid = bag->uuid.from != NULL ? &bag->uuid : &p12->uuid;
    const struct pkcs12_fact *provider =
        bag->provider.from != NULL ? &bag->provider : &p12->provider;
    char origin[1024];
    struct nkp_id nkp;
    struct keyring_key key = {.kind = KEYRING_KDK,
                              .provider = source->options->provider,
                              .id = given_id(source, &nkp),
                              .origin = origin};
    snprintf(origin, sizeof origin, "%s (bag %zu)", source->path, found->bag + 1);
    if (key.id == NULL && uuid->from != NULL)
        key.id = uuid->text;
    /* A key with a provider but no id would be kept from keys of other providers; a name that is
     * only inferred must not do that. */
    if (key.provider == NULL && key.id != NULL && provider->from != NULL)
        key.provider = provider->text;
    log_say(source->log, LOG_INFO,
            "%s: bag %zu: %s, taken for a KDK (inferred); its UUID: %s%s%s; its provider: %s%s%s",
            source->path, found->bag + 1, found->where, key.id == NULL ? "unknown" : key.id,
            key.id == uuid->text ? ", inferred from " : "", key.id == uuid->text ? uuid->from : "",
            key.provider == NULL ? "unknown" : key.provider,
            key.provider == provider->text ? ", inferred from " : "",
            key.provider == provider->text ? provider->from : "");
    key.key = secret_copy(found->key->data, found->key->length, error);
    return key.key != NULL && source_add(source, &key, error);
}

/* Read the file, asking for its passphrase when none in hand opens it. NULL with *error. */
static struct pkcs12 *read_file(struct source *source, struct error *error)
{
    const struct buffer *file = source->file;
    const struct keyring_load *ask = source->options->ask;
    struct keyring asked = KEYRING_INIT;
    struct pkcs12 *p12 =
        pkcs12_read(buffer_text(file), file->length, source->options->passphrases, error);
    if (p12 == NULL || pkcs12_usable(p12, error))
        return p12;
    bool wrong = p12->password == PKCS12_PASSWORD_WRONG && error->code == ERROR_NO_KEY;
    pkcs12_free(p12);
    p12 = NULL;
    if (!wrong || ask == NULL || ask->ask == NULL || ask->passive)
        return NULL;
    char what[600];
    snprintf(what, sizeof what, "Passphrase of %s", source->path);
    error_clear(error);
    struct secret *phrase = ask->ask(ask->context, what, error);
    if (phrase != NULL && keyring_add_phrase(&asked, "the terminal", phrase, error))
        p12 = pkcs12_read(buffer_text(file), file->length, &asked, error);
    keyring_free(&asked);
    if (p12 == NULL || pkcs12_usable(p12, error))
        return p12;
    pkcs12_free(p12);
    return NULL;
}

enum source_verdict source_pkcs12(struct source *source, struct error *error)
{
    if (!pkcs12_is(buffer_text(source->file), source->file->length))
        return SOURCE_NOT_THIS;
    error_clear(error);
    struct pkcs12 *p12 = read_file(source, error);
    bool ok = p12 != NULL;
    if (ok && p12->has_mac && !p12->mac_holds)
        log_say(source->log, LOG_WARN,
                "%s: its MAC could not be checked (no passphrase in hand fits)", source->path);
    for (size_t i = 0; ok && i < p12->key_count; i++)
        ok = add(source, p12, &p12->keys[i], error);
    pkcs12_free(p12);
    return ok ? SOURCE_READ : SOURCE_REFUSED;
}
