/*
 * cli_disk - the commands of vmcrypt-disk, and what they share.
 */
#ifndef VMCRYPT_TOOLS_CLI_DISK_H
#define VMCRYPT_TOOLS_CLI_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/file.h"
#include "tools/cli.h"
#include "vmdk/copy.h"
#include "vmdk/copy_journal.h"
#include "vmdk/descriptor.h"
#include "vmdk/disk.h"
#include "vmdk/inplace.h"
#include "vmdk/signature.h"
#include "vmdk/verify.h"

int cli_disk_info(struct cli *cli);
int cli_disk_map(struct cli *cli);
int cli_disk_probe(struct cli *cli);
int cli_disk_convert(struct cli *cli);
int cli_disk_decrypt(struct cli *cli);
int cli_disk_encrypt(struct cli *cli);
int cli_disk_rekey(struct cli *cli);
int cli_disk_verify(struct cli *cli);

/* cli_disk.c */

/* In a table of options: how the disk that is read is found and decrypted. */
#define CLI_SOURCE_OPTIONS                                                                         \
    {"data-unit", 0, "BYTES", "data unit of the encryption: 512 (default) or 4096"},               \
        {"geometry", 0, "TEXT|FILE", "how data are encrypted, as disk probe found it"},            \
        {"decrypt-zero-units", 0, NULL,                                                            \
         "decrypt units of zeros too, which count as never written"},                              \
        {"allow-outside", 0, NULL, "read files that lie outside the descriptor's directory"},      \
        {"search", 0, "DIR", "look for extents and parents in DIR, too; can be given again"},      \
        {"ignore-cid", 0, NULL, "read a parent that was changed since the snapshot"},              \
    {                                                                                              \
        "missing-delta", 0, "parent", "take a delta whose data are gone for empty"                 \
    }

/* What they say; false for a bad one. */
bool cli_disk_options(struct cli *cli, struct disk_options *options, struct error *error);

/* Warn of what was noted while DISK was opened and read; the same for JSON. */
void cli_disk_tell_notes(struct cli *cli, const struct disk *disk);
json_t *cli_disk_notes_json(const struct disk *disk);

/* Ends in ".vmdk", in any case. */
bool cli_is_vmdk_name(const char *path);

/* What the plaintext shows, as an array of objects. */
json_t *cli_signatures_json(const struct signatures *s);
/* Print "WHAT at byte N" for each, a line each behind INDENT spaces. */
void cli_signatures_print(FILE *to, const struct signatures *s, int indent);

/* One line on standard error, unless -q. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* cli_disk_track.c: "change_tracking" of the disk that D at PATH describes, in JSON, and in text
 * from that; nothing when it has none. */
void cli_disk_track(json_t *root, const char *path, const struct descriptor *d,
                    const struct disk_options *options);
void cli_disk_track_print(const json_t *root);

/* cli_disk_inplace.c */

/* IN and OUT, or one disk with --in-place. */
bool cli_disk_operands(struct cli *cli, struct error *error);
/* decrypt --in-place, encrypt --in-place, rekey --in-place --deep: begin, or go on with what was
 * interrupted. */
int cli_disk_inplace(struct cli *cli, enum inplace_operation operation);
/* Tell that the disk at PATH is interrupted, when it is: in JSON; and in text, from that. */
void cli_inplace_info(json_t *root, const char *path);
void cli_inplace_print(const json_t *root);

/* cli_disk_copy.c */

/* The options of all that copies; disk_job_* reads them. */
extern const struct cli_options cli_copy_options;

/* What a command that copies was asked for, and what came of it. Not to be moved. */
struct disk_job {
    struct copy_options copy;
    bool resume; /* journals are kept: --resume, or a part of the disk */
    bool part;   /* --range, --shard */
    bool finish; /* --finish: all parts are there */
    struct copy_bad bad;
    struct copy_digests digests;
    struct copy_stats stats;
};

/* --threads, --rate-limit, --direct, --sha256, --bad-sectors, --resume, --range, --shard and
 * --finish for a disk of SIZE bytes; PROGRESS is shown. */
bool disk_job_options(struct cli *cli, struct disk_job *job, uint64_t size, struct error *error);
/* False when one of them was given to a command that does not copy. */
bool disk_job_none(struct cli *cli, struct error *error);
/* A number with K, M, G or T behind it or not. */
bool cli_parse_bytes(const char *text, uint64_t *bytes);
/* Begin to show progress of the job NAME. */
void disk_job_watch(struct cli *cli, struct disk_job *job, const char *name);
/* Add what came of it to a report; tell it on standard error. */
void disk_job_json(const struct disk_job *job, json_t *report);
void disk_job_print(struct cli *cli, const struct disk_job *job, const char *out);
json_t *cli_hex_json(const uint8_t *bytes, size_t length);
json_t *cli_ranges_json(const struct copy_bad *bad);
/* The exit status of a job that went well: ERROR_PARTIAL when there were bad sectors. */
int disk_job_status(const struct disk_job *job);
/* Write OUT.sha256 for sha256sum -c: of the image, and of the file that is all of SOURCE (named
 * NAME) when there is one. */
