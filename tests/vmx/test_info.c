/* What a .vmx tells, with and without its key. */
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
#include "vmx/info.h"

static void fill(struct vmx_config *config, struct vmx_info *info, const char *text)
{
    struct error error = ERROR_INIT;
    if (!vmx_config_parse(config, "test.vmx", text, strlen(text), &error) ||
        !vmx_info_fill(info, config, &error))
        fail_msg("%s", error.message);
}

static void assert_fact(const struct vmx_info *info, enum vmx_fact fact, const char *expected)
{
    assert_int_equal(info->facts[fact].known, expected == NULL ? VMX_ABSENT : VMX_KNOWN);
    if (expected != NULL)
        assert_string_equal(info->facts[fact].text, expected);
}

static const char text[] =
    ".encoding = \"UTF-8\"\n"
    "displayName = \"web01\"\n"
    "virtualHW.version = \"19\"\n"
    "firmware = \"efi\"\n"
    "uefi.secureBoot.enabled = \"TRUE\"\n"
    "vtpm.present = \"TRUE\"\n"
    "migrate.encryptionMode = \"required\"\n"
    "ftEncryptionMode = \"ftEncryptionRequired\"\n"
    "scsi0:0.fileName = \"old.vmdk\"\n"
    "SCSI0:0.filename = \"web01-000002.vmdk\"\n"
    "scsi0:0.present = \"TRUE\"\n"
    "scsi0:0.deviceType = \"scsi-hardDisk\"\n"
    "nvme10:12.fileName = \"/vmfs/volumes/a/data.vmdk\"\n"
    "nvme10:12.present = \"FALSE\"\n"
    "sata0:1.fileName = \"auto detect\"\n"
    "sata0:1.deviceType = \"cdrom-raw\"\n"
    "ide1:0.fileName = \"x.vmdk\"\n"
    "ide1:0.fileName.more = \"y.vmdk\"\n"
    "scsi0.fileName = \"no.vmdk\"\n"
    "scsi:0.fileName = \"no.vmdk\"\n"
    "scsi0:.fileName = \"no.vmdk\"\n"
    "sound.fileName = \"-1\"\n"
    "dataFileKey = \"type=key:cipher=AES-128:key=AAECAwQFBgcICQoLDA0ODw%3d%3d\"\n";

static void assert_disks(const struct vmx_info *info)
{
    assert_int_equal(info->disk_count, 3);
    assert_string_equal(info->disks[0].device, "SCSI0:0");
    assert_string_equal(info->disks[0].file, "web01-000002.vmdk");
    assert_string_equal(info->disks[0].type, "scsi-hardDisk");
    assert_true(info->disks[0].present);
    assert_true(info->disks[0].delta);
    assert_string_equal(info->disks[1].device, "nvme10:12");
    assert_false(info->disks[1].present);
    assert_false(info->disks[1].delta);
    assert_null(info->disks[1].type);
    assert_string_equal(info->disks[2].device, "ide1:0");
    assert_false(info->disks[2].delta);
}

static void plain_file(void **state)
{
    (void)state;
    struct vmx_config config;
    struct vmx_info info;
    fill(&config, &info, text);
    assert_int_equal(info.encryption, VMX_ENCRYPTION_NONE);
    assert_false(info.locked);
    assert_fact(&info, VMX_FACT_DISPLAY_NAME, "web01");
    assert_fact(&info, VMX_FACT_HARDWARE_VERSION, "19");
    assert_fact(&info, VMX_FACT_FIRMWARE, "efi");
    assert_fact(&info, VMX_FACT_VMOTION_ENCRYPTION, "required");
    assert_fact(&info, VMX_FACT_FT_ENCRYPTION, "ftEncryptionRequired");
    assert_fact(&info, VMX_FACT_NVRAM, NULL);
    assert_int_equal(info.vtpm, VMX_YES);
    assert_int_equal(info.secure_boot, VMX_YES);
    assert_int_equal(info.data_key, VMX_YES);
    assert_string_equal(info.data_key_cipher, "AES-128");
    assert_disks(&info);
    vmx_info_free(&info);
    vmx_config_free(&config);
    fill(&config, &info, "managedvm.autoAddVTPM = \"software\"\ndataFileKey = \"?\"\n");
    assert_int_equal(info.vtpm, VMX_YES);
    assert_int_equal(info.secure_boot, VMX_NO);
    assert_int_equal(info.data_key, VMX_YES);
    assert_string_equal(info.data_key_cipher, "");
    vmx_info_free(&info);
    vmx_config_free(&config);
}

