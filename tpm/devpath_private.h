/* devpath_private - one node of a device path, for the writers of each type. */
#ifndef VMCRYPT_TPM_DEVPATH_PRIVATE_H
#define VMCRYPT_TPM_DEVPATH_PRIVATE_H

#include "base/reader.h"
#include "tpm/devpath.h"

struct devpath_node {
    uint8_t type, subtype;
    struct reader in; /* what follows the header */
    enum devpath_style style;
    struct buffer *out;
};

/* Write the node; false when it is unknown or too short, having written nothing. */
bool devpath_hardware(struct devpath_node *node);
bool devpath_acpi(struct devpath_node *node);
bool devpath_message(struct devpath_node *node);
bool devpath_media(struct devpath_node *node);
bool devpath_bbs(struct devpath_node *node);

static inline bool devpath_is_uefi(const struct devpath_node *node)
{
    return node->style == DEVPATH_UEFI;
}

/* Read a GUID into TEXT of 37 bytes. */
void devpath_guid(struct devpath_node *node, char text[37]);
/* "NAME(GUID)" of what is left; with ",HEX" for more bytes behind the GUID. */
bool devpath_vendor(struct devpath_node *node, const char *name);
/* What is left, as text with escapes. */
void devpath_rest_text(struct devpath_node *node);
void devpath_rest_utf16(struct devpath_node *node);
void devpath_hex(struct devpath_node *node, const uint8_t *bytes, size_t length);

#endif
