/*
 * bench_replay - parsing and replaying event logs in all their banks, against hashing their digests
 * alone: the same extensions by the same OpenSSL calls, of digests that were found before.
 *
 *   bench_replay [-n LOGS] [-r ROUNDS] [LOG...]
 *
 * The logs (without any, one of 50 KB and three banks that is made here) are replayed in turn until
 * there were LOGS of them, in each of ROUNDS interleaved rounds. Prints medians of CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "tests/tpm/samples.h"
#include "tpm/event_types.h"
#include "tpm/replay.h"

enum { LOGS_MAX = 256, ROUNDS_MAX = 101 };

/* One bank of a log: what is extended into it. */
struct chain {
    EVP_MD_CTX *context;
    size_t size, count;
    const uint8_t **digests;
};

struct subject {
    struct buffer bytes;
    size_t chain_count;
    struct chain chains[BANK_MAX];
};

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what, const struct error *error)
{
    fprintf(stderr, "bench_replay: %s: %s\n", what, error->message);
    exit(1);
}

static void make_log(struct buffer *b)
{
    static const uint16_t banks[] = {BANK_SHA1, BANK_SHA256, BANK_SHA384};
    char data[220];
    memset(data, 'd', sizeof data);
    put_spec(b, 0, banks, 3, 0, 0);
    for (int i = 0; b->length < 50000; i++)
        put_agile(b, (uint32_t)i % 15, EV_EVENT_TAG, banks, 3, i, data, sizeof data);
}

/* The digests of the log's banks, and a context for each. */
static void collect(struct subject *s)
{
    struct eventlog log;
    struct error error = ERROR_INIT;
    if (!eventlog_parse(&log, s->bytes.data, s->bytes.length, &error))
        die("log", &error);
    for (size_t b = 0; b < log.bank_count; b++) {
        struct chain *chain = &s->chains[s->chain_count++];
        EVP_MD *md = EVP_MD_fetch(NULL, bank_openssl_name(log.banks[b].algorithm), NULL);
        chain->context = EVP_MD_CTX_new();
        chain->size = log.banks[b].size;
        chain->digests = calloc(log.event_count, sizeof *chain->digests);
        EVP_DigestInit_ex2(chain->context, md, NULL);
        for (size_t i = 0; i < log.event_count; i++) {
            const struct eventlog_digest *digest =
                eventlog_digest(&log.events[i], log.banks[b].algorithm);
            if (digest != NULL && log.events[i].type != EV_NO_ACTION && log.events[i].pcr < 24)
                chain->digests[chain->count++] = digest->bytes;
        }
    }
    eventlog_free(&log);
}

static void hash_only(struct subject *s)
{
    for (size_t c = 0; c < s->chain_count; c++) {
        const struct chain *chain = &s->chains[c];
        uint8_t both[2 * BANK_DIGEST_MAX] = {0};
        for (size_t i = 0; i < chain->count; i++) {
            memcpy(both + chain->size, chain->digests[i], chain->size);
            if (EVP_DigestInit_ex2(chain->context, NULL, NULL) != 1 ||
                EVP_DigestUpdate(chain->context, both, 2 * chain->size) != 1 ||
                EVP_DigestFinal_ex(chain->context, both, NULL) != 1)
                exit(1);
        }
    }
}

static void replay(struct subject *s)
{
    static struct pcr_set set;
    struct eventlog log;
    struct error error = ERROR_INIT;
    if (!eventlog_parse(&log, s->bytes.data, s->bytes.length, &error) ||
        !replay_log(&log, &set, NULL, &error))
        die("log", &error);
    eventlog_free(&log);
}

static double run(struct subject *subjects, size_t count, size_t logs,
                  void (*work)(struct subject *))
{
    double start = cpu_seconds();
    for (size_t i = 0; i < logs; i++)
        work(&subjects[i % count]);
    return cpu_seconds() - start;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
    static struct subject subjects[LOGS_MAX];
    double ours[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t count = 0, logs = 10000, rounds = 5;
    for (int c; (c = getopt(argc, argv, "n:r:")) != -1;)
        if (c == 'n')
            logs = strtoul(optarg, NULL, 10);
        else if (c == 'r')
            rounds = strtoul(optarg, NULL, 10);
        else
            return 2;
    if (logs == 0 || rounds == 0 || rounds > ROUNDS_MAX)
        return 2;
    for (int i = optind; i < argc && count < LOGS_MAX; i++) {
        struct error error = ERROR_INIT;
        if (!eventlog_load(argv[i], &subjects[count++].bytes, &error))
            die(argv[i], &error);
    }
    if (count == 0)
        make_log(&subjects[count++].bytes);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        collect(&subjects[i]);
        bytes += subjects[i].bytes.length;
    }
    for (size_t r = 0; r < rounds; r++) {
        bare[r] = run(subjects, count, logs, hash_only);
        ours[r] = run(subjects, count, logs, replay);
        ratio[r] = ours[r] / bare[r];
    }
    qsort(bare, rounds, sizeof *bare, ascending);
    qsort(ours, rounds, sizeof *ours, ascending);
    qsort(ratio, rounds, sizeof *ratio, ascending);
    printf("%zu logs of %zu bytes on average: hashing alone %.3f s, parse and replay %.3f s, "
           "ratio %.3f (%.3f to %.3f)\n",
           logs, bytes / count, bare[rounds / 2], ours[rounds / 2], ratio[rounds / 2], ratio[0],
           ratio[rounds - 1]);
    return 0;
}
