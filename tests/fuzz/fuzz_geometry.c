/*
 * The text of a geometry, any of them: refused, or printed and parsed again it is the same, and
 * decrypts whatever place it is given. And a probe of the bytes as a disk: whatever it finds is a
 * geometry that other commands take.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmdk/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void decrypt(const struct disk_geometry *g, const struct secret *key, const uint8_t *data,
                    size_t size)
{
    struct error error = ERROR_INIT;
    uint8_t unit[GEOMETRY_UNIT_MAX] = {0};
    uint64_t place = 0;
    memcpy(unit, data, size < sizeof unit ? size : sizeof unit);
    memcpy(&place, data, size < sizeof place ? size : sizeof place);
    struct geometry_cipher *c = geometry_cipher_new(g, key, &error);
    require(c != NULL && geometry_decrypt(c, place >> 1, unit, geometry_unit(g), &error));
    geometry_cipher_free(c);
}

static void probe(const struct secret *key, const uint8_t *data, size_t size)
{
    enum { SECTOR = 512, IMAGE = 64 << 10 };
    struct error error = ERROR_INIT;
    char path[64];
    int fd = memfd_create("image", MFD_CLOEXEC);
    require(fd >= 0 && ftruncate(fd, IMAGE) == 0 &&
            pwrite(fd, data, size < IMAGE ? size : IMAGE, 0) >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct disk *disk = disk_open_raw(path, &error);
    struct probe *probe = disk == NULL ? NULL : probe_new(disk, SECTOR, &error);
    struct probe_result *result = malloc(sizeof *result);
    require(probe != NULL && result != NULL && probe_key(probe, key, result, &error));
    char text[GEOMETRY_TEXT];
    struct disk_geometry again;
    if (result->verdict != PROBE_NOTHING) {
        geometry_print(&result->geometry, text);
        require(geometry_parse(text, &again, &error));
    }
    free(result);
    probe_free(probe);
    disk_close(disk);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct disk_geometry g, again;
    char *text = malloc(size + 1), printed[GEOMETRY_TEXT];
    struct secret *key = secret_new(64, &error);
    require(text != NULL && key != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    key->data[0] = 1;
    if (geometry_parse(text, &g, &error)) {
        geometry_print(&g, printed);
        require(geometry_parse(printed, &again, &error) && geometry_equal(&g, &again));
        decrypt(&g, key, data, size);
    } else {
        require(error.code == ERROR_USAGE);
    }
    if (size >= 512)
        probe(key, data, size);
    secret_free(key);
    free(text);
    return 0;
}
