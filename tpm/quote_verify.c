/* quote_verify - every check of a quote; see quote.h. */
#include "tpm/quote.h"

#include <string.h>

#include "base/buffer.h"
#include "base/encode.h"

/* What all checks look at. */
struct work {
    const struct quote *quote;
    const struct quote_key *key;
    const struct quote_expect *expect;
    struct quote_verdict *verdict;
};

/* A nonce for a message: one that is asked for may be of any length. */
static const char *hex(const void *data, size_t length, char text[144])
{
    return hex_text(data, length > 70 ? 70 : length, text);
}

static void check_header(const struct work *work)
{
    const TPMS_ATTEST *attest = &work->quote->attest;
    bool is_tpm = attest->magic == TPM2_GENERATED_VALUE;
    quote_note(work->verdict, "magic", is_tpm ? QUOTE_PASS : QUOTE_FAIL,
               is_tpm ? "a TPM made it" : "0x%08x, not 0xff544347: no TPM made this",
               attest->magic);
    bool is_quote = attest->type == TPM2_ST_ATTEST_QUOTE;
    quote_note(work->verdict, "type", is_quote ? QUOTE_PASS : QUOTE_FAIL,
               is_quote ? "a quote" : "0x%04x, another sort of statement than a quote (0x8018)",
               attest->type);
}

static const char *scheme_name(uint16_t scheme)
{
    switch (scheme) {
    case TPM2_ALG_RSASSA:
        return "RSASSA";
    case TPM2_ALG_RSAPSS:
        return "RSAPSS";
    case TPM2_ALG_ECDSA:
        return "ECDSA";
    default:
        return "an unknown scheme";
    }
}

/* The scheme that the key itself fixes; TPM2_ALG_NULL when it leaves that open. */
static uint16_t fixed_scheme(const TPMT_PUBLIC *public, uint16_t *hash)
{
    bool is_rsa = public->type == TPM2_ALG_RSA;
    const TPMU_ASYM_SCHEME *details = is_rsa ? &public->parameters.rsaDetail.scheme.details
                                             : &public->parameters.eccDetail.scheme.details;
    uint16_t scheme = is_rsa ? public->parameters.rsaDetail.scheme.scheme
                             : public->parameters.eccDetail.scheme.scheme;
    *hash = scheme == TPM2_ALG_NULL ? TPM2_ALG_NULL : details->anySig.hashAlg;
    return scheme;
}

static void check_scheme(const struct work *work)
{
    const TPMT_SIGNATURE *signature = &work->quote->signature;
    uint16_t hash = signature->signature.any.hashAlg, key_hash = TPM2_ALG_NULL;
    char name[16], key_name[16];
    const char *assumed = work->quote->is_plain ? " (the plain signature does not tell)" : "";
    uint16_t scheme =
        work->key->has_public ? fixed_scheme(&work->key->public, &key_hash) : TPM2_ALG_NULL;
    if (scheme == TPM2_ALG_NULL)
        quote_note(work->verdict, "scheme", QUOTE_NOT_CHECKED, "%s with %s%s; %s",
                   scheme_name(signature->sigAlg), bank_name(hash, name), assumed,
                   work->key->has_public ? "the key fixes none"
                                         : "what the key fixes is in its public area only");
    else if (scheme != signature->sigAlg || key_hash != hash)
        quote_note(work->verdict, "scheme", QUOTE_FAIL, "%s with %s, but the key signs %s with %s",
                   scheme_name(signature->sigAlg), bank_name(hash, name), scheme_name(scheme),
                   bank_name(key_hash, key_name));
    else
        quote_note(work->verdict, "scheme", QUOTE_PASS, "%s with %s, as the key fixes%s",
                   scheme_name(scheme), bank_name(hash, name), assumed);
}

