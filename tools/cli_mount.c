/* cli_mount - see cli_mount.h: which of its jobs, and the starter of a server. */
#include "tools/cli_mount.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/secret_fork.h"
#include "fuse/detach.h"
#include "fuse/mounted.h"

/* Where messages go once it serves. */
static bool open_log(const struct cli *cli, struct mount_plan *plan, struct error *error)
{
    const char *path = cli_value(cli, "log-file");
    if (path == NULL) {
        plan->log = plan->foreground ? dup(STDERR_FILENO) : detach_open_syslog(error);
        return plan->log >= 0 || error->code != ERROR_NONE || error_system(error, "no descriptors");
    }
    plan->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (plan->log >= 0)
        return true;
    error_system(error, "cannot open");
    return error_in_file(error, path);
}

/* The starter: waits until the server has told that it is ready, then asks something that only a
 * server that runs can answer. */
static int await(struct cli *cli, const struct mount_plan *plan, struct detach *detach)
{
    struct error error = ERROR_INIT;
    int status = 0;
    if (!detach_wait(detach, &status, &error))
        return error.code != ERROR_NONE ? cli_fail(cli, &error) : status;
    if (mounted_is_dead(plan->mountpoint)) {
        error_set(&error, ERROR_FAILED, "the server ended at once; --foreground may tell why");
        error_in_file(&error, plan->mountpoint);
        return cli_fail(cli, &error);
    }
    return 0;
}

static int serve(struct cli *cli, struct mount_plan *plan, struct detach *detach)
{
    struct error error = ERROR_INIT;
    return open_log(cli, plan, &error) ? mount_serve(cli, plan, detach) : cli_fail(cli, &error);
}

/* In the new process that serves, and in the old one. */
static int start_apart(struct cli *cli, struct mount_plan *plan, struct detach *detach)
{
    struct error error = ERROR_INIT;
    struct secret_fork *secrets = secret_fork_prepare(&error);
    if (secrets == NULL || !detach_fork(detach, &error)) {
        secret_fork_free(secrets);
        return cli_fail(cli, &error);
    }
    if (detach->pid != 0) {
        secret_fork_free(secrets);
        return await(cli, plan, detach);
    }
    if (!secret_fork_settle(secrets))
        log_say(&cli->log, LOG_INFO, "memory for keys could not be locked (see ulimit -l)");
    return serve(cli, plan, detach);
}

static int start(struct cli *cli, struct mount_plan *plan)
{
    struct error error = ERROR_INIT;
    struct detach detach;
    if (!detach_fill_standard(&error))
        return cli_fail(cli, &error);
    return plan->foreground ? serve(cli, plan, NULL) : start_apart(cli, plan, &detach);
}

static int mount_source(struct cli *cli, const char *source, const char *directory)
{
    struct error error = ERROR_INIT;
    struct mount_plan plan;
    int status = mount_plan_make(cli, source, directory, &plan, &error) ? start(cli, &plan)
                                                                        : cli_fail(cli, &error);
    mount_plan_free(&plan);
    return status;
}

static int recover(struct cli *cli, const char *directory)
{
    struct error error = ERROR_INIT;
    if (!mount_recover(directory, &error))
        return cli_fail(cli, &error);
    return cli->operand_count == 0 ? 0 : mount_source(cli, cli->operands[0], directory);
}

int cli_mount(struct cli *cli)
{
    struct error error = ERROR_INIT;
    const char *status = cli_value(cli, "status"), *dead = cli_value(cli, "recover");
    if (status != NULL && (dead != NULL || cli->operand_count > 0))
        error_set(&error, ERROR_USAGE, "--status takes its directory alone");
    else if (dead != NULL && cli->operand_count > 1)
        error_set(&error, ERROR_USAGE, "--recover takes its directory, and a SOURCE or none");
    else if (status == NULL && dead == NULL && cli->operand_count != 2)
        error_set(&error, ERROR_USAGE, "what is to be mounted, and where? Give SOURCE and DIR");
    else if (status == NULL && cli->json)
        error_set(&error, ERROR_USAGE, "--json is for --status");
    if (error.code != ERROR_NONE)
        return cli_fail(cli, &error);
    if (status != NULL)
        return mount_status(cli, status);
    if (dead != NULL)
        return recover(cli, dead);
    return mount_source(cli, cli->operands[0], cli->operands[1]);
}
