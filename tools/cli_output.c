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
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool show(void *user, uint64_t done, uint64_t total)
{
    struct cli *cli = user;
    double time = now(), seconds = time - cli->job_started;
    bool visible = cli->show_progress && cli->log.level >= 0 && total > 0;
    if (visible && (time - cli->job_shown > 0.2 || done == total)) {
        double part = (double)done / (double)total;
        double left = part > 0 ? seconds / part - seconds : 0;
        cli->job_shown = time;
        fprintf(stderr, "\r%.40s: %3.0f %% of %.1f MiB, %.0f MiB/s, %.0f s left \033[K",
                cli_printable(cli->job), 100 * part, (double)total / 1048576,
                seconds > 0 ? (double)done / 1048576 / seconds : 0, left);
        fflush(stderr);
    }
    return interrupted == 0;
}

const struct progress *cli_progress(struct cli *cli, const char *name)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    cli->progress = (struct progress){show, cli};
    cli->job = name;
    cli->job_started = now();
    cli->job_shown = 0;
    return &cli->progress;
}

void cli_progress_end(struct cli *cli)
{
    if (cli->job_shown > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    cli->job_shown = 0;
}