static void check_strength(const struct work *work)
{
    uint16_t hash = work->quote->signature.signature.any.hashAlg;
    char name[16];
    if (bank_by_id(hash) == NULL)
        quote_note(work->verdict, "hash", QUOTE_FAIL, "%s is not known", bank_name(hash, name));
    else if (hash == TPM2_ALG_SHA1)
        quote_note(work->verdict, "hash", work->expect->allow_sha1 ? QUOTE_WARN : QUOTE_FAIL,
                   "a signature over SHA-1, for which collisions are found");
    else
        quote_note(work->verdict, "hash", QUOTE_PASS, "%s", bank_name(hash, name));
    int bits = EVP_PKEY_get_bits(work->key->key);
    bool strong = EVP_PKEY_get_security_bits(work->key->key) >= 112;
    quote_note(work->verdict, "key-strength", strong ? QUOTE_PASS : QUOTE_FAIL, "%s, %d bits%s",
               EVP_PKEY_get0_type_name(work->key->key), bits, strong ? "" : ": too weak");
}

static void check_signature(const struct work *work)
{
    struct error error = ERROR_INIT;
    bool ok = quote_signature_verify(work->quote, work->key, &error);
    quote_note(work->verdict, "signature", ok ? QUOTE_PASS : QUOTE_FAIL, "%s",
               ok ? "by the attestation key" : error.message);
}

static void check_nonce(const struct work *work)
{
    const TPM2B_DATA *nonce = &work->quote->attest.extraData;
    const struct quote_expect *expect = work->expect;
    char have[144], want[144];
    hex(nonce->buffer, nonce->size, have);
    if (expect->nonce == NULL)
        quote_note(work->verdict, "nonce", QUOTE_NOT_CHECKED, "%s%s: it may be of any time",
                   nonce->size == 0 ? "it has none" : "none was given to compare with ", have);
    else if (nonce->size == expect->nonce_length &&
             memcmp(nonce->buffer, expect->nonce, nonce->size) == 0)
        quote_note(work->verdict, "nonce", QUOTE_PASS, "%s",
                   nonce->size == 0 ? "none, as expected" : have);
    else
        quote_note(work->verdict, "nonce", QUOTE_FAIL, "%s, not %s: an answer to another question",
                   nonce->size == 0 ? "it has none" : have,
                   hex(expect->nonce, expect->nonce_length, want));
}

static void add_pcrs(struct pcr_selection *list, uint16_t algorithm, uint32_t pcrs)
{
    if (pcrs == 0 || list->count == BANK_MAX)
        return;
    list->banks[list->count].algorithm = algorithm;
    list->banks[list->count++].pcrs = pcrs;
}

/* What no TPM writes, and what would be read in two ways. */
static void check_selection_form(const struct work *work)
{
    const TPML_PCR_SELECTION *list = &work->quote->attest.attested.quote.pcrSelect;
    const struct pcr_selection *selection = &work->quote->selection;
    char name[16];
    for (size_t i = 0; i < selection->count; i++) {
        uint16_t id = selection->banks[i].algorithm;
        const char *wrong = NULL;
        for (size_t k = 0; k < i; k++)
            if (selection->banks[k].algorithm == id)
                wrong = "the bank is there twice";
        if (bank_by_id(id) == NULL && selection->banks[i].pcrs != 0)
            wrong = "an unknown bank";
        if (selection->banks[i].pcrs >> PCR_COUNT != 0)
            wrong = "PCRs past 23";
        if (wrong != NULL) {
            quote_note(work->verdict, "selection-form", QUOTE_FAIL, "%s: %s", bank_name(id, name),
                       wrong);
            return;
        }
    }
    for (size_t i = 0; i < selection->count; i++)
        if (list->pcrSelections[i].sizeofSelect != 3) {
            quote_note(work->verdict, "selection-form", QUOTE_WARN,
                       "%s: a bit map of %u bytes, where PCs have 3",
                       bank_name(selection->banks[i].algorithm, name),
                       list->pcrSelections[i].sizeofSelect);
            return;
        }
    quote_note(work->verdict, "selection-form", QUOTE_PASS, "%zu bank%s", selection->count,
               selection->count == 1 ? "" : "s");
}

static bool is_empty(const struct pcr_selection *selection)
{
    uint32_t all = 0;
    for (size_t i = 0; i < selection->count; i++)
        all |= selection->banks[i].pcrs;
    return all == 0;
}

