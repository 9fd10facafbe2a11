/* hex_fixture - bytes as figures, for tests. */
#ifndef VMCRYPT_TESTS_KEYWRAP_HEX_FIXTURE_H
#define VMCRYPT_TESTS_KEYWRAP_HEX_FIXTURE_H

#include <string.h>

#include "base/encode.h"
#include "base/secret.h"

static struct secret *from_hex(const char *hex)
{
    struct error error = ERROR_INIT;
    size_t length = strlen(hex) / 2;
    struct secret *s = secret_new(length, &error);
    assert_non_null(s);
    assert_true(hex_decode(hex, strlen(hex), s->data, &length));
    return s;
}

static void check_bytes(const void *data, size_t length, const char *hex)
{
    struct secret *expected = from_hex(hex);
    assert_int_equal(length, expected->length);
    assert_memory_equal(data, expected->data, length);
    secret_free(expected);
}

#endif
