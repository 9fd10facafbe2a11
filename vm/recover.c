/* recover - the whole of it: settings, disks, other files, report. See recover.h. */
#include "vm/recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "vm/files.h"
#include "vm/recover_private.h"

char *recovery_path(const struct recovery *r, const char *name, struct error *error)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", r->out, name) < 0) {
        error_memory(error);
        return NULL;
    }
    return path;
}

void recovery_missed(struct recovery *r, json_t *entry, const struct error *error)
{
    report_error(entry, error);
    log_say(r->options->log, LOG_WARN, "%s: %s", error->file, error->message);
    r->missed++;
    if (r->first_miss.code == ERROR_NONE)
        r->first_miss = *error;
}

/* An empty directory OUT, made when it is not there; what lies in one is never mixed with ours. */
static bool prepare_directory(const char *out, struct error *error)
{
    if (mkdir(out, 0700) == 0)
        return true;
    if (errno != EEXIST) {
        error_system(error, "cannot make the directory");
        return error_in_file(error, out);
    }
    DIR *directory = opendir(out);
    if (directory == NULL) {
        error_system(error, "cannot use as output directory");
        return error_in_file(error, out);
    }
    size_t entries = 0;
    while (entries <= 2 && readdir(directory) != NULL)
        entries++;
    closedir(directory);
    if (entries > 2) {
        error_set(error, ERROR_USAGE, "the output directory is not empty");
        return error_in_file(error, out);
    }
    return true;
}

static const char *encryption_name(enum vmx_encryption encryption)
{
    if (encryption == VMX_ENCRYPTION_NONE)
        return "none";
    return encryption == VMX_ENCRYPTION_PARTIAL ? "partial" : "full";
}

static json_t *report_config(struct recovery *r, const char *name, json_t *removed)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o}", "source", report_text(file_name(r->vmx)),
                     "file", report_text(name), "state",
                     r->config.encrypted ? "recovered" : "copied", "encryption",
                     encryption_name(r->info.encryption), "proofs",
                     report_config_proofs(&r->config), "settings_removed", removed);
}

static bool write_config(struct recovery *r, json_t *report, struct error *error)
{
    const char *name = file_name(r->vmx);
    char *path = recovery_path(r, name, error);
    struct buffer text = BUFFER_INIT;
    json_t *removed = report_strip_settings(r->plain);
    if (r->info.vtpm == VMX_YES)
        log_say(r->options->log, LOG_WARN,
                "the VM has a virtual TPM, which VMware products allow in encrypted VMs only; its "
                "settings are kept as they are");
    bool ok = path != NULL && (dict_write(r->plain, &text) || error_memory(error)) &&
              file_replace(path, buffer_text(&text), text.length, 0600, false, error);
    if (ok) {
        json_object_set_new(report, "config", report_config(r, name, removed));
        r->recovered++;
    } else {
        json_decref(removed);
    }
    buffer_free(&text);
    free(path);
    return ok;
}

static bool write_report(struct recovery *r, json_t *report, struct error *error)
{
    char *text = json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    char *path = text == NULL ? NULL : recovery_path(r, "report.json", error);
    bool ok = text != NULL || error_memory(error);
    ok = ok && path != NULL && file_replace(path, text, strlen(text), 0600, false, error);
    free(path);
    free(text);
    return ok;
}

static bool recover_all(struct recovery *r, json_t *report, struct error *error)
{
    const struct vmx_value *name = &r->info.facts[VMX_FACT_DISPLAY_NAME];
    if (name->known == VMX_KNOWN)
        json_object_set_new(report, "display_name", report_text(name->text));
    for (size_t i = 0; i < r->info.disk_count; i++) {
        const struct vmx_disk *disk = &r->info.disks[i];
        if (disk->present && vm_has_suffix(disk->file, ".vmdk"))
            recover_disk(r, disk->device, disk->file);
    }
    bool ok = recover_files(r, error) && write_config(r, report, error);
    json_object_set(report, "disks", r->disks);
    json_object_set(report, "files", r->files);
    json_object_set_new(report, "complete", json_boolean(ok && r->missed == 0));
    return ok;
}

/* One line that says how it went as a whole. */
static bool conclude(const struct recovery *r, struct error *error)
{
    if (r->missed == 0)
        return true;
    struct error first = r->first_miss;
    error_set(error, ERROR_PARTIAL,
              "%zu of %zu files not recovered or not proved, see report.json; "
              "the first: %.200s: %.300s",
              r->missed, r->missed + r->recovered, first.file[0] != '\0' ? first.file : "?",
              first.message);
    return error_in_file(error, r->out);
}

bool vm_recover(const char *vm, const char *out, const struct recover_options *options,
                json_t **report, struct error *error)
{
    struct recovery r = {.options = options, .out = out, .first_miss = ERROR_INIT};
    *report = NULL;
    char *vmx = vm_find_vmx(vm, error);
    if (vmx == NULL)
        return false;
    r.vmx = vmx;
    bool ok = vmx_config_load(&r.config, vmx, error);
    if (ok && r.config.encrypted)
        ok = vmx_config_unlock(&r.config, options->keyring, error) || error_in_file(error, vmx);
    if (ok) {
        r.plain = vmx_config_plain(&r.config, error);
        ok = r.plain != NULL && vmx_info_fill(&r.info, &r.config, error) &&
             prepare_directory(out, error);
    }
    if (ok) {
        r.disks = json_array();
        r.files = json_array();
        *report = json_pack("{s:i, s:s, s:o}", "version", 1, "tool", "vmcrypt " VMCRYPT_VERSION,
                            "vm", report_text(vm));
        ok = recover_all(&r, *report, error) && write_report(&r, *report, error) &&
             conclude(&r, error);
        json_decref(r.disks);
        json_decref(r.files);
    }
    dict_free(r.plain);
    vmx_info_free(&r.info);
    vmx_config_free(&r.config);
    free(vmx);
    return ok;
}
