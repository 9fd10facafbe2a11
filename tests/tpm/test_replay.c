/* Replay of real logs against values computed by another program (expected_pcrs.json of the
 * samples, made in Python and checked against each project's own constants), and the reasons that
 * are found for differences. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/encode.h"
#include "tests/tpm/samples.h"
#include "tpm/event.h"
#include "tpm/event_types.h"
#include "tpm/replay.h"

struct sample {
    struct buffer bytes;
    struct eventlog log;
};

static void open_log(struct sample *s, const char *name)
{
    struct error error = ERROR_INIT;
    s->bytes = BUFFER_INIT;
    if (!eventlog_load(sample_path(name), &s->bytes, &error) ||
        !eventlog_parse(&s->log, s->bytes.data, s->bytes.length, &error))
        fail_msg("%s: %s", name, error.message);
}

static void close_log(struct sample *s)
{
    eventlog_free(&s->log);
    buffer_free(&s->bytes);
}

static void parse_bytes(struct sample *s)
{
    struct error error = ERROR_INIT;
    if (!eventlog_parse(&s->log, s->bytes.data, s->bytes.length, &error))
        fail_msg("%s", error.message);
}

static void check_bank(const char *name, const struct pcr_bank *bank, const json_t *expected)
{
    const char *key;
    json_t *value;
    uint32_t seen = 0;
    json_object_foreach((json_t *)expected, key, value)
    {
        unsigned pcr = (unsigned)atoi(key);
        char hex[2 * BANK_DIGEST_MAX + 1];
        hex_text(bank->value[pcr], bank->size, hex);
        if (strcmp(hex, json_string_value(value)) != 0)
            fail_msg("%s: bank 0x%04x, PCR %u: %s, not %s", name, bank->algorithm, pcr, hex,
                     json_string_value(value));
        seen |= 1u << pcr;
    }
    if (seen != bank->known)
        fail_msg("%s: bank 0x%04x: PCRs 0x%x, not 0x%x", name, bank->algorithm, bank->known, seen);
}

static void check_log(const char *name, const json_t *expected)
{
    struct sample s;
    struct error error = ERROR_INIT;
    struct pcr_set set;
    open_log(&s, name);
    size_t events = (size_t)json_integer_value(json_object_get(expected, "events"));
    if (s.log.format == EVENTLOG_AGILE)
        events++;
    /* The reference takes Windows' event of no PCR at the end for a fill. */
    if (strstr(name, "option_rom") != NULL)
        events++;
    if (s.log.event_count != events)
        fail_msg("%s: %zu events, not %zu", name, s.log.event_count, events);
    assert_true(replay_log(&s.log, &set, NULL, &error));
    const char *bank;
    json_t *values;
    size_t banks = 0;
    json_object_foreach(json_object_get(expected, "pcrs"), bank, values)
    {
        const struct bank_algorithm *algorithm = bank_by_name(bank);
        assert_non_null(algorithm);
        assert_non_null(pcr_bank(&set, algorithm->id));
        check_bank(name, pcr_bank(&set, algorithm->id), values);
        banks++;
    }
    assert_int_equal(banks, set.bank_count);
    close_log(&s);
}

static void test_all_samples(void **state)
{
    (void)state;
    if (!have_sample("expected_pcrs.json"))
        skip();
    json_t *all = json_load_file(sample_path("expected_pcrs.json"), 0, NULL);
    assert_non_null(all);
    const char *name;
    json_t *expected;
    json_object_foreach(all, name, expected) check_log(name, expected);
    assert_int_equal(json_object_size(all), 45);
    json_decref(all);
}

static void test_negatives(void **state)
{
    (void)state;
    if (!have_sample("keylime/binary_bios_measurements-bogus"))
        skip();
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"keylime/binary_bios_measurements-bogus", "is no TCG event log"},
        {"keylime/binary_bios_measurements-empty", "is empty"},
        {"keylime/quote-quotepcr.out", "is no TCG event log"},
        {"go-tpm-tools/cel.b64", "canonical event log"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer bytes = BUFFER_INIT;
        struct eventlog log;
        struct error error = ERROR_INIT;
        assert_false(eventlog_load(sample_path(cases[i].name), &bytes, &error) &&
                     eventlog_parse(&log, bytes.data, bytes.length, &error));
        if (strstr(error.message, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].name, error.message);
        buffer_free(&bytes);
    }
}

