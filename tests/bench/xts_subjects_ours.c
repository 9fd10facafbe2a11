/* xts_subjects_ours - each kernel of vmdk/xts/ that this CPU has, through the public interface. */
#include "tests/bench/xts_subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk/xts/xts.h"

enum { UNIT_SIZES = 2 };
struct ours {
    struct xts *of_unit[UNIT_SIZES]; /* 512 and 4096 */
};

static bool transform(void *state, bool encrypt, size_t unit_bytes, uint8_t *data, size_t bytes)
{
    const struct ours *o = state;
    const struct xts *x = o->of_unit[unit_bytes == 512 ? 0 : 1];
    struct error error = ERROR_INIT;
    return (encrypt ? xts_encrypt : xts_decrypt)(x, 0, data, data, bytes, &error);
}

size_t subjects_ours(struct subject *out, const uint8_t *key)
{
    static const struct {
        const char *name;
        unsigned width;
    } KERNELS[] = {
        {"vaes512", 512}, {"vaes256", 256}, {"aesni", 128}, {"neon", 128}, {"portable", 0}};
    struct error error = ERROR_INIT;
    struct secret *secret = secret_copy(key, KEY_BYTES, &error);
    size_t count = 0;
    for (size_t i = 0; secret != NULL && i < sizeof KERNELS / sizeof KERNELS[0]; i++) {
        struct ours *o = calloc(1, sizeof *o);
        setenv("VMCRYPT_CPU", KERNELS[i].name, 1);
        if (o == NULL || (o->of_unit[0] = xts_new(secret, 512, &error)) == NULL ||
            (o->of_unit[1] = xts_new(secret, 4096, &error)) == NULL) {
            free(o);
            continue;
        }
        struct subject *s = &out[count++];
        *s = (struct subject){
            .ours = true, .width = KERNELS[i].width, .state = o, .transform = transform};
        snprintf(s->name, sizeof s->name, "vmcrypt %s", KERNELS[i].name);
    }
    unsetenv("VMCRYPT_CPU");
    secret_free(secret);
    return count;
}
