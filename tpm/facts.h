/*
 * facts - what a log claims about a boot, for a policy to judge: Secure Boot, boot application,
 * ESXi's modules, options, command line, signers, versions, asset tag.
 *
 * A fact names the event it is from. Only the parts marked so are covered by the event's digest.
 */
#ifndef VMCRYPT_TPM_FACTS_H
#define VMCRYPT_TPM_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tpm/eventlog.h"

enum fact_kind {
    FACT_SECURE_BOOT, /* value: "on" or "off"; from the variable, PCR 7, before the separator */
    FACT_AUTHORITY,   /* value: certificate subject or hash that verified an image; blob: the
                         certificate (DER) or hash; name: of the variable */
    FACT_DB_ENTRY,    /* as above, before the separator; name "PK", "KEK", "db", "dbx" */
    FACT_BOOT_IMAGE,  /* digest: Authenticode, PCR 4 (2 for drivers); name: device path (not
                         authenticated) */
    FACT_MODULE,      /* digest: of a module; name (not authenticated); PCR 11, 12, 13 or of the TXT
                         layouts */
    FACT_BOOT_OPTION, /* as MODULE: *.gz, PCR 14 */
    FACT_COMMAND_LINE,    /* value: "FILE OPTIONS" */
    FACT_SIGNER,          /* value: certificate subject or "public key"; blob: DER */
    FACT_VERSION,         /* value: "product version (file)" */
    FACT_ASSET_TAG,       /* blob */
    FACT_SECURITY_OPTION, /* value: "execInstalledOnly = TRUE" */
    FACT_BOOT_COMPLETE,
    FACT_DMA_PROTECTION_OFF,
    FACT_DEBUG_MODE, /* firmware debugger action */
};

struct fact {
    enum fact_kind kind;
    const struct eventlog_event *event; /* its pcr, digests and number */
    bool authenticated;                 /* value and blob are covered by the digest, which holds in
                                         * every bank that can be hashed */
    char *name;                         /* not authenticated, but for variables; NULL */
    char *value;                        /* text made safe to show; NULL */
    const uint8_t *blob;                /* inside the log; NULL */
    size_t blob_length;
};

/* A reason to distrust: SecureBoot twice, configuration after the separator, a doubled b or k, a
 * missing or doubled separator ... */
struct fact_problem {
    size_t event; /* its number; SIZE_MAX for what is missing */
    bool grave;   /* a rule that real firmware never breaks */
    char text[200];
};

enum {
    FACTS_PROBLEMS_MAX = 1000,  /* more are not kept; a grave one takes the last place */
    FACTS_ENTRIES_MAX = 100000, /* of one database; more make a grave problem */
};

struct facts {
    size_t count;
    struct fact *facts;
    size_t problem_count;
    struct fact_problem *problems;
};

bool facts_find(const struct eventlog *log, struct facts *out, struct error *error);
void facts_free(struct facts *facts);

#endif
