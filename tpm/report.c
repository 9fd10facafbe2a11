/* report - see report.h. */
#include "tpm/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/event_types.h"
#include "tpm/eventlog_private.h"
#include "tpm/report_private.h"
#include "tpm/text.h"

enum { REPORT_DEPTH = 16 };

bool report_index(const json_t *value, unsigned *pcr)
{
    const char *text = json_string_value(value);
    unsigned long number = PCR_COUNT;
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) < PCR_COUNT)
        number = (unsigned long)json_integer_value(value);
    else if (text != NULL) {
        char *end;
        if (strncmp(text, "pcr_", 4) == 0)
            text += 4;
        number = strtoul(text, &end, 10);
        if (*end != '\0' || text[0] < '0' || text[0] > '9')
            return false;
    }
    *pcr = (unsigned)number;
    return number < PCR_COUNT;
}

/* What is called SHA1 has had 32 bytes in real reports, so that the size decides; 40 zero bytes
 * have stood for a SHA-1 of zero. */
static const struct bank_algorithm *settle_bank(struct report_build *build, const char *method,
                                                const uint8_t *bytes, size_t *length)
{
    const struct bank_algorithm *named = method == NULL ? NULL : bank_by_name(method);
    if (named != NULL && *length == named->size)
        return named;
    size_t zeros = 0;
    while (zeros < *length && bytes[zeros] == 0)
        zeros++;
    if (named != NULL && zeros == *length && *length > named->size) {
        build->zero_padded++;
        *length = named->size;
        return named;
    }
    const struct bank_algorithm *by_size = bank_by_id(*length == 20   ? BANK_SHA1
                                                      : *length == 32 ? BANK_SHA256
                                                      : *length == 48 ? BANK_SHA384
                                                      : *length == 64 ? BANK_SHA512
                                                                      : 0);
    if (named != NULL && by_size != NULL)
        build->mislabelled++;
    return by_size;
}

static const struct bank_algorithm *read_digest(struct report_build *build, const char *method,
                                                const json_t *value, uint8_t *bytes, size_t *length,
                                                struct error *error)
{
    if (!tpm_text_digest(value, bytes, length)) {
        error_set(error, ERROR_DAMAGED,
                  "has a digest that is no hex, base64 or list of bytes (of ConvertTo-Json? then "
                  "with -Depth 10)");
        return NULL;
    }
    const struct bank_algorithm *bank = settle_bank(build, method, bytes, length);
    if (bank == NULL)
        error_set(error, ERROR_DAMAGED, "has a digest of %zu bytes, which is no bank's", *length);
    return bank;
}

static bool add_bank(struct eventlog *log, const struct bank_algorithm *bank)
{
    for (size_t i = 0; i < log->bank_count; i++)
        if (log->banks[i].algorithm == bank->id)
            return true;
    if (log->bank_count == BANK_MAX)
        return false;
    log->banks[log->bank_count].algorithm = bank->id;
    log->banks[log->bank_count++].size = bank->size;
    return true;
}

static bool make_room(struct report_build *build)
{
    struct report *report = build->report;
    if (report->log.event_count < build->event_room)
        return true;
    size_t room = build->event_room == 0 ? 64 : 2 * build->event_room;
    void *events = reallocarray(report->log.events, room, sizeof *report->log.events);
    if (events != NULL)
        report->log.events = events;
    void *digests = reallocarray(report->log.digests, room, sizeof *report->log.digests);
    if (digests != NULL)
        report->log.digests = digests;
    void *texts = reallocarray(report->events, room, sizeof *report->events);
    if (texts != NULL)
        report->events = texts;
    void *bytes = reallocarray(report->digests, room, sizeof *report->digests);
    if (bytes != NULL)
        report->digests = bytes;
    if (events == NULL || digests == NULL || texts == NULL || bytes == NULL)
        return false;
    build->event_room = room;
    return true;
}

static char *copy(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : strdup(text);
}

bool report_add_event(struct report_build *build, unsigned pcr, uint32_t type, const char *kind,
                      const char *name, const char *detail, const char *method, const json_t *value,
                      struct error *error)
{
    struct report *report = build->report;
    struct eventlog *log = &report->log;
    uint8_t bytes[BANK_DIGEST_MAX];
    size_t length = 0;
    const struct bank_algorithm *bank = read_digest(build, method, value, bytes, &length, error);
    if (bank == NULL)
        return error_prefix(error, "event %zu", log->event_count);
    if (!make_room(build) || !add_bank(log, bank))
        return error_memory(error);
    size_t n = log->event_count;
    memcpy(report->digests[n], bytes, bank->size);
    log->digests[n] = (struct eventlog_digest){bank->id, bank->size, NULL};
    log->events[n] =
        (struct eventlog_event){.number = n, .pcr = pcr, .type = type, .digest_count = 1};
    report->events[n] = (struct report_event){kind, copy(name), copy(detail)};
    log->event_count++;
    log->drtm |= pcr >= 17 && pcr <= 22;
    return true;
}

