/* eventlog_names - what types of events and registers are called
 * [source: TCG PFP 1.06, table 27; Intel TXT software development guide, appendix F; UEFI 2.10,
 * 38.4.1 for the registers of a TDX guest]. */
#include "tpm/eventlog.h"

#include <stdio.h>

#include "tpm/event_types.h"

static const char *const low_names[] = {
    "EV_PREBOOT_CERT",
    "EV_POST_CODE",
    "EV_UNUSED",
    "EV_NO_ACTION",
    "EV_SEPARATOR",
    "EV_ACTION",
    "EV_EVENT_TAG",
    "EV_S_CRTM_CONTENTS",
    "EV_S_CRTM_VERSION",
    "EV_CPU_MICROCODE",
    "EV_PLATFORM_CONFIG_FLAGS",
    "EV_TABLE_OF_DEVICES",
    "EV_COMPACT_HASH",
    "EV_IPL",
    "EV_IPL_PARTITION_DATA",
    "EV_NONHOST_CODE",
    "EV_NONHOST_CONFIG",
    "EV_NONHOST_INFO",
    "EV_OMIT_BOOT_DEVICE_EVENTS",
    "EV_POST_CODE2",
};

static const struct {
    uint32_t type;
    const char *name;
} names[] = {
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {EV_EFI_VARIABLE_BOOT, "EV_EFI_VARIABLE_BOOT"},
    {EV_EFI_BOOT_SERVICES_APPLICATION, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {EV_EFI_BOOT_SERVICES_DRIVER, "EV_EFI_BOOT_SERVICES_DRIVER"},
    {EV_EFI_RUNTIME_SERVICES_DRIVER, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {EV_EFI_GPT_EVENT, "EV_EFI_GPT_EVENT"},
    {EV_EFI_ACTION, "EV_EFI_ACTION"},
    {EV_EFI_PLATFORM_FIRMWARE_BLOB, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {EV_EFI_HANDOFF_TABLES, "EV_EFI_HANDOFF_TABLES"},
    {EV_EFI_PLATFORM_FIRMWARE_BLOB2, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {EV_EFI_HANDOFF_TABLES2, "EV_EFI_HANDOFF_TABLES2"},
    {EV_EFI_VARIABLE_BOOT2, "EV_EFI_VARIABLE_BOOT2"},
    {EV_EFI_GPT_EVENT2, "EV_EFI_GPT_EVENT2"},
    {EV_EFI_HCRTM_EVENT, "EV_EFI_HCRTM_EVENT"},
    {EV_EFI_VARIABLE_AUTHORITY, "EV_EFI_VARIABLE_AUTHORITY"},
    {EV_EFI_SPDM_FIRMWARE_BLOB, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    {EV_EFI_SPDM_FIRMWARE_CONFIG, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
    {EV_EFI_SPDM_DEVICE_POLICY, "EV_EFI_SPDM_DEVICE_POLICY"},
    {EV_EFI_SPDM_DEVICE_AUTHORITY, "EV_EFI_SPDM_DEVICE_AUTHORITY"},
    {0x401, "EVTYPE_PCR_MAPPING"},
    {0x402, "EVTYPE_HASH_START"},
    {0x403, "EVTYPE_COMBINED_HASH"},
    {0x404, "EVTYPE_MLE_HASH"},
    {0x40a, "EVTYPE_BIOSAC_REG_DATA"},
    {0x40b, "EVTYPE_CPU_SCRTM_STAT"},
    {0x40c, "EVTYPE_LCP_CONTROL_HASH"},
    {0x40d, "EVTYPE_ELEMENTS_HASH"},
    {0x40e, "EVTYPE_STM_HASH"},
    {0x40f, "EVTYPE_OSSINITDATA_CAP_HASH"},
    {0x410, "EVTYPE_SINIT_PUBKEY_HASH"},
    {0x411, "EVTYPE_LCP_HASH"},
    {0x412, "EVTYPE_LCP_DETAILS_HASH"},
    {0x413, "EVTYPE_LCP_AUTHORITIES_HASH"},
    {0x414, "EVTYPE_NV_INFO_HASH"},
    {0x415, "EVTYPE_COLD_BOOT_BIOS_HASH"},
    {0x416, "EVTYPE_KM_HASH"},
    {0x417, "EVTYPE_BPM_HASH"},
    {0x418, "EVTYPE_KM_INFO_HASH"},
    {0x419, "EVTYPE_BPM_INFO_HASH"},
    {0x41a, "EVTYPE_BOOT_POL_HASH"},
    {0x4fe, "EVTYPE_RANDOM_VALUE"},
    {0x4ff, "EVTYPE_CAP_VALUE"},
};

const char *eventlog_type_name(uint32_t type, char text[24])
{
    if (type < sizeof low_names / sizeof low_names[0])
        return low_names[type];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    snprintf(text, 24, "EV_0x%08x", type);
    return text;
}

const char *eventlog_register_name(const struct eventlog *log, uint32_t pcr, char text[32])
{
    if (pcr == UINT32_MAX)
        snprintf(text, 32, "no PCR");
    else if (log->cc && pcr == 0)
        snprintf(text, 32, "MRTD (index 0)");
    else if (log->cc && pcr <= 4)
        snprintf(text, 32, "RTMR %u (index %u)", pcr - 1, pcr);
    else
        snprintf(text, 32, "PCR %u", pcr);
    return text;
}
