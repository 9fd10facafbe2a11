/* kmip_fixture - files read as sources of keys, and a real Get response: vCenter 7.0.3 and PyKMIP
 * [Cosmian/kms crate/kmip/src/ttlv/tests/vmware.rs]. */
#ifndef VMCRYPT_TESTS_KEYWRAP_KMIP_FIXTURE_H
#define VMCRYPT_TESTS_KEYWRAP_KMIP_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "keywrap/source.h"
#include "tests/scratch.h"

static const char get_response[] =
    "42007b010000012042007a0100000048420069010000002042006a0200000004000000010000000042006b02000000"
    "04000000010000000042009209000000080000000067ee614842000d0200000004000000010000000042000f010000"
    "00c842005c05000000040000000a000000004200930800000008514c4b430100000042007f05000000040000000000"
    "00000042007c0100000090420057050000000400000002000000004200940700000001320000000000000042008f01"
    "00000068420040010000006042004205000000040000000100000000420045010000002842004308000000201c5d9d"
    "e2a8baf74903d662382546c085edb2feed0c279465394b418cc7a613bd420028050000000400000003000000004200"
    "2a02000000040000010000000000";
static const char real_key[] = "1c5d9de2a8baf74903d662382546c085edb2feed0c279465394b418cc7a613bd";

/* What reading a file came to. */
struct outcome {
    struct keyring ring;
    struct error error;
    const struct source_form *form;
    size_t warnings;
    bool ok;
};

static inline void read_for(struct outcome *o, const void *data, size_t length,
                            const struct source_options *options)
{
    FILE *f = fopen("file", "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod("file", 0600), 0);
    struct log log = {.program = "test", .level = -1};
    *o = (struct outcome){.error = ERROR_INIT};
    o->ok = source_read("file", options, &o->ring, &o->form, &log, &o->error);
    o->warnings = log.warnings;
    assert_int_equal(o->ok, o->error.code == ERROR_NONE);
    assert_int_equal(o->ok, o->ring.key_count > 0);
}

static inline void read_bytes(struct outcome *o, const void *data, size_t length,
                              const struct wrap_key *unwrap)
{
    read_for(o, data, length, &(struct source_options){.unwrap = unwrap});
}

static inline void assert_form(const struct outcome *o, const char *name)
{
    assert_non_null(o->form);
    assert_string_equal(o->form->name, name);
}

/* Key number I has this id (NULL: none) and these bytes in hex. */
static inline void assert_key(const struct outcome *o, size_t i, const char *id, const char *hex)
{
    assert_true(o->ok);
    assert_true(i < o->ring.key_count);
    const struct keyring_key *key = &o->ring.keys[i];
    if (id == NULL)
        assert_null(key->id);
    else
        assert_string_equal(key->id, id);
    struct buffer text = BUFFER_INIT;
    assert_true(hex_encode(key->key->data, key->key->length, &text));
    assert_string_equal(buffer_text(&text), hex);
    buffer_free(&text);
}

static inline void assert_refused(const struct outcome *o, enum error_code code, const char *words)
{
    assert_false(o->ok);
    assert_int_equal(o->error.code, code);
    if (strstr(o->error.message, words) == NULL)
        fail_msg("no '%s' in '%s'", words, o->error.message);
}

static inline size_t unhex(const char *hex, uint8_t *out, size_t room)
{
    assert_true(hex_decode(hex, strlen(hex), out, &room));
    return room;
}

#endif
