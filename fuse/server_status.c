/* server_status - see server.h: how a mount goes, as JSON. */
#include "fuse/server_private.h"

#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

/* NAME as JSON wants it: what is no UTF-8 is left to findmnt to tell. */
static json_t *text_of(const char *name)
{
    json_t *text = json_string(name);
    return text != NULL ? text : json_null();
}

static json_t *time_of(time_t when)
{
    char text[32] = "";
    struct tm tm;
    if (gmtime_r(&when, &tm) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static uint64_t sum(const struct server *server, size_t offset)
{
    uint64_t total = 0;
    for (size_t i = 0; i < server->worker_count; i++) {
        const char *worker = (const char *)&server->workers[i];
        total += atomic_load_explicit((const _Atomic uint64_t *)(const void *)(worker + offset),
                                      memory_order_relaxed);
    }
    return total;
}

static json_t *counts(const struct server *server)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests",
                     (json_int_t)sum(server, offsetof(struct worker, requests)), "reads",
                     (json_int_t)sum(server, offsetof(struct worker, reads)), "bytes",
                     (json_int_t)sum(server, offsetof(struct worker, bytes)), "zero_bytes",
                     (json_int_t)sum(server, offsetof(struct worker, zero_bytes)), "errors",
                     (json_int_t)sum(server, offsetof(struct worker, errors)));
}

/* What the view proved; null where that cannot be told. */
static json_t *report_of(struct server *server)
{
    struct error ignored = ERROR_INIT;
    char *text = view_report(server->view, &ignored);
    json_t *report = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    free(text);
    return report != NULL ? report : json_null();
}

char *server_status(struct server *server)
{
    json_t *status =
        json_pack("{s:o, s:o, s:i, s:o, s:I, s:o, s:o}", "source", text_of(server->name),
                  "mountpoint", text_of(server->mountpoint), "pid", (int)getpid(), "since",
                  time_of(server->since), "threads", (json_int_t)server->worker_count, "served",
                  counts(server), "report", report_of(server));
    if (status == NULL)
        return NULL;
    char *text = json_dumps(status, JSON_COMPACT);
    /* An attribute has a largest size; the report is in the mount as well. */
    if (text != NULL && strlen(text) >= XATTR_SIZE_MAX &&
        json_object_set_new(status, "report", json_null()) == 0) {
        free(text);
        text = json_dumps(status, JSON_COMPACT);
    }
    json_decref(status);
    return text;
}
