/*
 * eventlog - a TCG event log: what the firmware and the boot loader say they measured.
 *
 * Formats: legacy SHA-1 (TCG_PCR_EVENT records, with or without a "Spec ID Event00/02" first) and
 * crypto-agile ("Spec ID Event03" first, then TCG_PCR_EVENT2) [source: TCG PFP 1.05 and 1.06, TCG
 * EFI Protocol 1.0; quirks measured on real logs, docs/formats.md]. Nothing in a log is trustworthy
 * of itself: see replay.h and event.h for what can be made of it.
 */
#ifndef VMCRYPT_TPM_EVENTLOG_H
#define VMCRYPT_TPM_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tpm/bank.h"

enum {
    EVENTLOG_BYTES_MAX = 64 << 20, /* of a file */
    EVENTLOG_EVENTS_MAX = 1000000,
    EVENTLOG_QUIRKS_MAX = 100,
};

enum eventlog_format { EVENTLOG_LEGACY, EVENTLOG_AGILE };

struct eventlog_digest {
    uint16_t algorithm;
    size_t size;
    const uint8_t *bytes; /* inside the log */
};

struct eventlog_event {
    size_t number;   /* 0 the first of the log, a Spec ID event counted */
    uint64_t offset; /* of the record in the log, bytes */
    uint32_t pcr;    /* 0xffffffff occurs, in EV_NO_ACTION */
    uint32_t type;
    size_t digest_count; /* in the order of the record, which may not be that of the banks */
    const struct eventlog_digest *digests;
    const uint8_t *data; /* inside the log */
    size_t length;
};

/* What is odd about a log; none of it keeps it from being read. */
struct eventlog_quirk {
    uint64_t offset;
    char text[160];
};

enum eventlog_tail {
    EVENTLOG_TAIL_NONE,
    EVENTLOG_TAIL_FF,        /* all 0xff up to the end: unused room */
    EVENTLOG_TAIL_ZERO,      /* all zero */
    EVENTLOG_TAIL_TRUNCATED, /* the last record is cut off */
    EVENTLOG_TAIL_GARBAGE,   /* a record that cannot be one; what follows was not read */
};

struct eventlog {
    enum eventlog_format format;
    size_t bank_count;
    struct {
        uint16_t algorithm;
        size_t size;
    } banks[BANK_MAX];
    /* Of the Spec ID event, when there is one. */
    bool has_spec;
    char spec_signature[16];
    uint32_t platform_class;
    uint8_t version_major, version_minor, errata, uintn_size;
    const uint8_t *vendor_info;
    size_t vendor_info_size;
    bool drtm;    /* a dynamic launch (Intel TXT) reset PCRs 17 to 22 to zero */
    bool partial; /* of a report: there may be more events, and PCRs that it tells nothing of */
    bool cc; /* of a confidential VM (CCEL): indexes are those of measurement registers, not PCRs */

    size_t event_count;
    struct eventlog_event *events;
    enum eventlog_tail tail;
    uint64_t parsed; /* bytes in records */
    uint64_t size;   /* of the whole log */
    size_t quirk_count;
    struct eventlog_quirk *quirks;

    /* The record that is cut off at the end, when so much of it is there that its digests are; its
     * data is short or missing. Not among the events. */
    bool has_cut;
    struct eventlog_event cut;

    struct eventlog_digest *digests; /* backs events[].digests */
};

/*
 * Parse LENGTH bytes at DATA, which must outlive the log. False (ERROR_DAMAGED) when not even one
 * event is there, when the first record is none, or when memory is short; anything that goes wrong
 * later ends the log there and is told by TAIL and a quirk. After a failure there is nothing to
 * free.
 */
bool eventlog_parse(struct eventlog *log, const void *data, size_t length, struct error *error);
void eventlog_free(struct eventlog *log);

/* The digest of EVENT in bank ALGORITHM; NULL when the record has none. */
const struct eventlog_digest *eventlog_digest(const struct eventlog_event *event,
                                              uint16_t algorithm);

/* "EV_SEPARATOR"; "EV_0x12345678" form for an unknown type, in TEXT of 24 bytes. */
const char *eventlog_type_name(uint32_t type, char text[24]);

/* What an event's index names: "PCR 7", or "RTMR 0 (index 1)" in a log of a confidential VM. */
const char *eventlog_register_name(const struct eventlog *log, uint32_t pcr, char text[32]);

/*
 * The bytes of the log in a file of any form: raw (also securityfs files, whose size is 0), base64,
 * hex, or JSON: of vCenter's .../hardware/tpm/{tpm}/event-log ("data"), of go-attestation
 * ("Log"/"Raw"), go-tpm-tools ("eventLog"). PATH "-" is standard input.
 */
bool eventlog_load(const char *path, struct buffer *bytes, struct error *error);
/* The same of a file's LENGTH bytes at DATA, NAME for messages; *form, a static text, says how the
 * log was held: "raw", "base64", "hex", "JSON". */
bool eventlog_unpack(const char *name, const void *data, size_t length, struct buffer *bytes,
                     const char **form, struct error *error);

#endif
