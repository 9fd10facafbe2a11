/*
 * xts_subjects - what bench_xts measures: our kernels and the libraries found at build time.
 */
#ifndef VMCRYPT_TESTS_BENCH_XTS_SUBJECTS_H
#define VMCRYPT_TESTS_BENCH_XTS_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_BYTES = 64, SUBJECTS_MAX = 16 }; /* AES-256 */

struct subject {
    char name[64];
    bool ours;
    unsigned width; /* bits of the AES instructions that it uses; 0 unknown */
    void *state;
    /* Transform BYTES in place, units of UNIT_BYTES numbered from 0. */
    bool (*transform)(void *state, bool encrypt, size_t unit_bytes, uint8_t *data, size_t bytes);
};

/* Fill in those that this build and CPU have; returns how many. States live until exit. */
size_t subjects_ours(struct subject *out, const uint8_t *key);
size_t subjects_peers(struct subject *out, const uint8_t *key);
/* Names of peers that this build lacks; NULL at the end. */
const char *const *subjects_absent(void);

/* Bytes per second at which this CPU issues the 14 rounds of AES-256, with keys in registers and
 * no memory at all, in registers of WIDTH bits, which it must have; 0 when that is not known. */
double limit_measure(unsigned width);

/* Seconds of CPU time of this thread. */
double now(void);

#endif
