/*
 * cli - what all commands share: options, help, keys, messages, progress, exit status.
 *
 * A tool is a table of commands; cli_main parses, checks the number of operands and calls one.
 * Results go to standard output, talk to standard error. Exit status = error code (error.h).
 */
#ifndef VMCRYPT_TOOLS_CLI_H
#define VMCRYPT_TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/words.h"
#include "keywrap/keyring.h"
#include "keywrap/passphrase.h"

struct cli;

struct cli_option {
    const char *name;     /* long name without dashes */
    char letter;          /* short one, or 0 */
    const char *argument; /* its name in the help, "FILE"; NULL for a flag */
    const char *help;     /* one line */
};

/* Options that several commands share. */
struct cli_options {
    const struct cli_option *options;
    size_t count;
};

struct cli_command {
    const char *name;     /* "decrypt"; NULL in a tool that has one command only */
    const char *operands; /* "VM.vmx [OUT]" */
    const char *summary;  /* one line, no full stop */
    const struct cli_option *options;
    size_t option_count;
    const struct cli_options *shared; /* more of them; NULL for none */
    bool takes_keys;                  /* --keyring, --key, --passphrase-file … */
    bool takes_json;                  /* --json */
    size_t min_operands, max_operands;
    int (*run)(struct cli *cli); /* returns the exit status */
};

struct cli_program {
    const char *name; /* "vmcrypt-vmx" */
    const char *summary;
    const struct cli_command *commands;
    size_t command_count;
};

struct cli {
    const struct cli_program *program;
    const struct cli_command *command;
    struct log log;
    bool json;
    bool show_progress;
    bool json_progress; /* as lines of JSON */
    size_t operand_count;
    char **operands;
    struct keyring ring;   /* filled by cli_keys */
    struct keyring unlock; /* passphrases for encrypted keyrings, by cli_keys */
    /* what was given, in order; see cli_value */
    size_t given_count;
    struct cli_given *given;
    /* the job that shows progress; see cli_progress */
    struct progress progress;
    const char *job;
    const uint64_t *job_holes;     /* bytes skipped so far; NULL: not known */
    uint64_t job_done;             /* as it was told last */
    double job_started, job_shown; /* seconds, monotonic; shown 0: no line on the terminal */
};

int cli_main(const struct cli_program *program, int argc, char **argv);

/* The argument last given to option NAME; NULL when it was not given. A flag that was given has
 * the value "". */
const char *cli_value(const struct cli *cli, const char *name);
/* The I-th argument given to NAME, in order; NULL past the last. */
const char *cli_value_at(const struct cli *cli, const char *name, size_t i);
/* All of them, for those rooms that read them themselves. */
struct words cli_words(const struct cli *cli);

/* The number from 1 to MOST given to option NAME, 0 when it was not given; false for another. */
bool cli_number(const struct cli *cli, const char *name, unsigned most, unsigned *value,
                struct error *error);

/* Fill cli->ring from --passphrase-file, --keyring and --key, in that order, so that passphrases
 * are at hand for what they open. When PROMPT is set, none of the three was given and standard
 * input is a terminal, ask for a passphrase there. */
bool cli_keys(struct cli *cli, const char *prompt, struct error *error);

/* Add what the keyring file at PATH holds to cli->ring. */
bool cli_add_keyring(struct cli *cli, const char *path, struct error *error);

/* How keyrings and sources are to be read: what opens encrypted ones is what cli_keys has found,
 * and the user is asked when standard input is a terminal. */
struct keyring_load cli_keyring_load(struct cli *cli);

/* Ask for a passphrase at the terminal, without echo. */
struct secret *cli_ask(const char *prompt, struct error *error);

/* Ask for a new passphrase twice, or read it from FILE when it is not NULL; in the form that
 * --passphrase-encoding and --passphrase-normalize say. */
struct secret *cli_new_passphrase(struct cli *cli, const char *file, struct error *error);
/* The same for a keyring, whose passphrase is taken as it is. */
struct secret *cli_new_keyring_passphrase(struct cli *cli, const char *file, struct error *error);
/* What these two options say. */
struct passphrase_form cli_passphrase_form(const struct cli *cli);

/* Look up "PROVIDER/ID" (a NULL text is an error) in cli->ring; exactly one key must match. */
const struct keyring_key *cli_find_kek(struct cli *cli, const char *text, struct error *error);

/* Print "PROGRAM: FILE: message (at byte N)" and return the exit status that goes with it. */
int cli_fail(const struct cli *cli, const struct error *error);

/* Print a JSON document on standard output and release it; returns the exit status STATUS, or 1
 * when it could not be written. */
int cli_print_json(json_t *document, int status);

/* Text of untrusted origin made safe for a terminal: control and undecodable bytes are shown as
 * \xNN. Returns one of a few rotating buffers. */
const char *cli_printable(const char *text);

/* A progress line on standard error for a job called NAME, shown when it is wanted, which in any
 * case stops the job when the user interrupts (SIGINT, SIGTERM, SIGHUP), and tells once how far it
 * is on SIGUSR1. With --progress=json each line is an object: version, job, done, total (bytes),
 * holes (of done; null when not known), rate (bytes per second), eta (seconds; null when not
 * known). One job at a time. */
const struct progress *cli_progress(struct cli *cli, const char *name);
/* Take the line off the terminal again. */
void cli_progress_end(struct cli *cli);

#endif
