/* Events: what their digests are of, and so which fields are authenticated. Digests by OpenSSL's
 * own calls; rules measured on real logs, which are looked at too when the samples are here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/tpm/event_fixture.h"

static const uint8_t zeros[4];

static void test_required(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    put_event(&f.bytes, 0, EV_SEPARATOR, zeros, 4);
    put_of(&f.bytes, 0, EV_SEPARATOR, "x", 1, zeros, 4);
    put_event(&f.bytes, 5, EV_EFI_ACTION, "Exit Boot Services Invocation", 29);
    put_of(&f.bytes, 5, EV_EFI_ACTION, "text", 4, "text", 5);
    put_of(&f.bytes, 0, EV_S_CRTM_VERSION, "x", 1, "1.0", 3);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_int_equal(f.check.coverage, EVENT_COVERS_ALL);
    assert_true(f.check.required && !f.check.failed);
    assert_int_equal(f.check.holds, 3);
    assert_string_equal(kind(&f), "separator");
    assert_string_equal(authenticated(&f), "value");
    fixture_look(&f, 2);
    assert_int_equal(f.check.coverage, EVENT_COVERS_NOTHING);
    assert_true(f.check.required && f.check.failed);
    assert_int_equal(f.check.fails, 3);
    assert_string_equal(authenticated(&f), "");
    assert_int_equal(problems(&f), 1);
    fixture_look(&f, 3);
    assert_string_equal(summary(&f), "Exit Boot Services Invocation");
    assert_string_equal(authenticated(&f), "text");
    fixture_look(&f, 4); /* hashed without the NUL behind it */
    assert_int_equal(f.check.coverage, EVENT_COVERS_PART);
    assert_int_equal(f.check.length, 4);
    assert_string_equal(authenticated(&f), "text");
    fixture_look(&f, 5); /* need not be of the data */
    assert_false(f.check.required || f.check.failed);
    assert_string_equal(authenticated(&f), "");
    assert_int_equal(problems(&f), 0);
    fixture_free(&f);
}

/* A digest that is right in SHA-1 alone is no digest of the data. */
static void test_one_bank_only(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    for (unsigned right = 0; right < 2; right++) {
        put32(&f.bytes, 7);
        put32(&f.bytes, EV_EFI_ACTION);
        put32(&f.bytes, 2);
        put_digest(&f.bytes, BANK_SHA1, EVP_sha1(), right == 0 ? "act" : "no!", 3);
        put_digest(&f.bytes, BANK_SHA256, EVP_sha256(), right == 1 ? "act" : "no!", 3);
        put32(&f.bytes, 3);
        buffer_append(&f.bytes, "act", 3);
    }
    fixture_parse(&f);
    for (unsigned right = 0; right < 2; right++) {
        fixture_look(&f, 1 + right);
        assert_true(f.check.failed);
        assert_int_equal(f.check.coverage, EVENT_COVERS_NOTHING);
        assert_int_equal(f.check.holds, 1u << right);
        assert_int_equal(f.check.fails, 2u >> right);
        assert_string_equal(authenticated(&f), "");
    }
    fixture_free(&f);
}

/* A bank that we cannot hash neither vouches nor denies. */
static void test_unknown_bank(void **state)
{
    (void)state;
    static const uint16_t banks[2] = {0x7777, BANK_SHA256};
    struct fixture f = {.bytes = BUFFER_INIT};
    put_spec(&f.bytes, 0, banks, 2, 0, 0);
    put_agile(&f.bytes, 0, EV_SEPARATOR, banks, 1, 0x11, zeros, 4);
    fixture_one(&f);
    assert_int_equal(f.check.coverage, EVENT_COVERS_NOTHING);
    assert_int_equal(f.check.holds | f.check.fails, 0);
    assert_false(f.check.failed);
    assert_string_equal(authenticated(&f), "");
    fixture_free(&f);
}

static void test_error_separator(void **state)
{
    (void)state;
    static const uint8_t one[4] = {1};
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    put_of(&f.bytes, 0, EV_SEPARATOR, one, 4, "no TPM key", 10);
    fixture_one(&f);
    assert_int_equal(f.check.coverage, EVENT_COVERS_FIXED);
    assert_false(f.check.failed);
    assert_string_equal(authenticated(&f), "");
    assert_int_equal(problems(&f), 1);
    fixture_free(&f);
}

