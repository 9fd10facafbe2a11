/*
 * verdict_esxi - R8, ESXi's own measurements: modules, options, command line, signers, version.
 *
 * The boot loader extends PCRs 11 to 14 [source: vmware/esx-boot]; with TXT, PCRs 19 to 21 hold the
 * same [real: Intel SecL's host manifests]. A module's digest is that of its bytes, and its name
 * is not covered by anything: so digests decide, of all events in these PCRs, whatever they are
 * called. What is said in an event's own data (command line, signer, asset tag, security option)
 * cannot be told from an options file of the same bytes: so when the policy lists any of these, it
 * has to list all.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "tpm/event_types.h"
#include "tpm/verdict_private.h"

enum {
    HEX_MAX = 2 * BANK_DIGEST_MAX + 1,
    /* Bytes of an event. A version must not have room for a module. */
    COMMAND_LINE_MAX = 16384,
    SIGNER_MAX = 8192,
    SMALL_MAX = 1024,
    VERSION_MAX = 400,
    /* PCRs, bit by bit. */
    LOADER_PCRS = 0xf << 11,
    DYNAMIC_PCRS = 7 << 19
};

/* What an image accounts for. */
struct account {
    size_t modules;    /* digests of the image */
    size_t missed;     /* events that nothing accounts for */
    size_t by_name;    /* volatile modules */
    size_t first_miss; /* index of the event */
};

static bool in_esxi_pcr(const struct eventlog_event *event)
{
    return event->type != EV_NO_ACTION && event->pcr < PCR_COUNT &&
           ((LOADER_PCRS | DYNAMIC_PCRS) >> event->pcr & 1);
}

/* Those that the policy ties to something that measured them: PCR 17 to a dynamic launch, anything
 * else to the boot loader. */
static uint32_t anchored_pcrs(const struct policy *policy)
{
    bool loader = policy->secure_boot_required || json_object_get(policy->pcrs, "7") != NULL;
    return (loader ? LOADER_PCRS : 0) |
           (json_object_get(policy->pcrs, "17") != NULL ? DYNAMIC_PCRS : 0);
}

/* Digests of files without content that ESXi measures: nothing, a line end, a zero byte. */
static bool is_empty_file(const struct eventlog_event *event, const struct eventlog_digest *d)
{
    static const char *const contents[] = {"", "\n", "\0"};
    static const size_t lengths[] = {0, 1, 1};
    uint8_t digest[BANK_DIGEST_MAX];
    for (size_t i = 0; (event->pcr == 14 || event->pcr == 20 || event->pcr == 21) && i < 3; i++)
        if (bank_hash(d->algorithm, contents[i], lengths[i], NULL, 0, digest) &&
            memcmp(digest, d->bytes, d->size) == 0)
            return true;
    return false;
}

/* A policy that lists any of what PCR 14 holds permits nothing else there. */
static bool is_strict(const struct policy *p)
{
    return p->signers != NULL || p->command_lines != NULL || p->asset_tags != NULL ||
           p->security_options != NULL;
}

static bool signer_is_permitted(const struct judge *j, const struct fact *f)
{
    uint8_t digest[32];
    char text[HEX_MAX];
    SHA256(f->blob, f->blob_length, digest);
    return policy_lists(j->policy->signers, hex_text(digest, sizeof digest, text));
}

static bool command_line_is_permitted(struct judge *j, const struct fact *f)
{
    struct error error = ERROR_INIT;
    bool found = false;
    char *given = f->value == NULL ? NULL : policy_normalise(j->policy, f->value, &error);
    for (size_t i = 0; given != NULL && i < json_array_size(j->policy->command_lines); i++) {
        const char *listed = json_string_value(json_array_get(j->policy->command_lines, i));
        char *wanted = policy_normalise(j->policy, listed, &error);
        found = found || (wanted != NULL && strcmp(given, wanted) == 0);
        free(wanted);
    }
    free(given);
    return found;
}

static bool asset_tag_is_permitted(const struct judge *j, const struct fact *f)
{
    struct buffer hex = BUFFER_INIT;
    bool found = hex_encode(f->blob, f->blob_length, &hex) &&
                 policy_lists(j->policy->asset_tags, buffer_text(&hex));
    buffer_free(&hex);
    return found;
}

/*
 * A module's bytes in the place of an event's data would make its digest cover them. So a fact must
 * be where the boot loader measures such, and no larger than it can be.
 */
