/*
 * locator - VMware key locators, "vmware:key/TYPE/…": where a key is to be had.
 *
 * Grammar [source: govmomi crypto/keylocator.go, url_helpers.go]:
 *
 *   vmware:key/<locator>                       prefix and type names in any case
 *   null/<VMWARE-EMPTYSTRING>                  rawkey/<data>
 *   phrase/<id>/<keygen data>                  ldap/<id>/<server>/<domain>/<port>/<ssl>/<path>
 *   script/<id>/<path>/<signature>             role/<id>/<role name>
 *   fqid/<id>/<key server>/<key id>            list/(a,b,…)      pair/(<locker>,<MAC>,<base64>)
 *
 * In files every byte of a field that is no ASCII letter or digit is written as %xx; the vSphere
 * API delivers the same strings without these escapes inside, so the last field of a locator may
 * then hold '/' (base64). Both are read. Each field remembers how it was spelled, so that an
 * untouched locator is written back byte for byte.
 */
#ifndef VMCRYPT_KEYWRAP_LOCATOR_H
#define VMCRYPT_KEYWRAP_LOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

enum locator_type {
    LOCATOR_NULL,
    LOCATOR_RAWKEY,
    LOCATOR_PHRASE,
    LOCATOR_LDAP,
    LOCATOR_SCRIPT,
    LOCATOR_ROLE,
    LOCATOR_FQID,
    LOCATOR_LIST,
    LOCATOR_PAIR,
};

/* Bounds on what is parsed: no product nests deeper than 3 or writes more than a few KiB. */
enum {
    LOCATOR_MAX_BYTES = 4 << 20,
    LOCATOR_MAX_DEPTH = 32,
    LOCATOR_MAX_CHILDREN = 4096,
    LOCATOR_MAX_FIELDS = 6,
};

/* One field: its bytes, and how the text spelled them. Wiped when freed. */
struct locator_field {
    char *value;       /* decoded, NUL behind it; NULL for <VMWARE-NULL> */
    size_t length;     /* of value */
    char *raw;         /* the spelling read; NULL in a field that was built, not read */
    size_t raw_length; /* of raw */
};

/* What the fields of each type mean, as indices into fields[]. fields[0] of the five indirect
 * types (phrase … fqid) is the unique id. */
enum {
    LOCATOR_ID = 0,
    LOCATOR_PHRASE_KEYGEN = 1,
    LOCATOR_LDAP_SERVER = 1,
    LOCATOR_LDAP_DOMAIN = 2,
    LOCATOR_LDAP_PORT = 3,
    LOCATOR_LDAP_SSL = 4,
    LOCATOR_LDAP_PATH = 5,
    LOCATOR_SCRIPT_PATH = 1,
    LOCATOR_SCRIPT_SIGNATURE = 2,
    LOCATOR_ROLE_NAME = 1,
    LOCATOR_FQID_SERVER = 1,
    LOCATOR_FQID_KEY = 2,
    LOCATOR_PAIR_MAC = 0,
    LOCATOR_PAIR_DATA = 1, /* the base64 text; see locator_pair_data for the bytes */
};

struct locator {
    enum locator_type type;
    size_t field_count;
    struct locator_field fields[LOCATOR_MAX_FIELDS];
    size_t child_count;        /* list: its members; pair: 1, the locker */
    struct locator **children; /* owned */
    struct secret *key;        /* rawkey: the key; it has no fields */
    struct secret *key_raw;    /* rawkey: as it was spelled; NULL when built */
    char *prefix;              /* "vmware:key/" as it was spelled, on the outermost one only */
    char *type_name;           /* as it was spelled; NULL when built */
};

/* Parse LENGTH bytes at TEXT. NULL with *error (ERROR_DAMAGED, offset into TEXT) when they are no
 * key locator or break a bound above. Caller frees with locator_free. */
struct locator *locator_parse(const char *text, size_t length, struct error *error);

/* The next locator in TEXT, NULL for none: its start, and its length up to a quote, blank or line
 * end, none of which a locator holds. */
const char *locator_find(const char *text, size_t *length);

/* Append the text form: fields that were read as they were spelled, others escaped as products
 * write files. */
bool locator_write(const struct locator *locator, struct buffer *out);

/* A new locator with TYPE and no fields; the caller adds fields and children. */
struct locator *locator_new(enum locator_type type, struct error *error);
/* Append a field with a copy of LENGTH bytes at DATA (DATA NULL: <VMWARE-NULL>). */
bool locator_add_field(struct locator *locator, const void *data, size_t length,
                       struct error *error);
/* Append CHILD; owned by LOCATOR from here on, also on failure. */
bool locator_add_child(struct locator *locator, struct locator *child, struct error *error);

void locator_free(struct locator *locator);

/* "fqid", "phrase", … */
const char *locator_type_name(enum locator_type type);

/* Field I as NUL-terminated text; "" when it is null, absent or empty. Valid while the locator
 * lives. Bytes behind an embedded NUL are not seen. */
const char *locator_text(const struct locator *locator, size_t i);

/* The decoded locked data of a pair, as a new secret. */
struct secret *locator_pair_data(const struct locator *pair, struct error *error);

#endif
