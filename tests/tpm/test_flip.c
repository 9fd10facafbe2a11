/*
 * Every bit of the evidence of a good host, changed: the verdict is no longer "trusted", or the bit
 * is where event_unauthenticated says of the changed log that nothing vouches for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/tpm/verdict_fixture.h"
#include "tpm/event.h"

#include "tests/scratch.h"

struct evidence {
    struct host host;
    struct policy policy;
    struct bytes msg, sig;
    struct pcr_set values;
};

static bool trusted(const struct evidence *e)
{
    struct quote quote;
    struct eventlog log;
    struct verdict verdict;
    struct error error = ERROR_INIT;
    if (!quote_parse(&quote, "msg", e->msg.at, e->msg.length, "sig", e->sig.at, e->sig.length,
                     &e->host.ak, &error))
        return false;
    bool ok = eventlog_parse(&log, e->host.log.data, e->host.log.length, &error);
    if (ok) {
        const struct verdict_evidence evidence = {.log = &log,
                                                  .quote_count = 1,
                                                  .quotes = {{&quote, &e->values}},
                                                  .ak = &e->host.ak,
                                                  .nonce = NONCE,
                                                  .nonce_length = strlen(NONCE),
                                                  .now = HOST_TIME};
        assert_true(verdict_judge(&evidence, &e->policy, &verdict, &error));
        ok = verdict.trusted;
        verdict_free(&verdict);
        eventlog_free(&log);
    }
    quote_free(&quote);
    return ok;
}

static void open_evidence(struct evidence *e)
{
    static const char parts[] = "boot: {secure-boot: required, authorities: [%s]}\n"
                                "esxi: {base-images: [" IMAGE_FILE "], signers: [%s],\n"
                                "  command-lines: [/b.b00 autoPartition=FALSE]}\n";
    char text[sizeof parts + 130], certificate[65];
    struct host_quote q;
    host_open(&e->host, 1);
    boot_good(&e->host);
    sha256_text(vendor, certificate);
    snprintf(text, sizeof text, parts, certificate, certificate);
    host_policy(&e->host, text, &e->policy);
    host_quote(&e->host, 0, USUAL_PCRS, 3, &q);
    e->values = q.values;
    e->msg.length = e->sig.length = 0;
    put(&e->msg, q.quote.attest_bytes, q.quote.attest_length);
    e->sig = sign(e->host.key, 0x0018, BANK_SHA256, "SHA256", &e->msg);
    quote_free(&q.quote);
    assert_true(trusted(e));
}

static void close_evidence(struct evidence *e)
{
    assert_true(trusted(e));
    host_close(&e->host);
    policy_free(&e->policy);
}

/* Of the log as it is now, nothing vouches for the byte AT. */
static bool is_marked(const struct evidence *e, uint64_t at)
{
    struct eventlog log;
    struct error error = ERROR_INIT;
    bool marked = false;
    assert_true(eventlog_parse(&log, e->host.log.data, e->host.log.length, &error));
    for (size_t i = 0; i < log.event_count; i++) {
        struct event_check check;
        struct event_range ranges[EVENT_RANGES_MAX];
        event_check(&log, &log.events[i], &check);
        size_t count = event_unauthenticated(&log, &log.events[i], &check, ranges);
        for (size_t r = 0; r < count; r++)
            marked = marked || (at >= ranges[r].start && at < ranges[r].end);
    }
    eventlog_free(&log);
    return marked;
}

/* Flip every bit of LENGTH bytes at AT; how many flips were accepted, which only those of a log's
 * marked bytes may be. */
static size_t flip_all(struct evidence *e, const char *name, uint8_t *at, size_t length,
                       bool is_log)
{
    size_t accepted = 0;
    for (size_t i = 0; i < length; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            at[i] ^= (uint8_t)(1u << bit);
            if (trusted(e)) {
                accepted++;
                if (!is_log || !is_marked(e, i))
                    fail_msg("%s: bit %u of byte %zu changes nothing", name, bit, i);
            }
            at[i] ^= (uint8_t)(1u << bit);
        }
    return accepted;
}

static void test_quote(void **state)
{
    (void)state;
    struct evidence *e = calloc(1, sizeof *e);
    assert_non_null(e);
    open_evidence(e);
    flip_all(e, "message", e->msg.at, e->msg.length, false);
    flip_all(e, "signature", e->sig.at, e->sig.length, false);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if (USUAL_PCRS >> pcr & 1)
            flip_all(e, "value", e->values.banks[0].value[pcr], 32, false);
    close_evidence(e);
    free(e);
}

static void test_log(void **state)
{
    (void)state;
    struct evidence *e = calloc(1, sizeof *e);
    assert_non_null(e);
    open_evidence(e);
    /* Names of modules and the like may be changed, or this would test nothing. */
    assert_int_not_equal(flip_all(e, "log", (uint8_t *)e->host.log.data, e->host.log.length, true),
                         0);
    close_evidence(e);
    free(e);
}

static int set_up(void **state)
{
    if (scratch_set_up(state) != 0)
        return -1;
    save_image();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
