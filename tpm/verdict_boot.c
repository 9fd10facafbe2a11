/*
 * verdict_boot - R8: what booted, judged by what the quote and the replay vouch for.
 *
 * Whoever carries a log can relabel events and rewrite the data of those whose digest is of
 * something else. So it is not asked "is the good event there?" but "is every event that extended
 * this PCR accounted for?".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "tpm/event_types.h"
#include "tpm/verdict_private.h"

enum { BOOT_LOADER_PCR = 4, TEXT_MAX = 100, HEX_MAX = 2 * BANK_DIGEST_MAX + 1 };

bool judge_extends(const struct eventlog_event *event, unsigned pcr)
{
    return event->pcr == pcr && event->type != EV_NO_ACTION;
}

const uint8_t *judge_measured(const struct judge *j, size_t i, size_t *length)
{
    const struct eventlog_event *event = &j->evidence->log->events[i];
    const struct event_check *c = &j->checks[i];
    bool covered = c->coverage == EVENT_COVERS_ALL || c->coverage == EVENT_COVERS_PART;
    *length = covered ? c->length : 0;
    return *length > 0 && c->fails == 0 && judge_digest(j, event) != NULL ? event->data + c->start
                                                                          : NULL;
}

bool judge_is_separator(const uint8_t *bytes, size_t length)
{
    static const uint8_t zeros[4] = {0}, ones[4] = {0xff, 0xff, 0xff, 0xff};
    return length == 4 && (memcmp(bytes, zeros, 4) == 0 || memcmp(bytes, ones, 4) == 0);
}

bool judge_is_harmless(const uint8_t *bytes, size_t length)
{
    bool text = length <= TEXT_MAX;
    for (size_t i = 0; text && i < length; i++)
        text = isprint(bytes[i]) != 0;
    return text || judge_is_separator(bytes, length);
}

static void judge_problems(struct judge *j)
{
    for (size_t i = 0; i < j->facts.problem_count; i++)
        judge_note(j, RUNG_BOOT, "log", j->facts.problems[i].grave ? QUOTE_FAIL : QUOTE_WARN, "%s",
                   j->facts.problems[i].text);
}

static void judge_images(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    size_t good = 0;
    char text[HEX_MAX];
    if (judge_bank(j, BOOT_LOADER_PCR) == NULL) {
        judge_note(j, RUNG_BOOT, "boot images", QUOTE_FAIL,
                   "no quote vouches for PCR 4 in a bank of the policy");
        return;
    }
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        size_t length;
        const uint8_t *bytes = judge_measured(j, i, &length);
        if (!judge_extends(event, BOOT_LOADER_PCR) ||
            (bytes != NULL && judge_is_harmless(bytes, length)))
            continue;
        const struct eventlog_digest *d = judge_digest(j, event);
        bool listed =
            d != NULL && policy_lists(j->policy->images, hex_text(d->bytes, d->size, text));
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
        unsigned pcr = (unsigned)strtoul(index, NULL, 10);
        bool good = false;
        for (size_t b = 0; b < j->verdict->proven.bank_count; b++) {
            const struct pcr_bank *bank = &j->verdict->proven.banks[b];
            good = good || ((bank->known >> pcr & 1) &&
                            policy_lists(list, hex_text(bank->value[pcr], bank->size, text)));
        }
        judge_note(j, RUNG_BOOT, "golden PCR", good ? QUOTE_PASS : QUOTE_FAIL, "PCR %u %s", pcr,
                   good                         ? "has a permitted value"
                   : judge_bank(j, pcr) != NULL ? "has a value that is not permitted"
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
    if (p->images != NULL)
        judge_images(j);
    if (p->pcrs != NULL)
        judge_pcrs(j);
    if (p->base_images != NULL)
        judge_esxi(j);
}
