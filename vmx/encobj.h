/*
 * encobj - the encrypted container of .nvram, .vmsn, .vmss and .vmem files.
 *
 * A header page, then pages of ciphertext | IV | MAC, AES-CBC under the first 32 bytes of the
 * VM's dataFileKey [source: vmem-decrypt docs/FORMAT.md, Workstation]:
 *
 *   0x00 u32 magic 0x8943dd9e   0x04 u32 version   0x08 u32 data bytes of a page (4064)
 *   0x0c u32 IV bytes (16)      0x10 u32 MAC bytes (16)   0x18 u64 logical size
 *
 * What exactly the page MAC covers is not published. A few rules are tried and one is taken only
 * when it holds; from then on it must hold for every page. Without one nothing is written.
 */
#ifndef VMCRYPT_VMX_ENCOBJ_H
#define VMCRYPT_VMX_ENCOBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/secret.h"

/* True when LENGTH bytes at DATA begin such a container. */
bool encobj_recognise(const void *data, size_t length);

struct encobj_result {
    uint64_t size;    /* logical size, bytes written */
    const char *rule; /* what the page MACs cover, for the report */
};

/* Decrypt the container FD (PATH for messages) under KEY into the unfinished file OUT.
 * ERROR_NO_KEY when no known MAC rule holds for the first page, ERROR_DAMAGED with the offset
 * when it does not for a later one, ERROR_FAILED when PROGRESS (or NULL) stops it. The caller
 * publishes or abandons OUT. */
bool encobj_decrypt(int fd, const char *path, const struct secret *key, struct file_output *out,
                    const struct progress *progress, struct encobj_result *result,
                    struct error *error);

/* True when KEY is the key of the container FD: the first page's MAC holds under one of the rules.
 * Nothing else is read. *result as above; errors as of encobj_decrypt. */
bool encobj_prove(int fd, const char *path, const struct secret *key, struct encobj_result *result,
                  struct error *error);

#endif
