/* What KMIP messages tell of keys, put together over a capture. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"
#include "tests/keywrap/kmip_fixture.h"

static void test_real_response(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t length = unhex(get_response, bytes, sizeof bytes);
    struct outcome o;
    read_bytes(&o, bytes, length, NULL);
    assert_form(&o, "kmip");
    assert_key(&o, 0, "2", real_key);
    assert_int_equal(o.ring.key_count, 1);
    assert_null(o.ring.keys[0].name);
    assert_null(o.ring.keys[0].provider);
    assert_int_equal(o.warnings, 0);
    keyring_free(&o.ring);
}

/* Every beginning of the message is told to be one. */
static void test_cut_off(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t length = unhex(get_response, bytes, sizeof bytes);
    struct outcome o;
    for (size_t cut = 4; cut < length; cut++) {
        read_bytes(&o, bytes, cut, NULL);
        assert_refused(&o, ERROR_DAMAGED, "cut off or damaged");
        assert_string_equal(o.error.file, "file");
    }
}

/* Any one bit flipped: the same key, another one (the bit was in it or in what says what it is), or
 * an error; never a crash, and never a key of another length. */
static void test_flipped_bits(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t length = unhex(get_response, bytes, sizeof bytes), refused = 0;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        struct outcome o;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        read_bytes(&o, bytes, length, NULL);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused += o.ok ? 0 : 1;
        if (o.ok)
            assert_int_equal(o.ring.keys[0].key->length, 32);
        else
            assert_true(o.error.message[0] != '\0');
        keyring_free(&o.ring);
    }
    assert_in_range(refused, 400, 2000);
    /* The length of the key. */
    struct outcome o;
    bytes[0xe4] ^= 0x80;
    read_bytes(&o, bytes, length, NULL);
    assert_refused(&o, ERROR_DAMAGED, "cut off or damaged");
}

/* For messages of our own making. */
static size_t begin_message(struct buffer *out, bool request)
{
    size_t message = ttlv_begin(out, request ? KMIP_REQUEST_MESSAGE : KMIP_RESPONSE_MESSAGE);
    size_t head = ttlv_begin(out, request ? KMIP_REQUEST_HEADER : KMIP_RESPONSE_HEADER);
    ttlv_put_number(out, 0x42000d, TTLV_INTEGER, 1);
    ttlv_end(out, head);
    return message;
}

static void put_text(struct buffer *out, uint32_t tag, const char *text)
{
    ttlv_put(out, tag, TTLV_TEXT, text, (uint32_t)strlen(text));
}

static void put_attribute(struct buffer *out, const char *name, const char *value)
{
    size_t attribute = ttlv_begin(out, KMIP_ATTRIBUTE);
    put_text(out, KMIP_ATTRIBUTE_NAME, name);
    if (value == NULL)
        ttlv_put_number(out, KMIP_ATTRIBUTE_VALUE, TTLV_ENUMERATION, 3);
    else
        put_text(out, KMIP_ATTRIBUTE_VALUE, value);
    ttlv_end(out, attribute);
}

/* Key Block with SIZE bytes of BYTE. */
static void put_block(struct buffer *out, uint8_t byte, uint32_t size)
{
    uint8_t material[128];
    memset(material, byte, sizeof material);
    size_t block = ttlv_begin(out, KMIP_KEY_BLOCK);
    ttlv_put_number(out, KMIP_KEY_FORMAT_TYPE, TTLV_ENUMERATION, 1);
    size_t value = ttlv_begin(out, KMIP_KEY_VALUE);
    ttlv_put(out, KMIP_KEY_MATERIAL, TTLV_BYTES, material, size);
    ttlv_end(out, value);
    ttlv_put_number(out, KMIP_CRYPTOGRAPHIC_ALGORITHM, TTLV_ENUMERATION, 3);
    ttlv_put_number(out, KMIP_CRYPTOGRAPHIC_LENGTH, TTLV_INTEGER, 8 * size);
    ttlv_end(out, block);
}

enum { CREATE = 1, REGISTER = 3, GET = 10, ADD_ATTRIBUTE = 13 };

