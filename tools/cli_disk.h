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
#include "vmdk/descriptor.h"
#include "vmdk/disk.h"
#include "vmdk/signature.h"

int cli_disk_info(struct cli *cli);
int cli_disk_decrypt(struct cli *cli);
int cli_disk_encrypt(struct cli *cli);

/* cli_disk.c */

/* --data-unit, --decrypt-zero-units and --allow-outside; false for a bad number. */
bool cli_disk_options(struct cli *cli, struct disk_options *options, struct error *error);

/* Ends in ".vmdk", in any case. */
bool cli_is_vmdk_name(const char *path);

/* What the plaintext shows, as an array of objects. */
json_t *cli_signatures_json(const struct signatures *s);
/* Print "WHAT at byte N" for each, a line each behind INDENT spaces. */
void cli_signatures_print(FILE *to, const struct signatures *s, int indent);

/* One line on standard error, unless -q. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* cli_disk_output.c */

/*
 * The files a command makes: a raw image or extent, and a descriptor beside it or not. Nothing
 * has its final name before all is written; nothing is left when it fails.
 */
struct disk_output {
    char *image_path;              /* raw image, or NAME-flat.vmdk */
    const char *descriptor_path;   /* NULL for a raw image */
    struct file_output image;      /* being written */
    struct file_output descriptor; /* being written */
    bool image_existed;
};

/* Open the files for OUT, with a descriptor when WITH_DESCRIPTOR. Refused: a file that SOURCE
 * (named NAME) is read from, and anything that exists and is no regular file, even with --force. */
bool disk_output_open(struct cli *cli, struct disk_output *out, const char *path,
                      bool with_descriptor, const char *name, const struct disk *source,
                      struct error *error);
/* Give the files their names: the image first, then the descriptor with the text of D. */
bool disk_output_publish(struct disk_output *out, const struct descriptor *d, struct error *error);
/* Remove what is unfinished; harmless after publishing. */
void disk_output_close(struct disk_output *out);

/* A new descriptor for a copy of SOURCE in one extent: with KEEP what its own descriptor says,
 * less encryption and change tracking, else a made-up one. Both have a fresh content id. */
struct descriptor *disk_output_describe(const struct disk_output *out, const struct disk *source,
                                        bool keep, const char *create_type, const char *extent_type,
                                        struct error *error);

#endif
