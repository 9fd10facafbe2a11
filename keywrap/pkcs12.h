/*
 * pkcs12 - a walker of PKCS#12 files (.p12, .pfx): every safe, every bag, every attribute, how each
 * is protected, and what in them may be a key. [RFC 7292, RFC 8018, RFC 9579]
 *
 * Written for the backups of Native Key Providers, whose layout is not published: nothing is
 * expected at a certain place, and what is taken for a key, its UUID or its provider's name is
 * inferred, and says from what. DER and BER are read in place (keywrap/der.h), OpenSSL derives and
 * decrypts, so that keys stay in secret memory.
 */
#ifndef VMCRYPT_KEYWRAP_PKCS12_H
#define VMCRYPT_KEYWRAP_PKCS12_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "keywrap/keyring.h"

/* Bounds. Real backups are a few KiB with a handful of bags. Rounds count each derivation with
 * each passphrase: files may name any number, to stall us. */
enum {
    PKCS12_FILE_MAX = 1 << 20,
    PKCS12_MAX_DEPTH = 16,
    PKCS12_MAX_BAGS = 1024,
    PKCS12_MAX_KEYS = 64,
    PKCS12_MAX_ATTRIBUTES = 64, /* of one bag */
    PKCS12_MAX_ROUNDS = 2000000,
    PKCS12_MAX_ROUNDS_IN_ALL = 10000000,
    PKCS12_PROBLEM = 200, /* bytes of a text that says what is wrong with a part */
};

/* How something is protected. */
struct pkcs12_scheme {
    char name[160]; /* "PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC", "HMAC-SHA-1", … */
    uint64_t rounds;
    size_t salt_bytes;
    bool weak;   /* single or triple DES, RC2, RC4, MD5 or SHA-1 as a MAC */
    bool legacy; /* needs OpenSSL's legacy provider */
};

struct pkcs12_attribute {
    char *name;  /* "friendlyName", or an object identifier */
    char *value; /* text, or hex; keys are not shown */
};

/* Something about a key, and what it was inferred from; "" and NULL when not found. */
struct pkcs12_fact {
    char text[256];
    const char *from;
    bool clear; /* a field of that name told it */
};

struct pkcs12_bag {
    size_t safe;    /* index of the safe it lies in */
    unsigned depth; /* of nested safe contents */
    char type[160]; /* "pkcs8ShroudedKeyBag", …, or an object identifier */
    bool is_known;  /* one of the six types of RFC 7292 */
    bool shrouded;  /* protected by itself, as `scheme` says */
    struct pkcs12_scheme scheme;
    char what[320];      /* "certificate of CN=…", "private key, rsaEncryption", … */
    bool is_certificate; /* its validity, in UTC: */
    char begins[24], ends[24];
    size_t attribute_count;
    struct pkcs12_attribute *attributes;
    struct pkcs12_fact uuid, provider;
    char problem[PKCS12_PROBLEM]; /* "" when all of it could be read */
};

struct pkcs12_safe {
    bool encrypted, opened;
    struct pkcs12_scheme scheme; /* of an encrypted one */
    char problem[PKCS12_PROBLEM];
};

/* What may be a key. */
struct pkcs12_key {
    size_t bag;
    char where[120]; /* "32 bytes in a secret bag" */
    struct secret *key;
};

enum pkcs12_password {
    PKCS12_NO_PASSWORD,    /* none is needed: no MAC, nothing encrypted */
    PKCS12_ABSENT,         /* the absent one (zero characters, no terminator) */
    PKCS12_EMPTY,          /* the empty one */
    PKCS12_GIVEN,          /* one of those given */
    PKCS12_PASSWORD_WRONG, /* none of them */
};

struct pkcs12 {
    bool has_mac, mac_holds;
    struct pkcs12_scheme mac;
    enum pkcs12_password password; /* what the MAC, or without one a safe, was made with */
    size_t phrase;                 /* which, of those given */
    bool any_encrypted;
    size_t safe_count, bag_count, key_count;
    struct pkcs12_safe *safes;
    struct pkcs12_bag *bags;
    struct pkcs12_key *keys;
    struct pkcs12_fact uuid, provider; /* of the file, when all bags agree */
    struct pkcs12_fact exported;       /* export time, as it was spelled */
    char problem[PKCS12_PROBLEM];      /* what could not be read of the outermost layer */
};

/* True when the bytes look like a PKCS#12 file: DER, BER, or base64 of it with or without PEM
 * lines around. */
bool pkcs12_is(const void *data, size_t length);

/*
 * Walk the file. Passphrases are the absent and the empty one, and those of RING (may be NULL).
 * With no right one the result still tells all that lies open. NULL with ERROR_DAMAGED for bytes
 * that are no PKCS#12 file at all, or when memory is short.
 */
struct pkcs12 *pkcs12_read(const void *data, size_t length, const struct keyring *ring,
                           struct error *error);
void pkcs12_free(struct pkcs12 *p12);

/* Why no key could be had (ERROR_NO_KEY, ERROR_DAMAGED), or true when keys may be used. */
bool pkcs12_usable(const struct pkcs12 *p12, struct error *error);

/*
 * How the file falls short as a backup of keys: no or weak passphrase, old ciphers, few rounds.
 * PASSPHRASE is the one that opened it, or NULL. SAY gets one line each.
 */
void pkcs12_audit(const struct pkcs12 *p12, const struct secret *passphrase,
                  void (*say)(void *context, const char *finding), void *context);

#endif
