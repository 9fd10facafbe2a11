/*
 * bench_xts - AES-256-XTS of our kernels and of other libraries, on one core, in one run.
 *
 * Time is the CPU time of this thread, so that other processes on its core do not count. Turns are
 * short and many, and every subject gets its turn before any gets the next, so that a change of
 * the clock or a busy neighbour hits all alike. Figures are medians, and comparisons are medians
 * of the ratios within a turn. Each subject's result is first compared with OpenSSL's.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "tests/bench/xts_subjects.h"

enum {
    REPETITIONS = 15,
    REPETITIONS_MAX = 1000,
    CACHED_TURNS = 8, /* in a repetition */
    TURNS_MAX = REPETITIONS_MAX * CACHED_TURNS,
    COLUMNS = 8,
    CACHED_BYTES = 65536,
    LARGE_BYTES = 256 << 20,
};

struct column {
    const char *name;
    size_t unit_bytes, bytes;
    bool encrypt;
};

static const struct column TABLE[COLUMNS] = {
    {"512 dec", 512, CACHED_BYTES, false},       {"512 enc", 512, CACHED_BYTES, true},
    {"4096 dec", 4096, CACHED_BYTES, false},     {"4096 enc", 4096, CACHED_BYTES, true},
    {"512 dec 256M", 512, LARGE_BYTES, false},   {"512 enc 256M", 512, LARGE_BYTES, true},
    {"4096 dec 256M", 4096, LARGE_BYTES, false}, {"4096 enc 256M", 4096, LARGE_BYTES, true},
};

struct bench {
    struct subject subjects[SUBJECTS_MAX];
    size_t count;
    size_t repetitions;
    uint8_t *data;                           /* LARGE_BYTES */
    double (*rates)[COLUMNS][SUBJECTS_MAX];  /* bytes per second, by turn */
    double (*limits)[COLUMNS][SUBJECTS_MAX]; /* of the subject's width */
    double rate[COLUMNS][SUBJECTS_MAX];      /* medians */
    double of_limit[COLUMNS][SUBJECTS_MAX];  /* 0: no limit known */
    size_t fastest_peer[COLUMNS];            /* by median */
    double to_fastest_peer[COLUMNS][SUBJECTS_MAX];
};

static void die(const char *message)
{
    fprintf(stderr, "bench_xts: %s\n", message);
    exit(1);
}

static void pin(long cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        die("cannot run on that CPU");
}

static long last_allowed_cpu(void)
{
    cpu_set_t set;
    long last = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (long i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET((size_t)i, &set))
                last = i;
    return last;
}

static void transform(const struct subject *s, const struct column *c, uint8_t *data, size_t bytes)
{
    if (!s->transform(s->state, c->encrypt, c->unit_bytes, data, bytes)) {
        fprintf(stderr, "bench_xts: %s failed\n", s->name);
        exit(1);
    }
}

/* What OpenSSL makes of one unit, apart from the subjects. */
static void expect(const uint8_t *key, const struct column *c, uint8_t *data, size_t bytes)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    for (uint64_t unit = 0; unit < bytes / c->unit_bytes; unit++) {
        uint8_t tweak[16] = {0};
        int done = 0;
        memcpy(tweak, &unit, sizeof unit);
        uint8_t *at = data + unit * c->unit_bytes;
        if (EVP_CipherInit_ex(context, EVP_aes_256_xts(), NULL, key, tweak, c->encrypt) != 1 ||
            EVP_CipherUpdate(context, at, &done, at, (int)c->unit_bytes) != 1)
            die("OpenSSL failed");
    }
    EVP_CIPHER_CTX_free(context);
}

static void verify(struct bench *b, const uint8_t *key)
{
    uint8_t *expected = malloc(CACHED_BYTES);
    if (expected == NULL)
        die("out of memory");
    for (size_t c = 0; c < COLUMNS; c++) {
        for (size_t s = 0; s < b->count; s++) {
            for (size_t i = 0; i < CACHED_BYTES; i++)
                b->data[i] = expected[i] = (uint8_t)(i * 7 + (i >> 8) + c);
            expect(key, &TABLE[c], expected, CACHED_BYTES);
            transform(&b->subjects[s], &TABLE[c], b->data, CACHED_BYTES);
            if (memcmp(b->data, expected, CACHED_BYTES) != 0) {
                fprintf(stderr, "bench_xts: %s: wrong result\n", b->subjects[s].name);
                exit(1);
            }
        }
    }
    free(expected);
}

