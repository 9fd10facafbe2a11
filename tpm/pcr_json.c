/* pcr_json - PCR values in the JSON of other programs and ours; see pcr_load. */
#include "tpm/pcr_private.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/text.h"

/* The bank that a document names by "alg", "hash", "algorithm": a TCG number or a name. NULL when
 * it names none, or one that we do not know. */
static const struct bank_algorithm *named_bank(const json_t *object)
{
    static const char *const names[] = {"algorithm", "alg", "hash", "bank", "pcrbank"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *value = tpm_text_member(object, names[i]);
        if (json_is_integer(value) && json_integer_value(value) >= 0 &&
            json_integer_value(value) <= UINT16_MAX)
            return bank_by_id((uint16_t)json_integer_value(value));
        if (json_is_string(value))
            return bank_by_name(json_string_value(value));
    }
    return NULL;
}

/* Without a named bank the size tells it. */
static const struct bank_algorithm *bank_by_size(size_t size)
{
    return bank_by_id(size == 20   ? BANK_SHA1
                      : size == 32 ? BANK_SHA256
                      : size == 48 ? BANK_SHA384
                      : size == 64 ? BANK_SHA512
                                   : 0);
}

static bool add_value(struct pcr_set *out, const struct bank_algorithm *bank, unsigned index,
                      const json_t *value, struct error *error)
{
    uint8_t bytes[BANK_DIGEST_MAX];
    size_t length = 0;
    if (!tpm_text_digest(value, bytes, &length))
        return error_set(error, ERROR_DAMAGED, "value of PCR %u is neither hex nor base64", index);
    if (bank == NULL)
        bank = bank_by_size(length);
    if (bank == NULL)
        return error_set(error, ERROR_DAMAGED, "value of PCR %u has %zu bytes: no bank's", index,
                         length);
    return pcr_set_add(out, bank->id, index, bytes, length, error);
}

/* "7" or "pcr_7". */
static bool parse_index(const char *text, unsigned *index)
{
    if (strncmp(text, "pcr_", 4) == 0)
        text += 4;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *index = (unsigned)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value < PCR_COUNT;
}

/* {"0": VALUE, …} */
static bool add_map(struct pcr_set *out, const struct bank_algorithm *bank, const json_t *map,
                    struct error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        unsigned index;
        if (!parse_index(key, &index))
            return error_set(error, ERROR_DAMAGED, "names a PCR that there is not");
        if (!add_value(out, bank, index, value, error))
            return false;
    }
    return true;
}

/* {"sha256": {"0": VALUE, …}, …}; values of a bank that we do not know are passed over. */
static bool add_banks(struct pcr_set *out, const json_t *banks, struct error *error)
{
    const char *key;
    json_t *map;
    json_object_foreach((json_t *)banks, key, map)
    {
        const struct bank_algorithm *bank = bank_by_name(key);
        if (bank != NULL && json_is_object(map) && !add_map(out, bank, map, error))
            return false;
    }
    return true;
}

/* vCenter: [{"algorithm": "SHA256", "pcrs": {"0": VALUE, …}}, …] */
static bool add_bank_list(struct pcr_set *out, const json_t *banks, struct error *error)
{
    for (size_t i = 0; i < json_array_size(banks); i++) {
        const json_t *entry = json_array_get(banks, i);
        const json_t *map = tpm_text_member(entry, "pcrs");
        const struct bank_algorithm *bank = named_bank(entry);
        if (bank != NULL && json_is_object(map) && !add_map(out, bank, map, error))
            return false;
    }
    return true;
}

/* go-attestation and Intel SecL: [{"Index": 7, "Digest": VALUE}, …]; what they say of the bank is a
 * number of Go's own, or needs no saying. */
static bool add_list(struct pcr_set *out, const json_t *list, struct error *error)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const json_t *at = tpm_text_member(entry, "index");
        const json_t *value = tpm_text_member(entry, "digest");
        unsigned index = PCR_COUNT;
        if (value == NULL)
            value = tpm_text_member(entry, "value");
        if (json_is_integer(at) && json_integer_value(at) >= 0 &&
            json_integer_value(at) < PCR_COUNT)
            index = (unsigned)json_integer_value(at);
        if (index == PCR_COUNT &&
            (!json_is_string(at) || !parse_index(json_string_value(at), &index)))
            return error_set(error, ERROR_DAMAGED, "entry %zu of its PCRs names none", i);
        if (!add_value(out, NULL, index, value, error))
            return false;
    }
    return true;
}

/* The object that holds them: the document itself, or that inside a wrapper. */
static const json_t *holder(const json_t *document)
{
    static const char *const wrappers[] = {"value", "log", "pcr_manifest", "hostmanifest"};
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        const json_t *inner = tpm_text_member(document, wrappers[i]);
        if (json_is_object(inner))
            return holder(inner);
    }
    return document;
}

bool pcr_parse_json(const json_t *document, struct pcr_set *out, const char **form,
                    struct error *error)
{
    const json_t *object = json_is_object(document) ? holder(document) : document;
    const json_t *banks = tpm_text_member(object, "banks");
    const json_t *pcrs = tpm_text_member(object, "pcrs");
    const json_t *first =
        json_is_object(pcrs) ? json_object_iter_value(json_object_iter((json_t *)pcrs)) : NULL;
    const json_t *sha1 = tpm_text_member(object, "sha1pcrs");
    const json_t *sha2 = tpm_text_member(object, "sha2pcrs");
    if (json_is_array(banks)) {
        *form = "vCenter JSON";
        return add_bank_list(out, banks, error);
    }
    if (json_is_object(banks) || json_is_object(first)) {
        *form = "JSON of banks";
        return add_banks(out, json_is_object(banks) ? banks : pcrs, error);
    }
    if (json_is_object(pcrs)) {
        *form = "go-tpm-tools JSON";
        return add_map(out, named_bank(object), pcrs, error);
    }
    if (json_is_array(pcrs) || json_is_array(object)) {
        *form = "go-attestation JSON";
        return add_list(out, json_is_array(pcrs) ? pcrs : object, error);
    }
    if (json_is_array(sha1) || json_is_array(sha2)) {
        *form = "Intel host manifest";
        return add_list(out, sha1, error) && add_list(out, sha2, error);
    }
    return error_set(error, ERROR_DAMAGED, "is JSON without PCR values (\"banks\", \"pcrs\")");
}
