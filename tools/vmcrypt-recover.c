/* vmcrypt-recover - a whole VM from cold files: plain settings, plain disks, a report. */
#include <stdio.h>
#include <string.h>

#include "tools/cli.h"
#include "vm/recover.h"

static const struct progress *progress_for(void *user, const char *name)
{
    struct cli *cli = user;
    if (name != NULL)
        return cli_progress(cli, name);
    cli_progress_end(cli);
    return NULL;
}

static void print_proofs(const json_t *entry)
{
    const json_t *proofs = json_object_get(entry, "proofs");
    for (size_t i = 0; i < json_array_size(proofs); i++) {
        const json_t *proof = json_array_get(proofs, i);
        const char *kind = json_string_value(json_object_get(proof, "kind"));
        if (strcmp(kind, "none") == 0)
            puts("    no proof");
        else
            printf("    proved by %s: %s\n", kind,
                   cli_printable(json_string_value(json_object_get(proof, "detail"))));
    }
    const char *problem = json_string_value(json_object_get(entry, "error"));
    if (problem != NULL)
        printf("    %s\n", cli_printable(problem));
}

static void print_entry(const json_t *entry)
{
    const char *device = json_string_value(json_object_get(entry, "device"));
    printf("%-10s %s%s%s\n", json_string_value(json_object_get(entry, "state")),
           cli_printable(json_string_value(json_object_get(entry, "source"))),
           device == NULL ? "" : "  ", device == NULL ? "" : cli_printable(device));
    print_proofs(entry);
}

static void print_report(const json_t *report)
{
    const json_t *config = json_object_get(report, "config");
    if (config != NULL)
        print_entry(config);
    static const char *const parts[] = {"disks", "files"};
    for (size_t p = 0; p < 2; p++) {
        const json_t *entries = json_object_get(report, parts[p]);
        for (size_t i = 0; i < json_array_size(entries); i++)
            print_entry(json_array_get(entries, i));
    }
}

static int run(struct cli *cli)
{
    struct error error = ERROR_INIT;
    json_t *report = NULL;
    if (!cli_keys(cli, "Passphrase of the VM", &error))
        return cli_fail(cli, &error);
    const struct recover_options options = {
        .keyring = &cli->ring,
        .decrypt_zero_units = cli_value(cli, "decrypt-zero-units") != NULL,
        .allow_outside = cli_value(cli, "allow-outside") != NULL,
        .progress_for = progress_for,
        .user = cli,
        .log = &cli->log,
    };
    bool ok = vm_recover(cli->operands[0], cli->operands[1], &options, &report, &error);
    int status = 0;
    if (report != NULL && !cli->json && cli->log.level >= 0)
        print_report(report);
    if (report != NULL && cli->json)
        status = cli_print_json(json_incref(report), 0);
    json_decref(report);
    return ok ? status : cli_fail(cli, &error);
}

static const struct cli_option options[] = {
    {"allow-outside", 0, NULL, "let disks lie outside the VM's directory"},
    {"decrypt-zero-units", 0, NULL, "decrypt all-zero data units too (default: never written)"},
};

static const struct cli_command commands[] = {
    {NULL, "VM OUT", "Recover the VM (its .vmx or its directory) into the new directory OUT",
     options, sizeof options / sizeof options[0], NULL, true, true, 2, 2, run},
};

static const struct cli_program program = {"vmcrypt-recover", "Recover a whole VM", commands, 1};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
