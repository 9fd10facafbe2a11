/* locator - building, freeing and asking; the text form is in locator_text.c. */
#include "keywrap/locator.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static const char *const type_names[] = {
    [LOCATOR_NULL] = "null", [LOCATOR_RAWKEY] = "rawkey", [LOCATOR_PHRASE] = "phrase",
    [LOCATOR_LDAP] = "ldap", [LOCATOR_SCRIPT] = "script", [LOCATOR_ROLE] = "role",
    [LOCATOR_FQID] = "fqid", [LOCATOR_LIST] = "list",     [LOCATOR_PAIR] = "pair",
};

const char *locator_type_name(enum locator_type type)
{
    return type_names[type];
}

struct locator *locator_new(enum locator_type type, struct error *error)
{
    struct locator *locator = calloc(1, sizeof *locator);
    if (locator == NULL)
        error_memory(error);
    else
        locator->type = type;
    return locator;
}

bool locator_add_field(struct locator *locator, const void *data, size_t length,
                       struct error *error)
{
    if (locator->field_count == LOCATOR_MAX_FIELDS)
        return error_set(error, ERROR_FAILED, "too many fields for one key locator");
    struct locator_field field = {0};
    if (data != NULL) {
        field.value = calloc(1, length + 1);
        if (field.value == NULL)
            return error_memory(error);
        if (length > 0)
            memcpy(field.value, data, length);
        field.length = length;
    }
    locator->fields[locator->field_count++] = field;
    return true;
}

bool locator_add_child(struct locator *locator, struct locator *child, struct error *error)
{
    /* Grow by doubling: the array is full exactly when the count is a power of two. */
    size_t count = locator->child_count;
    if ((count & (count - 1)) == 0) {
        size_t room = count == 0 ? 1 : 2 * count;
        struct locator **grown = realloc(locator->children, room * sizeof *grown);
        if (grown == NULL) {
            locator_free(child);
            return error_memory(error);
        }
        locator->children = grown;
    }
    locator->children[locator->child_count++] = child;
    return true;
}

void locator_free(struct locator *locator)
{
    if (locator == NULL)
        return;
    for (size_t i = 0; i < locator->child_count; i++)
        locator_free(locator->children[i]);
    for (size_t i = 0; i < locator->field_count; i++) {
        struct locator_field *field = &locator->fields[i];
        secret_wipe(field->value, field->length);
        secret_wipe(field->raw, field->raw_length);
        free(field->value);
        free(field->raw);
    }
    secret_free(locator->key);
    secret_free(locator->key_raw);
    free(locator->children);
    free(locator->prefix);
    free(locator->type_name);
    free(locator);
}

const char *locator_text(const struct locator *locator, size_t i)
{
    if (i >= locator->field_count || locator->fields[i].value == NULL)
        return "";
    return locator->fields[i].value;
}

struct secret *locator_pair_data(const struct locator *pair, struct error *error)
{
    const struct locator_field *field = &pair->fields[LOCATOR_PAIR_DATA];
    if (pair->type != LOCATOR_PAIR || pair->field_count <= LOCATOR_PAIR_DATA ||
        field->value == NULL) {
        error_set(error, ERROR_DAMAGED, "key locator is no pair with locked data");
        return NULL;
    }
    size_t length = base64_decoded_bound(field->length);
    struct secret *data = secret_new(length, error);
    if (data == NULL)
        return NULL;
    struct secret *exact = NULL;
    if (base64_decode(field->value, field->length, data->data, &length))
        exact = secret_copy(data->data, length, error);
    else
        error_set(error, ERROR_DAMAGED, "locked data of a pair are not base64");
    secret_free(data);
    return exact;
}
