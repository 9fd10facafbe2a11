/*
 * cli_tpm_quote - what vmcrypt tpm quote was given and found, and how it is told.
 */
#ifndef VMCRYPT_TOOLS_CLI_TPM_QUOTE_H
#define VMCRYPT_TOOLS_CLI_TPM_QUOTE_H

#include "base/buffer.h"
#include "tools/cli.h"
#include "tpm/eventlog.h"
#include "tpm/identity.h"
#include "tpm/quote.h"
#include "tpm/replay.h"

struct cli_tpm_quoted {
    struct cli *cli;
    bool has_ak, has_ek, has_quote, has_values, has_credential, has_log, has_replay;
    struct quote_key ak, ek;
    struct quote quote;
    struct pcr_set values; /* of --pcrs, or what the log replays to */
    struct pcr_selection selection;
    struct buffer nonce, name, log_bytes;
    struct identity_cas cas, intermediates;
    struct identity_pin *pins;
    struct identity_credential credential;
    struct eventlog log;
    struct quote_expect expect;
    struct identity_evidence evidence;
    /* What came of it. */
    struct quote_verdict verdict, identity;
    struct identity_binding binding;
    struct replay_report replay;
    bool valid; /* all of the above */
};

json_t *cli_tpm_quote_json(const struct cli_tpm_quoted *q);
void cli_tpm_quote_print(const struct cli_tpm_quoted *q);

#endif
