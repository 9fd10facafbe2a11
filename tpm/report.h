/*
 * report - what vCenter and Intel's SecL tell of a host's TPM: PCR values, and events as names and
 * digests.
 *
 * HostTpmAttestationReport of the vSphere API, as JSON (govc, PowerCLI's ConvertTo-Json) or XML
 * (SOAP); Intel SecL's host manifest with its pcr_event_log_map. [source: govmomi vim25/types;
 * intel-secl lib/common types; real ones, docs/formats.md] None of these is signed: that the events
 * lead to the values says that they go together, not that they are true.
 */
#ifndef VMCRYPT_TPM_REPORT_H
#define VMCRYPT_TPM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tpm/eventlog.h"
#include "tpm/pcr.h"

/* Of one event; all of it untrusted text or NULL, and authenticated by nothing. */
struct report_event {
    const char *kind; /* "software-component", "option", "command", "boot-security-option",
                       * "nv-tag", "signer", "version", "boot-complete", "other"; static */
    char *name;       /* component, options file, type name */
    char *detail;     /* VIB name, version and vendor; command line; boot options */
};

struct report {
    const char *source; /* "HostTpmAttestationReport JSON" ..., static */
    struct pcr_set values;
    struct eventlog log;         /* events with digests in one bank each; partial; no data */
    struct report_event *events; /* of log.events */
    uint8_t (*digests)[BANK_DIGEST_MAX]; /* theirs */
    bool unreliable;                     /* tpmLogReliable is false: events are missing */
};

/* Whether the bytes look like one: XML, or JSON that has its names. */
bool report_is(const void *data, size_t length);
/* NAME for messages. After a failure there is nothing to free. */
bool report_parse(struct report *report, const char *name, const void *data, size_t length,
                  struct error *error);
void report_free(struct report *report);

#endif
