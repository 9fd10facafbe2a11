/* disk_words - the options of a disk as a user gives them; the same for every program. */
#ifndef VMCRYPT_VMDK_DISK_WORDS_H
#define VMCRYPT_VMDK_DISK_WORDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/words.h"
#include "vmdk/disk.h"

/*
 * data-unit, geometry, decrypt-zero-units, allow-outside, search (any number of times), ignore-cid
 * and missing-delta. ERROR_USAGE, naming the word, for a value that is off. The words must outlive
 * *OPTIONS, which points to the directories in them.
 */
bool disk_options_words(const struct words *words, struct disk_options *options,
                        struct error *error);

#endif
