/* Any bytes as a report of a host's TPM, JSON or XML: events with a digest each, or a refusal with
 * a message. */
#include <stdint.h>
#include <stdlib.h>

#include "tpm/replay.h"
#include "tpm/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report report;
    struct replay_report result;
    struct error error = ERROR_INIT;
    report_is(data, size);
    if (!report_parse(&report, "report", (const char *)data, size, &error)) {
        if (error.code == ERROR_NONE || error.message[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < report.log.event_count; i++) {
        const struct eventlog_event *event = &report.log.events[i];
        if (event->pcr >= PCR_COUNT || event->digest_count != 1 || report.events[i].kind == NULL ||
            bank_by_id(event->digests[0].algorithm)->size != event->digests[0].size)
            abort();
    }
    if (report.log.event_count < 20) {
        if (!replay_compare(&report.log, &report.values, &result, &error))
            abort();
        replay_report_free(&result);
    }
    report_free(&report);
    return 0;
}
