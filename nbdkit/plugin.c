/*
 * plugin - "nbdkit vmcrypt SOURCE": the disks of a VM over NBD, read-only.
 *
 * All is opened, and all keys are proved, in get_ready: before nbdkit forks into the background, so
 * that a key that does not fit is an exit status and not a connection that fails.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/secret_fork.h"
#include "keywrap/keyring_words.h"
#include "keywrap/secret_file.h"
#include "nbdkit/exports.h"
#include "nbdkit/parameters.h"
#include "nbdkit/serve.h"
#include "nbdkit/tell.h"
#include "vm/view.h"
#include "vmdk/disk_words.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* nbdkit's callbacks have no context: there is one plugin in a process. */
static struct {
    struct parameters parameters;
    struct log log;
    bool locked;
    struct keyring ring;
    struct view *view;
    struct exports exports;
    struct secret_fork *fork;
    struct tell_limit limit;
} plugin = {.log = {.program = "nbdkit: vmcrypt"}};

static void load(void)
{
    secret_process_init(&plugin.locked);
}

static void unload(void)
{
    exports_free(&plugin.exports);
    view_close(plugin.view);
    keyring_free(&plugin.ring);
    secret_fork_free(plugin.fork);
    parameters_free(&plugin.parameters);
}

static void dump_plugin(void)
{
    puts("vmcrypt_sources=vmx,directory,vmdk,flat");
    puts("vmcrypt_extents=FLAT,VMFS,VMFSRDM,VMFSRAW,ZERO,SPARSE,VMFSSPARSE,SESPARSE");
    puts("vmcrypt_disks=monolithicFlat,monolithicSparse,streamOptimized,twoGbMaxExtentFlat,"
         "twoGbMaxExtentSparse,vmfs,vmfsThin,vmfsSparse,seSparse");
    puts("vmcrypt_ciphers=AES-256-XTS,AES-128-XTS,AES-256-CBC");
}

static int config(const char *key, const char *value)
{
    return parameters_add(&plugin.parameters, key, value);
}

static struct secret *asked(struct error *error)
{
    char *text = NULL;
    if (nbdkit_read_password("-", &text) != 0) {
        error_set(error, ERROR_FAILED, "password=-: there is nobody to be asked");
        return NULL;
    }
    struct secret *password = secret_copy(text, strlen(text), error);
    secret_wipe(text, strlen(text));
    free(text);
    return password;
}

/* The forms of nbdkit_read_password, but nothing that others can see among the processes. Files
 * are read here, since nbdkit does not wipe what it reads. */
static struct secret *read_password(const char *value, struct error *error)
{
    char *end;
    if (value[0] == '+')
        return passphrase_file_read(value + 1, &plugin.log, error);
    if (strcmp(value, "-") == 0)
        return asked(error);
    long fd = value[0] == '-' ? strtol(value + 1, &end, 10) : -1;
    if (fd < 0 || fd > INT_MAX || *end != '\0') {
        error_set(error, ERROR_USAGE,
                  "password= takes - (it is asked for), +FILE or -FD: what stands on a command "
                  "line can be seen by others");
        return NULL;
    }
    struct secret *password = passphrase_fd_read((int)fd, error);
    close((int)fd);
    return password;
}

static bool read_keys(const struct words *words, struct error *error)
{
    struct keyring unlock = KEYRING_INIT;
    const struct keyring_load load = {.log = &plugin.log};
    const char *value;
    bool ok = true;
    for (size_t i = 0; ok && (value = words_value_at(words, "password", i)) != NULL; i++) {
        struct secret *password = read_password(value, error);
        ok = password != NULL &&
             keyring_add_given_phrase(&plugin.ring, &unlock, words, "password", password, error);
    }
    ok = ok && keyring_add_words(&plugin.ring, &unlock, words, &load, error);
    keyring_free(&unlock);
    return ok;
}

/* While there still is a terminal. */
static int config_complete(void)
{
    struct error error = ERROR_INIT;
    const struct words words = parameters_words(&plugin.parameters);
    if (words_value(&words, "file") == NULL) {
        nbdkit_error("what is to be served? [file=]SOURCE, a .vmx, a directory with one, or a "
                     "disk, is missing");
        return -1;
    }
    if (!plugin.locked)
        log_say(&plugin.log, LOG_WARN, "keys cannot be locked in memory (ulimit -l)");
    return read_keys(&words, &error) ? 0 : tell_error(&error);
}