/* Results of comparing LOG with VALUES; the one for PCR of ALGORITHM goes to *found. */
static void compare(const struct eventlog *log, const struct pcr_set *values, uint16_t algorithm,
                    unsigned pcr, struct replay_result *found, bool *all_match)
{
    struct replay_report report;
    struct error error = ERROR_INIT;
    assert_true(replay_compare(log, values, &report, &error));
    bool any = false;
    for (size_t i = 0; i < report.count; i++)
        if (report.results[i].algorithm == algorithm && report.results[i].pcr == pcr) {
            *found = report.results[i];
            any = true;
        }
    assert_true(any);
    if (all_match != NULL)
        *all_match = report.all_match;
    replay_report_free(&report);
}

static void expect_reason(const struct eventlog *log, const struct pcr_set *values,
                          uint16_t algorithm, unsigned pcr, const char *says)
{
    struct replay_result result;
    bool all;
    compare(log, values, algorithm, pcr, &result, &all);
    assert_false(all);
    assert_int_equal(result.match, REPLAY_DIFFERS);
    if (!result.explained || strstr(result.why, says) == NULL)
        fail_msg("PCR %u: \"%s\", without \"%s\"", pcr, result.why, says);
}

#define REAL "tpm2-tools/event-arch-linux.bin"
static const uint16_t two[] = {BANK_SHA1, BANK_SHA256};

/* The values of a real log; its events can then be changed in memory. */
static void open_real(struct sample *s, struct pcr_set *values)
{
    struct error error = ERROR_INIT;
    open_log(s, REAL);
    assert_true(replay_log(&s->log, values, NULL, &error));
}

/* The events of PCR, in order. */
static size_t events_of(const struct eventlog *log, unsigned pcr, struct eventlog_event **events)
{
    size_t count = 0;
    for (size_t i = 1; i < log->event_count; i++)
        if (log->events[i].pcr == pcr && log->events[i].type != EV_NO_ACTION)
            events[count++] = &log->events[i];
    return count;
}

static void test_matches(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values;
    struct replay_result result;
    bool all;
    open_real(&s, &values);
    compare(&s.log, &values, BANK_SHA256, 7, &result, &all);
    assert_true(all);
    assert_int_equal(result.match, REPLAY_MATCHES);

    /* A PCR without events may only hold what it starts with. */
    uint8_t value[32] = {0};
    assert_true(pcr_put(&values, BANK_SHA256, 16, value, 32));
    compare(&s.log, &values, BANK_SHA256, 16, &result, &all);
    assert_true(all);
    assert_int_equal(result.match, REPLAY_ABSENT_INITIAL);
    assert_true(pcr_put(&values, BANK_SHA256, 17, value, 32));
    compare(&s.log, &values, BANK_SHA256, 17, &result, &all);
    assert_false(all);
    assert_int_equal(result.match, REPLAY_ABSENT_DIFFERS);
    assert_non_null(strstr(result.why, "dynamic launch"));
    close_log(&s);
}

static void test_nothing_to_compare_is_no_match(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values = {0};
    struct replay_report report;
    struct error error = ERROR_INIT;
    open_log(&s, REAL);
    assert_true(replay_compare(&s.log, &values, &report, &error));
    assert_false(report.all_match);
    replay_report_free(&report);
    /* A bank that the log lacks. */
    uint8_t value[48] = {1};
    assert_true(pcr_put(&values, BANK_SHA384, 7, value, 48));
    struct replay_result result;
    bool all;
    compare(&s.log, &values, BANK_SHA384, 7, &result, &all);
    assert_false(all);
    assert_int_equal(result.match, REPLAY_SKIPPED);
    close_log(&s);
}

static void test_left_out_and_added(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values;
    struct eventlog_event *events[200] = {0};
    char says[64];
    open_real(&s, &values);
    size_t count = events_of(&s.log, 7, events);
    assert_true(count >= 5);

    /* An event that the log invents: the TPM has what the others lead to. */
    uint32_t pcr = events[2]->pcr;
    struct pcr_set without;
    struct error error = ERROR_INIT;
    events[2]->pcr = 23;
    assert_true(replay_log(&s.log, &without, NULL, &error));
    events[2]->pcr = pcr;
    snprintf(says, sizeof says, "without event %zu", events[2]->number);
    expect_reason(&s.log, &without, BANK_SHA256, 7, says);
    expect_reason(&s.log, &without, BANK_SHA1, 7, says);

    /* Two of them. */
    events[1]->pcr = events[3]->pcr = 23;
    assert_true(replay_log(&s.log, &without, NULL, &error));
    events[1]->pcr = events[3]->pcr = pcr;
    snprintf(says, sizeof says, "without event %zu", events[1]->number);
    expect_reason(&s.log, &without, BANK_SHA256, 7, says);

    /* A separator that the log lacks. */
    size_t at = 0;
    while (at < count && events[at]->type != EV_SEPARATOR)
        at++;
    assert_true(at > 0 && at < count);
    uint32_t type = events[at]->type;
    events[at]->type = EV_NO_ACTION;
    expect_reason(&s.log, &values, BANK_SHA256, 7, "\"separator 00000000\" added");
    events[at]->type = type;
    close_log(&s);
}