static void put_message(struct buffer *out, bool request, uint32_t operation, const char *id,
                        void put(struct buffer *out))
{
    size_t message = begin_message(out, request), item = ttlv_begin(out, KMIP_BATCH_ITEM);
    ttlv_put_number(out, KMIP_OPERATION, TTLV_ENUMERATION, operation);
    if (!request)
        ttlv_put_number(out, KMIP_RESULT_STATUS, TTLV_ENUMERATION, 0);
    size_t payload = ttlv_begin(out, request ? KMIP_REQUEST_PAYLOAD : KMIP_RESPONSE_PAYLOAD);
    if (id != NULL)
        put_text(out, KMIP_UNIQUE_IDENTIFIER, id);
    if (put != NULL)
        put(out);
    ttlv_end(out, payload);
    ttlv_end(out, item);
    ttlv_end(out, message);
}

static void put_key_11(struct buffer *out)
{
    size_t object = ttlv_begin(out, KMIP_SYMMETRIC_KEY);
    put_block(out, 0x11, 16);
    ttlv_end(out, object);
}

static void put_key_22(struct buffer *out)
{
    size_t object = ttlv_begin(out, KMIP_SYMMETRIC_KEY);
    put_block(out, 0x22, 16);
    ttlv_end(out, object);
}

static void put_owner(struct buffer *out)
{
    put_attribute(out, "x-Name", "test01");
    put_attribute(out, "x-Identifier", "4226f566-3ed5-1c8f-cda3-b0b037b6dc97");
    put_attribute(out, "x-Component", "Virtual Machine");
    put_attribute(out, "State", NULL);
}

static const char all_11[] = "11111111111111111111111111111111";
static const char all_22[] = "22222222222222222222222222222222";

/* Attributes and key in different messages, among other bytes. */
static void test_capture(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    buffer_append(&out, "\x42\x00\x7b\x01 pcap \0\xff", 13);
    put_message(&out, true, ADD_ATTRIBUTE, "b", put_owner);
    buffer_append(&out, "\x17\x03\x03\x42\x00", 5);
    put_message(&out, false, GET, "a", put_key_11);
    put_message(&out, false, GET, "b", put_key_22);
    put_message(&out, false, GET, "b", put_key_22);
    buffer_append(&out, "\x42", 1);
    read_bytes(&o, out.data, out.length, NULL);
    assert_form(&o, "kmip");
    assert_int_equal(o.ring.key_count, 2);
    assert_key(&o, 0, "a", all_11);
    assert_null(o.ring.keys[0].name);
    assert_key(&o, 1, "b", all_22);
    assert_string_equal(o.ring.keys[1].name, "test01");
    assert_string_equal(o.ring.keys[1].identifier, "4226f566-3ed5-1c8f-cda3-b0b037b6dc97");
    assert_string_equal(o.ring.keys[1].component, "Virtual Machine");
    /* b is deactivated. */
    assert_int_equal(o.warnings, 1);
    keyring_free(&o.ring);
    buffer_free(&out);
}

/* Of several keys the id that is asked for chooses; a single one is what its owner says. */
static void test_asking_for_an_id(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    put_message(&out, false, GET, "a", put_key_11);
    read_for(&o, out.data, out.length, &(struct source_options){.id = "mine"});
    assert_key(&o, 0, "mine", all_11);
    keyring_free(&o.ring);
    put_message(&out, false, GET, "b", put_key_22);
    read_for(&o, out.data, out.length, &(struct source_options){.id = "b", .provider = "KMS"});
    assert_int_equal(o.ring.key_count, 1);
    assert_key(&o, 0, "b", all_22);
    assert_string_equal(o.ring.keys[0].provider, "KMS");
    keyring_free(&o.ring);
    read_for(&o, out.data, out.length, &(struct source_options){.id = "mine"});
    assert_refused(&o, ERROR_NO_KEY, "2 keys, none of them mine");
    buffer_free(&out);
}

static void test_one_message_cut_among_others(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    put_message(&out, false, GET, "a", put_key_11);
    /* The second is cut inside of its key. */
    size_t second = out.length;
    put_message(&out, false, GET, "b", put_key_22);
    out.length -= 48;
    assert_true(out.length > second + 100);
    put_message(&out, false, GET, "c", put_key_11);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, "a", all_11);
    assert_key(&o, 1, "c", all_11);
    assert_int_equal(o.ring.key_count, 2);
    assert_int_equal(o.warnings, 1);
    keyring_free(&o.ring);
    buffer_free(&out);
}

