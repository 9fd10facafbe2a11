/*
 * facts_esxi - what ESXi's boot loader measured: PCR 11 to 14, with TXT 17 to 22.
 *
 * A module's name is not covered, so it is told beside the digest and never instead of it.
 */
#include "tpm/facts_private.h"

#include <inttypes.h>
#include <string.h>

#include "tpm/event_types.h"

/* What the kernel extends when the boot is complete, its NUL counted [source: vim25
 * HostTpmBootCompleteEventDetails]. */
static const char boot_complete[] = "Boot Complete";

static bool in_esxi_pcr(const struct eventlog_event *event)
{
    return (event->pcr >= 11 && event->pcr <= 14) || (event->pcr >= 17 && event->pcr <= 22);
}

void facts_esxi_begin(struct finding *f)
{
    for (size_t i = 0; i < f->log->event_count && !f->is_esxi; i++) {
        const struct eventlog_event *event = &f->log->events[i];
        struct event_tag tag;
        f->is_esxi = event->type == EV_EVENT_TAG && event_tag_first(event, &tag) &&
                     event_tag_is_esxi(event, &tag);
    }
}

/* The digests themselves are of that text, whatever the event says. */
static bool is_boot_complete(const struct eventlog_event *event)
{
    uint8_t value[BANK_DIGEST_MAX];
    size_t holds = 0;
    for (size_t i = 0; i < event->digest_count; i++) {
        const struct eventlog_digest *digest = &event->digests[i];
        if (!bank_hash(digest->algorithm, boot_complete, sizeof boot_complete, NULL, 0, value))
            continue;
        if (digest->size != bank_by_id(digest->algorithm)->size ||
            memcmp(value, digest->bytes, digest->size) != 0)
            return false;
        holds++;
    }
    return holds > 0;
}

/* Where the loader measures a module of this name: by what stands before its last dot. */
static uint32_t home_of(const char *name, size_t base)
{
    static const char *const core[] = {"b", "k", "s", "sb"};
    if (strcmp(name + base, ".gz") == 0)
        return 14;
    for (size_t i = 0; i < sizeof core / sizeof core[0]; i++)
        if (strlen(core[i]) == base && strncmp(name, core[i], base) == 0)
            return 12;
    return base == strlen("esxupdt") && strncmp(name, "esxupdt", base) == 0 ? 11 : 13;
}

static void check_name(struct finding *f, const struct eventlog_event *event, const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t base = dot == NULL ? strlen(name) : (size_t)(dot - name);
    if (event->pcr <= 14 && home_of(name, base) != event->pcr)
        finding_problem(f, event, false,
                        "module %.80s in PCR %" PRIu32 ", where one of that name does not belong",
                        name, event->pcr);
    for (size_t i = 0; base == 1 && i < 2; i++)
        if (name[0] == "bk"[i] && f->kernels[i]++ > 0)
            finding_problem(f, event, true, "a second module %c", "bk"[i]);
}

static void find_module(struct finding *f, const struct eventlog_event *event,
                        const struct event_tag *tag)
{
    json_t *name = value_text(event->data + tag->start, tag->length);
    if (name != NULL)
        check_name(f, event, json_string_value(name));
    else
        f->failed = true;
    struct claim claim = {.kind = tag->id == EVENT_TAG_ESXI_MODULE ? FACT_MODULE : FACT_BOOT_OPTION,
                          .name = name};
    finding_add(f, event, claim);
}

static const char *member(const json_t *fields, const char *name)
{
    const char *text = json_string_value(json_object_get(fields, name));
    return text == NULL ? "" : text;
}

static void find_version(struct finding *f, const struct eventlog_event *event,
                         const struct event_check *check, bool covered)
{
    json_t *decoded = event_decode(f->log, event, check);
    json_t *fields = json_object_get(decoded, "fields");
    if (decoded != NULL && json_object_get(fields, "product") == NULL)
        finding_problem(f, event, false, "a version record that does not parse");
    struct claim claim = {.kind = FACT_VERSION,
                          .authenticated = covered && json_object_get(fields, "product") != NULL,
                          .value = json_sprintf("%s %s (%s)", member(fields, "product"),
                                                member(fields, "version"), member(fields, "file"))};
    f->failed = f->failed || decoded == NULL;
    finding_add(f, event, claim);
    json_decref(decoded);
}

