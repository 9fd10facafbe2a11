/* The PKCS#12 walker against damage, forgeries, and what OpenSSL does not write. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/keywrap/pkcs12_fixture.h"

/* Cut off anywhere it is refused; with any bit flipped it gives the right key or none. */
static void test_damage(void **state)
{
    (void)state;
    const struct form form = {NID_aes_256_cbc, EVP_sha256, "correct horse", 3};
    struct buffer file = make_file(secret_bags(kdk, 32), &form);
    size_t whole = file.length, refused = 0;
    for (file.length = 0; file.length < whole; file.length++) {
        struct pkcs12 *p12 = read_file(&file, form.pass);
        assert_null(p12);
        /* What is cut off later is still told as what it is. */
        if (file.length < 16 || file.length > 24)
            assert_int_equal(pkcs12_is(buffer_text(&file), file.length), file.length > 24);
    }
    file.length = whole;
    assert_true(pkcs12_is(file.data, whole));
    for (size_t bit = 0; bit < 8 * whole; bit++) {
        struct error error = ERROR_INIT;
        file.data[bit / 8] ^= (char)(1U << bit % 8);
        struct pkcs12 *p12 = read_file(&file, form.pass);
        if (p12 != NULL && pkcs12_usable(p12, &error))
            assert_holds_kdk(p12);
        else
            refused++;
        pkcs12_free(p12);
        file.data[bit / 8] ^= (char)(1U << bit % 8);
    }
    /* Only the NULL parameters of some algorithms do not matter. */
    assert_true(refused > 8 * whole * 9 / 10);
    buffer_append_byte(&file, 0);
    assert_null(read_file(&file, form.pass));
    buffer_free(&file);
}

/* A count of rounds that would take hours is refused at once, in each place. */
static void test_rounds_are_bounded(void **state)
{
    (void)state;
    static const struct form forms[] = {
        {-1, EVP_sha256, "pw", 0x010203},
        {NID_aes_256_cbc, NULL, "pw", 0x010203},
        {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NULL, "pw", 0x010203},
    };
    for (size_t i = 0; i < 3; i++) {
        struct error error = ERROR_INIT;
        struct buffer file = make_file(secret_bags(kdk, 32), &forms[i]);
        uint8_t *at = memmem(file.data, file.length, "\x02\x03\x01\x02\x03", 5);
        assert_non_null(at);
        memcpy(at, "\x02\x03\x7f\xff\xff", 5);
        struct pkcs12 *p12 = read_file(&file, "pw");
        assert_non_null(strstr(i == 0 ? p12->problem : p12->safes[0].problem, "8388607 rounds"));
        assert_int_equal(pkcs12_usable(p12, &error), i == 0); /* its key lies open */
        pkcs12_free(p12);
        buffer_free(&file);
    }
}

/* Pieces for files that OpenSSL does not write. */
static struct buffer item(unsigned tag, struct buffer content)
{
    struct buffer out = BUFFER_INIT;
    buffer_append_byte(&out, (char)tag);
    if (content.length < 128) {
        buffer_append_byte(&out, (char)content.length);
    } else {
        buffer_append_byte(&out, (char)0x82);
        buffer_append_byte(&out, (char)(content.length >> 8));
        buffer_append_byte(&out, (char)content.length);
    }
    buffer_append(&out, buffer_text(&content), content.length);
    buffer_free(&content);
    assert_false(out.failed);
    return out;
}

/* The same with its length told by an end mark, as Bouncy Castle and others write. */
static struct buffer endless(unsigned tag, struct buffer content)
{
    struct buffer out = BUFFER_INIT;
    buffer_append_byte(&out, (char)tag);
    buffer_append_byte(&out, (char)0x80);
    buffer_append(&out, buffer_text(&content), content.length);
    buffer_append(&out, "\0\0", 2);
    buffer_free(&content);
    return out;
}

static struct buffer text(const char *bytes, size_t length)
{
    struct buffer out = BUFFER_INIT;
    assert_true(buffer_append(&out, bytes, length));
    return out;
}

static struct buffer join(struct buffer a, struct buffer b)
{
    assert_true(buffer_append(&a, buffer_text(&b), b.length));
    buffer_free(&b);
    return a;
}

#define OID_DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define OID_BAG(n) "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01" n

typedef struct buffer maker(unsigned tag, struct buffer content);

static struct buffer content_info(maker *make, struct buffer content)
{
    struct buffer octets = make == item ? item(0x04, content) : endless(0x24, item(0x04, content));
    return make(0x30, join(text(OID_DATA, 11), make(0xa0, octets)));
}

