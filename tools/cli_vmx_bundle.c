/* cli_vmx_bundle - vmcrypt vmx bundle, hash. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tools/cli_vmx.h"
#include "vmx/bundle.h"
#include "vmx/hash.h"

static bool export_bundle(struct cli *cli, const struct vmx_config *config, const char *path,
                          struct error *error)
{
    const char *kek = cli_value(cli, "kek"), *file = cli_value(cli, "new-passphrase-file");
    const char *out = cli->operand_count > 2 ? cli->operands[2] : "-";
    struct cli_vmx_locker locker = {
        .locker = {.pass2key = "PBKDF2-HMAC-SHA-1", .cipher = "AES-256", .rounds = 10000},
        .mac = SEAL_HMAC_SHA256};
    struct buffer text = BUFFER_INIT;
    bool kept;
    if (kek == NULL && file == NULL)
        return error_set(error, ERROR_USAGE,
                         "bundle export wants --kek PROVIDER/ID or --new-passphrase-file FILE");
    bool ok = cli_vmx_choose_locker(cli, kek, file, &locker, error) &&
              vmx_bundle_export(config, &locker.locker, locker.mac, &text, error);
    if (ok && !buffer_append_byte(&text, '\n'))
        ok = error_memory(error);
    ok = ok && cli_vmx_write(cli, &text, path, out, &kept, error);
    buffer_free(&text);
    cli_vmx_locker_free(&locker);
    return ok;
}

static bool import_bundle(struct cli *cli, struct vmx_config *config, const char *path,
                          struct error *error)
{
    if (cli->operand_count < 3)
        return error_set(error, ERROR_USAGE, "bundle import wants the file of the bundle, or -");
    struct buffer text = BUFFER_INIT;
    struct vmx_bundle bundle;
    const char *from = cli->operands[2], *name, *value;
    bool ok = file_read_all(from, BUNDLE_MAX_BYTES, &text, error), kept;
    if (ok) {
        ok = vmx_bundle_open(&bundle, buffer_text(&text), text.length, &cli->ring, error) ||
             error_in_file(error, from);
        ok = ok && vmx_bundle_apply(config, bundle.settings, error) &&
             vmx_config_reseal(config, error) &&
             cli_vmx_write_config(cli, config, path, cli_value(cli, "output"), &kept, error);
        for (size_t i = 0; ok && dict_at(bundle.settings, i, &name, &value); i++)
            log_say(&cli->log, LOG_INFO, "set %s", cli_printable(name));
        vmx_bundle_free(&bundle);
    }
    buffer_free(&text);
    return ok;
}

int cli_vmx_bundle(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    const char *verb = cli->operands[0], *path = cli->operands[1];
    bool import = strcmp(verb, "import") == 0;
    if (!import && strcmp(verb, "export") != 0) {
        error_set(&error, ERROR_USAGE, "bundle takes export or import, not '%.40s'", verb);
        return cli_fail(cli, &error);
    }
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    bool ok = cli_vmx_unlock(cli, &config, path, &error) &&
              (import ? import_bundle(cli, &config, path, &error)
                      : export_bundle(cli, &config, path, &error));
    if (!ok)
        error_in_file(&error, path);
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}

/* Say each line of REFUSED, which is cut up by that. */
static void say_lines(struct cli *cli, char *refused)
{
    char *rest = NULL;
    for (char *line = strtok_r(refused, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        log_say(&cli->log, LOG_WARN, "%s", cli_printable(line));
}

int cli_vmx_hash(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    struct buffer lines = BUFFER_INIT, refused = BUFFER_INIT;
    const char *path = cli->operands[0], *format = cli_value(cli, "format");
    if (format != NULL && strcmp(format, "hashcat") != 0 && strcmp(format, "john") != 0) {
        error_set(&error, ERROR_USAGE, "--format takes hashcat or john");
        return cli_fail(cli, &error);
    }
    bool john = format != NULL && strcmp(format, "john") == 0;
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    bool ok = config.encrypted || error_set(&error, ERROR_FAILED, "is not encrypted");
    ok = ok && vmx_hash_lines(config.safe, john ? VMX_HASH_JOHN : VMX_HASH_HASHCAT, &lines,
                              &refused, &error);
    if (ok && refused.length > 0)
        say_lines(cli, refused.data);
    if (ok && lines.length == 0)
        ok = error_set(&error, ERROR_FAILED, "has no passphrase that %s could look for",
                       john ? "John" : "hashcat");
    fputs(buffer_text(&lines), stdout);
    if (!ok)
        error_in_file(&error, path);
    buffer_free(&lines);
    buffer_free(&refused);
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}
