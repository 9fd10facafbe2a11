/* Keys in KMIP as JSON and as XML. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/keywrap/kmip_fixture.h"

static const char all_11[] = "11111111111111111111111111111111";

static void read_text(struct outcome *o, const char *text)
{
    read_bytes(o, text, strlen(text), NULL);
}

/* As `ckms sym keys export` writes it [Cosmian/kms documentation/docs/google_cse/
 * original_kms_cse_key.demo.key.json]; the id among the attributes and those of vendors are ours.
 */
static const char json_export[] =
    "{\"tag\": \"SymmetricKey\", \"type\": \"Structure\", \"value\": [{\"tag\": \"KeyBlock\","
    " \"type\": \"Structure\", \"value\": [{\"tag\": \"KeyFormatType\", \"type\": \"Enumeration\","
    " \"value\": \"Raw\"}, {\"tag\": \"KeyValue\", \"type\": \"Structure\", \"value\": ["
    "{\"tag\": \"KeyMaterial\", \"type\": \"ByteString\", \"value\":"
    " \"21CDF5ABC3059E1457E94B44478B197D7498BBF86F8C2D0D721101ECF5B59F02\"},"
    " {\"tag\": \"Attributes\", \"type\": \"Structure\", \"value\": ["
    "{\"tag\": \"UniqueIdentifier\", \"type\": \"TextString\", \"value\": "
    "\"k-\\u00e9\\ud83d\\ude00\"},"
    "{\"tag\": \"Attribute\", \"value\": [{\"tag\": \"VendorIdentification\", \"type\":"
    " \"TextString\", \"value\": \"x\"}, {\"type\": \"TextString\", \"value\": \"x-Name\","
    " \"tag\": \"AttributeName\"}, {\"tag\": \"0x42000B\", \"type\": \"TextString\","
    " \"value\": \"web\\\"01\"}]},"
    "{\"tag\": \"State\", \"type\": \"Enumeration\", \"value\": \"0x00000002\"},"
    "{\"tag\": \"CryptographicUsageMask\", \"type\": \"Integer\", \"value\": 2108}"
    "]}]}, {\"tag\": \"CryptographicAlgorithm\", \"type\": \"Enumeration\", \"value\": \"AES\"},"
    " {\"tag\": \"CryptographicLength\", \"type\": \"Integer\", \"value\": 256}]}]}";
static const char json_key[] = "21cdf5abc3059e1457e94b44478b197d7498bbf86f8c2d0d721101ecf5b59f02";

static void test_json(void **state)
{
    (void)state;
    struct outcome o;
    read_text(&o, json_export);
    assert_form(&o, "kmip-json");
    assert_key(&o, 0, "k-\xc3\xa9\xf0\x9f\x98\x80", json_key);
    assert_string_equal(o.ring.keys[0].name, "web\"01");
    assert_int_equal(o.warnings, 0);
    keyring_free(&o.ring);

    /* Several, in an array and in a row; the answer of the REST interface. */
    struct buffer text = BUFFER_INIT;
    buffer_printf(&text, " [%s,\n%s]\n", json_export, json_export);
    read_text(&o, text.data);
    assert_int_equal(o.ring.key_count, 1);
    keyring_free(&o.ring);
    buffer_free(&text);
    read_text(
        &o, "{\"tag\":\"GetResponse\",\"value\":[{\"tag\":\"ObjectType\",\"type\":\"Enumeration\","
            "\"value\":\"SymmetricKey\"},{\"tag\":\"UniqueIdentifier\",\"type\":\"TextString\","
            "\"value\":\"027cced1\"},{\"tag\":\"Object\",\"type\":\"Structure\",\"value\":["
            "{\"tag\":\"KeyBlock\",\"value\":[{\"tag\":\"KeyValue\",\"value\":[{\"tag\":"
            "\"KeyMaterial\",\"type\":\"ByteString\",\"value\":"
            "\"11111111111111111111111111111111\"}]}]}]}]}\n{\"tag\": \"Unknown\", \"value\": 1}");
    assert_key(&o, 0, "027cced1", all_11);
    keyring_free(&o.ring);
}

