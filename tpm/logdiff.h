/*
 * logdiff - what changed between two boots: the events of two logs aligned, PCR by PCR.
 */
#ifndef VMCRYPT_TPM_LOGDIFF_H
#define VMCRYPT_TPM_LOGDIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tpm/eventlog.h"

enum logdiff_kind {
    LOGDIFF_REMOVED,    /* only in the first */
    LOGDIFF_ADDED,      /* only in the second */
    LOGDIFF_CHANGED,    /* one of the same type, with another digest, in its place */
    LOGDIFF_RELABELLED, /* the same digest, but another type or data: the PCR does not tell */
};

struct logdiff_change {
    enum logdiff_kind kind;
    const struct eventlog_event *a, *b; /* NULL where it has none */
};

struct logdiff {
    size_t count; /* in the order of PCRs, those of none last */
    struct logdiff_change *changes;
    size_t same; /* events that both have */
};

/* Align by the longest common run of digests (in all banks that both have), as diff(1) does; where
 * a PCR has so many events that this would take long (their product beyond some millions) what is
 * between its first and its last difference is taken as removed and added. ERROR_FAILED when the
 * logs have no bank in common. */
bool logdiff_compare(const struct eventlog *a, const struct eventlog *b, struct logdiff *out,
                     struct error *error);
/* The bank whose digest shows the change best: the one with the longest that differs. */
uint16_t logdiff_bank(const struct logdiff_change *change);
void logdiff_free(struct logdiff *diff);

#endif
