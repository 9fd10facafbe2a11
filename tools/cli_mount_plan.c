/* cli_mount_plan - see cli_mount.h: options and paths made ready, before anything is started. */
#include "tools/cli_mount.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "fuse/mounted.h"
#include "tools/cli_disk.h"

/* Malloc'd; links stay as they are, since what lies beside a link counts, not beside its target. */
static char *absolute(const char *path, struct error *error)
{
    char *result = NULL;
    if (path[0] == '/') {
        result = strdup(path);
    } else {
        char *here = getcwd(NULL, 0);
        if (here != NULL && asprintf(&result, "%s/%s", here, path) < 0)
            result = NULL;
        free(here);
    }
    if (result == NULL)
        error_system(error, "cannot tell where '%.300s' is", path);
    return result;
}

static bool take_mode(const struct cli *cli, struct server_options *server, struct error *error)
{
    enum { READ_ALL = 0444, READ_OWNER = 0400, NO_WRITE = 0555 };
    const char *text = cli_value(cli, "mode");
    server->mode = server->allow_other ? READ_ALL : READ_OWNER;
    if (text == NULL)
        return true;
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    if (*text < '0' || *text > '7' || *end != '\0' || (mode & ~(unsigned long)NO_WRITE) != 0)
        return error_set(error, ERROR_USAGE,
                         "--mode takes octal digits as 0440, without a right to write");
    server->mode = (mode_t)mode;
    return true;
}

/* A name, or the number itself. */
static bool number_of(const char *text, unsigned *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned)value;
    return *text >= '0' && *text <= '9' && *end == '\0' && value < UINT32_MAX;
}

static bool take_user(const char *name, struct server_options *server)
{
    unsigned number;
    const struct passwd *user = getpwnam(name);
    if (user == NULL && number_of(name, &number))
        user = getpwuid(server->owner = number);
    else if (user == NULL)
        return false;
    if (user != NULL) {
        server->owner = user->pw_uid;
        server->group = user->pw_gid;
    }
    return true;
}

static bool take_group(const char *name, struct server_options *server)
{
    unsigned number;
    const struct group *group = getgrnam(name);
    if (group == NULL && !number_of(name, &number))
        return false;
    server->group = group != NULL ? group->gr_gid : number;
    return true;
}

static bool take_owner(const struct cli *cli, struct server_options *server, struct error *error)
{
    const char *text = cli_value(cli, "owner");
    server->owner = geteuid();
    server->group = getegid();
    if (text == NULL)
        return true;
    char *user = strdup(text);
    if (user == NULL)
        return error_memory(error);
    char *group = strchr(user, ':');
    if (group != NULL)
        *group++ = '\0';
    bool ok = (*user == '\0' || take_user(user, server)) &&
              (group == NULL || *group == '\0' || take_group(group, server));
    free(user);
    return ok || error_set(error, ERROR_USAGE, "--owner: there is no '%.100s' here", text);
}

static bool take_options(struct cli *cli, struct mount_plan *plan, struct error *error)
{
    const char *text;
    bool ok = cli_disk_options(cli, &plan->view.disk, error) &&
              cli_number(cli, "threads", SERVER_THREADS_MAX, &plan->server.threads, error);
    for (size_t i = 0; ok && (text = cli_value_at(cli, "option", i)) != NULL; i++)
        ok = mount_plan_add_words(plan, text, error);
    for (size_t i = 0; ok && i < plan->view.disk.search_count; i++) {
        plan->search[i] = absolute(plan->view.disk.search[i], error);
        plan->view.disk.search[i] = plan->search[i];
        ok = plan->search[i] != NULL;
    }
    plan->view.disk.keyring = &cli->ring;
    plan->view.snapshot = cli_value(cli, "snapshot");
    plan->view.raw = cli_value(cli, "raw") != NULL;
    plan->foreground = cli_value(cli, "foreground") != NULL;
    plan->server.single_thread = cli_value(cli, "single-thread") != NULL;
    plan->server.allow_other = plan->server.allow_other || cli_value(cli, "allow-other") != NULL;
    plan->server.log = &cli->log;
    text = cli_value(cli, "pid-file");
    if (ok && text != NULL)
        ok = (plan->pid_file = absolute(text, error)) != NULL;
    return ok && take_mode(cli, &plan->server, error) && take_owner(cli, &plan->server, error);
}

