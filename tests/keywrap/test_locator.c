/* Key locators: what is read and refused, and that it comes back byte for byte. The cases follow
 * those of govmomi's crypto/keylocator_test.go; the two long strings are real, from products. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "keywrap/locator.h"
#include "keywrap/nkp_id.h"

/* vCenter with a Native Key Provider named "local" (govmomi test data). */
static const char real_native[] =
    "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/local/"
    "ASEAAgEAIexBYS7MTFOGo6XyS0PZfQEIAAwAEAAgAAQAQUVTLTI1NgCmT8mZIAuAGqLaFVU3pBlaT7%2fzDJm3%2fy%"
    "2f05n9y9%2bxv1aVSfBY9e6rBrhvKIkB2G%2fsvF7L%2bLGpoojr136%2bghgEA,HMAC%2dSHA%2d256,"
    "kIc7z%2fJowrpzVUAand6fC4ixT5BY6KwNTbAPFQErmxFRkmhJNOTp1VyQFnkn5kLgvKpt7KJKlm%"
    "2fvLkO6YxkVe61EMdtdsR2nL9DWMsDWov9syEh%2ftVED%2fzCct1fFpUaqSa29J%2fFk9%2bD22HiA0%"
    "2flumBPwt9M5aW0HB9T9lEMxNEVpSOBPmOW63DzLzAq1EC7%2fIWuCimTL%2b15%"
    "2be4uwDvxEYI5RDofZ2fm9oyM9MLHDTYPo%2fsFo8GU1LK%2frLsQcj20XijOe%"
    "2bfLnDlbJcH1nCmyoO8tweHwDs%2fmwhbpQudvXbGVM3jboiXoPj9rki%"
    "2boGeE8clTcBUyRxHE6n56MuZ6HmH1GHt9tBLyAHvk4oj2wNGGc%3d))";

/* Standard provider "KMS", as the API delivers it: '/' and '+' not escaped (a vCenter event). */
static const char real_api[] =
    "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/KMS/a4e7494f-da55-4917-9d90-560c5078866b,"
    "HMAC-SHA-256,KPYD5DzgqxZVihEqnejnZEQfltXEmEu3w1sGVvoqtHJzbgDNqi/IMD2BehT/"
    "uykcKXaCaYeCDMIo0KswzfP3Gz1wXN3f5gyKgMhPBqGg/LDM4Ee5cqQ/bR8MbLromllqsD028Akd/9q/"
    "rfn3RAkMlBsQW0H8FKYwbYriKTIKr58dL5GhlCoiZdapRXsyJRvDFdMFdUpkujYUhbMyc2lQAuR35YsXN8WT+"
    "ynYWuEeQ9rraEndXRJg2/wLztvziK8bWNDLTe8h+3HN+cg/2aNHDfZCz9/"
    "nrpJrukSy6lG8Xa05MkVk4/tZatnwQXHGafhBg7oT6LVGQfl6muVSpxFhAaFpa0ZcHwadmhBeZDcrb4VeT/"
    "aC0TPn2Pfr3MyXpyb8))";

static struct locator *parse(const char *text, struct error *error)
{
    *error = ERROR_INIT;
    return locator_parse(text, strlen(text), error);
}

/* Parse, expect success, and expect the same bytes back. */
static struct locator *parse_ok(const char *text)
{
    struct error error;
    struct locator *l = parse(text, &error);
    if (l == NULL)
        fail_msg("%s: %s", text, error.message);
    struct buffer out = BUFFER_INIT;
    assert_true(locator_write(l, &out));
    assert_string_equal(buffer_text(&out), text);
    buffer_free(&out);
    return l;
}

/* The same text when every remembered spelling is dropped, i.e. as the products would write. */
static void forget_spelling(struct locator *l)
{
    for (size_t i = 0; i < l->field_count; i++) {
        free(l->fields[i].raw);
        l->fields[i].raw = NULL;
    }
    free(l->type_name);
    l->type_name = NULL;
    for (size_t i = 0; i < l->child_count; i++)
        forget_spelling(l->children[i]);
}

static void test_real_native(void **state)
{
    (void)state;
    struct locator *l = parse_ok(real_native);
    assert_int_equal(l->type, LOCATOR_LIST);
    assert_int_equal(l->child_count, 1);
    const struct locator *pair = l->children[0], *fqid = pair->children[0];
    assert_int_equal(pair->type, LOCATOR_PAIR);
    assert_string_equal(locator_text(pair, LOCATOR_PAIR_MAC), "HMAC-SHA-256");
    assert_int_equal(fqid->type, LOCATOR_FQID);
    assert_null(fqid->fields[LOCATOR_ID].value);
    assert_string_equal(locator_text(fqid, LOCATOR_FQID_SERVER), "local");
    struct error error = ERROR_INIT;
    struct secret *data = locator_pair_data(pair, &error);
    assert_non_null(data);
    assert_int_equal(data->length, 272);
    secret_free(data);

    struct nkp_id id;
    assert_true(nkp_id_decode(locator_text(fqid, LOCATOR_FQID_KEY), &id));
    assert_string_equal(id.kdk_uuid, "21ec4161-2ecc-4c53-86a3-a5f24b43d97d");
    assert_string_equal(id.cipher, "AES-256");
    assert_int_equal(id.rounds, 100000);
    assert_string_equal(provider_type_guess(locator_text(fqid, LOCATOR_FQID_KEY)), "native");

    struct buffer out = BUFFER_INIT;
    forget_spelling(l);
    assert_true(locator_write(l, &out));
    assert_string_equal(buffer_text(&out), real_native);
    buffer_free(&out);
    locator_free(l);
}