static json_t *signer_text(struct finding *f, const uint8_t *bytes, size_t length)
{
    json_t *certificate = value_certificate(bytes, length, &f->failed);
    json_t *subject = json_incref(json_object_get(certificate, "subject"));
    json_decref(certificate);
    return subject != NULL ? subject : json_string("public key");
}

/* "KEY = VALUE", its NUL counted or not, and nothing else. The number of a tag is not covered: a
 * command line whose event was given another number must not pass for an option. */
static bool is_security_option(const uint8_t *bytes, size_t length)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    char text[128] = "";
    if (length >= sizeof text)
        return false;
    memcpy(text, bytes, length);
    size_t key = strspn(text, letters);
    if (key == 0 || strncmp(text + key, " = ", 3) != 0)
        return false;
    size_t value = strspn(text + key + 3, letters), end = key + 3 + value;
    return value > 0 && (length == end || (length == end + 1 && text[end] == '\0'));
}

static void find_tagged(struct finding *f, const struct eventlog_event *event,
                        const struct event_check *check, const struct event_tag *tag)
{
    const uint8_t *payload = event->data + tag->start;
    bool covered = event_covers(check, tag->start, tag->length);
    struct claim claim = {.authenticated = covered};
    switch (tag->id) {
    case EVENT_TAG_ESXI_MODULE:
    case EVENT_TAG_ESXI_BOOT_OPTION:
        find_module(f, event, tag);
        return;
    case EVENT_TAG_ESXI_VERSION:
        find_version(f, event, check, covered);
        return;
    case EVENT_TAG_ESXI_COMMAND_LINE:
        claim.kind = FACT_COMMAND_LINE;
        claim.value = value_text(payload, tag->length);
        break;
    case EVENT_TAG_ESXI_SECURITY_OPTION:
        if (!is_security_option(payload, tag->length)) {
            finding_problem(f, event, false, "a security option that is none");
            return;
        }
        claim.kind = FACT_SECURITY_OPTION;
        claim.value = value_text(payload, tag->length);
        break;
    case EVENT_TAG_ESXI_SIGNER:
        claim.kind = FACT_SIGNER;
        claim.value = signer_text(f, payload, tag->length);
        claim.blob = payload;
        claim.blob_length = tag->length;
        break;
    case EVENT_TAG_ESXI_ASSET_TAG:
        claim.kind = FACT_ASSET_TAG;
        claim.value = value_hex(payload, tag->length);
        claim.blob = payload;
        claim.blob_length = tag->length;
        break;
    default:
        return;
    }
    finding_add(f, event, claim);
}

void facts_esxi(struct finding *f, const struct eventlog_event *event,
                const struct event_check *check)
{
    struct event_tag tag;
    char name[24];
    if (f->log->cc || !in_esxi_pcr(event))
        return;
    if (is_boot_complete(event)) {
        struct claim claim = {
            .kind = FACT_BOOT_COMPLETE, .authenticated = true, .value = json_string(boot_complete)};
        finding_add(f, event, claim);
        f->booted = true;
    } else if (event->type == EV_EVENT_TAG && event_tag_first(event, &tag) &&
               event_tag_is_esxi(event, &tag)) {
        if (f->booted)
            finding_problem(f, event, false, "measured after the boot was complete");
        find_tagged(f, event, check, &tag);
    } else if (f->is_esxi && event->pcr <= 14 && event->type != EV_SEPARATOR) {
        finding_problem(f, event, false, "%s in PCR %" PRIu32 ", which ESXi does not measure",
                        eventlog_type_name(event->type, name), event->pcr);
    }
}
