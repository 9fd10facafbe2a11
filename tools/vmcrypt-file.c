/* vmcrypt-file - look into, decrypt and encrypt the swap files of a VM. */
#include "tools/cli_disk.h"
#include "tools/cli_file.h"

static const struct cli_option swap_options[] = {
    {"vmx", 0, "VM.vmx", "take the VM's dataFileKey, unlocked with the keys that are given"},
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},
    {"first-unit", 0, "N", "number of the first data unit (default: 0)"},
    {"force", 'f', NULL, "replace OUT when it exists"},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct cli_command commands[] = {
    {"info", "FILE.vswp", "Show how much of a file looks encrypted", NULL, 0, NULL, false, true, 1,
     1, cli_file_info},
    {"decrypt", "IN.vswp OUT", "Decrypt a swap file; its layout is a hypothesis", swap_options,
     COUNT(swap_options), &cli_copy_options, true, true, 2, 2, cli_file_decrypt},
    {"encrypt", "IN OUT.vswp", "Encrypt a swap file; its layout is a hypothesis", swap_options,
     COUNT(swap_options), &cli_copy_options, true, true, 2, 2, cli_file_encrypt},
};

static const struct cli_program program = {
    "vmcrypt-file", "Look into, decrypt and encrypt swap files", commands, COUNT(commands)};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
