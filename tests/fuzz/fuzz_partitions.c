/*
 * Fuzz target: partition tables. The first byte tells how large the disk is beyond the input, the
 * second one what is made right first: CRC32s of a GPT, which no fuzzer guesses, and the marks
 * without which nobody reads on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "vmdk/partitions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGE_MAX = 1 << 18, READS_MAX = 2000 };

struct image {
    uint8_t *data;
    size_t length, reads;
};

static void require(bool fact)
{
    if (!fact)
        abort();
}

static bool read_image(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    struct image *image = user;
    (void)error;
    /* Bounded work, whatever the tables say. */
    require(++image->reads < READS_MAX);
    memset(data, 0, length);
    if (offset < image->length)
        memcpy(data, image->data + offset,
               length < image->length - offset ? length : image->length - offset);
    return true;
}

static uint64_t number(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

/* Make the CRCs of the header at OFFSET right. */
static void seal(struct image *image, size_t offset, size_t block)
{
    if (offset + block > image->length)
        return;
    uint8_t *header = image->data + offset;
    uint64_t array = number(header + 72, 8), count = number(header + 80, 4);
    uint64_t bytes = count * number(header + 84, 4), length = number(header + 12, 4);
    if (array < image->length / block && bytes <= image->length - array * block) {
        uint32_t crc = (uint32_t)crc32(0, image->data + array * block, (uInt)bytes);
        memcpy(header + 88, &crc, 4);
    }
    memset(header + 16, 0, 4);
    if (length <= block) {
        uint32_t crc = (uint32_t)crc32(0, header, (uInt)length);
        memcpy(header + 16, &crc, 4);
    }
}

/* 55AA in every sector, or the beginning of a GPT header. */
static void mark(struct image *image, unsigned wish)
{
    for (size_t at = 510; (wish & 8) != 0 && at + 2 <= image->length; at += 512)
        memcpy(image->data + at, "\x55\xaa", 2);
    for (size_t at = 512; (wish & 16) != 0 && at <= 4096 && at + 16 <= image->length; at *= 8)
        memcpy(image->data + at, "EFI PART\0\0\1\0\x5c\0\0", 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    if (size < 2 || size > IMAGE_MAX)
        return 0;
    struct image image = {malloc(size), size - 2, 0};
    struct partitions *found = malloc(sizeof *found);
    require(image.data != NULL && found != NULL);
    memcpy(image.data, data + 2, size - 2);
    const struct partitions_source source = {read_image, &image,
                                             image.length + (uint64_t)data[0] * 65536};
    mark(&image, data[1]);
    if ((data[1] & 1) != 0)
        seal(&image, 512, 512);
    if ((data[1] & 2) != 0)
        seal(&image, 4096, 4096);
    if ((data[1] & 4) != 0 && image.length > 512)
        seal(&image, image.length / 512 * 512 - 512, 512);
    require(partitions_find_in(&source, found, &error));
    unsigned last = 0;
    require(found->count <= PARTITIONS_MAX);
    for (size_t i = 0; i < found->count; i++) {
        const struct partitions_entry *e = &found->entries[i];
        require(e->number > last && e->length > 0 && e->start < source.size &&
                e->length <= source.size - e->start);
        require(memchr(e->name, '\0', sizeof e->name) != NULL);
        last = e->number;
    }
    free(found);
    free(image.data);
    return 0;
}
