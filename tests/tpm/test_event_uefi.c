/* UEFI's structures in events: device paths against the specification's texts, signature lists
 * against openssl's reading of the certificates, tables whose counts lie. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "tests/tpm/event_fixture.h"
#include "tpm/devpath.h"

static void assert_path(const char *hex, enum devpath_style style, const char *expected)
{
    uint8_t path[512];
    size_t length = sizeof path;
    struct buffer out = BUFFER_INIT;
    assert_true(hex_decode(hex, strlen(hex), path, &length));
    assert_true(devpath_text(path, length, style, &out, NULL));
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void test_paths(void **state)
{
    (void)state;
    /* As the specification's §10.6 has them, with an end node and without. */
    static const struct {
        const char *hex, *text;
    } uefi[] = {
        {"02010c00d041030a00000000010106000102", "PciRoot(0x0)/Pci(0x2,0x1)"},
        {"02010c00d041080a010000007fff0400", "PcieRoot(0x1)"},
        {"02010c00d0410605050000007fff0400", "Acpi(PNP0506,0x5)"},
        {"010318000b00000000100000000000000020000000000000", "MemoryMapped(0xb,0x1000,0x2000)"},
        {("04012a0001000000000800000000000000001000000000003c64b93c086ce54f852d17e1ae7011580202"
          "040412005c0061002e0065006600690000007fff0400"),
         "HD(1,GPT,3cb9643c-6c08-4fe5-852d-17e1ae701158,0x800,0x100000)/\\a.efi"},
        {"04012a000200000000080000000000000000100000000000785634120000000000000000000000000101",
         "HD(2,MBR,0x12345678,0x800,0x100000)"},
        {("030b2500dc4a3e7c818d000000000000000000000000000000000000000000000000000001"
          "030c1b000a0000010a0000020000500006000101000a00ffffff00"),
         "MAC(dc4a3e7c818d,0x1)/IPv4(10.0.0.2:80,TCP,Static,10.0.0.1,1.0.10.0,255.255.255.0)"},
        {("030d3c00fe80000000000000000000000000000120010db80000000000000000000000020000000011000040"
          "00000000000000000000000000000000"),
         "IPv6([2001:db8::2],UDP,Static,[fe80::1],[::],64)"},
        {"03120a000100ffff0000", "Sata(0x1,0xffff,0x0)"},
        {"0302080001000200030506000b00", "Scsi(0x1,0x2)/USB(0xb,0x0)"},
        {"03171000010000000123456789abcdef", "NVMe(0x1,EF-CD-AB-89-67-45-23-01)"},
        {"03180c00687474703a2f2f78", "Uri(http://x)"},
        {"04071400c9bdb87cebf8344faaea3ee4af6516a10406140021aa2c4614760345836e8ab6f46623317fff0400",
         "Fv(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)"},
        {"040818000000000000f6000000000000ff07020000000000", "Offset(0xf600,0x207ff)"},
        {"0501120002000000486172646469736b3100", "BBS(HD,Harddisk1,0x0)"},
        {"01041800c9bdb87cebf8344faaea3ee4af6516a101020304",
         "VenHw(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1,01020304)"},
        {"09070600abcd", "Path(9,7,abcd)"},
        {"0101050001", "Path(1,1,01)"}, /* too short for a Pci node */
        {"0101060001027f010400010106000304", "Pci(0x2,0x1),Pci(0x4,0x3)"},
        {"031a0500020314060001000311050007", "SD(0x2)/Vlan(0x1)/Unit(0x7)"},
        {"031c0700617070", "Wi-Fi(app)"},
        {"031518000000000001000000000000000200000000000000", "FibreEx(0x1,0x2)"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof uefi / sizeof uefi[0]; i++)
        assert_path(uefi[i].hex, DEVPATH_UEFI, uefi[i].text);
    static const char file[] = "04040a005c0061000000";
    assert_path(file, DEVPATH_EFIVAR, "File(\\a)");
    assert_path(file, DEVPATH_EFIVAR_39, "\\a");
    assert_path("03120a000100ffff0000", DEVPATH_EFIVAR_39, "Sata(1,65535,0)");
}

static void test_paths_that_lie(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0101060001",     /* longer than there is */
        "01010000",       /* a node of no bytes */
        "0101030000",     /* of less than its header */
        "01010600010201", /* a header that is cut off */
        "0404ffff5c00",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t path[64];
        size_t length = sizeof path, used;
        struct buffer out = BUFFER_INIT;
        assert_true(hex_decode(bad[i], strlen(bad[i]), path, &length));
        assert_false(devpath_text(path, length, DEVPATH_UEFI, &out, &used));
        assert_true(used <= length);
        buffer_free(&out);
    }
}

