/*
 * cli_file - the commands of vmcrypt-file: swap files (.vswp).
 *
 * How products encrypt a swap file is not published. These commands take it for AES-XTS over the
 * whole file, with the dataFileKey of the VM or a key at hand, and say so [hypothesis].
 */
#ifndef VMCRYPT_TOOLS_CLI_FILE_H
#define VMCRYPT_TOOLS_CLI_FILE_H

#include "tools/cli.h"

int cli_file_info(struct cli *cli);
int cli_file_decrypt(struct cli *cli);
int cli_file_encrypt(struct cli *cli);

#endif