static bool is_empty(const char *directory)
{
    DIR *all = opendir(directory);
    size_t count = 0;
    while (all != NULL && count <= 2 && readdir(all) != NULL)
        count++;
    if (all != NULL)
        closedir(all);
    return count <= 2;
}

static bool can_be_mountpoint(const char *path, struct stat *facts, struct error *error)
{
    struct mounted found;
    if (!mounted_at(path, &found, error))
        return false;
    if (found.ours && mounted_is_dead(path))
        return error_set(error, ERROR_FAILED,
                         "the server of a mount here was killed; clear it with vmcrypt mount "
                         "--recover");
    if (found.ours)
        return error_set(error, ERROR_FAILED,
                         "a mount of vmcrypt is here already; unmount it with fusermount3 -u");
    if (stat(path, facts) != 0)
        return error_system(error, "cannot be a mount point");
    if (!S_ISDIR(facts->st_mode) && !S_ISREG(facts->st_mode))
        return error_set(error, ERROR_USAGE, "a mount point is a directory or a regular file");
    return true;
}

static bool look_at_mountpoint(struct cli *cli, struct mount_plan *plan, struct error *error)
{
    struct stat facts = {0};
    const char *path = plan->mountpoint;
    if (!can_be_mountpoint(path, &facts, error))
        return error_in_file(error, path);
    plan->server.on_file = S_ISREG(facts.st_mode);
    if (!plan->server.on_file && !is_empty(path))
        log_say(&cli->log, LOG_WARN, "%s is not empty: what is in it is hidden while mounted",
                path);
    return true;
}

bool mount_plan_make(struct cli *cli, const char *source, const char *directory,
                     struct mount_plan *plan, struct error *error)
{
    *plan = (struct mount_plan){0};
    if (!take_options(cli, plan, error) || (plan->source = absolute(source, error)) == NULL ||
        (plan->mountpoint = mounted_path(directory, error)) == NULL ||
        !look_at_mountpoint(cli, plan, error))
        return false;
    plan->server.mountpoint = plan->mountpoint;
    plan->server.fuse_options = plan->words;
    plan->server.name = plan->name == NULL ? plan->source : plan->name;
    return true;
}

void mount_plan_free(struct mount_plan *plan)
{
    for (size_t i = 0; i < DISK_SEARCH_MAX; i++)
        free(plan->search[i]);
    free(plan->words);
    free(plan->name);
    free(plan->pid_file);
    free(plan->mountpoint);
    free(plan->source);
}

bool mount_plan_is_apart(const struct mount_plan *plan, const struct view *view,
                         struct error *error)
{
    const char *directory;
    size_t length = strlen(plan->mountpoint);
    struct stat place;
    bool in_use = plan->server.on_file && stat(plan->mountpoint, &place) == 0 && place.st_size > 0;
    for (size_t i = 0; (directory = view_evidence(view, i)) != NULL; i++) {
        char *real = realpath(directory, NULL);
        size_t real_length = real == NULL ? 0 : strlen(real);
        bool over = real != NULL && !plan->server.on_file &&
                    strncmp(real, plan->mountpoint, length) == 0 &&
                    (real[length] == '/' || real[length] == '\0');
        bool inside = real != NULL && in_use && strncmp(real, plan->mountpoint, real_length) == 0 &&
                      plan->mountpoint[real_length] == '/';
        free(real);
        if (over || inside) {
            error_set(error, ERROR_USAGE, "would hide the evidence itself; mount elsewhere");
            return error_in_file(error, plan->mountpoint);
        }
    }
    return true;
}
