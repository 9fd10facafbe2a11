/* Any bytes: parsed or refused; what is parsed is written back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keywrap/keysafe.h"
#include "keywrap/locator.h"
#include "keywrap/nkp_id.h"
#include "keywrap/phrase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const struct locator *l)
{
    struct error error = ERROR_INIT;
    if (l->type == LOCATOR_PHRASE) {
        struct phrase_params params;
        phrase_params_parse(l->fields[LOCATOR_PHRASE_KEYGEN].value,
                            l->fields[LOCATOR_PHRASE_KEYGEN].length, &params, &error);
    }
    if (l->type == LOCATOR_FQID)
        provider_type_guess(locator_text(l, LOCATOR_FQID_KEY));
    if (l->type == LOCATOR_PAIR)
        secret_free(locator_pair_data(l, &error));
    for (size_t i = 0; i < l->child_count; i++)
        visit(l->children[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct locator *l = locator_parse((const char *)data, size, &error);
    if (l == NULL) {
        if (error.code == ERROR_NONE || error.message[0] == '\0')
            abort();
        return 0;
    }
    struct buffer out = BUFFER_INIT;
    if (!locator_write(l, &out) || out.length != size || memcmp(out.data, data, size) != 0)
        abort();
    buffer_free(&out);
    visit(l);
    struct keyring none = KEYRING_INIT;
    struct keysafe_result result;
    if (keysafe_open(l, &none, &result, &error) && l->child_count == 0)
        abort();
    keysafe_result_free(&result);
    locator_free(l);
    return 0;
}
