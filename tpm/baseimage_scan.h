/* What making a base image is done with: one walk over directories and archives in archives. */
#ifndef VMCRYPT_TPM_BASEIMAGE_SCAN_H
#define VMCRYPT_TPM_BASEIMAGE_SCAN_H

#include <archive.h>

#include <openssl/evp.h>

#include "base/buffer.h"
#include "tpm/baseimage.h"

enum {
    SCAN_DEPTH_MAX = 6,      /* archives in archives */
    SCAN_FILES_MAX = 200000, /* looked at in all */
    SCAN_TEXT_MAX = 4 << 20, /* a descriptor, a boot.cfg */
};
#define SCAN_PLAIN_MAX (8ull << 30) /* decompressed bytes of one file */

struct scan {
    const char *source;
    struct log *log;
    struct error *error;
    size_t files;
    bool complete;
    json_t *hashed;  /* [{"place", "name", "sha256", "signed"}]: files that may be modules */
    json_t *listed;  /* {PLACE: {NAME: true}}: what the boot.cfg of a directory names */
    json_t *modules; /* the result: by digest */
};

/* Bytes of a file, from wherever: returns how many, 0 at the end, -1 with scan->error. */
struct scan_stream {
    ssize_t (*read)(void *user, void *data, size_t length);
    void *user;
};

/*
 * baseimage_hash.c: SHA-256 of STREAM, decompressed when it is gzip; whether a VMware module
 * signature ends it (magic 0x1ABE11ED [source: vmware/esx-boot]). TEXT (NULL: not wanted) gets the
 * bytes as they are while they are at most SCAN_TEXT_MAX. False when it cannot be read or is more
 * than SCAN_PLAIN_MAX.
 */
struct scan_digest {
    uint8_t sha256[32];
    bool compressed, has_signature;
    uint64_t bytes; /* decompressed */
};
bool scan_hash(struct scan *s, const struct scan_stream *stream, struct scan_digest *digest,
               struct buffer *text);

/* baseimage_vib.c: add what the descriptor of a VIB in LENGTH bytes at XML says of its payloads.
 * False for what is no such descriptor. */
bool scan_descriptor(struct scan *s, const char *name, const char *xml, size_t length);

/* baseimage_modules.c */
/* Note a file that may be a module: in the directory PLACE of an image, or a payload of a VIB,
 * PLACE NULL. */
bool scan_add_hashed(struct scan *s, const char *place, const char *name,
                     const struct scan_digest *digest);
bool scan_add_module(struct scan *s, const char *digest, const char *name, const char *proof,
                     const char *vib, const char *version, const char *vendor);
/* What the boot.cfg in PLACE names. */
bool scan_boot_cfg(struct scan *s, const char *place, const char *text);
/* Of the hashed files, those that are modules, into s->modules. */
bool scan_settle(struct scan *s);

#endif
