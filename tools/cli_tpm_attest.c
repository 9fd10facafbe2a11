/* cli_tpm_attest - vmcrypt tpm attest: a policy's verdict on a log and its quotes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "base/encode.h"
#include "base/file.h"
#include "tools/cli_tpm.h"
#include "tpm/attestation.h"
#include "tpm/verdict.h"

static const struct cli_option options[] = {
    {"policy", 0, "FILE", "what the host must prove"},
    {"ak", 0, "FILE", "attestation key: PEM, TPM2B_PUBLIC, TPMT_PUBLIC or its certificate"},
    {"ak-certificate", 0, "FILE", "certificate of the attestation key"},
    {"message", 0, "FILE", "quote (TPMS_ATTEST); again for each further one"},
    {"signature", 0, "FILE", "its signature, in the same order"},
    {"pcrs", 0, "FILE", "its PCR values, in the same order"},
    {"nonce", 0, "HEX", "the nonce that the quotes were asked for with"},
    {"nonce-file", 0, "FILE", "the same, as the bytes in FILE"},
    {"ek", 0, "FILE", "endorsement key"},
    {"ek-certificate", 0, "FILE", "its certificate"},
    {"credential", 0, "FILE", "record of a credential that ties both keys, see vmcrypt-tpm(1)"},
    {"ca", 0, "PATH", "intermediate CA certificates that the policy's roots vouch for"},
    {"time", 0, "SECONDS", "judge certificates as of then (since 1970); default: now"},
    {"sign", 0, "KEY.pem", "sign the verdict, when it is \"trusted\", with this private key"},
    {"document", 0, "FILE", "write the signed document there"},
    {"issuer", 0, "NAME", "who signs; default: vmcrypt"},
    {"host", 0, "NAME", "which host the document is for; default: the name of the AK"},
    {"force", 'f', NULL, "replace the document if it exists"},
};

const struct cli_options cli_tpm_attest_options = {options, sizeof options / sizeof options[0]};

/* All that was given. */
struct attesting {
    struct cli *cli;
    struct policy policy;
    struct buffer log_bytes, nonce;
    struct eventlog log;
    struct quote_key ak, ek;
    struct quote quotes[VERDICT_QUOTES_MAX];
    struct pcr_set values[VERDICT_QUOTES_MAX];
    size_t quote_count;
    struct identity_cas intermediates;
    struct identity_credential credential;
    struct identity_binding binding;
    struct verdict_evidence evidence;
    struct verdict verdict;
    bool has_policy, has_log, has_ak, has_ek, has_credential, has_verdict;
};

static bool load_nonce(struct attesting *a, struct error *error)
{
    const char *hex = cli_value(a->cli, "nonce"), *file = cli_value(a->cli, "nonce-file");
    bool ok = true;
    if (hex != NULL) {
        size_t length = strlen(hex);
        char *room = buffer_reserve(&a->nonce, length + 1);
        ok = room != NULL && length > 0 && hex_decode(hex, length, (uint8_t *)room, &length);
        a->nonce.length = ok ? length : 0;
        if (!ok)
            error_set(error, ERROR_USAGE, "--nonce takes hex digits");
    } else if (file != NULL) {
        ok = file_read_all(file, 1024, &a->nonce, error);
    }
    if (ok && (hex != NULL || file != NULL)) {
        a->evidence.nonce = buffer_text(&a->nonce);
        a->evidence.nonce_length = a->nonce.length;
    }
    return ok;
}

static bool load_keys(struct attesting *a, struct error *error)
{
    const char *ak = cli_value(a->cli, "ak"), *ek = cli_value(a->cli, "ek"),
               *ek_certificate = cli_value(a->cli, "ek-certificate"),
               *ak_certificate = cli_value(a->cli, "ak-certificate");
    if (ak == NULL)
        ak = ak_certificate;
    if (ak != NULL) {
        a->has_ak = quote_key_load(&a->ak, ak, error);
        if (!a->has_ak)
            return false;
        a->evidence.ak = &a->ak;
        if (ak_certificate != NULL && a->ak.certificate == NULL &&
            !quote_key_add_certificate(&a->ak, ak_certificate, error))
            return false;
        if (a->ak.certificate != NULL &&
            EVP_PKEY_eq(X509_get0_pubkey(a->ak.certificate), a->ak.key) != 1)
            return error_set(error, ERROR_DAMAGED, "the AK's certificate is for another key");
    }
    if (ek == NULL)
        ek = ek_certificate;
    if (ek != NULL) {
        a->has_ek = quote_key_load(&a->ek, ek, error);
        if (!a->has_ek || (ek_certificate != NULL && a->ek.certificate == NULL &&
                           !quote_key_add_certificate(&a->ek, ek_certificate, error)))
            return false;
        a->evidence.ek = &a->ek;
        a->evidence.ek_certificate = a->ek.certificate;
    }
    return true;
}