static void test_json_damaged(void **state)
{
    (void)state;
    struct outcome o;
    for (size_t cut = 30; cut < sizeof json_export - 1; cut++) {
        read_bytes(&o, json_export, cut, NULL);
        assert_false(o.ok);
        assert_int_equal(o.error.code, ERROR_DAMAGED);
        assert_form(&o, "kmip-json");
    }
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, json_export);
    *strstr(text.data, "21CDF5") = 'x';
    read_text(&o, text.data);
    assert_refused(&o, ERROR_DAMAGED, "no hex");
    text.length = 0;
    for (size_t i = 0; i < 100000; i++)
        buffer_append_text(&text, "{\"tag\":\"KeyBlock\",\"value\":[");
    for (size_t i = 0; i < 100000; i++)
        buffer_append_text(&text, "]}");
    read_text(&o, text.data);
    assert_refused(&o, ERROR_DAMAGED, "nested");
    buffer_free(&text);
    /* Other JSON is left to others. */
    read_text(&o, "{\"tag\": \"Nonsense\", \"value\": []}");
    assert_false(o.ok);
    assert_true(o.form == NULL || strcmp(o.form->name, "kmip-json") != 0);
}

static const char xml_message[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<KMIP>\n<RequestMessage><RequestHeader/>"
    "<BatchItem><Operation type=\"Enumeration\" value=\"AddAttribute\"/><RequestPayload>"
    "<UniqueIdentifier type=\"TextString\" value=\"k&amp;1\"/><Attribute>"
    "<AttributeName type=\"TextString\" value=\"x-Name\"/>"
    "<AttributeValue type=\"TextString\" value=\"web01\"/></Attribute></RequestPayload></BatchItem>"
    "</RequestMessage>\n<ResponseMessage tag=\"0x42007b\" type=\"Structure\"><BatchItem>"
    "<ResultStatus type=\"Enumeration\" value=\"Success\"/><Unknown><KeyBlock/></Unknown>"
    "<ResponsePayload><ObjectType type=\"Enumeration\" value=\"2\" name=\"SymmetricKey\"/>"
    "<UniqueIdentifier type=\"TextString\" value=\"k&#38;1\"/><SymmetricKey><KeyBlock>"
    "<KeyFormatType type=\"Enumeration\" value=\"Raw\"/><KeyValue>"
    "<TTLV tag=\"0x420043\" name=\"KeyMaterial\" type=\"ByteString\""
    " value=\"21cdf5abc3059e1457e94b44478b197d7498bbf86f8c2d0d721101ecf5b59f02\"/></KeyValue>"
    "<CryptographicAlgorithm type=\"Enumeration\" value=\"AES\"/>"
    "<CryptographicLength type=\"Integer\" value=\"256\"/></KeyBlock></SymmetricKey>"
    "</ResponsePayload></BatchItem></ResponseMessage></KMIP>";

static void test_xml(void **state)
{
    (void)state;
    struct outcome o;
    read_text(&o, xml_message);
    assert_form(&o, "kmip-xml");
    assert_key(&o, 0, "k&1", json_key);
    assert_string_equal(o.ring.keys[0].name, "web01");
    keyring_free(&o.ring);

    /* Several documents in a row. */
    struct buffer text = BUFFER_INIT;
    buffer_printf(&text,
                  "%s\n<SymmetricKey><KeyBlock><KeyValue><KeyMaterial type=\"ByteString\""
                  " value=\"%s\"/></KeyValue></KeyBlock></SymmetricKey>\n%s\n",
                  xml_message, all_11, xml_message);
    read_text(&o, text.data);
    assert_key(&o, 0, "k&1", json_key);
    assert_key(&o, 1, NULL, all_11);
    assert_int_equal(o.ring.key_count, 2);
    keyring_free(&o.ring);
    buffer_free(&text);
}

static void test_xml_damaged(void **state)
{
    (void)state;
    struct outcome o;
    for (size_t cut = 60; cut < sizeof xml_message - 1; cut++) {
        read_bytes(&o, xml_message, cut, NULL);
        assert_refused(&o, ERROR_DAMAGED, "KMIP XML");
        assert_form(&o, "kmip-xml");
    }
    read_text(&o, "<!DOCTYPE KMIP [<!ENTITY a \"b\">]><KMIP>&a;</KMIP>");
    assert_refused(&o, ERROR_DAMAGED, "document type");
    struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < 100000; i++)
        buffer_append_text(&text, "<KeyBlock>");
    read_text(&o, text.data);
    assert_refused(&o, ERROR_DAMAGED, "nested");
    buffer_free(&text);
    read_text(&o, "<html><body/></html>");
    assert_refused(&o, ERROR_DAMAGED, "no key in any form");
    read_text(&o, "<!DOCTYPE html><html></html>");
    assert_refused(&o, ERROR_DAMAGED, "no key in any form");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_damaged),
        cmocka_unit_test(test_xml),
        cmocka_unit_test(test_xml_damaged),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
