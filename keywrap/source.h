/*
 * source - keys from whatever form they were backed up in.
 *
 * What a file is, is told by its content, never by its name. Each form lives in a file of its
 * own, source_FORM.c, and adds what it finds to a keyring, with provider, id and owner where the
 * form carries them.
 */
#ifndef VMCRYPT_KEYWRAP_SOURCE_H
#define VMCRYPT_KEYWRAP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "keywrap/keyring.h"
#include "keywrap/wrap.h"

/* The largest file that is read as a whole (captures of many messages); SQLite stores and YAML
 * have their own bounds. */
enum { SOURCE_FILE_MAX = 64 << 20 };

/* What the caller knows beyond the file. All zero: nothing. */
struct source_options {
    const char *form;       /* insist on the form of that name; NULL or "auto": find out */
    const char *provider;   /* for keys whose form does not tell; NULL: unknown */
    const char *id;         /* the same; refused when the file holds several keys without an id */
    enum keyring_kind kind; /* KEYRING_KDK: what the form calls a key is a KDK */
    const char *name, *identifier, *component; /* whose key it is, when its form does not tell */
    const struct keyring *passphrases;         /* tried on files locked by one; NULL: none */
    const struct wrap_key *unwrap;  /* what wrapped keys are unwrapped with; NULL: nothing */
    const struct keyring_load *ask; /* whom to ask for a passphrase; NULL: nobody */
};

/* One file being read. */
struct source {
    const char *path;
    const struct source_options *options;
    const struct buffer *file; /* all its bytes */
    struct keyring *ring;      /* where the keys go */
    struct log *log;
    size_t added; /* keys so far */
    bool checked; /* the reader has warned of a file that others may read, if need be */
};

enum source_verdict {
    SOURCE_NOT_THIS, /* the file has another form; nothing was added, *error is untouched */
    SOURCE_READ,     /* at least one key was added */
    SOURCE_REFUSED,  /* it is of this form, but no key could be had; *error says why */
};

/* A form: its name for `form`, what users call it, and its reader. */
struct source_form {
    const char *name, *title;
    enum source_verdict (*read)(struct source *source, struct error *error);
};

/* All forms, in the order in which they are tried: first those with a mark of their own, last
 * bare keys. */
extern const struct source_form source_forms[];
extern const size_t source_form_count;

/*
 * Read the keys of the file at PATH ("-": standard input) into RING. *FORM, unless NULL, is what
 * it was. A file of no known form, or whose keys could not be had: ERROR_DAMAGED or ERROR_NO_KEY
 * (a passphrase or an unwrapping key is missing or wrong), naming the file. A file that others may
 * read is warned of.
 */
bool source_read(const char *path, const struct source_options *options, struct keyring *ring,
                 const struct source_form **form, struct log *log, struct error *error);

/* For readers of forms. */

/* Add a key found in SOURCE: *KEY with origin, and provider and id when it has none, from the
 * source's path and options. Takes KEY->key over, also on failure. */
bool source_add(struct source *source, const struct keyring_key *key, struct error *error);

/* 16, 24, 32 or 64 bytes: what keys of VMs are. */
bool source_is_key_size(size_t bytes);

/* BYTES, unwrapped when the options say with what; takes them over. NULL with *error when they
 * are no key then. A source that is told how to unwrap never takes bytes as they are. */
struct secret *source_unwrap(struct source *source, struct secret *bytes, struct error *error);

enum source_verdict source_raw(struct source *source, struct error *error);
enum source_verdict source_hex(struct source *source, struct error *error);
enum source_verdict source_base64(struct source *source, struct error *error);
enum source_verdict source_pem(struct source *source, struct error *error);
enum source_verdict source_jwk(struct source *source, struct error *error);
enum source_verdict source_locator(struct source *source, struct error *error);
enum source_verdict source_kmip(struct source *source, struct error *error);
enum source_verdict source_kmip_json(struct source *source, struct error *error);
enum source_verdict source_kmip_xml(struct source *source, struct error *error);
enum source_verdict source_sqlite(struct source *source, struct error *error);
enum source_verdict source_pkcs12(struct source *source, struct error *error);
enum source_verdict source_keyring(struct source *source, struct error *error);

#endif
