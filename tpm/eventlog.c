/* eventlog - see eventlog.h. */
#include "tpm/eventlog.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/event_types.h"
#include "tpm/eventlog_private.h"

/* A PCR index beyond this is taken for bytes that are no record. */
enum { INDEX_MAX = 255, SHA1_SIZE = 20, LEGACY_HEADER = 4 + 4 + SHA1_SIZE + 4 };

static uint16_t get_u16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return le16toh(value);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

void eventlog_quirk(struct eventlog *log, uint64_t offset, const char *format, ...)
{
    if (log->quirk_count == EVENTLOG_QUIRKS_MAX)
        return;
    if (log->quirks == NULL) {
        log->quirks = malloc(EVENTLOG_QUIRKS_MAX * sizeof *log->quirks);
        if (log->quirks == NULL)
            return;
    }
    struct eventlog_quirk *quirk = &log->quirks[log->quirk_count++];
    va_list args;
    va_start(args, format);
    quirk->offset = offset;
    vsnprintf(quirk->text, sizeof quirk->text, format, args);
    va_end(args);
}

/* Records are appended here; the arrays move as they grow, so that an event's digests are pointed
 * to only when all is read. */
struct parse {
    struct eventlog *log;
    const uint8_t *data;
    size_t length, offset;
    size_t event_room, digest_room, digest_count;
    bool no_memory;
};

enum step { STEP_EVENT, STEP_END };

static enum step stop(struct parse *p, enum eventlog_tail tail)
{
    p->log->tail = tail;
    return STEP_END;
}

/* All bytes from the current record on are VALUE. */
static bool filled_with(const struct parse *p, uint8_t value)
{
    const uint8_t *rest = p->data + p->offset;
    size_t left = p->length - p->offset;
    return left != 0 && rest[0] == value && memcmp(rest, rest + 1, left - 1) == 0;
}

/* The room behind the last event that firmware leaves. HEADER bytes of one value are no record. */
static bool at_fill(struct parse *p, size_t header)
{
    const uint8_t *rest = p->data + p->offset;
    size_t left = p->length - p->offset;
    size_t looked = left < header ? left : header;
    bool alike = looked <= 1 || memcmp(rest, rest + 1, looked - 1) == 0;
    if (!alike || (rest[0] != 0 && rest[0] != 0xff))
        return false;
    if (filled_with(p, rest[0])) {
        stop(p, rest[0] == 0 ? EVENTLOG_TAIL_ZERO : EVENTLOG_TAIL_FF);
        return true;
    }
    eventlog_quirk(p->log, p->offset, "a fill of 0x%02x is not kept up to the end", rest[0]);
    stop(p, EVENTLOG_TAIL_GARBAGE);
    return true;
}

static enum step truncated(struct parse *p)
{
    eventlog_quirk(p->log, p->offset, "the last record is cut off: %zu bytes of it are there",
                   p->length - p->offset);
    return stop(p, EVENTLOG_TAIL_TRUNCATED);
}

/* The same when the digests of the record are there: it may still tell what a PCR holds. */
static enum step truncated_data(struct parse *p, uint32_t pcr, uint32_t type, size_t count)
{
    p->log->has_cut = true;
    p->log->cut = (struct eventlog_event){.number = p->log->event_count,
                                          .offset = p->offset,
                                          .pcr = pcr,
                                          .type = type,
                                          .digest_count = count};
    return truncated(p);
}

static bool starts_log(const uint8_t *data, size_t length)
{
    return length >= LEGACY_HEADER + 16 && get_u32(data + 4) == EV_NO_ACTION &&
           memcmp(data + LEGACY_HEADER, "Spec ID Event0", 14) == 0;
}

