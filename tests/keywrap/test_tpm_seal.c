/* What of tpm_seal needs no TPM: PCR selections against the bytes that the TCG's specification
 * (Part 2, 10.6.2) and tpm2-tools have for them, and objects that tpm2_create 5.4 made on swtpm.
 * Sealing itself: tests/e2e/key_tpm.bats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "keywrap/tpm_seal_private.h"

/* tpm2_create -i secret; -L POLICY -p PIN -a 'fixedtpm|fixedparent'; -G hmac */
static const char plain_public[] =
    "002e0008000b000000520000001000209e05b41e3fa8b808311f88f7100199a6e21b7af0ff7b75cbfef637c342324b"
    "38";
static const char policy_public[] =
    "004e0008000b00000012002090938e03c6356505a182cf9c166daa30c0a69c6f13f6bbca777df6a883ddf7b6001000"
    "20a41ad2adeb129362c7f8ef603bb4cd58c3258c981822d5b956237d1764bbf341";
static const char policy[] = "90938e03c6356505a182cf9c166daa30c0a69c6f13f6bbca777df6a883ddf7b6";
static const char policy_private[] =
    "009e0020c7677c2a0aea67d89e5c0a8a8e5111e91557dfa585ffe1388a43685e37f68ddc0010d9c2047de64bce24a1"
    "f3181c51daec45482d3ef5f2825da40f2c76ee95a6c998afd51d45c8117e73c90a6fe931ddda616f244a1216fb2815"
    "9a4787f9f9533933d8856cd643c06639cb5a1e664e0194c905cf3ae9f59c2b947d42c97e2baac7e018a21880f248b2"
    "7b82fc20a6015a947ba520fa9a2edcc2eaecb2";
static const char hmac_public[] = "00300008000b0004007200000005000b002090ba31eb95c3211c25ed6aa54404"
                                  "3ebbd01d814ab7576548e6a9051a16dc9dea";

static struct buffer from_hex(const char *hex)
{
    struct buffer b = BUFFER_INIT;
    size_t length = strlen(hex) / 2;
    char *data = buffer_reserve(&b, length);
    assert_non_null(data);
    assert_true(hex_decode(hex, strlen(hex), (uint8_t *)data, &length));
    b.length = length;
    return b;
}

static void check_bank(const TPMS_PCR_SELECTION *bank, TPMI_ALG_HASH hash, const char *bits)
{
    assert_int_equal(bank->hash, hash);
    assert_int_equal(bank->sizeofSelect, 3);
    assert_memory_equal(bank->pcrSelect, bits, 3);
}

static void pcr_selections(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    TPML_PCR_SELECTION pcrs;
    assert_true(tpm_seal_pcrs_parse("sha256:0,2,4,7", &pcrs, &error));
    assert_int_equal(pcrs.count, 1);
    check_bank(&pcrs.pcrSelections[0], 0x000b, "\x95\x00\x00");
    assert_true(tpm_seal_pcrs_parse("sha384:23,8,8+sha1:all+sha512:0+sm3_256:15", &pcrs, &error));
    assert_int_equal(pcrs.count, 4);
    check_bank(&pcrs.pcrSelections[0], 0x000c, "\x00\x01\x80");
    check_bank(&pcrs.pcrSelections[1], 0x0004, "\xff\xff\xff");
    check_bank(&pcrs.pcrSelections[2], 0x000d, "\x01\x00\x00");
    check_bank(&pcrs.pcrSelections[3], 0x0012, "\x00\x80\x00");
    assert_true(tpm_seal_pcrs_parse("sha3_256:1+sha3_384:1+sha3_512:1", &pcrs, &error));
    check_bank(&pcrs.pcrSelections[0], 0x0027, "\x02\x00\x00");
    check_bank(&pcrs.pcrSelections[2], 0x0029, "\x02\x00\x00");
}

