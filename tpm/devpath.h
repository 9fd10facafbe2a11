/*
 * devpath - UEFI device paths as text [source: UEFI 2.10, §10.3 and §10.6].
 */
#ifndef VMCRYPT_TPM_DEVPATH_H
#define VMCRYPT_TPM_DEVPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum devpath_style {
    DEVPATH_UEFI,      /* the text form of the specification, GUIDs in lower case */
    DEVPATH_EFIVAR,    /* as libefivar up to 38 writes it */
    DEVPATH_EFIVAR_39, /* and from 39 on */
};

/*
 * Append the text of the path in LENGTH bytes at DATA, up to its end node (which may be missing).
 * Unknown nodes, and those that are too short for their kind, come as Path(TYPE,SUBTYPE,HEX).
 * False when the nodes do not fit LENGTH; OUT then has those before. *used, when not NULL, is the
 * number of bytes up to there, the end node counted.
 */
bool devpath_text(const uint8_t *data, size_t length, enum devpath_style style, struct buffer *out,
                  size_t *used);

#endif
