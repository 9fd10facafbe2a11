/* cli_key_test - vmcrypt key test: which key opens what, which is missing, which opens nothing. */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli_explain.h"
#include "tools/cli_key.h"
#include "vm/key_test.h"

/* A key that is not in hand, and what it would open. */
struct missing {
    char *provider, *id, *first;
    uint64_t things;
};

struct testing {
    struct cli *cli;
    uint64_t *keys, *phrases; /* things that each of the ring opened */
    void *missing;            /* tree of struct missing, for tsearch */
    bool failed;              /* memory */
    bool begun;               /* something of the JSON array is out */
};

static const char *const kind_names[] = {"settings", "bundle", "disk", "data", "locator"};
static const char *const state_names[] = {"opened", "missing", "unfit", "damaged"};

static int compare_missing(const void *a, const void *b)
{
    const struct missing *x = a, *y = b;
    int order = strcmp(x->provider, y->provider);
    return order != 0 ? order : strcmp(x->id, y->id);
}

static void free_missing(void *node)
{
    struct missing *m = node;
    free(m->provider);
    free(m->id);
    free(m->first);
    free(m);
}

static void note_missing(struct testing *t, const struct key_test_item *item)
{
    struct missing *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->provider = strdup(item->provider);
        m->id = strdup(item->id);
        m->first = strdup(item->path);
    }
    struct missing **found = m == NULL || m->provider == NULL || m->id == NULL || m->first == NULL
                                 ? NULL
                                 : tsearch(m, &t->missing, compare_missing);
    if (found != NULL)
        (*found)->things++;
    if (found == NULL)
        t->failed = true;
    if (m != NULL && (found == NULL || *found != m))
        free_missing(m);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : cli_json_text(text);
}

static void print_json(struct testing *t, const struct key_test_item *item)
{
    json_t *object = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "path",
                               cli_json_text(item->path), "kind", kind_names[item->kind], "state",
                               state_names[item->state], "provider", text_or_null(item->provider),
                               "id", text_or_null(item->id), "proof", text_or_null(item->proof),
                               "reason", text_or_null(item->reason), "vm_name",
                               text_or_null(item->vm_name), "vm_uuid", text_or_null(item->vm_uuid));
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (text != NULL)
        printf("%s\n%s", t->begun ? "," : "", text);
    t->failed = t->failed || text == NULL;
    t->begun = true;
    free(text);
    json_decref(object);
}

/* cli_printable has few buffers: one field at a time. */
static void print_line(const struct key_test_item *item)
{
    printf("%-8s %-8s  %s", state_names[item->state], kind_names[item->kind],
           cli_printable(item->path));
    if (item->id != NULL)
        printf("  %s/%s", cli_printable(item->provider), cli_printable(item->id));
    printf("\n         %s", cli_printable(item->reason));
    if (item->proof != NULL)
        printf("; proved by %s", cli_printable(item->proof));
    printf("\n");
}

static void found(void *user, const struct key_test_item *item)
{
    struct testing *t = user;
    const struct keyring *ring = &t->cli->ring;
    if (item->key != NULL)
        t->keys[item->key - ring->keys]++;
    if (item->phrase != NULL)
        t->phrases[item->phrase - ring->phrases]++;
    if (item->state == KEY_TEST_MISSING && item->id != NULL)
        note_missing(t, item);
    if (t->cli->json)
        print_json(t, item);
    else
        print_line(item);
}

static void add_missing(const void *node, VISIT visit, void *list)
{
    if (visit != postorder && visit != leaf)
        return;
    const struct missing *m = *(const struct missing *const *)node;
    json_array_append_new(list,
                          json_pack("{s:o, s:o, s:I, s:o}", "provider", cli_json_text(m->provider),
                                    "id", cli_json_text(m->id), "things", (json_int_t)m->things,
                                    "first", cli_json_text(m->first)));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return cli_printable(text == NULL ? "*" : text);
}

/* The keys in hand, each with the number of things that it opened. */
static json_t *used_keys(const struct testing *t)
{
    const struct keyring *ring = &t->cli->ring;
    json_t *list = json_array();
    for (size_t i = 0; i < ring->key_count; i++) {
        const struct keyring_key *k = &ring->keys[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "type",
                                        k->kind == KEYRING_KDK ? "kdk" : "key", "provider",
                                        text_or_null(k->provider), "id", text_or_null(k->id),
                                        "origin", text_or_null(k->origin), "name",
                                        text_or_null(k->name), "opened", (json_int_t)t->keys[i]));
    }
    for (size_t i = 0; i < ring->phrase_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:I}", "type", "passphrase", "origin",
                                              cli_json_text(ring->phrases[i].origin), "opened",
                                              (json_int_t)t->phrases[i]));
    return list;
}

static void print_missing(const json_t *missing)
{
    if (json_array_size(missing) > 0)
        printf("\nkeys that are missing:\n");
    for (size_t i = 0; i < json_array_size(missing); i++) {
        const json_t *m = json_array_get(missing, i);
        printf("  %s/", text_of(m, "provider"));
        printf("%s", text_of(m, "id"));
        printf("  locks %lld, the first: %s\n", json_integer_value(json_object_get(m, "things")),
               text_of(m, "first"));
    }
}