/* The subject as openssl prints it. */
static void openssl_says(const char *path, const char *what, char *out, size_t size)
{
    char command[1400], line[1024] = "";
    snprintf(command, sizeof command,
             "openssl x509 -inform der -in '%s' -noout -%s -nameopt RFC2253,-esc_msb", path, what);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    assert_int_equal(pclose(pipe), 0);
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, size, "%s", strchr(line, '=') + 1);
}

static void put_list(struct buffer *b, const uint8_t *type, const void *header, size_t header_size,
                     const void *entries, size_t size, size_t entry_size)
{
    buffer_append(b, type, 16);
    put32(b, (uint32_t)(28 + header_size + size));
    put32(b, (uint32_t)header_size);
    put32(b, (uint32_t)entry_size);
    buffer_append(b, header, header_size);
    buffer_append(b, entries, size);
}

static const uint8_t x509_guid[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                      0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t sha256_guid[16] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
                                        0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};

static const json_t *entry(const struct fixture *f, size_t list, size_t i)
{
    const json_t *lists = field(f, "signature_lists");
    return json_array_get(json_object_get(json_array_get(lists, list), "entries"), i);
}

static void test_certificates(void **state)
{
    (void)state;
    static const char *const names[] = {"MicWinProPCA2011_2011-10-19.crt",
                                        "GcePk.crt",
                                        "MicCorUEFCA2011_2011-06-27.crt",
                                        "MicCorKEKCA2011_2011-06-24.crt",
                                        "canonical-boothole.crt",
                                        "debian-boothole.crt",
                                        "cisco-boothole.crt"};
    if (!have_sample("wellknown-secureboot/GcePk.crt"))
        skip();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[128], expected[1024];
        struct fixture f = {.bytes = BUFFER_INIT};
        struct buffer certificate = BUFFER_INIT, list = BUFFER_INIT;
        struct error error = ERROR_INIT;
        snprintf(name, sizeof name, "wellknown-secureboot/%s", names[i]);
        buffer_append(&certificate, x509_guid, 16); /* as the owner */
        assert_true(file_read_all(sample_path(name), 1 << 20, &certificate, &error));
        put_list(&list, x509_guid, "", 0, certificate.data, certificate.length, certificate.length);
        put_begin(&f.bytes);
        put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "db", list.data,
                           list.length);
        put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_AUTHORITY, "db", certificate.data,
                           certificate.length);
        put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_AUTHORITY, "Shim", certificate.data + 16,
                           certificate.length - 16);
        fixture_parse(&f);
        fixture_look(&f, 1);
        assert_string_equal(authenticated(&f), "guid guid_name name signature_lists");
        const json_t *found = json_object_get(entry(&f, 0, 0), "certificate");
        openssl_says(sample_path(name), "subject", expected, sizeof expected);
        assert_string_equal(json_string_value(json_object_get(found, "subject")), expected);
        openssl_says(sample_path(name), "issuer", expected, sizeof expected);
        assert_string_equal(json_string_value(json_object_get(found, "issuer")), expected);
        openssl_says(sample_path(name), "serial", expected, sizeof expected);
        assert_string_equal(json_string_value(json_object_get(found, "serial")), expected);
        assert_null(json_object_get(found, "bytes_behind"));
        for (size_t e = 2; e <= 3; e++) { /* behind an owner, and alone */
            fixture_look(&f, e);
            openssl_says(sample_path(name), "subject", expected, sizeof expected);
            found = json_object_get(field(&f, "certificate"), "subject");
            assert_string_equal(json_string_value(found), expected);
        }
        buffer_free(&certificate);
        buffer_free(&list);
        fixture_free(&f);
    }
}

