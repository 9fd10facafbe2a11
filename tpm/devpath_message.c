/* devpath_message - nodes of buses and networks, see devpath_private.h. */
#include "tpm/devpath_private.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

/* Two or three small numbers, in hex where the specification's text has them so. */
static bool numbers(struct devpath_node *node, const char *name, unsigned count)
{
    unsigned values[3] = {0};
    for (unsigned i = 0; i < count; i++)
        values[i] = reader_u16(&node->in);
    if (node->in.failed)
        return false;
    buffer_printf(node->out, "%s(", name);
    for (unsigned i = 0; i < count; i++)
        buffer_printf(node->out, devpath_is_uefi(node) ? "%s0x%x" : "%s%u", i == 0 ? "" : ",",
                      values[i]);
    return buffer_append_byte(node->out, ')');
}

static bool bytes_pair(struct devpath_node *node, const char *name)
{
    unsigned first = reader_u8(&node->in), second = reader_u8(&node->in);
    return !node->in.failed &&
           buffer_printf(node->out, devpath_is_uefi(node) ? "%s(0x%x,0x%x)" : "%s(%u,%u)", name,
                         first, second);
}

static bool ata(struct devpath_node *node)
{
    unsigned secondary = reader_u8(&node->in), slave = reader_u8(&node->in);
    unsigned lun = reader_u16(&node->in);
    if (node->in.failed)
        return false;
    if (!devpath_is_uefi(node))
        return buffer_printf(node->out, "Ata(%u,%u,%u)", secondary, slave, lun);
    return buffer_printf(node->out, "Ata(%s,%s,0x%x)", secondary ? "Secondary" : "Primary",
                         slave ? "Slave" : "Master", lun);
}

static bool mac(struct devpath_node *node)
{
    const uint8_t *address = reader_bytes(&node->in, 32);
    unsigned type = reader_u8(&node->in);
    if (node->in.failed)
        return false;
    buffer_append_text(node->out, "MAC(");
    devpath_hex(node, address, type < 2 ? 6 : 32);
    return buffer_printf(node->out, devpath_is_uefi(node) ? ",0x%x)" : ",%u)", type);
}

static void ip_text(const uint8_t *address, int family, unsigned port, char text[64])
{
    char plain[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, address, plain, sizeof plain);
    size_t used = (size_t)snprintf(text, 64, family == AF_INET6 ? "[%s]" : "%s", plain);
    if (port != 0)
        snprintf(text + used, 64 - used, ":%u", port);
}

static void protocol_text(unsigned protocol, char text[8])
{
    snprintf(text, 8, protocol == 6 ? "TCP" : protocol == 17 ? "UDP" : "%u", protocol);
}

static bool ipv4(struct devpath_node *node)
{
    struct reader *in = &node->in;
    const uint8_t *local = reader_bytes(in, 4), *remote = reader_bytes(in, 4);
    unsigned local_port = reader_u16(in), remote_port = reader_u16(in), protocol = reader_u16(in);
    bool is_static = reader_u8(in) != 0;
    if (in->failed)
        return false;
    static const uint8_t none[4];
    const uint8_t *gateway = reader_bytes(in, 4), *mask = reader_bytes(in, 4);
    char from[64], to[64], by[8], over[64], in_net[64];
    ip_text(local, AF_INET, local_port, from);
    ip_text(remote, AF_INET, remote_port, to);
    ip_text(in->failed ? none : gateway, AF_INET, 0, over);
    ip_text(in->failed ? none : mask, AF_INET, 0, in_net);
    protocol_text(protocol, by);
    if (node->style == DEVPATH_EFIVAR)
        return buffer_printf(node->out, "IPv4(%s%s,%x,%x)", from, to, protocol,
                             (unsigned)is_static);
    return buffer_printf(node->out, "IPv4(%s,%s,%s,%s,%s,%s)", to, by,
                         is_static ? "Static" : "DHCP", from, over, in_net);
}

static bool ipv6(struct devpath_node *node)
{
    static const char *const origins[] = {"Static", "StatelessAutoConfigure",
                                          "StatefulAutoConfigure"};
    struct reader *in = &node->in;
    const uint8_t *local = reader_bytes(in, 16), *remote = reader_bytes(in, 16);
    unsigned local_port = reader_u16(in), remote_port = reader_u16(in), protocol = reader_u16(in);
    unsigned origin = reader_u8(in);
    if (in->failed || origin > 2)
        return false;
    unsigned prefix = reader_u8(in);
    const uint8_t *gateway = reader_bytes(in, 16);
    char from[64], to[64], by[8], over[64] = "";
    ip_text(local, AF_INET6, local_port, from);
    ip_text(remote, AF_INET6, remote_port, to);
    protocol_text(protocol, by);
    buffer_printf(node->out, "IPv6(%s,%s,%s,%s", to, by, origins[origin], from);
    if (gateway != NULL) {
        ip_text(gateway, AF_INET6, 0, over);
        buffer_printf(node->out, ",%s,%u", over, prefix);
    }
    return buffer_append_byte(node->out, ')');
}

static bool nvme(struct devpath_node *node)
{
    uint32_t space = reader_u32(&node->in);
    const uint8_t *eui = reader_bytes(&node->in, 8);
    if (node->in.failed)
        return false;
    buffer_printf(node->out, "NVMe(0x%" PRIx32 ",", space);
    for (size_t i = 0; i < 8; i++) /* the specification writes it from its last byte on */
        buffer_printf(node->out, "%s%02X", i == 0 ? "" : "-",
                      eui[devpath_is_uefi(node) ? 7 - i : i]);
    return buffer_append_byte(node->out, ')');
}

