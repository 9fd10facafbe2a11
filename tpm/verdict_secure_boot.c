/*
 * verdict_secure_boot - R8, PCR 7: Secure Boot and who vouched for what was started.
 *
 * Every event that extended PCR 7 must say what was hashed, and only those bytes are looked at: so
 * an event cannot be hidden by another type, nor by bytes put before or behind. What stands before
 * the first separator is the firmware's; behind it anything that was started can add what it likes,
 * but not take away what the firmware wrote there before it was started.
 */
#include <string.h>

#include <openssl/sha.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "tpm/event_private.h"
#include "tpm/verdict_private.h"

enum { PCR = 7, SLACK_MAX = 8, HEX_MAX = 2 * BANK_DIGEST_MAX + 1 };

struct secure_boot {
    struct judge *j;
    bool separated;         /* the first separator is passed */
    bool database;          /* the firmware has told its setting db */
    size_t on, authorities; /* settings that say so; permitted ones */
};

/* UEFI_VARIABLE_DATA. Old shims hash some bytes more than there are [real]. */
static bool read_variable(const uint8_t *bytes, size_t length, struct variable *v)
{
    const struct eventlog_event event = {.data = bytes, .length = length};
    return variable_read(&event, v) && length - v->start - v->length <= SLACK_MAX;
}

static bool is_global(const struct variable *v)
{
    static const uint8_t guid[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                   0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    return memcmp(v->guid, guid, sizeof guid) == 0;
}

static bool is_text(const uint8_t *bytes, size_t length, const char *text)
{
    while (length > 0 && bytes[length - 1] == 0)
        length--;
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

static void judge_setting(struct secure_boot *s, const struct eventlog_event *event,
                          const struct variable *v)
{
    bool on = v->length == 1 && v->data[0] == 1;
    s->on += on;
    if (!on)
        judge_note(s->j, RUNG_BOOT, "secure boot", QUOTE_FAIL, "event %zu: it is off",
                   event->number);
    if (s->separated)
        judge_note(s->j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                   "event %zu tells of Secure Boot after the firmware had ended", event->number);
}

/* The SHA-256 of a certificate, with or without its owner's GUID before it; or a hash as it is. */
static bool is_listed(const struct policy *policy, const struct variable *v)
{
    char text[HEX_MAX];
    uint8_t digest[32];
    for (size_t skip = 0; skip <= SIGNATURE_OWNER_BYTES && v->length > skip;
         skip += SIGNATURE_OWNER_BYTES) {
        size_t left = v->length - skip;
        SHA256(v->data + skip, left, digest);
        if (policy_lists(policy->authorities, hex_text(digest, sizeof digest, text)) ||
            (left == sizeof digest &&
             policy_lists(policy->authorities, hex_text(v->data + skip, left, text))))
            return true;
    }
    return false;
}

/* What is neither a setting of the firmware's, told once and before the separator, nor harmless,
 * may be what vouched for an image. */
static void judge_authority_event(struct secure_boot *s, const struct eventlog_event *event,
                                  const struct variable *v)
{
    bool is_db = v != NULL && variable_is(v, "db");
    bool setting = v != NULL && !s->separated && !(is_db && s->database);
    s->database = s->database || is_db;
    if (setting || s->j->policy->authorities == NULL)
        return;
    bool listed = v != NULL && is_listed(s->j->policy, v);
    s->authorities += listed;
    if (!listed)
        judge_note(s->j, RUNG_BOOT, "authorities", QUOTE_FAIL, "event %zu extended PCR 7 with %s",
                   event->number,
                   v != NULL ? "an authority that is not among those permitted"
                             : "what is neither a setting nor an authority");
}

static void judge_event(struct secure_boot *s, size_t i)
{
    const struct eventlog_event *event = &s->j->evidence->log->events[i];
    struct variable v;
    size_t length;
    const uint8_t *bytes = judge_measured(s->j, i, &length);
    if (bytes == NULL)
        judge_note(s->j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                   "event %zu extended PCR 7, and nothing vouches for what it says", event->number);
    else if (judge_is_separator(bytes, length))
        s->separated = true;
    else if (is_text(bytes, length, "UEFI Debug Mode"))
        judge_note(s->j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                   "event %zu: the firmware's debugger was on", event->number);
    else if (is_text(bytes, length, "DMA Protection Disabled"))
        judge_note(s->j, RUNG_BOOT, "secure boot", QUOTE_WARN,
                   "event %zu: protection against DMA was off", event->number);
    else if (!read_variable(bytes, length, &v)) {
        if (!judge_is_harmless(bytes, length))
            judge_authority_event(s, event, NULL);
    } else if (is_global(&v) && variable_is(&v, "SecureBoot"))
        judge_setting(s, event, &v);
    else
        judge_authority_event(s, event, &v);
}

void judge_secure_boot(struct judge *j)
{
    struct secure_boot s = {.j = j};
    if (judge_bank(j, PCR) == NULL) {
        judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                   "no quote vouches for PCR 7 in a bank of the policy");
        return;
    }
    for (size_t i = 0; i < j->evidence->log->event_count; i++)
        if (judge_extends(&j->evidence->log->events[i], PCR))
            judge_event(&s, i);
    if (!s.separated)
        judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL, "PCR 7 has no separator");
    judge_note(j, RUNG_BOOT, "secure boot", s.on == 1 ? QUOTE_PASS : QUOTE_FAIL,
               s.on == 1  ? "on"
               : s.on > 1 ? "the log says several times that it is on"
                          : "the log does not say that it is on");
    if (j->policy->authorities != NULL)
        judge_note(j, RUNG_BOOT, "authorities", s.authorities > 0 ? QUOTE_PASS : QUOTE_FAIL,
                   s.authorities > 0 ? "%zu of those permitted, and no other"
                                     : "%zu: nothing that was started was verified",
                   s.authorities);
}
