/* recover_file - the files beside the disks: nvram and snapshot states are decrypted, plain text
 * is copied, what cannot be decrypted is left where it is and said. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "keywrap/cryptodict.h"
#include "vm/files.h"
#include "vm/recover_private.h"
#include "vmx/encobj.h"

enum { COPY_LIMIT = 256 << 20 };

/* Snapshot and log files that are text or small, and worth having beside the disks. */
static bool is_copied(const char *name)
{
    static const char *const suffixes[] = {".nvram", ".vmsd", ".vmxf", ".vmpl", ".log"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (vm_has_suffix(name, suffixes[i]))
            return true;
    return false;
}

static bool is_container(int fd)
{
    uint8_t head[4];
    return pread(fd, head, sizeof head, 0) == sizeof head && encobj_recognise(head, sizeof head);
}

static bool decrypt_file(struct recovery *r, int fd, const char *source, const char *name,
                         const char *path, json_t *proofs, struct error *error)
{
    const char *text = vmx_config_get(&r->config, "dataFileKey");
    if (text == NULL)
        return error_set(error, ERROR_NO_KEY, "is encrypted, and the settings hold no dataFileKey");
    struct crypto_key key;
    struct encobj_result result;
    struct file_output out = {.fd = -1};
    if (!crypto_key_parse(text, strlen(text), &key, error))
        return error_prefix(error, "dataFileKey");
    const struct progress *progress =
        r->options->progress_for == NULL ? NULL : r->options->progress_for(r->options->user, name);
    bool ok = file_create(&out, path, 0600, false, error) &&
              encobj_decrypt(fd, source, key.key, &out, progress, &result, error) &&
              file_publish(&out, error);
    if (r->options->progress_for != NULL)
        r->options->progress_for(r->options->user, NULL);
    file_abandon(&out);
    crypto_key_free(&key);
    if (ok)
        report_proof(proofs, "hmac", result.rule);
    return ok;
}

static bool copy_file(const char *source, const char *path, struct error *error)
{
    struct buffer content = BUFFER_INIT;
    bool ok = file_read_all(source, COPY_LIMIT, &content, error) &&
              file_replace(path, buffer_text(&content), content.length, 0600, false, error);
    buffer_free(&content);
    return ok;
}

/* One file: *state says what became of it. */
static bool take_file(struct recovery *r, const char *name, json_t *proofs, const char **state,
                      struct error *error)
{
    char *source = file_beside(r->vmx, name);
    char *path = source == NULL ? NULL : recovery_path(r, name, error);
    int fd = path == NULL ? -1 : file_open_read(source, error);
    bool ok = fd >= 0;
    *state = "left";
    if (ok && vm_is_data_file(name) && is_container(fd)) {
        *state = "recovered";
        ok = decrypt_file(r, fd, source, name, path, proofs, error);
    } else if (ok && is_copied(name)) {
        *state = "copied";
        ok = copy_file(source, path, error);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    free(source);
    return ok;
}

static bool is_for_others(const char *name)
{
    /* Disks have their own part of the report, and so have the settings. */
    return vm_has_suffix(name, ".vmdk") || vm_has_suffix(name, ".vmx");
}

bool recover_files(struct recovery *r, struct error *error)
{
    struct vm_names names;
    bool ok = vm_files_beside(r->vmx, &names, error);
    for (size_t i = 0; ok && i < names.count; i++) {
        const char *name = names.names[i];
        if (is_for_others(name))
            continue;
        struct error reason = ERROR_INIT;
        const char *state;
        json_t *entry = json_object();
        json_t *proofs = json_array();
        json_object_set_new(entry, "source", report_text(name));
        bool taken = take_file(r, name, proofs, &state, &reason);
        json_object_set_new(entry, "state", json_string(taken ? state : "failed"));
        report_no_proof(proofs);
        json_object_set_new(entry, "proofs", proofs);
        if (!taken) {
            error_in_file(&reason, name);
            recovery_missed(r, entry, &reason);
        } else if (strcmp(state, "recovered") == 0) {
            r->recovered++;
        }
        json_array_append_new(r->files, entry);
    }
    vm_names_free(&names);
    return ok;
}
