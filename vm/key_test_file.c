/* key_test_file - which key opens what one file holds; see key_test.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keysafe.h"
#include "vm/key_test_private.h"
#include "vmdk/disk_key.h"
#include "vmx/bundle.h"
#include "vmx/config.h"
#include "vmx/encobj.h"

enum { LOCATORS_MAX = 10000, TEXT_MAX = 64 << 20 };

struct tester {
    const struct keyring *ring;
    struct key_test_results *results;
    struct error *error; /* memory */
};

static char *copy(const char *text, bool *ok)
{
    char *copied = text == NULL ? NULL : strdup(text);
    *ok = *ok && (text == NULL || copied != NULL);
    return copied;
}

static void free_result(struct key_test_result *r)
{
    char *texts[] = {r->provider, r->id, r->proof, r->reason, r->vm_name, r->vm_uuid};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
}

static bool add(struct tester *t, const struct key_test_item *item)
{
    struct key_test_results *all = t->results;
    bool ok = true;
    struct key_test_result r = {
        .item = *item,
        .provider = copy(item->provider, &ok),
        .id = copy(item->id, &ok),
        .proof = copy(item->proof, &ok),
        .reason = copy(item->reason, &ok),
        .vm_name = copy(item->vm_name, &ok),
        .vm_uuid = copy(item->vm_uuid, &ok),
    };
    struct key_test_result *grown =
        ok ? realloc(all->results, (all->count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free_result(&r);
        return error_memory(t->error);
    }
    all->results = grown;
    all->results[all->count++] = r;
    return true;
}

void key_test_results_free(struct key_test_results *results)
{
    for (size_t i = 0; i < results->count; i++)
        free_result(&results->results[i]);
    free(results->results);
    *results = (struct key_test_results){0};
}

static bool add_problem(struct tester *t, enum key_test_kind kind, const struct error *error)
{
    struct key_test_item item = {
        .kind = kind,
        .state = error->code == ERROR_NO_KEY ? KEY_TEST_UNFIT : KEY_TEST_DAMAGED,
        .reason = error->message,
    };
    return add(t, &item);
}

/* The attempt that says most: the one that opened, one whose key is missing, the first. */
static const struct keysafe_attempt *telling(const struct keysafe_result *safe, bool opened)
{
    if (opened)
        return &safe->attempts[safe->opened];
    for (size_t i = 0; i < safe->attempt_count; i++)
        if (safe->attempts[i].missing)
            return &safe->attempts[i];
    return safe->attempt_count == 0 ? NULL : &safe->attempts[0];
}

/* Add what SAFE showed. PROVED: it opened; otherwise FAILURE says why not. */
static bool add_safe(struct tester *t, struct key_test_item *item,
                     const struct keysafe_result *safe, bool proved, const struct error *failure)
{
    const struct keysafe_attempt *a = telling(safe, proved);
    if (a == NULL || (!proved && failure->code != ERROR_NO_KEY)) {
        item->state = KEY_TEST_DAMAGED;
        item->reason = failure->message;
    } else {
        item->state = proved ? KEY_TEST_OPENED : a->missing ? KEY_TEST_MISSING : KEY_TEST_UNFIT;
        item->reason = a->reason;
        item->key = a->key;
        item->phrase = a->phrase;
        item->proof = proved ? seal_mac_name(safe->mac) : NULL;
    }
    if (a != NULL && a->locker->type == LOCATOR_FQID) {
        item->provider = locator_text(a->locker, LOCATOR_FQID_SERVER);
        item->id = locator_text(a->locker, LOCATOR_FQID_KEY);
    }
    return add(t, item);
}

static bool test_bundle(struct tester *t, const struct vmx_config *config,
                        const struct key_test_item *owner)
{
    const char *text = vmx_config_get(config, "encryption.bundle");
    if (text == NULL || text[0] == '\0')
        return true;
    struct key_test_item item = *owner;
    struct vmx_bundle bundle;
    struct error error = ERROR_INIT;
    bool opened = vmx_bundle_open(&bundle, text, strlen(text), t->ring, &error);
    item.kind = KEY_TEST_BUNDLE;
    bool ok = add_safe(t, &item, &bundle.opened, opened, &error);
    vmx_bundle_free(&bundle);
    return ok;
}

/* Name and UUID of the VM, as far as they can be read. */
static void know_owner(struct key_test_item *item, const struct vmx_config *config)
{
    item->vm_name = vmx_config_get(config, "displayName");
    item->vm_uuid = vmx_config_get(config, "uuid.bios");
}

static bool test_vmx(struct tester *t, const struct tree_file *file)
{
    struct vmx_config config;
    struct error error = ERROR_INIT;
    if (!vmx_config_load(&config, file->path, &error))
        return add_problem(t, KEY_TEST_SETTINGS, &error);
    struct key_test_item item = {.kind = KEY_TEST_SETTINGS};
    bool ok = true;
    if (config.encrypted) {
        bool proved = vmx_config_unlock(&config, t->ring, &error);
        know_owner(&item, &config);
        ok = add_safe(t, &item, &config.opened, proved, &error);
    }
    struct key_test_item owner = {.state = KEY_TEST_OPENED};
    know_owner(&owner, &config);
    ok = ok && test_bundle(t, &config, &owner);
    vmx_config_free(&config);
    return ok;
}

/* The content, not the name, tells an extent from a descriptor. */
static bool is_descriptor(const char *path, struct error *error)
{
    char head[4096];
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return false;
    int fd = file_open_read(path, error);
    if (fd < 0)
        return false;
    ssize_t length = pread(fd, head, sizeof head, 0);
    close(fd);
    if (length < 0)
        return error_system(error, "cannot read");
    static const char mark[] = "# Disk DescriptorFile";
    return memmem(head, (size_t)length, mark, sizeof mark - 1) != NULL &&
           memchr(head, '\0', (size_t)length) == NULL;
}

static bool test_disk(struct tester *t, const struct tree_file *file)
{
    struct error error = ERROR_INIT;
    if (!is_descriptor(file->path, &error))
        return error.code == ERROR_NONE || add_problem(t, KEY_TEST_DISK, &error);
    struct descriptor *d = descriptor_load(file->path, &error);
    if (d == NULL)
        return add_problem(t, KEY_TEST_DISK, &error);
    bool ok = true;
    if (descriptor_is_encrypted(d)) {
        struct keysafe_result result = {0};
        struct crypto_key dek = {.key = NULL};
        struct locator *safe = disk_key_safe(d, &error);
        bool opened = safe != NULL && disk_key_unlock(safe, t->ring, &dek, &result, &error);
        ok = add_safe(t, &(struct key_test_item){.kind = KEY_TEST_DISK}, &result, opened, &error);
        crypto_key_free(&dek);
        keysafe_result_free(&result);
        locator_free(safe);
    }
    descriptor_free(d);
    return ok;
}

/* The dataFileKey of the VM at VMX, with what opened its settings. */
static bool data_key(struct tester *t, const char *vmx, struct vmx_config *config,
                     struct crypto_key *key, struct error *error)
{
    if (!vmx_config_load(config, vmx, error))
        return false;
    bool ok = !config->encrypted || vmx_config_unlock(config, t->ring, error);
    const char *text = ok ? vmx_config_get(config, "dataFileKey") : NULL;
    if (ok && text == NULL)
        ok = error_set(error, ERROR_NO_KEY, "the settings of %.300s hold no dataFileKey",
                       file_name(vmx));
    ok = ok && crypto_key_parse(text, strlen(text), key, error);
    if (!ok && error->code == ERROR_NO_KEY && config->encrypted && config->inner == NULL)
        error_prefix(error, "%.200s", file_name(vmx));
    return ok;
}

static bool prove_data(struct tester *t, const struct tree_file *file, int fd)
{
    struct error error = ERROR_INIT;
    struct key_test_item item = {.kind = KEY_TEST_DATA};
    if (file->vmx == NULL) {
        error_set(&error, ERROR_NO_KEY, "no .vmx beside it that would hold its key");
        return add_problem(t, KEY_TEST_DATA, &error);
    }
    struct vmx_config config = {0};
    struct crypto_key key = {.key = NULL};
    struct encobj_result result;
    bool found = data_key(t, file->vmx, &config, &key, &error);
    bool proved = found && encobj_prove(fd, file->path, key.key, &result, &error);
    const struct keysafe_attempt *a = telling(&config.opened, config.inner != NULL);
    if (!proved && error.code == ERROR_NO_KEY && !found && a != NULL && a->missing)
        item.state = KEY_TEST_MISSING;
    else
        item.state = proved                       ? KEY_TEST_OPENED
                     : error.code == ERROR_NO_KEY ? KEY_TEST_UNFIT
                                                  : KEY_TEST_DAMAGED;
    char reason[400];
    snprintf(reason, sizeof reason, "the dataFileKey of %.300s opens it", file_name(file->vmx));
    item.reason = proved ? reason : error.message;
    item.proof = proved ? result.rule : NULL;
    if (a != NULL && a->locker->type == LOCATOR_FQID) {
        item.provider = locator_text(a->locker, LOCATOR_FQID_SERVER);
        item.id = locator_text(a->locker, LOCATOR_FQID_KEY);
    }
    if (proved && a != NULL) {
        item.key = a->key;
        item.phrase = a->phrase;
    }
    bool ok = add(t, &item);
    crypto_key_free(&key);
    vmx_config_free(&config);
    return ok;
}

static bool test_data(struct tester *t, const struct tree_file *file)
{
    struct error error = ERROR_INIT;
    int fd = file_open_read(file->path, &error);
    if (fd < 0)
        return add_problem(t, KEY_TEST_DATA, &error);
    uint8_t head[4];
    bool container = pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
                     encobj_recognise(head, sizeof head);
    bool ok = !container || prove_data(t, file, fd);
    close(fd);
    return ok;
}

static bool test_locator(struct tester *t, const char *text, size_t length)
{
    struct error error = ERROR_INIT;
    struct locator *locator = locator_parse(text, length, &error);
    if (locator == NULL)
        return add_problem(t, KEY_TEST_LOCATOR, &error);
    bool ok = true;
    if (locator->type == LOCATOR_LIST || locator->type == LOCATOR_PAIR) {
        struct keysafe_result result;
        bool opened = keysafe_open(locator, t->ring, &result, &error);
        ok =
            add_safe(t, &(struct key_test_item){.kind = KEY_TEST_LOCATOR}, &result, opened, &error);
        keysafe_result_free(&result);
    }
    locator_free(locator);
    return ok;
}

/* Any other file is looked at for key locators, as in an event log or a saved bundle. */
static bool test_other(struct tester *t, const struct tree_file *file)
{
    static const char prefix[] = "vmware:key/";
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    size_t found = 0;
    bool ok = true;
    if (!file_read_all(file->path, TEXT_MAX, &text, &error)) {
        ok = add_problem(t, KEY_TEST_LOCATOR, &error);
    } else {
        const char *at = buffer_text(&text);
        for (size_t length; ok && found < LOCATORS_MAX; at += length, found++) {
            at = locator_find(at, &length);
            if (at == NULL)
                break;
            ok = test_locator(t, at, length);
        }
        if (ok && found == 0) {
            error_set(&error, ERROR_DAMAGED, "holds no key locator (\"%s…\")", prefix);
            ok = add_problem(t, KEY_TEST_LOCATOR, &error);
        }
    }
    buffer_free(&text);
    return ok;
}

bool key_test_file(const struct keyring *ring, const struct tree_file *file,
                   struct key_test_results *results, struct error *error)
{
    struct tester t = {.ring = ring, .results = results, .error = error};
    *results = (struct key_test_results){0};
    switch (file->kind) {
    case TREE_VMX:
        return test_vmx(&t, file);
    case TREE_VMDK:
        return test_disk(&t, file);
    case TREE_DATA:
        return test_data(&t, file);
    default:
        return test_other(&t, file);
    }
}