static bool fact_fits(const struct fact *f)
{
    bool txt = f->event->pcr >= 19;
    size_t most = f->kind == FACT_SIGNER         ? SIGNER_MAX
                  : f->kind == FACT_COMMAND_LINE ? COMMAND_LINE_MAX
                  : f->kind == FACT_VERSION      ? VERSION_MAX
                                                 : SMALL_MAX;
    return f->event->length <= most &&
           (txt || f->event->pcr == (f->kind == FACT_VERSION ? 13 : 14));
}

/* What an event's own data say, where the digest covers them. */
static bool fact_is_permitted(struct judge *j, const struct fact *f)
{
    if (f->kind == FACT_BOOT_COMPLETE)
        return true;
    if (f->kind == FACT_SECURITY_OPTION)
        return policy_lists(j->policy->security_options, f->value) ||
               (!is_strict(j->policy) && fact_fits(f));
    if (!fact_fits(f))
        return false;
    bool listed = f->kind == FACT_SIGNER         ? signer_is_permitted(j, f)
                  : f->kind == FACT_COMMAND_LINE ? command_line_is_permitted(j, f)
                  : f->kind == FACT_ASSET_TAG    ? asset_tag_is_permitted(j, f)
                                                 : f->kind == FACT_VERSION;
    bool known =
        f->kind == FACT_SIGNER || f->kind == FACT_COMMAND_LINE || f->kind == FACT_ASSET_TAG;
    return listed || (known && !is_strict(j->policy));
}

/* Each volatile name is good for one event, and never for one among the kernel's. */
static bool is_volatile(const struct judge *j, const struct fact *f, bool *used)
{
    const json_t *list = j->policy->volatile_modules;
    if (f == NULL || f->name == NULL || (f->kind != FACT_MODULE && f->kind != FACT_BOOT_OPTION) ||
        f->event->pcr < 13 || f->event->pcr == 19)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!used[i] && strcmp(json_string_value(json_array_get(list, i)), f->name) == 0) {
            used[i] = true;
            return true;
        }
    return false;
}

static bool is_separator_event(const struct judge *j, size_t i)
{
    size_t length;
    const uint8_t *bytes = judge_measured(j, i, &length);
    return bytes != NULL && judge_is_separator(bytes, length);
}

/* Account for every event by IMAGE and the policy. */
static bool account_for(struct judge *j, const struct fact *const *facts, const json_t *image,
                        struct account *out)
{
    const struct eventlog *log = j->evidence->log;
    const json_t *modules = json_object_get(image, "modules");
    uint32_t anchored = anchored_pcrs(j->policy);
    bool *used = calloc(json_array_size(j->policy->volatile_modules) + 1, sizeof *used);
    *out = (struct account){.first_miss = SIZE_MAX};
    if (used == NULL)
        return false;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        const struct eventlog_digest *d = judge_digest(j, event);
        char text[HEX_MAX];
        if (!in_esxi_pcr(event) || is_separator_event(j, i))
            continue;
        const struct fact *f = facts[i];
        if (d != NULL && json_object_get(modules, hex_text(d->bytes, d->size, text)) != NULL) {
            out->modules += anchored >> event->pcr & 1;
        } else if (d != NULL && (is_empty_file(event, d) ||
                                 (f != NULL && f->authenticated && fact_is_permitted(j, f)))) {
            continue;
        } else if (d != NULL && is_volatile(j, f, used)) {
            out->by_name++;
        } else if (out->missed++ == 0) {
            out->first_miss = i;
        }
    }
    free(used);
    return true;
}

static bool better(const struct account *a, const struct account *b)
{
    return a->missed != b->missed ? a->missed < b->missed : a->modules > b->modules;
}

static const char *kind_text(const struct judge *j, const struct fact *f)
{
    if (f == NULL)
        return "an event that is none of ESXi's";
    if (f->kind == FACT_COMMAND_LINE)
        return f->authenticated ? "a command line that is not permitted"
                                : "a command line that its digest does not cover";
    if (f->kind == FACT_SIGNER)
        return f->authenticated ? "a signer that is not permitted"
                                : "a signer that its digest does not cover";
    if (f->kind == FACT_ASSET_TAG)
        return "an asset tag that is not permitted";
    if (f->kind == FACT_SECURITY_OPTION)
        return "a security option that is not permitted";
    return json_array_size(j->policy->base_images) == 0 ? "a module, and no base image is permitted"
                                                        : "a module of no permitted base image";
}