static void test_variables(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    struct buffer v = BUFFER_INIT;
    put_begin(&f.bytes);
    put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", "\1", 1);
    put_variable(&v, "BootOrder", "\1\0\2\0", 4);
    put_of(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "\1\0\2\0", 4, v.data, v.length);
    put_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT2, v.data, v.length);
    put_of(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "BootOrder", 9, v.data, v.length);
    buffer_append_byte(&v, 'x'); /* shim's byte too many */
    put_of(&f.bytes, 7, EV_EFI_VARIABLE_AUTHORITY, v.data, v.length - 1, v.data, v.length);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(text(&f, "value"), "on");
    assert_string_equal(text(&f, "guid_name"), "EFI global variable");
    assert_string_equal(summary(&f), "SecureBoot = on");
    assert_string_equal(authenticated(&f), "guid guid_name name value");
    fixture_look(&f, 2);
    assert_string_equal(f.check.rule, "H(variable data)");
    assert_string_equal(summary(&f), "BootOrder: Boot0001 Boot0002");
    assert_string_equal(authenticated(&f), "order"); /* of what name, nobody says */
    fixture_look(&f, 3);
    assert_string_equal(authenticated(&f), "guid guid_name name order");
    fixture_look(&f, 4);
    assert_true(f.check.failed);
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 5);
    assert_int_equal(f.check.coverage, EVENT_COVERS_PART);
    assert_string_equal(authenticated(&f), "guid guid_name name data");
    assert_int_equal(problems(&f), 1); /* the byte behind it */
    buffer_free(&v);
    fixture_free(&f);
}

static void test_ipl(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    static const char wide[] = "r\0o\0\0";
    put_begin(&f.bytes);
    put_of(&f.bytes, 8, EV_IPL, "set a=1", 7, "grub_cmd: set a=1", 18);
    put_of(&f.bytes, 8, EV_IPL, "set a=1", 8, "grub_cmd: set a=1", 18);
    put_of(&f.bytes, 9, EV_IPL, "file", 4, "/vmlinuz", 9);
    put_of(&f.bytes, 12, EV_IPL, wide, 6, wide, 6);
    fixture_parse(&f);
    for (size_t i = 1; i <= 2; i++) {
        fixture_look(&f, i);
        assert_string_equal(f.check.rule, "H(text behind the first space)");
        assert_string_equal(text(&f, "label"), "grub_cmd: ");
        assert_string_equal(text(&f, "text"), "set a=1");
        assert_string_equal(authenticated(&f), "text");
        assert_string_equal(summary(&f), "grub_cmd: set a=1");
    }
    fixture_look(&f, 3);
    assert_string_equal(text(&f, "text"), "/vmlinuz");
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 4);
    assert_string_equal(text(&f, "text"), "ro");
    assert_string_equal(authenticated(&f), "text");
    fixture_free(&f);
}

static void test_esxi(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    static const char option[] = "execInstalledOnly = TRUE";
    put_begin(&f.bytes);
    put_tag_of(&f.bytes, 12, 2, "module", 6, "b.b00", 6);
    put_tag_of(&f.bytes, 12, 2, "b.b00", 6, "b.b00", 6); /* its name as if it were the module */
    put_tag_of(&f.bytes, 14, 4, "/b.b00 a=1", 10, "/b.b00 a=1", 10);
    put_tag_of(&f.bytes, 14, 4, "/b.b00 a=1", 10, "/b.b00 a=2", 10);
    put_tag_of(&f.bytes, 14, 6, "asset", 5, "asset", 5);
    put_tag_of(&f.bytes, 14, 7, "key", 3, "key", 3);
    put_tag_of(&f.bytes, 14, 5, option, sizeof option, option, sizeof option);
    put_tag_of(&f.bytes, 14, 5, "other", 5, option, sizeof option);
    put_tag_of(&f.bytes, 9, 4, "/b.b00 a=1", 10, "/b.b00 a=2", 10); /* no PCR of ESXi's */
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "esxi-module");
    assert_string_equal(text(&f, "name"), "b.b00");
    assert_string_equal(f.check.rule, "H(file)");
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 2);
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 3);
    assert_string_equal(f.check.rule, "H(tag payload)");
    assert_string_equal(text(&f, "file"), "/b.b00");
    assert_string_equal(text(&f, "options"), "a=1");
    assert_string_equal(authenticated(&f), "command_line file options");
    fixture_look(&f, 4);
    assert_true(f.check.failed);
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 5);
    assert_string_equal(authenticated(&f), "data text");
    assert_string_equal(text(&f, "data"), "6173736574");
    fixture_look(&f, 6);
    assert_string_equal(authenticated(&f), "sha256 public_key");
    fixture_look(&f, 7);
    assert_string_equal(kind(&f), "esxi-boot-security-option");
    assert_string_equal(text(&f, "option"), option);
    assert_string_equal(authenticated(&f), "option");
    fixture_look(&f, 8);
    assert_false(f.check.failed);
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 9);
    assert_false(f.check.failed);
    assert_string_equal(kind(&f), "tags");
    assert_string_equal(authenticated(&f), "");
    fixture_free(&f);
}

