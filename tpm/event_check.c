/*
 * event_check - see event.h.
 *
 * Each type has a few readings of what its digest is of, the likeliest first. The first one that
 * holds in all banks wins: one that holds in SHA-1 only is a sign of a forged or broken record. An
 * event's type and tag are not covered by any digest, so they choose no more than which readings
 * are tried; a reading that holds says which bytes are covered, and that cannot be relabelled.
 */
#include "tpm/event.h"

#include <string.h>

#include "base/reader.h"
#include "tpm/bank.h"
#include "tpm/event_tag.h"
#include "tpm/event_types.h"

struct rehash {
    const struct eventlog_event *event;
    struct event_check *check;
    bool done;
};

/* Which digests are hashes of LENGTH bytes at BYTES. */
static void compare(const struct eventlog_event *event, const void *bytes, size_t length,
                    uint32_t *holds, uint32_t *fails)
{
    uint8_t value[BANK_DIGEST_MAX];
    *holds = *fails = 0;
    for (size_t i = 0; i < event->digest_count && i < 32; i++) {
        const struct eventlog_digest *digest = &event->digests[i];
        const struct bank_algorithm *algorithm = bank_by_id(digest->algorithm);
        if (algorithm == NULL || !bank_hash(digest->algorithm, bytes, length, NULL, 0, value))
            continue;
        if (digest->size == algorithm->size && memcmp(value, digest->bytes, digest->size) == 0)
            *holds |= UINT32_C(1) << i;
        else
            *fails |= UINT32_C(1) << i;
    }
}

/* Try the reading that the digest is of data[START, START + LENGTH). */
static void try_part(struct rehash *r, const char *rule, size_t start, size_t length)
{
    const struct eventlog_event *event = r->event;
    uint32_t holds, fails;
    if (r->done || start > event->length || length > event->length - start)
        return;
    compare(event, length > 0 ? event->data + start : (const uint8_t *)"", length, &holds, &fails);
    if (r->check->rule == NULL || (holds != 0 && fails == 0)) {
        r->check->rule = rule;
        r->check->holds = holds;
        r->check->fails = fails;
    }
    if (holds == 0 || fails != 0)
        return;
    r->done = true;
    r->check->coverage = length == event->length ? EVENT_COVERS_ALL : EVENT_COVERS_PART;
    r->check->start = start;
    r->check->length = length;
}

static void try_all(struct rehash *r)
{
    try_part(r, "H(data)", 0, r->event->length);
}

/* A text that was hashed without the NUL characters behind it, of one byte or of two. */
static void try_unended(struct rehash *r, const char *rule, size_t start)
{
    const struct eventlog_event *event = r->event;
    size_t end = event->length;
    for (size_t nuls = 0; nuls < 2 && end > start && event->data[end - 1] == 0; nuls++)
        try_part(r, rule, start, --end - start);
}

/* An error separator: the digest is of the number 1, the data tells the error
 * [source: TCG PFP 1.05, EV_SEPARATOR]. */
static void try_error_separator(struct rehash *r)
{
    static const uint8_t one[4] = {1, 0, 0, 0};
    uint32_t holds, fails;
    if (r->done)
        return;
    compare(r->event, one, sizeof one, &holds, &fails);
    if (holds == 0 || fails != 0)
        return;
    r->done = true;
    *r->check = (struct event_check){.coverage = EVENT_COVERS_FIXED,
                                     .rule = "H(01000000), an error separator",
                                     .required = true,
                                     .holds = holds};
}

/* The variable's data alone, without GUID and name: what firmware does for BootOrder and Boot####.
 */
static void try_variable_data(struct rehash *r)
{
    struct reader in = reader_over(r->event->data, r->event->length);
    reader_skip(&in, 16);
    uint64_t name = reader_u64(&in), length = reader_u64(&in);
    if (in.failed || name > reader_left(&in) / 2)
        return;
    reader_skip(&in, (size_t)name * 2);
    if (length <= reader_left(&in))
        try_part(r, "H(variable data)", in.offset, (size_t)length);
}

/* GRUB: "grub_cmd: set x=1", hashed from behind the first space, with the NUL or without. */
static void try_behind_space(struct rehash *r)
{
    const struct eventlog_event *event = r->event;
    const uint8_t *space = event->length == 0 ? NULL : memchr(event->data, ' ', event->length);
    if (space == NULL)
        return;
    size_t start = (size_t)(space - event->data) + 1;
    try_unended(r, "H(text behind the first space)", start);
    try_part(r, "H(text behind the first space)", start, event->length - start);
}

