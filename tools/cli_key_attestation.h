/* cli_key_attestation - a key is released only to a host that is attested: Trust Authority's way.
 */
#ifndef VMCRYPT_TOOLS_CLI_KEY_ATTESTATION_H
#define VMCRYPT_TOOLS_CLI_KEY_ATTESTATION_H

#include <stdbool.h>

#include "tools/cli.h"

/* True when no attestation was asked for, or the document that --require-attestation names is
 * signed by --trust, is valid now, says "trusted", and is what the --attestation-* options ask for.
 * To be called before a key is looked at. */
bool cli_key_attested(struct cli *cli, struct error *error);

#endif
