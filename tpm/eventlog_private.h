/* eventlog_private - what the files of the event log's parser share. */
#ifndef VMCRYPT_TPM_EVENTLOG_PRIVATE_H
#define VMCRYPT_TPM_EVENTLOG_PRIVATE_H

#include "tpm/eventlog.h"

/* Note something odd at OFFSET; those beyond EVENTLOG_QUIRKS_MAX are dropped. */
void eventlog_quirk(struct eventlog *log, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set LOG's format and banks by its FIRST record (with DIGEST), which may be a Spec ID event and
 * which BEHIND bytes follow; *extra of them belong to it although its size does not say so. False
 * with *error when it is one that no log can follow. */
bool eventlog_parse_spec(struct eventlog *log, const struct eventlog_event *first,
                         const uint8_t *digest, size_t behind, size_t *extra, struct error *error);

/* Quirks that show when all records are there. */
void eventlog_note_oddities(struct eventlog *log);

#endif
