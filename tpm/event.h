/*
 * event - what an event says, and which of that its digest vouches for.
 *
 * A digest covers all of an event's data, a part of it, or something that is not in the log at all
 * (a file, a firmware volume). What it does not cover can be rewritten by whoever carries the log;
 * so can every event's type and every tag's number. Each decoded field is therefore marked. That a
 * field is "authenticated" means that a digest of the event covers it and hashes to it; it is only
 * worth something when a verified quote covers the PCR and the replay matches (verdict.h).
 * [rules measured on 82 real logs; docs/formats.md]
 */
#ifndef VMCRYPT_TPM_EVENT_H
#define VMCRYPT_TPM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "tpm/eventlog.h"

enum event_coverage {
    EVENT_COVERS_NOTHING, /* the digest is of something else */
    EVENT_COVERS_ALL,     /* of the whole data */
    EVENT_COVERS_PART,    /* of data[start, start + length) */
    EVENT_COVERS_FIXED,   /* of a constant that the type implies, as an error separator's */
};

struct event_check {
    enum event_coverage coverage; /* what was found to hold; NOTHING when nothing does */
    size_t start, length;         /* the covered bytes of the data */
    const char *rule;             /* "H(data)", "H(variable data)", "H(tag payload)" ...; static */
    bool required;         /* this type's digest always covers its data: not to hold is an error */
    bool failed;           /* required, and it does not hold in some bank */
    uint32_t holds, fails; /* bit I: of digests[I]; neither for an algorithm we cannot hash */
};

/* Re-hash. EV_NO_ACTION has no digest that counts: NOTHING, not required. */
void event_check(const struct eventlog *log, const struct eventlog_event *event,
                 struct event_check *check);

/* The digest covers data[START, START + LENGTH). Never true for no bytes: what is not there is
 * vouched for by nothing. */
bool event_covers(const struct event_check *check, size_t start, size_t length);

struct event_range {
    uint64_t start, end; /* bytes of the log, END behind the last */
};
enum { EVENT_RANGES_MAX = 3 };

/*
 * The bytes of EVENT's record that no quote can vouch for, whatever it covers: anyone may change
 * them unnoticed. They are its type, and its data as far as the digests do not cover them; of an
 * event that is not measured, all. Its digest in a bank is vouched for by quotes of that bank
 * alone.
 */
size_t event_unauthenticated(const struct eventlog *log, const struct eventlog_event *event,
                             const struct event_check *check,
                             struct event_range ranges[EVENT_RANGES_MAX]);

/*
 * {"kind": "...", "summary": "one line", "fields": {NAME: VALUE, ...}, "authenticated": [NAME,
 * ...], "problems": ["..."]}: kind is "uefi-variable", "uefi-image", "gpt", "separator", "action",
 * "firmware-blob", "handoff-tables", "spdm-device", "esxi-preboot", "esxi-module",
 * "esxi-boot-option", "esxi-command-line", "esxi-signer", "esxi-asset-tag", "esxi-version",
 * "esxi-boot-security-option", "windows-tags", "systemd-tag", "linux-tag", "tags", "ipl",
 * "spec-id", "startup-locality", "sp800-155", "h-crtm", "txt", "text", "data" ... Values are
 * strings (untrusted text, hex for bytes), numbers, arrays, objects. A structure that does not
 * parse is told in problems and comes as "data". Bounded in the size of the event. NULL when memory
 * is short. CHECK is that of event_check.
 */
json_t *event_decode(const struct eventlog *log, const struct eventlog_event *event,
                     const struct event_check *check);

#endif
