/*
 * nkp_derive - the KEK of a Native Key Provider from its key derivation key (KDK).
 *
 * How products do it is not published. Here are tables of candidates [hypotheses]; each KEK that
 * they give is believed only when the caller's proof (the HMAC of what it locks) holds, and the
 * candidate's name is told: the first user with a real backup will teach us the format. The name
 * is the formula (docs/formats.md has the grammar): "gcm+header(pbkdf2-sha256(kdk, salt16))".
 */
#ifndef VMCRYPT_KEYWRAP_NKP_DERIVE_H
#define VMCRYPT_KEYWRAP_NKP_DERIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "keywrap/nkp_id.h"

/* PBKDF2 rounds that one search may spend in all: the rounds of each come from the key id, which
 * an attacker may have written. About three minutes. */
enum { NKP_ROUNDS_BUDGET = 500000000 };

struct nkp_search {
    const struct nkp_id *id;
    /* Whether KEK is the one. */
    bool (*fits)(void *context, const struct secret *kek);
    void *context;
    size_t hint;           /* first step to begin with, as an earlier search told it; 0: none */
    bool hint_only;        /* try nothing else */
    uint64_t *rounds_left; /* counted down from NKP_ROUNDS_BUDGET, by several searches maybe */
    size_t tried;          /* candidates, of all KDKs so far */
    bool cut_short;        /* PBKDF2 candidates were left out for their rounds */
    char name[160];        /* of the candidate that fits */
    size_t found;          /* its first step, as a hint for other ids */
};

/* Try all candidates with KDK, the quick ones first. True when one fits. False with *error
 * untouched when none does, with *error set when memory is short or a cipher failed. */
bool nkp_derive(struct nkp_search *search, const struct secret *kdk, struct error *error);

#endif