static void test_real_api(void **state)
{
    (void)state;
    struct locator *l = parse_ok(real_api);
    const struct locator *fqid = l->children[0]->children[0];
    assert_string_equal(locator_text(fqid, LOCATOR_FQID_SERVER), "KMS");
    assert_string_equal(locator_text(fqid, LOCATOR_FQID_KEY),
                        "a4e7494f-da55-4917-9d90-560c5078866b");
    struct error error = ERROR_INIT;
    struct secret *data = locator_pair_data(l->children[0], &error);
    assert_non_null(data);
    assert_int_equal(data->length, 288);
    secret_free(data);
    locator_free(l);
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "vmware:key/null/%3cVMWARE%2dEMPTYSTRING%3e",
        "VMWARE:KEY/null/%3cVMWARE%2dEMPTYSTRING%3e",
        "VMware:Key/NULL/<VMWARE-EMPTYSTRING>",
        "vmware:key/rawkey/test%2dkey%2ddata",
        "vmware:key/rawkey/test-key-data",
        "vmware:key/phrase/passphrase%2did/salt%2ddata",
        "vmware:key/phrase/id/<VMWARE-EMPTYSTRING>",
        "vmware:key/ldap/id/ldap%2eexample%2ecom/example%2ecom/389/true/cn%3dkeys",
        "vmware:key/ldap/id/server/domain/389/FALSE/path",
        "vmware:key/ldap/id/%3cVMWARE%2dNULL%3e/%3cVMWARE%2dNULL%3e/389/false/path",
        "vmware:key/ldap/id/%3cVMWARE%2dEMPTYSTRING%3e/domain/389/false/path",
        "vmware:key/script/id/%2fpath%2fto%2fscript/signature",
        "vmware:key/role/id/obfuscation",
        "vmware:key/role/<VMWARE-NULL>/adminIdent",
        "vmware:key/role/id/AdminRecovery",
        "vmware:key/role/id/server",
        "vmware:key/fqid/%3cVMWARE%2dNULL%3e/kmip%2dserver/key%2d12345",
        "vmware:key/fqid/id/%3cVMWARE%2dNULL%3e/keyid",
        "vmware:key/fqid/id/local/ASEA/with/slashes",
        "vmware:key/list/()",
        "vmware:key/list/(null/%3cVMWARE%2dEMPTYSTRING%3e,rawkey/data)",
        "vmware:key/list/(list/(list/(null/%3cVMWARE%2dEMPTYSTRING%3e)))",
        "vmware:key/pair/(list/(),HMAC,YmFzZTY0)",
        "vmware:key/pair/(null/%3cVMWARE%2dEMPTYSTRING%3e,HMAC,data)",
        "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/Prov (old)/id,HMAC-SHA-1,AAAA),rawkey/x)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        locator_free(parse_ok(texts[i]));
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "vmware:key/",
        "invalid:key/test",
        "vmware:/null/data",
        "vmware:notkey/null/data",
        "vmware%ZZ:key/null/data",
        "vmwarekeytest",
        "vmware:key/unknown/data",
        "vmware:key/null/notempty",
        "vmware:key/null/<VMWARE-NULL>",
        "vmware:key/rawkey/test%ZZ",
        "vmware:key/rawkey/",
        "vmware:key/phrase/",
        "vmware:key/phrase/%3cVMWARE%2dNULL%3e/data",
        "vmware:key/phrase/id/data%2",
        "vmware:key/phrase/id/data%ZZ",
        "vmware:key/phrase/id//data",
        "vmware:key/ldap/id/server/domain/389/notabool/path",
        "vmware:key/ldap/id/server/domain/notaport/TRUE/path",
        "vmware:key/ldap/id/server/domain/4294967296/TRUE/path",
        "vmware:key/ldap/id/server/domain/-1/TRUE/path",
        "vmware:key/script/id/path",
        "vmware:key/role/id/unknownrole",
        "vmware:key/role/id/",
        "vmware:key/fqid/(test)",
        "vmware:key/fqid/id/server/<VMWARE-NULL>",
        "vmware:key/list/(null/data",
        "vmware:key/list/null/data",
        "vmware:key/list/]test)",
        "vmware:key/list/(list/(null/data",
        "vmware:key/list/(unknown/data)",
        "vmware:key/list/(null/%3cVMWARE%2dEMPTYSTRING%3e,)",
        "vmware:key/list/()x",
        "vmware:key/list/())",
        "vmware:key/pair/(unknown/data,HMAC,YmFzZTY0)",
        "vmware:key/pair/(null/%3cVMWARE%2dEMPTYSTRING%3e,HMAC,!!!invalid-base64!!!)",
        "vmware:key/pair/(null/%3cVMWARE%2dEMPTYSTRING%3e,HMAC,)",
        "vmware:key/pair/(null/%3cVMWARE%2dEMPTYSTRING%3e,HMAC)",
        "vmware:key/pair/(null/%3cVMWARE%2dNULL%3e,HMAC,data)",
        "vmware:key/pair/()",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error;
        struct locator *l = parse(texts[i], &error);
        if (l != NULL)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(error.code, ERROR_DAMAGED);
        assert_true(strlen(error.message) > 10);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct locator *l = parse_ok("vmware:key/rawkey/test%2dkey%2ddata");
    assert_int_equal(l->key->length, 13);
    assert_memory_equal(l->key->data, "test-key-data", 13);
    locator_free(l);
    l = parse_ok("vmware:key/ldap/ldap%2did/ldap%2eexample%2ecom/example%2ecom/389/true/cn%3dkeys");
    assert_string_equal(locator_text(l, LOCATOR_ID), "ldap-id");
    assert_string_equal(locator_text(l, LOCATOR_LDAP_SERVER), "ldap.example.com");
    assert_string_equal(locator_text(l, LOCATOR_LDAP_DOMAIN), "example.com");
    assert_string_equal(locator_text(l, LOCATOR_LDAP_PORT), "389");
    assert_string_equal(locator_text(l, LOCATOR_LDAP_PATH), "cn=keys");
    locator_free(l);
    l = parse_ok("vmware:key/script/script%2did/%2fpath%2fto%2fscript/signature");
    assert_string_equal(locator_text(l, LOCATOR_SCRIPT_PATH), "/path/to/script");
    assert_string_equal(locator_text(l, LOCATOR_SCRIPT_SIGNATURE), "signature");
    locator_free(l);
    l = parse_ok("vmware:key/ldap/id/<VMWARE-EMPTYSTRING>/<VMWARE-NULL>/1/true/x");
    assert_non_null(l->fields[LOCATOR_LDAP_SERVER].value);
    assert_int_equal(l->fields[LOCATOR_LDAP_SERVER].length, 0);
    assert_null(l->fields[LOCATOR_LDAP_DOMAIN].value);
    locator_free(l);
}

