/*
 * What a disk image shows: partition tables and volumes in any bytes. The image lies in memory
 * behind a name in /proc. It is small, so each part of the input is put where tables are looked
 * for: the input is laid out as it is, and its first sectors once more at the end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmdk/signature.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { IMAGE = 256 << 10 };
    struct error error = ERROR_INIT;
    struct signatures s;
    char path[64];
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t whole = size < IMAGE / 2 ? size : IMAGE / 2;
    size_t sector = whole < SECTOR_BYTES ? 0 : SECTOR_BYTES;
    require(ftruncate(fd, IMAGE) == 0 && pwrite(fd, data, whole, 0) == (ssize_t)whole &&
            pwrite(fd, data, sector, IMAGE - SECTOR_BYTES) == (ssize_t)sector);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct disk *disk = disk_open_raw(path, &error);
    require(disk != NULL && signatures_find(disk, &s, &error));
    for (size_t i = 0; i < s.count; i++)
        require(s.found[i].offset < IMAGE && strnlen(s.found[i].what, 64) < 64);
    (void)signatures_prove(&s);
    disk_close(disk);
    close(fd);
    return 0;
}
