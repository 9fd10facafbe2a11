/*
 * cli_vmx - the commands of vmcrypt-vmx, and what they share.
 */
#ifndef VMCRYPT_TOOLS_CLI_VMX_H
#define VMCRYPT_TOOLS_CLI_VMX_H

#include <stdbool.h>

#include "base/buffer.h"
#include "keywrap/keysafe.h"
#include "tools/cli.h"
#include "vmx/config.h"
#include "vmx/info.h"

/* Each returns the exit status. */
int cli_vmx_info(struct cli *cli);
int cli_vmx_decrypt(struct cli *cli);
int cli_vmx_encrypt(struct cli *cli);
int cli_vmx_rekey(struct cli *cli);
int cli_vmx_get(struct cli *cli);
int cli_vmx_set(struct cli *cli);
int cli_vmx_unset(struct cli *cli);
int cli_vmx_bundle(struct cli *cli);
int cli_vmx_hash(struct cli *cli);

/* Gather the keys (asking for a passphrase when none was named) and unlock CONFIG from PATH, if
 * it is encrypted. */
bool cli_vmx_unlock(struct cli *cli, struct vmx_config *config, const char *path,
                    struct error *error);

/* Who locks a new key safe. */
struct cli_vmx_locker {
    struct keysafe_locker locker;
    struct secret *passphrase;
    enum seal_mac mac;
};

/* What --cipher, --mac, --kdf and --rounds say over what *into holds, then the KEK named KEK or
 * the passphrase in PHRASE_FILE, which is asked for when both are NULL. */
bool cli_vmx_choose_locker(struct cli *cli, const char *kek, const char *phrase_file,
                           struct cli_vmx_locker *into, struct error *error);
void cli_vmx_locker_free(struct cli_vmx_locker *locker);

/* Write a result to OUT (new, mode 0600, replaced only with --force; "-" is standard output) or,
 * when OUT is NULL, over PATH, whose old text is kept as PATH.bak unless --no-backup. *kept: such
 * a copy was made. */
bool cli_vmx_write(struct cli *cli, const struct buffer *text, const char *path, const char *out,
                   bool *kept, struct error *error);

/* The same for the outer text of CONFIG. */
bool cli_vmx_write_config(struct cli *cli, const struct vmx_config *config, const char *path,
                          const char *out, bool *kept, struct error *error);

/* Malloc'd path at which a disk that a .vmx at PATH names as FILE may be read: beside it, never
 * outside of its folder; NULL when there is no such regular file. */
char *cli_vmx_disk_path(const char *path, const char *file);

/* Tells each disk of an unlocked CONFIG that its own descriptor says is encrypted. *count: how
 * many. */
bool cli_vmx_encrypted_disks(struct cli *cli, const struct vmx_config *config, const char *path,
                             const char *what, size_t *count, struct error *error);

#endif
