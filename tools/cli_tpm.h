/*
 * cli_tpm - the commands of vmcrypt-tpm, and what they share.
 */
#ifndef VMCRYPT_TOOLS_CLI_TPM_H
#define VMCRYPT_TOOLS_CLI_TPM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "tools/cli.h"
#include "tpm/eventlog.h"
#include "tpm/pcr.h"
#include "tpm/report.h"

int cli_tpm_log(struct cli *cli);
int cli_tpm_replay(struct cli *cli);
int cli_tpm_diff(struct cli *cli);
int cli_tpm_predict(struct cli *cli);
int cli_tpm_attest(struct cli *cli);
int cli_tpm_baseimage(struct cli *cli);
int cli_tpm_policy(struct cli *cli);
int cli_tpm_quote(struct cli *cli);

extern const struct cli_options cli_tpm_log_options;
extern const struct cli_options cli_tpm_replay_options;
extern const struct cli_options cli_tpm_predict_options;
extern const struct cli_options cli_tpm_attest_options;

/* An event log, or a report of a host that stands for one, out of a file. */
struct cli_tpm_input {
    const char *path;    /* as it was given */
    const char *form;    /* "raw", "base64", "JSON" ..., what the report is */
    struct buffer text;  /* the file */
    struct buffer bytes; /* the log in it */
    struct eventlog own;
    struct report report;
    struct eventlog *log; /* OWN, or that of REPORT */
    bool is_report;
};
bool cli_tpm_open(struct cli_tpm_input *input, const char *path, struct error *error);
void cli_tpm_close(struct cli_tpm_input *input);

/* The values that the file has beside the log, as vCenter's and reports have; false, without an
 * error, when there are none. */
bool cli_tpm_own_values(const struct cli_tpm_input *input, struct pcr_set *values,
                        const char **form);

/* Warn of the log's quirks, its unread end, and of a report's being unsigned. */
void cli_tpm_warn(struct cli *cli, const struct cli_tpm_input *input);

/* One line for people of what EVENT says: the summary of event_decode, or of a report's event. In
 * TEXT. */
bool cli_tpm_summary(const struct cli_tpm_input *input, const struct eventlog_event *event,
                     char *text, size_t size);

/* {"format": ..., "banks": [...], "events": N ...}: what is true of the log as a whole. */
void cli_tpm_log_json(json_t *object, const struct cli_tpm_input *input);
/* {"sha256": {"0": "hex", ...}, ...}; only ALGORITHM unless it is 0. */
json_t *cli_tpm_pcrs_json(const struct pcr_set *set, uint16_t algorithm);
json_t *cli_tpm_hex(const void *data, size_t length);

/* The bank that option NAME says, 0 when it was not given. */
bool cli_tpm_bank(const struct cli *cli, const char *name, uint16_t *algorithm,
                  struct error *error);
extern const struct cli_options cli_tpm_quote_options;

/* Write TEXT to the operand OUT, or to standard output when there is none; --force replaces. */
bool cli_tpm_write(struct cli *cli, const char *path, const struct buffer *text,
                   struct error *error);

#endif