static void tell_missed(struct judge *j, const struct fact *const *facts,
                        const struct account *best)
{
    const struct eventlog_event *event = &j->evidence->log->events[best->first_miss];
    const struct fact *f = facts[best->first_miss];
    judge_note(
        j, RUNG_BOOT, "base image", QUOTE_FAIL,
        "%zu of ESXi's events are not accounted for; the first is event %zu in PCR %u: %s%s%.80s%s",
        best->missed, event->number, event->pcr,
        judge_digest(j, event) != NULL ? kind_text(j, f) : "no quote vouches for it",
        f != NULL && f->name != NULL ? " (called \"" : "",
        f != NULL && f->name != NULL ? f->name : "",
        f != NULL && f->name != NULL ? "\", which nothing vouches for)" : "");
}

/* The image that accounts for most; *BEST is what it leaves. */
static const json_t *choose_image(struct judge *j, const struct fact *const *facts,
                                  struct account *best)
{
    const json_t *none = json_array_get(j->policy->base_images, 0), *chosen = none;
    if (!account_for(j, facts, none, best))
        return NULL;
    for (size_t i = 1; i < json_array_size(j->policy->base_images); i++) {
        struct account a;
        const json_t *image = json_array_get(j->policy->base_images, i);
        if (account_for(j, facts, image, &a) && better(&a, best)) {
            *best = a;
            chosen = image;
        }
    }
    return chosen;
}

/* What is in no quote could hold anything. */
static bool all_quoted(struct judge *j)
{
    bool all = true;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!(anchored_pcrs(j->policy) >> pcr & 1) || judge_bank(j, pcr) != NULL)
            continue;
        judge_note(j, RUNG_BOOT, "base image", QUOTE_FAIL,
                   "no quote vouches for PCR %u in a bank of the policy", pcr);
        all = false;
    }
    return all;
}

static void judge_image(struct judge *j, const struct fact *const *facts)
{
    struct account best = {0};
    const json_t *image = choose_image(j, facts, &best);
    const char *name = json_string_value(json_object_get(image, "name"));
    bool quoted = all_quoted(j);
    if (best.missed > 0)
        tell_missed(j, facts, &best);
    else if (best.modules == 0)
        judge_note(j, RUNG_BOOT, "base image", QUOTE_FAIL,
                   "the log has no module of any permitted base image");
    j->base_image = quoted && best.missed == 0 && best.modules > 0;
    if (j->base_image)
        judge_note(j, RUNG_BOOT, "base image", QUOTE_PASS, "%.200s: %zu modules", name,
                   best.modules);
    if (!is_strict(j->policy))
        judge_note(j, RUNG_BOOT, "options", QUOTE_WARN,
                   "the policy takes any command line, options, signers and asset tag");
    if (best.by_name > 0)
        judge_note(j, RUNG_BOOT, "volatile modules", QUOTE_WARN,
                   "%zu were taken by their names, which nothing vouches for", best.by_name);
}

static void judge_security_options(struct judge *j)
{
    for (size_t i = 0; i < json_array_size(j->policy->security_options); i++) {
        const char *wanted = json_string_value(json_array_get(j->policy->security_options, i));
        bool found = false;
        for (size_t k = 0; k < j->facts.count; k++) {
            const struct fact *f = &j->facts.facts[k];
            found =
                found || (f->kind == FACT_SECURITY_OPTION && f->authenticated && f->value != NULL &&
                          strcmp(f->value, wanted) == 0 && judge_digest(j, f->event) != NULL);
        }
        judge_note(j, RUNG_BOOT, "security option", found ? QUOTE_PASS : QUOTE_FAIL, "%.200s %s",
                   wanted, found ? "was measured" : "was not measured");
    }
}

void judge_esxi(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    const struct fact **facts = calloc(log->event_count + 1, sizeof(const struct fact *));
    if (facts == NULL) {
        j->failed = true;
        return;
    }
    for (size_t i = 0; i < j->facts.count; i++) {
        const struct fact *f = &j->facts.facts[i];
        size_t event = (size_t)(f->event - log->events);
        if (in_esxi_pcr(f->event) && facts[event] == NULL)
            facts[event] = f;
    }
    judge_image(j, facts);
    judge_security_options(j);
    free(facts);
}
