/*
 * samples - the real files that tests of the TPM room use, in $VMCRYPT_SAMPLES or
 * ../shared/samples; and logs made here.
 */
#ifndef VMCRYPT_TESTS_TPM_SAMPLES_H
#define VMCRYPT_TESTS_TPM_SAMPLES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "tpm/eventlog.h"

/* The path of eventlogs/NAME; one of a few rotating texts. */
static inline const char *sample_path(const char *name)
{
    static char paths[4][1024];
    static size_t next;
    const char *samples = getenv("VMCRYPT_SAMPLES");
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/eventlogs/%s",
             samples == NULL ? "../shared/samples" : samples, name);
    return path;
}

static inline bool have_sample(const char *name)
{
    bool have = access(sample_path(name), R_OK) == 0;
    if (!have)
        fprintf(stderr, "skipped: no sample eventlogs/%s\n", name);
    return have;
}

/* A log built record by record. */
static inline void put16(struct buffer *b, unsigned value)
{
    char bytes[2] = {(char)value, (char)(value >> 8)};
    buffer_append(b, bytes, sizeof bytes);
}

static inline void put32(struct buffer *b, uint32_t value)
{
    put16(b, value & 0xffff);
    put16(b, value >> 16);
}

/* A TCG_PCR_EVENT with a digest of DIGEST in every byte. */
static inline void put_legacy(struct buffer *b, uint32_t pcr, uint32_t type, int digest,
                              const void *data, size_t length)
{
    put32(b, pcr);
    put32(b, type);
    memset(buffer_reserve(b, 20), digest, 20);
    b->length += 20;
    put32(b, (uint32_t)length);
    buffer_append(b, data, length);
}

/* The Spec ID event of a log with the COUNT banks, and VENDOR bytes of vendor info said to be
 * SAID. */
static inline void put_spec(struct buffer *b, uint32_t pcr, const uint16_t *banks, size_t count,
                            size_t vendor, size_t said)
{
    struct buffer data = BUFFER_INIT;
    buffer_append(&data, "Spec ID Event03", 16);
    put32(&data, 0);
    put32(&data, 0x02000200);
    put32(&data, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        put16(&data, banks[i]);
        put16(&data, bank_by_id(banks[i]) == NULL ? 32 : (unsigned)bank_by_id(banks[i])->size);
    }
    buffer_append_byte(&data, (char)said);
    for (size_t i = 0; i < vendor; i++)
        buffer_append_byte(&data, 'v');
    put_legacy(b, pcr, 3, 0, data.data, data.length);
    buffer_free(&data);
}

/* A TCG_PCR_EVENT2 with a digest of DIGEST in every byte in each of the COUNT banks. */
static inline void put_agile(struct buffer *b, uint32_t pcr, uint32_t type, const uint16_t *banks,
                             size_t count, int digest, const void *data, size_t length)
{
    put32(b, pcr);
    put32(b, type);
    put32(b, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        size_t size = bank_by_id(banks[i]) == NULL ? 32 : bank_by_id(banks[i])->size;
        put16(b, banks[i]);
        memset(buffer_reserve(b, size), digest, size);
        b->length += size;
    }
    put32(b, (uint32_t)length);
    buffer_append(b, data, length);
}

#endif
