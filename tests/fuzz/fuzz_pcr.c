/* Any bytes as a file of PCR values, and as a selection: values of banks that we know, or a
 * refusal with a message. The first byte says whether a selection is given. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/pcr.h"

static void check_selection(const uint8_t *data, size_t size)
{
    struct pcr_selection selection;
    struct error error = ERROR_INIT;
    char text[200];
    if (size >= sizeof text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!pcr_selection_parse(text, &selection, &error) && error.code != ERROR_USAGE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pcr_set set;
    struct pcr_selection selection;
    struct error error = ERROR_INIT;
    const char *form = NULL;
    if (size == 0)
        return 0;
    if (!pcr_selection_parse("sha256:0,7+sha1:1", &selection, &error))
        abort();
    if (pcr_parse("pcrs", data + 1, size - 1, data[0] == 's' ? &selection : NULL, &set, &form,
                  &error)) {
        if (form == NULL || set.bank_count == 0 || set.bank_count > BANK_MAX)
            abort();
        for (size_t b = 0; b < set.bank_count; b++)
            if (bank_by_id(set.banks[b].algorithm) == NULL ||
                bank_by_id(set.banks[b].algorithm)->size != set.banks[b].size ||
                set.banks[b].known >> PCR_COUNT != 0)
                abort();
    } else if (error.code == ERROR_NONE || error.message[0] == '\0')
        abort();
    check_selection(data, size);
    return 0;
}