static void test_built(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct locator *list = locator_new(LOCATOR_LIST, &error);
    struct locator *fqid = locator_new(LOCATOR_FQID, &error);
    assert_true(locator_add_field(fqid, NULL, 0, &error));
    assert_true(locator_add_field(fqid, "My KMS", 6, &error));
    assert_true(locator_add_field(fqid, "a/b", 3, &error));
    assert_true(locator_add_child(list, fqid, &error));
    assert_true(locator_add_child(list, locator_new(LOCATOR_NULL, &error), &error));
    struct buffer out = BUFFER_INIT;
    assert_true(locator_write(list, &out));
    assert_string_equal(buffer_text(&out), "vmware:key/list/(fqid/<VMWARE-NULL>/My%20KMS/a%2fb,"
                                           "null/%3cVMWARE%2dEMPTYSTRING%3e)");
    buffer_free(&out);
    locator_free(list);
}

/* 10,000 levels and 10,000 members: refused in no time, and no stack is used up. */
static void test_bounds(void **state)
{
    (void)state;
    struct error error;
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, "vmware:key/");
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&text, "list/(");
    for (int i = 0; i < 10000; i++)
        buffer_append_byte(&text, ')');
    assert_null(parse(buffer_text(&text), &error));
    assert_non_null(strstr(error.message, "nested too deep"));
    buffer_free(&text);
    buffer_append_text(&text, "vmware:key/list/(rawkey/x");
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&text, ",rawkey/x");
    buffer_append_byte(&text, ')');
    assert_null(parse(buffer_text(&text), &error));
    assert_non_null(strstr(error.message, "too many members"));
    buffer_free(&text);
    assert_null(locator_parse("vmware:key/rawkey/a\0b", 21, &error));
}

static void test_provider_types(void **state)
{
    (void)state;
    assert_string_equal(provider_type_guess("a4e7494f-da55-4917-9d90-560c5078866b"),
                        "standard (KMIP, UUID)");
    assert_string_equal(provider_type_guess("17"), "standard (KMIP, integer)");
    assert_string_equal(provider_type_guess("my-key"), "unknown");
    struct nkp_id id;
    assert_false(nkp_id_decode("ASEAAgEA", &id));
    assert_false(nkp_id_decode("", &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_native), cmocka_unit_test(test_real_api),
        cmocka_unit_test(test_accepted),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_built),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_provider_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