static void test_altered(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values;
    struct eventlog_event *events[200] = {0};
    char says[64];
    open_real(&s, &values);
    events_of(&s.log, 7, events);

    /* SecureBoot's variable: its digest is that of its data. */
    uint8_t *digest = (uint8_t *)eventlog_digest(events[0], BANK_SHA256)->bytes;
    uint8_t kept[32];
    memcpy(kept, digest, 32);
    memset(digest, 0x55, 32);
    snprintf(says, sizeof says, "digest of event %zu", events[0]->number);
    expect_reason(&s.log, &values, BANK_SHA256, 7, says);
    memcpy(digest, kept, 32);

    /* One bit of a digest that is not of the data. */
    size_t count = events_of(&s.log, 4, events), at = 0;
    while (at < count && events[at]->type != EV_EFI_BOOT_SERVICES_APPLICATION)
        at++;
    assert_true(at < count);
    digest = (uint8_t *)eventlog_digest(events[at], BANK_SHA256)->bytes;
    digest[3] ^= 0x10;
    snprintf(says, sizeof says, "bit 4 of byte 3 of the digest of event %zu", events[at]->number);
    expect_reason(&s.log, &values, BANK_SHA256, 4, says);
    /* The other bank is not touched by it. */
    struct replay_result result;
    compare(&s.log, &values, BANK_SHA1, 4, &result, NULL);
    assert_int_equal(result.match, REPLAY_MATCHES);
    /* More than that cannot be found, and is not claimed. */
    memset(digest, 0xaa, 32);
    compare(&s.log, &values, BANK_SHA256, 4, &result, NULL);
    assert_int_equal(result.match, REPLAY_DIFFERS);
    assert_false(result.explained);
    assert_non_null(strstr(result.why, "no single event"));
    close_log(&s);
}

static void test_moved(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values;
    struct eventlog_event *events[200] = {0};
    char says[64];
    open_real(&s, &values);
    size_t count = events_of(&s.log, 7, events);
    struct eventlog_event first = *events[1];
    const struct eventlog_digest *digests = events[2]->digests;
    events[1]->digests = digests;
    events[2]->digests = first.digests;
    snprintf(says, sizeof says, "with event %zu", events[2]->number);
    expect_reason(&s.log, &values, BANK_SHA256, 7, says);
    expect_reason(&s.log, &values, BANK_SHA256, 7, "order was changed");
    events[1]->digests = first.digests;
    events[2]->digests = digests;

    /* The second event went to the end. */
    const struct eventlog_digest *kept = events[1]->digests;
    for (size_t i = 1; i + 1 < count; i++)
        events[i]->digests = events[i + 1]->digests;
    events[count - 1]->digests = kept;
    snprintf(says, sizeof says, "with event %zu", events[count - 1]->number);
    expect_reason(&s.log, &values, BANK_SHA256, 7, says);
    expect_reason(&s.log, &values, BANK_SHA256, 7, "moved to the place of");
    close_log(&s);
}

