/*
 * source_locator - keys in the clear in VMware's own texts: "vmware:key/rawkey/…" locators, also
 * inside lists and pairs, and bare crypto dictionaries "type=key:cipher=…:key=…", anywhere in a
 * file (a decrypted .vmx, a descriptor, an event log). See source.h.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "keywrap/cryptodict.h"
#include "keywrap/locator.h"
#include "keywrap/source_text.h"

enum { FOUND_MAX = 10000 };

/* As files and logs have them. */
static const char NOT_IN_LOCATORS[] = "\"' \t\r\n";
static const char IN_DICTIONARIES[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=%:-_.";

static const char LOCATOR[] = "vmware:key/", DICTIONARY[] = "type=key:";

struct hunt {
    struct source *source;
    size_t seen, locators, read;
    struct error problem; /* the first one */
};

static void problem(struct hunt *h, const struct error *why)
{
    if (h->problem.code == ERROR_NONE)
        h->problem = *why;
}

static void add(struct hunt *h, struct secret *bytes)
{
    struct error error = ERROR_INIT;
    struct keyring_key about = {.kind = KEYRING_KEK};
    if (source_add_bytes(h->source, &about, bytes, &error))
        h->read++;
    else
        problem(h, &error);
}

/* A dictionary tells its key's size itself. */
static void add_dictionary(struct hunt *h, const char *text, size_t length)
{
    struct error error = ERROR_INIT;
    struct crypto_key key;
    if (crypto_key_parse(text, length, &key, &error))
        add(h, key.key);
    else
        problem(h, &error);
}

/* What a rawkey holds: a dictionary or the bare bytes. */
static void add_rawkey(struct hunt *h, const struct secret *raw)
{
    struct error error = ERROR_INIT;
    if (raw->length >= strlen(DICTIONARY) &&
        strncasecmp((const char *)raw->data, DICTIONARY, strlen(DICTIONARY)) == 0) {
        add_dictionary(h, (const char *)raw->data, raw->length);
        return;
    }
    struct secret *copy = secret_copy(raw->data, raw->length, &error);
    if (copy != NULL)
        add(h, copy);
    else
        problem(h, &error);
}

static void add_locator(struct hunt *h, const struct locator *locator)
{
    if (locator->key != NULL)
        add_rawkey(h, locator->key);
    for (size_t i = 0; i < locator->child_count; i++)
        add_locator(h, locator->children[i]);
}

static void take_locator(struct hunt *h, const char *text, size_t length)
{
    struct error error = ERROR_INIT;
    struct locator *locator = locator_parse(text, length, &error);
    h->locators++;
    if (locator != NULL)
        add_locator(h, locator);
    else
        problem(h, &error);
    locator_free(locator);
}

static const char *sooner(const char *a, const char *b)
{
    return a == NULL || (b != NULL && b < a) ? b : a;
}

/* Each search goes on where it found something last, so that none looks at a character twice. */
static void hunt(struct hunt *h, const char *text)
{
    const char *locator = strcasestr(text, LOCATOR), *dictionary = strcasestr(text, DICTIONARY);
    for (const char *at; (at = sooner(locator, dictionary)) != NULL && h->seen < FOUND_MAX;) {
        size_t length = at == locator ? strcspn(at, NOT_IN_LOCATORS) : strspn(at, IN_DICTIONARIES);
        h->seen++;
        if (at == locator)
            take_locator(h, at, length);
        else
            add_dictionary(h, at, length);
        if (locator != NULL && locator < at + length)
            locator = strcasestr(at + length, LOCATOR);
        if (dictionary != NULL && dictionary < at + length)
            dictionary = strcasestr(at + length, DICTIONARY);
    }
}

enum source_verdict source_locator(struct source *source, struct error *error)
{
    struct hunt h = {.source = source, .problem = ERROR_INIT};
    struct source_text text;
    if (!source_text_open(&text, source, error))
        return SOURCE_REFUSED;
    hunt(&h, text.text);
    source_text_close(&text);
    if (h.read > 0)
        return SOURCE_READ;
    if (h.seen == 0)
        return SOURCE_NOT_THIS;
    if (h.problem.code != ERROR_NONE)
        *error = h.problem;
    else
        error_set(error, ERROR_NO_KEY,
                  "holds key locators, but no key in the clear; vmcrypt key explain tells what "
                  "opens them");
    return SOURCE_REFUSED;
}
