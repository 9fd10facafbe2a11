/* Facts: what is found, what vouches for it, and every problem that real firmware never makes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/tpm/event_fixture.h"
#include "tpm/facts.h"

static const uint8_t zeros[4];

struct found {
    struct fixture f;
    struct facts facts;
};

static void find(struct found *found)
{
    struct error error = ERROR_INIT;
    fixture_parse(&found->f);
    assert_true(facts_find(&found->f.log, &found->facts, &error));
}

static void done(struct found *found)
{
    facts_free(&found->facts);
    fixture_free(&found->f);
}

static size_t count(const struct found *found, enum fact_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < found->facts.count; i++)
        n += found->facts.facts[i].kind == kind;
    return n;
}

static const struct fact *first(const struct found *found, enum fact_kind kind)
{
    for (size_t i = 0; i < found->facts.count; i++)
        if (found->facts.facts[i].kind == kind)
            return &found->facts.facts[i];
    fail_msg("no fact of kind %d", (int)kind);
    return NULL;
}

static bool has_problem(const struct found *found, bool grave, const char *part)
{
    for (size_t i = 0; i < found->facts.problem_count; i++)
        if (found->facts.problems[i].grave == grave &&
            strstr(found->facts.problems[i].text, part) != NULL)
            return true;
    return false;
}

static size_t grave(const struct found *found)
{
    size_t n = 0;
    for (size_t i = 0; i < found->facts.problem_count; i++)
        n += found->facts.problems[i].grave;
    return n;
}

static void put_config(struct buffer *b, const char *name, const void *data, size_t length)
{
    put_variable_event(b, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, name, data, length);
}

/* A list of one SHA-256. */
static const uint8_t list[28 + 48] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9,
                                      0x41, 0xf9, 0x36, 0x93, 0x43, 0x28, 76,   0,    0,    0,
                                      0,    0,    0,    0,    48,   0,    0,    0};

static void put_authority(struct buffer *b)
{
    put_variable_event(b, 7, EV_EFI_VARIABLE_AUTHORITY, "db", list + 28, 48);
}

/* What good firmware measures, in its order; SKIP leaves one step out. */
enum { NO_SEPARATOR = 1, NO_AUTHORITY = 2, NO_KEYS = 4, NO_SECURE_BOOT = 8 };

static void put_boot(struct buffer *b, unsigned skip)
{
    put_begin(b);
    if ((skip & NO_SECURE_BOOT) == 0)
        put_config(b, "SecureBoot", "\1", 1);
    if ((skip & NO_KEYS) == 0) {
        put_config(b, "PK", list, sizeof list);
        put_config(b, "KEK", list, sizeof list);
        put_config(b, "db", list, sizeof list);
    }
    put_config(b, "dbx", list, sizeof list);
    for (uint32_t pcr = 0; pcr < 8; pcr++)
        if (pcr != 7 || (skip & NO_SEPARATOR) == 0)
            put_event(b, pcr, EV_SEPARATOR, zeros, 4);
    if ((skip & NO_AUTHORITY) == 0)
        put_authority(b);
}

static void test_good(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    put_boot(&found.f.bytes, 0);
    find(&found);
    assert_int_equal(found.facts.problem_count, 0);
    const struct fact *boot = first(&found, FACT_SECURE_BOOT);
    assert_string_equal(boot->value, "on");
    assert_true(boot->authenticated);
    assert_int_equal(boot->event->pcr, 7);
    assert_int_equal(count(&found, FACT_DB_ENTRY), 4);
    const struct fact *entry = first(&found, FACT_DB_ENTRY);
    assert_string_equal(entry->name, "PK");
    assert_string_equal(entry->value, "sha256 0000000000000000000000000000000000000000000000000"
                                      "000000000000000");
    assert_int_equal(entry->blob_length, 32);
    const struct fact *authority = first(&found, FACT_AUTHORITY);
    assert_string_equal(authority->name, "db");
    assert_int_equal(authority->blob_length, 32);
    assert_true(authority->authenticated);
    done(&found);
}

