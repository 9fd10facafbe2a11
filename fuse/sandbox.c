/* sandbox - see sandbox.h. */
#include "fuse/sandbox.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse/sandbox_private.h"

/* Rights that the kernel has and older headers lack. */
enum { RIGHT_TRUNCATE = 1 << 14, RIGHT_IOCTL_DEVICE = 1 << 15 };

/*
 * CAP_DAC_READ_SEARCH: an extent that was closed to save descriptors is opened again, and evidence
 * may be readable for its owner only. CAP_FOWNER: such a file opens with O_NOATIME, so that its
 * access time stays; the calls that could abuse this right are not on the list.
 */
static bool drop_capabilities(struct error *error)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, sets) != 0)
        return error_system(error, "cannot read the capabilities of this process");
    const uint32_t kept = 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets[i].permitted &= i == 0 ? kept : 0;
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, sets) != 0)
        return error_system(error, "cannot give up capabilities");
    return true;
}

/* All rights that version ABI of Landlock knows, so that none is left free. */
static uint64_t known_rights(int abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (abi >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rights |= RIGHT_TRUNCATE;
    if (abi >= 5)
        rights |= RIGHT_IOCTL_DEVICE;
    return rights;
}

static bool allow_reading(int rules, const char *path, struct error *error)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    struct stat facts;
    bool ok = rule.parent_fd >= 0 && fstat(rule.parent_fd, &facts) == 0;
    if (ok && !S_ISDIR(facts.st_mode))
        rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
    ok = ok && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    if (!ok) {
        error_system(error, "cannot be let into the sandbox");
        error_in_file(error, path);
    }
    if (rule.parent_fd >= 0)
        close(rule.parent_fd);
    return ok;
}

static bool restrict_files(const char *const *readable, size_t count, int *version,
                           struct error *error)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *version = abi > 0 ? (int)abi : 0;
    if (*version == 0)
        return true;
    struct landlock_ruleset_attr attr = {.handled_access_fs = known_rights(*version)};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0)
        return error_system(error, "cannot make a sandbox with Landlock");
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = allow_reading(rules, readable[i], error);
    if (ok && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        ok = error_system(error, "cannot enter the sandbox of Landlock");
    close(rules);
    return ok;
}

/* glibc loads it when a thread is cancelled, and ends the process when it cannot. */
static void load_unwinder(void)
{
    dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_NODELETE);
}

bool sandbox_enter(const char *const *readable, size_t count, struct sandbox *sandbox,
                   struct error *error)
{
    *sandbox = (struct sandbox){0};
    load_unwinder();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_system(error, "cannot set no_new_privs");
    /* Landlock first, then capabilities: opening the directories may need them. */
    return restrict_files(readable, count, &sandbox->landlock, error) && drop_capabilities(error) &&
           sandbox_filter_calls(sandbox->landlock, error);
}