static bool iscsi(struct devpath_node *node)
{
    struct reader *in = &node->in;
    unsigned protocol = reader_u16(in), options = reader_u16(in);
    const uint8_t *lun = reader_bytes(in, 8);
    unsigned group = reader_u16(in);
    if (in->failed)
        return false;
    buffer_append_text(node->out, "iSCSI(");
    devpath_rest_text(node);
    buffer_printf(node->out, ",0x%x,", group);
    devpath_hex(node, lun, 8);
    return buffer_printf(node->out, ",%s,%s,%s,%s)", options & 2 ? "CRC32C" : "None",
                         options & 8 ? "CRC32C" : "None",
                         options & 0x800    ? "None"
                         : options & 0x1000 ? "CHAP_UNI"
                                            : "CHAP_BI",
                         protocol == 0 ? "TCP" : "reserved");
}

static bool text_node(struct devpath_node *node, const char *name)
{
    buffer_printf(node->out, "%s(", name);
    devpath_rest_text(node);
    return buffer_append_byte(node->out, ')');
}

static bool dns(struct devpath_node *node)
{
    bool six = reader_u8(&node->in) != 0;
    if (node->in.failed)
        return false;
    buffer_append_text(node->out, "Dns(");
    for (bool first = true; reader_left(&node->in) >= 16; first = false) {
        char text[64];
        ip_text(reader_bytes(&node->in, 16), six ? AF_INET6 : AF_INET, 0, text);
        buffer_printf(node->out, "%s%s", first ? "" : ",", text);
    }
    return buffer_append_byte(node->out, ')');
}

static bool one_number(struct devpath_node *node, const char *format, size_t size)
{
    unsigned value = size == 1 ? reader_u8(&node->in) : reader_u16(&node->in);
    char text[40];
    snprintf(text, sizeof text, "%s(0x%x)", format, value);
    return !node->in.failed && buffer_append_text(node->out, text);
}

static bool uart(struct devpath_node *node)
{
    static const char parities[] = "DNEOMS";
    static const char *const stops[] = {"D", "1", "1.5", "2"};
    reader_skip(&node->in, 4); /* reserved */
    uint64_t baud = reader_u64(&node->in);
    unsigned bits = reader_u8(&node->in), parity = reader_u8(&node->in);
    unsigned stop = reader_u8(&node->in);
    if (node->in.failed || parity > 5 || stop > 3)
        return false;
    return buffer_printf(node->out, "Uart(%" PRIu64 ",%u,%c,%s)", baud == 0 ? 115200 : baud,
                         bits == 0 ? 8 : bits, parities[parity], stops[stop]);
}

static bool usb_class(struct devpath_node *node)
{
    unsigned vendor = reader_u16(&node->in), product = reader_u16(&node->in);
    unsigned class = reader_u8(&node->in), subclass = reader_u8(&node->in);
    unsigned protocol = reader_u8(&node->in);
    return !node->in.failed && buffer_printf(node->out, "UsbClass(0x%x,0x%x,0x%x,0x%x,0x%x)",
                                             vendor, product, class, subclass, protocol);
}

static bool usb_wwid(struct devpath_node *node)
{
    unsigned interface = reader_u16(&node->in), vendor = reader_u16(&node->in);
    unsigned product = reader_u16(&node->in);
    if (node->in.failed)
        return false;
    buffer_printf(node->out, "UsbWwid(0x%x,0x%x,0x%x,", vendor, product, interface);
    devpath_rest_utf16(node);
    return buffer_append_byte(node->out, ')');
}

static bool fibre(struct devpath_node *node, const char *name)
{
    reader_skip(&node->in, 4); /* reserved */
    uint64_t port = reader_u64(&node->in), lun = reader_u64(&node->in);
    return !node->in.failed &&
           buffer_printf(node->out, "%s(0x%" PRIx64 ",0x%" PRIx64 ")", name, port, lun);
}

bool devpath_message(struct devpath_node *node)
{
    switch (node->subtype) {
    case 1:
        return ata(node);
    case 2:
        return numbers(node, devpath_is_uefi(node) ? "Scsi" : "SCSI", 2);
    case 3:
        return fibre(node, "Fibre");
    case 5:
        return bytes_pair(node, "USB");
    case 10:
        return devpath_vendor(node, "VenMsg");
    case 11:
        return mac(node);
    case 12:
        return ipv4(node);
    case 13:
        return ipv6(node);
    case 14:
        return uart(node);
    case 15:
        return usb_class(node);
    case 16:
        return usb_wwid(node);
    case 17:
        return one_number(node, "Unit", 1);
    case 18:
        return numbers(node, "Sata", 3);
    case 19:
        return iscsi(node);
    case 20:
        return one_number(node, "Vlan", 2);
    case 21:
        return fibre(node, "FibreEx");
    case 23:
        return nvme(node);
    case 24:
        return text_node(node, "Uri");
    case 25:
        return bytes_pair(node, "UFS");
    case 26:
        return one_number(node, "SD", 1);
    case 28:
        return text_node(node, "Wi-Fi");
    case 29:
        return one_number(node, "eMMC", 1);
    case 31:
        return dns(node);
    default:
        return false;
    }
}
