/* keyring_words - see keyring_words.h. */
#include "keywrap/keyring_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keywrap/secret_file.h"
#include "keywrap/source.h"

static const char key_form[] = "a key is given as [[PROVIDER/]ID=]FILE";

struct passphrase_form passphrase_form_words(const struct words *words)
{
    return (struct passphrase_form){.encoding = words_value(words, "passphrase-encoding"),
                                    .normalize = words_value(words, "passphrase-normalize")};
}

/* "[[PROVIDER/]ID=]FILE". The file begins behind the last '=' (an id may end in base64 padding), or
 * behind a '=' that comes first; the provider ends at the first '/' (a native provider's id may
 * hold more of them). */
static bool add_key(struct keyring *ring, const char *text, const struct keyring_load *load,
                    struct error *error)
{
    const char *equals = text[0] == '=' ? text : strrchr(text, '=');
    const char *file = equals == NULL ? text : equals + 1;
    if (file[0] == '\0')
        return error_set(error, ERROR_USAGE, "%s", key_form);
    char *id = strndup(text, equals == NULL ? 0 : (size_t)(equals - text));
    if (id == NULL)
        return error_memory(error);
    char *slash = strchr(id, '/');
    if (slash != NULL)
        *slash = '\0';
    const char *provider = slash != NULL ? id : NULL;
    const char *key_id = slash != NULL ? slash + 1 : id;
    struct source_options options = {.provider = provider == NULL || id[0] == '\0' ? NULL : id,
                                     .id = key_id[0] == '\0' ? NULL : key_id,
                                     .passphrases = ring,
                                     .ask = load};
    bool ok = source_read(file, &options, ring, NULL, load->log, error);
    if (!ok && equals == NULL && error->cause == ENOENT)
        error_prefix(error, "%s", key_form);
    free(id);
    return ok;
}

bool keyring_add_given_phrase(struct keyring *ring, struct keyring *unlock,
                              const struct words *words, const char *origin,
                              struct secret *passphrase, struct error *error)
{
    const struct passphrase_form form = passphrase_form_words(words);
    struct secret *copy = secret_copy(passphrase->data, passphrase->length, error);
    if (copy == NULL || !keyring_add_phrase(unlock, origin, copy, error)) {
        secret_free(passphrase);
        return false;
    }
    passphrase = passphrase_convert(passphrase, &form, error);
    return passphrase != NULL && keyring_add_phrase(ring, origin, passphrase, error);
}

static const char *origin_of(const char *file)
{
    return strcmp(file, "-") == 0 ? "standard input" : file;
}

bool keyring_add_words(struct keyring *ring, struct keyring *unlock, const struct words *words,
                       const struct keyring_load *load, struct error *error)
{
    struct keyring_load with = *load;
    with.unlock = unlock;
    const char *value;
    bool ok = keyring_cache_phrases(ring, error);
    for (size_t i = 0; ok && (value = words_value_at(words, "keyring-passphrase-file", i)) != NULL;
         i++) {
        struct secret *given = passphrase_file_read(value, load->log, error);
        ok = given != NULL && keyring_add_phrase(unlock, origin_of(value), given, error);
    }
    for (size_t i = 0; ok && (value = words_value_at(words, "passphrase-file", i)) != NULL; i++) {
        struct secret *given = passphrase_file_read(value, load->log, error);
        ok = given != NULL &&
             keyring_add_given_phrase(ring, unlock, words, origin_of(value), given, error);
    }
    for (size_t i = 0; ok && (value = words_value_at(words, "keyring", i)) != NULL; i++)
        ok = keyring_load(ring, value, &with, error);
    for (size_t i = 0; ok && (value = words_value_at(words, "key", i)) != NULL; i++)
        ok = add_key(ring, value, &with, error);
    return ok;
}
