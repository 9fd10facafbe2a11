/* pcr_private - the forms of files with PCR values. */
#ifndef VMCRYPT_TPM_PCR_PRIVATE_H
#define VMCRYPT_TPM_PCR_PRIVATE_H

#include <jansson.h>

#include "tpm/pcr.h"

/* pcr_put that says what is wrong (ERROR_DAMAGED). */
bool pcr_set_add(struct pcr_set *set, uint16_t algorithm, unsigned index, const void *value,
                 size_t length, struct error *error);

/* A form's reader: *fits tells whether the bytes have that form at all; then the result counts. */
bool pcr_parse_serialized(const uint8_t *data, size_t length, struct pcr_set *out, bool *fits,
                          struct error *error);
bool pcr_parse_values(const uint8_t *data, size_t length, const struct pcr_selection *selection,
                      struct pcr_set *out, struct error *error);
bool pcr_parse_text(const char *data, size_t length, struct pcr_set *out, bool *fits,
                    struct error *error);
bool pcr_parse_json(const json_t *document, struct pcr_set *out, const char **form,
                    struct error *error);

#endif