static bool load_quotes(struct attesting *a, struct error *error)
{
    const char *message;
    for (size_t i = 0; (message = cli_value_at(a->cli, "message", i)) != NULL; i++) {
        const char *signature = cli_value_at(a->cli, "signature", i);
        const char *pcrs = cli_value_at(a->cli, "pcrs", i), *form;
        if (signature == NULL || !a->has_ak || i == VERDICT_QUOTES_MAX)
            return error_set(error, ERROR_USAGE,
                             i == VERDICT_QUOTES_MAX ? "too many quotes"
                             : !a->has_ak            ? "--message needs --ak"
                                                     : "each --message needs its --signature");
        if (!quote_load(&a->quotes[i], message, signature, &a->ak, error))
            return false;
        a->quote_count = i + 1;
        if (pcrs != NULL && !pcr_load(pcrs, &a->quotes[i].selection, &a->values[i], &form, error))
            return false;
        a->evidence.quotes[i].quote = &a->quotes[i];
        a->evidence.quotes[i].values = pcrs != NULL ? &a->values[i] : NULL;
    }
    a->evidence.quote_count = a->quote_count;
    return true;
}

static bool load_identity(struct attesting *a, struct error *error)
{
    const char *path, *record = cli_value(a->cli, "credential");
    for (size_t i = 0; (path = cli_value_at(a->cli, "ca", i)) != NULL; i++)
        if (!identity_cas_add(&a->intermediates, path, error))
            return false;
    a->evidence.intermediates = &a->intermediates;
    if (record == NULL)
        return true;
    if (!a->has_ak)
        return error_set(error, ERROR_USAGE, "--credential needs --ak");
    a->has_credential = identity_credential_load(&a->credential, record, error);
    if (!a->has_credential ||
        !identity_credential_check(&a->credential, &a->ak, a->has_ek ? &a->ek : NULL, &a->binding,
                                   error))
        return false;
    a->evidence.credential = &a->binding;
    return true;
}

static bool load_time(struct attesting *a, struct error *error)
{
    const char *text = cli_value(a->cli, "time");
    char *end = NULL;
    a->evidence.now = time(NULL);
    if (text == NULL)
        return true;
    a->evidence.now = strtoll(text, &end, 10);
    return (text[0] >= '0' && text[0] <= '9' && *end == '\0') ||
           error_set(error, ERROR_USAGE, "--time takes seconds since 1970");
}

static bool load_all(struct attesting *a, struct error *error)
{
    const char *policy = cli_value(a->cli, "policy");
    if (policy == NULL)
        return error_set(error, ERROR_USAGE, "--policy says what the host must prove");
    if (cli_value(a->cli, "sign") != NULL && cli_value(a->cli, "document") == NULL)
        return error_set(error, ERROR_USAGE, "--sign needs --document, where to write it");
    if (cli_value(a->cli, "document") != NULL && cli_value(a->cli, "sign") == NULL)
        return error_set(error, ERROR_USAGE, "--document needs --sign, the key to sign it with");
    if (cli_value(a->cli, "sign") != NULL && cli_value(a->cli, "time") != NULL)
        return error_set(error, ERROR_USAGE,
                         "--time goes without --sign: a document says what holds now");
    a->has_policy = policy_load(&a->policy, policy, error);
    if (!a->has_policy || !eventlog_load(a->cli->operands[0], &a->log_bytes, error))
        return false;
    a->has_log = eventlog_parse(&a->log, buffer_text(&a->log_bytes), a->log_bytes.length, error);
    if (!a->has_log)
        return error_in_file(error, a->cli->operands[0]);
    a->evidence.log = &a->log;
    return load_time(a, error) && load_nonce(a, error) && load_keys(a, error) &&
           load_quotes(a, error) && load_identity(a, error);
}

static void free_all(struct attesting *a)
{
    if (a->has_verdict)
        verdict_free(&a->verdict);
    if (a->has_credential)
        identity_credential_free(&a->credential);
    identity_cas_free(&a->intermediates);
    for (size_t i = 0; i < a->quote_count; i++)
        quote_free(&a->quotes[i]);
    if (a->has_ek)
        quote_key_free(&a->ek);
    if (a->has_ak)
        quote_key_free(&a->ak);
    if (a->has_log)
        eventlog_free(&a->log);
    if (a->has_policy)
        policy_free(&a->policy);
    buffer_free(&a->log_bytes);
    buffer_free(&a->nonce);
}

/* {"sha256": {"0": HEX}}: what was proved, in the banks of the policy. */
static json_t *proven_pcrs(const struct attesting *a)
{
    json_t *root = json_object();
    for (size_t b = 0; b < a->verdict.proven.bank_count; b++) {
        const struct pcr_bank *values = &a->verdict.proven.banks[b];
        json_t *bank = json_object();
        char name[16], index[8], hex[2 * BANK_DIGEST_MAX + 1];
        for (unsigned n = 0; n < PCR_COUNT; n++) {
            if (!(values->known >> n & 1))
                continue;
            snprintf(index, sizeof index, "%u", n);
            json_object_set_new(bank, index,
                                json_string(hex_text(values->value[n], values->size, hex)));
        }
        json_object_set_new(root, bank_name(values->algorithm, name), bank);
    }
    return root;
}

