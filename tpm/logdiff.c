/* logdiff - see logdiff.h. */
#include "tpm/logdiff.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/event_types.h"

enum { CELLS_MAX = 4 << 20, NO_PCR = 256 };

/* The events of one PCR in both logs. */
struct part {
    size_t a_count, b_count;
    const struct eventlog_event **a, **b;
};

static bool same_bytes(const void *a, size_t a_length, const void *b, size_t b_length)
{
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

/* The digests of all banks that both have; *any tells whether there is one. */
static bool same_digests(const struct eventlog_event *a, const struct eventlog_event *b, bool *any)
{
    *any = false;
    for (size_t i = 0; i < a->digest_count; i++) {
        const struct eventlog_digest *left = &a->digests[i];
        const struct eventlog_digest *right = eventlog_digest(b, left->algorithm);
        if (right == NULL)
            continue;
        *any = true;
        if (!same_bytes(left->bytes, left->size, right->bytes, right->size))
            return false;
    }
    return true;
}

/* Digests count where events were extended, what they say where they were not. */
static bool same(const struct eventlog_event *a, const struct eventlog_event *b)
{
    bool any, alike = same_digests(a, b, &any);
    if (a->type == EV_NO_ACTION || b->type == EV_NO_ACTION || !any)
        return a->type == b->type && same_bytes(a->data, a->length, b->data, b->length);
    return alike;
}

static bool add(struct logdiff *out, enum logdiff_kind kind, const struct eventlog_event *a,
                const struct eventlog_event *b)
{
    if ((out->count & (out->count - 1)) == 0) {
        size_t room = out->count == 0 ? 1 : 2 * out->count;
        void *more = reallocarray(out->changes, room, sizeof *out->changes);
        if (more == NULL)
            return false;
        out->changes = more;
    }
    out->changes[out->count++] = (struct logdiff_change){kind, a, b};
    return true;
}

static bool add_same(struct logdiff *out, const struct eventlog_event *a,
                     const struct eventlog_event *b)
{
    out->same++;
    if (a->type == b->type && same_bytes(a->data, a->length, b->data, b->length))
        return true;
    return add(out, LOGDIFF_RELABELLED, a, b);
}

/* What is between two common events: those of one type in the same place are one that changed. */
static bool add_gap(struct logdiff *out, const struct part *part, size_t a, size_t a_end, size_t b,
                    size_t b_end)
{
    bool ok = true;
    while (ok && a < a_end && b < b_end && part->a[a]->type == part->b[b]->type)
        ok = add(out, LOGDIFF_CHANGED, part->a[a++], part->b[b++]);
    while (ok && a < a_end)
        ok = add(out, LOGDIFF_REMOVED, part->a[a++], NULL);
    while (ok && b < b_end)
        ok = add(out, LOGDIFF_ADDED, NULL, part->b[b++]);
    return ok;
}

/* The events from A up to A_END and B up to B_END, which begin and end with a difference. */
static bool align(struct logdiff *out, const struct part *part, size_t a, size_t a_end, size_t b,
                  size_t b_end)
{
    size_t rows = a_end - a, columns = b_end - b, width = columns + 1;
    if (rows == 0 || columns == 0 || rows > CELLS_MAX / columns)
        return add_gap(out, part, a, a_end, b, b_end);
    uint32_t *lengths = calloc((rows + 1) * width, sizeof *lengths);
    if (lengths == NULL)
        return false;
    for (size_t i = rows; i-- > 0;)
        for (size_t j = columns; j-- > 0;) {
            uint32_t down = lengths[(i + 1) * width + j], right = lengths[i * width + j + 1];
            lengths[i * width + j] = same(part->a[a + i], part->b[b + j])
                                         ? lengths[(i + 1) * width + j + 1] + 1
                                     : down > right ? down
                                                    : right;
        }
    bool ok = true;
    size_t i = 0, j = 0, gap_a = 0, gap_b = 0;
    while (ok && i < rows && j < columns)
        if (same(part->a[a + i], part->b[b + j])) {
            ok = add_gap(out, part, a + gap_a, a + i, b + gap_b, b + j) &&
                 add_same(out, part->a[a + i], part->b[b + j]);
            gap_a = ++i;
            gap_b = ++j;
        } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
            i++;
        else
            j++;
    ok = ok && add_gap(out, part, a + gap_a, a_end, b + gap_b, b_end);
    free(lengths);
    return ok;
}

static bool compare_part(struct logdiff *out, const struct part *part)
{
    size_t start = 0, a_end = part->a_count, b_end = part->b_count;
    bool ok = true;
    while (ok && start < a_end && start < b_end && same(part->a[start], part->b[start])) {
        ok = add_same(out, part->a[start], part->b[start]);
        start++;
    }
    while (a_end > start && b_end > start && same(part->a[a_end - 1], part->b[b_end - 1])) {
        a_end--;
        b_end--;
    }
    ok = ok && align(out, part, start, a_end, start, b_end);
    for (size_t i = a_end, j = b_end; ok && i < part->a_count; i++, j++)
        ok = add_same(out, part->a[i], part->b[j]);
    return ok;
}

static unsigned part_of(const struct eventlog_event *event)
{
    return event->pcr < NO_PCR ? event->pcr : NO_PCR;
}

static size_t collect(const struct eventlog *log, unsigned pcr,
                      const struct eventlog_event **events)
{
    size_t count = 0;
    for (size_t i = 0; i < log->event_count; i++)
        if (part_of(&log->events[i]) == pcr)
            events[count++] = &log->events[i];
    return count;
}

static bool have_common_bank(const struct eventlog *a, const struct eventlog *b)
{
    for (size_t i = 0; i < a->bank_count; i++)
        for (size_t j = 0; j < b->bank_count; j++)
            if (a->banks[i].algorithm == b->banks[j].algorithm)
                return true;
    return false;
}

uint16_t logdiff_bank(const struct logdiff_change *change)
{
    const struct eventlog_event *event = change->a != NULL ? change->a : change->b;
    uint16_t best = event->digest_count == 0 ? 0 : event->digests[0].algorithm;
    size_t size = 0;
    for (size_t i = 0; i < event->digest_count; i++) {
        const struct eventlog_digest *digest = &event->digests[i];
        const struct eventlog_digest *other = change->a == NULL || change->b == NULL
                                                  ? NULL
                                                  : eventlog_digest(change->b, digest->algorithm);
        bool tells = other == NULL || change->kind == LOGDIFF_RELABELLED ||
                     !same_bytes(digest->bytes, digest->size, other->bytes, other->size);
        if (tells && digest->size > size) {
            best = digest->algorithm;
            size = digest->size;
        }
    }
    return best;
}

bool logdiff_compare(const struct eventlog *a, const struct eventlog *b, struct logdiff *out,
                     struct error *error)
{
    *out = (struct logdiff){0};
    if (!have_common_bank(a, b))
        return error_set(error, ERROR_FAILED, "the logs have no bank in common");
    bool used[NO_PCR + 1] = {false};
    for (size_t i = 0; i < a->event_count; i++)
        used[part_of(&a->events[i])] = true;
    for (size_t i = 0; i < b->event_count; i++)
        used[part_of(&b->events[i])] = true;
    struct part part = {0};
    part.a = calloc(a->event_count + 1, sizeof *part.a);
    part.b = calloc(b->event_count + 1, sizeof *part.b);
    bool ok = part.a != NULL && part.b != NULL;
    for (unsigned pcr = 0; ok && pcr <= NO_PCR; pcr++) {
        if (!used[pcr])
            continue;
        part.a_count = collect(a, pcr, part.a);
        part.b_count = collect(b, pcr, part.b);
        ok = compare_part(out, &part);
    }
    free(part.a);
    free(part.b);
    if (ok)
        return true;
    logdiff_free(out);
    return error_memory(error);
}

void logdiff_free(struct logdiff *diff)
{
    free(diff->changes);
    *diff = (struct logdiff){0};
}
