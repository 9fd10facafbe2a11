/* vmcrypt-tpm - what a host booted: event logs, quotes, and a verdict on them. */
#include <string.h>

#include "tools/cli_tpm.h"

static const struct cli_option baseimage_options[] = {
    {"name", 0, "NAME", "name of the image; default: that of SOURCE"},
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_option policy_options[] = {
    {"name", 0, "NAME", "name of the policy; default: that of the first file"},
    {"out", 0, "FILE", "write it to FILE; default: standard output"},
    {"force", 'f', NULL, "replace FILE if it exists"},
};

static const struct cli_command commands[] = {
    {"log", "FILE", "Show an event log, and what of it its digests vouch for", NULL, 0,
     &cli_tpm_log_options, false, true, 1, 1, cli_tpm_log},
    {"replay", "LOG", "Compute the PCRs that a log leads to; compare them with a TPM's", NULL, 0,
     &cli_tpm_replay_options, false, true, 1, 1, cli_tpm_replay},
    {"diff", "A B", "Say which events changed between two boots", NULL, 0, NULL, false, true, 2, 2,
     cli_tpm_diff},
    {"predict", "LOG", "Compute what PCRs will be when a module or an option is another", NULL, 0,
     &cli_tpm_predict_options, false, true, 1, 1, cli_tpm_predict},
    {"attest", "LOG", "Judge a log and quotes by a policy; sign the verdict", NULL, 0,
     &cli_tpm_attest_options, false, true, 1, 1, cli_tpm_attest},
    {"baseimage", "SOURCE [OUT]", "List the modules of an ESXi image, for policies",
     baseimage_options, sizeof baseimage_options / sizeof baseimage_options[0], NULL, false, true,
     1, 2, cli_tpm_baseimage},
    {"policy", "FILE...", "Make a policy from what Trust Authority exports, or check one",
     policy_options, sizeof policy_options / sizeof policy_options[0], NULL, false, false, 1,
     SIZE_MAX, cli_tpm_policy},
    {"quote", "", "Check a TPM's quote in every way, and whose TPM it is by", NULL, 0,
     &cli_tpm_quote_options, false, true, 0, 0, cli_tpm_quote},
};

static const struct cli_program program = {"vmcrypt-tpm", "Event logs, quotes and verdicts",
                                           commands, sizeof commands / sizeof commands[0]};

/* "pcr predict" is "predict" too. */
int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "pcr") == 0 && strcmp(argv[2], "predict") == 0) {
        argc--;
        argv++;
    }
    return cli_main(&program, argc, argv);
}