/* One rule broken each, and that one named. */
static void test_grave(void **state)
{
    (void)state;
    static const char bad_list[28] = {1};
    uint8_t header[28 + 16 + 48];
    memcpy(header, list, 28);
    header[16] = sizeof header;
    header[20] = 16;
    memset(header + 28, 0, sizeof header - 28);
    for (unsigned rule = 0;; rule++) {
        struct found found = {.f = {.bytes = BUFFER_INIT}};
        struct buffer *b = &found.f.bytes;
        const char *problem = NULL;
        if (rule == 0) {
            put_boot(b, NO_SEPARATOR);
            problem = "PCR 7 has no separator";
        } else if (rule == 1) {
            put_boot(b, NO_AUTHORITY);
            problem = "nothing was verified";
        } else if (rule == 13) {
            put_boot(b, NO_SECURE_BOOT);
            put_config(b, "SecureBoot", "\1", 1);
            problem = "SecureBoot is measured behind the separator";
        } else if (rule == 14) {
            put_begin(b);
            put_config(b, "SecureBoot", "\2", 1);
            put_event(b, 7, EV_SEPARATOR, zeros, 4);
            problem = "neither 0 nor 1";
        } else if (rule == 15) {
            put_begin(b);
            put_config(b, "SecureBoot", "\0", 1);
            put_config(b, "SecureBoot", "\1", 1);
            put_event(b, 7, EV_SEPARATOR, zeros, 4);
            problem = "SecureBoot is measured twice";
        } else if (rule == 16) {
            put_begin(b);
            put_config(b, "dbx", bad_list, sizeof bad_list);
            put_event(b, 7, EV_SEPARATOR, zeros, 4);
            problem = "dbx does not parse";
        } else if (rule == 17) {
            put_begin(b);
            put_config(b, "db", header, sizeof header);
            put_event(b, 7, EV_SEPARATOR, zeros, 4);
            problem = "db has a list with a header";
        } else if (rule == 18) {
            break;
        } else {
            put_boot(b, 0);
        }
        if (rule == 2) {
            put_event(b, 7, EV_SEPARATOR, zeros, 4);
            problem = "PCR 7 has 2 separators";
        } else if (rule == 3) { /* by another type's name it is still one */
            put_event(b, 7, EV_IPL, "\xff\xff\xff\xff", 4);
            problem = "PCR 7 has 2 separators";
        } else if (rule == 4) {
            put_event(b, 3, EV_SEPARATOR, zeros, 4);
            problem = "PCR 3 has 2 separators";
        } else if (rule == 5) {
            put_config(b, "dbx", list, sizeof list);
            problem = "dbx is measured behind the separator";
        } else if (rule == 6) {
            put_of(b, 7, EV_POST_CODE, "hidden", 6, "shown", 5);
            problem = "EV_POST_CODE in PCR 7";
        } else if (rule == 7) {
            put_event(b, 7, EV_EFI_VARIABLE_AUTHORITY, "x", 1);
            problem = "no UEFI variable";
        } else if (rule == 8) {
            put_of(b, 5, EV_EFI_ACTION, "x", 1, "action", 6);
            problem = "not the hash of its data";
        } else if (rule == 9) {
            put_of(b, 2, EV_SEPARATOR, "\1\0\0\0", 4, "error", 5);
            problem = "reports an error in PCR 2";
        } else if (rule == 10 || rule == 11) {
            put_tag_of(b, 12, 2, "1", 1, rule == 10 ? "b.b00" : "k.b00", 6);
            put_tag_of(b, 12, 2, "2", 1, rule == 10 ? "b.v01" : "k", rule == 10 ? 6 : 2);
            problem = rule == 10 ? "a second module b" : "a second module k";
        } else if (rule == 12) {
            put_event(b, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "x", 1);
            problem = "no UEFI variable";
        }
        find(&found);
        if (!has_problem(&found, true, problem))
            fail_msg("rule %u: no grave problem '%s'", rule, problem);
        assert_int_equal(grave(&found), 1);
        if (rule == 13 || rule == 14)
            assert_int_equal(count(&found, FACT_SECURE_BOOT), 0);
        if (rule == 15)
            assert_string_equal(first(&found, FACT_SECURE_BOOT)->value, "off");
        done(&found);
    }
}