/* A file without MAC around SafeBags. */
static struct buffer pfx(maker *make, struct buffer bags)
{
    struct buffer safe = content_info(make, make(0x30, bags));
    return make(0x30, join(text("\x02\x01\x03", 3), content_info(make, make(0x30, safe))));
}

static struct buffer secret_bag(maker *make, struct buffer value)
{
    struct buffer secret = make(0x30, join(text(OID_DATA, 11), make(0xa0, value)));
    return make(0x30, join(text(OID_BAG("\x05"), 13), make(0xa0, secret)));
}

static void test_ber(void **state)
{
    (void)state;
    /* The key in two pieces. */
    struct buffer pieces =
        join(item(0x04, text((char *)kdk, 20)), item(0x04, text((char *)kdk + 20, 12)));
    struct buffer file = pfx(endless, secret_bag(endless, endless(0x24, pieces)));
    assert_true(pkcs12_is(file.data, file.length));
    struct pkcs12 *p12 = read_file(&file, NULL);
    assert_holds_kdk(p12);
    assert_int_equal(p12->password, PKCS12_NO_PASSWORD);
    assert_false(p12->has_mac);
    pkcs12_free(p12);
    buffer_free(&file);
}

/* Bags in bags, up to a depth; an unknown type of bag, and one that is no bag at all. */
static void test_odd_bags(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 40; depth += 6) {
        struct buffer bag = secret_bag(item, item(0x04, text((char *)kdk, 32)));
        for (unsigned i = 0; i < depth; i++)
            bag = item(0x30, join(text(OID_BAG("\x06"), 13), item(0xa0, item(0x30, bag))));
        struct buffer file = pfx(item, bag);
        struct pkcs12 *p12 = read_file(&file, NULL);
        assert_non_null(p12);
        assert_int_equal(p12->key_count, depth <= PKCS12_MAX_DEPTH ? 1 : 0);
        if (depth > PKCS12_MAX_DEPTH)
            assert_string_equal(p12->bags[PKCS12_MAX_DEPTH].problem, "nested too deep");
        pkcs12_free(p12);
        buffer_free(&file);
    }
    struct buffer unknown = item(
        0x30, join(text("\x06\x03\x2a\x03\x04", 5), item(0xa0, item(0x04, text((char *)kdk, 32)))));
    struct buffer file = pfx(item, join(unknown, item(0x30, text("\x05\x00", 2))));
    struct pkcs12 *p12 = read_file(&file, NULL);
    assert_holds_kdk(p12);
    assert_int_equal(p12->bag_count, 2);
    assert_false(p12->bags[0].is_known);
    assert_string_equal(p12->bags[0].type, "1.2.3.4");
    assert_string_equal(p12->bags[1].problem, "malformed");
    pkcs12_free(p12);
    buffer_free(&file);
}

static struct buffer repeated(struct buffer bag, size_t count)
{
    struct buffer out = BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        assert_true(buffer_append(&out, bag.data, bag.length));
    buffer_free(&bag);
    return out;
}

static void test_bounds(void **state)
{
    (void)state;
    /* More bags than are taken, with lengths told by end marks, as item() makes short ones only. */
    struct buffer file =
        pfx(endless, repeated(secret_bag(item, item(0x04, text("x", 1))), PKCS12_MAX_BAGS + 1));
    struct pkcs12 *p12 = read_file(&file, NULL);
    if (p12 != NULL) {
        assert_int_equal(p12->bag_count, PKCS12_MAX_BAGS);
        assert_string_equal(p12->safes[0].problem, "more than 1024 bags");
    }
    pkcs12_free(p12);
    buffer_free(&file);
    /* 100,000 items that begin and never end. */
    file = text("\x30\x80\x02\x01\x03", 5);
    for (size_t i = 0; i < 100000; i++)
        buffer_append(&file, "\x30\x80", 2);
    assert_true(pkcs12_is(file.data, file.length));
    assert_null(read_file(&file, NULL));
    buffer_free(&file);
    char *big = calloc(1, PKCS12_FILE_MAX + 1);
    struct error error = ERROR_INIT;
    assert_non_null(big);
    assert_null(pkcs12_read(big, PKCS12_FILE_MAX + 1, NULL, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage), cmocka_unit_test(test_rounds_are_bounded),
        cmocka_unit_test(test_ber),    cmocka_unit_test(test_odd_bags),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
