/* cli_tpm_quote - vmcrypt tpm quote: every check of a quote, and whose TPM it is by. */
#include "tools/cli_tpm_quote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "base/file.h"
#include "tools/cli_tpm.h"

static const struct cli_option options[] = {
    {"ak", 0, "FILE", "attestation key: PEM, TPM2B_PUBLIC, TPMT_PUBLIC or its certificate"},
    {"ak-certificate", 0, "FILE", "certificate of the attestation key"},
    {"message", 0, "FILE", "what the TPM signed (TPMS_ATTEST)"},
    {"signature", 0, "FILE", "its signature (TPMT_SIGNATURE or plain)"},
    {"pcrs", 0, "FILE", "PCR values; default: those that --log replays to"},
    {"nonce", 0, "HEX", "the nonce that the quote was asked for with"},
    {"nonce-file", 0, "FILE", "the same, as the bytes in FILE"},
    {"selection", 0, "PCRS", "PCRs that must be signed and in --log, as in sha256:0,4,7"},
    {"log", 0, "FILE", "event log that must replay to the signed values"},
    {"ek", 0, "FILE", "endorsement key of the TPM"},
    {"ek-certificate", 0, "FILE", "its certificate"},
    {"ca", 0, "PATH", "trusted CA certificates: a file or a folder; again for more"},
    {"pinned-ek", 0, "FILE|HEX", "a permitted endorsement key: itself, its SHA-256 or Name"},
    {"ak-name", 0, "HEX|FILE", "Name that the attestation key must have"},
    {"credential", 0, "FILE", "record of a credential that ties both keys, see vmcrypt-tpm(1)"},
    {"time", 0, "SECONDS", "judge certificates as of then (since 1970); default: now"},
    {"allow-sha1", 0, NULL, "accept SHA-1, for old TPMs: it can be forged"},
    {"allow-unrestricted", 0, NULL, "accept a key that signs anything, or lives outside a TPM"},
};

const struct cli_options cli_tpm_quote_options = {options, sizeof options / sizeof options[0]};

enum { NONCE_MAX = 1024, NAME_FILE_MAX = 4096 };

/* Bytes given as hex. */
static bool take_hex(const char *text, struct buffer *out)
{
    size_t length = strlen(text), bytes = length / 2;
    char *room = buffer_reserve(out, bytes + 1);
    if (room == NULL || length == 0 || !hex_decode(text, length, (uint8_t *)room, &bytes))
        return false;
    out->length += bytes;
    return true;
}

static bool load_nonce(struct cli_tpm_quoted *q, struct error *error)
{
    const char *hex = cli_value(q->cli, "nonce"), *file = cli_value(q->cli, "nonce-file");
    if (hex != NULL && file != NULL)
        return error_set(error, ERROR_USAGE, "--nonce and --nonce-file exclude each other");
    if (hex != NULL && !take_hex(hex, &q->nonce))
        return error_set(error, ERROR_USAGE, "--nonce takes hex digits, two for each byte");
    if (file != NULL && !file_read_all(file, NONCE_MAX, &q->nonce, error))
        return false;
    if (file != NULL && q->nonce.length == 0) {
        error_set(error, ERROR_DAMAGED, "the nonce is empty");
        return error_in_file(error, file);
    }
    if (hex != NULL || file != NULL) {
        q->expect.nonce = buffer_text(&q->nonce);
        q->expect.nonce_length = q->nonce.length;
    }
    return true;
}

/* A key and its certificate, which may be all that is given. Others in the certificate's file are
 * intermediates. */
static bool load_key(struct cli_tpm_quoted *q, const char *key_option,
                     const char *certificate_option, struct quote_key *key, bool *has,
                     struct error *error)
{
    const char *path = cli_value(q->cli, key_option),
               *certificate = cli_value(q->cli, certificate_option);
    const char *first = path != NULL ? path : certificate;
    if (first == NULL)
        return true;
    *has = quote_key_load(key, first, error);
    if (!*has)
        return false;
    if (path != NULL && certificate != NULL && !quote_key_add_certificate(key, certificate, error))
        return false;
    struct error ignored = ERROR_INIT;
    if (certificate != NULL)
        identity_cas_add(&q->intermediates, certificate, &ignored);
    return key->certificate != NULL || certificate == NULL ||
           error_set(error, ERROR_DAMAGED, "--%s is no certificate", certificate_option);
}

