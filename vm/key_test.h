/*
 * key_test - which key opens what, over whole trees: settings, disks, bundles, data files.
 *
 * Nothing is decrypted beyond what proves a key. What lies under the given paths is found by name
 * and told by content; links to directories are not followed. Results come in the order of the
 * paths, whatever thread found them, and are not kept, so memory does not grow with the tree.
 */
#ifndef VMCRYPT_VM_KEY_TEST_H
#define VMCRYPT_VM_KEY_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"
#include "keywrap/keyring.h"

enum key_test_kind {
    KEY_TEST_SETTINGS, /* encryption.keySafe and encryption.data of a .vmx */
    KEY_TEST_BUNDLE,   /* encryption.bundle in a .vmx */
    KEY_TEST_DISK,     /* encryptionKeys of a disk descriptor */
    KEY_TEST_DATA,     /* nvram, vmsn, vmss, vmem: under the dataFileKey of their VM */
    KEY_TEST_LOCATOR,  /* a key locator in another file that was named */
};

enum key_test_state {
    KEY_TEST_OPENED,
    KEY_TEST_MISSING, /* its key is not in hand */
    KEY_TEST_UNFIT,   /* keys in hand were tried, and none opens it */
    KEY_TEST_DAMAGED, /* it cannot be tested: unreadable, or no product wrote this */
};

/* One encrypted thing. Texts live for the call only. */
struct key_test_item {
    const char *path;
    enum key_test_kind kind;
    enum key_test_state state;
    const char *provider, *id;     /* of the key that locks it, as the file names it; NULL: none */
    const char *proof;             /* "HMAC-SHA-256", …; NULL unless opened */
    const char *reason;            /* what opened it, or why it did not; never a secret */
    const struct keyring_key *key; /* of the ring, that opened it; NULL: something else did */
    const struct keyring_phrase *phrase;
    const char *vm_name, *vm_uuid; /* of a VM's own settings, where they could be read */
};

struct key_test {
    const struct keyring *ring;
    unsigned threads;                /* 0: one for each CPU */
    const struct progress *progress; /* counts files, of which the number is not known */
    void (*found)(void *user, const struct key_test_item *item);
    void *user;
};

struct key_test_totals {
    uint64_t files; /* looked into */
    uint64_t states[KEY_TEST_DAMAGED + 1];
};

/* Test all that lies under the COUNT PATHS; what cannot be read is told as damaged. False when it
 * could not be done to the end: memory, an interruption (ERROR_FAILED). */
bool key_test_run(const struct key_test *test, char *const *paths, size_t count,
                  struct key_test_totals *totals, struct error *error);

#endif
