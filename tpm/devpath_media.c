/* devpath_media - nodes of media: partitions, files, firmware volumes; see devpath_private.h. */
#include "tpm/devpath_private.h"

#include <inttypes.h>
#include <string.h>

#include "tpm/event_private.h"

static bool hard_drive(struct devpath_node *node)
{
    uint32_t partition = reader_u32(&node->in);
    uint64_t start = reader_u64(&node->in), size = reader_u64(&node->in);
    const uint8_t *signature = reader_bytes(&node->in, 16);
    reader_skip(&node->in, 1); /* the table's format, which the signature's type implies */
    unsigned type = reader_u8(&node->in);
    char guid[37];
    if (node->in.failed)
        return false;
    if (type == 2) {
        guid_text(signature, guid);
        buffer_printf(node->out, "HD(%" PRIu32 ",GPT,%s", partition, guid);
    } else if (type == 1) {
        struct reader mbr = reader_over(signature, 4);
        buffer_printf(node->out, "HD(%" PRIu32 ",MBR,0x%" PRIx32, partition, reader_u32(&mbr));
    } else {
        buffer_printf(node->out, "HD(%" PRIu32 ",%u,", partition, type);
        devpath_hex(node, signature, 16);
    }
    return buffer_printf(node->out, ",0x%" PRIx64 ",0x%" PRIx64 ")", start, size);
}

static bool file_path(struct devpath_node *node)
{
    bool wrapped = node->style == DEVPATH_EFIVAR;
    buffer_append_text(node->out, wrapped ? "File(" : "");
    devpath_rest_utf16(node);
    buffer_append_text(node->out, wrapped ? ")" : "");
    return true;
}

static bool ram_disk(struct devpath_node *node)
{
    static const struct {
        char guid[37];
        const char *name;
    } kinds[] = {
        {"77ab535a-45fc-624b-5560-f7b281d1f96e", "VirtualDisk"},
        {"3d5abd30-4175-87ce-6d64-d2ade523c4bb", "VirtualCD"},
        {"5cea02c9-4d07-69d3-269f-4496fbe096f9", "PersistentVirtualDisk"},
        {"08018188-42cd-bb48-100f-5387d53ded3d", "PersistentVirtualCD"},
    };
    char guid[37];
    uint64_t start = reader_u64(&node->in), end = reader_u64(&node->in);
    devpath_guid(node, guid);
    unsigned instance = reader_u16(&node->in);
    if (node->in.failed)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].guid, guid) == 0)
            return buffer_printf(node->out, "%s(0x%" PRIx64 ",0x%" PRIx64 ",%u)", kinds[i].name,
                                 start, end, instance);
    return buffer_printf(node->out, "RamDisk(0x%" PRIx64 ",0x%" PRIx64 ",%u,%s)", start, end,
                         instance, guid);
}

static bool cdrom(struct devpath_node *node)
{
    uint32_t entry = reader_u32(&node->in);
    uint64_t start = reader_u64(&node->in), size = reader_u64(&node->in);
    const char *format = devpath_is_uefi(node) ? "CDROM(0x%" PRIx32 ",0x%" PRIx64 ",0x%" PRIx64 ")"
                                               : "CDROM(%" PRIu32 ",0x%" PRIx64 ",0x%" PRIx64 ")";
    return !node->in.failed && buffer_printf(node->out, format, entry, start, size);
}

static bool offset_range(struct devpath_node *node)
{
    reader_skip(&node->in, 4); /* reserved */
    uint64_t start = reader_u64(&node->in), end = reader_u64(&node->in);
    return !node->in.failed &&
           buffer_printf(node->out, "Offset(0x%" PRIx64 ",0x%" PRIx64 ")", start, end);
}

bool devpath_media(struct devpath_node *node)
{
    switch (node->subtype) {
    case 1:
        return hard_drive(node);
    case 2:
        return cdrom(node);
    case 3:
        return devpath_vendor(node, "VenMedia");
    case 4:
        return file_path(node);
    case 5:
        return devpath_vendor(node, "Media");
    case 6:
        return devpath_vendor(node, "FvFile");
    case 7:
        return devpath_vendor(node, devpath_is_uefi(node) ? "Fv" : "FvVol");
    case 8:
        return offset_range(node);
    case 9:
        return ram_disk(node);
    default:
        return false;
    }
}
