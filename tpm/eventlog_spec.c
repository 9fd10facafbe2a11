/* eventlog_spec - the Spec ID event, which says what the records after it look like
 * [source: TCG PFP 1.06, 10.4.5.1; TCG EFI Platform 1.22, 7.4; TCG BIOS 1.21, 11.3.4.1]. */
#include "tpm/eventlog_private.h"

#include <string.h>

#include "base/reader.h"
#include "tpm/event_types.h"

enum { SIGNATURE_SIZE = 16 };

static bool is_zero(const uint8_t *bytes, size_t length)
{
    while (length > 0 && bytes[length - 1] == 0)
        length--;
    return length == 0;
}

static bool add_bank(struct eventlog *log, uint16_t algorithm, uint16_t size, struct error *error)
{
    const struct bank_algorithm *known = bank_by_id(algorithm);
    if (size == 0)
        return error_set(error, ERROR_DAMAGED,
                         "the Spec ID event gives algorithm 0x%04x digests of no bytes", algorithm);
    for (size_t i = 0; i < log->bank_count; i++)
        if (log->banks[i].algorithm == algorithm) {
            eventlog_quirk(log, 0, "the Spec ID event lists algorithm 0x%04x twice", algorithm);
            return true;
        }
    if (known != NULL && known->size != size)
        eventlog_quirk(log, 0, "the Spec ID event gives %s digests of %u bytes: not replayed",
                       known->name, size);
    log->banks[log->bank_count].algorithm = algorithm;
    log->banks[log->bank_count++].size = size;
    return true;
}

static bool parse_banks(struct eventlog *log, struct reader *r, struct error *error)
{
    uint32_t count = reader_u32(r);
    if (r->failed || count == 0 || count > BANK_MAX)
        return error_set(error, ERROR_DAMAGED,
                         "the Spec ID event announces %u hash algorithms (1 to %d can be)", count,
                         BANK_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t algorithm = reader_u16(r), size = reader_u16(r);
        if (r->failed)
            return error_set(error, ERROR_DAMAGED,
                             "the Spec ID event ends within its list of hash algorithms");
        if (!add_bank(log, algorithm, size, error))
            return false;
    }
    return true;
}

/* A TCG_PCR_EVENT2 may start at RECORD. */
static bool may_be_record(const struct eventlog *log, const uint8_t *record, size_t length)
{
    struct reader r = reader_over(record, length);
    uint32_t pcr = reader_u32(&r), type = reader_u32(&r), count = reader_u32(&r);
    uint16_t algorithm = reader_u16(&r);
    bool announced = false;
    for (size_t i = 0; i < log->bank_count; i++)
        announced |= log->banks[i].algorithm == algorithm;
    return !r.failed && (pcr < 24 || (pcr == UINT32_MAX && type == EV_NO_ACTION)) && count > 0 &&
           count <= log->bank_count && announced;
}

/* The size of the event is the truth where that of the vendor info says another thing, unless no
 * record follows there and one (or the end) follows the vendor info. */
static void parse_vendor_info(struct eventlog *log, struct reader *r, size_t behind, size_t *extra)
{
    size_t left = reader_left(r);
    if (left == 0) {
        eventlog_quirk(log, 0, "the Spec ID event has no vendor info field");
        return;
    }
    size_t size = reader_u8(r), more = size - --left;
    if (size != left)
        eventlog_quirk(log, 0, "vendor info of %zu bytes is said to be %zu", left, size);
    log->vendor_info = r->data + r->offset;
    log->vendor_info_size = size < left ? size : left;
    if (log->format == EVENTLOG_AGILE && size > left && more <= behind &&
        !may_be_record(log, log->vendor_info + left, behind) &&
        (more == behind || may_be_record(log, log->vendor_info + size, behind - more))) {
        log->vendor_info_size = size;
        *extra = more;
    }
}

