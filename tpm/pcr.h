/*
 * pcr - values of PCRs, by bank, from any file that holds them.
 */
#ifndef VMCRYPT_TPM_PCR_H
#define VMCRYPT_TPM_PCR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tpm/bank.h"

enum { PCR_COUNT = 24 };

struct pcr_bank {
    uint16_t algorithm;
    size_t size;
    uint32_t known; /* bit N: PCR N has a value */
    uint8_t value[PCR_COUNT][BANK_DIGEST_MAX];
};

struct pcr_set {
    size_t bank_count;
    struct pcr_bank banks[BANK_MAX];
};

/* NULL when SET has no such bank. */
const struct pcr_bank *pcr_bank(const struct pcr_set *set, uint16_t algorithm);
/* The same, added (empty) when it was not there; NULL when it is unknown or there are too many. */
struct pcr_bank *pcr_bank_add(struct pcr_set *set, uint16_t algorithm);
bool pcr_put(struct pcr_set *set, uint16_t algorithm, unsigned index, const void *value,
             size_t length);

/* A selection: which PCRs of which banks, in order. */
struct pcr_selection {
    size_t count;
    struct {
        uint16_t algorithm;
        uint32_t pcrs; /* bit N: PCR N */
    } banks[BANK_MAX];
};
/* "sha256:0,1,7+sha1:4", "sha256:all" as tpm2-tools takes it. */
bool pcr_selection_parse(const char *text, struct pcr_selection *out, struct error *error);

/*
 * Values in any of: tpm2_quote's "serialized" file, its "values" file (which needs SELECTION, NULL
 * when not known), tpm2_pcrread's YAML on its output and its binary -o file (needs SELECTION too),
 * JSON of vCenter
 * ("banks"), of go-attestation and go-tpm-tools ("pcrs"), of a HostTpmAttestationReport, or of
 * `vmcrypt tpm replay --json`. The form found is in *form, a static text.
 */
bool pcr_load(const char *path, const struct pcr_selection *selection, struct pcr_set *out,
              const char **form, struct error *error);
/* The same from text at hand, NAME for messages. */
bool pcr_parse(const char *name, const void *data, size_t length,
               const struct pcr_selection *selection, struct pcr_set *out, const char **form,
               struct error *error);

#endif
