/*
 * view - what a mount shows of a VM or of a disk: a tree of read-only files, and their bytes.
 *
 * Knows nothing of FUSE. Thread-safe after view_open. Inode numbers, sizes and times are the same
 * whenever the same evidence is opened in the same way, in whatever order the tree is looked at:
 * the root is 1, and every snapshot has a range of numbers of its own. Snapshots are opened when
 * they are first looked at, and closed again when nobody uses them and many others were since, so
 * that tables in memory (META_BYTES for each disk) and open files are those of the VM's own disks,
 * of the ones in use, and of VIEW_IDLE more.
 *
 *   of a VM:   vm.vmx (decrypted, with the dataFileKey that is in it)  report.json
 *              disks/NAME.raw  NAME.vmdk  NAME.p1 ...
 *              snapshots/NAME/disks/...  snapshots/NAME/report.json
 *   of a disk: disk.raw  disk.vmdk  p1 ...  report.json
 *
 * NAME is the descriptor's name without its end, made that of a file and unlike the others;
 * NAME.vmdk is a plain descriptor for NAME.raw. report.json tells for each disk its "state"
 * (proved: a key's HMAC and the plaintext agree; unproved: nothing in the plaintext confirms it;
 * plain; ciphertext; failed), its "proofs", layers, partitions and notes.
 */
#ifndef VMCRYPT_VM_VIEW_H
#define VMCRYPT_VM_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "vmdk/disk.h"

enum {
    VIEW_ROOT = 1,
    VIEW_IDLE = 16, /* disks of snapshots that stay open though nobody uses them */
};

enum view_kind { VIEW_DIRECTORY, VIEW_TEXT /* bytes in memory */, VIEW_DISK /* part of a disk */ };

struct view_node {
    uint64_t inode;
    uint64_t parent; /* of the root: itself */
    const char *name;
    enum view_kind kind;
    uint64_t size;         /* bytes; of a directory the number of its entries is of no interest */
    struct timespec mtime; /* of the newest file it is made from; snapshots: of their database */
};

struct view;

struct view_options {
    struct disk_options disk; /* for every disk; its keyring must outlive the view */
    const char *snapshot;     /* name or uid: that state alone, as if it were the VM's own; NULL */
    bool raw; /* SOURCE is a plain image, whatever its name: for tests and benches */
};

/*
 * SOURCE: a .vmx, a directory with one, a descriptor or extent, or a bare flat file that a
 * descriptor beside it names (or, without any, an unencrypted image).
 * The VM's own disks are opened here, with all checks: a key that is missing is ERROR_NO_KEY now
 * and not an unreadable file later. Raises the soft limit of open files to the hard one.
 */
struct view *view_open(const char *source, const struct view_options *options, struct error *error);
void view_close(struct view *view);

/* True when SOURCE is a single disk, so that view_disk_inode can stand for the whole of it. */
bool view_is_disk(const struct view *view);
uint64_t view_disk_inode(const struct view *view); /* of disk.raw; 0 for a VM */

/* The node with number INODE; NULL when there is none. Nodes stay until view_close. */
const struct view_node *view_node(struct view *view, uint64_t inode);

/* The entry NAME of directory PARENT; NULL with ERROR_NONE in *error when there is none. A disk of
 * a snapshot that cannot be opened is left out of its disks/, and report.json beside tells why. */
const struct view_node *view_lookup(struct view *view, uint64_t parent, const char *name,
                                    struct error *error);

/* Entry I of directory PARENT in a fixed order, 0 the first; NULL past the last, or with *error. */
const struct view_node *view_entry(struct view *view, uint64_t parent, size_t i,
                                   struct error *error);

/* Before reading a file, and after it. Between the two its disk stays open. */
bool view_hold(struct view *view, const struct view_node *node, struct error *error);
void view_release(struct view *view, const struct view_node *node);

/*
 * What a held file consists of: TEXT (SIZE bytes), or bytes from START on of DISK.
 */
struct view_bytes {
    const char *text;        /* NULL for a disk */
    const struct disk *disk; /* NULL for a text */
    uint64_t start;
};
struct view_bytes view_bytes(struct view *view, const struct view_node *node);

/* The report of the VM or disk, with what was noted since report.json was made, and those of the
 * snapshots that were looked at ("opened_snapshots"); for --status. Malloc'd JSON text. */
char *view_report(struct view *view, struct error *error);

/* Directories that hold the evidence, for a sandbox: NULL past the last. */
const char *view_evidence(const struct view *view, size_t i);

#endif
