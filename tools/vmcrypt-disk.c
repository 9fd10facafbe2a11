/* vmcrypt-disk - look into, decrypt, encrypt and rekey virtual disks. */
#include "tools/cli_disk.h"

static const struct cli_option info_options[] = {
    CLI_SOURCE_OPTIONS,
};

static const struct cli_option decrypt_options[] = {
    {"in-place", 0, NULL, "decrypt the disk's own extents; goes on when it was interrupted"},
    {"to", 0, "FORMAT", "raw or vmdk (default: vmdk when OUT ends in .vmdk)"},
    {"force", 'f', NULL, "replace OUT when it exists; in place: see the manual"},
    {"segment", 0, "KIB", "in place: make sure of so much at a time (default: 16384)"},
    {"require-proof", 0, NULL, "fail when nothing in the plaintext confirms it"},
    CLI_SOURCE_OPTIONS,
    {"shard", 0, "I/N", "write the I-th of N parts only, into the same unfinished file"},
    {"range", 0, "OFFSET:LENGTH", "write this part only (multiples of 1M)"},
    {"finish", 0, NULL, "all parts are written: check that, and name the result"},
};

static const struct cli_option map_options[] = {CLI_SOURCE_OPTIONS};

static const struct cli_option probe_options[] = {
    {"write", 0, "FILE", "write what was found to FILE, for --geometry"},
    {"force", 'f', NULL, "replace FILE when it exists"},
    {"allow-outside", 0, NULL, "read files that lie outside the descriptor's directory"},
    {"search", 0, "DIR", "look for extents in DIR, too; can be given again"},
};

static const struct cli_option convert_options[] = {
    {"to", 0, "FORMAT", "raw, flat, sparse (monolithicSparse) or stream (streamOptimized)"},
    {"level", 0, "N", "how hard to deflate a stream: 1 (fast) to 9"},
    {"kek", 0, "PROVIDER/ID", "with --to flat: encrypt under a new key, locked with this one"},
    {"mac", 0, "NAME", "of the new key: HMAC-SHA-256 (default), HMAC-SHA-1 or HMAC-SHA-1-128"},
    {"force", 'f', NULL, "replace OUT when it exists"},
    {"require-proof", 0, NULL, "raw, flat: fail when nothing in the plaintext confirms it"},
    CLI_SOURCE_OPTIONS,
};

static const struct cli_option encrypt_options[] = {
    {"in-place", 0, NULL, "encrypt the disk's own extents; goes on when it was interrupted"},
    {"kek", 0, "PROVIDER/ID", "lock the disk key with this key; else with a passphrase"},
    {"mac", 0, "NAME", "HMAC-SHA-256 (default), HMAC-SHA-1 or HMAC-SHA-1-128"},
    {"rounds", 0, "N", "PBKDF2 rounds for a passphrase (default: 600000)"},
    {"from", 0, "FORMAT", "raw or vmdk (default: vmdk when IN ends in .vmdk)"},
    {"force", 'f', NULL, "replace OUT when it exists; in place: see the manual"},
    {"segment", 0, "KIB", "in place: make sure of so much at a time (default: 16384)"},
    {"shard", 0, "I/N", "write the I-th of N parts only, into the same unfinished file"},
    {"range", 0, "OFFSET:LENGTH", "write this part only (multiples of 1M)"},
    {"finish", 0, NULL, "all parts are written: check that, and name the result"},
    CLI_SOURCE_OPTIONS,
};

static const struct cli_option rekey_options[] = {
    {"new-kek", 0, "PROVIDER/ID", "lock the disk key with this key; else with a passphrase"},
    {"new-passphrase-file", 0, "FILE", "the new passphrase; - reads standard input"},
    {"mac", 0, "NAME", "HMAC-SHA-256, HMAC-SHA-1 or HMAC-SHA-1-128 (default: as it is)"},
    {"rounds", 0, "N", "PBKDF2 rounds for a passphrase (default: 600000)"},
    {"no-backup", 0, NULL, "do not keep the old descriptor as DISK.vmdk.bak"},
    {"deep", 0, NULL, "with --in-place: a new disk key, all data encrypted again"},
    {"in-place", 0, NULL, "with --deep; goes on when it was interrupted"},
    {"segment", 0, "KIB", "in place: make sure of so much at a time (default: 16384)"},
    {"force", 'f', NULL, "in place: see the manual"},
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},
    {"allow-outside", 0, NULL, "let extents lie outside the descriptor's directory"},
};

static const struct cli_option verify_options[] = {
    {"plain", 0, NULL, "look at one disk: does it show a partition table and file systems"},
    {"cipher", 0, NULL, "look at one disk: where does it not look encrypted"},
    {"threads", 0, "N", "work with N threads (default: one for each CPU, at most 16)"},
    {"rate-limit", 0, "BYTES", "read at most so much in a second (500K, 80M, 1G)"},
    CLI_SOURCE_OPTIONS,
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct cli_command commands[] = {
    {"info", "DISK.vmdk", "Show what a disk is: extents, keys, and what its content tells",
     info_options, COUNT(info_options), NULL, true, true, 1, 1, cli_disk_info},
    {"map", "DISK.vmdk", "List what is stored where: layer, file, offset, holes", map_options,
     COUNT(map_options), NULL, false, true, 1, 1, cli_disk_map},
    {"probe", "DISK.vmdk | FILE", "Find out how the data are encrypted: units and their numbers",
     probe_options, COUNT(probe_options), NULL, true, true, 1, 1, cli_disk_probe},
    {"decrypt", "IN.vmdk OUT | --in-place DISK.vmdk",
     "Write the plain disk as a raw image or as a flat .vmdk", decrypt_options,
     COUNT(decrypt_options), &cli_copy_options, true, true, 1, 2, cli_disk_decrypt},
    {"convert", "--to FORMAT IN.vmdk OUT",
     "Write the whole disk, snapshots and all, as one file of another kind", convert_options,
     COUNT(convert_options), &cli_copy_options, true, true, 2, 2, cli_disk_convert},
    {"encrypt", "IN OUT.vmdk | --in-place DISK.vmdk",
     "Encrypt a raw image or flat .vmdk under a new key of its own", encrypt_options,
     COUNT(encrypt_options), &cli_copy_options, true, true, 1, 2, cli_disk_encrypt},
    {"rekey", "DISK.vmdk", "Lock the disk key anew; with --in-place --deep encrypt under a new one",
     rekey_options, COUNT(rekey_options), NULL, true, true, 1, 1, cli_disk_rekey},
    {"verify", "CIPHER.vmdk PLAIN | --plain DISK | --cipher DISK",
     "Compare what a disk decrypts to with a plaintext, or look at one of them", verify_options,
     COUNT(verify_options), NULL, true, true, 1, 2, cli_disk_verify},
};

static const struct cli_program program = {"vmcrypt-disk",
                                           "Look into, decrypt, encrypt and rekey virtual disks",
                                           commands, COUNT(commands)};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
