/* KMIP's binary encoding, item by item. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "keywrap/ttlv.h"

/* The examples of the KMIP specification 1.4, §9.1.2. */
static void test_examples_of_the_specification(void **state)
{
    (void)state;
    static const uint8_t integer[] = {0x42, 0, 0x20, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 0};
    static const uint8_t text[] = {0x42, 0,   0x20, 7,   0,   0,   0,   11, 'H', 'e', 'l', 'l',
                                   'o',  ' ', 'W',  'o', 'r', 'l', 'd', 0,  0,   0,   0,   0};
    static const uint8_t structure[] = {0x42, 0, 0x20, 1, 0, 0,   0, 0x20, 0x42, 0, 4,    5, 0, 0,
                                        0,    4, 0,    0, 0, 254, 0, 0,    0,    0, 0x42, 0, 5, 2,
                                        0,    0, 0,    4, 0, 0,   0, 255,  0,    0, 0,    0};
    struct ttlv_item item;
    uint32_t value;
    struct reader r = reader_over(integer, sizeof integer);
    assert_true(ttlv_next(&r, &item));
    assert_int_equal(item.tag, 0x420020);
    assert_true(ttlv_number(&item, &value));
    assert_int_equal(value, 8);
    assert_false(ttlv_next(&r, &item));
    assert_false(r.failed);

    r = reader_over(text, sizeof text);
    assert_true(ttlv_next(&r, &item));
    assert_int_equal(item.type, TTLV_TEXT);
    assert_int_equal(item.length, 11);
    assert_memory_equal(item.value, "Hello World", 11);
    assert_false(ttlv_number(&item, &value));
    assert_int_equal(ttlv_inside(&item).length, 0);

    r = reader_over(structure, sizeof structure);
    assert_true(ttlv_next(&r, &item));
    struct reader inside = ttlv_inside(&item);
    assert_true(ttlv_next(&inside, &item));
    assert_true(item.tag == 0x420004 && ttlv_number(&item, &value) && value == 254);
    assert_true(ttlv_next(&inside, &item));
    assert_true(item.tag == 0x420005 && ttlv_number(&item, &value) && value == 255);
    assert_false(ttlv_next(&inside, &item));
    assert_false(inside.failed);
}

static void test_damage(void **state)
{
    (void)state;
    uint8_t bytes[24] = {0x42, 0, 0x20, 8, 0, 0, 0, 12, 'k', 'e', 'y'};
    struct ttlv_item item;
    for (size_t length = 1; length < sizeof bytes; length++) {
        struct reader r = reader_over(bytes, length);
        /* Padding may be missing at the end, the value may not. */
        assert_int_equal(ttlv_next(&r, &item), length >= 20);
        assert_int_equal(r.failed, length < 20);
        if (r.failed)
            assert_int_equal(r.offset, 0);
    }
    static const struct {
        size_t at;
        uint8_t byte;
    } bad[] = {{0, 0x41}, {3, 0}, {3, 12}, {4, 0xff}, {7, 17}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t broken[24];
        memcpy(broken, bytes, sizeof broken);
        broken[bad[i].at] = bad[i].byte;
        struct reader r = reader_over(broken, sizeof broken);
        assert_false(ttlv_next(&r, &item));
        assert_true(r.failed);
    }
}

static void test_writing(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    size_t outer = ttlv_begin(&out, 0x420078), inner = ttlv_begin(&out, 0x420077);
    ttlv_put_number(&out, 0x42000d, TTLV_INTEGER, 0x01020304);
    ttlv_end(&out, inner);
    ttlv_put(&out, 0x420094, TTLV_TEXT, "12345678", 8);
    ttlv_put(&out, 0x420094, TTLV_TEXT, "", 0);
    ttlv_end(&out, outer);
    static const uint8_t expected[] = {
        0x42, 0,   0x78, 1,   0,    0,   0,    48, 0x42, 0, 0x77, 1, 0,   0,
        0,    16,  0x42, 0,   0x0d, 2,   0,    0,  0,    4, 1,    2, 3,   4,
        0,    0,   0,    0,   0x42, 0,   0x94, 7,  0,    0, 0,    8, '1', '2',
        '3',  '4', '5',  '6', '7',  '8', 0x42, 0,  0x94, 7, 0,    0, 0,   0};
    assert_int_equal(out.length, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_specification),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