/* Warn of what was noted while the disks were opened. */
static bool tell_notes(struct error *error)
{
    for (size_t i = 0; i < plugin.exports.count; i++) {
        const struct view_node *node = plugin.exports.nodes[i];
        if (!exports_is_whole(node))
            continue;
        if (!view_hold(plugin.view, node, error))
            return false;
        struct notes *notes = disk_notes(view_bytes(plugin.view, node).disk);
        for (size_t k = 0; k < notes_count(notes); k++)
            log_say(&plugin.log, LOG_WARN, "%s", notes_at(notes, k));
        if (notes_lost(notes) > 0)
            log_say(&plugin.log, LOG_WARN, "and %zu more of that kind", notes_lost(notes));
        view_release(plugin.view, node);
    }
    return true;
}

static int get_ready(void)
{
    struct error error = ERROR_INIT;
    const struct words words = parameters_words(&plugin.parameters);
    struct view_options options = {.snapshot = words_value(&words, "snapshot")};
    bool ok = disk_options_words(&words, &options.disk, &error);
    options.disk.keyring = &plugin.ring;
    if (ok) {
        plugin.view = view_open(words_value(&words, "file"), &options, &error);
        ok = plugin.view != NULL;
    }
    ok = ok && exports_find(&plugin.exports, plugin.view, words_value(&words, "disk"), &error) &&
         tell_notes(&error);
    if (ok) {
        plugin.fork = secret_fork_prepare(&error);
        ok = plugin.fork != NULL;
    }
    return ok ? 0 : tell_error(&error);
}

static int after_fork(void)
{
    if (!secret_fork_settle(plugin.fork))
        log_say(&plugin.log, LOG_WARN, "keys cannot be locked in memory (ulimit -l)");
    plugin.fork = NULL;
    return 0;
}

static const char *description_of(const struct view_node *node)
{
    return exports_is_whole(node) ? "whole disk" : "partition";
}

static int list_exports(int readonly, int is_tls, struct nbdkit_exports *exports)
{
    (void)readonly;
    (void)is_tls;
    for (size_t i = 0; i < plugin.exports.count; i++) {
        const struct view_node *node = plugin.exports.nodes[i];
        if (nbdkit_add_export(exports, node->name, description_of(node)) != 0)
            return -1;
    }
    return 0;
}

static const char *default_export(int readonly, int is_tls)
{
    (void)readonly;
    (void)is_tls;
    return plugin.exports.standard == NULL ? NULL : plugin.exports.standard->name;
}

static void *open_export(int readonly)
{
    (void)readonly;
    struct error error = ERROR_INIT;
    const char *name = nbdkit_export_name();
    if (name == NULL)
        return NULL;
    const struct view_node *node = exports_named(&plugin.exports, name, &error);
    if (node == NULL) {
        tell_error_limited(&plugin.limit, &error);
        nbdkit_set_error(ENOENT);
        return NULL;
    }
    return serve_open(plugin.view, node, &plugin.limit);
}

static const char *export_description(void *handle)
{
    const struct served *s = handle;
    return description_of(s->node);
}

static int yes(void *handle)
{
    (void)handle;
    return 1;
}

static int no(void *handle)
{
    (void)handle;
    return 0;
}

/* nbdkit reads and throws away: what is stored then is in the page cache. */
static int can_cache(void *handle)
{
    (void)handle;
    return NBDKIT_CACHE_EMULATE;
}

static struct nbdkit_plugin callbacks = {
    .name = "vmcrypt",
    .longname = "vmcrypt: encrypted disks of VMware VMs",
    .version = VMCRYPT_VERSION,
    .description = "The disks of an encrypted vSphere or Workstation VM, decrypted, read-only; "
                   "plain ones, too.",
    .config_help = parameters_help,
    .magic_config_key = "file",
    .load = load,
    .unload = unload,
    .dump_plugin = dump_plugin,
    .config = config,
    .config_complete = config_complete,
    .get_ready = get_ready,
    .after_fork = after_fork,
    .list_exports = list_exports,
    .default_export = default_export,
    .export_description = export_description,
    .open = open_export,
    .close = serve_close,
    .get_size = serve_get_size,
    .block_size = serve_block_size,
    .is_rotational = no,
    .can_multi_conn = yes,
    .can_extents = yes,
    .can_cache = can_cache,
    .pread = serve_pread,
    .extents = serve_extents,
};

/* nbdkit looks for it; its header declares it nowhere. */
struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(callbacks)
