/* cli_mount_status - see cli_mount.h: a mount as seen from outside. */
#include "tools/cli_mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include <jansson.h>

#include "fuse/mounted.h"

/* Malloc'd text of the status; NULL with *error. */
static char *ask_server(const char *directory, struct error *error)
{
    enum { TRIES = 4 };
    char *path = mounted_path(directory, error), *text = NULL;
    if (path == NULL)
        return NULL;
    /* It may grow between asking for its size and for itself. */
    for (int i = 0; text == NULL && i < TRIES; i++) {
        ssize_t size = getxattr(path, SERVER_STATUS, NULL, 0);
        if (size < 0)
            break;
        text = calloc(1, (size_t)size + 1);
        if (text != NULL && getxattr(path, SERVER_STATUS, text, (size_t)size) < 0) {
            free(text);
            text = NULL;
            if (errno != ERANGE)
                break;
        }
    }
    if (text == NULL && errno == ENOTCONN)
        error_set(error, ERROR_FAILED,
                  "the server of this mount was killed; clear it with vmcrypt mount --recover");
    else if (text == NULL && (errno == ENODATA || errno == ENOTSUP || errno == ENOENT))
        error_set(error, ERROR_FAILED, "is not a mount of vmcrypt");
    else if (text == NULL)
        error_system(error, "cannot ask its server");
    if (text == NULL)
        error_in_file(error, directory);
    free(path);
    return text;
}

static void print_value(const json_t *value)
{
    if (json_is_string(value))
        puts(cli_printable(json_string_value(value)));
    else if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
    else if (json_is_boolean(value))
        puts(json_is_true(value) ? "yes" : "no");
    else
        puts("-");
}

/* Any JSON as lines of "NAME: VALUE". Jansson limits how deep it can be. */
static void print_tree(const json_t *value, int indent)
{
    const char *key;
    const json_t *item;
    size_t i;
    json_object_foreach((json_t *)value, key, item)
    {
        printf("%*s%s:", indent, "", cli_printable(key));
        if (json_is_object(item) || json_is_array(item)) {
            putchar('\n');
            print_tree(item, indent + 2);
        } else {
            putchar(' ');
            print_value(item);
        }
    }
    json_array_foreach(value, i, item)
    {
        if (json_is_object(item) || json_is_array(item)) {
            print_tree(item, indent + 2);
        } else {
            printf("%*s", indent, "");
            print_value(item);
        }
    }
}

int mount_status(struct cli *cli, const char *directory)
{
    struct error error = ERROR_INIT;
    char *text = ask_server(directory, &error);
    json_t *status = text == NULL ? NULL : json_loads(text, 0, NULL);
    free(text);
    if (status == NULL) {
        if (error.code == ERROR_NONE) {
            error_set(&error, ERROR_FAILED, "what its server tells is no status of a mount");
            error_in_file(&error, directory);
        }
        return cli_fail(cli, &error);
    }
    if (cli->json)
        return cli_print_json(status, 0);
    print_tree(status, 0);
    json_decref(status);
    return 0;
}

bool mount_recover(const char *directory, struct error *error)
{
    char *path = mounted_path(directory, error);
    struct mounted found;
    bool ok = path != NULL && mounted_at(path, &found, error);
    if (ok && !found.ours)
        ok = error_set(error, ERROR_FAILED, "no mount of vmcrypt is here");
    else if (ok && !mounted_is_dead(path))
        ok = error_set(error, ERROR_FAILED, "its server is alive; unmount it with fusermount3 -u");
    ok = ok && mounted_detach(path, error);
    if (!ok)
        error_in_file(error, directory);
    free(path);
    return ok;
}
