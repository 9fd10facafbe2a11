/*
 * bundle - the secret settings of a VM, locked on their own: `encryption.bundle`.
 *
 * vSphere hands it out in extraConfig so that a backup can bring the VM back: a key locator
 * list/(pair/(…)) around the VM's secret settings [real samples; source: vm-operator
 * pkg/vmconfig/crypto]. What the locked text looks like is not published; from its length it is
 * no bare key. We write `name = "value"` lines, and read those and a bare "type=key:…", which is
 * taken for the dataFileKey [hypothesis]; so a bundle written here is for vmcrypt and need not be
 * one that vSphere takes.
 */
#ifndef VMCRYPT_VMX_BUNDLE_H
#define VMCRYPT_VMX_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "keywrap/locator.h"
#include "vmx/config.h"
#include "vmx/dict.h"

enum { BUNDLE_MAX_BYTES = 4 << 20 };

/* Lock the secret settings that CONFIG (plain or unlocked) has for LOCKER; the locator is
 * appended to OUT as text without a line end. None there: ERROR_FAILED. */
bool vmx_bundle_export(const struct vmx_config *config, const struct keysafe_locker *locker,
                       enum seal_mac mac, struct buffer *out, struct error *error);

struct vmx_bundle {
    struct locator *locator;
    struct keysafe_result opened; /* attempts of vmx_bundle_open */
    struct dict *settings;        /* NULL when no key opened it */
};

/* Open a bundle: the locator in either spelling, or a line `encryption.bundle = "…"`. Free it
 * with vmx_bundle_free also after a failure, when it still holds the attempts. */
bool vmx_bundle_open(struct vmx_bundle *bundle, const char *text, size_t length,
                     const struct keyring *ring, struct error *error);
void vmx_bundle_free(struct vmx_bundle *bundle);

/* Set all SETTINGS of a bundle in the inner part of an unlocked CONFIG, which the caller reseals.
 * Those that no bundle may bring (the key safe itself, the code page) are ERROR_DAMAGED. */
bool vmx_bundle_apply(struct vmx_config *config, const struct dict *settings, struct error *error);

#endif
