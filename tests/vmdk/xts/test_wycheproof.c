/*
 * Tests of vmdk/xts/ with the vectors of Project Wycheproof: all kernels, ciphertext stealing, and
 * tweaks of 1 to 16 bytes, with zeros behind the short ones.
 *
 * Source: github.com/C2SP/wycheproof, testvectors_v1/aes_xts_test.json (Apache License 2.0). A few
 * of its figures are below; the file itself is read when it is in $VMCRYPT_WYCHEPROOF or ../shared.
 */
#include "vmdk/xts/xts_openssl.h"

#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/vmdk/xts/vector_check.h"

static const struct {
    int number; /* its tcId */
    const char *key, *tweak, *plain, *cipher;
} SELECTED[] = {
    {1, "6e9841dd6f35b53c48084f9558deabdebe8a712fd6343046a0f92bfdcfe16e07", "6e08e4314925b6cf",
     "7252a0545fcaa07fc468c636203de219", "d107e084fbaed19c5be05ac4f48b7732"},
    {18, "c75326ad7c267ebe39cda4e61f002494f1ea65c2507c751dbab8854f6774d797", "3bfee29bc7000add",
     "65bf6e2b19401a4170a06a3ee4f229a2f06f9ae3bcae48a867179e82e0b2905090",
     "4a9473916fea961445078c9c40fcff5a97eba6de4444f5667f69b736f56a935607"},
    {57,
     "9dbcbd3adde1a6270759ec8c441a863644f89c9f562afed82e33dc8165b6baf6919ea7efb569c53f"
     "4ef74d0be3534ac4e0271110aa8b891281317804574a2636",
     "9dab0d1d240f881a", "91146833d31f4133429e1446cf1eeed89c677a27",
     "540962035d137c6bc8d7f8a3da1a22d11cad8186"},
    {69,
     "3ccdae78200c3c8dcbead3780b256453494fa49c9c2a9f27d0c2a9e6dfdbb662e545d66e9b8598f3"
     "2bb0cff6c8ebb82d9655af6c5df1163519e3d515638d2df0",
     "16e4e39222b4dbc7", "edd06d38435806ed2856a58ebd5ef75e5df1ae65e70d3d9a7bf50070fa025426",
     "e2e1e7d48d62a14aaf54eb915718aabf4682d846bf2b1e309697d9dd8416d685"},
    {79, "ce4cf76100b7e3ca9f7e48c7a155c3c8fc68ccf1de59f9a0d2d8d8002e84740f", "99",
     "e25c905635d9da00d4407de3c20a05a830787fc763d5ef07d3429067cccc84f4",
     "d693a3354770193046b94eeedfce211d35e9eab3b72f7e478362661f1e3b5b7b"},
    {97, "ebadcc2bf2b03d9434350a480189e1e5a4e1b1310a9ee274b3f3c9f66edb9027", "c73c9caf527450",
     "95a1a34061017a6a460bc6c87bb60c712e74259254e0adabc0d0fd2033c387d2",
     "cfb9aebfaaf510ec051c7161f34ada36ecc3dca3c36ec116670f1904448bb4d4"},
    {102,
     "22b2b2b73deebed5466cc7fd03b3192609e72cd9ad383daf1c6a148150774699e5efcab4bc758f38"
     "65c73569b3dfc90e4c20a10b4551ce1d077eb3fdfe252c1c",
     "be937123a20aeddf04", "2bfe4f70f11b368b8b48b4f874bc9c27857a9ac5506477408cb996f46fc820d1",
     "c47aa1cebcf2dfd1ab85375c5c7d11a5a31cd44cefd4a00292e3d21b3a38d623"},
    {118, "a55aaf3d980619f68d891151be94f5a196a160a05fe5dbd92392f297d15135a2",
     "3965c4ef2f76589c43aea017d960eb",
     "0a3fdd751a23bcbe511fcb92aed4bbadf24fb3e083d5656b7440bbfda0e27922",
     "21a4963a2df784846db48b64113f6d03f271dd240eff1fae3b4fa13c58c4dd65"},
    {123,
     "27faf97fb303aa4f2f364edd23997f4c77b8e51ebb8293c59dfb1d24f0fb629f6c820fc2d91bf48f"
     "0035eeec347e37ec4fb0cb36102bcdc5a248c47a2f97eab9",
     "db8b2586214516c2fc656a3736f29e3b",
     "6b1db0f5a43376885002dc98bd556f1dac9b66b66213a9fa6069df995a123384",
     "330dbac070c68d68ed49e8ed1827fad7d89eaae55468db5edf488f9647dbcbc9"},
};

static void selected_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SELECTED / sizeof SELECTED[0]; i++)
        check_vector(SELECTED[i].key, SELECTED[i].tweak, SELECTED[i].plain, SELECTED[i].cipher);
}

static bool find_file(char *path, size_t size)
{
    static const char *const PLACES[] = {"aes_xts_test.json", "testvectors_v1/aes_xts_test.json",
                                         "wycheproof/testvectors_v1/aes_xts_test.json"};
    const char *directory = getenv("VMCRYPT_WYCHEPROOF");
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        snprintf(path, size, "%s/%s", directory != NULL ? directory : "../shared", PLACES[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

static const char *text(const json_t *test, const char *name)
{
    const char *value = json_string_value(json_object_get(test, name));
    assert_non_null(value);
    return value;
}

/* How many were checked: AES-192 is none of XTS's, nor of ours. */
static size_t check_group(const json_t *group)
{
    json_t *test;
    size_t i, checked = 0;
    json_int_t key_bits = json_integer_value(json_object_get(group, "keySize"));
    if (key_bits != 256 && key_bits != 512)
        return 0;
    json_array_foreach(json_object_get(group, "tests"), i, test)
    {
        assert_string_equal(text(test, "result"), "valid");
        check_vector(text(test, "key"), text(test, "iv"), text(test, "msg"), text(test, "ct"));
        checked++;
    }
    return checked;
}

static void all_vectors(void **state)
{
    (void)state;
    char path[512];
    json_error_t reason;
    if (!find_file(path, sizeof path)) {
        print_message("no aes_xts_test.json in $VMCRYPT_WYCHEPROOF or ../shared: skipped\n");
        skip();
    }
    json_t *root = json_load_file(path, 0, &reason), *group;
    assert_non_null(root);
    assert_string_equal(text(root, "algorithm"), "AES-XTS");
    size_t i, checked = 0;
    json_array_foreach(json_object_get(root, "testGroups"), i, group) checked += check_group(group);
    assert_true(checked >= 82);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selected_vectors),
        cmocka_unit_test(all_vectors),
    };
    return run_for_each_kernel(tests);
}