/* Size, format, flags, four offsets and lengths, then the texts. */
static void put_version(struct buffer *b, unsigned offset, unsigned length, unsigned format)
{
    struct buffer r = BUFFER_INIT;
    static const char texts[] = "coreVMware ESXi8.0.3/b.b00";
    put32(&r, 32 + sizeof texts);
    put32(&r, format);
    put32(&r, 5);
    put32(&r, 0);
    const unsigned places[8] = {32, 4, offset, length, 47, 5, 52, 7};
    for (size_t i = 0; i < 8; i++)
        put16(&r, places[i]);
    buffer_append(&r, texts, sizeof texts);
    put_tag_of(b, 13, 8, r.data, r.length, r.data, r.length);
    buffer_free(&r);
}

static void test_esxi_version(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    put_version(&f.bytes, 36, 11, 1);
    put_version(&f.bytes, 31, 11, 1);     /* in the numbers */
    put_version(&f.bytes, 36, 24, 1);     /* past the end */
    put_version(&f.bytes, 0xffff, 11, 1); /* far past it */
    put_version(&f.bytes, 36, 11, 0);     /* no format */
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "esxi-version");
    assert_string_equal(text(&f, "component"), "core");
    assert_string_equal(text(&f, "product"), "VMware ESXi");
    assert_string_equal(text(&f, "version"), "8.0.3");
    assert_string_equal(text(&f, "file"), "/b.b00");
    assert_string_equal(summary(&f), "version VMware ESXi 8.0.3 (/b.b00)");
    assert_string_equal(authenticated(&f), "format flags component product version file");
    for (size_t i = 2; i <= 5; i++) {
        fixture_look(&f, i);
        assert_string_equal(kind(&f), "data");
        assert_int_equal(problems(&f), 1);
    }
    fixture_free(&f);
}

static void test_linux_and_windows(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    struct buffer inner = BUFFER_INIT, outer = BUFFER_INIT;
    put32(&inner, 0x00050001);
    put32(&inner, 1);
    buffer_append_byte(&inner, 1);
    put32(&inner, 0x00070001);
    put32(&inner, 8);
    buffer_append(&inner, "\\\0w\0.\0e\0", 8);
    put32(&outer, 0x40010001);
    put32(&outer, (uint32_t)inner.length);
    buffer_append(&outer, inner.data, inner.length);
    put_begin(&f.bytes);
    put_tag_of(&f.bytes, 9, 0x8f3b22ec, "initrd", 6, "Linux initrd", 13);
    put_tag_of(&f.bytes, 5, 0xf5bc582a, "conf", 4, "l\0o\0a\0d\0e\0r\0\0", 14);
    put_event(&f.bytes, 12, EV_EVENT_TAG, outer.data, outer.length);
    put_of(&f.bytes, 12, EV_EVENT_TAG, "x", 1, outer.data, outer.length);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "linux-tag");
    assert_string_equal(summary(&f), "initrd: Linux initrd");
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 2);
    assert_string_equal(kind(&f), "systemd-tag");
    assert_string_equal(text(&f, "description"), "loader");
    fixture_look(&f, 3);
    assert_string_equal(kind(&f), "windows-tags");
    assert_string_equal(authenticated(&f), "tags");
    json_t *tags = json_object_get(json_array_get(field(&f, "tags"), 0), "tags");
    assert_int_equal(json_array_size(tags), 2);
    json_t *debug = json_array_get(tags, 0), *path = json_array_get(tags, 1);
    assert_string_equal(json_string_value(json_object_get(debug, "name")), "OSKERNELDEBUG");
    assert_int_equal(json_integer_value(json_object_get(debug, "value")), 1);
    assert_string_equal(json_string_value(json_object_get(path, "value")), "\\w.e");
    fixture_look(&f, 4);
    assert_string_equal(authenticated(&f), "");
    buffer_free(&inner);
    buffer_free(&outer);
    fixture_free(&f);
}

