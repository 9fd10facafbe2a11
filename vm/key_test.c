/*
 * key_test - see key_test.h.
 *
 * The caller's thread walks the tree and tells the results; workers test one file each. Files are
 * put in a ring of slots in the order of the walk and told in that order.
 */
#include "vm/key_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/key_test_private.h"

enum { SLOTS = 256, THREADS_MAX = 64 };

enum slot_state { SLOT_EMPTY, SLOT_WAITING, SLOT_TAKEN, SLOT_DONE };

struct slot {
    enum slot_state state;
    struct tree_file file;
    struct key_test_results results;
    struct error error; /* memory was short */
};

struct testing {
    const struct key_test *test;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct slot slots[SLOTS];
    uint64_t put, taken, told; /* files so far; slot = number % SLOTS */
    bool closed;               /* no more are coming, or nobody wants them */
};

static void *work(void *argument)
{
    struct testing *t = argument;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (t->taken == t->put && !t->closed)
            pthread_cond_wait(&t->work, &t->lock);
        if (t->taken == t->put)
            break;
        struct slot *slot = &t->slots[t->taken++ % SLOTS];
        pthread_mutex_unlock(&t->lock);
        key_test_file(t->test->ring, &slot->file, &slot->results, &slot->error);
        pthread_mutex_lock(&t->lock);
        slot->state = SLOT_DONE;
        pthread_cond_signal(&t->done);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void tell(const struct key_test *test, const struct slot *slot,
                 struct key_test_totals *totals)
{
    totals->files++;
    for (size_t i = 0; i < slot->results.count; i++) {
        const struct key_test_result *r = &slot->results.results[i];
        struct key_test_item item = r->item;
        item.path = slot->file.path;
        item.provider = r->provider;
        item.id = r->id;
        item.proof = r->proof;
        item.reason = r->reason;
        item.vm_name = r->vm_name;
        item.vm_uuid = r->vm_uuid;
        totals->states[item.state]++;
        test->found(test->user, &item);
    }
}

static void empty(struct slot *slot)
{
    tree_file_free(&slot->file);
    key_test_results_free(&slot->results);
    slot->state = SLOT_EMPTY;
}

/* Wait for the file that is next to be told, and tell it. */
static bool tell_next(struct testing *t, struct key_test_totals *totals, struct error *error)
{
    struct slot *slot = &t->slots[t->told % SLOTS];
    pthread_mutex_lock(&t->lock);
    while (slot->state != SLOT_DONE)
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
    bool ok = slot->error.code == ERROR_NONE;
    if (ok)
        tell(t->test, slot, totals);
    else
        *error = slot->error;
    empty(slot);
    t->told++;
    return ok && (progress_update(t->test->progress, totals->files, 0) ||
                  error_set(error, ERROR_FAILED, "interrupted"));
}

/* Something on the way that cannot be read is a result like others. */
static void tell_problem(const struct key_test *test, const struct error *problem,
                         struct key_test_totals *totals)
{
    struct key_test_item item = {.path = problem->file,
                                 .kind = KEY_TEST_LOCATOR,
                                 .state = KEY_TEST_DAMAGED,
                                 .reason = problem->message};
    totals->states[item.state]++;
    test->found(test->user, &item);
}

static void put(struct testing *t, const struct tree_file *file)
{
    pthread_mutex_lock(&t->lock);
    struct slot *slot = &t->slots[t->put++ % SLOTS];
    *slot = (struct slot){.state = SLOT_WAITING, .file = *file, .error = ERROR_INIT};
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

static bool walk(struct testing *t, struct tree *tree, struct key_test_totals *totals,
                 struct error *error)
{
    bool end = false, ok = true;
    while (ok && !end) {
        struct tree_file file;
        struct error problem = ERROR_INIT;
        if (!tree_next(tree, &file, &end, &problem)) {
            /* In its place among the others. */
            while (ok && t->told < t->put)
                ok = tell_next(t, totals, error);
            if (ok && problem.file[0] != '\0')
                tell_problem(t->test, &problem, totals);
            else if (ok)
                ok = (*error = problem, false);
        } else if (!end) {
            if (t->put - t->told == SLOTS)
                ok = tell_next(t, totals, error);
            if (ok)
                put(t, &file);
            else
                tree_file_free(&file);
        }
    }
    while (ok && t->told < t->put)
        ok = tell_next(t, totals, error);
    return ok;
}

static size_t start_workers(struct testing *t, pthread_t *threads, size_t wanted)
{
    size_t started = 0;
    while (started < wanted && pthread_create(&threads[started], NULL, work, t) == 0)
        started++;
    return started;
}

static size_t thread_count(unsigned wanted)
{
    long cpus = wanted > 0 ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > THREADS_MAX ? THREADS_MAX : (size_t)cpus;
}

bool key_test_run(const struct key_test *test, char *const *paths, size_t count,
                  struct key_test_totals *totals, struct error *error)
{
    *totals = (struct key_test_totals){0};
    struct testing *t = calloc(1, sizeof *t);
    struct tree *tree = t == NULL ? NULL : tree_new(paths, count, error);
    if (t == NULL)
        return error_memory(error);
    if (tree == NULL) {
        free(t);
        return false;
    }
    t->test = test;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    pthread_cond_init(&t->done, NULL);
    pthread_t threads[THREADS_MAX];
    size_t started = start_workers(t, threads, thread_count(test->threads));
    bool ok = started > 0 || error_set(error, ERROR_FAILED, "cannot start a thread");
    ok = ok && walk(t, tree, totals, error);
    pthread_mutex_lock(&t->lock);
    t->closed = true;
    t->taken = ok ? t->taken : t->put;
    pthread_cond_broadcast(&t->work);
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < SLOTS; i++)
        empty(&t->slots[i]);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    tree_free(tree);
    free(t);
    return ok;
}
