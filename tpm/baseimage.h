/*
 * baseimage - the modules of one version of ESXi, by digest: what its boot loader may measure.
 *
 *   version: 1
 *   name: ESXi-8.0U3-24022510-standard
 *   modules:
 *     - {name: b.b00, sha256: HEX, vib: esx-base, vib-version: "8.0.3-...", vendor: VMware,
 *        proof: file}
 *
 * proof tells where a digest comes from: "file" when the module itself was hashed (decompressed,
 * with the signature at its end: what the boot loader measures [source: vmware/esx-boot]);
 * "descriptor" when a VIB's descriptor names it as the checksum of the decompressed payload
 * [inferred, strongly supported: no pair of a real image and a real log was compared].
 */
#ifndef VMCRYPT_TPM_BASEIMAGE_H
#define VMCRYPT_TPM_BASEIMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"
#include "base/log.h"

enum { BASEIMAGE_MODULES_MAX = 100000 };

/* Read such a list; {"name": ..., "modules": {SHA-256 HEX: {"name": ...}}}. NULL with *error. */
json_t *baseimage_read(const char *path, struct error *error);

/*
 * Make one from SOURCE: a directory (boot bank, mounted ISO, depot), an ISO image, an offline
 * bundle (zip), a VIB, imgdb.tgz, or a .tgz around any of them. The document of above as a tree for
 * yaml_tree_write. What looked like a module but could not be read is told in LOG and makes
 * *complete false.
 */
json_t *baseimage_make(const char *source, const char *name, bool *complete, struct log *log,
                       struct error *error);

#endif
