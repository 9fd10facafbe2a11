/* parameters - see parameters.h. */
#include "nbdkit/parameters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nbdkit/tell.h"

enum kind {
    TEXT,
    PATH,   /* opened later, perhaps again and again */
    SECRET, /* [...=]FILE, read at once; "-" is standard input */
    FLAG,
};

static const struct known {
    const char *name;
    enum kind kind;
    bool many; /* can be given again */
} known[] = {
    {"file", PATH, false},
    {"disk", TEXT, false},
    {"snapshot", TEXT, false},
    {"keyring", SECRET, true},
    {"keyring-passphrase-file", SECRET, true},
    {"key", SECRET, true},
    {"passphrase-file", SECRET, true},
    {"password", TEXT, true},
    {"passphrase-encoding", TEXT, false},
    {"passphrase-normalize", TEXT, false},
    {"data-unit", TEXT, false},
    {"geometry", TEXT, false},
    {"decrypt-zero-units", FLAG, false},
    {"allow-outside", FLAG, false},
    {"search", PATH, true},
    {"ignore-cid", FLAG, false},
    {"missing-delta", TEXT, false},
};

const char parameters_help[] =
    "[file=]SOURCE (required)    a .vmx, a directory with one, or a disk\n"
    "disk=NAME                   serve this disk of a VM only, and its partitions\n"
    "snapshot=NAME|UID           the state of this snapshot, not the current one\n"
    "keyring=FILE                keys and passphrases, in YAML\n"
    "keyring-passphrase-file=FILE  passphrase of an encrypted keyring\n"
    "key=[[PROVIDER/]ID=]FILE    keys in a file of any form\n"
    "passphrase-file=FILE        a passphrase; - is standard input\n"
    "password=-|+FILE|-FD        a passphrase: asked for, from a file or a descriptor\n"
    "passphrase-encoding=NAME    code page of the host that the VM was made on\n"
    "passphrase-normalize=FORM   nfc, nfd, nfkc, nfkd or none\n"
    "data-unit=BYTES             data unit of the encryption: 512 (default) or 4096\n"
    "geometry=TEXT|FILE          how data are encrypted, as disk probe found it\n"
    "decrypt-zero-units=BOOL     decrypt units of zeros too\n"
    "allow-outside=BOOL          read files outside the descriptor's directory\n"
    "search=DIR                  look for extents and parents in DIR, too\n"
    "ignore-cid=BOOL             read a parent that was changed since the snapshot\n"
    "missing-delta=parent        take a delta whose data are gone for empty";

static bool same_name(const char *name, const char *key)
{
    while (*name != '\0' && (*name == *key || (*name == '-' && *key == '_'))) {
        name++;
        key++;
    }
    return *name == '\0' && *key == '\0';
}

static const struct known *find(const char *key)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (same_name(known[i].name, key))
            return &known[i];
    return NULL;
}

static int refuse_stdin(const struct known *k, const char *value)
{
    const char *equals = strrchr(value, '=');
    const char *file = equals == NULL ? value : equals + 1;
    if (strcmp(file, "-") != 0 || nbdkit_stdio_safe())
        return 0;
    nbdkit_error("%s=%s: standard input carries NBD here; use a file", k->name, value);
    return -1;
}

/* Malloc'd VALUE as it is kept, NULL after nbdkit_error. */
static char *keep(const struct known *k, const char *value)
{
    char *kept;
    switch (k->kind) {
    case PATH:
        return nbdkit_absolute_path(value);
    case FLAG:
        kept = strdup("");
        break;
    default:
        kept = strdup(value);
        break;
    }
    if (kept == NULL)
        nbdkit_error("out of memory");
    return kept;
}

int parameters_add(struct parameters *p, const char *key, const char *value)
{
    const struct known *k = find(key);
    if (k == NULL) {
        nbdkit_error("there is no parameter '%s'; see nbdkit vmcrypt --help", key);
        return -1;
    }
    const struct words words = parameters_words(p);
    if (!k->many && words_value(&words, k->name) != NULL) {
        nbdkit_error("%s is given twice", k->name);
        return -1;
    }
    if (k->kind == FLAG) {
        int on = nbdkit_parse_bool(value);
        if (on <= 0)
            return on;
    }
    if (k->kind == SECRET && refuse_stdin(k, value) != 0)
        return -1;
    struct parameter *given = reallocarray(p->given, p->count + 1, sizeof *given);
    if (given == NULL) {
        nbdkit_error("out of memory");
        return -1;
    }
    p->given = given;
    char *kept = keep(k, value);
    if (kept == NULL)
        return -1;
    given[p->count++] = (struct parameter){.name = k->name, .value = kept};
    return 0;
}

void parameters_free(struct parameters *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->given[i].value);
    free(p->given);
    *p = (struct parameters){0};
}

static const char *value_at(const void *context, const char *name, size_t i)
{
    const struct parameters *p = context;
    for (size_t k = 0; k < p->count; k++)
        if (strcmp(p->given[k].name, name) == 0 && i-- == 0)
            return p->given[k].value;
    return NULL;
}

struct words parameters_words(const struct parameters *p)
{
    return (struct words){.value_at = value_at, .context = p};
}