static void test_doubled(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values, twice;
    struct eventlog_event *events[200] = {0};
    struct error error = ERROR_INIT;
    char says[64];
    open_real(&s, &values);
    size_t count = events_of(&s.log, 7, events);
    /* What a TPM holds that extended event 1 twice and never event 2 has the same count. */
    const struct eventlog_digest *kept = events[2]->digests;
    events[2]->digests = events[1]->digests;
    assert_true(replay_log(&s.log, &twice, NULL, &error));
    events[2]->type = EV_NO_ACTION;
    snprintf(says, sizeof says, "event %zu", events[1]->number);
    expect_reason(&s.log, &twice, BANK_SHA256, 7, says);
    expect_reason(&s.log, &twice, BANK_SHA256, 7, "extended twice");
    events[2]->digests = kept;
    events[2]->type = events[0]->type;

    /* The last two once more, as when final events are joined carelessly. */
    struct pcr_set before;
    events[count - 1]->type = events[count - 2]->type = EV_NO_ACTION;
    assert_true(replay_log(&s.log, &before, NULL, &error));
    events[count - 1]->type = events[count - 2]->type = EV_EVENT_TAG;
    const struct eventlog_digest *last[] = {events[count - 2]->digests, events[count - 1]->digests};
    events[count - 2]->digests = events[count - 4]->digests;
    events[count - 1]->digests = events[count - 3]->digests;
    expect_reason(&s.log, &before, BANK_SHA256, 7, "repeat those before");
    events[count - 2]->digests = last[0];
    events[count - 1]->digests = last[1];
    expect_reason(&s.log, &before, BANK_SHA256, 7, "is what it was before event");
    close_log(&s);
}

static void test_values_mixed_up(void **state)
{
    (void)state;
    if (!have_sample(REAL))
        skip();
    struct sample s;
    struct pcr_set values;
    open_real(&s, &values);
    struct pcr_bank *bank = pcr_bank_add(&values, BANK_SHA256);
    uint8_t seven[32];
    memcpy(seven, bank->value[7], 32);
    memcpy(bank->value[7], bank->value[4], 32);
    memcpy(bank->value[4], seven, 32);
    expect_reason(&s.log, &values, BANK_SHA256, 7, "is the value that PCR 4 should have");
    memset(bank->value[4], 0, 32);
    expect_reason(&s.log, &values, BANK_SHA256, 4, "holds its start value");

    /* Digests of SHA-1 that firmware put into the SHA-256 bank, filled with zeros. */
    struct buffer b = BUFFER_INIT;
    put_spec(&b, 0, two, 2, 0, 0);
    put_agile(&b, 4, EV_ACTION, two, 2, 'a', "x", 1);
    put_agile(&b, 4, EV_ACTION, two, 2, 'b', "y", 1);
    struct sample made = {.bytes = b};
    parse_bytes(&made);
    uint8_t value[32] = {0}, digest[32] = {0};
    for (int i = 'a'; i <= 'b'; i++) {
        memset(digest, i, 20);
        assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
    }
    struct pcr_set padded = {0};
    assert_true(pcr_put(&padded, BANK_SHA256, 4, value, 32));
    expect_reason(&made.log, &padded, BANK_SHA256, 4, "digests of bank sha1");
    close_log(&made);
    close_log(&s);
}

static void test_missing_exit_boot_services(void **state)
{
    (void)state;
    static const char log[] = "go-attestation/ebs_event_missing_eventlog";
    if (!have_sample(log))
        skip();
    struct sample s;
    struct pcr_set values;
    struct error error = ERROR_INIT;
    open_log(&s, log);
    assert_true(replay_log(&s.log, &values, NULL, &error));
    struct pcr_bank *bank = pcr_bank_add(&values, BANK_SHA1);
    static const char *const lacking[] = {"Exit Boot Services Invocation",
                                          "Exit Boot Services Returned with Success"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t digest[20];
        assert_true(bank_hash(BANK_SHA1, lacking[i], strlen(lacking[i]), "", 0, digest));
        assert_true(bank_hash(BANK_SHA1, bank->value[5], 20, digest, 20, bank->value[5]));
    }
    expect_reason(&s.log, &values, BANK_SHA1, 5, "Exit Boot Services Returned with Success");
    close_log(&s);
}

static void test_cut_off(void **state)
{
    (void)state;
    if (!have_sample("esxi-synthetic/esxi-synth.truncated.eventlog"))
        skip();
    struct sample whole, cut;
    struct pcr_set values;
    struct error error = ERROR_INIT;
    open_log(&whole, "esxi-synthetic/esxi-synth.eventlog");
    open_log(&cut, "esxi-synthetic/esxi-synth.truncated.eventlog");
    assert_int_equal(cut.log.tail, EVENTLOG_TAIL_TRUNCATED);
    assert_true(cut.log.has_cut);
    assert_true(replay_log(&whole.log, &values, NULL, &error));
    unsigned pcr = cut.log.cut.pcr;
    expect_reason(&cut.log, &values, BANK_SHA384, pcr, "the record that is cut off at byte 5971");
    close_log(&whole);
    close_log(&cut);
}

