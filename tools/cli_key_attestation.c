/* cli_key_attestation - see cli_key_attestation.h. */
#include "tools/cli_key_attestation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "tpm/attestation.h"

enum { MAX_AGE = 366 * 24 * 3600 };

static const char *const NEEDS[] = {"trust", "attestation-nonce", "attestation-policy",
                                    "attestation-host", "attestation-max-age"};

static bool verify(struct cli *cli, const char *file, const struct buffer *text,
                   const struct attestation_need *need, struct error *error)
{
    EVP_PKEY *key = attestation_key_load(cli_value(cli, "trust"), false, error);
    if (key == NULL)
        return false;
    json_t *claims = attestation_verify(buffer_text(text), text->length, key, need, error);
    EVP_PKEY_free(key);
    if (claims == NULL)
        return error_in_file(error, file);
    const char *host = json_string_value(json_object_get(claims, "sub"));
    log_say(&cli->log, LOG_INFO, "attested: %.200s", host != NULL ? host : "a host without a name");
    json_decref(claims);
    return true;
}

bool cli_key_attested(struct cli *cli, struct error *error)
{
    const char *file = cli_value(cli, "require-attestation");
    struct buffer text = BUFFER_INIT;
    unsigned max_age;
    if (file == NULL) {
        for (size_t i = 0; i < sizeof NEEDS / sizeof NEEDS[0]; i++)
            if (cli_value(cli, NEEDS[i]) != NULL)
                return error_set(error, ERROR_USAGE, "--%s goes with --require-attestation",
                                 NEEDS[i]);
        return true;
    }
    if (cli_value(cli, "trust") == NULL)
        return error_set(error, ERROR_USAGE,
                         "--require-attestation needs --trust, the public key of who may attest");
    if (!cli_number(cli, "attestation-max-age", MAX_AGE, &max_age, error))
        return false;
    const struct attestation_need need = {
        .now = time(NULL),
        .max_age = (long)max_age,
        .nonce = cli_value(cli, "attestation-nonce"),
        .policy = cli_value(cli, "attestation-policy"),
        .host = cli_value(cli, "attestation-host"),
    };
    bool ok = file_read_all(file, ATTESTATION_BYTES_MAX, &text, error) &&
              verify(cli, file, &text, &need, error);
    buffer_free(&text);
    return ok;
}