static json_t *ak_name(const struct attesting *a)
{
    char hex[2 * sizeof a->ak.name + 1];
    if (a->ak.name_length > 0)
        return json_string(hex_text(a->ak.name, a->ak.name_length, hex));
    uint8_t digest[32];
    identity_key_digest(a->ak.key, digest);
    return json_sprintf("sha256:%s", hex_text(digest, sizeof digest, hex));
}

static json_t *make_claims(const struct attesting *a)
{
    const char *issuer = cli_value(a->cli, "issuer"), *host = cli_value(a->cli, "host");
    int64_t now = time(NULL);
    uint8_t id[16];
    char hex[2 * sizeof id + 1];
    struct buffer nonce = BUFFER_INIT;
    RAND_bytes(id, sizeof id);
    json_t *ours = verdict_json(&a->verdict, &a->policy);
    hex_encode(a->evidence.nonce != NULL ? a->evidence.nonce : "", a->evidence.nonce_length,
               &nonce);
    json_object_set_new(ours, "nonce", json_string(buffer_text(&nonce)));
    json_object_set_new(ours, "ak", ak_name(a));
    json_object_set_new(ours, "pcrs", proven_pcrs(a));
    json_t *claims = json_pack("{s:s, s:I, s:I, s:I, s:s, s:o}", "iss",
                               issuer != NULL ? issuer : "vmcrypt", "iat", (json_int_t)now, "nbf",
                               (json_int_t)now, "exp", (json_int_t)now + a->policy.lifetime, "jti",
                               hex_text(id, sizeof id, hex), "vmcrypt", ours);
    json_object_set_new(claims, "sub", host != NULL ? json_string(host) : ak_name(a));
    buffer_free(&nonce);
    return claims;
}

static bool write_document(struct attesting *a, struct error *error)
{
    const char *file = cli_value(a->cli, "sign");
    struct buffer text = BUFFER_INIT;
    EVP_PKEY *key = attestation_key_load(file, true, error);
    json_t *claims = key == NULL ? NULL : make_claims(a);
    bool ok = key != NULL && (claims != NULL || error_memory(error));
    ok = ok && attestation_sign(claims, key, &text, error) && buffer_append_byte(&text, '\n') &&
         cli_tpm_write(a->cli, cli_value(a->cli, "document"), &text, error);
    json_decref(claims);
    EVP_PKEY_free(key);
    buffer_free(&text);
    return ok;
}

static void print_verdict(const struct attesting *a)
{
    for (size_t i = 0; i < VERDICT_RUNGS; i++) {
        const struct verdict_rung *r = &a->verdict.rungs[i];
        printf("R%zu %-30s %s%s\n", i + 1, verdict_rung_name(i), quote_outcome_name(r->outcome),
               r->required ? "" : "  (not required by the policy)");
        for (size_t k = 0; k < json_array_size(r->details); k++) {
            const json_t *line = json_array_get(r->details, k);
            const char *outcome = json_string_value(json_object_get(line, "outcome"));
            if (a->cli->log.level < LOG_INFO && strcmp(outcome, "pass") == 0)
                continue;
            printf("     %-11s %s: %s\n", outcome,
                   json_string_value(json_object_get(line, "check")),
                   cli_printable(json_string_value(json_object_get(line, "detail"))));
        }
    }
    printf("%s by the policy \"%s\"\n", a->verdict.trusted ? "trusted" : "NOT TRUSTED",
           cli_printable(a->policy.name));
}

static bool judge(struct attesting *a, struct error *error)
{
    if (!load_all(a, error))
        return false;
    a->has_verdict = verdict_judge(&a->evidence, &a->policy, &a->verdict, error);
    if (!a->has_verdict)
        return false;
    if (a->cli->json)
        cli_print_json(verdict_json(&a->verdict, &a->policy), 0);
    else
        print_verdict(a);
    if (!a->verdict.trusted)
        return error_set(error, ERROR_DAMAGED, "the host is not trusted%s",
                         cli_value(a->cli, "sign") != NULL ? "; no document was written" : "");
    return cli_value(a->cli, "sign") == NULL || write_document(a, error);
}

int cli_tpm_attest(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct attesting *a = calloc(1, sizeof *a);
    bool ok = false;
    if (a == NULL) {
        error_memory(&error);
    } else {
        a->cli = cli;
        ok = judge(a, &error);
        free_all(a);
    }
    free(a);
    return ok ? 0 : cli_fail(cli, &error);
}