static void check_selection(const struct work *work)
{
    const struct pcr_selection *signed_pcrs = &work->quote->selection;
    const struct pcr_selection *wanted = work->expect->selection;
    struct pcr_selection missing = {.count = 0};
    char have[160], lacks[160];
    quote_selection_text(signed_pcrs, have, sizeof have);
    if (is_empty(signed_pcrs)) {
        quote_note(work->verdict, "selection", QUOTE_FAIL, "no PCR: it says nothing of the host");
        return;
    }
    if (wanted == NULL) {
        quote_note(work->verdict, "selection", QUOTE_NOT_CHECKED, "%s; none was asked for", have);
        return;
    }
    bool more = false;
    for (size_t i = 0; i < wanted->count; i++) {
        uint16_t id = wanted->banks[i].algorithm;
        add_pcrs(&missing, id, wanted->banks[i].pcrs & ~quote_selected(signed_pcrs, id));
    }
    for (size_t i = 0; i < signed_pcrs->count; i++)
        more = more || (signed_pcrs->banks[i].pcrs &
                        ~quote_selected(wanted, signed_pcrs->banks[i].algorithm)) != 0;
    if (is_empty(wanted))
        quote_note(work->verdict, "selection", QUOTE_FAIL, "what was asked for is empty");
    else if (missing.count != 0)
        quote_note(work->verdict, "selection", QUOTE_FAIL, "%s; not signed: %s", have,
                   quote_selection_text(&missing, lacks, sizeof lacks));
    else
        quote_note(work->verdict, "selection", QUOTE_PASS, "%s%s", have,
                   more ? ", which is more than was asked for" : "");
}

static void check_bank(const struct work *work)
{
    const struct pcr_selection *selection = &work->quote->selection;
    bool sha1 = false, other = false;
    for (size_t i = 0; i < selection->count; i++)
        if (selection->banks[i].pcrs != 0 && selection->banks[i].algorithm == BANK_SHA1)
            sha1 = true;
        else if (selection->banks[i].pcrs != 0)
            other = true;
    if (sha1 && !other)
        quote_note(work->verdict, "bank", work->expect->allow_sha1 ? QUOTE_WARN : QUOTE_FAIL,
                   "PCRs of SHA-1 alone, for which collisions are found");
    else if (sha1)
        quote_note(work->verdict, "bank", QUOTE_WARN, "SHA-1 among others: do not rely on it");
    else if (other)
        quote_note(work->verdict, "bank", QUOTE_PASS, "without SHA-1");
}

/* The values that are signed, one behind the other. False when one is not there, which MISSING
 * names. */
static bool gather(const struct work *work, struct buffer *out, struct pcr_selection *missing)
{
    const struct pcr_selection *selection = &work->quote->selection;
    for (size_t i = 0; i < selection->count; i++) {
        uint16_t id = selection->banks[i].algorithm;
        const struct pcr_bank *bank = pcr_bank(work->expect->values, id);
        uint32_t pcrs = selection->banks[i].pcrs, known = bank == NULL ? 0 : bank->known;
        add_pcrs(missing, id, pcrs & ~known);
        for (unsigned pcr = 0; pcr < PCR_COUNT && bank != NULL; pcr++)
            if ((pcrs & known) >> pcr & 1)
                buffer_append(out, bank->value[pcr], bank->size);
    }
    return missing->count == 0;
}

