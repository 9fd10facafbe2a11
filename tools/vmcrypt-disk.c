/* vmcrypt-disk - look into, decrypt and encrypt virtual disks. */
#include "tools/cli_disk.h"

static const struct cli_option info_options[] = {
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},
    {"decrypt-zero-units", 0, NULL, "decrypt units of zeros too, which count as never written"},
    {"allow-outside", 0, NULL, "read extents that lie outside the descriptor's directory"},
};

static const struct cli_option decrypt_options[] = {
    {"to", 0, "FORMAT", "raw or vmdk (default: vmdk when OUT ends in .vmdk)"},
    {"force", 'f', NULL, "replace OUT when it exists"},
    {"require-proof", 0, NULL, "fail when nothing in the plaintext confirms it"},
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},
    {"decrypt-zero-units", 0, NULL, "decrypt units of zeros too, which count as never written"},
    {"allow-outside", 0, NULL, "read extents that lie outside the descriptor's directory"},
};

static const struct cli_option encrypt_options[] = {
    {"kek", 0, "PROVIDER/ID", "lock the disk key with this key; else with a passphrase"},
    {"mac", 0, "NAME", "HMAC-SHA-256 (default), HMAC-SHA-1 or HMAC-SHA-1-128"},
    {"rounds", 0, "N", "PBKDF2 rounds for a passphrase (default: 600000)"},
    {"from", 0, "FORMAT", "raw or vmdk (default: vmdk when IN ends in .vmdk)"},
    {"force", 'f', NULL, "replace OUT when it exists"},
    {"allow-outside", 0, NULL, "read extents that lie outside the descriptor's directory"},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct cli_command commands[] = {
    {"info", "DISK.vmdk", "Show what a disk is: extents, keys, and what its content tells",
     info_options, COUNT(info_options), true, true, 1, 1, cli_disk_info},
    {"decrypt", "IN.vmdk OUT", "Write the plain disk as a raw image or as a flat .vmdk",
     decrypt_options, COUNT(decrypt_options), true, true, 2, 2, cli_disk_decrypt},
    {"encrypt", "IN OUT.vmdk", "Encrypt a raw image or flat .vmdk under a new key of its own",
     encrypt_options, COUNT(encrypt_options), true, true, 2, 2, cli_disk_encrypt},
};

static const struct cli_program program = {
    "vmcrypt-disk", "Look into, decrypt and encrypt virtual disks", commands, COUNT(commands)};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
