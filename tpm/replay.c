/* replay - see replay.h. */
#include "tpm/replay.h"

#include <string.h>

#include "tpm/event_types.h"
#include "tpm/replay_private.h"

enum { LOCALITY_NAME = 16 };

/* The locality that a TPM2_Startup event tells; -1 when EVENT is none. */
static int startup_locality(const struct eventlog_event *event)
{
    if (event->type == EV_NO_ACTION && event->pcr == 0 && event->length > LOCALITY_NAME &&
        memcmp(event->data, "StartupLocality", LOCALITY_NAME) == 0)
        return event->data[LOCALITY_NAME];
    return -1;
}

/* The byte that PCR 0 starts with: 4 when a hardware root of trust measured before startup, else
 * the first locality told, else -1. */
static int locality(const struct eventlog *log)
{
    int told = -1;
    bool extended = false;
    for (size_t i = 0; i < log->event_count && !(extended && told >= 0); i++) {
        const struct eventlog_event *event = &log->events[i];
        if (event->pcr != 0)
            continue;
        if (event->type == EV_EFI_HCRTM_EVENT && !extended)
            return 4;
        if (event->type != EV_NO_ACTION)
            extended = true;
        else if (told < 0)
            told = startup_locality(event);
    }
    return told;
}

static void set_initial(const struct eventlog *log, size_t size, unsigned pcr, int first,
                        uint8_t *value)
{
    bool dynamic = pcr >= 17 && pcr <= 22 && !log->drtm && !log->cc;
    memset(value, dynamic ? 0xff : 0, size);
    if (pcr == 0 && first > 0 && !log->cc)
        value[size - 1] = (uint8_t)first;
}

void replay_initial(const struct eventlog *log, uint16_t algorithm, unsigned pcr, uint8_t *value)
{
    const struct bank_algorithm *bank = bank_by_id(algorithm);
    if (bank != NULL)
        set_initial(log, bank->size, pcr, pcr == 0 ? locality(log) : 0, value);
}

bool replay_extends(const struct eventlog_event *event)
{
    return event->type != EV_NO_ACTION && event->pcr < PCR_COUNT;
}

static bool replay_bank(const struct eventlog *log, struct bank_hasher *hasher, int first,
                        struct pcr_bank *bank)
{
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        set_initial(log, bank->size, pcr, first, bank->value[pcr]);
    if (first >= 0 && !log->cc)
        bank->known |= 1;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        if (!replay_extends(event))
            continue;
        const struct eventlog_digest *digest = eventlog_digest(event, bank->algorithm);
        if (digest == NULL)
            continue;
        if (!bank_extend(hasher, bank->value[event->pcr], digest->bytes))
            return false;
        bank->known |= 1u << event->pcr;
    }
    return true;
}

bool replay_log(const struct eventlog *log, struct pcr_set *out, struct replay_skipped *skipped,
                struct error *error)
{
    int first = locality(log);
    out->bank_count = 0;
    if (skipped != NULL)
        skipped->count = 0;
    for (size_t b = 0; b < log->bank_count; b++) {
        uint16_t algorithm = log->banks[b].algorithm;
        const struct bank_algorithm *known = bank_by_id(algorithm);
        bool fits = known != NULL && known->size == log->banks[b].size;
        struct bank_hasher *hasher = fits ? bank_hasher_open(algorithm) : NULL;
        if (hasher == NULL) {
            if (skipped != NULL)
                skipped->algorithm[skipped->count++] = algorithm;
            continue;
        }
        bool ok = replay_bank(log, hasher, first, pcr_bank_add(out, algorithm));
        bank_hasher_close(hasher);
        if (!ok)
            return error_set(error, ERROR_FAILED, "cannot hash bank %s", known->name);
    }
    return true;
}