/* PCR 0 at locality 3, in a log that tells it, one that does not, and with a hardware root. */
static void test_locality(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    for (int kind = 0; kind < 4; kind++) {
        struct sample s = {.bytes = BUFFER_INIT};
        put_spec(&s.bytes, 0, two, 2, 0, 0);
        if (kind == 1)
            put_agile(&s.bytes, 0, EV_NO_ACTION, two, 2, 0, "StartupLocality\0\3", 17);
        if (kind == 2)
            put_agile(&s.bytes, 0, EV_EFI_HCRTM_EVENT, two, 2, 'h', "HCRTM", 5);
        put_agile(&s.bytes, 0, EV_ACTION, two, 2, 'a', "x", 1);
        /* Too late to be the root of what came before. */
        if (kind == 3)
            put_agile(&s.bytes, 0, EV_EFI_HCRTM_EVENT, two, 2, 'h', "HCRTM", 5);
        parse_bytes(&s);
        uint8_t value[32] = {0}, digest[32];
        value[31] = kind == 2 ? 4 : kind == 3 ? 0 : 3;
        memset(digest, 'h', 32);
        if (kind == 2)
            assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
        memset(digest, 'a', 32);
        assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
        memset(digest, 'h', 32);
        if (kind == 3)
            assert_true(bank_hash(BANK_SHA256, value, 32, digest, 32, value));
        struct pcr_set set, told = {0};
        assert_true(replay_log(&s.log, &set, NULL, &error));
        assert_true(pcr_put(&told, BANK_SHA256, 0, value, 32));
        if (kind == 0)
            expect_reason(&s.log, &told, BANK_SHA256, 0, "locality 3");
        else
            assert_memory_equal(pcr_bank(&set, BANK_SHA256)->value[0], value, 32);
        close_log(&s);
    }
}

/* TXT's events in PCR 17: the launch has zeroed it before. */
static void test_dynamic_launch(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    for (int txt = 0; txt < 2; txt++) {
        struct sample s = {.bytes = BUFFER_INIT};
        put_spec(&s.bytes, 0, two, 2, 0, 0);
        put_agile(&s.bytes, 17, txt ? 0x402 : EV_ACTION, two, 2, 'a', "x", 1);
        parse_bytes(&s);
        uint8_t value[2][32], digest[32];
        memset(value[0], 0xff, 32);
        memset(value[1], 0, 32);
        memset(digest, 'a', 32);
        for (int i = 0; i < 2; i++)
            assert_true(bank_hash(BANK_SHA256, value[i], 32, digest, 32, value[i]));
        struct pcr_set set, told = {0};
        assert_true(replay_log(&s.log, &set, NULL, &error));
        assert_memory_equal(pcr_bank(&set, BANK_SHA256)->value[17], value[txt], 32);
        assert_true(pcr_put(&told, BANK_SHA256, 17, value[!txt], 32));
        expect_reason(&s.log, &told, BANK_SHA256, 17, "dynamic launch");
        close_log(&s);
    }
}

/* Registers of a TDX guest start with zeros at whatever index. */
static void test_confidential(void **state)
{
    (void)state;
    static const uint16_t sha384 = BANK_SHA384;
    struct error error = ERROR_INIT;
    struct sample s = {.bytes = BUFFER_INIT};
    put_spec(&s.bytes, 1, &sha384, 1, 0, 0);
    put_agile(&s.bytes, 1, EV_ACTION, &sha384, 1, 'a', "x", 1);
    memset(buffer_reserve(&s.bytes, 5000), 0xff, 5000);
    s.bytes.length += 5000;
    parse_bytes(&s);
    assert_true(s.log.cc);
    assert_int_equal(s.log.tail, EVENTLOG_TAIL_FF);
    char name[32];
    assert_string_equal(eventlog_register_name(&s.log, 1, name), "RTMR 0 (index 1)");
    struct pcr_set set;
    uint8_t value[48] = {0}, digest[48];
    memset(digest, 'a', 48);
    assert_true(bank_hash(BANK_SHA384, value, 48, digest, 48, value));
    assert_true(replay_log(&s.log, &set, NULL, &error));
    assert_memory_equal(pcr_bank(&set, BANK_SHA384)->value[1], value, 48);
    close_log(&s);
}