/* GHSA-9r4w-jg96-92mv: what a header hides is not shown as an entry, and told. */
static void test_list_header(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    struct buffer list = BUFFER_INIT;
    uint8_t entries[48];
    memset(entries, 0xab, sizeof entries);
    put_list(&list, sha256_guid, "hidden in here..", 16, entries, sizeof entries, sizeof entries);
    put_list(&list, sha256_guid, "", 0, entries, sizeof entries, sizeof entries);
    put_begin(&f.bytes);
    put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "dbx", list.data, list.length);
    fixture_one(&f);
    assert_int_equal(json_array_size(field(&f, "signature_lists")), 2);
    assert_string_equal(json_string_value(json_object_get(entry(&f, 0, 0), "sha256")),
                        "abababababababababababababababababababababababababababababababab");
    assert_null(entry(&f, 0, 1));
    assert_int_equal(problems(&f), 1);
    assert_string_equal(summary(&f), "dbx: 2 hashes");
    buffer_free(&list);
    fixture_free(&f);
}

static void test_lists_that_lie(void **state)
{
    (void)state;
    static const uint32_t sizes[][3] = {
        {27, 0, 48},         {29, 0, 48}, {76, 49, 48},        {76, 0xffffffff, 48},
        {76, 0, 0},          {76, 0, 15}, {76, 0, 47},         {77, 0, 48},
        {0xffffffff, 0, 48}, {0, 0, 0},   {0x8000001c, 0, 16}, {76, 0xffffffe4, 48},
        {28, 0, 0xffffffff},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture f = {.bytes = BUFFER_INIT};
        struct buffer list = BUFFER_INIT;
        buffer_append(&list, sha256_guid, 16);
        for (size_t j = 0; j < 3; j++)
            put32(&list, sizes[i][j]);
        for (size_t j = 0; j < 48; j++)
            buffer_append_byte(&list, 'x');
        put_begin(&f.bytes);
        put_variable_event(&f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "db", list.data,
                           list.length);
        fixture_one(&f);
        assert_null(field(&f, "signature_lists"));
        assert_non_null(field(&f, "data"));
        assert_true(problems(&f) > 0);
        buffer_free(&list);
        fixture_free(&f);
    }
}

static void test_variables_that_lie(void **state)
{
    (void)state;
    static const uint32_t counts[][4] = {
        {5, 0, 1, 0},          {4, 0, 2, 0},          {0xffffffff, 0xffffffff, 1, 0},
        {4, 0x80000000, 1, 0}, {4, 0, 1, 0x80000000}, {4, 0, 0xffffffff, 0xffffffff},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct fixture f = {.bytes = BUFFER_INIT};
        struct buffer v = BUFFER_INIT;
        buffer_append(&v, sha256_guid, 16);
        for (size_t j = 0; j < 4; j++)
            put32(&v, counts[i][j]);
        buffer_append(&v, "n\0a\0m\0e\0x", 9);
        put_begin(&f.bytes);
        put_event(&f.bytes, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, v.data, v.length);
        fixture_one(&f);
        assert_string_equal(kind(&f), "data");
        assert_int_equal(problems(&f), 1);
        assert_string_equal(authenticated(&f), "data"); /* the bytes are covered all the same */
        buffer_free(&v);
        fixture_free(&f);
    }
}

static void test_boot_option(void **state)
{
    (void)state;
    static const char option[] = "\1\0\0\0\x0e\0E\0S\0X\0\0\0\4\4\x0a\0\\\0a\0\0\0\x7f\xff\4\0more";
    struct fixture f = {.bytes = BUFFER_INIT};
    put_begin(&f.bytes);
    put_variable_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "Boot0001", option, sizeof option - 1);
    put_variable_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "Boot0001", option, 12); /* no end */
    put_variable_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "Boot0001", option, 20); /* no path */
    put_variable_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "BootOrder", option, 3);
    put_variable_event(&f.bytes, 1, EV_EFI_VARIABLE_BOOT, "BootXYZ1", option, 20);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_true(json_is_true(field(&f, "active")));
    assert_string_equal(text(&f, "description"), "ESX");
    assert_string_equal(text(&f, "path"), "\\a");
    assert_string_equal(text(&f, "optional_data"), "more");
    assert_string_equal(summary(&f), "Boot0001: ESX, \\a");
    for (size_t i = 2; i <= 4; i++) {
        fixture_look(&f, i);
        assert_non_null(field(&f, "data"));
        assert_int_equal(problems(&f), 1);
    }
    fixture_look(&f, 5); /* no boot entry by its name */
    assert_int_equal(problems(&f), 0);
    fixture_free(&f);
}