/* What is not in the clear is locked, not absent; with the key it is known or absent. */
static void encrypted_file(void **state)
{
    (void)state;
    struct vmx_config config;
    struct vmx_info info;
    struct error error = ERROR_INIT;
    struct buffer written = BUFFER_INIT;
    struct secret *passphrase = secret_copy("pass", 4, &error);
    struct keysafe_locker locker = {passphrase, "PBKDF2-HMAC-SHA-1", "AES-256", 10, NULL};
    fill(&config, &info, text);
    vmx_info_free(&info);
    assert_true(vmx_config_encrypt(&config, "AES-256", &locker, SEAL_HMAC_SHA1, &error));
    assert_true(vmx_info_fill(&info, &config, &error));
    assert_int_equal(info.encryption, VMX_ENCRYPTION_FULL);
    assert_false(info.locked);
    assert_fact(&info, VMX_FACT_FIRMWARE, "efi");
    assert_fact(&info, VMX_FACT_NVRAM, NULL);
    assert_disks(&info);
    vmx_info_free(&info);
    assert_true(dict_set(config.outer, "vmx.encryptionType", "partial", &error));
    assert_true(dict_write(config.outer, &written));
    vmx_config_free(&config);
    fill(&config, &info, buffer_text(&written));
    assert_int_equal(info.encryption, VMX_ENCRYPTION_PARTIAL);
    assert_true(info.locked);
    assert_fact(&info, VMX_FACT_DISPLAY_NAME, "web01");
    assert_int_equal(info.facts[VMX_FACT_FIRMWARE].known, VMX_LOCKED);
    assert_int_equal(info.facts[VMX_FACT_NVRAM].known, VMX_LOCKED);
    assert_int_equal(info.vtpm, VMX_NOT_KNOWN);
    assert_int_equal(info.secure_boot, VMX_NOT_KNOWN);
    assert_int_equal(info.data_key, VMX_NOT_KNOWN);
    assert_int_equal(info.disk_count, 0);
    vmx_info_free(&info);
    vmx_config_free(&config);
    buffer_free(&written);
    secret_free(passphrase);
}

static void too_many_disks(void **state)
{
    (void)state;
    struct vmx_config config;
    struct vmx_info info;
    struct error error = ERROR_INIT;
    struct buffer many = BUFFER_INIT;
    for (int i = 0; i < 2000; i++)
        buffer_printf(&many, "scsi0:%d.fileName = \"x.vmdk\"\n", i);
    assert_true(vmx_config_parse(&config, "test.vmx", many.data, many.length, &error));
    assert_false(vmx_info_fill(&info, &config, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    vmx_config_free(&config);
    buffer_free(&many);
}

static void write_file(const char *path, const char *content)
{
    struct error error = ERROR_INIT;
    assert_true(file_replace(path, content, strlen(content), 0600, true, &error));
}

static void snapshots(void **state)
{
    (void)state;
    char directory[] = "/tmp/vmcrypt-test-XXXXXX", vmx[64], vmsd[64];
    struct error error = ERROR_INIT;
    long count;
    assert_non_null(mkdtemp(directory));
    snprintf(vmx, sizeof vmx, "%s/web01.vmx", directory);
    snprintf(vmsd, sizeof vmsd, "%s/web01.vmsd", directory);
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, -1);
    write_file(vmsd, "");
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, 0);
    write_file(vmsd, ".encoding = \"UTF-8\"\n");
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, 0);
    write_file(vmsd, ".encoding = \"UTF-8\"\nencryption.data = \"AAAA\"\n");
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, -1);
    write_file(vmsd, ".encoding = \"UTF-8\"\nsnapshot.numSnapshots = \"2\"\n");
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, 2);
    write_file(vmsd, "snapshot.numSnapshots = \"many\"\n");
    assert_true(vmx_info_snapshots(vmx, &count, &error));
    assert_int_equal(count, -1);
    unlink(vmsd);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_file),
        cmocka_unit_test(encrypted_file),
        cmocka_unit_test(too_many_disks),
        cmocka_unit_test(snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
