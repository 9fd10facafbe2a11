/* cli_output - JSON, untrusted text on a terminal, progress; see cli.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

int cli_print_json(json_t *document, int status)
{
    bool ok = document != NULL &&
              json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0 &&
              putchar('\n') != EOF;
    json_decref(document);
    return ok ? status : (int)ERROR_FAILED;
}

/* Length of the well-formed UTF-8 sequence of a printable character at TEXT; 0 when none. */
static size_t printable_length(const unsigned char *text)
{
    if (text[0] >= 0x20 && text[0] < 0x7f)
        return 1;
    size_t length = text[0] >= 0xc2 && text[0] < 0xe0   ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* U+0080 … U+009F are controls; U+2028 … U+202E and U+2066 … U+2069 break or reorder a line. */
    if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
        return 0;
    if (length == 3 && text[0] == 0xe2 &&
        ((text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||
         (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9)))
        return 0;
    return length;
}

const char *cli_printable(const char *text)
{
    enum { SLOTS = 8, SIZE = 4096 };
    static char slots[SLOTS][SIZE];
    static size_t next;
    char *out = slots[next++ % SLOTS];
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0' && used < SIZE - 8;) {
        size_t length = printable_length(at);
        if (length == 0) {
            used += (size_t)sprintf(out + used, "\\x%02x", *at++);
            continue;
        }
        memcpy(out + used, at, length);
        used += length;
        at += length;
    }
    out[used] = '\0';
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
