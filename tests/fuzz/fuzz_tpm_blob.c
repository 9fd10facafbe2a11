/* Any bytes: as the parts of a sealed object (the first byte says where the second begins) they
 * are written back as they were or refused; as text they are PCRs, a parent, a connection. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keywrap/tpm_seal_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refused(const struct error *error)
{
    if (error->code == ERROR_NONE || error->message[0] == '\0')
        abort();
}

static bool same(const struct buffer *a, const struct buffer *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static void try_blobs(const struct buffer *public_blob, const struct buffer *private_blob)
{
    struct error error = ERROR_INIT;
    struct tpm_seal_object object;
    struct buffer public_back = BUFFER_INIT, private_back = BUFFER_INIT;
    if (!tpm_seal_object_parse(public_blob, private_blob, &object, &error))
        check_refused(&error);
    else if (!tpm_seal_object_write(&object, &public_back, &private_back, &error) ||
             !same(public_blob, &public_back) || !same(private_blob, &private_back))
        abort();
    buffer_free(&public_back);
    buffer_free(&private_back);
}

static void try_text(const char *text)
{
    struct error error = ERROR_INIT;
    TPML_PCR_SELECTION pcrs;
    uint32_t parent = 0;
    if (!tpm_seal_pcrs_parse(text, &pcrs, &error))
        check_refused(&error);
    else if (pcrs.count == 0 || pcrs.count > TPM2_NUM_PCR_BANKS)
        abort();
    error_clear(&error);
    if (!tpm_seal_parent_parse(text, &parent, &error))
        check_refused(&error);
    else if (parent >> 24 != 0x81)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t split = data[0] < size ? data[0] : size - 1;
    struct buffer public_blob = BUFFER_INIT, private_blob = BUFFER_INIT, text = BUFFER_INIT;
    if (!buffer_append(&public_blob, data + 1, split) ||
        !buffer_append(&private_blob, data + 1 + split, size - 1 - split) ||
        !buffer_append(&text, data + 1, size - 1))
        abort();
    try_blobs(&public_blob, &private_blob);
    try_text(buffer_text(&text));
    buffer_free(&public_blob);
    buffer_free(&private_blob);
    buffer_free(&text);
    return 0;
}
