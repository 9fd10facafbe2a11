/* pkcs12_text - strings of ASN.1 in PKCS#12 files; see pkcs12_private.h. */
#include "keywrap/pkcs12_private.h"

/* UTF-16 in big endian, without what lies outside the basic plane. */
static bool append_bmp(const struct buffer *bytes, struct buffer *out)
{
    const uint8_t *at = (const uint8_t *)buffer_text(bytes);
    for (size_t i = 0; i + 1 < bytes->length; i += 2) {
        unsigned c = (unsigned)at[i] << 8 | at[i + 1];
        if (c >= 0xd800 && c < 0xe000)
            return false;
        if (c >= 0x800)
            buffer_append_byte(out, (char)(0xe0 | c >> 12));
        if (c >= 0x80)
            buffer_append_byte(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6));
        buffer_append_byte(out, (char)(c >= 0x80 ? 0x80 | (c & 63) : c));
    }
    return bytes->length % 2 == 0 && !out->failed;
}

bool pkcs12_text(const struct der_item *item, struct buffer *out)
{
    static const unsigned types[] = {DER_UTF8,    DER_PRINTABLE, DER_T61, DER_IA5,
                                     DER_GENERAL, DER_UTC_TIME,  DER_TIME};
    struct buffer bytes = BUFFER_INIT;
    bool ok = der_string(item, &bytes);
    if (ok && item->tag == DER_BMP) {
        ok = append_bmp(&bytes, out);
    } else {
        bool known = false;
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            known |= item->tag == types[i];
        ok = ok && known && buffer_append(out, buffer_text(&bytes), bytes.length);
    }
    buffer_free(&bytes);
    return ok;
}