static bool load_quote(struct cli_tpm_quoted *q, struct error *error)
{
    const char *message = cli_value(q->cli, "message"), *signature = cli_value(q->cli, "signature"),
               *selection = cli_value(q->cli, "selection"), *pcrs = cli_value(q->cli, "pcrs"),
               *form;
    if (!q->has_ak || message == NULL || signature == NULL)
        return error_set(error, ERROR_USAGE,
                         "a quote is checked with its --message, --signature "
                         "and the --ak that signed it");
    if (selection != NULL && !pcr_selection_parse(selection, &q->selection, error))
        return error_prefix(error, "--selection");
    q->has_quote = quote_load(&q->quote, message, signature, &q->ak, error);
    if (!q->has_quote)
        return false;
    q->has_values = pcrs != NULL;
    q->expect.selection = selection == NULL ? NULL : &q->selection;
    /* Values that do not tell their PCRs are those that were signed, in that order. */
    return pcrs == NULL || pcr_load(pcrs, &q->quote.selection, &q->values, &form, error);
}

/* A file with a Name, in binary as tpm2-tools write it or in hex; or the hex itself. */
static bool load_name(const char *text, struct buffer *out, struct error *error)
{
    struct buffer file = BUFFER_INIT;
    if (take_hex(text, out))
        return true;
    bool ok = file_read_all(text, NAME_FILE_MAX, &file, error);
    if (ok) {
        size_t length = strcspn(buffer_text(&file), " \r\n");
        bool is_binary = file.length > 0 && file.data[0] == 0;
        struct buffer line = BUFFER_INIT;
        if (is_binary)
            ok = buffer_append(out, file.data, file.length) || error_memory(error);
        else if (!buffer_append(&line, buffer_text(&file), length) ||
                 !take_hex(buffer_text(&line), out)) {
            error_set(error, ERROR_DAMAGED, "it is no Name of a key, in hex or binary");
            ok = error_in_file(error, text);
        }
        buffer_free(&line);
    }
    buffer_free(&file);
    return ok;
}

static bool load_pin(const char *text, struct identity_pin *pin, struct error *error)
{
    struct buffer hex = BUFFER_INIT;
    struct quote_key key;
    bool ok = true;
    if (take_hex(text, &hex)) {
        ok = hex.length <= sizeof pin->bytes ||
             error_set(error, ERROR_USAGE, "--pinned-ek: no SHA-256 and no Name is that long");
        if (ok)
            memcpy(pin->bytes, hex.data, hex.length);
        pin->length = ok ? hex.length : 0;
    } else {
        ok = quote_key_load(&key, text, error);
        pin->length = 32;
        if (ok) {
            ok = identity_key_digest(key.key, pin->bytes) || error_memory(error);
            quote_key_free(&key);
        }
    }
    buffer_free(&hex);
    return ok;
}

