/*
 * nkp_memory - what trying candidates on key ids of Native Key Providers has taught so far.
 *
 * A full search is seconds of PBKDF2, and all ids of a KDK are surely derived alike. So a way that
 * fitted is tried first everywhere, and nothing else any more for its KDK; and a KDK that failed
 * with several ids is not tried on more of them. Several threads may use one memory.
 */
#ifndef VMCRYPT_KEYWRAP_NKP_MEMORY_H
#define VMCRYPT_KEYWRAP_NKP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

struct nkp_memory;

enum nkp_advice {
    NKP_TRY_ALL,  /* the hint first, then all others */
    NKP_TRY_HINT, /* that one only */
    NKP_TRY_NONE,
};

/* So many searches with one KDK and UUID in vain are enough: half a minute. Fewer would let some
 * damaged or forged files keep a KDK from the sound ones behind them. */
enum { NKP_MEMORY_FAILURES = 16 };

struct nkp_memory *nkp_memory_new(struct error *error);
void nkp_memory_free(struct nkp_memory *memory);

/* What to try with KDK (told from others by its address) on an id that names UUID; *HINT is for
 * nkp_search. MEMORY may be NULL: nothing is known. */
enum nkp_advice nkp_memory_ask(struct nkp_memory *memory, const uint8_t uuid[16],
                               const struct secret *kdk, size_t *hint);

/* What came of it: HINT as nkp_search tells it, 0 when none fitted. */
void nkp_memory_tell(struct nkp_memory *memory, const uint8_t uuid[16], const struct secret *kdk,
                     size_t hint);

#endif
