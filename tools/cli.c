/* cli - command tables, options, help, errors; see cli.h. */
#include "tools/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

struct cli_given {
    const char *name;
    const char *value;
};

static const struct cli_option common_options[] = {
    {"quiet", 'q', NULL, "say nothing but errors"},
    {"verbose", 'v', NULL, "say more; twice: everything"},
    {"progress", 0, "WHEN", "show progress: auto, always, never or json"},
    {"help", 'h', NULL, "show this help"},
    {"version", 0, NULL, "show the version"},
};

static const struct cli_option json_option = {"json", 0, NULL, "print the result as JSON"};

static const struct cli_option key_options[] = {
    {"keyring", 0, "FILE", "YAML file that names keys and passphrases, or an encrypted one"},
    {"keyring-passphrase-file", 0, "FILE", "passphrase of an encrypted keyring"},
    {"key", 0, "[[PROVIDER/]ID=]FILE", "keys from a file of any form, see vmcrypt-key(1)"},
    {"passphrase-file", 0, "FILE", "a passphrase; - reads standard input"},
    {"passphrase-encoding", 0, "NAME", "code page of the host the VM was made on; default UTF-8"},
    {"passphrase-normalize", 0, "FORM", "Unicode form: none, nfc, nfd, nfkc or nfkd"},
};

enum { OPTIONS_MAX = 64 };

struct table {
    const struct cli_option *options[OPTIONS_MAX];
    size_t count;
};

static void table_add(struct table *t, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count && t->count < OPTIONS_MAX; i++)
        t->options[t->count++] = &options[i];
}

static struct table table_for(const struct cli_command *command)
{
    struct table t = {.count = 0};
    table_add(&t, command->options, command->option_count);
    if (command->shared != NULL)
        table_add(&t, command->shared->options, command->shared->count);
    if (command->takes_keys)
        table_add(&t, key_options, sizeof key_options / sizeof key_options[0]);
    if (command->takes_json)
        table_add(&t, &json_option, 1);
    table_add(&t, common_options, sizeof common_options / sizeof common_options[0]);
    return t;
}

static void print_options(FILE *to, const struct table *t)
{
    fputs("\nOptions:\n", to);
    for (size_t i = 0; i < t->count; i++) {
        const struct cli_option *o = t->options[i];
        char left[80];
        char letter[8] = "    ";
        if (o->letter != 0)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        fprintf(to, "  %-32s %s\n", left, o->help);
    }
}

static void print_command_help(FILE *to, const struct cli_program *program,
                               const struct cli_command *command)
{
    struct table t = table_for(command);
    fprintf(to, "Usage: %s%s%s [OPTION...] %s\n\n%s.\n", program->name, command->name ? " " : "",
            command->name ? command->name : "", command->operands, command->summary);
    print_options(to, &t);
}

static void print_program_help(FILE *to, const struct cli_program *program)
{
    fprintf(to, "Usage: %s COMMAND [OPTION...] [OPERAND...]\n\n%s.\n\nCommands:\n", program->name,
            program->summary);
    for (size_t i = 0; i < program->command_count; i++)
        fprintf(to, "  %-16s %s\n", program->commands[i].name, program->commands[i].summary);
    fprintf(to, "\n%s COMMAND --help tells more.\n", program->name);
}

static int usage(const struct cli *cli, const char *what)
{
    fprintf(stderr, "%s: %s\nTry '%s%s%s --help'.\n", cli->program->name, what, cli->program->name,
            cli->command && cli->command->name ? " " : "",
            cli->command && cli->command->name ? cli->command->name : "");
    return ERROR_USAGE;
}

/* One option that was given; the common ones act at once. -1: go on. */
static int take_option(struct cli *cli, const struct cli_option *o, const char *value)
{
    if (o == &common_options[0])
        cli->log.level = -1;
    else if (o == &common_options[1])
        cli->log.level++;
    else if (o == &common_options[2] && strcmp(value, "always") == 0)
        cli->show_progress = true;
    else if (o == &common_options[2] && strcmp(value, "never") == 0)
        cli->show_progress = false;
    else if (o == &common_options[2] && strcmp(value, "json") == 0)
        cli->show_progress = cli->json_progress = true;
    else if (o == &common_options[2] && strcmp(value, "auto") != 0)
        return usage(cli, "--progress takes auto, always, never or json");
    else if (o == &common_options[3])
        print_command_help(stdout, cli->program, cli->command);
    else if (o == &common_options[4])
        printf("%s %s\n", cli->program->name, VMCRYPT_VERSION);
    else if (o == &json_option)
        cli->json = true;
    else
        cli->given[cli->given_count++] = (struct cli_given){o->name, value ? value : ""};
    return o == &common_options[3] || o == &common_options[4] ? 0 : -1;
}

