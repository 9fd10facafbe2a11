/* What the parts of key_test share: one file's results. */
#ifndef VMCRYPT_VM_KEY_TEST_PRIVATE_H
#define VMCRYPT_VM_KEY_TEST_PRIVATE_H

#include "vm/key_test.h"
#include "vm/tree.h"

/* An item that owns its texts. */
struct key_test_result {
    struct key_test_item item; /* without path */
    char *provider, *id, *proof, *reason, *vm_name, *vm_uuid;
};

struct key_test_results {
    size_t count;
    struct key_test_result *results;
};

/* Test what FILE holds; problems are results. False when memory is short. */
bool key_test_file(const struct keyring *ring, const struct tree_file *file,
                   struct key_test_results *results, struct error *error);
void key_test_results_free(struct key_test_results *results);

#endif