static void pcr_selections_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "sha256",     "sha256:",           "sha256:,1",  "sha256:1,",
        "sha256:24", "sha256:-1",  "sha256:0x1",        "sha256:001", "sha256: 1",
        "sha256:1 ", "sha256:1;2", "sha256:allx",       "sha256:al",  "sha256:1+",
        "+sha256:1", "sha256:1++", "sha256:1+sha256:2", "md5:1",      ":1",
        "SHA256:1",  "sha256:1:2", "sha25:1",           "sha2566:1",  "sha256:4294967296",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error error = ERROR_INIT;
        TPML_PCR_SELECTION pcrs;
        assert_false(tpm_seal_pcrs_parse(bad[i], &pcrs, &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void parents(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    uint32_t parent = 0;
    assert_true(tpm_seal_parent_parse("0x81000001", &parent, &error));
    assert_int_equal(parent, 0x81000001);
    assert_true(tpm_seal_parent_parse("0x81FFffff", &parent, &error));
    assert_int_equal(parent, 0x81ffffff);
    static const char *const bad[] = {
        "",
        "0x",
        "81000001",
        "0x80000000",
        "0x82000000",
        "0x8100000",
        "0x081000001",
        "0x81000001 ",
        " 0x81000001",
        "0x8100000g",
        "0x181000001",
        "0x-1000001",
        "2164260865",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_clear(&error);
        assert_false(tpm_seal_parent_parse(bad[i], &parent, &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void connections(void **state)
{
    (void)state;
    static const char *const good[] = {"device",       "device:/dev/tpmrm0",  "device:/dev/null",
                                       "swtpm:path=x", "mssim:host=a,port=1", "tabrmd"};
    static const char *const bad[] = {"",
                                      ":",
                                      "cmd:sh",
                                      "pcap:device",
                                      "/tmp/x.so",
                                      "devices:",
                                      "device:/etc/passwd",
                                      "device:/",
                                      "tabrmd2"};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(tpm_seal_tcti_check(good[i], &error));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_clear(&error);
        assert_false(tpm_seal_tcti_check(bad[i], &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void objects(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct tpm_seal_object object;
    struct buffer public = from_hex(policy_public), private = from_hex(policy_private);
    struct buffer plain = from_hex(plain_public), digest = from_hex(policy);
    struct buffer public_back = BUFFER_INIT, private_back = BUFFER_INIT;
    assert_true(tpm_seal_object_parse(&public, &private, &object, &error));
    const TPMT_PUBLIC *area = &object.public.publicArea;
    assert_int_equal(area->nameAlg, TPM2_ALG_SHA256);
    assert_int_equal(area->objectAttributes, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT);
    assert_int_equal(area->authPolicy.size, digest.length);
    assert_memory_equal(area->authPolicy.buffer, digest.data, digest.length);
    assert_true(tpm_seal_object_write(&object, &public_back, &private_back, &error));
    assert_int_equal(public_back.length, public.length);
    assert_memory_equal(public_back.data, public.data, public.length);
    assert_int_equal(private_back.length, private.length);
    assert_memory_equal(private_back.data, private.data, private.length);
    assert_true(tpm_seal_object_parse(&plain, &private, &object, &error));
    assert_int_equal(area->authPolicy.size, 0);
    assert_true((area->objectAttributes & TPMA_OBJECT_USERWITHAUTH) != 0);
    buffer_free(&public);
    buffer_free(&private);
    buffer_free(&plain);
    buffer_free(&digest);
    buffer_free(&public_back);
    buffer_free(&private_back);
}

static void refuse(const struct buffer *public, const struct buffer *private)
{
    struct error error = ERROR_INIT;
    struct tpm_seal_object object;
    assert_false(tpm_seal_object_parse(public, private, &object, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_true(error.message[0] != '\0');
}

static void objects_refused(void **state)
{
    (void)state;
    struct buffer public = from_hex(policy_public), private = from_hex(policy_private);
    struct buffer hmac = from_hex(hmac_public), empty = BUFFER_INIT;
    refuse(&hmac, &private);
    refuse(&private, &public);
    refuse(&empty, &private);
    refuse(&public, &empty);
    for (; public.length > 0; public.length--, refuse(&public, &private))
        ;
    buffer_free(&public);
    public = from_hex(policy_public);
    for (; private.length > 0; private.length--, refuse(&public, &private))
        ;
    buffer_free(&private);
    private = from_hex(policy_private);
    assert_true(buffer_append_byte(&private, 0));
    refuse(&public, &private);
    private.length--;
    assert_true(buffer_append_byte(&public, 0));
    refuse(&public, &private);
    /* The size says so as well: then tss2 reads less than it. */
    public.data[1]++;
    refuse(&public, &private);
    buffer_free(&public);
    buffer_free(&private);
    buffer_free(&hmac);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcr_selections), cmocka_unit_test(pcr_selections_refused),
        cmocka_unit_test(parents),        cmocka_unit_test(connections),
        cmocka_unit_test(objects),        cmocka_unit_test(objects_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
