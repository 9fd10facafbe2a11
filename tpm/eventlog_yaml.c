/* eventlog_yaml - see eventlog_yaml.h: the frame of the document. */
#include "tpm/eventlog_yaml_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/reader.h"
#include "tpm/event_types.h"
#include "tpm/replay.h"

/* tpm2_eventlog knows no newer types. */
static void out_type(struct yaml_out *out, uint32_t type)
{
    char name[24];
    bool known = type <= EV_OMIT_BOOT_DEVICE_EVENTS ||
                 (type >= EV_EFI_VARIABLE_DRIVER_CONFIG && type <= EV_EFI_VARIABLE_BOOT2) ||
                 type == EV_EFI_HCRTM_EVENT || type == EV_EFI_VARIABLE_AUTHORITY;
    out_pair(out, "EventType", "%s", known ? eventlog_type_name(type, name) : "Unknown event type");
}

static void out_algorithm(struct yaml_out *out, const char *key, uint16_t algorithm)
{
    char name[16];
    out_pair(out, key, "%s", bank_name(algorithm, name));
}

static void out_digests(struct yaml_out *out, const struct eventlog_event *event)
{
    out_pair(out, "DigestCount", "%zu", event->digest_count);
    out_key(out, "Digests");
    if (event->digest_count == 0) {
        out_plain(out, "%s", "");
        return;
    }
    out_list(out);
    for (size_t i = 0; i < event->digest_count; i++) {
        out_map(out);
        out_algorithm(out, "AlgorithmId", event->digests[i].algorithm);
        out_key(out, "Digest");
        out_hex(out, event->digests[i].bytes, event->digests[i].size);
        out_map_end(out);
    }
    out_list_end(out);
}

static void out_algorithms(struct yaml_out *out, struct reader *in, uint32_t count)
{
    char name[24];
    out_key(out, "Algorithms");
    out_list(out);
    for (uint32_t i = 0; i < count && reader_left(in) >= 4; i++) {
        uint16_t algorithm = reader_u16(in);
        snprintf(name, sizeof name, "Algorithm[%" PRIu32 "]", i);
        out_map(out);
        out_pair(out, name, "%s", "");
        out_algorithm(out, "algorithmId", algorithm);
        out_pair(out, "digestSize", "%u", (unsigned)reader_u16(in));
        out_map_end(out);
    }
    out_list_end(out);
}

/* Told once more behind the algorithms; what is there of it may lie behind the event. */
static void out_vendor(struct yaml_out *out, const struct eventlog *log, struct reader *in)
{
    unsigned size = reader_u8(in);
    out_pair(out, "vendorInfoSize", "%u", size);
    if (size == 0)
        return;
    out_key(out, "vendorInfo");
    out_hex(out, log->vendor_info, log->vendor_info == NULL ? 0 : log->vendor_info_size);
}

static void out_spec_id(struct yaml_out *out, const struct eventlog *log,
                        const struct eventlog_event *event)
{
    struct reader in = reader_over(event->data, event->length);
    const uint8_t *signature = reader_bytes(&in, 16);
    size_t length = signature == NULL ? 0 : strnlen((const char *)signature, 16);
    out_key(out, "SpecID");
    out_list(out);
    out_map(out);
    out_key(out, "Signature");
    out_text(out, signature, length);
    out_pair(out, "platformClass", "%" PRIu32, reader_u32(&in));
    out_pair(out, "specVersionMinor", "%u", (unsigned)reader_u8(&in));
    out_pair(out, "specVersionMajor", "%u", (unsigned)reader_u8(&in));
    out_pair(out, "specErrata", "%u", (unsigned)reader_u8(&in));
    out_pair(out, "uintnSize", "%u", (unsigned)reader_u8(&in));
    uint32_t count = reader_u32(&in);
    out_pair(out, "numberOfAlgorithms", "%" PRIu32, count);
    out_algorithms(out, &in, count);
    out_vendor(out, log, &in);
    out_map_end(out);
    out_list_end(out);
}

static void out_event(struct yaml_out *out, const struct eventlog *log,
                      const struct eventlog_event *event)
{
    bool header = log->format == EVENTLOG_AGILE && event->number == 0 && event->digest_count == 1;
    out_map(out);
    if (log->format == EVENTLOG_AGILE)
        out_pair(out, "EventNum", "%zu", event->number);
    out_pair(out, "PCRIndex", "%" PRId32, (int32_t)event->pcr);
    out_type(out, event->type);
    if (header) {
        out_key(out, "Digest");
        out_hex(out, event->digests[0].bytes, event->digests[0].size);
    } else {
        out_digests(out, event);
    }
    out_pair(out, "EventSize", "%zu", event->length);
    if (header)
        out_spec_id(out, log, event);
    else
        out_event_data(out, event);
    out_map_end(out);
}

