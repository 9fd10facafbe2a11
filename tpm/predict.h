/*
 * predict - what PCRs would be if something in a boot were another: a log is changed in memory and
 * replayed.
 */
#ifndef VMCRYPT_TPM_PREDICT_H
#define VMCRYPT_TPM_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tpm/eventlog.h"

/* A log whose events can be changed; LOG itself is left as it is and must outlive it. */
struct predict {
    struct eventlog log;
    size_t store_count;
    void **stores; /* digests that are not in the log's bytes */
};
bool predict_begin(struct predict *predict, const struct eventlog *log, struct error *error);
void predict_end(struct predict *predict);

/* Event NUMBER does not happen. */
bool predict_drop(struct predict *predict, size_t number, struct error *error);
/* Its digest in one bank is another. Other banks keep theirs. */
bool predict_set_digest(struct predict *predict, size_t number, uint16_t algorithm,
                        const void *digest, size_t length, struct error *error);
/* In all its banks its digest is that of these bytes. */
bool predict_set_data(struct predict *predict, size_t number, const void *data, size_t length,
                      struct error *error);
/* The same of a file; one that is compressed with gzip is hashed as what is in it when UNPACK is
 * set, as ESXi measures its modules. Of images whose digest is Authenticode's (EFI applications and
 * drivers) it is refused. */
bool predict_set_file(struct predict *predict, size_t number, const char *path, bool unpack,
                      struct error *error);

/* The event of an ESXi tag (2 modules, 3 boot options, 4 the command line) with the name NAME
 * (NULL: whatever it is called); exactly one must fit. */
bool predict_find_tag(const struct predict *predict, const uint32_t *tags, size_t tag_count,
                      const char *name, size_t *number, struct error *error);

#endif
