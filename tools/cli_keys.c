/* cli_keys - keys and passphrases on the command line; see cli.h. Never a secret in argv. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "keywrap/passphrase.h"
#include "keywrap/secret_file.h"
#include "keywrap/source.h"
#include "tools/cli.h"

struct passphrase_form cli_passphrase_form(const struct cli *cli)
{
    return (struct passphrase_form){.encoding = cli_value(cli, "passphrase-encoding"),
                                    .normalize = cli_value(cli, "passphrase-normalize")};
}

static struct secret *ask(void *context, const char *what, struct error *error)
{
    (void)context;
    return cli_ask(what, error);
}

struct keyring_load cli_keyring_load(struct cli *cli)
{
    return (struct keyring_load){
        .log = &cli->log, .ask = isatty(STDIN_FILENO) == 1 ? ask : NULL, .unlock = &cli->unlock};
}

/* "[[PROVIDER/]ID=]FILE". The file begins behind the last '=' (an id may end in base64 padding), or
 * behind a '=' that comes first; the provider ends at the first '/' (a native provider's id may
 * hold more of them). */
static bool add_key(struct cli *cli, const char *text, struct error *error)
{
    const char *equals = text[0] == '=' ? text : strrchr(text, '=');
    const char *file = equals == NULL ? text : equals + 1;
    if (file[0] == '\0')
        return error_set(error, ERROR_USAGE, "--key takes [[PROVIDER/]ID=]FILE");
    char *id = strndup(text, equals == NULL ? 0 : (size_t)(equals - text));
    if (id == NULL)
        return error_memory(error);
    char *slash = strchr(id, '/');
    if (slash != NULL)
        *slash = '\0';
    const char *provider = slash != NULL ? id : NULL;
    const char *key_id = slash != NULL ? slash + 1 : id;
    struct keyring_load load = cli_keyring_load(cli);
    struct source_options options = {.provider = provider == NULL || id[0] == '\0' ? NULL : id,
                                     .id = key_id[0] == '\0' ? NULL : key_id,
                                     .passphrases = &cli->ring,
                                     .ask = &load};
    bool ok = source_read(file, &options, &cli->ring, NULL, &cli->log, error);
    if (!ok && equals == NULL && error->cause == ENOENT)
        error_prefix(error, "--key takes [[PROVIDER/]ID=]FILE");
    free(id);
    return ok;
}

bool cli_add_keyring(struct cli *cli, const char *path, struct error *error)
{
    struct keyring_load load = cli_keyring_load(cli);
    return keyring_load(&cli->ring, path, &load, error);
}

/* One more passphrase: to be tried on VMs unless VMS is false, and on keyrings. */
static bool add_passphrase(struct cli *cli, const char *file, bool vms, struct error *error)
{
    const char *origin = strcmp(file, "-") == 0 ? "standard input" : file;
    const struct passphrase_form form = cli_passphrase_form(cli);
    struct secret *given = passphrase_file_read(file, &cli->log, error);
    struct secret *copy = given == NULL ? NULL : secret_copy(given->data, given->length, error);
    bool ok = copy != NULL && keyring_add_phrase(&cli->unlock, origin, copy, error);
    if (!ok || !vms) {
        secret_free(given);
        return ok;
    }
    given = passphrase_convert(given, &form, error);
    return given != NULL && keyring_add_phrase(&cli->ring, origin, given, error);
}

/* Passphrases before what they may open. */
static bool add_given(struct cli *cli, struct error *error)
{
    const char *value;
    bool ok = keyring_cache_phrases(&cli->ring, error);
    for (size_t i = 0; ok && (value = cli_value_at(cli, "keyring-passphrase-file", i)) != NULL; i++)
        ok = add_passphrase(cli, value, false, error);
    for (size_t i = 0; ok && (value = cli_value_at(cli, "passphrase-file", i)) != NULL; i++)
        ok = add_passphrase(cli, value, true, error);
    for (size_t i = 0; ok && (value = cli_value_at(cli, "keyring", i)) != NULL; i++)
        ok = cli_add_keyring(cli, value, error);
    for (size_t i = 0; ok && (value = cli_value_at(cli, "key", i)) != NULL; i++)
        ok = add_key(cli, value, error);
    return ok;
}

bool cli_keys(struct cli *cli, const char *prompt, struct error *error)
{
    bool given = cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
                 cli_value(cli, "passphrase-file") != NULL;
    if (!add_given(cli, error))
        return false;
    if (prompt == NULL || given || isatty(STDIN_FILENO) != 1)
        return true;
    const struct passphrase_form form = cli_passphrase_form(cli);
    struct secret *passphrase = cli_ask(prompt, error);
    if (passphrase != NULL)
        passphrase = passphrase_convert(passphrase, &form, error);
    return passphrase != NULL && keyring_add_phrase(&cli->ring, "the terminal", passphrase, error);
}

const struct keyring_key *cli_find_kek(struct cli *cli, const char *text, struct error *error)
{
    const struct keyring_key *found = NULL;
    size_t matches = 0;
    const char *slash = text == NULL ? NULL : strchr(text, '/');
    if (slash == NULL || slash[1] == '\0') {
        error_set(error, ERROR_USAGE, "a key that is to lock something is named PROVIDER/ID");
        return NULL;
    }
    size_t provider_length = (size_t)(slash - text);
    for (size_t i = 0; i < cli->ring.key_count; i++) {
        const struct keyring_key *key = &cli->ring.keys[i];
        if (key->kind == KEYRING_KEK && key->provider != NULL && key->id != NULL &&
            strlen(key->provider) == provider_length &&
            memcmp(key->provider, text, provider_length) == 0 && strcmp(key->id, slash + 1) == 0) {
            found = key;
            matches++;
        }
    }
    if (matches == 1)
        return found;
    error_set(error, ERROR_NO_KEY,
              matches == 0 ? "no key '%.300s' in hand; add it with --key '%.300s=FILE'"
                           : "more than one key '%.300s' in hand%.0s",
              text, text);
    return NULL;
}
