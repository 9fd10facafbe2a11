/* xts_run - a run of data units in batches: unit numbers, bases of the chunks, chunks. */
#include "vmdk/xts/xts_kernel.h"

#include <string.h>

/* Working memory of one call. All of it depends on the key. */
struct batch {
    uint8_t scratch[XTS_SCRATCH] __attribute__((aligned(64)));
    uint8_t units[XTS_BATCH + 1][XTS_BLOCK]; /* E2 of the unit numbers; the last is never set */
    uint8_t bases[XTS_BATCH + 1][XTS_BLOCK]; /* of the chunks of larger units */
};

void xts_run(const struct xts_kernel *kernel, const struct xts_keys *keys, bool encrypt,
             size_t unit_bytes, struct xts_number first, uint8_t *dst, const uint8_t *src,
             size_t bytes)
{
    struct batch b;
    size_t per_unit = unit_bytes / XTS_CHUNK;
    size_t each = per_unit < XTS_BATCH ? per_unit : XTS_BATCH; /* chunks of a unit in a batch */
    for (size_t left = bytes / unit_bytes; left > 0;) {
        size_t units = left < XTS_BATCH ? left : XTS_BATCH;
        if (units - 1 > UINT64_MAX - first.low)
            units = (size_t)(UINT64_MAX - first.low) + 1;
        kernel->tweaks(keys, first, b.units, units);
        first.low += units;
        first.high += first.low == 0;
        left -= units;

        size_t batch_units = XTS_BATCH / each;
        for (size_t u = 0; u < units; u += batch_units) {
            size_t count = units - u < batch_units ? units - u : batch_units;
            const uint8_t(*bases)[XTS_BLOCK] = (const uint8_t(*)[XTS_BLOCK])b.units;
            const uint8_t(*start)[XTS_BLOCK] = bases + u;
            for (size_t part = 0; part < per_unit; part += each) {
                if (per_unit > 1) {
                    kernel->spread(b.bases, start, count, each);
                    bases = (const uint8_t(*)[XTS_BLOCK])b.bases;
                    start = bases + each;
                }
                (encrypt ? kernel->encrypt : kernel->decrypt)(keys, bases, dst, src, count * each,
                                                              b.scratch);
                dst += count * each * XTS_CHUNK;
                src += count * each * XTS_CHUNK;
            }
        }
    }
    /* Not secret_wipe: OPENSSL_cleanse goes 8 bytes at a time, 4 % of the time that 32 KiB take. */
    explicit_bzero(&b, per_unit > 1 ? sizeof b : offsetof(struct batch, bases));
}
