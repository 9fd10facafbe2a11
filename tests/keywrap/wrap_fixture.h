/* wrap_fixture - wrapping and unwrapping figures, for the tests of keywrap/wrap. */
#ifndef VMCRYPT_TESTS_KEYWRAP_WRAP_FIXTURE_H
#define VMCRYPT_TESTS_KEYWRAP_WRAP_FIXTURE_H

#include "keywrap/wrap.h"
#include "tests/keywrap/hex_fixture.h"

/* Open WRAPPED; what comes out is PLAIN, or, where that is NULL, nothing. */
static void check_open(enum wrap_method method, const struct wrap_key *key, const char *wrapped,
                       const char *plain)
{
    struct error error = ERROR_INIT;
    struct secret *bytes = from_hex(wrapped);
    struct secret *opened = wrap_open(method, key, bytes->data, bytes->length, &error);
    if (plain == NULL) {
        assert_null(opened);
        assert_true(error.code == ERROR_NO_KEY || error.code == ERROR_DAMAGED);
        assert_true(error.message[0] != 0);
    } else {
        assert_non_null(opened);
        check_bytes(opened->data, opened->length, plain);
    }
    secret_free(opened);
    secret_free(bytes);
}

/* Wrap PLAIN, which gives WRAPPED, or, where that is NULL, cannot be done. */
static void check_make(enum wrap_method method, const struct wrap_key *key, const char *plain,
                       const char *wrapped)
{
    struct error error = ERROR_INIT;
    struct secret *bytes = from_hex(plain);
    struct buffer out = BUFFER_INIT;
    bool ok = wrap_make(method, key, bytes->data, bytes->length, &out, &error);
    assert_int_equal(ok, wrapped != NULL);
    if (ok)
        check_bytes(out.data, out.length, wrapped);
    else
        assert_int_equal(error.code, ERROR_USAGE);
    buffer_free(&out);
    secret_free(bytes);
}

#endif
