/*
 * verdict_boot - R8: what booted, judged by what the quote and the replay vouch for.
 *
 * Whoever carries a log can relabel events and rewrite the data of those whose digest is of
 * something else. So it is not asked "is the good event there?" but "is every event that extended
 * this PCR accounted for?".
 */
#include <ctype.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "tpm/event_types.h"
#include "tpm/verdict_private.h"

enum {
    SECURE_BOOT_PCR = 7,
    BOOT_LOADER_PCR = 4,
    ACTION_MAX = 100,
    HEX_MAX = 2 * BANK_DIGEST_MAX + 1
};

static bool extends(const struct eventlog_event *event, unsigned pcr)
{
    return event->pcr == pcr && event->type != EV_NO_ACTION;
}

/* True when some bank of the policy vouches for all of PCR. */
static bool pcr_is_proven(const struct judge *j, unsigned pcr)
{
    for (size_t b = 0; b < j->policy->bank_count; b++)
        if (judge_proven(j, b, pcr))
            return true;
    return false;
}

/* Its data can be relied upon, but for the byte that old shims leave out. */
static bool data_hold(const struct judge *j, size_t i)
{
    const struct event_check *c = &j->checks[i];
    bool most = c->coverage == EVENT_COVERS_PART && c->start == 0 &&
                c->length + 1 >= j->evidence->log->events[i].length;
    return c->fails == 0 && c->holds != 0 &&
           (c->coverage == EVENT_COVERS_ALL || c->coverage == EVENT_COVERS_FIXED || most);
}

/* A separator, or a short text: nothing that could be a program. */
static bool is_harmless(const struct judge *j, size_t i)
{
    const struct eventlog_event *event = &j->evidence->log->events[i];
    if (!data_hold(j, i) || event->length > ACTION_MAX)
        return false;
    if (event->type == EV_SEPARATOR)
        return event->length == 4;
    bool text = event->type == EV_EFI_ACTION || event->type == EV_ACTION;
    for (size_t k = 0; text && k < event->length; k++)
        text = isprint(event->data[k]) != 0;
    return text;
}

static void judge_problems(struct judge *j)
{
    for (size_t i = 0; i < j->facts.problem_count; i++)
        judge_note(j, RUNG_BOOT, "log", j->facts.problems[i].grave ? QUOTE_FAIL : QUOTE_WARN, "%s",
                   j->facts.problems[i].text);
}

/* By content, since an event's type can be rewritten. */
static bool is_separator(const struct eventlog_event *event)
{
    static const uint8_t zeros[4] = {0}, ones[4] = {0xff, 0xff, 0xff, 0xff};
    return event->length == 4 &&
           (memcmp(event->data, zeros, 4) == 0 || memcmp(event->data, ones, 4) == 0);
}

/* UEFI_VARIABLE_DATA of the global variable SecureBoot. */
static bool is_secure_boot_variable(const struct eventlog_event *event)
{
    static const uint8_t start[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                    0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
                                    10,   0,    0,    0,    0,    0,    0,    0};
    static const uint8_t name[] = "S\0e\0c\0u\0r\0e\0B\0o\0o\0t";
    return event->length > sizeof start + 8 + 20 && memcmp(event->data, start, sizeof start) == 0 &&
           memcmp(event->data + sizeof start + 8, name, 20) == 0;
}

/* The first of PCR 7's events that ends what the firmware says of its settings. */
static size_t separator_of(const struct eventlog *log)
{
    size_t i = 0;
    while (i < log->event_count &&
           !(extends(&log->events[i], SECURE_BOOT_PCR) && is_separator(&log->events[i])))
        i++;
    return i;
}

/* An operating system can extend PCR 7 with what it likes, but only behind the separator; and
 * what the firmware said before cannot be hidden by calling it something else. */
static void judge_secure_boot_events(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    size_t separator = separator_of(log);
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        if (!extends(event, SECURE_BOOT_PCR) || !is_secure_boot_variable(event))
            continue;
        if (i > separator)
            judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                       "event %zu tells of Secure Boot after the firmware had ended",
                       event->number);
        if (event->data[event->length - 1] != 1)
            judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL, "event %zu: it is off",
                       event->number);
    }
    if (separator == log->event_count)
        judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL, "PCR 7 has no separator");
}

static void judge_secure_boot(struct judge *j)
{
    size_t on = 0;
    if (!pcr_is_proven(j, SECURE_BOOT_PCR)) {
        judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL,
                   "no quote vouches for PCR 7 in a bank of the policy");
        return;
    }
    for (size_t i = 0; i < j->facts.count; i++) {
        const struct fact *f = &j->facts.facts[i];
        if (f->kind == FACT_DMA_PROTECTION_OFF || f->kind == FACT_DEBUG_MODE)
            judge_note(j, RUNG_BOOT, "secure boot",
                       f->kind == FACT_DEBUG_MODE ? QUOTE_FAIL : QUOTE_WARN, "event %zu: %s",
                       f->event->number,
                       f->kind == FACT_DEBUG_MODE ? "the firmware's debugger was on"
                                                  : "protection against DMA was off");
        if (f->kind != FACT_SECURE_BOOT)
            continue;
        bool good = f->authenticated && f->value != NULL && strcmp(f->value, "on") == 0 &&
                    judge_vouches(j, f->event, NULL) && f->event->pcr == SECURE_BOOT_PCR;
        on += good;
        if (!good)
            judge_note(j, RUNG_BOOT, "secure boot", QUOTE_FAIL, "event %zu says %s%s",
                       f->event->number, f->value != NULL ? f->value : "nothing",
                       f->authenticated ? "" : ", and nothing vouches for that");
    }
    judge_secure_boot_events(j);
    judge_note(j, RUNG_BOOT, "secure boot", on > 0 ? QUOTE_PASS : QUOTE_FAIL,
               on > 0 ? "on" : "the log does not say that it is on");
}

