/* disk_words - see disk_words.h. */
#include "vmdk/disk_words.h"

#include <string.h>

bool disk_options_words(const struct words *words, struct disk_options *options,
                        struct error *error)
{
    const char *missing = words_value(words, "missing-delta");
    *options = (struct disk_options){
        .decrypt_zero_units = words_value(words, "decrypt-zero-units") != NULL,
        .allow_outside = words_value(words, "allow-outside") != NULL,
        .ignore_cid = words_value(words, "ignore-cid") != NULL,
        .missing_delta = missing != NULL,
    };
    if (missing != NULL && strcmp(missing, "parent") != 0)
        return error_set(error, ERROR_USAGE, "missing-delta takes parent");
    const char *directory;
    while ((directory = words_value_at(words, "search", options->search_count)) != NULL) {
        if (options->search_count == DISK_SEARCH_MAX)
            return error_set(error, ERROR_USAGE, "search takes at most %d directories",
                             DISK_SEARCH_MAX);
        options->search[options->search_count++] = directory;
    }
    const char *unit = words_value(words, "data-unit"), *geometry = words_value(words, "geometry");
    if (geometry != NULL && unit != NULL)
        return error_set(error, ERROR_USAGE, "geometry and data-unit exclude each other");
    if (geometry != NULL && !geometry_load(geometry, &options->geometry, error))
        return false;
    options->unit_bytes = options->geometry.unit;
    if (unit == NULL)
        return true;
    if (strcmp(unit, "512") != 0 && strcmp(unit, "4096") != 0)
        return error_set(error, ERROR_USAGE, "data-unit takes 512 or 4096");
    options->unit_bytes = strcmp(unit, "512") == 0 ? 512 : 4096;
    return true;
}
