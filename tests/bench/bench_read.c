/*
 * bench_read - reads of a disk of any kind through disk_read, timed, and compared with a raw image
 * when one is given. For bench_read.py and tests/e2e/chains.bats.
 *
 *   bench_read [-k KEYRING] [-m RAW] [-s SEED] sequential|random|stride:BYTES BLOCK COUNT DISK
 *
 * COUNT blocks of BLOCK bytes; sequential reads start again at the end of the disk, stride:BYTES
 * are the places that `qemu-img bench -S BYTES` reads. Prints one JSON object.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vmdk/disk.h"

enum { BLOCK_MAX = 64 << 20, ALIGNMENT = 4096 };

struct run {
    const char *disk_path;
    int model; /* -1: nothing to compare with */
    uint64_t seed, stride, block, count, position;
    bool random;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Where the next read is. A model is compared at any byte, timings are of whole blocks. */
static uint64_t next_offset(struct run *run, uint64_t size)
{
    if (run->random) {
        uint64_t place = draw(&run->seed);
        return run->model >= 0 ? place % (size - run->block + 1)
                               : place % (size / run->block) * run->block;
    }
    uint64_t at = run->position;
    run->position += run->stride;
    if (run->position + run->block > size)
        run->position %= size - run->block + 1;
    return at;
}

static bool compare(const struct run *run, uint64_t offset, const uint8_t *data, uint8_t *model)
{
    if (pread(run->model, model, run->block, (off_t)offset) == (ssize_t)run->block &&
        memcmp(data, model, run->block) == 0)
        return true;
    fprintf(stderr, "bench_read: %s differs in the %" PRIu64 " bytes at %" PRIu64 "\n",
            run->disk_path, run->block, offset);
    return false;
}

static bool read_all(struct run *run, const struct disk *disk, struct error *error)
{
    /* As other programs read: into aligned memory that was used before. */
    size_t bytes = (run->block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *data = aligned_alloc(ALIGNMENT, bytes), *model = malloc(bytes);
    bool ok = data != NULL && model != NULL;
    if (ok)
        memset(data, 0xff, bytes);
    for (uint64_t i = 0; ok && i < run->count; i++) {
        uint64_t offset = next_offset(run, disk_size(disk));
        ok = disk_read(disk, offset, data, run->block, error) &&
             (run->model < 0 || compare(run, offset, data, model));
    }
    free(data);
    free(model);
    return ok;
}

static int measure(struct run *run, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    const struct disk_options options = {.keyring = ring};
    double start = seconds(), start_cpu = cpu_seconds();
    struct disk *disk = disk_open(run->disk_path, &options, &error);
    double opened = seconds(), cpu = cpu_seconds();
    bool ok = disk != NULL && run->block <= disk_size(disk) && read_all(run, disk, &error);
    double end = seconds(), cpu_end = cpu_seconds();
    if (ok)
        printf(
            "{\"version\": 1, \"layers\": %zu, \"size\": %" PRIu64 ", \"open_ms\": %.3f, "
            "\"open_cpu_ms\": %.3f, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"bytes\": %" PRIu64
            ", \"peak_kib\": %ld}\n",
            disk_layer_count(disk), disk_size(disk), (opened - start) * 1e3,
            (cpu - start_cpu) * 1e3, end - opened, cpu_end - cpu, run->count * run->block,
            peak_kib());
    else if (error.code != 0)
        fprintf(stderr, "bench_read: %s: %s\n", error.file, error.message);
    disk_close(disk);
    return ok ? 0 : 1;
}

static bool parse_pattern(const char *text, struct run *run)
{
    run->random = strcmp(text, "random") == 0;
    if (strncmp(text, "stride:", 7) == 0)
        run->stride = strtoull(text + 7, NULL, 10);
    else
        run->stride = run->block;
    return run->random || run->stride != run->block || strcmp(text, "sequential") == 0;
}

int main(int argc, char **argv)
{
    struct run run = {.model = -1, .seed = 1};
    struct keyring ring = {0};
    struct log log = {.program = "bench_read"};
    const struct keyring_load load = {.log = &log};
    struct error error = ERROR_INIT;
    bool ok = true;
    for (int option; ok && (option = getopt(argc, argv, "k:m:s:")) != -1;) {
        if (option == 'k')
            ok = keyring_load(&ring, optarg, &load, &error);
        else if (option == 'm')
            ok = (run.model = open(optarg, O_RDONLY | O_CLOEXEC)) >= 0;
        else
            ok = option == 's' && (run.seed = strtoull(optarg, NULL, 10)) != 0;
    }
    ok = ok && argc - optind == 4;
    if (ok) {
        run.block = strtoull(argv[optind + 1], NULL, 10);
        run.count = strtoull(argv[optind + 2], NULL, 10);
        run.disk_path = argv[optind + 3];
        ok = run.block > 0 && run.block <= BLOCK_MAX && parse_pattern(argv[optind], &run);
    }
    if (!ok && error.code != ERROR_NONE)
        fprintf(stderr, "bench_read: %s: %s\n", error.file, error.message);
    else if (!ok)
        fprintf(stderr, "usage: bench_read [-k KEYRING] [-m RAW] [-s SEED] "
                        "sequential|random|stride:BYTES BLOCK COUNT DISK\n");
    int status = ok ? measure(&run, &ring) : 2;
    if (run.model >= 0)
        close(run.model);
    keyring_free(&ring);
    return status;
}
