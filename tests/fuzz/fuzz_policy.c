/* Any text as a policy, or, behind an 'i', as what Trust Authority exports. A policy that is taken
 * has the anchor without which ESXi's PCRs mean nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/policy.h"
#include "tpm/policy_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(const struct error *error)
{
    if (error->code == ERROR_NONE || error->message[0] == '\0')
        abort();
}

static void normalise(const struct policy *policy, const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    char *line = malloc(size + 1);
    if (line == NULL)
        return;
    memcpy(line, data, size);
    line[size] = '\0';
    char *text = policy_normalise(policy, line, &error);
    /* Nothing is left to do when it is done again. */
    char *again = text == NULL ? NULL : policy_normalise(policy, text, &error);
    if (text == NULL || again == NULL || strcmp(text, again) != 0)
        abort();
    free(again);
    free(text);
    free(line);
}

static void parse(const uint8_t *data, size_t size)
{
    struct policy policy;
    struct error error = ERROR_INIT;
    if (!policy_parse(&policy, "/nowhere/policy.yaml", data, size, &error)) {
        refused(&error);
        return;
    }
    if (policy.bank_count == 0 || policy.lifetime <= 0 ||
        (policy.base_images != NULL && !policy.secure_boot_required && policy.pcrs == NULL))
        abort();
    normalise(&policy, data, size);
    policy_free(&policy);
}

static void import(const uint8_t *data, size_t size)
{
    struct policy_import made;
    struct error error = ERROR_INIT;
    struct log log = {.level = -1};
    struct buffer bytes = BUFFER_INIT;
    if (!buffer_append(&bytes, data, size) || !policy_import_start(&made, "fuzz", &error))
        abort();
    if (!policy_import_parse(&made, "fuzz", &bytes, &log, &error))
        refused(&error);
    policy_import_free(&made);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'i')
        import(data + 1, size - 1);
    /* Policies name files: none of this machine's. */
    else if (memchr(data, '/', size) == NULL && memchr(data, '\\', size) == NULL &&
             memmem(data, size, "..", 2) == NULL)
        parse(data, size);
    return 0;
}