bool report_add_value(struct report_build *build, unsigned pcr, const char *method,
                      const json_t *value, struct error *error)
{
    uint8_t bytes[BANK_DIGEST_MAX];
    size_t length = 0;
    const struct bank_algorithm *bank = read_digest(build, method, value, bytes, &length, error);
    if (bank == NULL)
        return error_prefix(error, "PCR %u", pcr);
    if (pcr_put(&build->report->values, bank->id, pcr, bytes, length))
        return true;
    return error_set(error, ERROR_DAMAGED, "has two different values for PCR %u, bank %s", pcr,
                     bank->name);
}

/* The first object that has a member called NAME, OBJECT or one inside it. */
static const json_t *find(const json_t *value, const char *name, int depth)
{
    const json_t *found = tpm_text_member(value, name) != NULL ? value : NULL;
    if (depth == REPORT_DEPTH)
        return found;
    if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value) && found == NULL; i++)
            found = find(json_array_get(value, i), name, depth + 1);
    /* Iteration changes nothing, though jansson's types cannot say so. */
    void *at = found == NULL ? json_object_iter((json_t *)value) : NULL;
    for (; at != NULL && found == NULL; at = json_object_iter_next((json_t *)value, at))
        found = find(json_object_iter_value(at), name, depth + 1);
    return found;
}

static bool has_word(const struct buffer *text, const char *word)
{
    return strcasestr(buffer_text(text), word) != NULL;
}

bool report_is(const void *data, size_t length)
{
    struct buffer text = BUFFER_INIT;
    struct error ignored = ERROR_INIT;
    bool is = (tpm_text_is_json(data, length) || tpm_text_is_xml(data, length)) &&
              tpm_text_utf8(data, length, &text, &ignored) &&
              (has_word(&text, "tpmPcrValues") || has_word(&text, "tpmEvents") ||
               has_word(&text, "pcr_event_log_map"));
    buffer_free(&text);
    return is;
}

/* Digests are pointed to only when all are there, as their arrays move while they grow. */
static void finish(struct report_build *build)
{
    struct report *report = build->report;
    struct eventlog *log = &report->log;
    for (size_t i = 0; i < log->event_count; i++) {
        log->digests[i].bytes = report->digests[i];
        log->events[i].digests = &log->digests[i];
    }
    log->partial = true;
    if (build->mislabelled > 0)
        eventlog_quirk(log, 0, "%zu digests are not of the method they name; their size decided",
                       build->mislabelled);
    if (build->zero_padded > 0)
        eventlog_quirk(log, 0, "%zu digests of zeros are longer than their method's",
                       build->zero_padded);
    if (report->unreliable)
        eventlog_quirk(log, 0, "the host says that its log is not complete (tpmLogReliable)");
}

bool report_parse(struct report *report, const char *name, const void *data, size_t length,
                  struct error *error)
{
    bool xml = tpm_text_is_xml(data, length);
    struct report_build build = {.report = report};
    *report = (struct report){0};
    json_t *document = xml ? report_xml(data, length, error) : tpm_text_json(data, length, error);
    const json_t *vim = find(document, "tpmpcrvalues", 0);
    const json_t *intel = vim == NULL ? find(document, "pcreventlogmap", 0) : NULL;
    if (vim == NULL)
        vim = find(document, "tpmevents", 0);
    bool ok = document != NULL;
    if (ok && intel != NULL) {
        report->source = "Intel SecL host manifest";
        ok = report_read_intel(&build, intel, error);
    } else if (ok && vim != NULL) {
        report->source = xml ? "HostTpmAttestationReport XML" : "HostTpmAttestationReport JSON";
        ok = report_read_vim(&build, vim, error);
    } else if (ok)
        ok = error_set(error, ERROR_DAMAGED, "is no TPM attestation report of a host");
    json_decref(document);
    finish(&build);
    if (ok)
        return true;
    report_free(report);
    return error_in_file(error, name);
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->log.event_count; i++) {
        free(report->events[i].name);
        free(report->events[i].detail);
    }
    free(report->digests);
    free(report->events);
    eventlog_free(&report->log);
    *report = (struct report){0};
}