static bool check_digest(const struct work *work, struct error *error)
{
    const TPM2B_DIGEST *digest = &work->quote->attest.attested.quote.pcrDigest;
    const struct bank_algorithm *hash = bank_by_id(work->quote->signature.signature.any.hashAlg);
    struct pcr_selection missing = {.count = 0};
    char lacks[160];
    uint8_t computed[BANK_DIGEST_MAX];
    struct buffer values = BUFFER_INIT;
    if (work->expect->values == NULL) {
        quote_note(work->verdict, "digest", QUOTE_NOT_CHECKED, "no PCR values were given");
        return true;
    }
    if (!gather(work, &values, &missing))
        quote_note(work->verdict, "digest", QUOTE_FAIL, "no values are given of %s",
                   quote_selection_text(&missing, lacks, sizeof lacks));
    else if (values.failed)
        error_memory(error);
    else if (hash == NULL ||
             !bank_hash(hash->id, buffer_text(&values), values.length, NULL, 0, computed))
        quote_note(work->verdict, "digest", QUOTE_FAIL, "its hash cannot be computed here");
    else if (digest->size != hash->size || memcmp(digest->buffer, computed, hash->size) != 0)
        quote_note(work->verdict, "digest", QUOTE_FAIL,
                   "the PCR values are not those that were signed");
    else
        quote_note(work->verdict, "digest", QUOTE_PASS, "%s over the PCR values", hash->name);
    bool ok = !values.failed;
    buffer_free(&values);
    return ok;
}

/* Values beside those that are signed invite to be taken for signed. [CVE-2024-29039] */
static void check_values(const struct work *work)
{
    const struct pcr_set *values = work->expect->values;
    struct pcr_selection extra = {.count = 0};
    char text[160];
    for (size_t i = 0; values != NULL && i < values->bank_count; i++) {
        uint16_t id = values->banks[i].algorithm;
        add_pcrs(&extra, id, values->banks[i].known & ~quote_selected(&work->quote->selection, id));
    }
    if (values == NULL)
        return;
    if (extra.count == 0)
        quote_note(work->verdict, "values", QUOTE_PASS, "all are signed");
    else
        quote_note(work->verdict, "values", QUOTE_WARN,
                   "given but not signed, not to be relied on: %s",
                   quote_selection_text(&extra, text, sizeof text));
}

static void check_attributes(const struct work *work)
{
    static const struct {
        const char *name;
        TPMA_OBJECT bit;
        bool set;
        const char *good, *bad;
    } rules[] = {
        {"key-restricted", TPMA_OBJECT_RESTRICTED, true, "signs only what its TPM says",
         "not restricted: it signs anything, so also a forged quote"},
        {"key-sign", TPMA_OBJECT_SIGN_ENCRYPT, true, "a signing key", "not a signing key"},
        {"key-no-decrypt", TPMA_OBJECT_DECRYPT, false, "not for decryption",
         "a decryption key too, as no attestation key is"},
        {"key-fixed-tpm", TPMA_OBJECT_FIXEDTPM, true, "cannot leave its TPM",
         "may be in another TPM, or in none"},
        {"key-fixed-parent", TPMA_OBJECT_FIXEDPARENT, true, "cannot be moved",
         "may be moved to another parent"},
        {"key-origin", TPMA_OBJECT_SENSITIVEDATAORIGIN, true, "made by the TPM",
         "made outside of the TPM: others may have it"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!work->key->has_public) {
            quote_note(work->verdict, rules[i].name, QUOTE_NOT_CHECKED,
                       "its public area (TPM2B_PUBLIC) is not given");
            continue;
        }
        bool good = ((work->key->public.objectAttributes & rules[i].bit) != 0) == rules[i].set;
        enum quote_outcome bad = work->expect->allow_unrestricted ? QUOTE_WARN : QUOTE_FAIL;
        quote_note(work->verdict, rules[i].name, good ? QUOTE_PASS : bad, "%s",
                   good ? rules[i].good : rules[i].bad);
    }
}

/* H(qualified name of the parent || name), by the child's own algorithm [TPM 2.0 part 1, 16]. The
 * parent of a primary key is the handle of its hierarchy. */
static size_t qualify(const uint8_t *parent, size_t parent_length, const struct quote_key *key,
                      uint8_t *out)
{
    uint16_t hash = key->public.nameAlg;
    out[0] = (uint8_t)(hash >> 8);
    out[1] = (uint8_t)hash;
    return key->name_length != 0 &&
                   bank_hash(hash, parent, parent_length, key->name, key->name_length, out + 2)
               ? key->name_length
               : 0;
}

