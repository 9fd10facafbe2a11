/* secret_json - see secret_json.h. */
#include "keywrap/secret_json.h"

#include <ctype.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/secret.h"

static void wipe_and_free(void *memory)
{
    if (memory != NULL)
        secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

static void set_functions(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

json_t *secret_json_read(const char *text, size_t length, struct error *error)
{
    /* For good: strings live on in documents, and jansson's scanner frees copies of them. */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_functions);
    if (length > SECRET_JSON_MAX) {
        error_set(error, ERROR_DAMAGED, "JSON of more than %d MiB", SECRET_JSON_MAX >> 20);
        return NULL;
    }
    json_error_t where;
    json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (document == NULL && json_error_code(&where) == json_error_out_of_memory)
        error_memory(error);
    else if (document == NULL)
        error_set(error, ERROR_DAMAGED, "JSON is damaged or cut short at line %d, column %d",
                  where.line, where.column);
    return document;
}

static bool same_name(const char *spelled, const char *name)
{
    for (; *spelled != '\0'; spelled++) {
        if (*spelled == '-' || *spelled == '_')
            continue;
        if (tolower((unsigned char)*spelled) != *name)
            return false;
        name++;
    }
    return *name == '\0';
}

const json_t *secret_json_member(const json_t *object, const char *name)
{
    /* Iteration changes nothing, though jansson's types cannot say so. */
    void *at = json_object_iter((json_t *)object);
    for (; at != NULL; at = json_object_iter_next((json_t *)object, at))
        if (same_name(json_object_iter_key(at), name))
            return json_object_iter_value(at);
    return NULL;
}

const char *secret_json_text(const json_t *object, const char *name)
{
    return json_string_value(secret_json_member(object, name));
}
