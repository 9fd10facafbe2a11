/* cli_keys - keys and passphrases on the command line; see cli.h. Never a secret in argv. */
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "keywrap/keyring_words.h"
#include "keywrap/passphrase.h"
#include "tools/cli.h"

struct passphrase_form cli_passphrase_form(const struct cli *cli)
{
    const struct words words = cli_words(cli);
    return passphrase_form_words(&words);
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

bool cli_add_keyring(struct cli *cli, const char *path, struct error *error)
{
    struct keyring_load load = cli_keyring_load(cli);
    return keyring_load(&cli->ring, path, &load, error);
}

bool cli_keys(struct cli *cli, const char *prompt, struct error *error)
{
    bool given = cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
                 cli_value(cli, "passphrase-file") != NULL;
    const struct words words = cli_words(cli);
    const struct keyring_load load = cli_keyring_load(cli);
    if (!keyring_add_words(&cli->ring, &cli->unlock, &words, &load, error))
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