static void test_doubtful(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    put_boot(&found.f.bytes, NO_KEYS);
    put_tag_of(&found.f.bytes, 11, 2, "1", 1, "k.b00", 6);
    put_of(&found.f.bytes, 12, EV_UNUSED, "1", 1, "x", 1);
    find(&found);
    assert_int_equal(grave(&found), 0);
    assert_true(has_problem(&found, false, "no key in PK"));
    assert_true(has_problem(&found, false, "no key in db"));
    assert_true(has_problem(&found, false, "does not belong"));
    assert_true(has_problem(&found, false, "which ESXi does not measure"));
    done(&found);
}

static void test_off_and_warnings(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    put_begin(&found.f.bytes);
    put_config(&found.f.bytes, "SecureBoot", "", 0); /* not there */
    put_event(&found.f.bytes, 7, EV_EFI_ACTION, "DMA Protection Disabled", 24);
    put_event(&found.f.bytes, 7, EV_ACTION, "UEFI Debug Mode", 15);
    put_event(&found.f.bytes, 7, EV_SEPARATOR, zeros, 4);
    find(&found);
    assert_string_equal(first(&found, FACT_SECURE_BOOT)->value, "off");
    assert_int_equal(count(&found, FACT_DMA_PROTECTION_OFF), 1);
    assert_int_equal(count(&found, FACT_DEBUG_MODE), 1);
    assert_int_equal(grave(&found), 0);
    done(&found);
}

/* "Secure Boot is on" whose digest says otherwise. */
static void test_unauthenticated(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    struct buffer off = BUFFER_INIT, on = BUFFER_INIT;
    put_variable(&off, "SecureBoot", "\0", 1);
    put_variable(&on, "SecureBoot", "\1", 1);
    put_begin(&found.f.bytes);
    put_of(&found.f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, off.data, off.length, on.data,
           on.length);
    put_event(&found.f.bytes, 7, EV_SEPARATOR, zeros, 4);
    put_authority(&found.f.bytes);
    find(&found);
    assert_false(first(&found, FACT_SECURE_BOOT)->authenticated);
    assert_true(has_problem(&found, true, "not the hash of its data"));
    buffer_free(&off);
    buffer_free(&on);
    done(&found);
}

static void test_esxi(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    struct buffer *b = &found.f.bytes;
    static const char complete[] = "Boot Complete";
    put_begin(b);
    put_tag_of(b, 12, 2, "module", 6, "b.b00", 6);
    put_tag_of(b, 14, 3, "options", 7, "useropts.gz", 12);
    put_tag_of(b, 14, 4, "/b.b00 a=\033[2J", 13, "/b.b00 a=\033[2J", 13);
    put_tag_of(b, 14, 7, "key", 3, "key", 3);
    put_tag_of(b, 14, 6, "tag", 3, "tag", 3);
    put_tag_of(b, 14, 6, "tag", 3, "tug", 3);
    put_tag_of(b, 21, 5, "execInstalledOnly = TRUE", 25, "execInstalledOnly = TRUE", 25);
    put_tag_of(b, 13, 99, complete, sizeof complete, "x", 1);
    put_tag_of(b, 13, 2, "late", 4, "late.v00", 9);
    find(&found);
    const struct fact *module = first(&found, FACT_MODULE);
    assert_string_equal(module->name, "b.b00");
    assert_false(module->authenticated);
    assert_int_equal(count(&found, FACT_BOOT_OPTION), 1);
    const struct fact *line = first(&found, FACT_COMMAND_LINE);
    assert_true(line->authenticated);
    assert_string_equal(line->value, "/b.b00 a=\\x1b[2J"); /* safe to show */
    const struct fact *signer = first(&found, FACT_SIGNER);
    assert_string_equal(signer->value, "public key");
    assert_memory_equal(signer->blob, "key", 3);
    const struct fact *tag = first(&found, FACT_ASSET_TAG);
    assert_true(tag[0].authenticated && !tag[1].authenticated);
    assert_memory_equal(tag[0].blob, "tag", 3);
    assert_string_equal(first(&found, FACT_SECURITY_OPTION)->value, "execInstalledOnly = TRUE");
    assert_true(first(&found, FACT_SECURITY_OPTION)->authenticated);
    assert_true(first(&found, FACT_BOOT_COMPLETE)->authenticated);
    assert_true(has_problem(&found, false, "after the boot was complete"));
    done(&found);
}

