/* encrypted_fixture - encrypted disks made with the room's own XTS (which test_xts checks against
 * published vectors), for the tests that need one. */
#ifndef VMCRYPT_TESTS_VMDK_ENCRYPTED_FIXTURE_H
#define VMCRYPT_TESTS_VMDK_ENCRYPTED_FIXTURE_H

#include "tests/vmdk/fixture.h"

#include "base/file.h"
#include "vmdk/disk.h"
#include "vmdk/disk_key.h"
#include "vmdk/xts/xts.h"
#include "vmdk/zero.h"

struct vault {
    struct keyring ring;
    struct keyring wrong; /* the same ids, another key */
    struct crypto_key dek;
};

static inline struct keyring vault_ring(uint8_t byte)
{
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    struct secret *key = secret_new(32, &error);
    memset(key->data, byte, key->length);
    assert_true(keyring_add(
        &ring,
        &(struct keyring_key){.provider = "KMS", .id = "key-1", .origin = "test", .key = key},
        &error));
    return ring;
}

static inline struct vault vault_make(void)
{
    struct error error = ERROR_INIT;
    struct vault v = {.ring = vault_ring(0x31), .wrong = vault_ring(0x32)};
    assert_true(crypto_key_generate("XTS-AES-256", &v.dek, &error));
    return v;
}

static inline void vault_free(struct vault *v)
{
    keyring_free(&v->ring);
    keyring_free(&v->wrong);
    crypto_key_free(&v->dek);
}

/* Write TEXT as descriptor NAME, locked for the ring of V. */
static inline const char *vault_descriptor(struct fixture *f, const struct vault *v,
                                           const char *name, const char *text)
{
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    struct keysafe_locker locker = {.kek = &v->ring.keys[0]};
    struct descriptor *d = descriptor_parse(text, strlen(text), &error);
    assert_non_null(d);
    assert_true(disk_key_lock(d, &v->dek, &locker, SEAL_HMAC_SHA256, &error));
    assert_true(descriptor_write(d, &out));
    const char *path = fixture_text(f, name, buffer_text(&out));
    buffer_free(&out);
    descriptor_free(d);
    return path;
}

/* Encrypt DATA in place as a disk from its start; units of zeros are left as never written. */
static inline void vault_encrypt(const struct vault *v, uint8_t *data, size_t length, size_t unit)
{
    struct error error = ERROR_INIT;
    struct xts *x = xts_new(v->dek.key, unit, &error);
    assert_non_null(x);
    for (size_t at = 0; at < length; at += unit) {
        if (!bytes_are_zero(data + at, unit))
            assert_true(xts_encrypt(x, at / unit, data + at, data + at, unit, &error));
    }
    xts_free(x);
}

/* Noise that differs from byte to byte, with a run of zeros of ZEROS bytes in every 64 KiB. */
static inline void fill_noise(uint8_t *data, size_t length, size_t zeros)
{
    uint32_t seed = 12345;
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = i % 65536 >= 16384 && i % 65536 < 16384 + zeros ? 0 : (uint8_t)(seed >> 24 | 1);
    }
}

#endif
