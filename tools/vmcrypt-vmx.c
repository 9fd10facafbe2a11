/* vmcrypt-vmx - look into, decrypt, encrypt, rekey and change .vmx files. */
#include "tools/cli_vmx.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct cli_option decrypt_options[] = {
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_option encrypt_options[] = {
    {"kek", 0, "PROVIDER/ID", "lock with this key (see --key) instead of a passphrase"},
    {"cipher", 0, "NAME", "AES-256 (default), XTS-AES-256, AES-192 or AES-128"},
    {"mac", 0, "NAME", "HMAC-SHA-1 (default for a passphrase) or HMAC-SHA-256"},
    {"kdf", 0, "NAME", "PBKDF2-HMAC-SHA-1 (default) or PBKDF2-HMAC-SHA-256"},
    {"rounds", 0, "N", "PBKDF2 rounds (10000, as Workstation does)"},
    {"no-backup", 0, NULL, "keep no VM.vmx.bak of a file that is changed in place"},
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_option rekey_options[] = {
    {"new-passphrase-file", 0, "FILE", "the new passphrase; asked for when nothing is given"},
    {"new-kek", 0, "PROVIDER/ID", "lock with this key (see --key) from now on"},
    {"deep", 0, NULL, "a new config key, and a new dataFileKey where no file needs the old one"},
    {"cipher", 0, "NAME", "cipher label (kept unless given)"},
    {"mac", 0, "NAME", "HMAC-SHA-1, HMAC-SHA-1-128 or HMAC-SHA-256 (kept unless given)"},
    {"kdf", 0, "NAME", "PBKDF2-HMAC-SHA-1 or PBKDF2-HMAC-SHA-256 (kept unless given)"},
    {"rounds", 0, "N", "PBKDF2 rounds (kept unless given, 10000 at least)"},
    {"no-backup", 0, NULL, "keep no VM.vmx.bak of a file that is changed in place"},
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_option change_options[] = {
    {"outer", 0, NULL, "change the part that is readable without a key"},
    {"output", 'o', "FILE", "write here instead of changing the file in place"},
    {"no-backup", 0, NULL, "keep no VM.vmx.bak of a file that is changed in place"},
    {"force", 'f', NULL, "replace the output file if it exists"},
};

static const struct cli_option bundle_options[] = {
    {"kek", 0, "PROVIDER/ID", "export: lock the bundle with this key (see --key)"},
    {"new-passphrase-file", 0, "FILE", "export: lock the bundle with this passphrase"},
    {"mac", 0, "NAME", "export: HMAC-SHA-256 (default) or HMAC-SHA-1"},
    {"output", 'o', "FILE", "import: write here instead of changing the file in place"},
    {"no-backup", 0, NULL, "keep no VM.vmx.bak of a file that is changed in place"},
    {"force", 'f', NULL, "replace the output file if it exists"},
};

static const struct cli_option hash_options[] = {
    {"format", 0, "NAME", "hashcat (mode 27400, default) or john"},
};

static const struct cli_command commands[] = {
    {"info", "VM.vmx", "Tell what the file says of its VM, with a key also what is locked", NULL, 0,
     NULL, true, true, 1, 1, cli_vmx_info},
    {"decrypt", "VM.vmx [OUT]", "Write the plain .vmx, to standard output without OUT",
     decrypt_options, COUNT(decrypt_options), NULL, true, false, 1, 2, cli_vmx_decrypt},
    {"encrypt", "VM.vmx [OUT]",
     "Encrypt the settings, in place without OUT; disks and data files stay as they are",
     encrypt_options, COUNT(encrypt_options), NULL, true, false, 1, 2, cli_vmx_encrypt},
    {"rekey", "VM.vmx [OUT]", "Lock the settings with another passphrase or key", rekey_options,
     COUNT(rekey_options), NULL, true, false, 1, 2, cli_vmx_rekey},
    {"get", "VM.vmx NAME", "Print the value of a setting; status 1 when it is not there", NULL, 0,
     NULL, true, false, 2, 2, cli_vmx_get},
    {"set", "VM.vmx NAME=VALUE...",
     "Change settings where they are, or add them (inside of an encrypted file)", change_options,
     COUNT(change_options), NULL, true, false, 2, 1024, cli_vmx_set},
    {"unset", "VM.vmx NAME...", "Remove settings", change_options, COUNT(change_options), NULL,
     true, false, 2, 1024, cli_vmx_unset},
    {"bundle", "export|import VM.vmx [FILE]",
     "Save the secret settings (dataFileKey ...) under a key of their own, or bring them back",
     bundle_options, COUNT(bundle_options), NULL, true, false, 2, 3, cli_vmx_bundle},
    {"hash", "VM.vmx", "Print the passphrase hashes for a password cracker", hash_options,
     COUNT(hash_options), NULL, false, false, 1, 1, cli_vmx_hash},
};

static const struct cli_program program = {
    "vmcrypt-vmx", "Look into, decrypt, encrypt, rekey and change .vmx files", commands,
    COUNT(commands)};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