/* The number of a tag is anybody's word: no command line passes for a security option. */
static void test_security_options(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        bool is_option;
    } payloads[] = {
        {"execInstalledOnly = TRUE", 24, true},
        {"execInstalledOnly = TRUE", 25, true},
        {"/b.b00 a = b", 12, false},
        {"a = b c", 7, false},
        {"a = b\0c", 7, false},
        {"a = ", 4, false},
        {" = b", 4, false},
        {"a=b", 3, false},
        {"", 0, false},
        {"a = b\0\0", 7, false},
    };
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        struct found found = {.f = {.bytes = BUFFER_INIT}};
        put_begin(&found.f.bytes);
        put_tag_of(&found.f.bytes, 14, 5, payloads[i].text, payloads[i].length, payloads[i].text,
                   payloads[i].length);
        find(&found);
        assert_int_equal(count(&found, FACT_SECURITY_OPTION), payloads[i].is_option);
        assert_int_equal(has_problem(&found, false, "a security option that is none"),
                         !payloads[i].is_option);
        done(&found);
    }
}

/* However many problems there are, a grave one is among those kept. */
static void test_many(void **state)
{
    (void)state;
    struct found found = {.f = {.bytes = BUFFER_INIT}};
    put_begin(&found.f.bytes);
    put_tag_of(&found.f.bytes, 12, 2, "1", 1, "b.b00", 6);
    for (size_t i = 0; i < FACTS_PROBLEMS_MAX + 10; i++)
        put_of(&found.f.bytes, 12, EV_UNUSED, "1", 1, "x", 1);
    put_tag_of(&found.f.bytes, 12, 2, "1", 1, "b.b00", 6);
    find(&found);
    assert_int_equal(found.facts.problem_count, FACTS_PROBLEMS_MAX);
    assert_true(has_problem(&found, true, "a second module b"));
    done(&found);
    struct buffer many = BUFFER_INIT;
    buffer_append(&many, list, 16);
    put32(&many, 28 + 17 * (FACTS_ENTRIES_MAX + 1));
    put32(&many, 0);
    put32(&many, 17);
    memset(buffer_reserve(&many, 17 * (FACTS_ENTRIES_MAX + 1)), 1, 17 * (FACTS_ENTRIES_MAX + 1));
    many.length += 17 * (FACTS_ENTRIES_MAX + 1);
    put_begin(&found.f.bytes);
    put_config(&found.f.bytes, "dbx", many.data, many.length);
    find(&found);
    assert_true(has_problem(&found, true, "too many entries"));
    assert_int_equal(found.facts.count, 0);
    fixture_look(&found.f, 1); /* decoding stops there too */
    assert_int_equal(problems(&found.f), 1);
    buffer_free(&many);
    done(&found);
}

static void test_samples(void **state)
{
    (void)state;
    static const struct {
        const char *log, *secure_boot;
        size_t authorities, entries;
    } logs[] = {
        {"go-attestation/option_rom_eventlog", "on", 2, 84},
        {"go-tpm-tools/debian-10.bin", "on", 2, 0},
        {"go-tpm-tools/gdc-host.bin", "off", 0, 0},
        {"keylime/binary_bios_measurements-secureboot", "on", 2, 0},
        {"tpm2-tools/event-uefi-sha1-log.bin", "off", 0, 0},
        {"esxi-synthetic/esxi-synth.eventlog", "on", 1, 0},
    };
    if (!have_sample(logs[0].log))
        skip();
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        struct found found;
        struct error error = ERROR_INIT;
        fixture_load(&found.f, logs[i].log);
        assert_true(facts_find(&found.f.log, &found.facts, &error));
        assert_string_equal(first(&found, FACT_SECURE_BOOT)->value, logs[i].secure_boot);
        assert_true(first(&found, FACT_SECURE_BOOT)->authenticated);
        assert_int_equal(count(&found, FACT_AUTHORITY), logs[i].authorities);
        if (logs[i].entries > 0)
            assert_int_equal(count(&found, FACT_DB_ENTRY), logs[i].entries);
        assert_int_equal(grave(&found), 0);
        done(&found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_grave),
        cmocka_unit_test(test_doubtful),
        cmocka_unit_test(test_off_and_warnings),
        cmocka_unit_test(test_unauthenticated),
        cmocka_unit_test(test_esxi),
        cmocka_unit_test(test_security_options),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