static size_t turns_of(const struct bench *b, size_t c)
{
    return b->repetitions * (TABLE[c].bytes == CACHED_BYTES ? CACHED_TURNS : 1);
}

/* Bytes per second of one turn: a pass over large data, or 0.5 ms of passes in the cache. */
static double measure(const struct bench *b, const struct subject *s, const struct column *c)
{
    size_t passes = 0, together = c->bytes == CACHED_BYTES ? 64 : 1; /* asking the clock is slow */
    double begin = now(), end;
    do {
        for (size_t i = 0; i < together; i++)
            transform(s, c, b->data, c->bytes);
        passes += together;
        end = now();
    } while (together > 1 && end - begin < 0.0005);
    return (double)(passes * c->bytes) / (end - begin);
}

static void run_turn(struct bench *b, size_t c, size_t turn)
{
    for (size_t s = 0; s < b->count; s++) {
        const struct subject *subject = &b->subjects[s];
        double before = subject->width == 0 ? 0 : limit_measure(subject->width);
        b->rates[turn][c][s] = measure(b, subject, &TABLE[c]);
        double after = subject->width == 0 ? 0 : limit_measure(subject->width);
        b->limits[turn][c][s] = (before + after) / 2;
    }
}

static void run(struct bench *b)
{
    for (size_t r = 0; r < b->repetitions; r++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            size_t turns = turns_of(b, c) / b->repetitions;
            for (size_t t = 0; t < turns; t++)
                run_turn(b, c, r * turns + t);
        }
        fprintf(stderr, "\r%zu of %zu repetitions", r + 1, b->repetitions);
    }
    fputc('\n', stderr);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void evaluate_column(struct bench *b, size_t c)
{
    double values[TURNS_MAX] = {0};
    size_t peer = SIZE_MAX, turns = turns_of(b, c);
    for (size_t s = 0; s < b->count; s++) {
        for (size_t t = 0; t < turns; t++)
            values[t] = b->rates[t][c][s];
        b->rate[c][s] = median(values, turns);
        if (!b->subjects[s].ours && (peer == SIZE_MAX || b->rate[c][s] > b->rate[c][peer]))
            peer = s;
    }
    b->fastest_peer[c] = peer;
    for (size_t s = 0; s < b->count; s++) {
        for (size_t t = 0; t < turns; t++)
            values[t] = b->rates[t][c][s] / b->rates[t][c][peer];
        b->to_fastest_peer[c][s] = median(values, turns);
        if (b->limits[0][c][s] == 0)
            continue;
        for (size_t t = 0; t < turns; t++)
            values[t] = b->rates[t][c][s] / b->limits[t][c][s];
        b->of_limit[c][s] = median(values, turns);
    }
}

static double limit_median(const struct bench *b, size_t s)
{
    double values[TURNS_MAX] = {0};
    for (size_t t = 0; t < turns_of(b, 0); t++)
        values[t] = b->limits[t][0][s];
    return median(values, turns_of(b, 0));
}

static void print_row(const struct bench *b, size_t s)
{
    printf("%-20s", b->subjects[s].name);
    for (size_t c = 0; c < COLUMNS; c++)
        printf("%15.2f", b->rate[c][s] / 1e9);
    if (b->subjects[s].ours) {
        printf("\n%-20s", "  x fastest peer");
        for (size_t c = 0; c < COLUMNS; c++)
            printf("%14.2fx", b->to_fastest_peer[c][s]);
    }
    if (b->of_limit[0][s] != 0) {
        char label[32];
        snprintf(label, sizeof label, "  %% of %.2f GB/s", limit_median(b, s) / 1e9);
        printf("\n%-20s", label);
        for (size_t c = 0; c < COLUMNS; c++)
            printf("%14.1f%%", 100 * b->of_limit[c][s]);
    }
    putchar('\n');
}

