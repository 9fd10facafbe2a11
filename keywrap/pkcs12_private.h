/* pkcs12_private - what the parts of the PKCS#12 walker share. */
#ifndef VMCRYPT_KEYWRAP_PKCS12_PRIVATE_H
#define VMCRYPT_KEYWRAP_PKCS12_PRIVATE_H

#include "keywrap/der.h"
#include "keywrap/pkcs12.h"

struct ossl_lib_ctx_st;
struct ossl_provider_st;

/* A passphrase to try; data NULL: the absent one. */
struct pkcs12_phrase {
    enum pkcs12_password kind;
    size_t index;
    const struct secret *secret; /* of a given one */
};

/* One file being walked. */
struct pkcs12_walk {
    struct pkcs12 *out;
    const struct keyring *ring;
    struct pkcs12_phrase proven; /* the right one, once kind is not PKCS12_PASSWORD_WRONG */
    uint64_t rounds_left;
    struct ossl_lib_ctx_st *legacy;        /* with OpenSSL's old ciphers; NULL until needed */
    struct ossl_provider_st *providers[2]; /* in it */
    bool legacy_failed;
    struct error *error; /* for what must stop the walk: memory */
};

/* pkcs12_crypt.c */

/* The I-th passphrase to try; false past the last. */
bool pkcs12_phrase_at(const struct pkcs12_walk *w, size_t i, struct pkcs12_phrase *phrase);
/* Read an AlgorithmIdentifier that encrypts. False, the name told, for one not known here. */
bool pkcs12_scheme_read(const struct der_item *algorithm, struct pkcs12_scheme *scheme);
/* Decrypt under ALGORITHM with the right passphrase, or with any until the right one is known; the
 * result must be one whole ASN.1 item. False with PROBLEM (of PKCS12_PROBLEM bytes) told. */
bool pkcs12_decrypt(struct pkcs12_walk *w, const struct der_item *algorithm,
                    const struct pkcs12_scheme *scheme, const struct der_item *encrypted,
                    struct buffer *plain, char *problem);
/* Release what decrypting needed. */
void pkcs12_crypt_end(struct pkcs12_walk *w);
/* Read MacData, and see which passphrase makes it hold over CONTENT. */
void pkcs12_check_mac(struct pkcs12_walk *w, const struct der_item *mac_data,
                      const struct buffer *content);

/* pkcs12_bag.c */

/* Read one SafeBag, and what it holds. What is wrong with it is told in the bag. */
void pkcs12_read_bag(struct pkcs12_walk *w, const struct der_item *bag, unsigned depth);
/* True when ITEM is an EncryptedPrivateKeyInfo, which is then opened and looked into as part of
 * the bag that was added last. */
bool pkcs12_read_shrouded(struct pkcs12_walk *w, const struct der_item *item);

/* pkcs12.c */

/* Read all bags of CONTENTS; PROBLEM (of PKCS12_PROBLEM bytes) is told when they are malformed. */
void pkcs12_read_contents(struct pkcs12_walk *w, const struct der_item *contents, unsigned depth,
                          char *problem);

/* pkcs12_find.c */

/* Look for keys, UUIDs and names in ITEM, of the bag that was added last. PLACE is "a secret bag"
 * and the like. */
void pkcs12_find(struct pkcs12_walk *w, const struct der_item *item, const char *place);
/* Note a fact unless one is known; a CLEAR one, with a name to it, replaces one that is not. */
void pkcs12_note(struct pkcs12_fact *fact, const char *text, size_t length, const char *from,
                 bool clear);
/* UUID and provider of the file, when the bags agree. */
void pkcs12_conclude(struct pkcs12 *p12);

/* pkcs12_text.c */

/* Append the text of a string type as UTF-8; false for other types. */
bool pkcs12_text(const struct der_item *item, struct buffer *out);

#endif
