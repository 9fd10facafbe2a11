/* cli_mount_words - the words of -o, as users of FUSE know them from other programs. */
#include "tools/cli_mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the first word of TEXT; a comma behind a backslash is part of it. */
static size_t word_length(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0' && text[n] != ',')
        n += text[n] == '\\' && text[n + 1] != '\0' ? 2 : 1;
    return n;
}

static bool add_for_libfuse(struct mount_plan *plan, const char *word)
{
    char *words = NULL;
    if (asprintf(&words, "%s%s%s", plan->words == NULL ? "" : plan->words,
                 plan->words == NULL ? "" : ",", word) < 0)
        return false;
    free(plan->words);
    plan->words = words;
    return true;
}

/* The server escapes the name itself. */
static bool set_name(struct mount_plan *plan, const char *word)
{
    free(plan->name);
    plan->name = strdup(word);
    if (plan->name == NULL)
        return false;
    char *to = plan->name;
    for (const char *from = word; *from != '\0'; from++) {
        if (from[0] == '\\' && from[1] != '\0')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return true;
}

static bool add_word(struct mount_plan *plan, const char *word, struct error *error)
{
    /* What always holds, and what libfuse 3 does without being told. */
    static const char *const granted[] = {"ro",       "nosuid",  "nodev", "default_permissions",
                                          "nonempty", "clone_fd"};
    for (size_t i = 0; i < sizeof granted / sizeof granted[0]; i++)
        if (strcmp(word, granted[i]) == 0)
            return true;
    if (strcmp(word, "rw") == 0)
        return error_set(error, ERROR_USAGE, "-o rw: evidence is mounted read-only, always");
    bool ok = true;
    if (strcmp(word, "allow_other") == 0)
        plan->server.allow_other = true;
    else if (strcmp(word, "direct_io") == 0)
        plan->server.direct_io = true;
    else if (strcmp(word, "auto_unmount") == 0)
        plan->auto_unmount = true;
    else if (strncmp(word, "fsname=", 7) == 0)
        ok = set_name(plan, word + 7);
    else if (strncmp(word, "subtype=", 8) == 0)
        return error_set(error, ERROR_USAGE,
                         "-o subtype: it is vmcrypt, by which mounts of this "
                         "program are known");
    else
        ok = add_for_libfuse(plan, word);
    return ok || error_memory(error);
}

bool mount_plan_add_words(struct mount_plan *plan, const char *text, struct error *error)
{
    bool ok = true;
    while (ok && *text != '\0') {
        size_t length = word_length(text);
        char *word = strndup(text, length);
        ok = word == NULL ? error_memory(error) : length == 0 || add_word(plan, word, error);
        free(word);
        text += length + (text[length] == ',');
    }
    return ok;
}