bool disk_job_write_digests(const struct disk_job *job, const char *out, const char *image,
                            const char *name, const struct disk *source, struct error *error);

/* cli_disk_verify.c: where the bytes of DISK, as they are stored, do not look encrypted. */

bool cli_map_disk(struct cli *cli, const struct disk *disk, const char *name,
                  struct verify_map *map, struct error *error);
json_t *cli_map_json(const struct verify_map *map);
/* "OFFSET BYTES LOOK", a line each, on standard output. */
void cli_map_print(const struct verify_map *map);

/* cli_disk_parts.c: the journals of the unfinished IMAGE. They are removed before it is made anew,
 * and when all that the command makes has its name. */

bool disk_parts_count(const char *image, size_t *count, struct error *error);
bool disk_parts_remove(const char *image, struct error *error);
/* Lock the directory of IMAGE, against others who begin at the same time; -1 when it cannot be. */
int disk_parts_lock(const char *image);
/* Malloc'd path of the journal for JOB. */
char *disk_parts_name(const char *image, const struct disk_job *job);
/* No other part than that of JOURNAL has bytes of START to END: what is not yet done of a part is
 * made a hole when it begins, and must not be what another one has done. */
bool disk_parts_are_apart(const char *image, const struct copy_identity *identity,
                          const char *journal, uint64_t start, uint64_t end, struct error *error);
/* All of the image is done; unreadable ranges are added to the job. */
bool disk_parts_check(const char *image, struct disk_job *job, const struct copy_identity *identity,
                      struct error *error);

/* cli_disk_output.c */

/*
 * The files a command makes: a raw image or extent, and a descriptor beside it or not. Nothing
 * has its final name before all is written; nothing is left when it fails, unless the job keeps
 * journals: then the unfinished files stay, to be gone on with.
 */
struct disk_output {
    char *image_path;              /* raw image, or NAME-flat.vmdk */
    const char *descriptor_path;   /* NULL for a raw image */
    struct file_output image;      /* being written */
    struct file_output descriptor; /* being written; not open before publishing in a job with
                                    * journals, unless disk_output_keep_descriptor */
    bool fresh;                    /* nothing of it was there before */
    bool named; /* the image has its name from an earlier run, which left its journals and perhaps
                 * the unfinished descriptor: nothing is to be copied */
    bool published;
    bool force;
    int lock; /* of the directory, until disk_output_start; -1: none */
    struct disk_job *job;
};

/* Open the files for PATH, with a descriptor when WITH_DESCRIPTOR. Refused: a file that SOURCE
 * (named NAME) is read from, and anything that exists and is no regular file, even with --force. */
bool disk_output_open(struct cli *cli, struct disk_output *out, struct disk_job *job,
                      const char *path, bool with_descriptor, const char *name,
                      const struct disk *source, struct error *error);
/* In a job with journals, for who needs the text before the end: write D, which is new, as the
 * unfinished descriptor; or read the one that is there. NULL when it fails. */
bool disk_output_keep_descriptor(struct disk_output *out, const struct descriptor *d,
                                 struct error *error);
struct descriptor *disk_output_kept_descriptor(struct disk_output *out, struct error *error);
/* Open the job's journal, if it has one, for the copy IDENTITY; or with --finish check that
 * nothing is missing. */
bool disk_output_start(struct disk_output *out, struct copy_identity *identity,
                       struct error *error);
/* Copy, unless it is to finish only, or all was done by an earlier run. */
bool disk_output_copy(struct disk_output *out, const struct disk *source, struct error *error);
/* True when the files are complete, which the parts of a disk leave to --finish. */
bool disk_output_is_whole(const struct disk_output *out);
/* Give the files their names: the image first, then the descriptor with the text of D. A run that
 * is stopped in between is finished by the same command when there are journals; else the next one
 * tells what to do. */
bool disk_output_publish(struct disk_output *out, const struct descriptor *d, struct error *error);
/* Remove what is unfinished, or leave it for another run, and tell. After publishing, unless
 * something FAILED since, remove the journals. */
void disk_output_close(struct cli *cli, struct disk_output *out, bool failed);

/* A new descriptor for a copy of SOURCE in one extent: with KEEP what its own descriptor says,
 * less encryption and change tracking, else a made-up one. Both have a fresh content id. */
struct descriptor *disk_output_describe(const struct disk_output *out, const struct disk *source,
                                        bool keep, const char *create_type, const char *extent_type,
                                        struct error *error);

#endif
