/* pcr - see pcr.h: sets and selections. */
#include "tpm/pcr.h"

#include <ctype.h>
#include <string.h>

#include "tpm/pcr_private.h"

const struct pcr_bank *pcr_bank(const struct pcr_set *set, uint16_t algorithm)
{
    for (size_t i = 0; i < set->bank_count; i++)
        if (set->banks[i].algorithm == algorithm)
            return &set->banks[i];
    return NULL;
}

struct pcr_bank *pcr_bank_add(struct pcr_set *set, uint16_t algorithm)
{
    for (size_t i = 0; i < set->bank_count; i++)
        if (set->banks[i].algorithm == algorithm)
            return &set->banks[i];
    const struct bank_algorithm *known = bank_by_id(algorithm);
    if (known == NULL || set->bank_count == BANK_MAX)
        return NULL;
    struct pcr_bank *bank = &set->banks[set->bank_count++];
    *bank = (struct pcr_bank){.algorithm = algorithm, .size = known->size};
    return bank;
}

bool pcr_put(struct pcr_set *set, uint16_t algorithm, unsigned index, const void *value,
             size_t length)
{
    struct pcr_bank *bank = index < PCR_COUNT ? pcr_bank_add(set, algorithm) : NULL;
    if (bank == NULL || length != bank->size)
        return false;
    if ((bank->known >> index & 1) != 0 && memcmp(bank->value[index], value, length) != 0)
        return false;
    memcpy(bank->value[index], value, length);
    bank->known |= 1u << index;
    return true;
}

bool pcr_set_add(struct pcr_set *set, uint16_t algorithm, unsigned index, const void *value,
                 size_t length, struct error *error)
{
    char name[16];
    const struct bank_algorithm *known = bank_by_id(algorithm);
    bank_name(algorithm, name);
    if (pcr_put(set, algorithm, index, value, length))
        return true;
    if (known == NULL)
        return error_set(error, ERROR_DAMAGED, "has values of bank %s, which is not known", name);
    if (index >= PCR_COUNT)
        return error_set(error, ERROR_DAMAGED, "has a value for PCR %u; there are %d", index,
                         PCR_COUNT);
    if (length != known->size)
        return error_set(error, ERROR_DAMAGED, "value of PCR %u, bank %s, has %zu bytes, not %zu",
                         index, name, length, known->size);
    return error_set(error, ERROR_DAMAGED, "has two different values for PCR %u, bank %s", index,
                     name);
}

/* "0,1,7" or "all" up to END. */
static bool parse_indexes(const char *text, const char *end, uint32_t *pcrs)
{
    *pcrs = 0;
    if (end - text == 3 && strncmp(text, "all", 3) == 0) {
        *pcrs = (1u << PCR_COUNT) - 1;
        return true;
    }
    while (text < end) {
        unsigned index = 0;
        const char *start = text;
        for (; text < end && isdigit((unsigned char)*text) && index < PCR_COUNT; text++)
            index = 10 * index + (unsigned)(*text - '0');
        if (text == start || index >= PCR_COUNT)
            return false;
        *pcrs |= 1u << index;
        if (text == end)
            return true;
        if (*text++ != ',')
            return false;
    }
    return false;
}

static bool parse_bank(const char *text, const char *end, struct pcr_selection *out)
{
    char name[24];
    const char *colon = memchr(text, ':', (size_t)(end - text));
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (length == 0 || length >= sizeof name || out->count == BANK_MAX)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    const struct bank_algorithm *algorithm = bank_by_name(name);
    if (algorithm == NULL || !parse_indexes(colon + 1, end, &out->banks[out->count].pcrs))
        return false;
    out->banks[out->count++].algorithm = algorithm->id;
    return true;
}

bool pcr_selection_parse(const char *text, struct pcr_selection *out, struct error *error)
{
    *out = (struct pcr_selection){0};
    for (;;) {
        const char *end = strchrnul(text, '+');
        if (!parse_bank(text, end, out))
            return error_set(error, ERROR_USAGE,
                             "a selection of PCRs is written as in sha256:0,1,7+sha1:all");
        if (*end == '\0')
            return true;
        text = end + 1;
    }
}
