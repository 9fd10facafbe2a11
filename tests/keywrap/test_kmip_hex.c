/* KMIP messages in hex, as people and tools write it down. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "keywrap/kmip.h"
#include "tests/keywrap/kmip_fixture.h"

/* Print the message as tools do. */
static void dump(struct buffer *out, const char *style, const uint8_t *bytes, size_t length)
{
    bool xxd = strcmp(style, "xxd") == 0, follow = strcmp(style, "follow") == 0;
    for (size_t at = 0; at < length; at += 16) {
        size_t n = length - at < 16 ? length - at : 16;
        buffer_printf(out, xxd ? "%08zx:" : follow ? "    %08zX " : "%08zx ", at);
        for (size_t i = 0; i < n; i++)
            buffer_printf(out, "%s%02x",
                          (xxd ? i % 2 == 0 : true) ? (i == 8 && !xxd ? "  " : " ") : "",
                          bytes[at + i]);
        /* The text column: such that it looks like hex. */
        buffer_printf(out, "%s", strcmp(style, "hexdump") == 0 ? "  |ab cd ef 01|" : "  ab cd 12");
        buffer_append_text(out, "\r\n");
    }
}

static void test_hex_dumps(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t length = unhex(get_response, bytes, sizeof bytes);
    static const char *const styles[] = {"xxd", "hexdump", "follow"};
    for (size_t i = 0; i < 3; i++) {
        struct buffer text = BUFFER_INIT;
        struct outcome o;
        buffer_append_text(&text, "Decrypted TLS (296 bytes):\n");
        dump(&text, styles[i], bytes, length);
        read_bytes(&o, text.data, text.length, NULL);
        assert_key(&o, 0, "2", real_key);
        assert_int_equal(o.warnings, 0);
        keyring_free(&o.ring);
        buffer_free(&text);
    }
}

static void test_hex_texts(void **state)
{
    (void)state;
    static const char *const around[][3] = {
        /* before each byte, between lines, around all */
        {"", "\n", ""},
        {" ", "\n", ""},
        {":", "\n", ""},
        {", 0x", ",\n", "char peer0_0[] = {\n"},
        {"\\x", "\r\n", ""},
        {"", "", "2025-04-03 09:55:07,610 - kmip.server.session.00000003 - Response encoding: b'"},
    };
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        struct buffer text = BUFFER_INIT;
        struct outcome o;
        buffer_append_text(&text, around[i][2]);
        for (size_t k = 0; k < sizeof get_response - 1; k += 2) {
            buffer_printf(&text, "%s%.2s", k == 0 && around[i][0][0] == ':' ? "" : around[i][0],
                          get_response + k);
            if (k % 32 == 30)
                buffer_append_text(&text, around[i][1]);
        }
        buffer_append_text(&text, "'\n");
        read_bytes(&o, text.data, text.length, NULL);
        assert_key(&o, 0, "2", real_key);
        keyring_free(&o.ring);
        buffer_free(&text);
    }
}

/* A Wireshark stream: both directions, each counted by itself. */
static void test_hex_of_two_directions(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t length = unhex(get_response, bytes, sizeof bytes);
    struct buffer text = BUFFER_INIT;
    size_t half = length / 2 / 16 * 16;
    buffer_append_text(&text, "00000000  42 00 78 01 00 00 00 60  42 00 77 01 00 00 00 38   B.x\n");
    dump(&text, "follow", bytes, half);
    buffer_append_text(&text, "00000010  42 00 69 01 00 00 00 20  42 00 6a 02 00 00 00 04   B.i\n");
    struct buffer rest = BUFFER_INIT;
    dump(&rest, "follow", bytes, length);
    const char *second = buffer_text(&rest);
    for (size_t line = 0; line < half / 16; line++)
        second = strchr(second, '\n') + 1;
    buffer_append_text(&text, second);
    struct buffer out = BUFFER_INIT;
    kmip_hex_decode(text.data, text.length, &out);
    assert_memory_equal(out.data + 16, bytes, half);
    assert_memory_equal(out.data + 32 + half, bytes + half, length - half);
    buffer_free(&out);
    buffer_free(&rest);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_dumps),
        cmocka_unit_test(test_hex_texts),
        cmocka_unit_test(test_hex_of_two_directions),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
