/* cli_ask - passphrases from the terminal, and new ones; see cli.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"
#include "keywrap/passphrase.h"
#include "keywrap/secret_file.h"
#include "tools/cli.h"

enum { LINE_MAX_BYTES = 4096 };

/* Read one line from the terminal without echo. The terminal is put back on every path; signals
 * that would end the program meanwhile wait until that is done. */
struct secret *cli_ask(const char *prompt, struct error *error)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, silent;
    if (tty < 0 || tcgetattr(tty, &before) != 0) {
        if (tty >= 0)
            close(tty);
        error_set(error, ERROR_USAGE, "no terminal to ask for a passphrase; use --passphrase-file");
        return NULL;
    }
    struct secret *line = secret_new(LINE_MAX_BYTES, error);
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
    if (line != NULL && dprintf(tty, "%s: ", cli_printable(prompt)) > 0) {
        while (!ended && length < LINE_MAX_BYTES) {
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

struct secret *cli_new_keyring_passphrase(struct cli *cli, const char *file, struct error *error)
{
    struct secret *first = file != NULL ? passphrase_file_read(file, &cli->log, error)
                                        : cli_ask("New passphrase", error);
    if (first == NULL)
        return NULL;
    struct secret *second = file != NULL ? NULL : cli_ask("Again", error);
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

struct secret *cli_new_passphrase(struct cli *cli, const char *file, struct error *error)
{
    struct passphrase_form form = cli_passphrase_form(cli);
    struct secret *passphrase = cli_new_keyring_passphrase(cli, file, error);
    return passphrase == NULL ? NULL : passphrase_convert(passphrase, &form, error);
}
