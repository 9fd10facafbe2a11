/* cli_tpm_baseimage - vmcrypt tpm baseimage, policy: what a policy is made of. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml_tree.h"
#include "tools/cli_tpm.h"
#include "tpm/baseimage.h"
#include "tpm/policy.h"
#include "tpm/policy_import.h"

bool cli_tpm_write(struct cli *cli, const char *path, const struct buffer *text,
                   struct error *error)
{
    return file_replace(path == NULL ? "-" : path, buffer_text(text), text->length, 0644,
                        cli_value(cli, "force") != NULL, error);
}

/* As YAML to PATH. */
static bool write_yaml(struct cli *cli, const char *path, const json_t *tree, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = yaml_tree_write(tree, &text, error) && cli_tpm_write(cli, path, &text, error);
    buffer_free(&text);
    return ok;
}

int cli_tpm_baseimage(struct cli *cli)
{
    struct error error = ERROR_INIT;
    const char *out = cli->operand_count > 1 ? cli->operands[1] : NULL;
    const char *name = cli_value(cli, "name");
    bool complete = false;
    if (name == NULL)
        name = file_name(cli->operands[0]);
    json_t *image = baseimage_make(cli->operands[0], name, &complete, &cli->log, &error);
    if (image == NULL)
        return cli_fail(cli, &error);
    size_t modules = json_array_size(json_object_get(image, "modules"));
    bool ok = true;
    if (out != NULL || !cli->json)
        ok = write_yaml(cli, out, image, &error);
    else
        ok = cli_print_json(json_incref(image), 0) == 0;
    json_decref(image);
    if (!ok)
        return cli_fail(cli, &error);
    if (cli->log.level >= 0)
        fprintf(stderr, "%zu modules%s\n", modules,
                complete ? "" : "; some files could not be read, see above");
    return complete ? 0 : ERROR_PARTIAL;
}

/* One file that is a policy already: check it. */
static int check_policy(struct cli *cli, const char *path)
{
    struct policy policy;
    struct error error = ERROR_INIT;
    if (!policy_load(&policy, path, &error))
        return cli_fail(cli, &error);
    printf("%s: \"%s\" is a policy", cli_printable(path), cli_printable(policy.name));
    printf(", %zu CAs, %zu trusted keys, %zu base images\n", policy.cas.count,
           json_array_size(policy.trusted_keys), json_array_size(policy.base_images));
    policy_free(&policy);
    return 0;
}

static bool is_policy(const char *path)
{
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    json_t *tree = NULL;
    if (file_read_all(path, POLICY_BYTES_MAX, &text, &error))
        tree = yaml_tree_read(path, buffer_text(&text), text.length, &error);
    bool found = json_object_get(tree, "version") != NULL;
    json_decref(tree);
    buffer_free(&text);
    return found;
}

int cli_tpm_policy(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct policy_import import;
    const char *name = cli_value(cli, "name");
    if (cli->operand_count == 1 && is_policy(cli->operands[0]))
        return check_policy(cli, cli->operands[0]);
    bool ok =
        policy_import_start(&import, name != NULL ? name : file_name(cli->operands[0]), &error);
    for (size_t i = 0; ok && i < cli->operand_count; i++)
        ok = policy_import_file(&import, cli->operands[i], &cli->log, &error);
    ok = ok && write_yaml(cli, cli_value(cli, "out"), import.policy, &error);
    if (ok && cli->log.level >= 0)
        fprintf(
            stderr,
            "%zu CA certificates, %zu endorsement keys, %zu settings; add esxi: and boot: to say "
            "what may boot\n",
            import.cas, import.keys, import.settings);
    policy_import_free(&import);
    return ok ? 0 : cli_fail(cli, &error);
}
