/* cli_output - JSON, untrusted text on a terminal, progress; see cli.h. */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/printable.h"
#include "tools/cli.h"

int cli_print_json(json_t *document, int status)
{
    bool ok = document != NULL &&
              json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0 &&
              putchar('\n') != EOF;
    json_decref(document);
    return ok ? status : (int)ERROR_FAILED;
}

const char *cli_printable(const char *text)
{
    enum { SLOTS = 8, SIZE = 4096 };
    static char slots[SLOTS][SIZE];
    static size_t next;
    char *out = slots[next++ % SLOTS];
    printable_copy(text, out, SIZE);
    return out;
}

/* A signal handler can reach nothing but static memory. */
static volatile sig_atomic_t interrupted, asked;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void on_question(int number)
{
    (void)number;
    asked = 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void show_json(const struct cli *cli, uint64_t done, uint64_t total, double rate,
                      double left)
{
    json_t *line = json_pack(
        "{s:i, s:s*, s:I, s:I, s:o, s:I, s:o}", "version", 1, "job", cli_printable(cli->job),
        "done", (json_int_t)done, "total", (json_int_t)total, "holes",
        cli->job_holes == NULL ? json_null() : json_integer((json_int_t)*cli->job_holes), "rate",
        (json_int_t)rate, "eta", left < 0 ? json_null() : json_integer((json_int_t)(left + 0.5)));
    if (line != NULL && json_dumpf(line, stderr, JSON_COMPACT | JSON_PRESERVE_ORDER) == 0)
        fputc('\n', stderr);
    json_decref(line);
}

static void show_text(const struct cli *cli, uint64_t done, uint64_t total, double rate,
                      double left, bool alone)
{
    char holes[64] = "";
    if (cli->job_holes != NULL && *cli->job_holes > 0)
        snprintf(holes, sizeof holes, ", %.1f MiB holes", (double)*cli->job_holes / 1048576);
    fprintf(stderr, "%s%.40s: %3.0f %% of %.1f MiB%s, %.0f MiB/s, %.0f s left %s",
            alone ? "" : "\r", cli_printable(cli->job),
            total > 0 ? 100 * (double)done / (double)total : 0, (double)total / 1048576, holes,
            rate / 1048576, left < 0 ? 0 : left, alone ? "\n" : "\033[K");
}

static bool show(void *user, uint64_t done, uint64_t total)
{
    enum { PER_SECOND_JSON = 1, PER_SECOND_TEXT = 5 };
    struct cli *cli = user;
    double time = now(), seconds = time - cli->job_started;
    double every = 1.0 / (cli->json_progress ? PER_SECOND_JSON : PER_SECOND_TEXT);
    bool end = done == total && cli->job_done != done;
    bool due = cli->show_progress && cli->log.level >= 0 && total > 0 &&
               (time - cli->job_shown > every || end);
    if (due || asked) {
        double rate = seconds > 0 ? (double)done / seconds : 0;
        double left = rate > 0 ? (double)(total - done) / rate : -1;
        if (cli->json_progress)
            show_json(cli, done, total, rate, left);
        else
            show_text(cli, done, total, rate, left, !due);
        fflush(stderr);
        asked = 0;
        cli->job_done = done;
        if (due)
            cli->job_shown = time;
    }
    return interrupted == 0;
}

const struct progress *cli_progress(struct cli *cli, const char *name)
{
    struct sigaction action = {.sa_handler = on_signal}, question = {.sa_handler = on_question};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGUSR1, &question, NULL);
    cli->progress = (struct progress){show, cli};
    cli->job = name;
    cli->job_holes = NULL;
    cli->job_started = now();
    cli->job_shown = 0;
    cli->job_done = UINT64_MAX;
    return &cli->progress;
}

void cli_progress_end(struct cli *cli)
{
    if (cli->job_shown > 0 && !cli->json_progress) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    cli->job_shown = 0;
}
