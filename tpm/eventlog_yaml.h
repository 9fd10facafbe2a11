/*
 * eventlog_yaml - the document that tpm2_eventlog prints, so that what reads it can read ours.
 *
 * Keys, types and order are those of tpm2-tools [source: lib/tpm2_eventlog_yaml.c and its test
 * fixtures, 5.8], the PCR values those of replay_log. A log that tpm2_eventlog gives up on is
 * printed whole. Where its document would not load again (control characters, bytes that are no
 * UTF-8) ours is escaped and quoted.
 */
#ifndef VMCRYPT_TPM_EVENTLOG_YAML_H
#define VMCRYPT_TPM_EVENTLOG_YAML_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tpm/eventlog.h"

/* tpm2_eventlog prints device paths as the libefivar that it was built with does. */
enum eventlog_yaml_paths {
    EVENTLOG_YAML_PATHS_HEX,       /* built without, as in Debian */
    EVENTLOG_YAML_PATHS_EFIVAR,    /* up to 38: "File(\EFI\BOOT\BOOTX64.EFI)" */
    EVENTLOG_YAML_PATHS_EFIVAR_39, /* from 39 on: "\EFI\BOOT\BOOTX64.EFI" */
};

struct eventlog_yaml_options {
    unsigned version; /* 1, its default, or 2 (--eventlog-version=2) */
    enum eventlog_yaml_paths paths;
};

/* Append the document to OUT. OPTIONS NULL: version 1, paths in hex. */
bool eventlog_yaml(const struct eventlog *log, const struct eventlog_yaml_options *options,
                   struct buffer *out, struct error *error);

#endif
