/* cli_mount_serve - see cli_mount.h: the life of a server. */
#include "tools/cli_mount.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/file.h"
#include "fuse/detach.h"
#include "fuse/sandbox.h"
#include "keywrap/passphrase.h"

/* A signal handler can reach nothing but static memory. */
static struct {
    volatile sig_atomic_t signals;
    struct guard guard;
    struct server *server;
} life = {.guard = {.fd = -1}};

/* The first one detaches the mount: nobody new gets in, and it ends when the last open file is
 * closed. The second one ends it now. */
static void on_signal(int number)
{
    (void)number;
    int cause = errno;
    bool detached = guard_detach(&life.guard);
    life.signals++;
    if (life.server != NULL && (life.signals > 1 || !detached))
        server_stop(life.server);
    errno = cause;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool keys_were_given(const struct cli *cli)
{
    return cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
           cli_value(cli, "passphrase-file") != NULL;
}

static bool ask_for_passphrase(struct cli *cli, struct error *error)
{
    const struct passphrase_form form = cli_passphrase_form(cli);
    struct secret *passphrase = cli_ask("Passphrase of the VM", error);
    if (passphrase != NULL)
        passphrase = passphrase_convert(passphrase, &form, error);
    return passphrase != NULL && keyring_add_phrase(&cli->ring, "the terminal", passphrase, error);
}

/* Nobody is asked for a passphrase that nothing needs. */
static struct view *open_view(struct cli *cli, const struct mount_plan *plan, struct error *error)
{
    if (!cli_keys(cli, NULL, error))
        return NULL;
    struct view *view = view_open(plan->source, &plan->view, error);
    if (view != NULL || error->code != ERROR_NO_KEY || keys_were_given(cli) ||
        isatty(STDIN_FILENO) != 1)
        return view;
    error_clear(error);
    return ask_for_passphrase(cli, error) ? view_open(plan->source, &plan->view, error) : NULL;
}

static bool fits(const struct mount_plan *plan, const struct view *view, struct error *error)
{
    if (plan->server.on_file && !view_is_disk(view)) {
        error_set(error, ERROR_USAGE,
                  "is a file, which a single disk can be mounted over; a VM needs a directory");
        return error_in_file(error, plan->mountpoint);
    }
    return mount_plan_is_apart(plan, view, error);
}

/* A snapshot that is looked at later may have a descriptor in another code page, whose converter
 * can not be loaded in the sandbox any more. */
static void load_encodings(void)
{
    static const char *const names[] = {
        "windows-1250", "windows-1251", "windows-1252", "windows-1253",
        "windows-1254", "windows-1255", "windows-1256", "windows-1257",
        "windows-1258", "windows-874",  "Shift_JIS",    "GBK",
        "Big5",         "EUC-KR",       "GB18030",      "ISO-8859-1",
    };
    struct error ignored = ERROR_INIT;
    /* Open until the end: a closed one would be unloaded. */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        encoding_open(names[i], &ignored);
}

static bool enter_sandbox(struct cli *cli, const struct view *view, struct error *error)
{
    size_t count = 0;
    while (view_evidence(view, count) != NULL)
        count++;
    const char **readable = calloc(count + 1, sizeof *readable);
    if (readable == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        readable[i] = view_evidence(view, i);
    if (!view_is_disk(view))
        load_encodings();
    struct sandbox sandbox;
    bool ok = sandbox_enter(readable, count, &sandbox, error);
    if (ok && sandbox.landlock > 0)
        log_say(&cli->log, LOG_INFO, "sandbox: system calls, Landlock (version %d)",
                sandbox.landlock);
    else if (ok)
        log_say(&cli->log, LOG_INFO, "sandbox: system calls; this kernel has no Landlock");
    free(readable);
    return ok;
}

static bool write_pid(const struct mount_plan *plan, struct error *error)
{
    char text[32];
    if (plan->pid_file == NULL)
        return true;
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return file_replace(plan->pid_file, text, (size_t)length, 0644, true, error);
}

/* The point of no return: the starter is told that all is well. */
static void become_daemon(struct cli *cli, const struct mount_plan *plan, struct detach *detach,
                          char *prefix, size_t size)
{
    if (detach == NULL) {
        dup2(plan->log, STDERR_FILENO);
        return;
    }
    detach_ready(detach, plan->log);
    if (cli_value(cli, "log-file") == NULL) {
        detach_syslog_prefix(cli->program->name, prefix, size);
        cli->log.program = prefix;
    }
}

static bool serve(struct cli *cli, const struct mount_plan *plan, struct view *view,
                  struct detach *detach, struct error *error)
{
    char prefix[64];
    catch_signals();
    life.server = server_mount(view, &plan->server, error);
    if (life.server == NULL)
        return false;
    if (!write_pid(plan, error) || (detach != NULL && !detach_leave(detach, error)) ||
        !enter_sandbox(cli, view, error))
        return false;
    if (life.signals > 0)
        return error_set(error, ERROR_FAILED, "interrupted");
    log_say(&cli->log, LOG_INFO, "%s is mounted on %s", plan->source, plan->mountpoint);
    become_daemon(cli, plan, detach, prefix, sizeof prefix);
    bool ok = server_run(life.server, error);
    cli->log.program = cli->program->name;
    return ok;
}

/* Keys of snapshots that are opened later are to be locked, too, when the right to lock more than
 * the limit says is given up. Best effort. */
static void raise_lock_limit(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &limit);
}

int mount_serve(struct cli *cli, struct mount_plan *plan, struct detach *detach)
{
    struct error error = ERROR_INIT;
    struct view *view = NULL;
    raise_lock_limit();
    const struct guard_options guard = {plan->mountpoint, plan->pid_file, plan->auto_unmount};
    bool ok = guard_start(&life.guard, &guard, &error) &&
              (view = open_view(cli, plan, &error)) != NULL && fits(plan, view, &error) &&
              serve(cli, plan, view, detach, &error);
    int status = ok ? 0 : cli_fail(cli, &error);
    guard_end(&life.guard, life.server != NULL);
    if (life.server != NULL) {
        struct server *server = life.server;
        life.server = NULL;
        server_leave(server);
        server_free(server);
    }
    view_close(view);
    return status;
}