static enum step malformed(struct parse *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum step malformed(struct parse *p, const char *format, ...)
{
    char text[120];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    eventlog_quirk(p->log, p->offset, "%s; the %zu bytes from here on were not read", text,
                   p->length - p->offset);
    return stop(p, EVENTLOG_TAIL_GARBAGE);
}

static bool grow(void **array, size_t *room, size_t size)
{
    size_t more = *room == 0 ? 128 : 2 * *room;
    void *bigger = reallocarray(*array, more, size);
    if (bigger == NULL)
        return false;
    *array = bigger;
    *room = more;
    return true;
}

static struct eventlog_event *add_event(struct parse *p)
{
    struct eventlog *log = p->log;
    if (log->event_count == p->event_room) {
        void *events = log->events;
        p->no_memory = !grow(&events, &p->event_room, sizeof *log->events);
        log->events = events;
        if (p->no_memory)
            return NULL;
    }
    struct eventlog_event *event = &log->events[log->event_count];
    *event = (struct eventlog_event){.number = log->event_count, .offset = p->offset};
    log->event_count++;
    return event;
}

static bool add_digest(struct parse *p, uint16_t algorithm, size_t size, const uint8_t *bytes)
{
    struct eventlog *log = p->log;
    if (p->digest_count == p->digest_room) {
        void *digests = log->digests;
        p->no_memory = !grow(&digests, &p->digest_room, sizeof *log->digests);
        log->digests = digests;
        if (p->no_memory)
            return false;
    }
    log->digests[p->digest_count++] = (struct eventlog_digest){algorithm, size, bytes};
    return true;
}

static bool index_fits(uint32_t pcr, uint32_t type)
{
    return pcr <= INDEX_MAX || (pcr == UINT32_MAX && type == EV_NO_ACTION);
}

/* TCG_PCR_EVENT */
static enum step legacy_record(struct parse *p)
{
    size_t left = p->length - p->offset;
    if (at_fill(p, LEGACY_HEADER))
        return STEP_END;
    const uint8_t *record = p->data + p->offset;
    if (left < LEGACY_HEADER)
        return truncated(p);
    uint32_t pcr = get_u32(record), type = get_u32(record + 4);
    size_t size = get_u32(record + LEGACY_HEADER - 4);
    if (!index_fits(pcr, type))
        return malformed(p, "a record for PCR %u cannot be", pcr);
    if (!add_digest(p, BANK_SHA1, SHA1_SIZE, record + 8))
        return STEP_END;
    if (size > left - LEGACY_HEADER)
        return truncated_data(p, pcr, type, 1);
    struct eventlog_event *event = add_event(p);
    if (event == NULL)
        return STEP_END;
    event->pcr = pcr;
    event->type = type;
    event->digest_count = 1;
    event->data = record + LEGACY_HEADER;
    event->length = size;
    p->offset += LEGACY_HEADER + size;
    return STEP_EVENT;
}

static size_t digest_size(const struct eventlog *log, uint16_t algorithm)
{
    for (size_t i = 0; i < log->bank_count; i++)
        if (log->banks[i].algorithm == algorithm)
            return log->banks[i].size;
    return 0;
}

/* The COUNT digests at *AT of the record, which has LEFT bytes; moves *AT behind them. */
static enum step agile_digests(struct parse *p, uint32_t count, size_t left, size_t *at)
{
    const uint8_t *record = p->data + p->offset;
    size_t first = p->digest_count;
    for (uint32_t i = 0; i < count; i++) {
        if (left - *at < 2)
            return truncated(p);
        uint16_t algorithm = get_u16(record + *at);
        size_t size = digest_size(p->log, algorithm);
        if (size == 0)
            return malformed(p, "a digest of algorithm 0x%04x, which the log has not announced",
                             algorithm);
        for (size_t j = first; j < p->digest_count; j++)
            if (p->log->digests[j].algorithm == algorithm)
                return malformed(p, "two digests of algorithm 0x%04x in one record", algorithm);
        if (left - *at - 2 < size)
            return truncated(p);
        if (!add_digest(p, algorithm, size, record + *at + 2))
            return STEP_END;
        *at += 2 + size;
    }
    return STEP_EVENT;
}

/* TCG_PCR_EVENT2 */
static enum step agile_record(struct parse *p)
{
    enum { FIXED = 4 + 4 + 4 };
    size_t left = p->length - p->offset, at = FIXED;
    if (at_fill(p, FIXED))
        return STEP_END;
    const uint8_t *record = p->data + p->offset;
    if (left < FIXED)
        return truncated(p);
    uint32_t pcr = get_u32(record), type = get_u32(record + 4), count = get_u32(record + 8);
    if (!index_fits(pcr, type))
        return malformed(p, "a record for PCR %u cannot be", pcr);
    /* Its first record would pass for one without digests. */
    if (type == EV_NO_ACTION && starts_log(record, left))
        return malformed(p, "another log begins here");
    if (count > p->log->bank_count)
        return malformed(p, "a record with %u digests in a log of %zu banks", count,
                         p->log->bank_count);
    if (agile_digests(p, count, left, &at) == STEP_END)
        return STEP_END;
    if (left - at < 4 || get_u32(record + at) > left - at - 4)
        return truncated_data(p, pcr, type, count);
    struct eventlog_event *event = add_event(p);
    if (event == NULL)
        return STEP_END;
    event->pcr = pcr;
    event->type = type;
    event->digest_count = count;
    event->data = record + at + 4;
    event->length = get_u32(record + at);
    p->offset += at + 4 + event->length;
    return STEP_EVENT;
}

static void parse_records(struct parse *p)
{
    struct eventlog *log = p->log;
    bool agile = log->format == EVENTLOG_AGILE;
    while (p->offset < p->length) {
        if (log->event_count >= EVENTLOG_EVENTS_MAX) {
            malformed(p, "more than %d events", EVENTLOG_EVENTS_MAX);
            return;
        }
        if ((agile ? agile_record(p) : legacy_record(p)) == STEP_END)
            return;
    }
}

static bool parse_failed(struct eventlog *log, uint64_t offset, struct error *error)
{
    eventlog_free(log);
    return error_at(error, "", offset);
}

bool eventlog_parse(struct eventlog *log, const void *data, size_t length, struct error *error)
{
    *log = (struct eventlog){.size = length};
    struct parse p = {.log = log, .data = data, .length = length};
    if (length == 0)
        return error_set(error, ERROR_DAMAGED, "is empty: no event log");
    legacy_record(&p);
    if (p.no_memory)
        goto no_memory;
    char name[24];
    if (log->event_count == 0 || eventlog_type_name(log->events[0].type, name) == name) {
        const char *why = log->tail == EVENTLOG_TAIL_FF     ? "it is all 0xff"
                          : log->tail == EVENTLOG_TAIL_ZERO ? "it is all zero"
                          : length < LEGACY_HEADER          ? "it is too short"
                                                            : "its first record is none";
        error_set(error, ERROR_DAMAGED, "is no TCG event log: %s", why);
        return parse_failed(log, 0, error);
    }
    size_t extra;
    if (!eventlog_parse_spec(log, &log->events[0], log->digests[0].bytes, length - p.offset, &extra,
                             error))
        return parse_failed(log, 0, error);
    p.offset += extra;
    parse_records(&p);
    if (p.no_memory)
        goto no_memory;
    log->parsed = p.offset;
    size_t next = 0;
    for (size_t i = 0; i < log->event_count; i++) {
        log->events[i].digests = log->digests + next;
        next += log->events[i].digest_count;
    }
    log->cut.digests = log->digests + next;
    eventlog_note_oddities(log);
    return true;
no_memory:
    eventlog_free(log);
    return error_memory(error);
}

void eventlog_free(struct eventlog *log)
{
    free(log->events);
    free(log->digests);
    free(log->quirks);
    *log = (struct eventlog){0};
}

const struct eventlog_digest *eventlog_digest(const struct eventlog_event *event,
                                              uint16_t algorithm)
{
    for (size_t i = 0; i < event->digest_count; i++)
        if (event->digests[i].algorithm == algorithm)
            return &event->digests[i];
    return NULL;
}
