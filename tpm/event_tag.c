/* event_tag - see event_tag.h. */
#include "tpm/event_tag.h"

#include "base/reader.h"

bool event_tag_next(const uint8_t *data, size_t length, size_t *offset, struct event_tag *tag)
{
    if (*offset > length)
        return false;
    struct reader in = reader_over(data + *offset, length - *offset);
    tag->id = reader_u32(&in);
    tag->length = reader_u32(&in);
    if (in.failed || tag->length > reader_left(&in))
        return false;
    tag->start = *offset + in.offset;
    *offset = tag->start + tag->length;
    return true;
}

bool event_tag_first(const struct eventlog_event *event, struct event_tag *tag)
{
    size_t offset = 0;
    return event->length > 0 && event_tag_next(event->data, event->length, &offset, tag);
}

bool event_tag_is_esxi(const struct eventlog_event *event, const struct event_tag *tag)
{
    bool measures =
        (event->pcr >= 11 && event->pcr <= 14) || (event->pcr >= 17 && event->pcr <= 22);
    return measures && tag->id >= EVENT_TAG_ESXI_PREBOOT && tag->id <= EVENT_TAG_ESXI_VERSION;
}

const char *event_tag_linux_name(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } names[] = {
        {EVENT_TAG_LINUX_INITRD, "initrd"}, {EVENT_TAG_LINUX_OPTIONS, "load-options"},
        {0xf5bc582a, "loader.conf"},        {0x6c46f751, "devicetree-addon"},
        {0x49dffe0f, "initrd-addon"},       {0xdac08e1a, "microcode-addon"},
        {0x13aed6db, "uki-profile"},        {0xd5cb7cbc, "smbios-type-1"},
        {0xe0d47bc8, "smbios-type-2"},      {0xc0b3bd23, "smbios-type-11"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].id == id)
            return names[i].name;
    return NULL;
}
