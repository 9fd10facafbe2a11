/* cli_tpm_quote_report - the checks of a quote as a table and as JSON; see cli_tpm_quote.h. */
#include "tools/cli_tpm_quote.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "tpm/event_types.h"

enum { HEX_MAX = 2 * 128 + 1 };

static const char *const match_names[] = {
    [REPLAY_MATCHES] = "matches",
    [REPLAY_DIFFERS] = "differs",
    [REPLAY_ABSENT_INITIAL] = "no events, initial value",
    [REPLAY_ABSENT_DIFFERS] = "no events, yet not the initial value",
    [REPLAY_UNKNOWN] = "no value",
    [REPLAY_SKIPPED] = "cannot be computed",
};

static const char *const binding_names[] = {
    [IDENTITY_BY_CERTIFICATE] = "certificate",
    [IDENTITY_BY_CREDENTIAL] = "credential",
    [IDENTITY_BY_NAME] = "name",
};

/* PCRs whose events the quote vouches for: signed, and the log replays to what was signed. SHA-1
 * vouches for nothing, unless the user says so. */
static uint32_t vouched(const struct cli_tpm_quoted *q, uint16_t algorithm)
{
    uint32_t pcrs = 0;
    if (algorithm == BANK_SHA1 && !q->expect.allow_sha1)
        return 0;
    for (size_t i = 0; q->verdict.valid && q->has_replay && i < q->replay.count; i++) {
        const struct replay_result *r = &q->replay.results[i];
        if (r->algorithm == algorithm && r->match == REPLAY_MATCHES)
            pcrs |= UINT32_C(1) << r->pcr;
    }
    return pcrs & quote_selected(&q->quote.selection, algorithm);
}

/* Every event counts that extends a PCR. */
static size_t count_events(const struct cli_tpm_quoted *q, size_t *all)
{
    size_t count = 0;
    *all = 0;
    for (size_t i = 0; i < q->log.event_count; i++) {
        const struct eventlog_event *event = &q->log.events[i];
        bool covered = false;
        if (event->type == EV_NO_ACTION || event->pcr >= PCR_COUNT)
            continue;
        for (size_t d = 0; d < event->digest_count; d++)
            covered = covered || (vouched(q, event->digests[d].algorithm) >> event->pcr & 1) != 0;
        *all += 1;
        count += covered;
    }
    return count;
}

/* The banks and PCRs that are vouched for, as a selection. */
static struct pcr_selection vouched_pcrs(const struct cli_tpm_quoted *q)
{
    struct pcr_selection out = {.count = 0};
    for (size_t i = 0; i < q->quote.selection.count; i++) {
        uint16_t id = q->quote.selection.banks[i].algorithm;
        uint32_t pcrs = vouched(q, id);
        if (pcrs == 0)
            continue;
        out.banks[out.count].algorithm = id;
        out.banks[out.count++].pcrs = pcrs;
    }
    return out;
}

static void print_checks(const struct quote_verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++)
        printf("  %-17s %-12s %s\n", verdict->checks[i].name,
               quote_outcome_name(verdict->checks[i].outcome), verdict->checks[i].detail);
}

static void print_log(const struct cli_tpm_quoted *q)
{
    char name[16], text[200];
    size_t all, count = count_events(q, &all);
    struct pcr_selection pcrs = vouched_pcrs(q);
    printf("Log\n");
    for (size_t i = 0; i < q->replay.count; i++) {
        const struct replay_result *r = &q->replay.results[i];
        if (r->match == REPLAY_MATCHES || r->match == REPLAY_ABSENT_INITIAL ||
            r->match == REPLAY_UNKNOWN)
            continue;
        printf("  PCR %-2u %-9s %s%s%s\n", r->pcr, bank_name(r->algorithm, name),
               match_names[r->match], r->why[0] == '\0' ? "" : ": ", cli_printable(r->why));
    }
    printf("  The quote vouches for %zu of %zu measured events: %s\n", count, all,
           quote_selection_text(&pcrs, text, sizeof text));
}

static void print_end(const struct cli_tpm_quoted *q)
{
    const struct quote_check *nonce = quote_find(&q->verdict, "nonce");
    if (!q->verdict.valid)
        printf("NOT VALID: rely on nothing in it\n");
    else if (q->has_log && !q->replay.all_match)
        printf("NOT VALID: the log does not explain the signed PCRs\n");
    else if (!q->valid)
        printf("NOT VALID: it is not of the TPM that it should be of\n");
    else
        printf("valid%s%s\n",
               q->binding.how == IDENTITY_UNBOUND ? "; nothing here proves that the key is a TPM's"
                                                  : "",
               nonce != NULL && nonce->outcome == QUOTE_PASS ? "" : "; nothing shows its age");
}

void cli_tpm_quote_print(const struct cli_tpm_quoted *q)
{
    const TPMS_ATTEST *attest = &q->quote.attest;
    printf("Quote, TPM firmware version 0x%016" PRIx64 "\n", attest->firmwareVersion);
    print_checks(&q->verdict);
    printf("Identity\n");
    print_checks(&q->identity);
    if (q->has_log)
        print_log(q);
    print_end(q);
}

