/* vmcrypt-file - look into, decrypt and encrypt the swap files of a VM. */
#include "tools/cli_file.h"

static const struct cli_option copy_options[] = {
    {"vmx", 0, "VM.vmx", "take the VM's dataFileKey, unlocked with the keys that are given"},
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},
    {"first-unit", 0, "N", "number of the first data unit (default: 0)"},
    {"force", 'f', NULL, "replace OUT when it exists"},
    {"threads", 0, "N", "work with N threads (default: one for each CPU, at most 16)"},
    {"resume", 0, NULL, "keep a journal, and go on where an interrupted run stopped"},
    {"sha256", 0, NULL, "compute SHA-256 of both sides, and write OUT.sha256"},
    {"bad-sectors", 0, "HOW", "stop (default) at what cannot be read, or take zeros for it"},
    {"rate-limit", 0, "BYTES", "read at most so much in a second (500K, 80M, 1G)"},
    {"direct", 0, NULL, "write past the page cache (default from 1 GiB on ext4 and XFS)"},
    {"buffered", 0, NULL, "write through the page cache, whatever the size"},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct cli_command commands[] = {
    {"info", "FILE.vswp", "Show how much of a file looks encrypted", NULL, 0, false, true, 1, 1,
     cli_file_info},
    {"decrypt", "IN.vswp OUT", "Decrypt a swap file; its layout is a hypothesis", copy_options,
     COUNT(copy_options), true, true, 2, 2, cli_file_decrypt},
    {"encrypt", "IN OUT.vswp", "Encrypt a swap file; its layout is a hypothesis", copy_options,
     COUNT(copy_options), true, true, 2, 2, cli_file_encrypt},
};

static const struct cli_program program = {
    "vmcrypt-file", "Look into, decrypt and encrypt swap files", commands, COUNT(commands)};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
