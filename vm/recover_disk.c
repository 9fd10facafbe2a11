/* recover_disk - one virtual disk: unlock, look, copy, describe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vm/files.h"
#include "vm/recover_private.h"
#include "vmdk/copy.h"
#include "vmdk/descriptor.h"
#include "vmdk/disk.h"
#include "vmdk/disk_key.h"
#include "vmdk/evidence.h"

/* A name for the disk in OUT that no other disk has: "web.vmdk", "web-2.vmdk" … */
static char *free_name(const struct recovery *r, const char *file, struct error *error)
{
    const char *base = file_name(file);
    size_t stem = strlen(base) - strlen(".vmdk");
    for (unsigned i = 1; i < 10000; i++) {
        char *name = NULL;
        char number[16] = "";
        if (i > 1)
            snprintf(number, sizeof number, "-%u", i);
        if (asprintf(&name, "%.*s%s.vmdk", (int)stem, base, number) < 0) {
            error_memory(error);
            return NULL;
        }
        char *path = recovery_path(r, name, error);
        bool taken = path != NULL && file_exists(path);
        free(path);
        if (path != NULL && !taken)
            return name;
        free(name);
        if (path == NULL)
            return NULL;
    }
    error_set(error, ERROR_FAILED, "no free name for this disk");
    return NULL;
}

/* Copy the content to NAME's flat file and publish it, then the descriptor that names it. */
static bool write_disk(struct recovery *r, const struct disk *disk, const char *name, json_t *entry,
                       struct error *error)
{
    char *flat = NULL;
    if (asprintf(&flat, "%.*s-flat.vmdk", (int)(strlen(name) - strlen(".vmdk")), name) < 0)
        return error_memory(error);
    char *flat_path = recovery_path(r, flat, error);
    char *path = flat_path == NULL ? NULL : recovery_path(r, name, error);
    struct file_output out = {.fd = -1};
    struct copy_stats stats = {0};
    struct descriptor *plain = NULL;
    struct buffer text = BUFFER_INIT;
    const struct progress *progress =
        r->options->progress_for == NULL ? NULL : r->options->progress_for(r->options->user, name);
    const char *adapter = descriptor_get(disk_descriptor(disk), "ddb.adapterType");
    bool ok = path != NULL && file_create(&out, flat_path, 0600, false, error) &&
              disk_copy(disk, NULL, &out, progress, &stats, error) && file_publish(&out, error);
    if (r->options->progress_for != NULL)
        r->options->progress_for(r->options->user, NULL);
    if (ok) {
        plain = descriptor_new_flat(flat, stats.bytes, adapter, error);
        ok = plain != NULL && (descriptor_write(plain, &text) || error_memory(error)) &&
             file_replace(path, buffer_text(&text), text.length, 0600, false, error);
        if (!ok)
            remove(flat_path);
    }
    file_abandon(&out);
    if (ok) {
        json_object_set_new(entry, "file", report_text(name));
        json_object_set_new(entry, "image", report_text(flat));
        json_object_set_new(entry, "bytes", json_integer((json_int_t)stats.bytes));
        json_object_set_new(entry, "bytes_written", json_integer((json_int_t)stats.written));
    }
    buffer_free(&text);
    descriptor_free(plain);
    free(path);
    free(flat_path);
    free(flat);
    return ok;
}

/* The path of the descriptor that the settings name FILE, which may be an attacker's word: it must
 * lie in the VM's directory unless the user allows others. */
static char *source_path(const struct recovery *r, const char *file, struct error *error)
{
    const struct evidence evidence = {.allow_outside = r->options->allow_outside};
    struct evidence_file facts;
    int fd = evidence_open(&evidence, r->vmx, file, NULL, &facts, error);
    if (fd < 0)
        return NULL;
    close(fd);
    char *path = file_beside(r->vmx, file);
    if (path == NULL)
        error_memory(error);
    return path;
}

static void tell_notes(const struct recovery *r, const struct disk *disk)
{
    struct notes *notes = disk == NULL ? NULL : disk_notes(disk);
    for (size_t i = 0; notes != NULL && i < notes_count(notes); i++)
        log_say(r->options->log, LOG_WARN, "%s", notes_at(notes, i));
}

static bool try_disk(struct recovery *r, const char *device, const char *file, json_t *entry,
                     json_t *proofs, struct error *error)
{
    char *source = source_path(r, file, error);
    char *name = source == NULL ? NULL : free_name(r, file, error);
    const struct disk_options options = {.keyring = r->options->keyring,
                                         .decrypt_zero_units = r->options->decrypt_zero_units,
                                         .allow_outside = r->options->allow_outside};
    struct disk *disk = name == NULL ? NULL : disk_open(source, &options, error);
    bool ok = disk != NULL;
    bool encrypted = ok && disk_is_encrypted(disk);
    if (ok) {
        report_disk_keys(entry, proofs, disk);
        if (disk_key_is_weak(disk))
            log_say(r->options->log, LOG_WARN,
                    "%s: the two halves of the disk key are equal, which is weak", file);
        disk_key_warn_filters(disk_descriptor(disk), file, r->options->log);
        bool proved;
        ok = report_disk_signatures(proofs, disk, &proved, error) &&
             write_disk(r, disk, name, entry, error);
        const char *state = !encrypted ? "copied" : proved ? "recovered" : "unproved";
        if (ok)
            json_object_set_new(entry, "state", json_string(state));
        if (ok && encrypted && !proved) {
            log_say(r->options->log, LOG_WARN,
                    "%s: the key is right, but nothing in the plaintext confirms how the data are "
                    "laid out: no partition table or file system was recognised",
                    file);
            error_set(error, ERROR_PARTIAL,
                      "no partition table or file system was recognised in "
                      "the plaintext");
            r->missed++;
            if (r->first_miss.code == ERROR_NONE)
                r->first_miss = *error;
        }
    }
    if (ok) {
        char setting[80];
        r->recovered++;
        snprintf(setting, sizeof setting, "%.64s.fileName", device);
        ok = dict_set(r->plain, setting, name, error);
    }
    tell_notes(r, disk);
    disk_close(disk);
    free(name);
    free(source);
    return ok;
}

void recover_disk(struct recovery *r, const char *device, const char *file)
{
    struct error error = ERROR_INIT;
    json_t *entry = json_object();
    json_t *proofs = json_array();
    json_object_set_new(entry, "device", report_text(device));
    json_object_set_new(entry, "source", report_text(file));
    json_object_set_new(entry, "state", json_string("failed"));
    bool ok = try_disk(r, device, file, entry, proofs, &error);
    report_no_proof(proofs);
    json_object_set_new(entry, "proofs", proofs);
    if (!ok) {
        error_in_file(&error, file);
        recovery_missed(r, entry, &error);
    }
    json_array_append_new(r->disks, entry);
}
