/* cli_key_seal - vmcrypt key seal, unseal: keys bound to a TPM. */
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/encode.h"
#include "base/file.h"
#include "keywrap/keyring_crypt.h"
#include "keywrap/keyring_write.h"
#include "keywrap/secret_file.h"
#include "keywrap/source.h"
#include "keywrap/tpm_seal.h"
#include "tools/cli_key.h"

enum { BLOB_LIMIT = 64 << 10 };

static bool read_terms(struct cli *cli, struct tpm_seal *seal, struct secret **pin,
                       struct error *error)
{
    const char *pin_file = cli_value(cli, "pin-file"), *parent = cli_value(cli, "parent");
    *seal = (struct tpm_seal){.tcti = cli_value(cli, "tcti"), .pcrs = cli_value(cli, "pcr")};
    if (parent != NULL && !tpm_seal_parent_parse(parent, &seal->parent, error))
        return false;
    if (pin_file != NULL) {
        *pin = passphrase_file_read(pin_file, &cli->log, error);
        seal->pin = *pin;
        return *pin != NULL;
    }
    return true;
}

/* The key to seal: PROVIDER/ID when keys are given, else the file of that name, whatever its form.
 * It belongs to cli->ring. */
static const struct secret *find_key(struct cli *cli, const char *operand, struct error *error)
{
    if (!cli_keys(cli, NULL, error))
        return NULL;
    if (cli_value(cli, "key") != NULL || cli_value(cli, "keyring") != NULL) {
        const struct keyring_key *key = cli_find_kek(cli, operand, error);
        return key == NULL ? NULL : key->key;
    }
    struct source_options options = {.passphrases = &cli->ring};
    if (!source_read(operand, &options, &cli->ring, NULL, &cli->log, error))
        return NULL;
    if (cli->ring.key_count == 1)
        return cli->ring.keys[0].key;
    error_set(error, ERROR_USAGE,
              "holds %zu keys; name it with --key or --keyring and say which one, PROVIDER/ID",
              cli->ring.key_count);
    error_in_file(error, operand);
    return NULL;
}

/* All keys in hand as a keyring, encrypted with a new random passphrase, which is returned. It is
 * text, so that it can also be given as a passphrase file. */
static struct secret *encrypt_ring(struct cli *cli, struct buffer *file, struct error *error)
{
    enum { RANDOM_BYTES = 32 };
    struct secret *random = secret_new(RANDOM_BYTES, error), *passphrase = NULL;
    struct buffer yaml = BUFFER_INIT, hex = BUFFER_INIT;
    bool ok = random != NULL && cli_keys(cli, NULL, error);
    if (ok && cli->ring.key_count + cli->ring.phrase_count == 0)
        ok = error_set(error, ERROR_USAGE, "no keys in hand; give them with --keyring and --key");
    if (ok && RAND_priv_bytes(random->data, RANDOM_BYTES) != 1)
        ok = error_set(error, ERROR_FAILED, "no random numbers to be had");
    if (ok && !hex_encode(random->data, random->length, &hex))
        ok = error_memory(error);
    if (ok)
        passphrase = secret_copy(hex.data, hex.length, error);
    ok = passphrase != NULL && keyring_write_add(&yaml, &cli->ring, error) &&
         keyring_encrypt(&yaml, passphrase, file, error);
    secret_free(random);
    buffer_free(&yaml);
    buffer_free(&hex);
    if (ok)
        return passphrase;
    secret_free(passphrase);
    return NULL;
}

struct sealing {
    struct tpm_seal seal;
    struct secret *pin, *passphrase; /* ours to free */
    const struct secret *key;        /* what is sealed */
    struct buffer ring;              /* for --to */
    struct buffer public_blob, private_blob;
    const char *to, *public_path, *private_path;
};

/* What is of use only with the blobs comes after them. */
static bool write_sealed(struct cli *cli, const struct sealing *s, struct error *error)
{
    bool force = cli_value(cli, "force") != NULL;
    return file_replace(s->public_path, buffer_text(&s->public_blob), s->public_blob.length, 0600,
                        force, error) &&
           file_replace(s->private_path, buffer_text(&s->private_blob), s->private_blob.length,
                        0600, force, error) &&
           (s->to == NULL ||
            file_replace(s->to, buffer_text(&s->ring), s->ring.length, 0600, force, error));
}

static void print_sealed(const struct cli *cli, const struct sealing *s)
{
    if (s->to != NULL)
        printf("%s: %zu keys and %zu passphrases, encrypted\n", cli_printable(s->to),
               cli->ring.key_count, cli->ring.phrase_count);
    printf("%s, %s: %zu bytes sealed, to be had from this TPM only%s%s%s\n",
           cli_printable(s->public_path), cli_printable(s->private_path), s->key->length,
           s->seal.pcrs == NULL ? "" : ", with the PCRs as they are now: ",
           s->seal.pcrs == NULL ? "" : cli_printable(s->seal.pcrs),
           s->pin == NULL ? "" : ", with the PIN");
}

static bool seal(struct cli *cli, struct sealing *s, struct error *error)
{
    s->to = cli_value(cli, "to");
    size_t first = s->to == NULL ? 1 : 0;
    if (cli->operand_count != first + 2)
        return error_set(error, ERROR_USAGE,
                         "seal takes a key, PUB and PRIV, or with --to only PUB and PRIV");
    s->public_path = cli->operands[first];
    s->private_path = cli->operands[first + 1];
    if (strcmp(s->public_path, s->private_path) == 0)
        return error_set(error, ERROR_USAGE, "PUB and PRIV are two files");
    if (!read_terms(cli, &s->seal, &s->pin, error))
        return false;
    if (s->to != NULL)
        s->key = s->passphrase = encrypt_ring(cli, &s->ring, error);
    else
        s->key = find_key(cli, cli->operands[0], error);
    if (s->key == NULL ||
        !tpm_seal_make(&s->seal, s->key, &s->public_blob, &s->private_blob, error) ||
        !write_sealed(cli, s, error))
        return false;
    print_sealed(cli, s);
    return true;
}

int cli_key_seal(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct sealing s = {.to = NULL};
    bool ok = seal(cli, &s, &error);
    buffer_free(&s.ring);
    buffer_free(&s.public_blob);
    buffer_free(&s.private_blob);
    secret_free(s.pin);
    secret_free(s.passphrase);
    return ok ? 0 : cli_fail(cli, &error);
}

int cli_key_unseal(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct buffer public_blob = BUFFER_INIT, private_blob = BUFFER_INIT;
    struct tpm_seal seal;
    struct secret *pin = NULL, *key = NULL;
    if (read_terms(cli, &seal, &pin, &error) &&
        file_read_all(cli->operands[0], BLOB_LIMIT, &public_blob, &error) &&
        file_read_all(cli->operands[1], BLOB_LIMIT, &private_blob, &error)) {
        key = tpm_seal_open(&seal, &public_blob, &private_blob, &error);
        if (error.code == ERROR_NO_KEY || error.code == ERROR_DAMAGED)
            error_in_file(&error, cli->operands[1]);
    }
    bool ok = key != NULL && file_replace(cli->operands[2], key->data, key->length, 0600,
                                          cli_value(cli, "force") != NULL, &error);
    buffer_free(&public_blob);
    buffer_free(&private_blob);
    secret_free(pin);
    secret_free(key);
    return ok ? 0 : cli_fail(cli, &error);
}
