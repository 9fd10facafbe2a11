/* pcr_load - PCR values from a file of any form; see pcr.h. */
#include "tpm/pcr.h"

#include <string.h>

#include "base/file.h"
#include "tpm/pcr_private.h"
#include "tpm/report.h"
#include "tpm/text.h"

enum { FILE_MAX = 8 << 20 };

static bool parse_document(const char *data, size_t length, struct pcr_set *out, const char **form,
                           struct error *error)
{
    json_t *document = tpm_text_json(data, length, error);
    bool ok = document != NULL && pcr_parse_json(document, out, form, error);
    json_decref(document);
    return ok;
}

static bool parse_report(const char *name, const char *data, size_t length, struct pcr_set *out,
                         const char **form, struct error *error)
{
    struct report report;
    if (!report_parse(&report, name, data, length, error))
        return false;
    *out = report.values;
    *form = report.source;
    report_free(&report);
    return true;
}

static bool parse_binary(const char *data, size_t length, const struct pcr_selection *selection,
                         struct pcr_set *out, const char **form, struct error *error)
{
    bool fits;
    if (pcr_parse_serialized((const uint8_t *)data, length, out, &fits, error) || fits) {
        *form = "tpm2_quote serialized";
        return fits && error->code == ERROR_NONE;
    }
    if (pcr_parse_text(data, length, out, &fits, error) || error->code != ERROR_NONE) {
        *form = "tpm2_pcrread text";
        return error->code == ERROR_NONE;
    }
    if (selection == NULL)
        return error_set(error, ERROR_USAGE,
                         "are no PCR values that tell their PCRs; say which they are with "
                         "--selection sha256:0,1,…");
    *form = "values";
    return pcr_parse_values((const uint8_t *)data, length, selection, out, error);
}

bool pcr_parse(const char *name, const void *data, size_t length,
               const struct pcr_selection *selection, struct pcr_set *out, const char **form,
               struct error *error)
{
    struct pcr_set set = {0};
    bool ok;
    error_clear(error);
    if (report_is(data, length))
        ok = parse_report(name, data, length, &set, form, error);
    else if (tpm_text_is_json(data, length))
        ok = parse_document(data, length, &set, form, error);
    else
        ok = parse_binary(data, length, selection, &set, form, error);
    if (ok && set.bank_count == 0)
        ok = error_set(error, ERROR_DAMAGED, "has no PCR values");
    *out = set;
    return ok || error_in_file(error, name);
}

bool pcr_load(const char *path, const struct pcr_selection *selection, struct pcr_set *out,
              const char **form, struct error *error)
{
    struct buffer file = BUFFER_INIT;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    bool ok = file_read_all(path, FILE_MAX, &file, error) &&
              pcr_parse(name, buffer_text(&file), file.length, selection, out, form, error);
    buffer_free(&file);
    return ok;
}