static bool load_pins(struct cli_tpm_quoted *q, struct error *error)
{
    size_t count = 0;
    while (cli_value_at(q->cli, "pinned-ek", count) != NULL)
        count++;
    if (count == 0)
        return true;
    q->pins = calloc(count, sizeof *q->pins);
    if (q->pins == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        if (!load_pin(cli_value_at(q->cli, "pinned-ek", i), &q->pins[i], error))
            return false;
    q->evidence.pinned_eks = q->pins;
    q->evidence.pinned_count = count;
    return q->has_ek || error_set(error, ERROR_USAGE, "--pinned-ek needs the --ek to compare with");
}

static bool load_time(struct cli_tpm_quoted *q, struct error *error)
{
    const char *text = cli_value(q->cli, "time");
    char *end = NULL;
    if (text == NULL)
        return true;
    errno = 0;
    q->evidence.when = strtoll(text, &end, 10);
    return (text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0) ||
           error_set(error, ERROR_USAGE, "--time takes seconds since 1970");
}

static bool load_identity(struct cli_tpm_quoted *q, struct error *error)
{
    const char *path, *name = cli_value(q->cli, "ak-name"),
                      *record = cli_value(q->cli, "credential");
    for (size_t i = 0; (path = cli_value_at(q->cli, "ca", i)) != NULL; i++)
        if (!identity_cas_add(&q->cas, path, error))
            return false;
    if (!load_pins(q, error) || !load_time(q, error) ||
        (name != NULL && !load_name(name, &q->name, error)))
        return false;
    q->has_credential = record != NULL && identity_credential_load(&q->credential, record, error);
    if (record != NULL && !q->has_credential)
        return false;
    q->evidence.ak = &q->ak;
    q->evidence.ek = q->has_ek ? &q->ek : NULL;
    q->evidence.cas = &q->cas;
    q->evidence.intermediates = &q->intermediates;
    q->evidence.credential = q->has_credential ? &q->credential : NULL;
    q->evidence.ak_name = name == NULL ? NULL : (const uint8_t *)buffer_text(&q->name);
    q->evidence.ak_name_length = q->name.length;
    return true;
}

/* What the log says the signed PCRs hold. */
static bool values_of_log(struct cli_tpm_quoted *q, struct error *error)
{
    struct pcr_set replayed = {.bank_count = 0};
    const struct pcr_selection *selection = &q->quote.selection;
    if (!replay_log(&q->log, &replayed, NULL, error))
        return false;
    for (size_t i = 0; i < selection->count; i++) {
        uint16_t id = selection->banks[i].algorithm;
        const struct pcr_bank *bank = pcr_bank(&replayed, id);
        for (unsigned pcr = 0; bank != NULL && pcr < PCR_COUNT; pcr++) {
            uint8_t value[BANK_DIGEST_MAX];
            if ((selection->banks[i].pcrs >> pcr & 1) == 0)
                continue;
            if ((bank->known >> pcr & 1) != 0)
                memcpy(value, bank->value[pcr], bank->size);
            else
                replay_initial(&q->log, id, pcr, value);
            pcr_put(&q->values, id, pcr, value, bank->size);
        }
    }
    q->has_values = true;
    return true;
}

static bool load_log(struct cli_tpm_quoted *q, struct error *error)
{
    const char *path = cli_value(q->cli, "log");
    if (path == NULL)
        return true;
    if (!eventlog_load(path, &q->log_bytes, error))
        return false;
    q->has_log = eventlog_parse(&q->log, buffer_text(&q->log_bytes), q->log_bytes.length, error);
    if (!q->has_log)
        return error_in_file(error, path);
    return q->has_values || values_of_log(q, error);
}

/* Values that are not signed may say anything: only the others are compared with the log. Of those
 * the user may ask for some: what runs later, IMA say, is in no firmware log. */
static bool compare_log(struct cli_tpm_quoted *q, struct error *error)
{
    struct pcr_set *values = calloc(1, sizeof *values);
    if (values == NULL)
        return error_memory(error);
    for (size_t i = 0; i < q->values.bank_count; i++) {
        const struct pcr_bank *bank = &q->values.banks[i];
        uint32_t counts = bank->known & quote_selected(&q->quote.selection, bank->algorithm);
        if (q->expect.selection != NULL)
            counts &= quote_selected(q->expect.selection, bank->algorithm);
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
            if ((counts >> pcr & 1) != 0)
                pcr_put(values, bank->algorithm, pcr, bank->value[pcr], bank->size);
    }
    q->has_replay = replay_compare(&q->log, values, &q->replay, error);
    free(values);
    return q->has_replay;
}

static bool check_all(struct cli_tpm_quoted *q, struct error *error)
{
    q->expect.values = q->has_values ? &q->values : NULL;
    q->expect.ek = q->has_ek ? &q->ek : NULL;
    q->expect.allow_sha1 = cli_value(q->cli, "allow-sha1") != NULL;
    q->expect.allow_unrestricted = cli_value(q->cli, "allow-unrestricted") != NULL;
    if (!quote_verify(&q->quote, &q->ak, &q->expect, &q->verdict, error))
        return false;
    identity_check(&q->evidence, &q->identity, &q->binding);
    q->valid = q->verdict.valid;
    for (size_t i = 0; i < q->identity.count; i++)
        q->valid = q->valid && q->identity.checks[i].outcome != QUOTE_FAIL;
    if (q->has_log && !compare_log(q, error))
        return false;
    q->valid = q->valid && (!q->has_log || q->replay.all_match);
    return true;
}

static void free_all(struct cli_tpm_quoted *q)
{
    if (q->has_replay)
        replay_report_free(&q->replay);
    if (q->has_log)
        eventlog_free(&q->log);
    if (q->has_quote)
        quote_free(&q->quote);
    if (q->has_credential)
        identity_credential_free(&q->credential);
    if (q->has_ak)
        quote_key_free(&q->ak);
    if (q->has_ek)
        quote_key_free(&q->ek);
    identity_cas_free(&q->cas);
    identity_cas_free(&q->intermediates);
    free(q->pins);
    buffer_free(&q->nonce);
    buffer_free(&q->name);
    buffer_free(&q->log_bytes);
}

static int run(struct cli_tpm_quoted *q)
{
    struct error error = ERROR_INIT;
    if (!load_nonce(q, &error) ||
        !load_key(q, "ak", "ak-certificate", &q->ak, &q->has_ak, &error) ||
        !load_key(q, "ek", "ek-certificate", &q->ek, &q->has_ek, &error) ||
        !load_quote(q, &error) || !load_identity(q, &error) || !load_log(q, &error) ||
        !check_all(q, &error))
        return cli_fail(q->cli, &error);
    int status = q->valid ? 0 : (int)ERROR_DAMAGED;
    if (q->cli->json)
        return cli_print_json(cli_tpm_quote_json(q), status);
    cli_tpm_quote_print(q);
    return status;
}

int cli_tpm_quote(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct cli_tpm_quoted *q = calloc(1, sizeof *q);
    if (q == NULL) {
        error_memory(&error);
        return cli_fail(cli, &error);
    }
    q->cli = cli;
    int status = run(q);
    free_all(q);
    free(q);
    return status;
}
