/* vmcrypt-key - what keys and key locators are, and what would open them. */
#include "tools/cli_key.h"

static const struct cli_option explain_options[] = {
    {"reveal", 0, NULL, "print keys that a locator carries in the clear (rawkey)"},
};

static const struct cli_option test_options[] = {
    {"threads", 0, "N", "threads that test; default: one for each CPU"},
};

/* The first is for seal only. */
static const struct cli_option tpm_options[] = {
    {"to", 0, "RING", "write all keys in hand to RING, encrypted, and seal what opens it"},
    {"pcr", 0, "PCRS", "PCRs that count, as in sha256:0,2,4,7"},
    {"pin-file", 0, "FILE", "the PIN; - reads standard input"},
    {"parent", 0, "HANDLE", "parent key in the TPM, as in 0x81000001; default: made anew"},
    {"tcti", 0, "TCTI", "how to reach the TPM, as in device:/dev/tpmrm0"},
    {"force", 'f', NULL, "replace the output if it exists"},
};

enum { TPM_OPTIONS = sizeof tpm_options / sizeof tpm_options[0] };

static const struct cli_option import_options[] = {
    {"to", 0, "KEYRING-FILE", "the keyring; made when it is not there, else added to"},
    {"form", 0, "FORM", "insist on that form of source; default: what the content shows"},
    {"provider", 0, "NAME", "provider of keys whose source does not tell"},
    {"id", 0, "ID", "id of the key, when its source does not tell"},
    {"kdk", 0, NULL, "the keys are key derivation keys of Native Key Providers"},
    {"unwrap-key", 0, "FILE", "AES key that the sources are wrapped with"},
    {"unwrap-pem", 0, "FILE", "RSA private key that they are wrapped with"},
    {"pem-passphrase-file", 0, "FILE", "passphrase of that PEM file"},
    {"passphrase-file", 0, "FILE", "passphrase of a locked source; - reads standard input"},
    {"keyring-passphrase-file", 0, "FILE", "passphrase of an encrypted keyring"},
    {"encrypt", 0, NULL, "encrypt the keyring with a passphrase, which is asked for"},
    {"new-passphrase-file", 0, "FILE", "the same with this passphrase"},
    {"replace", 0, NULL, "put keys in the place of other ones of that provider and id"},
};

static const struct cli_option unwrap_options[] = {
    {"method", 0, "METHOD", "how it is wrapped: pair, rfc5649 …; default: what fits"},
    {"with-key", 0, "FILE", "AES key that unwraps it"},
    {"with-pem", 0, "FILE", "RSA private key that unwraps it"},
    {"pem-passphrase-file", 0, "FILE", "passphrase of that PEM file"},
    {"form", 0, "FORM", "write it raw, hex, base64, base64url, jwk or locator; default: raw"},
    {"id", 0, "ID", "which key of several; the id in a JWK"},
    {"reveal", 0, NULL, "show the key on a terminal"},
    {"require-attestation", 0, "FILE", "only if this document says that the host is trusted"},
    {"trust", 0, "KEY.pem", "public key, or certificate, of who may sign such documents"},
    {"attestation-nonce", 0, "HEX", "the document must be for this nonce"},
    {"attestation-policy", 0, "SHA256", "it must be by the policy with this digest"},
    {"attestation-host", 0, "NAME", "it must be for this host"},
    {"attestation-max-age", 0, "SECONDS", "it must be no older, however long it is good for"},
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_option wrap_options[] = {
    {"method", 0, "METHOD", "how to wrap it: pair, rfc3394, rfc5649, aes-gcm, rsa-oaep-sha256 …"},
    {"with-key", 0, "FILE", "AES key that wraps it"},
    {"with-pem", 0, "FILE", "RSA public key or certificate that wraps it"},
    {"pem-passphrase-file", 0, "FILE", "passphrase of that PEM file, if it is a private key"},
    {"kek", 0, "PROVIDER/ID", "pair: lock it with this key (see --key)"},
    {"new-passphrase-file", 0, "FILE", "pair: lock it with this passphrase; else it is asked for"},
    {"form", 0, "FORM", "write it raw, hex, base64 or base64url; default: raw; a pair is text"},
    {"force", 'f', NULL, "replace OUT if it exists"},
};

static const struct cli_command commands[] = {
    {"explain", "FILE|LOCATOR",
     "Say what a key locator or a file of keys is, what would open it, how it falls short",
     explain_options, 1, NULL, true, true, 1, 1, cli_key_explain},
    {"import", "SOURCE...", "Add the keys of files of any form to a keyring file", import_options,
     sizeof import_options / sizeof import_options[0], NULL, false, true, 1, SIZE_MAX,
     cli_key_import},
    {"list", "", "List the keys and passphrases in hand, without showing them", NULL, 0, NULL, true,
     true, 0, 0, cli_key_list},
    {"test", "KEYRING PATH...",
     "Say which key opens what under the paths, which are missing, and which open nothing",
     test_options, 1, NULL, true, true, 1, SIZE_MAX, cli_key_test},
    {"seal", "[SOURCE|PROVIDER/ID] PUB PRIV", "Bind a key to this machine's TPM, its PCRs, a PIN",
     tpm_options, TPM_OPTIONS, NULL, true, false, 2, 3, cli_key_seal},
    {"unseal", "PUB PRIV OUT", "Have the TPM give back a key that was sealed to it",
     tpm_options + 1, TPM_OPTIONS - 1, NULL, false, false, 3, 3, cli_key_unseal},
    {"wrap", "SOURCE|PROVIDER/ID OUT", "Wrap a key with another one, for another system",
     wrap_options, sizeof wrap_options / sizeof wrap_options[0], NULL, true, false, 2, 2,
     cli_key_wrap},
    {"unwrap", "IN OUT", "Unwrap a key that another system wrapped, or that a pair locks",
     unwrap_options, sizeof unwrap_options / sizeof unwrap_options[0], NULL, true, false, 2, 2,
     cli_key_unwrap},
};

static const struct cli_program program = {"vmcrypt-key",
                                           "Explain, list and test keys and key locators", commands,
                                           sizeof commands / sizeof commands[0]};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