static void check_signer(const struct work *work)
{
    static const struct {
        uint8_t handle[4];
        enum quote_outcome outcome;
        const char *text;
    } hierarchies[] = {
        {{0x40, 0, 0, 0x0b}, QUOTE_PASS, "a primary key of the endorsement hierarchy"},
        {{0x40, 0, 0, 0x01}, QUOTE_PASS, "a primary key of the owner hierarchy"},
        {{0x40, 0, 0, 0x0c}, QUOTE_PASS, "a primary key of the platform hierarchy"},
        {{0x40, 0, 0, 0x07}, QUOTE_WARN, "a primary key of the null hierarchy, gone at a reset"},
    };
    const TPM2B_NAME *signer = &work->quote->attest.qualifiedSigner;
    const struct quote_key *key = work->key, *ek = work->expect->ek;
    uint8_t name[2 + BANK_DIGEST_MAX], parent[2 + BANK_DIGEST_MAX];
    size_t length;
    if (!key->has_public || key->name_length == 0) {
        quote_note(work->verdict, "qualified-signer", QUOTE_NOT_CHECKED,
                   "the key's public area (TPM2B_PUBLIC) is not given");
        return;
    }
    if (signer->size != key->name_length || memcmp(signer->name, key->name, 2) != 0) {
        quote_note(work->verdict, "qualified-signer", QUOTE_FAIL,
                   "the quote names a signer of another kind of name than this key's");
        return;
    }
    for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
        length = qualify(hierarchies[i].handle, 4, key, name);
        if (length == signer->size && memcmp(name, signer->name, length) == 0) {
            quote_note(work->verdict, "qualified-signer", hierarchies[i].outcome, "%s",
                       hierarchies[i].text);
            return;
        }
    }
    bool has_ek = ek != NULL && ek->has_public;
    length = has_ek ? qualify(hierarchies[0].handle, 4, ek, parent) : 0;
    if (length != 0)
        length = qualify(parent, length, key, name);
    if (length != 0 && length == signer->size && memcmp(name, signer->name, length) == 0)
        quote_note(work->verdict, "qualified-signer", QUOTE_PASS, "a child of the given EK");
    else
        quote_note(work->verdict, "qualified-signer", QUOTE_NOT_CHECKED, "%s",
                   has_ek ? "the key's parent is not the given EK"
                          : "the key's parent is not known; an EK's public area would tell");
}

static void check_clock(const struct work *work)
{
    const TPMS_CLOCK_INFO *clock = &work->quote->attest.clockInfo;
    bool safe = clock->safe == TPM2_YES;
    quote_note(work->verdict, "clock-safe", safe ? QUOTE_PASS : QUOTE_WARN,
               "%llu ms, resets %u, restarts %u%s", (unsigned long long)clock->clock,
               clock->resetCount, clock->restartCount,
               safe ? "" : "; the clock may have gone back after a loss of power");
}

static bool passed(const struct quote_verdict *verdict, const char *name)
{
    const struct quote_check *check = quote_find(verdict, name);
    return check != NULL && check->outcome == QUOTE_PASS;
}

bool quote_verify(const struct quote *quote, const struct quote_key *key,
                  const struct quote_expect *expect, struct quote_verdict *verdict,
                  struct error *error)
{
    struct work work = {quote, key, expect, verdict};
    memset(verdict, 0, sizeof *verdict);
    check_header(&work);
    check_signature(&work);
    check_scheme(&work);
    check_strength(&work);
    check_nonce(&work);
    /* The rest of the structure is that of its type. */
    if (passed(verdict, "type")) {
        check_selection_form(&work);
        check_selection(&work);
        check_bank(&work);
        if (!check_digest(&work, error))
            return false;
        check_values(&work);
    }
    check_attributes(&work);
    check_signer(&work);
    check_clock(&work);
    bool failed = false;
    for (size_t i = 0; i < verdict->count; i++)
        failed = failed || verdict->checks[i].outcome == QUOTE_FAIL;
    verdict->valid = !failed && passed(verdict, "magic") && passed(verdict, "type") &&
                     passed(verdict, "signature") && passed(verdict, "digest");
    return true;
}
