/* inplace_state - what a journal says to those who only want to read the disk; see inplace.h. */
#include "vmdk/inplace.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "vmdk/inplace_private.h"

const char *inplace_name(enum inplace_operation operation)
{
    return operation == INPLACE_DECRYPT   ? "decryption"
           : operation == INPLACE_ENCRYPT ? "encryption"
                                          : "re-encryption";
}

const char *inplace_command(enum inplace_operation operation)
{
    return operation == INPLACE_DECRYPT   ? "vmcrypt disk decrypt --in-place"
           : operation == INPLACE_ENCRYPT ? "vmcrypt disk encrypt --in-place"
                                          : "vmcrypt disk rekey --in-place --deep";
}

static bool examine(struct journal *j, const char *path, struct inplace_state *state,
                    struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok =
        journal_open(j, false, error) && file_read_all(path, DESCRIPTOR_MAX_BYTES, &text, error);
    enum journal_text now = ok ? journal_recognize(j, buffer_text(&text), text.length) : TEXT_COUNT;
    buffer_free(&text);
    if (ok && now == TEXT_COUNT) {
        ok = error_set(error, ERROR_DAMAGED,
                       "a journal %s of an in-place %s lies beside it, and is another disk's, or "
                       "the descriptor was changed since",
                       file_name(j->path), inplace_name(j->operation));
        error_in_file(error, path);
    }
    *state = (struct inplace_state){.operation = j->operation,
                                    .done = j->slot.sequence > 0 ? j->slot.position : 0,
                                    .size = j->disk_bytes,
                                    .finished = now == TEXT_NEW};
    if (state->finished)
        state->done = state->size;
    return ok;
}

bool inplace_find(const char *path, bool *found, struct inplace_state *state, struct error *error)
{
    struct journal j = {.fd = -1};
    j.path = journal_path(path, error);
    *found = false;
    if (j.path == NULL)
        return false;
    bool ok = true;
    if (file_exists(j.path)) {
        *found = true;
        ok = examine(&j, path, state, error);
    }
    journal_free(&j);
    return ok;
}

bool inplace_check(const char *path, const struct descriptor *d, struct error *error)
{
    struct inplace_state state;
    bool found;
    if (!inplace_find(path, &found, &state, error))
        return false;
    const char *type = descriptor_get(d, "createType");
    if (found) {
        error_set(error, ERROR_DAMAGED,
                  "an in-place %s is at %.1f of %.1f MiB, running or interrupted; '%s' finishes it",
                  inplace_name(state.operation), (double)state.done / 1048576,
                  (double)state.size / 1048576, inplace_command(state.operation));
        return error_in_file(error, path);
    }
    if (type != NULL && strcmp(type, INPLACE_MARK) == 0) {
        error_set(error, ERROR_DAMAGED,
                  "an in-place conversion was interrupted here, and its journal %s.journal is "
                  "missing: put it back beside the descriptor",
                  file_name(path));
        return error_in_file(error, path);
    }
    return true;
}