/* A registered key has its id from the response, when that surely belongs to the request. */
static void test_register(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    put_message(&out, true, REGISTER, NULL, put_key_11);
    put_message(&out, false, REGISTER, "new", NULL);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, "new", all_11);
    keyring_free(&o.ring);

    /* Two sessions at once. */
    out.length = 0;
    put_message(&out, true, REGISTER, NULL, put_key_11);
    put_message(&out, true, REGISTER, NULL, put_key_22);
    put_message(&out, false, REGISTER, "second", NULL);
    put_message(&out, false, REGISTER, "first", NULL);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, NULL, all_11);
    assert_key(&o, 1, NULL, all_22);
    keyring_free(&o.ring);

    /* Another operation's response. */
    out.length = 0;
    put_message(&out, true, REGISTER, NULL, put_key_11);
    put_message(&out, false, CREATE, "other", NULL);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, NULL, all_11);
    keyring_free(&o.ring);
    buffer_free(&out);
}

static void test_no_key_in_it(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    put_message(&out, true, ADD_ATTRIBUTE, "b", put_owner);
    read_bytes(&o, out.data, out.length, NULL);
    assert_refused(&o, ERROR_NO_KEY, "the response to Get does");

    out.length = 0;
    size_t object = ttlv_begin(&out, KMIP_PRIVATE_KEY);
    put_block(&out, 5, 32);
    ttlv_end(&out, object);
    read_bytes(&o, out.data, out.length, NULL);
    assert_refused(&o, ERROR_NO_KEY, "PrivateKey");

    out.length = 0;
    object = ttlv_begin(&out, KMIP_SYMMETRIC_KEY);
    put_block(&out, 5, 20);
    ttlv_end(&out, object);
    read_bytes(&o, out.data, out.length, NULL);
    assert_refused(&o, ERROR_NO_KEY, "has 20");

    /* Beside a key they do not matter. */
    put_message(&out, false, GET, "a", put_key_11);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, "a", all_11);
    assert_int_equal(o.warnings, 0);
    keyring_free(&o.ring);
    buffer_free(&out);
}

static void test_secret_data_and_opaque(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    size_t object = ttlv_begin(&out, KMIP_OPAQUE_OBJECT);
    ttlv_put_number(&out, KMIP_OPAQUE_DATA_TYPE, TTLV_ENUMERATION, 1);
    ttlv_put(&out, KMIP_OPAQUE_DATA_VALUE, TTLV_BYTES, real_key, 64);
    ttlv_end(&out, object);
    object = ttlv_begin(&out, KMIP_SECRET_DATA);
    ttlv_put_number(&out, KMIP_SECRET_DATA_TYPE, TTLV_ENUMERATION, 1);
    size_t block = ttlv_begin(&out, KMIP_KEY_BLOCK), value = ttlv_begin(&out, KMIP_KEY_VALUE);
    size_t material = ttlv_begin(&out, KMIP_KEY_MATERIAL);
    /* A transparent key, whose bytes are base64. */
    ttlv_put(&out, KMIP_KEY, TTLV_BYTES, "ERERERERERERERERERERERERERERERERERERERERERE=", 44);
    ttlv_end(&out, material);
    ttlv_end(&out, value);
    ttlv_end(&out, block);
    ttlv_end(&out, object);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, NULL, real_key);
    assert_key(&o, 1, NULL, "1111111111111111111111111111111111111111111111111111111111111111");
    keyring_free(&o.ring);
    buffer_free(&out);
}

