/* cli_key_pkcs12 - what a PKCS#12 file holds and how it falls short, as JSON and as text; never a
 * key itself. */
#ifndef VMCRYPT_TOOLS_CLI_KEY_PKCS12_H
#define VMCRYPT_TOOLS_CLI_KEY_PKCS12_H

#include <jansson.h>

#include "keywrap/keyring.h"
#include "keywrap/pkcs12.h"

/* RING is what pkcs12_read was given. */
json_t *cli_pkcs12_json(const struct pkcs12 *p12, const struct keyring *ring);
void cli_pkcs12_print(const struct pkcs12 *p12, const struct keyring *ring);

#endif