static void test_images_and_blobs(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    uint8_t image[42] = {0x00, 0x10};
    image[8] = 7;
    image[24] = 10;
    memcpy(image + 32, "\4\4\x0a\0\\\0a\0\0", 10);
    put_begin(&f.bytes);
    put_event(&f.bytes, 4, EV_EFI_BOOT_SERVICES_APPLICATION, image, sizeof image);
    put_of(&f.bytes, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "pe", 2, image, sizeof image);
    put_event(&f.bytes, 4, EV_EFI_BOOT_SERVICES_APPLICATION, image, sizeof image - 1);
    put_of(&f.bytes, 0, EV_EFI_PLATFORM_FIRMWARE_BLOB, "fv", 2, "\0\0\xf0\xff\0\0\x10\0", 8);
    put_of(&f.bytes, 0, EV_EFI_PLATFORM_FIRMWARE_BLOB2, "fv", 2,
           "\3abc\0\0\xf0\xff\0\0\0\0\0\0\x10\0\0\0\0\0", 20);
    put_of(&f.bytes, 0, EV_EFI_PLATFORM_FIRMWARE_BLOB2, "fv", 2,
           "\xff"
           "abc",
           4);
    put_of(&f.bytes, 0, EV_POST_CODE, "x", 1, "ACPI DATA", 9);
    put_of(&f.bytes, 0, EV_POST_CODE, "x", 1, "\0\0\xf0\xff\0\0\0\0\0\0\x10\0\0\0\0\0", 16);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(text(&f, "path"), "\\a");
    assert_string_equal(text(&f, "image_base"), "0x1000");
    fixture_look(&f, 2);
    assert_string_equal(summary(&f), "\\a");
    assert_string_equal(authenticated(&f), "");
    fixture_look(&f, 3);
    assert_string_equal(kind(&f), "data");
    for (size_t i = 4; i <= 5; i++) {
        fixture_look(&f, i);
        assert_string_equal(kind(&f), "firmware-blob");
        assert_string_equal(text(&f, "base"), "0xfff00000");
        assert_int_equal(json_integer_value(field(&f, "length")), 0x100000);
    }
    fixture_look(&f, 6);
    assert_string_equal(kind(&f), "data");
    fixture_look(&f, 7);
    assert_string_equal(text(&f, "text"), "ACPI DATA");
    fixture_look(&f, 8);
    assert_string_equal(text(&f, "base"), "0xfff00000");
    fixture_free(&f);
}

/* Counts that do not match what is there. */
static void test_tables(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    uint8_t gpt[100 + 128] = "EFI PART", handoff[8 + 24] = {1}, narrow[4 + 20] = {1};
    memcpy(handoff + 8, x509_guid, 16);
    memcpy(narrow + 4, x509_guid, 16);
    gpt[92] = 1;
    memcpy(gpt + 100 + 56, "E\0S\0P\0", 6);
    put_begin(&f.bytes);
    put_event(&f.bytes, 5, EV_EFI_GPT_EVENT, gpt, sizeof gpt);
    put_event(&f.bytes, 1, EV_EFI_HANDOFF_TABLES, handoff, sizeof handoff);
    put_event(&f.bytes, 1, EV_EFI_HANDOFF_TABLES, narrow, sizeof narrow);
    gpt[92] = 2;
    handoff[7] = 0x80;
    put_event(&f.bytes, 5, EV_EFI_GPT_EVENT, gpt, sizeof gpt);
    put_event(&f.bytes, 1, EV_EFI_HANDOFF_TABLES, handoff, sizeof handoff);
    memset(gpt + 92, 0xff, 8);
    put_event(&f.bytes, 5, EV_EFI_GPT_EVENT, gpt, sizeof gpt);
    fixture_parse(&f);
    fixture_look(&f, 1);
    const json_t *partition = json_array_get(field(&f, "partitions"), 0);
    assert_string_equal(json_string_value(json_object_get(partition, "name")), "ESP");
    for (size_t i = 2; i <= 3; i++) {
        fixture_look(&f, i);
        assert_int_equal(json_array_size(field(&f, "tables")), 1);
    }
    for (size_t i = 4; i <= 6; i++) {
        fixture_look(&f, i);
        assert_string_equal(kind(&f), "data");
        assert_int_equal(problems(&f), 1);
    }
    fixture_free(&f);
}

