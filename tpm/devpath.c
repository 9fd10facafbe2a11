/* devpath - see devpath.h. */
#include "tpm/devpath_private.h"

#include <inttypes.h>

#include "base/encode.h"
#include "tpm/event_private.h"

enum {
    NODE_HARDWARE = 1,
    NODE_ACPI = 2,
    NODE_MESSAGE = 3,
    NODE_MEDIA = 4,
    NODE_BBS = 5,
    NODE_END = 0x7f,
    END_INSTANCE = 1,
};

void devpath_hex(struct devpath_node *node, const uint8_t *bytes, size_t length)
{
    hex_encode(bytes, length, node->out);
}

void devpath_guid(struct devpath_node *node, char text[37])
{
    const uint8_t *bytes = reader_bytes(&node->in, 16);
    text[0] = '\0';
    if (bytes != NULL)
        guid_text(bytes, text);
}

bool devpath_vendor(struct devpath_node *node, const char *name)
{
    char guid[37];
    devpath_guid(node, guid);
    if (node->in.failed)
        return false;
    size_t left = reader_left(&node->in);
    buffer_printf(node->out, "%s(%s%s", name, guid, left > 0 ? "," : "");
    devpath_hex(node, reader_bytes(&node->in, left), left);
    buffer_append_byte(node->out, ')');
    return true;
}

static void append_value(struct buffer *out, json_t *text)
{
    if (text == NULL)
        out->failed = true;
    else
        buffer_append_text(out, json_string_value(text));
    json_decref(text);
}

void devpath_rest_text(struct devpath_node *node)
{
    size_t left = reader_left(&node->in);
    append_value(node->out, value_text(reader_bytes(&node->in, left), left));
}

void devpath_rest_utf16(struct devpath_node *node)
{
    size_t left = reader_left(&node->in);
    append_value(node->out, value_utf16(reader_bytes(&node->in, left), left));
}

static bool write_known(struct devpath_node *node)
{
    switch (node->type) {
    case NODE_HARDWARE:
        return devpath_hardware(node);
    case NODE_ACPI:
        return devpath_acpi(node);
    case NODE_MESSAGE:
        return devpath_message(node);
    case NODE_MEDIA:
        return devpath_media(node);
    case NODE_BBS:
        return devpath_bbs(node);
    default:
        return false;
    }
}

static void write_node(struct devpath_node *node)
{
    struct reader whole = node->in;
    if (write_known(node))
        return;
    size_t left = reader_left(&whole);
    buffer_printf(node->out, "Path(%u,%u,", node->type, node->subtype);
    devpath_hex(node, reader_bytes(&whole, left), left);
    buffer_append_byte(node->out, ')');
}

bool devpath_text(const uint8_t *data, size_t length, enum devpath_style style, struct buffer *out,
                  size_t *used)
{
    struct reader in = reader_over(data, length);
    bool first = true, ok = true, ended = false;
    size_t done = 0;
    while (ok && !ended && reader_left(&in) > 0) {
        struct devpath_node node = {.style = style, .out = out};
        node.type = reader_u8(&in);
        node.subtype = reader_u8(&in);
        size_t size = reader_u16(&in);
        ok = !in.failed && size >= 4 && size - 4 <= reader_left(&in);
        if (!ok)
            break;
        node.in = reader_over(reader_bytes(&in, size - 4), size - 4);
        done = in.offset;
        if (node.type == NODE_END && node.subtype == END_INSTANCE) {
            buffer_append_byte(out, ',');
            first = true;
        } else if (node.type == NODE_END) {
            ended = true;
        } else {
            if (!first)
                buffer_append_byte(out, '/');
            first = false;
            write_node(&node);
        }
    }
    if (used != NULL)
        *used = done;
    return ok;
}