static json_t *checks_json(const struct quote_verdict *verdict)
{
    json_t *list = json_array();
    for (size_t i = 0; i < verdict->count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "check", verdict->checks[i].name,
                                        "outcome", quote_outcome_name(verdict->checks[i].outcome),
                                        "detail", verdict->checks[i].detail));
    return list;
}

static json_t *hex_json(const void *data, size_t length)
{
    char text[HEX_MAX];
    return length > sizeof text / 2 ? json_null() : json_string(hex_text(data, length, text));
}

/* {"sha256": [0, 7]}. */
static json_t *selection_json(const struct pcr_selection *selection)
{
    json_t *object = json_object();
    for (size_t i = 0; i < selection->count; i++) {
        char name[16];
        uint32_t pcrs = quote_selected(selection, selection->banks[i].algorithm);
        json_t *list = json_array();
        for (unsigned pcr = 0; pcr < 32; pcr++)
            if ((pcrs >> pcr & 1) != 0)
                json_array_append_new(list, json_integer(pcr));
        json_object_set_new(object, bank_name(selection->banks[i].algorithm, name), list);
    }
    return object;
}

static json_t *quote_json(const struct cli_tpm_quoted *q)
{
    const TPMS_ATTEST *attest = &q->quote.attest;
    bool is_quote = attest->type == TPM2_ST_ATTEST_QUOTE;
    const TPM2B_DIGEST *digest = &attest->attested.quote.pcrDigest;
    char version[24];
    snprintf(version, sizeof version, "0x%016" PRIx64, attest->firmwareVersion);
    return json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:s, s:o}", "valid", q->verdict.valid,
        "nonce", hex_json(attest->extraData.buffer, attest->extraData.size), "selection",
        selection_json(&q->quote.selection), "digest",
        is_quote ? hex_json(digest->buffer, digest->size) : json_null(), "qualified_signer",
        hex_json(attest->qualifiedSigner.name, attest->qualifiedSigner.size), "clock",
        (json_int_t)attest->clockInfo.clock, "reset_count",
        (json_int_t)attest->clockInfo.resetCount, "restart_count",
        (json_int_t)attest->clockInfo.restartCount, "safe", attest->clockInfo.safe == TPM2_YES,
        "firmware_version", version, "checks", checks_json(&q->verdict));
}

static json_t *certificate_json(const X509 *certificate)
{
    struct identity_tpm about;
    if (certificate == NULL)
        return json_null();
    identity_describe(certificate, &about);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "subject", about.subject,
                     "issuer", about.issuer, "serial", about.serial, "not_before", about.not_before,
                     "not_after", about.not_after, "manufacturer", about.manufacturer, "vendor",
                     about.vendor, "model", about.model, "version", about.version, "aia",
                     about.aia);
}

static json_t *key_json(const struct quote_key *key)
{
    uint8_t digest[32];
    bool known = identity_key_digest(key->key, digest);
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "type", EVP_PKEY_get0_type_name(key->key),
                     "bits", EVP_PKEY_get_bits(key->key), "sha256",
                     known ? hex_json(digest, sizeof digest) : json_null(), "name",
                     key->name_length == 0 ? json_null() : hex_json(key->name, key->name_length),
                     "attributes",
                     key->has_public ? json_integer(key->public.objectAttributes) : json_null(),
                     "certificate", certificate_json(key->certificate));
}

static json_t *identity_json(const struct cli_tpm_quoted *q)
{
    const char *how = binding_names[q->binding.how];
    return json_pack("{s:b, s:o, s:s, s:o, s:o, s:o}", "bound", q->identity.valid, "binding",
                     how == NULL ? json_null() : json_string(how), "detail", q->binding.detail,
                     "ak", key_json(&q->ak), "ek", q->has_ek ? key_json(&q->ek) : json_null(),
                     "checks", checks_json(&q->identity));
}

static json_t *log_json(const struct cli_tpm_quoted *q)
{
    json_t *pcrs = json_array();
    size_t all, count;
    if (!q->has_log) {
        json_decref(pcrs);
        return json_null();
    }
    count = count_events(q, &all);
    for (size_t i = 0; i < q->replay.count; i++) {
        const struct replay_result *r = &q->replay.results[i];
        char name[16];
        if (r->match != REPLAY_UNKNOWN)
            json_array_append_new(pcrs, json_pack("{s:s, s:i, s:s, s:s}", "bank",
                                                  bank_name(r->algorithm, name), "pcr", (int)r->pcr,
                                                  "match", match_names[r->match], "why",
                                                  cli_printable(r->why)));
    }
    struct pcr_selection proved = vouched_pcrs(q);
    return json_pack("{s:b, s:o, s:I, s:I, s:o}", "matches", q->replay.all_match, "vouched",
                     selection_json(&proved), "vouched_events", (json_int_t)count, "events",
                     (json_int_t)all, "pcrs", pcrs);
}

json_t *cli_tpm_quote_json(const struct cli_tpm_quoted *q)
{
    return json_pack("{s:i, s:b, s:o, s:o, s:o}", "version", 1, "valid", q->valid, "quote",
                     quote_json(q), "identity", identity_json(q), "log", log_json(q));
}
