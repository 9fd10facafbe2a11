/* Any bytes as an event log in any wrapping: events inside the log, or a refusal with a message;
 * what is replayed compares with itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/event_types.h"
#include "tpm/logdiff.h"
#include "tpm/replay.h"

static void check_events(const struct eventlog *log, const uint8_t *data, size_t size)
{
    uint64_t end = 0;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        char name[32];
        if (event->number != i || event->offset < end || event->offset >= size ||
            event->data < data || event->data + event->length > data + size)
            abort();
        end = event->offset + 1;
        for (size_t d = 0; d < event->digest_count; d++)
            if (event->digests[d].bytes < data ||
                event->digests[d].bytes + event->digests[d].size > data + size)
                abort();
        eventlog_type_name(event->type, name);
        eventlog_register_name(log, event->pcr, name);
    }
    if (log->parsed > size || log->size != size || log->quirk_count > EVENTLOG_QUIRKS_MAX)
        abort();
    if ((log->tail == EVENTLOG_TAIL_NONE) != (log->parsed == size))
        abort();
}

static void check_replay(const struct eventlog *log)
{
    static struct pcr_set set;
    struct replay_report report;
    struct logdiff diff;
    struct error error = ERROR_INIT;
    if (!replay_log(log, &set, NULL, &error))
        abort();
    if (!replay_compare(log, &set, &report, &error))
        abort();
    for (size_t i = 0; i < report.count; i++)
        if (report.results[i].match != REPLAY_MATCHES)
            abort();
    replay_report_free(&report);
    if (!logdiff_compare(log, log, &diff, &error) || diff.count != 0 ||
        diff.same != log->event_count)
        abort();
    logdiff_free(&diff);
}

/* Other values than the log leads to: a reason is looked for, in bounds. */
static void check_reasons(const struct eventlog *log, uint8_t salt)
{
    static struct pcr_set set;
    struct replay_report report;
    struct error error = ERROR_INIT;
    uint8_t value[32];
    if (log->event_count > 50)
        return;
    memset(&set, 0, sizeof set);
    memset(value, salt, sizeof value);
    pcr_put(&set, BANK_SHA256, log->events[log->event_count - 1].pcr % PCR_COUNT, value, 32);
    if (!replay_compare(log, &set, &report, &error))
        abort();
    replay_report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer bytes = BUFFER_INIT;
    struct eventlog log;
    struct error error = ERROR_INIT;
    const char *form;
    if (!eventlog_unpack("log", data, size, &bytes, &form, &error)) {
        if (error.code == ERROR_NONE || error.message[0] == '\0')
            abort();
    } else if (eventlog_parse(&log, buffer_text(&bytes), bytes.length, &error)) {
        check_events(&log, (const uint8_t *)bytes.data, bytes.length);
        check_replay(&log);
        if (size % 64 == 0)
            check_reasons(&log, data[size - 1]);
        eventlog_free(&log);
    } else if (error.code == ERROR_NONE || error.message[0] == '\0')
        abort();
    buffer_free(&bytes);
    return 0;
}
