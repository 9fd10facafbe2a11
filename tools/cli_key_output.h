/*
 * cli_key_output - a key, or a wrapped one, written in the form that was asked for.
 */
#ifndef VMCRYPT_TOOLS_CLI_KEY_OUTPUT_H
#define VMCRYPT_TOOLS_CLI_KEY_OUTPUT_H

#include "base/buffer.h"
#include "base/secret.h"
#include "tools/cli.h"

/* What goes out. */
struct cli_key_output {
    const char *path; /* "-": standard output */
    const char *form; /* raw, hex, base64, base64url, jwk, locator; NULL: raw */
    const char *id;   /* for the JWK; NULL: none */
    bool secret;      /* a key in the clear, which a terminal shows only with --reveal */
    bool force;       /* replace PATH */
    bool reveal;
};

/* False with ERROR_USAGE for a form that is none, or that wrapped bytes do not have, and for a
 * terminal that is not to have it: before any work is done. */
bool cli_key_output_check(const struct cli_key_output *output, struct error *error);

/* Write LENGTH bytes, whole or not at all, for the owner only. */
bool cli_key_output_write(const struct cli_key_output *output, const void *data, size_t length,
                          struct error *error);

/* Write TEXT, which has its form already. */
bool cli_key_output_text(const struct cli_key_output *output, const struct buffer *text,
                         struct error *error);

/* "AES-256" of 32 bytes and so on; NULL: keys of VMs have no such size. */
const char *cli_key_cipher(size_t bytes);

#endif