static void test_manifests(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    struct buffer v = BUFFER_INIT;
    buffer_append(&v, "SP800-155 Event3", 16);
    put32(&v, 11129);
    buffer_append(&v, x509_guid, 16);
    buffer_append(&v, "\4abc\0\2m\0\2v\0\2f\0", 14);
    put32(&v, 11129);
    buffer_append(&v,
                  "\5"
                  "1.2\0\0",
                  6);
    put32(&v, 1);
    put32(&v, 9);
    buffer_append(&v, "https://x", 9);
    put32(&v, 0);
    put32(&v, 0);
    put_begin(&f.bytes);
    put_event(&f.bytes, 0xffffffff, EV_NO_ACTION, v.data, v.length);
    put_event(&f.bytes, 0xffffffff, EV_NO_ACTION, v.data, v.length - 5);
    v.data[15] = '\0'; /* the first version ends behind the GUID */
    put_event(&f.bytes, 0, EV_NO_ACTION, v.data, 36);
    put_event(&f.bytes, 0, EV_NO_ACTION, v.data, 35);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "sp800-155");
    assert_string_equal(text(&f, "platform_manufacturer"), "abc");
    assert_string_equal(text(&f, "firmware_version"), "1.2");
    assert_string_equal(text(&f, "manifest_locator"), "https://x");
    assert_int_equal(problems(&f), 0);
    fixture_look(&f, 2);
    assert_int_equal(problems(&f), 1);
    fixture_look(&f, 3);
    assert_string_equal(text(&f, "manifest"), "a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
    fixture_look(&f, 4);
    assert_string_equal(kind(&f), "data");
    buffer_free(&v);
    fixture_free(&f);
}

static void test_hcrtm_and_descriptions(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    uint8_t handoff[4 + 8 + 24] = "\3abc\1";
    put_begin(&f.bytes);
    put_event(&f.bytes, 0, EV_NO_ACTION, "H-CRTM CompMeas\0\3acm\0\2\xab\xcd", 24);
    put_event(&f.bytes, 0, EV_NO_ACTION, "H-CRTM CompMeas\0\xff", 17);
    put_of(&f.bytes, 1, EV_EFI_HANDOFF_TABLES2, "x", 1, handoff, sizeof handoff);
    put_of(&f.bytes, 1, EV_EFI_HANDOFF_TABLES2, "x", 1,
           "\xff"
           "abc",
           4);
    put_event(&f.bytes, 0, EV_EFI_HCRTM_EVENT, "HCRTM", 5);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "h-crtm");
    assert_string_equal(text(&f, "description"), "acm");
    assert_string_equal(text(&f, "measurement"), "abcd");
    fixture_look(&f, 2);
    assert_int_equal(problems(&f), 1);
    fixture_look(&f, 3);
    assert_string_equal(text(&f, "description"), "abc");
    assert_int_equal(json_array_size(field(&f, "tables")), 1);
    fixture_look(&f, 4);
    assert_string_equal(kind(&f), "data");
    fixture_look(&f, 5);
    assert_string_equal(summary(&f), "H-CRTM: HCRTM");
    fixture_free(&f);
}

static void test_spdm_and_txt(void **state)
{
    (void)state;
    struct fixture f = {.bytes = BUFFER_INIT};
    static const char device[] = "SPDM Device Sec\0\1\0\4\0\2\0\0\0\1\0\0\0data";
    put_begin(&f.bytes);
    put_event(&f.bytes, 2, EV_EFI_SPDM_FIRMWARE_BLOB, device, sizeof device - 1);
    put_event(&f.bytes, 2, EV_EFI_SPDM_FIRMWARE_BLOB, device, 20);
    put_event(&f.bytes, 17, 0x404, "", 0);
    put_event(&f.bytes, 17, 0x12345678, "\1\2", 2);
    fixture_parse(&f);
    fixture_look(&f, 1);
    assert_string_equal(kind(&f), "spdm-device");
    assert_int_equal(json_integer_value(field(&f, "device_type")), 1);
    assert_string_equal(text(&f, "measurement"), "64617461");
    fixture_look(&f, 2);
    assert_int_equal(problems(&f), 1);
    fixture_look(&f, 3);
    assert_string_equal(kind(&f), "txt");
    fixture_look(&f, 4);
    assert_string_equal(kind(&f), "data");
    assert_string_equal(text(&f, "data"), "0102");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_paths_that_lie),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_list_header),
        cmocka_unit_test(test_lists_that_lie),
        cmocka_unit_test(test_variables_that_lie),
        cmocka_unit_test(test_boot_option),
        cmocka_unit_test(test_images_and_blobs),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_manifests),
        cmocka_unit_test(test_hcrtm_and_descriptions),
        cmocka_unit_test(test_spdm_and_txt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
