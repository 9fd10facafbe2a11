/* cli_vmx_keys - vmcrypt vmx decrypt, encrypt, rekey. */
#include <stdio.h>
#include <string.h>

#include "keywrap/phrase.h"
#include "tools/cli_vmx.h"
#include "vmx/data_files.h"

static const char *operand(const struct cli *cli, size_t i)
{
    return i < cli->operand_count ? cli->operands[i] : NULL;
}

int cli_vmx_decrypt(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    struct buffer text = BUFFER_INIT;
    const char *path = cli->operands[0], *out = operand(cli, 1);
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    struct dict *plain = NULL;
    if (cli_vmx_unlock(cli, &config, path, &error))
        plain = vmx_config_plain(&config, &error);
    bool ok = plain != NULL, kept;
    if (ok && !config.encrypted)
        log_say(&cli->log, LOG_WARN, "%s is not encrypted; its text is passed on as it is",
                cli_printable(path));
    if (ok && !dict_write(plain, &text))
        ok = error_memory(&error);
    ok = ok && cli_vmx_write(cli, &text, path, out == NULL ? "-" : out, &kept, &error);
    buffer_free(&text);
    dict_free(plain);
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}

/* What Workstation writes for a passphrase [real sample]; ESXi's pairs have HMAC-SHA-256. */
static struct cli_vmx_locker default_locker(const char *cipher, bool for_kek)
{
    return (struct cli_vmx_locker){
        .locker = {.pass2key = "PBKDF2-HMAC-SHA-1", .cipher = cipher, .rounds = 10000},
        .mac = for_kek ? SEAL_HMAC_SHA256 : SEAL_HMAC_SHA1,
    };
}

int cli_vmx_encrypt(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    const char *path = cli->operands[0], *kek = cli_value(cli, "kek");
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    struct cli_vmx_locker locker = default_locker("AES-256", kek != NULL);
    bool ok = true, kept = false;
    if (config.encrypted) {
        ok = error_set(&error, ERROR_USAGE, "is encrypted already; see rekey");
        error_in_file(&error, path);
    }
    /* A passphrase file is the new passphrase here and no key to be tried. */
    ok = ok && (kek == NULL || cli_keys(cli, NULL, &error)) &&
         cli_vmx_choose_locker(cli, kek, kek == NULL ? cli_value(cli, "passphrase-file") : NULL,
                               &locker, &error) &&
         vmx_config_encrypt(&config, locker.locker.cipher, &locker.locker, locker.mac, &error) &&
         cli_vmx_write_config(cli, &config, path, operand(cli, 1), &kept, &error);
    if (ok && kept)
        log_say(&cli->log, LOG_WARN, "%s.bak holds the settings in the clear", cli_printable(path));
    cli_vmx_locker_free(&locker);
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}

/* The KDF and the rounds of the passphrase pair that opened are kept for the new one. PARAMS must
 * live as long as LOCKER. */
static void keep_parameters(const struct vmx_config *config, struct cli_vmx_locker *locker,
                            struct phrase_params *params)
{
    struct error error = ERROR_INIT;
    const struct locator *opened = config->opened.attempts[config->opened.opened].locker;
    if (opened->type != LOCATOR_PHRASE)
        return;
    const struct locator_field *keygen = &opened->fields[LOCATOR_PHRASE_KEYGEN];
    if (!phrase_params_parse(keygen->value, keygen->length, params, &error))
        return;
    locker->locker.pass2key = params->pass2key;
    if (params->rounds > locker->locker.rounds)
        locker->locker.rounds = params->rounds;
}

/* A new dataFileKey, unless files that the old one encrypts are there. *left: it was kept. */
static bool renew_data_key(struct cli *cli, struct vmx_config *config, const char *path, bool *left,
                           struct error *error)
{
    static const char setting[] = "dataFileKey";
    const char *old = dict_get(config->inner, setting);
    struct crypto_key key = {.key = NULL};
    struct vmx_data_files files;
    struct buffer text = BUFFER_INIT;
    *left = false;
    if (old == NULL)
        return true;
    if (!crypto_key_parse(old, strlen(old), &key, error))
        return error_prefix(error, "%s", setting);
    char cipher[sizeof key.cipher];
    memcpy(cipher, key.cipher, sizeof cipher);
    crypto_key_free(&key);
    if (!vmx_data_files_find(&files, config, path, error))
        return false;
    *left = files.count > 0;
    if (*left)
        log_say(&cli->log, LOG_WARN,
                "the dataFileKey stays: %s%s would become unreadable with a new one",
                cli_printable(files.names[0]), files.count > 1 ? " and others" : "");
    vmx_data_files_free(&files);
    if (*left)
        return true;
    bool ok = crypto_key_generate(cipher, &key, error);
    if (ok && !crypto_key_write(&key, &text))
        ok = error_memory(error);
    ok = ok && dict_set(config->inner, setting, buffer_text(&text), error);
    crypto_key_free(&key);
    buffer_free(&text);
    return ok;
}

/* Everything that --deep makes new. *partial: some keys stay. */
static bool renew_keys(struct cli *cli, struct vmx_config *config, const char *path,
                       const char *cipher, bool *partial, struct error *error)
{
    size_t disks;
    if (!renew_data_key(cli, config, path, partial, error) ||
        !cli_vmx_encrypted_disks(cli, config, path,
                                 "keeps its key; vmcrypt disk rekey gives it a new one", &disks,
                                 error))
        return false;
    *partial = *partial || disks > 0;
    return vmx_config_new_key(config, cipher, error);
}

static bool rekey(struct cli *cli, struct vmx_config *config, const char *path, bool *partial,
                  struct error *error)
{
    struct phrase_params params;
    struct cli_vmx_locker locker = default_locker(config->key.cipher, false);
    const char *kek = cli_value(cli, "new-kek"), *file = cli_value(cli, "new-passphrase-file");
    size_t disks;
    char cipher[sizeof config->key.cipher];
    memcpy(cipher, config->key.cipher, sizeof cipher);
    locker.locker.cipher = cipher;
    locker.mac = config->mac;
    keep_parameters(config, &locker, &params);
    bool ok = cli_vmx_choose_locker(cli, kek, file, &locker, error);
    if (ok && cli_value(cli, "deep") != NULL)
        ok = renew_keys(cli, config, path, locker.locker.cipher, partial, error);
    else
        ok = ok && cli_vmx_encrypted_disks(cli, config, path,
                                           "stays locked as it is; see vmcrypt disk rekey", &disks,
                                           error);
    ok = ok && vmx_config_rekey(config, &locker.locker, locker.mac, error);
    cli_vmx_locker_free(&locker);
    return ok;
}

int cli_vmx_rekey(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    const char *path = cli->operands[0];
    bool partial = false, kept = false;
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    bool ok = config.encrypted || error_set(&error, ERROR_USAGE, "is not encrypted; see encrypt");
    ok = ok && cli_vmx_unlock(cli, &config, path, &error) &&
         rekey(cli, &config, path, &partial, &error) &&
         cli_vmx_write_config(cli, &config, path, operand(cli, 1), &kept, &error);
    vmx_config_free(&config);
    if (!ok) {
        error_in_file(&error, path);
        return cli_fail(cli, &error);
    }
    if (kept)
        log_say(&cli->log, LOG_WARN, "%s.bak still opens with the old key", cli_printable(path));
    return partial ? (int)ERROR_PARTIAL : 0;
}