/* Tags within tags: the depth is bounded, and nothing is read twice over. */
static void test_windows_depth(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    struct buffer data = BUFFER_INIT;
    for (uint32_t i = 0; i < 2000; i++) {
        put32(&data, 0x40010001);
        put32(&data, (2000 - 1 - i) * 8);
    }
    put_begin(&f.bytes);
    put_event(&f.bytes, 12, EV_EVENT_TAG, data.data, data.length);
    fixture_one(&f);
    assert_string_equal(kind(&f), "windows-tags");
    const json_t *at = field(&f, "tags");
    size_t depth = 0;
    for (; json_is_array(at); depth++)
        at = json_object_get(json_array_get(at, 0), "tags");
    assert_true(depth > 1 && depth < 20);
    buffer_free(&data);
    fixture_free(&f);
}

static void test_no_action(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    put_event(&f.bytes, 0, EV_NO_ACTION, "StartupLocality\0\3", 17);
    put_event(&f.bytes, 0, EV_NO_ACTION, "StartupLocality\0", 16);
    fixture_parse(&f);
    fixture_look(&f, 0);
    assert_string_equal(kind(&f), "spec-id");
    assert_string_equal(json_string_value(json_array_get(field(&f, "algorithms"), 1)), "sha256");
    assert_int_equal(problems(&f), 0);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "startup-locality");
    assert_int_equal(json_integer_value(field(&f, "locality")), 3);
    assert_string_equal(authenticated(&f), ""); /* its digest is never extended */
    fixture_look(&f, 2);
    assert_string_equal(kind(&f), "text");
    assert_int_equal(problems(&f), 1);
    fixture_free(&f);
}

static void test_text_is_safe(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    static const char bad[] = "a\033[2J\xff\0b\xc2\x9b";
    put_begin(&f.bytes);
    put_event(&f.bytes, 5, EV_EFI_ACTION, bad, sizeof bad - 1);
    put_event(&f.bytes, 5, EV_EFI_ACTION, "two\nlines\xe2\x80\xae", 12);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "data");
    assert_string_equal(text(&f, "data"), "611b5b324aff0062c29b");
    fixture_look(&f, 2);
    assert_string_equal(summary(&f), "two\\x0alines\\xe2\\x80\\xae");
    fixture_free(&f);
}

