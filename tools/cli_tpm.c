/* cli_tpm - what the commands of vmcrypt-tpm share; see cli_tpm.h. */
#include "tools/cli_tpm.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "tools/cli_explain.h"
#include "tpm/event.h"
#include "tpm/text.h"

static bool open_log(struct cli_tpm_input *input, const char *name, struct error *error)
{
    return eventlog_unpack(name, buffer_text(&input->text), input->text.length, &input->bytes,
                           &input->form, error) &&
           (eventlog_parse(&input->own, buffer_text(&input->bytes), input->bytes.length, error) ||
            error_in_file(error, name));
}

bool cli_tpm_open(struct cli_tpm_input *input, const char *path, struct error *error)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    *input = (struct cli_tpm_input){.path = path, .log = &input->own};
    bool ok = file_read_all(path, EVENTLOG_BYTES_MAX, &input->text, error);
    if (ok && report_is(buffer_text(&input->text), input->text.length)) {
        ok = report_parse(&input->report, name, input->text.data, input->text.length, error);
        input->is_report = ok;
        input->log = &input->report.log;
        input->form = input->report.source;
    } else if (ok)
        ok = open_log(input, name, error);
    if (!ok)
        cli_tpm_close(input);
    return ok;
}

void cli_tpm_close(struct cli_tpm_input *input)
{
    if (input->is_report)
        report_free(&input->report);
    eventlog_free(&input->own);
    buffer_free(&input->bytes);
    buffer_free(&input->text);
}

bool cli_tpm_own_values(const struct cli_tpm_input *input, struct pcr_set *values,
                        const char **form)
{
    struct error ignored = ERROR_INIT;
    if (input->is_report) {
        *values = input->report.values;
        *form = input->report.source;
        return values->bank_count > 0;
    }
    return tpm_text_is_json(buffer_text(&input->text), input->text.length) &&
           pcr_parse(input->path, input->text.data, input->text.length, NULL, values, form,
                     &ignored);
}

void cli_tpm_warn(struct cli *cli, const struct cli_tpm_input *input)
{
    const struct eventlog *log = input->log;
    for (size_t i = 0; i < log->quirk_count; i++)
        log_say(&cli->log, LOG_WARN, "%s: %s (at byte %llu)", input->path, log->quirks[i].text,
                (unsigned long long)log->quirks[i].offset);
    if (log->tail == EVENTLOG_TAIL_FF || log->tail == EVENTLOG_TAIL_ZERO)
        log_say(&cli->log, LOG_INFO, "%s: %llu bytes of %s follow the last event", input->path,
                (unsigned long long)(log->size - log->parsed),
                log->tail == EVENTLOG_TAIL_FF ? "0xff" : "zero");
    if (log->cc)
        log_say(&cli->log, LOG_INFO,
                "%s: is of a confidential VM; its indexes are of measurement registers",
                input->path);
    if (input->is_report)
        log_say(&cli->log, LOG_WARN,
                "%s: nobody has signed this report: that its events and values agree does not make "
                "them true; only a quote of the TPM does",
                input->path);
}

static bool report_summary(const struct report_event *event, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s%s", event->kind, event->name == NULL ? "" : " ",
             event->name == NULL ? "" : event->name, event->detail == NULL ? "" : " (",
             event->detail == NULL ? "" : event->detail, event->detail == NULL ? "" : ")");
    return true;
}

bool cli_tpm_summary(const struct cli_tpm_input *input, const struct eventlog_event *event,
                     char *text, size_t size)
{
    struct event_check check;
    if (input->is_report)
        return report_summary(&input->report.events[event->number], text, size);
    event_check(input->log, event, &check);
    json_t *decoded = event_decode(input->log, event, &check);
    const char *summary = json_string_value(json_object_get(decoded, "summary"));
    snprintf(text, size, "%s", summary == NULL ? "" : summary);
    bool ok = decoded != NULL;
    json_decref(decoded);
    return ok;
}

json_t *cli_tpm_hex(const void *data, size_t length)
{
    struct buffer text = BUFFER_INIT;
    json_t *value = hex_encode(data, length, &text) ? json_string(buffer_text(&text)) : NULL;
    buffer_free(&text);
    return value;
}

static void set_spec(json_t *object, const struct eventlog *log)
{
    char version[16];
    if (!log->has_spec)
        return;
    snprintf(version, sizeof version, "%u.%u", log->version_major, log->version_minor);
    json_object_set_new(object, "spec",
                        json_pack("{s:o, s:I, s:s, s:i, s:i, s:o}", "signature",
                                  cli_json_text(log->spec_signature), "platform_class",
                                  (json_int_t)log->platform_class, "version", version, "errata",
                                  log->errata, "uintn_size", log->uintn_size, "vendor_info",
                                  cli_tpm_hex(log->vendor_info, log->vendor_info_size)));
}

static json_t *quirks_json(const struct eventlog *log)
{
    json_t *list = json_array();
    for (size_t i = 0; i < log->quirk_count; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:o}", "offset", (json_int_t)log->quirks[i].offset,
                                        "text", cli_json_text(log->quirks[i].text)));
    return list;
}

void cli_tpm_log_json(json_t *object, const struct cli_tpm_input *input)
{
    static const char *const tails[] = {"none", "ff", "zero", "truncated", "garbage"};
    const struct eventlog *log = input->log;
    json_t *banks = json_array();
    for (size_t i = 0; i < log->bank_count; i++) {
        char name[16];
        json_array_append_new(banks, json_pack("{s:s, s:I}", "algorithm",
                                               bank_name(log->banks[i].algorithm, name),
                                               "digest_size", (json_int_t)log->banks[i].size));
    }
    json_object_set_new(object, "form", json_string(input->form));
    json_object_set_new(object, "format",
                        json_string(input->is_report                ? "report"
                                    : log->format == EVENTLOG_AGILE ? "crypto-agile"
                                                                    : "legacy"));
    json_object_set_new(object, "log_banks", banks);
    set_spec(object, log);
    json_object_set_new(object, "confidential_vm", json_boolean(log->cc));
    json_object_set_new(object, "signed", json_false());
    json_object_set_new(object, "tail", json_string(tails[log->tail]));
    json_object_set_new(object, "parsed_bytes", json_integer((json_int_t)log->parsed));
    json_object_set_new(object, "size_bytes", json_integer((json_int_t)log->size));
    json_object_set_new(object, "quirks", quirks_json(log));
}

json_t *cli_tpm_pcrs_json(const struct pcr_set *set, uint16_t algorithm)
{
    json_t *banks = json_object();
    for (size_t b = 0; b < set->bank_count; b++) {
        const struct pcr_bank *bank = &set->banks[b];
        char name[16], index[16];
        if (algorithm != 0 && bank->algorithm != algorithm)
            continue;
        json_t *values = json_object();
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            if ((bank->known >> pcr & 1) == 0)
                continue;
            snprintf(index, sizeof index, "%u", pcr);
            json_object_set_new(values, index, cli_tpm_hex(bank->value[pcr], bank->size));
        }
        json_object_set_new(banks, bank_name(bank->algorithm, name), values);
    }
    return banks;
}

bool cli_tpm_bank(const struct cli *cli, const char *name, uint16_t *algorithm, struct error *error)
{
    const char *text = cli_value(cli, name);
    const struct bank_algorithm *bank = text == NULL ? NULL : bank_by_name(text);
    *algorithm = bank == NULL ? 0 : bank->id;
    return text == NULL || bank != NULL ||
           error_set(error, ERROR_USAGE, "--%s takes sha1, sha256, sha384, sha512, sm3_256 …",
                     name);
}