static void print_idle(const json_t *keys)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *k = json_array_get(keys, i);
        if (json_integer_value(json_object_get(k, "opened")) > 0)
            continue;
        printf("%s", any ? "" : "\nkeys that open nothing here:\n");
        any = true;
        printf("  %-10s", text_of(k, "type"));
        if (json_object_get(k, "id") != NULL) {
            printf("  %s/", text_of(k, "provider"));
            printf("%s", text_of(k, "id"));
        }
        printf("  from %s", text_of(k, "origin"));
        if (json_is_string(json_object_get(k, "name")))
            printf("  (the key server made it for %s)", text_of(k, "name"));
        printf("\n");
    }
}

static void conclude(struct testing *t, const struct key_test_totals *totals)
{
    json_t *missing = json_array(), *keys = used_keys(t);
    twalk_r(t->missing, add_missing, missing);
    const uint64_t *n = totals->states;
    uint64_t things = 0;
    for (size_t i = 0; i <= KEY_TEST_DAMAGED; i++)
        things += n[i];
    if (t->cli->json) {
        char *m = json_dumps(missing, JSON_COMPACT | JSON_PRESERVE_ORDER);
        char *k = json_dumps(keys, JSON_COMPACT | JSON_PRESERVE_ORDER);
        printf("\n],\"missing\":%s,\n\"keys\":%s,\n", m == NULL ? "[]" : m, k == NULL ? "[]" : k);
        printf("\"files\":%" PRIu64 ",\"opened\":%" PRIu64 ",\"not_opened\":%" PRIu64
               ",\"damaged\":%" PRIu64 "}\n",
               totals->files, n[KEY_TEST_OPENED], n[KEY_TEST_MISSING] + n[KEY_TEST_UNFIT],
               n[KEY_TEST_DAMAGED]);
        t->failed = t->failed || m == NULL || k == NULL;
        free(m);
        free(k);
    } else {
        print_missing(missing);
        print_idle(keys);
        printf("\n%" PRIu64 " files, %" PRIu64 " encrypted things: %" PRIu64 " opened, %" PRIu64
               " without a key that fits, %" PRIu64 " damaged or unreadable\n",
               totals->files, things, n[KEY_TEST_OPENED], n[KEY_TEST_MISSING] + n[KEY_TEST_UNFIT],
               n[KEY_TEST_DAMAGED]);
    }
    json_decref(missing);
    json_decref(keys);
}

/* 0: all opened. Otherwise what keeps the rest closed, or that only some are. */
static int status_of(const struct key_test_totals *totals)
{
    const uint64_t *n = totals->states;
    uint64_t closed = n[KEY_TEST_MISSING] + n[KEY_TEST_UNFIT];
    if (closed + n[KEY_TEST_DAMAGED] == 0)
        return 0;
    if (n[KEY_TEST_OPENED] > 0)
        return ERROR_PARTIAL;
    return closed > 0 ? ERROR_NO_KEY : ERROR_DAMAGED;
}

/* Where the paths begin: behind the keyring, unless keys were given by options. */
static bool take_keys(struct cli *cli, size_t *first, struct error *error)
{
    bool given = cli_value(cli, "keyring") != NULL || cli_value(cli, "key") != NULL ||
                 cli_value(cli, "passphrase-file") != NULL;
    *first = given ? 0 : 1;
    if (!given && cli->operand_count < 2)
        return error_set(error, ERROR_USAGE, "name a keyring, and then what to test it on");
    return cli_keys(cli, NULL, error) && (given || cli_add_keyring(cli, cli->operands[0], error));
}

int cli_key_test(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct testing t = {.cli = cli};
    struct key_test test = {.ring = &cli->ring, .found = found, .user = &t};
    struct key_test_totals totals;
    size_t first;
    if (!cli_number(cli, "threads", 64, &test.threads, &error) || !take_keys(cli, &first, &error))
        return cli_fail(cli, &error);
    t.keys = calloc(cli->ring.key_count + 1, sizeof *t.keys);
    t.phrases = calloc(cli->ring.phrase_count + 1, sizeof *t.phrases);
    bool ok = (t.keys != NULL && t.phrases != NULL) || error_memory(&error);
    if (ok) {
        if (cli->json)
            printf("{\"version\":1,\"things\":[");
        test.progress = cli_progress(cli, "key test");
        ok =
            key_test_run(&test, cli->operands + first, cli->operand_count - first, &totals, &error);
        cli_progress_end(cli);
    }
    if (ok)
        conclude(&t, &totals);
    ok = ok && (!t.failed || error_memory(&error)) &&
         (fflush(stdout) == 0 || error_system(&error, "cannot write the result"));
    tdestroy(t.missing, free_missing);
    free(t.keys);
    free(t.phrases);
    return ok ? status_of(&totals) : cli_fail(cli, &error);
}
