/* source_fixture - texts read as sources of keys. The key K is bytes (7 i + 3) mod 256. */
#ifndef VMCRYPT_TESTS_KEYWRAP_SOURCE_FIXTURE_H
#define VMCRYPT_TESTS_KEYWRAP_SOURCE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "keywrap/source.h"
#include "tests/scratch.h"

#define K_HEX "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc"
#define K_BASE64 "AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dw="
#define K_URL "AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dw"
#define K_ESCAPED "AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dw%3d"
/* Bytes ff, fe, fd …: base64 of it has '+' and '/'. */
#define L_URL "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA"
#define L_BASE64 "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="

/* What came of reading something. */
struct reading {
    struct keyring ring;
    struct error error;
    const struct source_form *form;
};

static struct reading read_bytes(const void *data, size_t length,
                                 const struct source_options *options)
{
    struct reading r = {.ring = KEYRING_INIT, .error = ERROR_INIT};
    struct log log = {.program = "test", .level = -1};
    FILE *f = fopen("source", "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    if (!source_read("source", options, &r.ring, &r.form, &log, &r.error)) {
        assert_int_not_equal(r.error.code, ERROR_NONE);
        assert_true(r.error.message[0] != '\0' && strchr(r.error.message, '\n') == NULL);
    }
    return r;
}

static bool is_k(const struct secret *key, size_t length)
{
    bool same = key->length == length;
    for (size_t i = 0; same && i < length; i++)
        same = key->data[i] == (uint8_t)(7 * i + 3);
    return same;
}

/* TEXT is refused with CODE, the message holding WORDS and nothing of the key. */
static void check_refused_with(const char *text, const struct source_options *options,
                               enum error_code code, const char *words)
{
    struct reading r = read_bytes(text, strlen(text), options);
    if (r.ring.key_count != 0 || r.error.code != code || strstr(r.error.message, words) == NULL)
        fail_msg("'%.300s': %zu keys, code %d, %s", text, r.ring.key_count, r.error.code,
                 r.error.message);
    assert_null(strstr(r.error.message, "AwoRGB8"));
    keyring_free(&r.ring);
}

static void check_refused(const char *text, const char *words)
{
    check_refused_with(text, NULL, ERROR_DAMAGED, words);
}

#endif
