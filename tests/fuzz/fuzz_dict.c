/*
 * The settings dictionary: an untouched text comes back byte for byte; a value that was set is
 * there, also when the text is read again; all of it within the memory that the input deserves.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmx/dict.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct dict *write_and_parse(const struct dict *dict, struct buffer *text)
{
    struct error error = ERROR_INIT;
    text->length = 0;
    require(dict_write(dict, text));
    return dict_parse(buffer_text(text), text->length, dict_encoding(dict), &error);
}

static void check_set(struct dict *dict, const char *name, const char *value)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    if (dict_set(dict, name, value, &error)) {
        require(strcmp(dict_get(dict, name), value) == 0);
        struct dict *again = write_and_parse(dict, &text);
        require(again != NULL);
        const char *found = dict_get(again, name);
        require(found != NULL && strcmp(found, value) == 0);
        dict_free(again);
    }
    buffer_free(&text);
}

/* Every setting copied into another code page and back shows the same values. */
static void check_copy(const struct dict *dict)
{
    struct error error = ERROR_INIT;
    struct dict *copy = dict_new("UTF-8", &error);
    const char *name, *value;
    require(copy != NULL);
    for (size_t i = 0; i < 64 && dict_at(dict, i, &name, &value); i++) {
        if (strcasecmp(name, ".encoding") == 0)
            continue;
        const char *copied_name, *copied;
        require(dict_append_from(copy, dict, i, &error));
        size_t last = 0;
        while (dict_at(copy, last, &copied_name, &copied))
            last++;
        require(last > 0 && dict_at(copy, last - 1, &copied_name, &copied));
        require(strcmp(copied, value) == 0 && strcmp(copied_name, name) == 0);
    }
    dict_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct dict *dict = dict_parse((const char *)data, size, NULL, &error);
    require(dict != NULL || error.code != ERROR_NONE);
    if (dict == NULL)
        return 0;
    require(dict_write(dict, &text) && text.length == size);
    require(size == 0 || memcmp(text.data, data, size) == 0);
    check_copy(dict);
    const char *name, *value;
    if (dict_at(dict, 0, &name, &value)) {
        char *first = strdup(name), *shown = strdup(value);
        require(first != NULL && shown != NULL);
        check_set(dict, first, "|22 \"x\"|");
        check_set(dict, first, shown);
        check_set(dict, "new.name", shown);
        require(dict_unset(dict, first) > 0);
        require(dict_get(dict, first) == NULL);
        free(first);
        free(shown);
    }
    check_set(dict, "new.name", "\xc3\xa9");
    check_set(dict, "other", "\t\n\x7f");
    struct dict *again = write_and_parse(dict, &text);
    require(again != NULL);
    dict_free(again);
    dict_free(dict);
    buffer_free(&text);
    return 0;
}
