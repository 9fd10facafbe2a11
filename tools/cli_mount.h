/*
 * cli_mount - vmcrypt mount: what was asked for, the life of a server, and looking at one.
 */
#ifndef VMCRYPT_TOOLS_CLI_MOUNT_H
#define VMCRYPT_TOOLS_CLI_MOUNT_H

#include <stdbool.h>

#include "fuse/guard.h"
#include "fuse/server.h"
#include "tools/cli.h"
#include "vm/view.h"

int cli_mount(struct cli *cli);

/* cli_mount_plan.c: what was asked for. All paths are absolute, since a server lives in "/"; and
 * none of it is in a struct buffer, whose memory does not survive the fork. */
struct mount_plan {
    char *source;
    char *mountpoint;
    char *pid_file; /* NULL: none */
    char *search[DISK_SEARCH_MAX];
    char *words; /* of -o, for libfuse; NULL: none */
    char *name;  /* of -o fsname=; NULL: the source */
    int log;     /* a descriptor: where messages go once it serves */
    bool foreground;
    bool auto_unmount;
    struct view_options view;
    struct server_options server;
};

/* From the options, SOURCE and the mount point DIRECTORY, which is looked at. Touches nothing. */
bool mount_plan_make(struct cli *cli, const char *source, const char *directory,
                     struct mount_plan *plan, struct error *error);
void mount_plan_free(struct mount_plan *plan);

/* The evidence does not lie under the mount point: it could not be opened again. */
bool mount_plan_is_apart(const struct mount_plan *plan, const struct view *view,
                         struct error *error);

/* cli_mount_words.c: add what the -o option TEXT says. */
bool mount_plan_add_words(struct mount_plan *plan, const char *text, struct error *error);

/* cli_mount_serve.c: mount, tell the starter (DETACH, NULL in the foreground), serve to the end.
 * The exit status. */
struct detach;
int mount_serve(struct cli *cli, struct mount_plan *plan, struct detach *detach);

/* cli_mount_status.c */
int mount_status(struct cli *cli, const char *directory);
/* Take away a dead mount. */
bool mount_recover(const char *directory, struct error *error);

#endif