/* The PCRs that events name, measured or not. */
static uint32_t used_pcrs(const struct eventlog *log, uint16_t algorithm)
{
    uint32_t used = 0;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        bool header = log->format == EVENTLOG_AGILE && i == 0;
        bool counts = log->format == EVENTLOG_AGILE || event->type != EV_NO_ACTION;
        if (!header && counts && event->pcr < PCR_COUNT &&
            eventlog_digest(event, algorithm) != NULL)
            used |= UINT32_C(1) << event->pcr;
    }
    return used;
}

static void out_bank(struct yaml_out *out, const struct eventlog *log, const struct pcr_bank *bank)
{
    uint32_t used = used_pcrs(log, bank->algorithm);
    char name[16];
    if (used == 0)
        return;
    out_key(out, bank_name(bank->algorithm, name));
    out_map(out);
    for (unsigned i = 0; i < PCR_COUNT; i++) {
        uint8_t value[BANK_DIGEST_MAX];
        struct buffer hex = BUFFER_INIT;
        if ((used & (UINT32_C(1) << i)) == 0)
            continue;
        memcpy(value, bank->value[i], bank->size);
        if ((bank->known & (UINT32_C(1) << i)) == 0)
            replay_initial(log, bank->algorithm, i, value);
        hex_encode(value, bank->size, &hex);
        out->failed = out->failed || hex.failed;
        out_plain(out, "%u", i);
        out_plain(out, "0x%s", buffer_text(&hex));
        buffer_free(&hex);
    }
    out_map_end(out);
}

static bool out_pcrs(struct yaml_out *out, const struct eventlog *log, struct error *error)
{
    struct pcr_set set;
    uint32_t used = 0;
    if (!replay_log(log, &set, NULL, error))
        return false;
    for (size_t i = 0; i < set.bank_count; i++)
        used |= used_pcrs(log, set.banks[i].algorithm);
    out_key(out, "pcrs");
    if (used == 0) {
        out_plain(out, "%s", "");
        return true;
    }
    out_map(out);
    for (size_t i = 0; i < set.bank_count; i++)
        out_bank(out, log, &set.banks[i]);
    out_map_end(out);
    return true;
}

static int append(void *user, unsigned char *data, size_t length)
{
    return buffer_append(user, data, length) ? 1 : 0;
}

static void stream(struct yaml_out *out, bool begin)
{
    yaml_event_t event;
    int made = begin ? yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)
                     : yaml_document_end_event_initialize(&event, 1);
    for (int i = 0; i < 2 && !out->failed; i++) {
        out->failed = made != 1 || yaml_emitter_emit(&out->emitter, &event) != 1;
        if (i == 0 && !out->failed)
            made = begin ? yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 0)
                         : yaml_stream_end_event_initialize(&event);
    }
}

bool eventlog_yaml(const struct eventlog *log, const struct eventlog_yaml_options *options,
                   struct buffer *text, struct error *error)
{
    struct yaml_out out = {.options = {.version = 1}};
    if (options != NULL)
        out.options = *options;
    if (yaml_emitter_initialize(&out.emitter) != 1)
        return error_memory(error);
    yaml_emitter_set_output(&out.emitter, append, text);
    yaml_emitter_set_unicode(&out.emitter, 1);
    yaml_emitter_set_width(&out.emitter, -1);
    stream(&out, true);
    out_map(&out);
    out_pair(&out, "version", "%u", out.options.version);
    out_key(&out, "events");
    out_list(&out);
    for (size_t i = 0; i < log->event_count && !out.failed; i++)
        out_event(&out, log, &log->events[i]);
    out_list_end(&out);
    bool ok = out_pcrs(&out, log, error);
    out_map_end(&out);
    stream(&out, false);
    if (ok && out.failed)
        ok = error_set(error, ERROR_FAILED, "cannot write the log as YAML: %s",
                       out.emitter.problem != NULL ? out.emitter.problem : "out of memory");
    yaml_emitter_delete(&out.emitter);
    return ok;
}
