/* event_fixture - logs whose digests are hashes of what the test says, by OpenSSL's own calls. */
#ifndef VMCRYPT_TESTS_TPM_EVENT_FIXTURE_H
#define VMCRYPT_TESTS_TPM_EVENT_FIXTURE_H

#include <openssl/evp.h>

#include "tests/tpm/samples.h"
#include "tpm/event.h"
#include "tpm/event_types.h"

static const uint16_t fixture_banks[2] = {BANK_SHA1, BANK_SHA256};

struct fixture {
    struct buffer bytes;
    struct eventlog log;
    struct event_check check;
    json_t *decoded; /* of the event looked at last */
};

static inline void put_begin(struct buffer *b)
{
    put_spec(b, 0, fixture_banks, 2, 0, 0);
}

static inline void put_digest(struct buffer *b, uint16_t algorithm, const EVP_MD *md,
                              const void *bytes, size_t length)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size;
    assert_int_equal(EVP_Digest(bytes, length, digest, &size, md, NULL), 1);
    put16(b, algorithm);
    buffer_append(b, digest, size);
}

/* An event whose digests are of MEASURED. */
static inline void put_of(struct buffer *b, uint32_t pcr, uint32_t type, const void *measured,
                          size_t measured_length, const void *data, size_t length)
{
    put32(b, pcr);
    put32(b, type);
    put32(b, 2);
    put_digest(b, BANK_SHA1, EVP_sha1(), measured, measured_length);
    put_digest(b, BANK_SHA256, EVP_sha256(), measured, measured_length);
    put32(b, (uint32_t)length);
    buffer_append(b, data, length);
}

static inline void put_event(struct buffer *b, uint32_t pcr, uint32_t type, const void *data,
                             size_t length)
{
    put_of(b, pcr, type, data, length, data, length);
}

/* UEFI_VARIABLE_DATA of the global variable NAME. */
static inline void put_variable(struct buffer *b, const char *name, const void *data, size_t length)
{
    static const uint8_t guid[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                     0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    buffer_append(b, guid, sizeof guid);
    put32(b, (uint32_t)strlen(name));
    put32(b, 0);
    put32(b, (uint32_t)length);
    put32(b, 0);
    for (size_t i = 0; name[i] != '\0'; i++)
        put16(b, (unsigned char)name[i]);
    buffer_append(b, data, length);
}

static inline void put_variable_event(struct buffer *b, uint32_t pcr, uint32_t type,
                                      const char *name, const void *data, size_t length)
{
    struct buffer variable = BUFFER_INIT;
    put_variable(&variable, name, data, length);
    put_event(b, pcr, type, variable.data, variable.length);
    buffer_free(&variable);
}

/* A tagged event whose digests are of MEASURED. */
static inline void put_tag_of(struct buffer *b, uint32_t pcr, uint32_t tag, const void *measured,
                              size_t measured_length, const void *payload, size_t length)
{
    struct buffer data = BUFFER_INIT;
    put32(&data, tag);
    put32(&data, (uint32_t)length);
    buffer_append(&data, payload, length);
    put_of(b, pcr, EV_EVENT_TAG, measured, measured_length, data.data, data.length);
    buffer_free(&data);
}

static inline void fixture_parse(struct fixture *f)
{
    struct error error = ERROR_INIT;
    f->decoded = NULL;
    assert_true(eventlog_parse(&f->log, f->bytes.data, f->bytes.length, &error));
}

static inline void fixture_load(struct fixture *f, const char *sample)
{
    struct error error = ERROR_INIT;
    *f = (struct fixture){.bytes = BUFFER_INIT};
    assert_true(eventlog_load(sample_path(sample), &f->bytes, &error));
    fixture_parse(f);
}

/* Check and decode event I. */
static inline void fixture_look(struct fixture *f, size_t i)
{
    assert_true(i < f->log.event_count);
    json_decref(f->decoded);
    event_check(&f->log, &f->log.events[i], &f->check);
    f->decoded = event_decode(&f->log, &f->log.events[i], &f->check);
    assert_non_null(f->decoded);
}

/* Parse what was put and look at the one event behind the Spec ID event. */
static inline void fixture_one(struct fixture *f)
{
    fixture_parse(f);
    assert_int_equal(f->log.event_count, 2);
    fixture_look(f, 1);
}

static inline void fixture_free(struct fixture *f)
{
    json_decref(f->decoded);
    eventlog_free(&f->log);
    buffer_free(&f->bytes);
    *f = (struct fixture){.bytes = BUFFER_INIT};
}

static inline const json_t *field(const struct fixture *f, const char *name)
{
    return json_object_get(json_object_get(f->decoded, "fields"), name);
}

static inline const char *text(const struct fixture *f, const char *name)
{
    const char *value = json_string_value(field(f, name));
    return value == NULL ? "(none)" : value;
}

static inline const char *kind(const struct fixture *f)
{
    return json_string_value(json_object_get(f->decoded, "kind"));
}

static inline const char *summary(const struct fixture *f)
{
    return json_string_value(json_object_get(f->decoded, "summary"));
}

/* The names of the authenticated fields, with a space between, in one static text. */
static inline const char *authenticated(const struct fixture *f)
{
    static char names[512];
    json_t *list = json_object_get(f->decoded, "authenticated");
    names[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        strcat(names, i == 0 ? "" : " ");
        strcat(names, json_string_value(json_array_get(list, i)));
    }
    return names;
}

static inline size_t problems(const struct fixture *f)
{
    return json_array_size(json_object_get(f->decoded, "problems"));
}

#endif
