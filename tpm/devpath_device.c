/* devpath_device - nodes of hardware, ACPI and BIOS boot devices, see devpath_private.h. */
#include "tpm/devpath_private.h"

#include <inttypes.h>

bool devpath_hardware(struct devpath_node *node)
{
    struct reader *in = &node->in;
    switch (node->subtype) {
    case 1: {
        unsigned function = reader_u8(in), device = reader_u8(in);
        return !in->failed && buffer_printf(node->out, "Pci(0x%x,0x%x)", device, function);
    }
    case 2: {
        unsigned function = reader_u8(in);
        return !in->failed && buffer_printf(node->out, "PcCard(0x%x)", function);
    }
    case 3: {
        uint32_t type = reader_u32(in);
        uint64_t start = reader_u64(in), end = reader_u64(in);
        const char *format = devpath_is_uefi(node)
                                 ? "MemoryMapped(0x%" PRIx32 ",0x%" PRIx64 ",0x%" PRIx64 ")"
                                 : "MemoryMapped(%" PRIu32 ",0x%" PRIx64 ",0x%" PRIx64 ")";
        return !in->failed && buffer_printf(node->out, format, type, start, end);
    }
    case 4:
        return devpath_vendor(node, "VenHw");
    case 5: {
        uint32_t number = reader_u32(in);
        return !in->failed && buffer_printf(node->out, "Ctrl(0x%" PRIx32 ")", number);
    }
    case 6: {
        unsigned type = reader_u8(in);
        uint64_t address = reader_u64(in);
        return !in->failed && buffer_printf(node->out, "BMC(0x%x,0x%" PRIx64 ")", type, address);
    }
    default:
        return false;
    }
}

/* "PNP0A03" in 32 bits: three letters of five bits, then the number. */
static void eisa_text(uint32_t hid, char text[8])
{
    static const char digits[] = "0123456789ABCDEF";
    text[0] = (char)('@' + ((hid >> 10) & 0x1f));
    text[1] = (char)('@' + ((hid >> 5) & 0x1f));
    text[2] = (char)('@' + (hid & 0x1f));
    for (unsigned i = 0; i < 4; i++)
        text[3 + i] = digits[(hid >> (28 - 4 * i)) & 0xf];
    text[7] = '\0';
}

static const char *acpi_name(uint32_t hid)
{
    switch (hid) {
    case 0x0a0341d0:
        return "PciRoot";
    case 0x0a0841d0:
        return "PcieRoot";
    case 0x060441d0:
        return "Floppy";
    case 0x030141d0:
        return "Keyboard";
    case 0x050141d0:
        return "Serial";
    case 0x040141d0:
        return "ParallelPort";
    default:
        return NULL;
    }
}

static bool acpi_device(struct devpath_node *node)
{
    char id[8];
    uint32_t hid = reader_u32(&node->in), uid = reader_u32(&node->in);
    if (node->in.failed)
        return false;
    const char *name = acpi_name(hid);
    eisa_text(hid, id);
    if (name != NULL)
        return buffer_printf(node->out, "%s(0x%" PRIx32 ")", name, uid);
    if (devpath_is_uefi(node))
        return buffer_printf(node->out, "Acpi(%s,0x%" PRIx32 ")", id, uid);
    return buffer_printf(node->out, "Acpi(0x%08" PRIx32 ",0x%" PRIx32 ")", hid, uid);
}

/* Three numbers, then three texts that replace them where they are not empty. */
static bool acpi_expanded(struct devpath_node *node)
{
    char id[8], compatible[8];
    uint32_t hid = reader_u32(&node->in), uid = reader_u32(&node->in), cid = reader_u32(&node->in);
    if (node->in.failed)
        return false;
    eisa_text(hid, id);
    eisa_text(cid, compatible);
    buffer_printf(node->out, "AcpiEx(%s,%s,0x%" PRIx32, id, compatible, uid);
    size_t left = reader_left(&node->in);
    buffer_append_byte(node->out, ',');
    devpath_hex(node, reader_bytes(&node->in, left), left);
    buffer_append_byte(node->out, ')');
    return true;
}

bool devpath_acpi(struct devpath_node *node)
{
    if (node->subtype == 1)
        return acpi_device(node);
    if (node->subtype == 2)
        return acpi_expanded(node);
    if (node->subtype != 3 || reader_left(&node->in) < 4)
        return false;
    buffer_append_text(node->out, "AcpiAdr(");
    for (bool first = true; reader_left(&node->in) >= 4; first = false)
        buffer_printf(node->out, "%s0x%" PRIx32, first ? "" : ",", reader_u32(&node->in));
    buffer_append_byte(node->out, ')');
    return true;
}

bool devpath_bbs(struct devpath_node *node)
{
    static const char *const types[] = {NULL, "Floppy", "HD", "CDROM", "PCMCIA", "USB", "Network"};
    unsigned type = reader_u16(&node->in), status = reader_u16(&node->in);
    if (node->subtype != 1 || node->in.failed)
        return false;
    if (type > 0 && type < sizeof types / sizeof types[0])
        buffer_printf(node->out, "BBS(%s,", types[type]);
    else
        buffer_printf(node->out, "BBS(%s%x,", devpath_is_uefi(node) ? "0x" : "", type);
    devpath_rest_text(node);
    return buffer_printf(node->out, ",0x%x)", status);
}
