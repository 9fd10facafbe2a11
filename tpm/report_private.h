/* report_private - what the files of the report share. */
#ifndef VMCRYPT_TPM_REPORT_PRIVATE_H
#define VMCRYPT_TPM_REPORT_PRIVATE_H

#include <jansson.h>

#include "tpm/report.h"

/* XML as the same JSON would be: an element with elements in it is an object, one without a string,
 * ones of the same name an array, xsi:type the member "_typeName". NULL with *error. */
json_t *report_xml(const char *data, size_t length, struct error *error);

struct report_build {
    struct report *report;
    size_t event_room;
    size_t mislabelled, zero_padded; /* digests that are not of the bank they name */
};

/* Add an event of PCR with the digest VALUE, of the bank that METHOD names (NULL: by its size).
 * NAME and DETAIL are copied. */
bool report_add_event(struct report_build *build, unsigned pcr, uint32_t type, const char *kind,
                      const char *name, const char *detail, const char *method, const json_t *value,
                      struct error *error);
bool report_add_value(struct report_build *build, unsigned pcr, const char *method,
                      const json_t *value, struct error *error);

/* A PCR number, as a number or a text ("19", "pcr_19"). */
bool report_index(const json_t *value, unsigned *pcr);

/* Fill from a HostTpmAttestationReport, from Intel's pcr_manifest. */
bool report_read_vim(struct report_build *build, const json_t *object, struct error *error);
bool report_read_intel(struct report_build *build, const json_t *object, struct error *error);

#endif
