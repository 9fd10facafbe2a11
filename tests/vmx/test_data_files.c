/* Which files hang on the dataFileKey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "vmx/data_files.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vmcrypt-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void touch(const char *name, bool there)
{
    char path[256];
    struct error error = ERROR_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (there)
        assert_true(file_replace(path, "x", 1, 0600, true, &error));
    else
        assert_int_equal(unlink(path), 0);
}

static bool names(const struct vmx_data_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->names[i], name) == 0)
            return true;
    return false;
}

static void find(const char *text, struct vmx_data_files *files)
{
    char path[256];
    struct vmx_config config;
    struct error error = ERROR_INIT;
    snprintf(path, sizeof path, "%s/web01.vmx", folder);
    assert_true(vmx_config_parse(&config, path, text, strlen(text), &error));
    assert_true(vmx_data_files_find(files, &config, path, &error));
    vmx_config_free(&config);
}

static void found_by_extension_and_by_setting(void **state)
{
    (void)state;
    static const char *const there[] = {"web01.NVRAM", "a.vmsn", "state.bin", "web01.vmdk", "vmem"};
    struct vmx_data_files files;
    static const char text[] = "nvram = \"web01.NVRAM\"\ncheckpoint.vmState = \"state.bin\"\n"
                               "sched.swap.derivedName = \"/nowhere/web01.vswp\"\n";
    find(text, &files);
    assert_int_equal(files.count, 0);
    vmx_data_files_free(&files);
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        touch(there[i], true);
    find(text, &files);
    assert_int_equal(files.count, 3);
    assert_true(names(&files, "web01.NVRAM"));
    assert_true(names(&files, "a.vmsn"));
    assert_true(names(&files, "state.bin"));
    vmx_data_files_free(&files);
    find("memsize = \"1\"\n", &files);
    assert_int_equal(files.count, 2);
    vmx_data_files_free(&files);
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        touch(there[i], false);
}

static void a_folder_that_cannot_be_listed(void **state)
{
    (void)state;
    struct vmx_config config;
    struct vmx_data_files files;
    struct error error = ERROR_INIT;
    assert_true(vmx_config_parse(&config, "x", "", 0, &error));
    assert_false(vmx_data_files_find(&files, &config, "/nowhere/web01.vmx", &error));
    assert_int_equal(error.code, ERROR_FAILED);
    vmx_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_extension_and_by_setting),
        cmocka_unit_test(a_folder_that_cannot_be_listed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