/* The certificate (or hash) of an authority: with or without its owner's GUID before it. */
static bool authority_is_listed(const struct policy *policy, const struct fact *f)
{
    char text[HEX_MAX];
    uint8_t digest[32];
    for (size_t skip = 0; skip <= 16 && f->blob != NULL && f->blob_length > skip; skip += 16) {
        size_t left = f->blob_length - skip;
        SHA256(f->blob + skip, left, digest);
        if (policy_lists(policy->authorities, hex_text(digest, sizeof digest, text)) ||
            (left == sizeof digest &&
             policy_lists(policy->authorities, hex_text(f->blob + skip, left, text))))
            return true;
    }
    return false;
}

static bool is_authority(const struct judge *j, const struct eventlog_event *event)
{
    for (size_t i = 0; i < j->facts.count; i++)
        if (j->facts.facts[i].event == event && j->facts.facts[i].kind == FACT_AUTHORITY)
            return true;
    return false;
}

/* Everything in PCR 7 must be said by data that its digests cover, and all behind the separator be
 * authorities, or one of them could hide. */
static void judge_authorities(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    size_t good = 0, separator = separator_of(log);
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        if (!extends(event, SECURE_BOOT_PCR))
            continue;
        if (!data_hold(j, i))
            judge_note(j, RUNG_BOOT, "authorities", QUOTE_FAIL,
                       "event %zu extended PCR 7, and nothing vouches for what it says",
                       event->number);
        else if (i > separator && !is_authority(j, event) && !is_harmless(j, i))
            judge_note(
                j, RUNG_BOOT, "authorities", QUOTE_FAIL,
                "event %zu extended PCR 7 after the firmware's settings, and is no authority",
                event->number);
    }
    for (size_t i = 0; i < j->facts.count; i++) {
        const struct fact *f = &j->facts.facts[i];
        if (f->kind != FACT_AUTHORITY)
            continue;
        bool ok = f->authenticated && judge_vouches(j, f->event, NULL) &&
                  authority_is_listed(j->policy, f);
        good += ok;
        if (!ok)
            judge_note(j, RUNG_BOOT, "authorities", QUOTE_FAIL,
                       "event %zu: %.200s is not among those permitted", f->event->number,
                       f->value != NULL ? f->value : "an authority");
    }
    judge_note(j, RUNG_BOOT, "authorities", good > 0 ? QUOTE_PASS : QUOTE_FAIL,
               good > 0 ? "%zu, all permitted" : "%zu: nothing that was loaded was verified", good);
}

static bool digest_is_listed(const json_t *list, const struct eventlog_event *event,
                             const struct judge *j)
{
    char text[HEX_MAX];
    for (size_t b = 0; b < j->policy->bank_count; b++) {
        const struct eventlog_digest *d = eventlog_digest(event, j->policy->banks[b]);
        if (d != NULL && judge_proven(j, b, event->pcr) &&
            policy_lists(list, hex_text(d->bytes, d->size, text)))
            return true;
    }
    return false;
}

static void judge_images(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    size_t good = 0;
    if (!pcr_is_proven(j, BOOT_LOADER_PCR)) {
        judge_note(j, RUNG_BOOT, "boot images", QUOTE_FAIL,
                   "no quote vouches for PCR 4 in a bank of the policy");
        return;
    }
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        if (!extends(event, BOOT_LOADER_PCR) || is_harmless(j, i))
            continue;
        bool listed = digest_is_listed(j->policy->images, event, j);
        good += listed;
        if (!listed)
            judge_note(j, RUNG_BOOT, "boot images", QUOTE_FAIL,
                       "event %zu extended PCR 4 with an image that is not permitted",
                       event->number);
    }
    judge_note(j, RUNG_BOOT, "boot images", good > 0 ? QUOTE_PASS : QUOTE_FAIL,
               "%zu permitted images were started", good);
}

static void judge_pcrs(struct judge *j)
{
    const char *index;
    json_t *list;
    char text[HEX_MAX];
    json_object_foreach((json_t *)j->policy->pcrs, index, list)
    {
        unsigned pcr = 0;
        bool good = false, proven = false;
        for (const char *c = index; *c != '\0'; c++)
            pcr = pcr * 10 + (unsigned)(*c - '0');
        for (size_t b = 0; b < j->policy->bank_count; b++) {
            if (!judge_proven(j, b, pcr))
                continue;
            proven = true;
            for (size_t q = 0; q < j->evidence->quote_count; q++) {
                const struct pcr_bank *bank =
                    pcr_bank(j->evidence->quotes[q].values, j->policy->banks[b]);
                if (bank != NULL && bank->known >> pcr & 1)
                    good = good || policy_lists(list, hex_text(bank->value[pcr], bank->size, text));
            }
        }
        judge_note(j, RUNG_BOOT, "golden PCR", good ? QUOTE_PASS : QUOTE_FAIL, "PCR %u %s", pcr,
                   good     ? "has a permitted value"
                   : proven ? "has a value that is not permitted"
                            : "is not vouched for in a bank of the policy");
    }
}

void judge_boot(struct judge *j)
{
    const struct policy *p = j->policy;
    if (!j->verdict->rungs[RUNG_BOOT].required)
        return;
    judge_problems(j);
    if (p->secure_boot_required)
        judge_secure_boot(j);
    if (p->authorities != NULL)
        judge_authorities(j);
    if (p->images != NULL)
        judge_images(j);
    if (p->pcrs != NULL)
        judge_pcrs(j);
    if (p->base_images != NULL)
        judge_esxi(j);
}