static int parse_options(struct cli *cli, int argc, char **argv)
{
    struct table t = table_for(cli->command);
    struct option longs[OPTIONS_MAX + 1] = {{0}};
    char shorts[3 * OPTIONS_MAX + 1] = "";
    size_t used = 0;
    for (size_t i = 0; i < t.count; i++) {
        const struct cli_option *o = t.options[i];
        longs[i] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                   256 + (int)i};
        if (o->letter != 0) {
            shorts[used++] = o->letter;
            if (o->argument != NULL)
                shorts[used++] = ':';
        }
    }
    cli->given = calloc((size_t)argc + 1, sizeof *cli->given);
    if (cli->given == NULL)
        return usage(cli, "out of memory");
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        size_t i = 0;
        while (i < t.count && c != 256 + (int)i && c != t.options[i]->letter)
            i++;
        if (c == '?' || i == t.count)
            return usage(cli, "unknown or incomplete option");
        int status = take_option(cli, t.options[i], optarg);
        if (status >= 0)
            return status;
    }
    cli->operands = argv + optind;
    cli->operand_count = (size_t)(argc - optind);
    if (cli->operand_count < cli->command->min_operands)
        return usage(cli, "an operand is missing");
    if (cli->operand_count > cli->command->max_operands)
        return usage(cli, "too many operands");
    return -1;
}

/* Pick the command; -1 when there is one. */
static int choose_command(struct cli *cli, int argc, char **argv)
{
    const struct cli_program *program = cli->program;
    if (program->command_count == 1 && program->commands[0].name == NULL) {
        cli->command = &program->commands[0];
        return -1;
    }
    if (argc < 2) {
        print_program_help(stderr, program);
        return ERROR_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        print_program_help(stdout, program);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", program->name, VMCRYPT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < program->command_count; i++)
        if (strcmp(argv[1], program->commands[i].name) == 0)
            cli->command = &program->commands[i];
    return cli->command != NULL ? -1 : usage(cli, "no such command");
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
    bool locked;
    secret_process_init(&locked);
    struct cli cli = {.program = program, .log = {.program = program->name}};
    cli.show_progress = isatty(STDERR_FILENO) == 1;
    int status = choose_command(&cli, argc, argv);
    if (status >= 0)
        return status;
    if (cli.command->name != NULL) {
        argc--;
        argv++;
    }
    argv[0] = (char *)program->name;
    status = parse_options(&cli, argc, argv);
    if (status < 0) {
        if (!locked)
            log_say(&cli.log, LOG_INFO,
                    "memory for keys could not be locked (see ulimit -l): it "
                    "may be swapped out");
        status = cli.command->run(&cli);
    }
    keyring_free(&cli.ring);
    keyring_free(&cli.unlock);
    free(cli.given);
    if (fflush(stdout) != 0 && status == 0)
        status = ERROR_FAILED;
    return status;
}

const char *cli_value_at(const struct cli *cli, const char *name, size_t i)
{
    for (size_t k = 0; k < cli->given_count; k++)
        if (strcmp(cli->given[k].name, name) == 0 && i-- == 0)
            return cli->given[k].value;
    return NULL;
}

static const char *word_at(const void *context, const char *name, size_t i)
{
    return cli_value_at(context, name, i);
}

struct words cli_words(const struct cli *cli)
{
    return (struct words){.value_at = word_at, .context = cli};
}

const char *cli_value(const struct cli *cli, const char *name)
{
    for (size_t k = cli->given_count; k-- > 0;)
        if (strcmp(cli->given[k].name, name) == 0)
            return cli->given[k].value;
    return NULL;
}

bool cli_number(const struct cli *cli, const char *name, unsigned most, unsigned *value,
                struct error *error)
{
    const char *text = cli_value(cli, name);
    char *end;
    *value = 0;
    if (text == NULL)
        return true;
    unsigned long number = strtoul(text, &end, 10);
    *value = (unsigned)number;
    return (*text >= '1' && *text <= '9' && *end == '\0' && number <= most) ||
           error_set(error, ERROR_USAGE, "--%s takes a number from 1 to %u", name, most);
}

int cli_fail(const struct cli *cli, const struct error *error)
{
    fprintf(stderr, "%s: ", cli->program->name);
    if (error->file[0] != '\0')
        fprintf(stderr, "%s: ", cli_printable(error->file));
    fputs(cli_printable(error->message), stderr);
    if (error->offset != UINT64_MAX)
        fprintf(stderr, " (at byte %llu)", (unsigned long long)error->offset);
    fputc('\n', stderr);
    return error->code == ERROR_NONE ? ERROR_FAILED : (int)error->code;
}
