/* vmcrypt NAME …: run the program vmcrypt-NAME, found beside this one or on PATH, as git does. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static const struct {
    const char *name, *summary;
} commands[] = {
    {"recover", "recover a whole VM: plain settings, plain disks, a report"},
    {"mount", "see the disks of a VM as read-only files"},
    {"vmx", "look into, decrypt, encrypt, rekey and change .vmx files"},
    {"disk", "look into, decrypt, encrypt, rekey and verify virtual disks"},
    {"file", "look into, decrypt and encrypt swap files"},
    {"key", "explain keys, key locators and key files"},
    {"tpm", "what a host booted: event logs, quotes and verdicts"},
};

static void print_help(FILE *to)
{
    fputs("Usage: vmcrypt COMMAND [ARGUMENT...]\n\n"
          "Offline recovery, forensics and encryption for vSphere and Workstation VMs.\n\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nvmcrypt COMMAND --help tells more; each is also a program vmcrypt-COMMAND.\n", to);
}

/* The program beside this one wins, so that a build or an unpacked archive is used whole. */
static void run_beside(const char *name, char **argv)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = sizeof path - (size_t)(slash + 1 - path);
    if ((size_t)snprintf(slash + 1, room, "%s", name) < room)
        execv(path, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return ERROR_USAGE;
    }
    const char *command = argv[1];
    if (strcmp(command, "-h") == 0 || strcmp(command, "--help") == 0 ||
        (strcmp(command, "help") == 0 && argc == 2)) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(command, "--version") == 0) {
        puts("vmcrypt " VMCRYPT_VERSION);
        return 0;
    }
    char help_option[] = "--help";
    char *help[] = {NULL, help_option, NULL};
    char **arguments = argv + 1;
    if (strcmp(command, "help") == 0) {
        command = argv[2];
        arguments = help;
    }
    char name[64];
    if (command[0] == '-' || strchr(command, '/') != NULL ||
        (size_t)snprintf(name, sizeof name, "vmcrypt-%s", command) >= sizeof name) {
        fprintf(stderr, "vmcrypt: no such command; see vmcrypt --help\n");
        return ERROR_USAGE;
    }
    arguments[0] = name;
    run_beside(name, arguments);
    execvp(name, arguments);
    if (errno == ENOENT) {
        fprintf(stderr, "vmcrypt: there is no command '%s'; see vmcrypt --help\n", command);
        return ERROR_USAGE;
    }
    fprintf(stderr, "vmcrypt: cannot run %s: %s\n", name, strerror(errno));
    return ERROR_FAILED;
}
