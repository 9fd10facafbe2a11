/*
 * event_tag - tagged events (EV_EVENT_TAG): numbered payloads, alone or one behind the other.
 *
 * TCG_PCClientTaggedEvent: u32 id, u32 size, payload [source: TCG PFP 1.05 §10.2.5]. The numbers
 * are each system's own: ESXi's [vmware/esx-boot, uefi/efiutils/tpm.c], Windows' [wbcl.h],
 * Linux' [drivers/firmware/efi/libstub], systemd's [src/fundamental/tpm2-pcr.h].
 */
#ifndef VMCRYPT_TPM_EVENT_TAG_H
#define VMCRYPT_TPM_EVENT_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tpm/eventlog.h"

enum {
    EVENT_TAG_ESXI_PREBOOT = 1, /* from reports of vCenter, as is 5; the others are the loader's */
    EVENT_TAG_ESXI_MODULE = 2,
    EVENT_TAG_ESXI_BOOT_OPTION = 3,
    EVENT_TAG_ESXI_COMMAND_LINE = 4,
    EVENT_TAG_ESXI_SECURITY_OPTION = 5,
    EVENT_TAG_ESXI_ASSET_TAG = 6,
    EVENT_TAG_ESXI_SIGNER = 7,
    EVENT_TAG_ESXI_VERSION = 8,
};

#define EVENT_TAG_LINUX_INITRD 0x8f3b22ecu
#define EVENT_TAG_LINUX_OPTIONS 0x8f3b22edu

struct event_tag {
    uint32_t id;
    size_t start, length; /* of the payload, in the event's data */
};

/* The tag at *OFFSET of LENGTH bytes at DATA, which then is behind it; false at the end and for
 * one that does not fit. */
bool event_tag_next(const uint8_t *data, size_t length, size_t *offset, struct event_tag *tag);
/* The first one of an event. */
bool event_tag_first(const struct eventlog_event *event, struct event_tag *tag);

/* One of ESXi's numbers in a PCR that ESXi measures to: 11 to 14, with TXT 17 to 22. */
bool event_tag_is_esxi(const struct eventlog_event *event, const struct event_tag *tag);

/* "SIPAEVENT_BOOTCOUNTER" without its prefix, "initrd", ...; NULL for an unknown number. */
const char *event_tag_windows_name(uint32_t id);
const char *event_tag_linux_name(uint32_t id);

#endif