static void print_table(const struct bench *b)
{
    printf("AES-256-XTS in place, GB/s of CPU time, one core; medians of %zu interleaved "
           "repetitions.\n"
           "Columns: bytes of a data unit, direction; in 64 KiB (L2), or 256M for 256 MiB.\n"
           "%% of: the rate at which the CPU issues AES rounds in registers of that width.\n\n",
           b->repetitions);
    printf("%-20s", "");
    for (size_t c = 0; c < COLUMNS; c++)
        printf("%15s", TABLE[c].name);
    putchar('\n');
    for (size_t s = 0; s < b->count; s++)
        print_row(b, s);
    printf("%-20s", "fastest peer");
    for (size_t c = 0; c < COLUMNS; c++)
        printf("%15.15s", b->subjects[b->fastest_peer[c]].name);
    putchar('\n');
    for (const char *const *name = subjects_absent(); *name != NULL; name++)
        printf("%-20s         absent\n", *name);
}

static void print_json(const struct bench *b)
{
    json_t *rows = json_array(), *absent = json_array();
    for (size_t s = 0; s < b->count; s++) {
        json_t *columns = json_array();
        for (size_t c = 0; c < COLUMNS; c++) {
            json_t *cell =
                json_pack("{s:s,s:I,s:b,s:I,s:f,s:f}", "name", TABLE[c].name, "unit_bytes",
                          (json_int_t)TABLE[c].unit_bytes, "encrypt", TABLE[c].encrypt, "bytes",
                          (json_int_t)TABLE[c].bytes, "bytes_per_second", b->rate[c][s],
                          "ratio_to_fastest_peer", b->to_fastest_peer[c][s]);
            if (b->of_limit[c][s] != 0)
                json_object_set_new(cell, "part_of_limit", json_real(b->of_limit[c][s]));
            json_array_append_new(columns, cell);
        }
        json_t *row = json_pack("{s:s,s:b,s:o}", "name", b->subjects[s].name, "ours",
                                b->subjects[s].ours, "columns", columns);
        if (b->of_limit[0][s] != 0)
            json_object_set_new(row, "limit_bytes_per_second", json_real(limit_median(b, s)));
        json_array_append_new(rows, row);
    }
    for (const char *const *name = subjects_absent(); *name != NULL; name++)
        json_array_append_new(absent, json_string(*name));
    json_t *root = json_pack("{s:I,s:o,s:o}", "repetitions", (json_int_t)b->repetitions, "rows",
                             rows, "absent", absent);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static void usage(FILE *stream)
{
    fputs("usage: bench_xts [--json] [--repetitions N] [--cpu N]\n", stream);
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"json", no_argument, NULL, 'j'},
                                            {"repetitions", required_argument, NULL, 'r'},
                                            {"cpu", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct bench b = {.repetitions = REPETITIONS};
    long cpu = last_allowed_cpu();
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        if (option == 'j') {
            json = true;
        } else if (option == 'r') {
            b.repetitions = strtoul(optarg, NULL, 10);
        } else if (option == 'c') {
            cpu = strtol(optarg, NULL, 10);
        } else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (b.repetitions < 1 || b.repetitions > REPETITIONS_MAX || cpu < 0 || cpu >= CPU_SETSIZE) {
        usage(stderr);
        return 2;
    }
    pin(cpu);

    uint8_t key[KEY_BYTES];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 37 + 11);
    b.count = subjects_ours(b.subjects, key);
    b.count += subjects_peers(b.subjects + b.count, key);
    b.data = aligned_alloc(4096, LARGE_BYTES);
    b.rates = calloc(b.repetitions * CACHED_TURNS, sizeof *b.rates);
    b.limits = calloc(b.repetitions * CACHED_TURNS, sizeof *b.limits);
    if (b.data == NULL || b.rates == NULL || b.limits == NULL)
        die("out of memory");
    memset(b.data, 1, LARGE_BYTES);
    verify(&b, key);
    run(&b);
    for (size_t c = 0; c < COLUMNS; c++)
        evaluate_column(&b, c);
    if (json)
        print_json(&b);
    else
        print_table(&b);
    free(b.data);
    free(b.rates);
    free(b.limits);
    return 0;
}
