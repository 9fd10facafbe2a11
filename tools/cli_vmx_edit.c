/* cli_vmx_edit - vmcrypt vmx get, set, unset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/cli_vmx.h"

int cli_vmx_get(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    const char *path = cli->operands[0], *name = cli->operands[1];
    if (!vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    /* Without a key at hand what is in the clear needs none. */
    bool given = cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
                 cli_value(cli, "passphrase-file") != NULL;
    bool ok = true;
    if (given || dict_get(config.outer, name) == NULL)
        ok = cli_vmx_unlock(cli, &config, path, &error);
    const char *value = ok ? vmx_config_get(&config, name) : NULL;
    if (value != NULL)
        puts(isatty(STDOUT_FILENO) == 1 ? cli_printable(value) : value);
    if (ok && value == NULL) {
        ok = error_set(&error, ERROR_FAILED, "has no setting %.100s", name);
        error_in_file(&error, path);
    }
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}

/* The part that is to be changed: where NAME is, else the inner one, which is where settings
 * belong. --outer: the readable part. */
static struct dict *part_for(const struct cli *cli, const struct vmx_config *config,
                             const char *name)
{
    if (config->inner == NULL || cli_value(cli, "outer") != NULL)
        return config->outer;
    bool outside = dict_get(config->inner, name) == NULL && dict_get(config->outer, name) != NULL;
    return outside ? config->outer : config->inner;
}

/* Settings that other commands change, because more hangs on them than their value. */
static bool check_name(const char *name, bool setting, struct error *error)
{
    static const char *const kept[] = {"encryption.keySafe", "encryption.data"};
    static const char *const keys[] = {"dataFileKey", "ancestorDataFileKeys"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strcasecmp(name, kept[i]) == 0)
            return error_set(error, ERROR_USAGE, "%s is changed by encrypt, decrypt and rekey",
                             kept[i]);
    for (size_t i = 0; setting && i < sizeof keys / sizeof keys[0]; i++)
        if (strcasecmp(name, keys[i]) == 0)
            return error_set(error, ERROR_USAGE,
                             "%s is a key, and keys do not go on a command line; see bundle import",
                             keys[i]);
    if (!setting && strcasecmp(name, ".encoding") == 0)
        return error_set(error, ERROR_USAGE,
                         ".encoding says how the file is to be read and is not removed");
    return true;
}

/* The name in "NAME=VALUE", or all of a NAME; NULL with *error set. */
static char *take_name(const char *argument, bool setting, struct error *error)
{
    size_t length = strcspn(argument, setting ? "=" : "");
    if (setting && argument[length] == '\0') {
        error_set(error, ERROR_USAGE, "set takes NAME=VALUE, not '%.100s'", argument);
        return NULL;
    }
    char *name = strndup(argument, length);
    if (name == NULL)
        error_memory(error);
    if (name != NULL && check_name(name, setting, error))
        return name;
    free(name);
    return NULL;
}

/* Before any key is asked for. */
static bool check_arguments(const struct cli *cli, bool setting, struct error *error)
{
    for (size_t i = 1; i < cli->operand_count; i++) {
        char *name = take_name(cli->operands[i], setting, error);
        if (name == NULL)
            return false;
        free(name);
    }
    return true;
}

static bool set_one(const struct cli *cli, const struct vmx_config *config, const char *argument,
                    struct error *error)
{
    char *name = take_name(argument, true, error);
    if (name == NULL)
        return false;
    bool ok = dict_set(part_for(cli, config, name), name, strchr(argument, '=') + 1, error) ||
              error_prefix(error, "%.100s", name);
    free(name);
    return ok;
}

static bool set_all(const struct cli *cli, const struct vmx_config *config, struct error *error)
{
    for (size_t i = 1; i < cli->operand_count; i++)
        if (!set_one(cli, config, cli->operands[i], error))
            return false;
    return true;
}

static bool unset_all(struct cli *cli, const struct vmx_config *config, struct error *error)
{
    size_t removed = 0;
    for (size_t i = 1; i < cli->operand_count; i++) {
        const char *name = cli->operands[i];
        size_t lines = dict_unset(part_for(cli, config, name), name);
        if (lines == 0)
            log_say(&cli->log, LOG_WARN, "there is no setting %s", cli_printable(name));
        removed += lines;
    }
    return removed > 0 ||
           error_set(error, ERROR_FAILED, "none of these settings is there; nothing was changed");
}

static int change(struct cli *cli, bool setting)
{
    struct error error = ERROR_INIT;
    struct vmx_config config;
    const char *path = cli->operands[0];
    if (!check_arguments(cli, setting, &error) || !vmx_config_load(&config, path, &error))
        return cli_fail(cli, &error);
    bool ok = true, kept;
    if (cli_value(cli, "outer") == NULL)
        ok = cli_vmx_unlock(cli, &config, path, &error);
    ok = ok && (setting ? set_all(cli, &config, &error) : unset_all(cli, &config, &error));
    if (ok && config.inner != NULL)
        ok = vmx_config_reseal(&config, &error);
    ok = ok && cli_vmx_write_config(cli, &config, path, cli_value(cli, "output"), &kept, &error);
    if (!ok)
        error_in_file(&error, path);
    vmx_config_free(&config);
    return ok ? 0 : cli_fail(cli, &error);
}

int cli_vmx_set(struct cli *cli)
{
    return change(cli, true);
}

int cli_vmx_unset(struct cli *cli)
{
    return change(cli, false);
}