static void test_covers(void **state)
{
    (void)state;
    struct event_check part = {.coverage = EVENT_COVERS_PART, .start = 8, .length = 4};
    static const struct {
        size_t start, length;
        bool covered;
    } ranges[] = {
        {8, 4, true},         {9, 3, true},  {11, 1, true},        {8, 5, false},
        {7, 2, false},        {7, 1, false}, {12, 1, false},       {11, 2, false},
        {0, SIZE_MAX, false}, {8, 0, false}, {9, SIZE_MAX, false}, {SIZE_MAX, 1, false},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        assert_int_equal(event_covers(&part, ranges[i].start, ranges[i].length), ranges[i].covered);
    part.failed = true;
    assert_false(event_covers(&part, 8, 4));
    part.failed = false;
    part.coverage = EVENT_COVERS_FIXED;
    assert_false(event_covers(&part, 8, 4));
    part.coverage = EVENT_COVERS_NOTHING;
    assert_false(event_covers(&part, 8, 4));
}

/* What tpm.md says of the variants of one log made by ESXi's rules. */
static void test_variants(void **state)
{
    (void)state;
    struct fixture f;
    if (!have_sample("esxi-synthetic/esxi-synth.eventlog"))
        skip();
    fixture_load(&f, "esxi-synthetic/esxi-synth.relabelled.eventlog");
    fixture_look(&f, 26);
    assert_int_equal(f.log.events[26].type, EV_UNUSED);
    assert_string_equal(authenticated(&f), "");
    assert_int_equal(f.check.coverage, EVENT_COVERS_NOTHING);
    fixture_free(&f);
    fixture_load(&f, "esxi-synthetic/esxi-synth.renamed-module.eventlog");
    fixture_look(&f, 26);
    assert_string_equal(text(&f, "name"), "k.b01");
    assert_string_equal(authenticated(&f), "");
    fixture_free(&f);
    fixture_load(&f, "esxi-synthetic/esxi-synth.bad-digest.eventlog");
    fixture_look(&f, 26);
    assert_string_equal(text(&f, "name"), "k.b00");
    assert_string_equal(authenticated(&f), "");
    fixture_free(&f);
    fixture_load(&f, "esxi-synthetic/esxi-synth.703-extra-byte.eventlog");
    fixture_look(&f, 37);
    assert_string_equal(kind(&f), "esxi-command-line");
    assert_string_equal(authenticated(&f), "command_line file options");
    assert_int_equal(problems(&f), 1);
    fixture_free(&f);
}

/* A bit of covered data changed: covered it is no more. */
static void test_flips(void **state)
{
    (void)state;
    struct fixture f;
    size_t covered = 0, open = 0;
    if (!have_sample("esxi-synthetic/esxi-synth.eventlog"))
        skip();
    fixture_load(&f, "esxi-synthetic/esxi-synth.eventlog");
    for (size_t i = 1; i < f.log.event_count; i++) {
        const struct eventlog_event *event = &f.log.events[i];
        struct event_check before, after;
        event_check(&f.log, event, &before);
        for (size_t at = 0; at < event->length; at++) {
            uint8_t *byte = (uint8_t *)f.bytes.data + (event->data + at - (uint8_t *)f.bytes.data);
            *byte ^= 0x20;
            event_check(&f.log, event, &after);
            assert_false(event_covers(&after, at, 1));
            if (event_covers(&before, at, 1))
                assert_true(after.coverage == EVENT_COVERS_NOTHING &&
                            (after.failed || !before.required));
            *(event_covers(&before, at, 1) ? &covered : &open) += 1;
            *byte ^= 0x20;
        }
    }
    assert_true(covered > 500 && open > 100);
    fixture_free(&f);
}

/* No real firmware breaks a rule that we call required. */
static void test_real_logs(void **state)
{
    (void)state;
    static const char *const logs[] = {
        "go-attestation/option_rom_eventlog",   "go-attestation/crypto_agile_eventlog",
        "go-attestation/sb_cert_eventlog",      "go-tpm-tools/gdc-host.bin",
        "go-tpm-tools/glinux-alex.bin",         "go-tpm-tools/debian-10.bin",
        "go-tpm-tools/rhel8-uefi.bin",          "keylime/binary_bios_measurements-secureboot",
        "tpm2-tools/event-postcode.bin",        "tpm2-tools/event-moklisttrusted.bin",
        "tpm2-tools/event-sd-boot-fedora37.bin"};
    if (!have_sample(logs[0]))
        skip();
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        struct fixture f;
        size_t held = 0;
        fixture_load(&f, logs[i]);
        for (size_t e = 0; e < f.log.event_count; e++) {
            fixture_look(&f, e);
            assert_false(f.check.failed);
            held += f.check.coverage != EVENT_COVERS_NOTHING;
        }
        assert_true(held > f.log.event_count / 3);
        fixture_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_one_bank_only),
        cmocka_unit_test(test_unknown_bank),
        cmocka_unit_test(test_error_separator),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_ipl),
        cmocka_unit_test(test_esxi),
        cmocka_unit_test(test_esxi_version),
        cmocka_unit_test(test_linux_and_windows),
        cmocka_unit_test(test_windows_depth),
        cmocka_unit_test(test_no_action),
        cmocka_unit_test(test_text_is_safe),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_real_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