/* Platform class, version, errata, size of UINTN. */
static void parse_versions(struct eventlog *log, struct reader *r)
{
    log->platform_class = reader_u32(r);
    log->version_minor = reader_u8(r);
    log->version_major = reader_u8(r);
    log->errata = reader_u8(r);
    log->uintn_size = reader_u8(r);
}

bool eventlog_parse_spec(struct eventlog *log, const struct eventlog_event *first,
                         const uint8_t *digest, size_t behind, size_t *extra, struct error *error)
{
    *extra = 0;
    log->format = EVENTLOG_LEGACY;
    bool spec = first->type == EV_NO_ACTION && first->length >= SIGNATURE_SIZE &&
                memcmp(first->data, "Spec ID Event0", 14) == 0;
    char version = spec ? (char)first->data[14] : '\0';
    if (version == '3')
        log->format = EVENTLOG_AGILE;
    else {
        log->bank_count = 1;
        log->banks[0].algorithm = BANK_SHA1;
        log->banks[0].size = 20;
    }
    if (!spec)
        return true;
    if (version != '0' && version != '2' && version != '3') {
        eventlog_quirk(log, 0, "a Spec ID event of a kind not known; taken for a SHA-1 log");
        return true;
    }
    struct reader r = reader_over(first->data, first->length);
    memcpy(log->spec_signature, reader_bytes(&r, SIGNATURE_SIZE), SIGNATURE_SIZE - 1);
    log->has_spec = true;
    parse_versions(log, &r);
    if (log->format == EVENTLOG_AGILE && !parse_banks(log, &r, error))
        return false;
    if (r.failed)
        eventlog_quirk(log, 0, "the Spec ID event is cut off");
    else
        parse_vendor_info(log, &r, behind, extra);
    if (!is_zero(digest, 20))
        eventlog_quirk(log, 0, "the Spec ID event has a digest, which counts for nothing");
    /* PCR 0 has no runtime register in a TDX guest; its log's own index starts at 1. */
    log->cc = first->pcr == 1 && log->bank_count == 1 && log->banks[0].algorithm == BANK_SHA384;
    if (first->pcr != 0 && !log->cc)
        eventlog_quirk(log, 0, "the Spec ID event names PCR %u instead of 0", first->pcr);
    return true;
}

/* One quirk for each bank that some events leave out, as Windows does with later measurements. */
static void note_missing_digests(struct eventlog *log)
{
    for (size_t b = 0; b < log->bank_count; b++) {
        size_t missing = 0, first = 0;
        uint16_t algorithm = log->banks[b].algorithm;
        for (size_t i = log->format == EVENTLOG_AGILE; i < log->event_count; i++) {
            const struct eventlog_event *event = &log->events[i];
            if (event->type == EV_NO_ACTION ||
                (b < event->digest_count && event->digests[b].algorithm == algorithm) ||
                eventlog_digest(event, algorithm) != NULL)
                continue;
            if (missing++ == 0)
                first = i;
        }
        char name[16];
        if (missing > 0)
            eventlog_quirk(log, log->events[first].offset,
                           "%zu events, the first is number %zu, have no digest for bank %s",
                           missing, first, bank_name(algorithm, name));
    }
}

/* TXT's own types of events, in the PCRs that only a dynamic launch can extend. */
static void note_dynamic_launch(struct eventlog *log)
{
    for (size_t i = 0; i < log->event_count && !log->drtm; i++) {
        const struct eventlog_event *event = &log->events[i];
        log->drtm =
            (event->pcr == 17 || event->pcr == 18) && event->type >= 0x400 && event->type <= 0x4ff;
    }
}

void eventlog_note_oddities(struct eventlog *log)
{
    note_missing_digests(log);
    note_dynamic_launch(log);
    size_t stray = 0, first = 0;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        if (event->pcr >= 24 && event->pcr != UINT32_MAX && event->type != EV_NO_ACTION &&
            stray++ == 0)
            first = i;
    }
    if (stray > 0)
        eventlog_quirk(log, log->events[first].offset,
                       "%zu events, the first is number %zu, are for a PCR above 23: not replayed",
                       stray, first);
}
