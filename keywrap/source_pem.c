/*
 * source_pem - keys in PEM (RFC 7468), where the body is the key itself: "SECRET KEY", "AES KEY",
 * whatever label a product chose. What PEM usually holds, private keys and certificates, locks no
 * VM; that is said, instead of taking their bytes for a key. See source.h.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "keywrap/source_text.h"

enum { LABEL_MAX = 64 };

struct block {
    char label[LABEL_MAX + 1];
    const char *body;
    size_t length;
};

static const char BEGIN[] = "-----BEGIN ", END[] = "-----END ", DASHES[] = "-----";

static const char *find(const char *at, const char *end, const char *what)
{
    return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* The next block at *AT, which moves on behind it. False: there is none, or with *error set it
 * has no end. */
static bool next_block(const char **at, const char *end, struct block *block, struct error *error)
{
    for (const char *begin; (begin = find(*at, end, BEGIN)) != NULL;) {
        const char *label = begin + strlen(BEGIN);
        size_t left = (size_t)(end - label) < LABEL_MAX ? (size_t)(end - label) : LABEL_MAX;
        const char *dashes = memmem(label, left, DASHES, strlen(DASHES));
        *at = label;
        if (dashes == NULL || memchr(label, '\n', (size_t)(dashes - label)) != NULL)
            continue;
        snprintf(block->label, sizeof block->label, "%.*s", (int)(dashes - label), label);
        block->body = dashes + strlen(DASHES);
        const char *stop = find(block->body, end, END);
        if (stop == NULL)
            return error_set(error, ERROR_DAMAGED, "PEM block '%s' is cut short: it has no end",
                             block->label);
        block->length = (size_t)(stop - block->body);
        *at = stop + strlen(END);
        return true;
    }
    return false;
}

/* Behind the headers of RFC 1421 ("Name: value", and lines that go on), which an empty line ends.
 */
static void skip_headers(struct block *block)
{
    const char *colon = memchr(block->body, ':', block->length);
    if (colon == NULL)
        return;
    const char *end = block->body + block->length;
    for (const char *at = colon; at < end; at++) {
        if (*at != '\n')
            continue;
        const char *next = at + 1;
        if (next < end && *next == '\r')
            next++;
        if (next < end && *next == '\n') {
            block->length = (size_t)(end - next);
            block->body = next;
            return;
        }
    }
}

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), size = strlen(tail);
    return length >= size && strcmp(text + length - size, tail) == 0;
}

/* What a block is that can be no key, judged by its label and by how its bytes begin; NULL: it
 * may be one. */
static const char *what_else(const struct block *block, const struct secret *bytes)
{
    if (ends_with(block->label, "PRIVATE KEY"))
        return "a private key, which locks no VM; to unwrap an exported key with it, name it as "
               "the unwrapping key";
    if (ends_with(block->label, "PUBLIC KEY") || ends_with(block->label, "PARAMETERS"))
        return "public";
    if (strstr(block->label, "CERTIFICATE") != NULL || strstr(block->label, "CRL") != NULL)
        return "a certificate or the like";
    if (strncmp(block->label, "PGP ", 4) == 0 || ends_with(block->label, "MESSAGE"))
        return "an encrypted message; decrypt it first";
    if (bytes != NULL && bytes->length > 2 && bytes->data[0] == 0x30 &&
        !source_is_key_size(bytes->length))
        return "a DER structure and no bare key";
    return NULL;
}

static bool add_block(struct source *source, struct block *block, struct error *error)
{
    if (find(block->body, block->body + block->length, "4,ENCRYPTED") != NULL)
        return error_set(error, ERROR_DAMAGED, "PEM block '%s' is encrypted; decrypt it first",
                         block->label);
    skip_headers(block);
    struct secret *bytes = source_base64_bytes(block->body, block->length, error);
    const char *else_is = source->options->unwrap == NULL || ends_with(block->label, "PRIVATE KEY")
                              ? what_else(block, bytes)
                              : NULL;
    struct keyring_key about = {.kind = KEYRING_KEK};
    if (bytes != NULL && else_is == NULL)
        return source_add_bytes(source, &about, bytes, error) ||
               error_prefix(error, "PEM block '%s'", block->label);
    secret_free(bytes);
    if (else_is != NULL)
        return error_set(error, ERROR_DAMAGED, "PEM block '%s' is %s", block->label, else_is);
    return error->code == ERROR_NONE
               ? error_set(error, ERROR_DAMAGED, "PEM block '%s' is not base64 inside",
                           block->label)
               : false;
}

/* The blocks that are keys count; why others are none is told when there was no key. */
static enum source_verdict read_blocks(struct source *source, const struct source_text *text,
                                       struct error *error)
{
    enum { BLOCKS_MAX = 4096 };
    const char *at = text->text, *end = text->text + text->length;
    struct error first = ERROR_INIT, why = ERROR_INIT;
    struct block block;
    size_t read = 0, count = 0;
    bool prelude = false; /* the first one only goes before a private key */
    while (count < BLOCKS_MAX && next_block(&at, end, &block, &why)) {
        /* A keyring that is encrypted has a reader of its own. */
        if (strncmp(block.label, "VMCRYPT ", 8) == 0)
            continue;
        count++;
        if (add_block(source, &block, &why))
            read++;
        else if (first.code == ERROR_NONE || prelude) {
            first = why;
            prelude = ends_with(block.label, "PARAMETERS");
        }
        error_clear(&why);
    }
    if (read > 0)
        return SOURCE_READ;
    if (first.code == ERROR_NONE && why.code == ERROR_NONE)
        return SOURCE_NOT_THIS;
    *error = first.code != ERROR_NONE ? first : why;
    return SOURCE_REFUSED;
}

enum source_verdict source_pem(struct source *source, struct error *error)
{
    struct source_text text;
    if (!source_text_open(&text, source, error))
        return SOURCE_REFUSED;
    enum source_verdict verdict = read_blocks(source, &text, error);
    source_text_close(&text);
    return verdict;
}
