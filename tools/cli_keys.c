/* cli_keys - keys and passphrases on the command line; see cli.h. Never a secret in argv. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"
#include "tools/cli.h"

enum { PASSPHRASE_MAX = 4096 };

/* "[PROVIDER/]ID=FILE". The file begins behind the last '=' (an id may end in base64 padding),
 * the provider ends at the first '/' (a native provider's id may hold more of them). */
static bool add_key(struct cli *cli, const char *text, struct error *error)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals[1] == '\0' || equals == text)
        return error_set(error, ERROR_USAGE, "--key takes [PROVIDER/]ID=FILE");
    char *id = strndup(text, (size_t)(equals - text));
    if (id == NULL)
        return error_memory(error);
    char *slash = strchr(id, '/');
    if (slash != NULL)
        *slash = '\0';
    const char *provider = slash != NULL ? id : NULL;
    const char *key_id = slash != NULL ? slash + 1 : id;
    struct secret *key = key_file_read(equals + 1, "auto", &cli->log, error);
    bool ok =
        key != NULL && keyring_add_key(&cli->ring, provider, key_id[0] == '\0' ? NULL : key_id,
                                       equals + 1, key, error);
    free(id);
    return ok;
}

/* Read one line from the terminal without echo. The terminal is put back on every path; signals
 * that would end the program meanwhile wait until that is done. */
static struct secret *ask(const char *prompt, struct error *error)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, silent;
    if (tty < 0 || tcgetattr(tty, &before) != 0) {
        if (tty >= 0)
            close(tty);
        error_set(error, ERROR_USAGE, "no terminal to ask for a passphrase; use --passphrase-file");
        return NULL;
    }
    struct secret *line = secret_new(PASSPHRASE_MAX, error);
    sigset_t held, old;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGTSTP);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, &old);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    tcsetattr(tty, TCSAFLUSH, &silent);
    size_t length = 0;
    bool ended = false, refused = false;
    if (line != NULL && dprintf(tty, "%s: ", prompt) > 0) {
        while (!ended && length < PASSPHRASE_MAX) {
            ssize_t n = read(tty, line->data + length, 1);
            if (n < 0 && errno == EINTR)
                continue;
            /* ISIG is off, so that Ctrl-C arrives here and means what it always means. */
            refused = n != 1 || line->data[length] == before.c_cc[VINTR];
            ended = refused || line->data[length] == '\n';
            length += ended ? 0 : 1;
        }
    }
    tcsetattr(tty, TCSAFLUSH, &before);
    dprintf(tty, "\n");
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(tty);
    struct secret *passphrase = NULL;
    if (line != NULL && ended && !refused)
        passphrase = secret_copy(line->data, length, error);
    else if (line != NULL)
        error_set(error, ERROR_FAILED, refused ? "interrupted" : "the passphrase is too long");
    secret_free(line);
    return passphrase;
}

bool cli_keys(struct cli *cli, const char *prompt, struct error *error)
{
    const char *value;
    for (size_t i = 0; (value = cli_value_at(cli, "keyring", i)) != NULL; i++)
        if (!keyring_load(&cli->ring, value, &cli->log, error))
            return false;
    for (size_t i = 0; (value = cli_value_at(cli, "key", i)) != NULL; i++)
        if (!add_key(cli, value, error))
            return false;
    for (size_t i = 0; (value = cli_value_at(cli, "passphrase-file", i)) != NULL; i++) {
        struct secret *passphrase = passphrase_file_read(value, &cli->log, error);
        if (passphrase == NULL ||
            !keyring_add_phrase(&cli->ring, strcmp(value, "-") == 0 ? "standard input" : value,
                                passphrase, error))
            return false;
    }
    bool given = cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
                 cli_value(cli, "passphrase-file") != NULL;
    if (prompt == NULL || given || isatty(STDIN_FILENO) != 1)
        return true;
    struct secret *passphrase = ask(prompt, error);
    return passphrase != NULL && keyring_add_phrase(&cli->ring, "the terminal", passphrase, error);
}

struct secret *cli_new_passphrase(struct cli *cli, const char *file, struct error *error)
{
    struct secret *first =
        file != NULL ? passphrase_file_read(file, &cli->log, error) : ask("New passphrase", error);
    if (first == NULL)
        return NULL;
    struct secret *second = file != NULL ? NULL : ask("Again", error);
    bool ok = file != NULL || second != NULL;
    if (ok && file == NULL && !secret_equal(first, second))
        ok = error_set(error, ERROR_USAGE, "the two passphrases differ");
    if (ok && first->length == 0)
        ok = error_set(error, ERROR_USAGE, "an empty passphrase protects nothing");
    secret_free(second);
    if (ok)
        return first;
    secret_free(first);
    return NULL;
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
        if (key->provider != NULL && key->id != NULL && strlen(key->provider) == provider_length &&
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
