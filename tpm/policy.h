/*
 * policy - what a host must prove to be trusted: a YAML (or JSON) document.
 *
 *   version: 1
 *   name: production
 *   quote:
 *     banks: [sha384, sha256]            # banks whose values count, the best first; default:
 *                                        # sha256. Only those that the firmware is known to extend:
 *                                        # in another that the TPM has, anything can be made up
 *     ignore-pcrs: [10]                  # PCRs that the log need not explain, as Linux extends 10
 *                                        # by itself; then nothing may be asked of them
 *     nonce: required                    # default; optional: for evidence without one
 *   endorsement:
 *     keys: required                     # Trust Authority's require_endorsement_keys
 *     certificates: required             # its require_certificate_validation; default for both:
 *                                        # optional
 *     cas: [manufacturer-cas/, root.pem] # files and directories, relative to the policy
 *     certificates-pem: |                # the same, within
 *     manufacturers: [IFX, STM]          # or "id:49465800"; default: any that a CA vouches for
 *     trusted-keys:                      # permitted TPMs
 *       - {name: esx01, public-key: PEM}
 *       - {name: esx02, sha256: HEX}     # of the SubjectPublicKeyInfo
 *   attestation-key:
 *     binding: [certificate, credential, name]   # which of them will do; default: certificate,
 *                                        # name. credential rests on the word of who kept the
 *                                        # record: never take it from the host
 *     names: [HEX]                       # pinned names
 *     cas: [...]                         # for certificates; default: those of endorsement
 *   boot:
 *     secure-boot: required              # or optional, the default
 *     authorities: [SHA-256 HEX of a certificate, ...]  # only these may have verified an image;
 *                                        # needs secure-boot. Whatever they ever signed will do
 *     images: [HEX, ...]                 # Authenticode digests: all of PCR 4 must be among them
 *     pcrs: {"0": [HEX, ...], "7": [HEX]}   # golden values, in any of the banks
 *   esxi:
 *     base-images: [esxi-803.yaml]       # as `vmcrypt tpm baseimage` writes them
 *     volatile: [state.tgz, ...]         # modules taken by their name, which nothing vouches for;
 *                                        # default: none
 *     signers: [HEX, ...]                # SHA-256 of the DER of certificates or keys
 *     command-lines: ["..."]             # after normalising
 *     ignore-options: [bootUUID]         # dropped when normalising; the default
 *     security-options: ["execInstalledOnly = TRUE"]   # each must be there
 *     asset-tags: [HEX]                  # signers, command-lines, security-options, asset-tags:
 *                                        # without all four, any will do; with one of them, what
 *                                        # the others do not list is refused
 *   attestation: {lifetime: 3600}        # seconds that a document made by this policy lasts
 *
 * An unknown name is an error: a typing mistake must not weaken a policy.
 */
#ifndef VMCRYPT_TPM_POLICY_H
#define VMCRYPT_TPM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "tpm/bank.h"
#include "tpm/identity.h"

enum { POLICY_BYTES_MAX = 16 << 20, POLICY_LIFETIME_MAX = 366 * 24 * 3600 };

struct policy {
    char *path;
    const char *name;
    uint8_t sha256[32]; /* of the document's bytes */
    size_t bank_count;
    uint16_t banks[BANK_MAX];
    bool nonce_required;
    uint32_t ignored_pcrs; /* bit N: the log need not explain PCR N */
    bool ek_required, ek_certificate_required;
    bool bind_certificate, bind_credential, bind_name; /* what may bind an attestation key */
    bool secure_boot_required;
    struct identity_cas cas;    /* for EK certificates */
    struct identity_cas ak_cas; /* for AK certificates; those of CAS when the policy names none */
    long lifetime;              /* seconds */
    /* Lists, borrowed from TREE; NULL when the policy does not have them. Digests are lower-case
     * hex. */
    const json_t *manufacturers, *trusted_keys, *ak_names;
    const json_t *authorities, *images, *pcrs;
    const json_t *volatile_modules, *signers, *command_lines, *ignore_options, *security_options,
        *asset_tags;
    json_t *base_images; /* array of what baseimage_read gives; NULL: ESXi's PCRs do not count */
    json_t *tree;
};

/* False with ERROR_DAMAGED and the name in question; a policy that lets ESXi's PCRs 11 to 14 stand
 * alone is refused, since any software could have extended them. */
bool policy_load(struct policy *policy, const char *path, struct error *error);
bool policy_parse(struct policy *policy, const char *path, const void *text, size_t length,
                  struct error *error);
void policy_free(struct policy *policy);

/* True when the list (of strings, NULL: none) has TEXT. */
bool policy_lists(const json_t *list, const char *text);

/* A command line without the options to be ignored, white space made one space. Malloc'd. */
char *policy_normalise(const struct policy *policy, const char *command_line, struct error *error);

#endif
