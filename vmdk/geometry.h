/*
 * geometry - how the data of an encrypted disk are cut into units, and how the units are numbered.
 *
 * vSphere's layout is not published. The suite takes units of 512 bytes counted from the start of
 * the disk, little endian, unless it is told otherwise in a text such as
 *   unit=4096,tweak=sector,from=file,header=65536
 * which `vmcrypt disk probe` finds. Its words, all of them optional:
 *   cipher=xts|cbc-plain64|cbc-plain|cbc-essiv|cbc-null
 *   unit=BYTES                a power of two from 512 to 65536
 *   tweak=unit|sector|byte    what is counted: units, sectors of 512 bytes, bytes
 *   order=little|big|big64    of the number's 16 bytes; big64: of 8 bytes, in front
 *   from=disk|extent|file     where counting begins
 *   header=BYTES              what lies before the data in each flat file
 *   start=[-]BYTES            the place that the first byte counts as; what comes before 0 is not
 *                             encrypted
 *   key=given|swapped         the halves of the key
 */
#ifndef VMCRYPT_VMDK_GEOMETRY_H
#define VMCRYPT_VMDK_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

enum {
    GEOMETRY_UNIT_MIN = 512,
    GEOMETRY_UNIT_MAX = 65536,
    GEOMETRY_TEXT = 160,        /* bytes of the longest text, its end included */
    GEOMETRY_FILE_MAX = 4096,   /* bytes of a file with one */
    GEOMETRY_NUMBER_BYTES = 16, /* a tweak, or an initial vector */
};

enum geometry_cipher_kind {
    GEOMETRY_XTS,
    /* AES-CBC with the first 32 bytes of the key, each unit for itself; named by how the initial
     * vector is made of the number, as in dm-crypt. */
    GEOMETRY_CBC_PLAIN64,
    GEOMETRY_CBC_PLAIN, /* 32 bits of it */
    GEOMETRY_CBC_ESSIV, /* encrypted with the SHA-256 of the key */
    GEOMETRY_CBC_NULL,  /* always zero */
};
enum geometry_tweak { GEOMETRY_UNITS, GEOMETRY_SECTORS, GEOMETRY_BYTES };
enum geometry_order { GEOMETRY_LITTLE, GEOMETRY_BIG, GEOMETRY_BIG64 };
enum geometry_base { GEOMETRY_DISK, GEOMETRY_EXTENT, GEOMETRY_FILE };

/* All zero: what is assumed when nothing is said. Units are laid out from the start of the disk,
 * or of each extent where they are counted from there or from its file. */
struct disk_geometry {
    size_t unit; /* 0 for 512 */
    enum geometry_cipher_kind cipher;
    enum geometry_tweak tweak;
    enum geometry_order order;
    enum geometry_base from;
    bool swapped;
    uint64_t header;
    int64_t start;
};

/* Bytes of a unit. */
size_t geometry_unit(const struct disk_geometry *g);
bool geometry_is_default(const struct disk_geometry *g);
bool geometry_equal(const struct disk_geometry *a, const struct disk_geometry *b);

/* Parse a text as above; ERROR_USAGE. */
bool geometry_parse(const char *text, struct disk_geometry *g, struct error *error);
/* The text of one. */
void geometry_print(const struct disk_geometry *g, char out[GEOMETRY_TEXT]);
/* A text, when it has a "=", or else a file with one in a line, and comments after "#". */
bool geometry_load(const char *text_or_file, struct disk_geometry *g, struct error *error);

/* The number of the unit that begins POSITION bytes from where counting begins, as the cipher
 * takes it. False when it lies before 0. */
bool geometry_number(const struct disk_geometry *g, uint64_t position,
                     uint8_t number[GEOMETRY_NUMBER_BYTES]);

/* A geometry with its key. */
struct geometry_cipher;

/* KEY has 32 or 64 bytes; it is copied. */
struct geometry_cipher *geometry_cipher_new(const struct disk_geometry *g, const struct secret *key,
                                            struct error *error);
void geometry_cipher_free(struct geometry_cipher *c);
const struct disk_geometry *geometry_cipher_of(const struct geometry_cipher *c);

/* Decrypt in place LENGTH bytes, whole units of which the first begins at POSITION. Units that are
 * not encrypted stay. Thread-safe. */
bool geometry_decrypt(const struct geometry_cipher *c, uint64_t position, uint8_t *data,
                      size_t length, struct error *error);

#endif
