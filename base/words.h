/*
 * words - what a user said, as named values: options of a command, parameters of a plugin.
 *
 * Names are those of the command line's long options, without dashes in front.
 */
#ifndef VMCRYPT_BASE_WORDS_H
#define VMCRYPT_BASE_WORDS_H

#include <stddef.h>

struct words {
    /* The I-th value given to NAME, in order; NULL past the last. A flag that was given has "". */
    const char *(*value_at)(const void *context, const char *name, size_t i);
    const void *context;
};

static inline const char *words_value_at(const struct words *words, const char *name, size_t i)
{
    return words->value_at(words->context, name, i);
}

/* The value given last, NULL when there is none. */
static inline const char *words_value(const struct words *words, const char *name)
{
    const char *value = NULL, *next;
    for (size_t i = 0; (next = words_value_at(words, name, i)) != NULL; i++)
        value = next;
    return value;
}

#endif
