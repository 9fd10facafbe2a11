/* cli_vmx - see cli_vmx.h. */
#include "tools/cli_vmx.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "keywrap/phrase.h"
#include "vmdk/disk_key.h"

bool cli_vmx_unlock(struct cli *cli, struct vmx_config *config, const char *path,
                    struct error *error)
{
    char prompt[256];
    snprintf(prompt, sizeof prompt, "Passphrase of %.200s", cli_printable(file_name(path)));
    if (!cli_keys(cli, config->encrypted ? prompt : NULL, error))
        return false;
    if (!config->encrypted)
        return true;
    bool ok = vmx_config_unlock(config, &cli->ring, error);
    for (size_t i = 0; i < config->opened.attempt_count; i++)
        log_say(&cli->log, LOG_INFO, "pair %zu (%s): %s", i + 1,
                locator_type_name(config->opened.attempts[i].locker->type),
                cli_printable(config->opened.attempts[i].reason));
    return ok || error_in_file(error, path);
}

static bool choose_rounds(const char *text, unsigned *rounds, struct error *error)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > PHRASE_MAX_ROUNDS)
        return error_set(error, ERROR_USAGE, "--rounds takes a number from 1 to %d",
                         PHRASE_MAX_ROUNDS);
    *rounds = (unsigned)value;
    return true;
}

bool cli_vmx_choose_locker(struct cli *cli, const char *kek, const char *phrase_file,
                           struct cli_vmx_locker *into, struct error *error)
{
    const char *cipher = cli_value(cli, "cipher"), *mac = cli_value(cli, "mac");
    const char *kdf = cli_value(cli, "kdf"), *rounds = cli_value(cli, "rounds");
    if (kek != NULL && phrase_file != NULL)
        return error_set(error, ERROR_USAGE, "either a KEK locks it or a passphrase, not both");
    if (cipher != NULL)
        into->locker.cipher = cipher;
    if (cipher_key_bytes(into->locker.cipher) == 0)
        return error_set(error, ERROR_USAGE,
                         "--cipher takes AES-128, AES-192, AES-256 or XTS-AES-256");
    if (mac != NULL && !seal_mac_parse(mac, &into->mac, error))
        return error_set(error, ERROR_USAGE,
                         "--mac takes HMAC-SHA-1, HMAC-SHA-1-128 or HMAC-SHA-256");
    if (kdf != NULL)
        into->locker.pass2key = kdf;
    if (strcmp(into->locker.pass2key, "PBKDF2-HMAC-SHA-1") != 0 &&
        strcmp(into->locker.pass2key, "PBKDF2-HMAC-SHA-256") != 0)
        return error_set(error, ERROR_USAGE,
                         "--kdf takes PBKDF2-HMAC-SHA-1 or PBKDF2-HMAC-SHA-256");
    if (rounds != NULL && !choose_rounds(rounds, &into->locker.rounds, error))
        return false;
    if (kek != NULL) {
        into->locker.kek = cli_find_kek(cli, kek, error);
        return into->locker.kek != NULL;
    }
    into->passphrase = cli_new_passphrase(cli, phrase_file, error);
    into->locker.passphrase = into->passphrase;
    return into->passphrase != NULL;
}

void cli_vmx_locker_free(struct cli_vmx_locker *locker)
{
    secret_free(locker->passphrase);
    *locker = (struct cli_vmx_locker){.passphrase = NULL};
}

static bool write_in_place(const struct buffer *text, const char *path, bool backup, bool *kept,
                           struct error *error)
{
    /* A link stays a link: what it points to is replaced. */
    char *real = realpath(path, NULL), *copy = NULL;
    if (real == NULL) {
        error_system(error, "cannot find");
        return error_in_file(error, path);
    }
    bool ok = true;
    if (backup) {
        if (asprintf(&copy, "%s.bak", real) < 0) {
            copy = NULL;
            ok = error_memory(error);
        }
        ok = ok && file_backup(real, copy, error);
    }
    ok = ok && file_replace(real, buffer_text(text), text->length, 0600, true, error);
    *kept = ok && backup;
    free(copy);
    free(real);
    return ok;
}

bool cli_vmx_write(struct cli *cli, const struct buffer *text, const char *path, const char *out,
                   bool *kept, struct error *error)
{
    *kept = false;
    if (out != NULL)
        return file_replace(out, buffer_text(text), text->length, 0600,
                            cli_value(cli, "force") != NULL, error);
    if (strcmp(path, "-") == 0)
        return error_set(
            error, ERROR_USAGE,
            "what came from standard input cannot be changed in place; name an output");
    return write_in_place(text, path, cli_value(cli, "no-backup") == NULL, kept, error);
}

/* A file that is replaced must be readable again: bounds are the only thing that could break. */
static bool check_readable(const struct buffer *text, struct error *error)
{
    struct vmx_config again;
    if (!vmx_config_parse(&again, "", buffer_text(text), text->length, error))
        return error_prefix(error, "what was to be written could not be read again");
    vmx_config_free(&again);
    return true;
}

bool cli_vmx_write_config(struct cli *cli, const struct vmx_config *config, const char *path,
                          const char *out, bool *kept, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = dict_write(config->outer, &text) || error_memory(error);
    ok = ok && check_readable(&text, error) && cli_vmx_write(cli, &text, path, out, kept, error);
    buffer_free(&text);
    return ok;
}

static bool leads_outside(const char *file)
{
    for (const char *part = file; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

char *cli_vmx_disk_path(const char *path, const char *file)
{
    struct stat st;
    /* A disk of another datastore may have been copied to where its VM is. */
    char *full = file_beside(path, file[0] == '/' || leads_outside(file) ? file_name(file) : file);
    if (full != NULL && (stat(full, &st) != 0 || !S_ISREG(st.st_mode))) {
        free(full);
        full = NULL;
    }
    return full;
}

static bool is_encrypted_disk(const char *path, const char *file)
{
    struct error error = ERROR_INIT;
    char *full = cli_vmx_disk_path(path, file);
    struct descriptor *descriptor = full == NULL ? NULL : descriptor_load(full, &error);
    bool encrypted = descriptor != NULL && descriptor_is_encrypted(descriptor);
    descriptor_free(descriptor);
    free(full);
    return encrypted;
}

bool cli_vmx_encrypted_disks(struct cli *cli, const struct vmx_config *config, const char *path,
                             const char *what, size_t *count, struct error *error)
{
    struct vmx_info info;
    *count = 0;
    if (!vmx_info_fill(&info, config, error))
        return false;
    for (size_t i = 0; i < info.disk_count; i++) {
        if (!is_encrypted_disk(path, info.disks[i].file))
            continue;
        ++*count;
        log_say(&cli->log, LOG_WARN, "disk %s (%s) %s", cli_printable(info.disks[i].device),
                cli_printable(info.disks[i].file), what);
    }
    vmx_info_free(&info);
    return true;
}
