/* vmcrypt-mount - a read-only view of a VM's disks as files. */
#include "tools/cli_disk.h"
#include "tools/cli_mount.h"

static const struct cli_option options[] = {
    {"snapshot", 0, "NAME|UID", "show the VM as it was at this snapshot"},
    {"raw", 0, NULL, "SOURCE is a plain image, whatever its name"},
    {"foreground", 'f', NULL, "stay in the foreground; messages go to standard error"},
    {"single-thread", 's', NULL, "serve with one thread"},
    {"threads", 0, "N", "serve with N threads (default: one for each CPU, 2 to 8)"},
    {"allow-other", 0, NULL, "let other users read, too"},
    {"mode", 0, "OCTAL", "permissions of files (default: 0400; with --allow-other 0444)"},
    {"owner", 0, "USER[:GROUP]", "owner of files (default: who mounts)"},
    {"option", 'o', "WORD[,WORD...]", "options as FUSE programs have them"},
    {"pid-file", 0, "FILE", "write the server's process id to FILE; removed at its end"},
    {"log-file", 0, "FILE", "append messages to FILE (default: syslog)"},
    {"status", 0, "DIR", "show how the mount on DIR goes"},
    {"recover", 0, "DIR", "clear DIR of a mount whose server was killed"},
    CLI_SOURCE_OPTIONS,
};

static const struct cli_command commands[] = {
    {NULL, "SOURCE DIR | --status DIR | --recover DIR [SOURCE]",
     "Show the disks of a VM, or one disk, as read-only files under DIR", options,
     sizeof options / sizeof options[0], NULL, true, true, 0, 2, cli_mount},
};

static const struct cli_program program = {
    "vmcrypt-mount", "See inside an encrypted VM without touching it", commands, 1};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