/* Algorithms that we do not know are stepped over by the size that the log gives. */
static void test_unknown_bank(void **state)
{
    (void)state;
    static const uint16_t banks[] = {0x7777, BANK_SHA3_256, BANK_SM3_256};
    struct error error = ERROR_INIT;
    struct sample s = {.bytes = BUFFER_INIT};
    put_spec(&s.bytes, 0, banks, 3, 0, 0);
    put_agile(&s.bytes, 1, EV_ACTION, banks, 3, 'a', "x", 1);
    parse_bytes(&s);
    struct pcr_set set;
    struct replay_skipped skipped;
    assert_int_equal(s.log.event_count, 2);
    assert_true(replay_log(&s.log, &set, &skipped, &error));
    assert_true(skipped.count >= 1);
    assert_int_equal(skipped.algorithm[0], 0x7777);
    uint8_t value[32] = {0}, digest[32];
    memset(digest, 'a', 32);
    assert_true(bank_hash(BANK_SHA3_256, value, 32, digest, 32, value));
    assert_memory_equal(pcr_bank(&set, BANK_SHA3_256)->value[1], value, 32);
    close_log(&s);
}

/* The event of LOG whose record has the byte at OFFSET; NULL: none. */
static const struct eventlog_event *event_at(const struct eventlog *log, size_t offset)
{
    const struct eventlog_event *found = NULL;
    for (size_t i = 0; i < log->event_count && log->events[i].offset <= offset; i++)
        found = &log->events[i];
    return found;
}

/* A log whose byte at OFFSET was changed leads to the right PCRs: only where nothing vouches for
 * that byte, and where it is not said that something does. */
static bool may_pass(const struct sample *s, size_t offset)
{
    const struct eventlog_event *event = event_at(&s->log, offset);
    struct event_check check;
    if (event->type == EV_NO_ACTION || event->number == 0)
        return true;
    size_t data = (size_t)(event->data - (const uint8_t *)s->bytes.data);
    if (offset >= event->offset + 4 && offset < event->offset + 8)
        return true; /* its type */
    if (offset < data || offset >= data + event->length)
        return false;
    event_check(&s->log, event, &check);
    return check.failed || !event_covers(&check, offset - data, 1);
}

/* Every bit of a log with its PCR values flipped. */
static void test_no_flip_passes(void **state)
{
    (void)state;
    static const char name[] = "esxi-synthetic/esxi-synth.eventlog";
    if (!have_sample(name))
        skip();
    struct sample s;
    static struct pcr_set values, set;
    struct error error = ERROR_INIT;
    size_t passed = 0, caught = 0;
    open_log(&s, name);
    assert_true(replay_log(&s.log, &values, NULL, &error));
    for (size_t bit = 0; bit < 8 * s.bytes.length; bit++) {
        eventlog_free(&s.log);
        s.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        memset(&set, 0, sizeof set);
        if (!eventlog_parse(&s.log, s.bytes.data, s.bytes.length, &error))
            caught++;
        else if (!replay_log(&s.log, &set, NULL, &error) ||
                 memcmp(&set, &values, sizeof set) != 0 || s.log.tail != EVENTLOG_TAIL_NONE)
            caught++;
        else if (may_pass(&s, bit / 8))
            passed++;
        else
            fail_msg("bit %zu of byte %zu passes", bit % 8, bit / 8);
        s.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(caught > 4 * passed / 5);
    close_log(&s);
}

/* A PCR with many events costs no more than its budget. */
static void test_search_ends(void **state)
{
    (void)state;
    struct sample s = {.bytes = BUFFER_INIT};
    put_spec(&s.bytes, 0, two, 2, 0, 0);
    for (int i = 0; i < 20000; i++)
        put_agile(&s.bytes, 10, EV_ACTION, two, 2, i, "x", 1);
    parse_bytes(&s);
    struct pcr_set told = {0};
    uint8_t value[32] = {1};
    assert_true(pcr_put(&told, BANK_SHA256, 10, value, 32));
    struct replay_result result;
    compare(&s.log, &told, BANK_SHA256, 10, &result, NULL);
    assert_false(result.explained);
    assert_non_null(strstr(result.why, "as far as it was searched"));
    close_log(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_samples),
        cmocka_unit_test(test_negatives),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_nothing_to_compare_is_no_match),
        cmocka_unit_test(test_left_out_and_added),
        cmocka_unit_test(test_altered),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_values_mixed_up),
        cmocka_unit_test(test_missing_exit_boot_services),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_locality),
        cmocka_unit_test(test_dynamic_launch),
        cmocka_unit_test(test_confidential),
        cmocka_unit_test(test_unknown_bank),
        cmocka_unit_test(test_no_flip_passes),
        cmocka_unit_test(test_search_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
