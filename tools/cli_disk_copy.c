/* cli_disk_copy - options and reports of the commands that copy; see cli_disk.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "tools/cli_disk.h"
#include "tools/cli_explain.h"

static const struct cli_option options[] = {
    {"threads", 0, "N", "work with N threads (default: one for each CPU, at most 16)"},
    {"resume", 0, NULL, "keep a journal, and go on where an interrupted run stopped"},
    {"sha256", 0, NULL, "compute SHA-256 of both sides, and write OUT.sha256"},
    {"bad-sectors", 0, "HOW", "stop (default) at what cannot be read, or take zeros for it"},
    {"rate-limit", 0, "BYTES", "read at most so much in a second (500K, 80M, 1G)"},
    {"direct", 0, NULL, "write past the page cache (default from 1 GiB on ext4 and XFS)"},
    {"buffered", 0, NULL, "write through the page cache, whatever the size"},
};

const struct cli_options cli_copy_options = {options, sizeof options / sizeof options[0]};

static const char *const NAMES[] = {"threads",     "rate-limit", "direct", "buffered", "sha256",
                                    "bad-sectors", "resume",     "range",  "shard",    "finish"};

bool disk_job_none(struct cli *cli, struct error *error)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (cli_value(cli, NAMES[i]) != NULL)
            return error_set(error, ERROR_USAGE, "--%s is for copies, not for --in-place",
                             NAMES[i]);
    }
    return true;
}

/* Digits at *TEXT, which moves on behind them. */
static bool parse_number(const char **text, uint64_t *value)
{
    char *end = NULL;
    if ((*text)[0] < '0' || (*text)[0] > '9')
        return false;
    errno = 0;
    *value = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* The same with a suffix. */
static bool parse_size(const char **text, uint64_t *bytes)
{
    static const char SUFFIXES[] = "KMGT";
    if (!parse_number(text, bytes))
        return false;
    const char *suffix = **text == '\0' ? NULL : strchr(SUFFIXES, **text);
    if (suffix == NULL)
        return true;
    ++*text;
    return !__builtin_mul_overflow(*bytes, UINT64_C(1024) << 10 * (suffix - SUFFIXES), bytes);
}

bool cli_parse_bytes(const char *text, uint64_t *bytes)
{
    return parse_size(&text, bytes) && *text == '\0';
}

static bool read_range(struct disk_job *job, const char *text, uint64_t size, struct error *error)
{
    uint64_t offset, length, end;
    if (!parse_size(&text, &offset) || *text++ != ':' || !parse_size(&text, &length) ||
        *text != '\0' || length == 0)
        return error_set(error, ERROR_USAGE,
                         "--range takes OFFSET:LENGTH in bytes, or with K, M, "
                         "G or T behind the number");
    if (__builtin_add_overflow(offset, length, &end) || end > size)
        return error_set(error, ERROR_USAGE, "--range: the disk has %" PRIu64 " bytes only", size);
    if (offset % COPY_ALIGN != 0 || (end % COPY_ALIGN != 0 && end != size))
        return error_set(error, ERROR_USAGE,
                         "--range: a part begins and ends at multiples of 1M, or at the end");
    job->copy.offset = offset;
    job->copy.length = length;
    return true;
}

/* Part I of N, all of which are equal but for rounding. */
static bool read_shard(struct disk_job *job, const char *text, uint64_t size, struct error *error)
{
    uint64_t i, n;
    if (!parse_number(&text, &i) || *text++ != '/' || !parse_number(&text, &n) || *text != '\0' ||
        i == 0 || i > n || n > 1000000)
        return error_set(error, ERROR_USAGE, "--shard takes I/N, from 1/N to N/N");
    uint64_t blocks = (size + COPY_ALIGN - 1) / COPY_ALIGN;
    if (n > blocks)
        return error_set(error, ERROR_USAGE, "--shard: the disk has %" PRIu64 " MiB only", blocks);
    uint64_t each = blocks / n, more = blocks % n;
    uint64_t start = (each * (i - 1) + (i - 1 < more ? i - 1 : more)) * COPY_ALIGN;
    uint64_t end = (each * i + (i < more ? i : more)) * COPY_ALIGN;
    job->copy.offset = start;
    job->copy.length = (end < size ? end : size) - start;
    return true;
}

static bool read_part(struct cli *cli, struct disk_job *job, uint64_t size, struct error *error)
{
    const char *range = cli_value(cli, "range"), *shard = cli_value(cli, "shard");
    job->finish = cli_value(cli, "finish") != NULL;
    job->part = range != NULL || shard != NULL;
    if ((range != NULL) + (shard != NULL) + job->finish > 1)
        return error_set(error, ERROR_USAGE, "--range, --shard and --finish exclude each other");
    if ((job->part || job->finish) && cli_value(cli, "sha256") != NULL)
        return error_set(error, ERROR_USAGE,
                         "--sha256 reads a disk from front to back; it is not for parts (vmcrypt "
                         "disk verify tells it afterwards)");
    job->resume = job->part || job->finish || cli_value(cli, "resume") != NULL;
    return (range == NULL || read_range(job, range, size, error)) &&
           (shard == NULL || read_shard(job, shard, size, error));
}

static bool read_bad_sectors(struct cli *cli, struct disk_job *job, struct error *error)
{
    const char *text = cli_value(cli, "bad-sectors");
    if (text != NULL && strcmp(text, "stop") != 0 && strcmp(text, "zero") != 0)
        return error_set(error, ERROR_USAGE, "--bad-sectors takes stop or zero");
    if (text != NULL && strcmp(text, "zero") == 0)
        job->copy.bad = &job->bad;
    return true;
}

bool disk_job_options(struct cli *cli, struct disk_job *job, uint64_t size, struct error *error)
{
    bool direct = cli_value(cli, "direct") != NULL, buffered = cli_value(cli, "buffered") != NULL;
    *job = (struct disk_job){.copy.cache = direct     ? COPY_DIRECT
                                           : buffered ? COPY_CACHED
                                                      : COPY_AUTO};
    if (direct && buffered)
        return error_set(error, ERROR_USAGE, "--direct and --buffered exclude each other");
    const char *rate = cli_value(cli, "rate-limit");
    if (rate != NULL && (!cli_parse_bytes(rate, &job->copy.rate) || job->copy.rate == 0))
        return error_set(error, ERROR_USAGE, "--rate-limit takes bytes per second, as 500K or 80M");
    if (cli_value(cli, "sha256") != NULL)
        job->copy.digests = &job->digests;
    return cli_number(cli, "threads", COPY_THREADS_MAX, &job->copy.threads, error) &&
           read_bad_sectors(cli, job, error) && read_part(cli, job, size, error);
}

void disk_job_watch(struct cli *cli, struct disk_job *job, const char *name)
{
    job->copy.progress = cli_progress(cli, name);
    cli->job_holes = &job->stats.holes;
}

json_t *cli_hex_json(const uint8_t *bytes, size_t length)
{
    struct buffer text = BUFFER_INIT;
    json_t *value = hex_encode(bytes, length, &text) ? json_string(buffer_text(&text)) : NULL;
    buffer_free(&text);
    return value;
}

json_t *cli_ranges_json(const struct copy_bad *bad)
{
    json_t *all = json_array();
    for (size_t i = 0; i < bad->count; i++)
        json_array_append_new(all,
                              json_pack("{s:I, s:I}", "offset", (json_int_t)bad->ranges[i].offset,
                                        "length", (json_int_t)bad->ranges[i].length));
    return all;
}

void disk_job_json(const struct disk_job *job, json_t *report)
{
    json_object_set_new(report, "holes", json_integer((json_int_t)job->stats.holes));
    if (job->resume)
        json_object_set_new(report, "kept", json_integer((json_int_t)job->stats.kept));
    if (job->part)
        json_object_set_new(report, "part",
                            json_pack("{s:I, s:I}", "offset", (json_int_t)job->copy.offset,
                                      "length", (json_int_t)job->copy.length));
    if (job->copy.digests != NULL)
        json_object_set_new(report, "sha256",
                            json_pack("{s:o, s:o}", "input",
                                      cli_hex_json(job->digests.stored, COPY_DIGEST), "output",
                                      cli_hex_json(job->digests.result, COPY_DIGEST)));
    if (job->copy.bad != NULL || job->bad.count > 0)
        json_object_set_new(report, "unreadable", cli_ranges_json(&job->bad));
}

void disk_job_print(struct cli *cli, const struct disk_job *job, const char *out)
{
    const struct copy_stats *s = &job->stats;
    if (job->finish)
        cli_say(cli, "%s: %" PRIu64 " bytes, from the parts", cli_printable(out), s->bytes);
    else if (s->kept > 0)
        cli_say(cli,
                "%s: %" PRIu64 " bytes; %" PRIu64 " were done before, %" PRIu64 " are written now",
                cli_printable(out), s->bytes, s->kept, s->written);
    else
        cli_say(cli, "%s: %" PRIu64 " bytes, %" PRIu64 " of them written, the rest holes",
                cli_printable(out), s->bytes, s->written);
    if (job->part)
        cli_say(cli, "this part is done; when all are, the same command with --finish names the "
                     "result");
    if (s->direct_refused)
        cli_say(cli, "the file system does no direct I/O here: it went through the page cache");
    if (s->ring_refused != 0)
        log_say(&cli->log, LOG_INFO,
                "io_uring cannot be used here (%s): direct writes went one by one",
                strerror(s->ring_refused));
    for (size_t i = 0; i < job->bad.count; i++)
        cli_say(cli, "bytes %" PRIu64 " to %" PRIu64 " could not be read: they are zeros in %s",
                job->bad.ranges[i].offset, job->bad.ranges[i].offset + job->bad.ranges[i].length,
                cli_printable(out));
}

int disk_job_status(const struct disk_job *job)
{
    return job->bad.count > 0 ? (int)ERROR_PARTIAL : 0;
}

/* Malloc'd path of the one file that holds all of SOURCE and nothing else; NULL when there is
 * none. */
static char *whole_file(const char *name, const struct disk *source)
{
    const struct descriptor *d = disk_descriptor(source);
    const struct descriptor_extent *e = descriptor_extent_at(d, 0);
    struct stat st;
    if (descriptor_extent_count(d) != 1 || e->file == NULL || e->offset != 0)
        return NULL;
    char *path = file_beside(name, e->file);
    char *real = path == NULL || stat(path, &st) != 0 || (uint64_t)st.st_size != disk_size(source)
                     ? NULL
                     : realpath(path, NULL);
    free(path);
    return real;
}

/* "HASH  PATH"; a path with a line end or a backslash is escaped, and the line says so by a
 * backslash in front, as sha256sum does. */
static bool add_line(struct buffer *text, const uint8_t *digest, const char *path)
{
    if (strpbrk(path, "\n\r\\") != NULL)
        buffer_append_byte(text, '\\');
    hex_encode(digest, COPY_DIGEST, text);
    buffer_append_text(text, "  ");
    for (; *path != '\0'; path++) {
        if (*path == '\n')
            buffer_append_text(text, "\\n");
        else if (*path == '\r')
            buffer_append_text(text, "\\r");
        else if (*path == '\\')
            buffer_append_text(text, "\\\\");
        else
            buffer_append_byte(text, *path);
    }
    return buffer_append_byte(text, '\n');
}

bool disk_job_write_digests(const struct disk_job *job, const char *out, const char *image,
                            const char *name, const struct disk *source, struct error *error)
{
    if (job->copy.digests == NULL)
        return true;
    struct buffer text = BUFFER_INIT;
    char *path = NULL, *whole = whole_file(name, source);
    if (asprintf(&path, "%s.sha256", out) < 0)
        path = NULL;
    bool ok = path != NULL && add_line(&text, job->digests.result, file_name(image)) &&
              (whole == NULL || add_line(&text, job->digests.stored, whole));
    ok = ok ? file_replace(path, buffer_text(&text), text.length, 0600, true, error)
            : error_memory(error);
    buffer_free(&text);
    free(whole);
    free(path);
    return ok;
}