/* RFC 3394 §4.6: 256 bits of key data under a 256-bit KEK. */
static const char rfc3394_kek[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char rfc3394_wrapped[] =
    "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
static const char rfc3394_key[] =
    "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";

static void put_wrapped(struct buffer *out, const void *wrapped, size_t length)
{
    size_t object = ttlv_begin(out, KMIP_SYMMETRIC_KEY), block = ttlv_begin(out, KMIP_KEY_BLOCK);
    ttlv_put(out, KMIP_KEY_VALUE, TTLV_BYTES, wrapped, (uint32_t)length);
    ttlv_put_number(out, KMIP_CRYPTOGRAPHIC_LENGTH, TTLV_INTEGER, 256);
    size_t wrapping = ttlv_begin(out, KMIP_KEY_WRAPPING_DATA);
    ttlv_put_number(out, KMIP_WRAPPING_METHOD, TTLV_ENUMERATION, 1);
    size_t by = ttlv_begin(out, KMIP_ENCRYPTION_KEY_INFORMATION);
    put_text(out, KMIP_UNIQUE_IDENTIFIER, "the wrapping key");
    size_t how = ttlv_begin(out, KMIP_CRYPTOGRAPHIC_PARAMETERS);
    ttlv_put_number(out, KMIP_BLOCK_CIPHER_MODE, TTLV_ENUMERATION, 13);
    ttlv_end(out, how);
    ttlv_end(out, by);
    ttlv_end(out, wrapping);
    ttlv_end(out, block);
    ttlv_end(out, object);
}

static void test_wrapped(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT, value = BUFFER_INIT, wrapped = BUFFER_INIT;
    struct outcome o;
    struct error error = ERROR_INIT;
    uint8_t bytes[64], kek[32];
    size_t length = unhex(rfc3394_wrapped, bytes, sizeof bytes);
    struct wrap_key unwrap = {.aes = secret_copy(kek, unhex(rfc3394_kek, kek, 32), &error)};
    put_wrapped(&out, bytes, length);
    read_bytes(&o, out.data, out.length, NULL);
    assert_refused(&o, ERROR_NO_KEY, "wrapped (NISTKeyWrap)");
    read_bytes(&o, out.data, out.length, &unwrap);
    assert_key(&o, 0, NULL, rfc3394_key);
    keyring_free(&o.ring);

    /* The encoding option "TTLV": the whole Key Value was wrapped. */
    size_t begun = ttlv_begin(&value, KMIP_KEY_VALUE);
    ttlv_put(&value, KMIP_KEY_MATERIAL, TTLV_BYTES, kek, 32);
    put_attribute(&value, "x-Name", "inside");
    ttlv_end(&value, begun);
    assert_true(wrap_make(WRAP_RFC3394, &unwrap, value.data, value.length, &wrapped, &error));
    out.length = 0;
    put_wrapped(&out, wrapped.data, wrapped.length);
    read_bytes(&o, out.data, out.length, &unwrap);
    assert_key(&o, 0, NULL, rfc3394_kek);
    keyring_free(&o.ring);

    unwrap.aes->data[0] ^= 1;
    read_bytes(&o, out.data, out.length, &unwrap);
    assert_refused(&o, ERROR_NO_KEY, "");
    /* One that stays locked is told when another key is read. */
    put_message(&out, false, GET, "a", put_key_11);
    read_bytes(&o, out.data, out.length, NULL);
    assert_key(&o, 0, "a", all_11);
    assert_int_equal(o.warnings, 1);
    keyring_free(&o.ring);
    /* Who says how to unwrap gets nothing as it is. */
    unwrap.aes->data[0] ^= 1;
    read_bytes(&o, out.data, out.length, &unwrap);
    assert_key(&o, 0, NULL, rfc3394_kek);
    assert_int_equal(o.ring.key_count, 1);
    keyring_free(&o.ring);
    secret_free(unwrap.aes);
    buffer_free(&out);
    buffer_free(&value);
    buffer_free(&wrapped);
}

/* A made up capture that is all heads of messages: read in time in proportion to its size. */
static void test_heads_within_heads(void **state)
{
    (void)state;
    static const uint8_t head[] = {0x42, 0, 0x7b, 1, 0, 0x7f, 0xff, 0xff,
                                   0x42, 0, 0x7a, 1, 0, 0,    0,    16};
    struct buffer out = BUFFER_INIT;
    struct outcome o;
    while (out.length < 8 << 20)
        buffer_append(&out, head, sizeof head);
    clock_t begin = clock();
    read_bytes(&o, out.data, out.length, NULL);
    assert_false(o.ok);
    assert_true(clock() - begin < 20 * CLOCKS_PER_SEC);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_response),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_capture),
        cmocka_unit_test(test_asking_for_an_id),
        cmocka_unit_test(test_one_message_cut_among_others),
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_no_key_in_it),
        cmocka_unit_test(test_secret_data_and_opaque),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_heads_within_heads),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
