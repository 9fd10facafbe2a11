/* facts_private - what the finders of facts share. */
#ifndef VMCRYPT_TPM_FACTS_PRIVATE_H
#define VMCRYPT_TPM_FACTS_PRIVATE_H

#include "tpm/event_private.h"
#include "tpm/facts.h"

struct finding {
    const struct eventlog *log;
    struct facts *facts;
    size_t fact_room, problem_room;
    bool failed; /* memory ran out */
    /* Secure Boot, in PCR 7. */
    size_t separators[8];
    bool secure_boot_on, seen_authority, has_key[3]; /* PK, KEK, db */
    uint32_t seen;                                   /* bit I: of the configuration's variables */
    /* ESXi. */
    bool is_esxi;      /* there is an event of its boot loader */
    size_t kernels[2]; /* modules named b and k */
    bool booted;
};

/* What a fact says; NAME and VALUE are JSON strings or NULL, and taken. */
struct claim {
    enum fact_kind kind;
    bool authenticated;
    json_t *name, *value;
    const uint8_t *blob;
    size_t blob_length;
};
void finding_add(struct finding *f, const struct eventlog_event *event, struct claim claim);
void finding_problem(struct finding *f, const struct eventlog_event *event, bool grave,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Each looks at one event, in order; the last two at the whole log, before and after. */
void facts_boot(struct finding *f, const struct eventlog_event *event,
                const struct event_check *check);
void facts_esxi(struct finding *f, const struct eventlog_event *event,
                const struct event_check *check);
void facts_esxi_begin(struct finding *f);
void facts_boot_end(struct finding *f);

#endif