/* One tag, whose payload the measurer hashed, as ESXi's boot loader does for texts and keys. The
 * digests of its modules and options are of files, which are not in the log. */
static void try_tag(struct rehash *r)
{
    struct event_tag tag;
    if (!event_tag_first(r->event, &tag))
        return;
    bool esxi = event_tag_is_esxi(r->event, &tag);
    if (esxi && (tag.id == EVENT_TAG_ESXI_MODULE || tag.id == EVENT_TAG_ESXI_BOOT_OPTION)) {
        r->check->rule = "H(file)";
        return;
    }
    bool text = tag.id == EVENT_TAG_ESXI_COMMAND_LINE || tag.id == EVENT_TAG_ESXI_ASSET_TAG ||
                tag.id == EVENT_TAG_ESXI_SIGNER || tag.id == EVENT_TAG_ESXI_VERSION;
    if (esxi && text && (r->event->pcr == 13 || r->event->pcr == 14)) {
        r->check->required = true;
        try_part(r, "H(tag payload)", tag.start, tag.length);
    }
    try_all(r);
    try_part(r, "H(tag payload)", tag.start, tag.length);
}

static void try_readings(struct rehash *r)
{
    const struct eventlog_event *event = r->event;
    switch (event->type) {
    case EV_SEPARATOR:
        r->check->required = true;
        try_all(r);
        try_error_separator(r);
        return;
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_GPT_EVENT:
        r->check->required = true;
        try_all(r);
        return;
    case EV_ACTION:
    case EV_EFI_ACTION:
        r->check->required = true;
        try_all(r);
        try_unended(r, "H(text without its NUL)", 0);
        return;
    case EV_EFI_VARIABLE_AUTHORITY:
        /* shim before its commit 8a27a48 counts one byte too many in the data. */
        r->check->required = true;
        try_all(r);
        if (event->length > 0)
            try_part(r, "H(data but its last byte)", 0, event->length - 1);
        return;
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
        r->check->required = true;
        try_all(r);
        try_variable_data(r);
        return;
    case EV_EVENT_TAG:
        try_tag(r);
        return;
    case EV_IPL:
        try_behind_space(r);
        try_all(r);
        try_unended(r, "H(text without its NUL)", 0);
        return;
    default:
        try_all(r);
        try_unended(r, "H(text without its NUL)", 0);
        return;
    }
}

void event_check(const struct eventlog *log, const struct eventlog_event *event,
                 struct event_check *check)
{
    (void)log;
    *check = (struct event_check){.rule = NULL};
    struct rehash r = {.event = event, .check = check};
    if (event->type != EV_NO_ACTION)
        try_readings(&r);
    /* What the failed reading was says something only where it is the only right one. */
    if (!r.done && !check->required && check->rule != NULL && strcmp(check->rule, "H(file)") != 0)
        check->rule = NULL;
    if (check->rule == NULL)
        check->rule = event->type == EV_NO_ACTION ? "not measured" : "H(something else)";
    check->failed = check->required && check->fails != 0;
}

/* Where the data of EVENT begin in the log. */
static uint64_t data_offset(const struct eventlog *log, const struct eventlog_event *event)
{
    bool legacy = log->format == EVENTLOG_LEGACY || event->number == 0;
    uint64_t at = event->offset + (legacy ? 4 + 4 + 4 : 4 + 4 + 4 + 4);
    for (size_t i = 0; i < event->digest_count; i++)
        at += (legacy ? 0 : 2) + event->digests[i].size;
    return at;
}

size_t event_unauthenticated(const struct eventlog *log, const struct eventlog_event *event,
                             const struct event_check *check,
                             struct event_range ranges[EVENT_RANGES_MAX])
{
    enum { TYPE = 4, SIZE_FIELD = 4 };
    uint64_t data = data_offset(log, event), end = data + event->length;
    if (event->type == EV_NO_ACTION || event->pcr >= 24) {
        ranges[0] = (struct event_range){event->offset, end};
        return 1;
    }
    size_t count = 1;
    ranges[0] = (struct event_range){event->offset + TYPE, event->offset + TYPE + 4};
    if (check->coverage != EVENT_COVERS_ALL && check->coverage != EVENT_COVERS_PART) {
        /* Of the last event, the size may be changed too. */
        ranges[count++] = (struct event_range){data - SIZE_FIELD, end};
        return count;
    }
    if (check->start > 0)
        ranges[count++] = (struct event_range){data, data + check->start};
    if (check->start + check->length < event->length)
        ranges[count++] = (struct event_range){data + check->start + check->length, end};
    return count;
}
