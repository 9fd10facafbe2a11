/* sandbox: in children that enter it, what is allowed works, what is not is refused or deadly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuse/sandbox.h"

/* DIR/inside/file is evidence, DIR/outside/file is not. */
static char directory[64], inside[96], inside_file[128], outside_file[128];

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "evidence", 8), 8);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    char outside[96];
    snprintf(directory, sizeof directory, "/tmp/test_sandbox.XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(inside, sizeof inside, "%s/inside", directory);
    snprintf(outside, sizeof outside, "%s/outside", directory);
    snprintf(inside_file, sizeof inside_file, "%s/file", inside);
    snprintf(outside_file, sizeof outside_file, "%s/file", outside);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_int_equal(mkdir(outside, 0700), 0);
    write_file(inside_file);
    write_file(outside_file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[128];
    unlink(inside_file);
    unlink(outside_file);
    rmdir(inside);
    snprintf(path, sizeof path, "%s/outside", directory);
    rmdir(path);
    return rmdir(directory);
}

enum { KILLED = -1, WORKED = 0, NO_SANDBOX = 200 };

/* What CALL gave in a sandbox: an errno, WORKED, or KILLED. */
static int in_sandbox(int (*call)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error = ERROR_INIT;
        struct sandbox sandbox;
        const char *readable[] = {inside};
        if (!sandbox_enter(readable, 1, &sandbox, &error)) {
            fprintf(stderr, "%s: %s\n", error.file, error.message);
            _exit(NO_SANDBOX);
        }
        _exit(call());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    return WEXITSTATUS(status);
}

static int result_of(long result)
{
    return result < 0 ? errno : WORKED;
}

#define CALL(name, expression)                                                                     \
    static int name(void)                                                                          \
    {                                                                                              \
        return result_of((long)(expression));                                                      \
    }

/* Writing, in any way. Through openat as the C library calls it, and through open. */
CALL(open_to_write, open(inside_file, O_WRONLY))
CALL(open_to_change, open(inside_file, O_RDWR))
CALL(open_to_append, open(inside_file, O_WRONLY | O_APPEND))
CALL(open_to_create, open(inside_file, O_RDONLY | O_CREAT, 0600))
CALL(open_to_truncate, open(inside_file, O_RDONLY | O_TRUNC))
CALL(open_unnamed, open(inside, O_WRONLY | O_TMPFILE, 0600))
#ifdef SYS_open
CALL(old_open_to_write, syscall(SYS_open, inside_file, O_WRONLY))
#endif
CALL(write_at, pwrite(STDERR_FILENO, "", 0, 0))
CALL(cut, truncate(inside_file, 0))
CALL(cut_open, ftruncate(STDERR_FILENO, 0))
CALL(remove_file, unlink(inside_file))
CALL(remove_directory, rmdir(inside))
CALL(rename_file, rename(inside_file, outside_file))
CALL(link_file, link(inside_file, "other"))
CALL(link_symbolically, symlink(inside_file, "other"))
CALL(make_directory, mkdir("other", 0700))
CALL(make_node, mknod("other", S_IFIFO | 0600, 0))
CALL(change_mode, chmod(inside_file, 0777))
CALL(change_owner, chown(inside_file, 1, 1))
CALL(change_times, utimensat(AT_FDCWD, inside_file, NULL, 0))
CALL(set_attribute, setxattr(inside_file, "user.a", "", 0, 0))
CALL(remove_attribute, removexattr(inside_file, "user.a"))

/* Code that was not there before. */
static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : WORKED;
}

static int make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? WORKED : result_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

CALL(make_code_by_key, syscall(SYS_pkey_mprotect, NULL, 4096, PROT_READ | PROT_EXEC, -1))
CALL(make_memory_file, memfd_create("a", 0))

/* What reaches beyond the process. */
CALL(signal_parent, kill(getppid(), 0))
CALL(ask_device, ioctl(STDERR_FILENO, FIONREAD, NULL))
CALL(be_dumpable, prctl(PR_SET_DUMPABLE, 1))
CALL(unmount, umount2(inside, MNT_DETACH))
CALL(become_another, setuid(1))
CALL(become_able, syscall(SYS_capset, NULL, NULL))

static int raise_limit(void)
{
    struct rlimit limit = {1, 1};
    return result_of(setrlimit(RLIMIT_CORE, &limit));
}

/* Refused by Landlock, or unknown without it. */
static int open_in_other_ways(void)
{
    struct open_how how = {.flags = O_RDWR};
    int result = result_of(syscall(SYS_openat2, AT_FDCWD, inside_file, &how, sizeof how));
    return result == EACCES || result == ENOSYS ? ENOSYS : result;
}

CALL(clone_in_other_ways, syscall(SYS_clone3, NULL, 0))

/* Only an intruder calls these. */
CALL(run_program, execl("/bin/true", "true", (char *)NULL))
CALL(make_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
CALL(make_socket, socket(AF_INET, SOCK_STREAM, 0))
CALL(make_local_socket, socket(AF_UNIX, SOCK_DGRAM, 0))
CALL(trace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
CALL(read_others, process_vm_readv(getppid(), NULL, 0, NULL, 0, 0))
CALL(mount_something, mount("none", inside, "tmpfs", 0, NULL))
CALL(load_program, syscall(SYS_bpf, 0, NULL, 0))
CALL(make_ring, syscall(SYS_io_uring_setup, 1, NULL))
CALL(leave_namespace, unshare(CLONE_NEWUSER))

static const struct {
    const char *name;
    int (*call)(void);
    int result;
} refusals[] = {
#define REFUSED(call)                                                                              \
    {                                                                                              \
#call, call, EPERM                                                                         \
    }
#define UNKNOWN(call)                                                                              \
    {                                                                                              \
#call, call, ENOSYS                                                                        \
    }
#define DEADLY(call)                                                                               \
    {                                                                                              \
#call, call, KILLED                                                                        \
    }
    REFUSED(open_to_write),
    REFUSED(open_to_change),
    REFUSED(open_to_append),
    REFUSED(open_to_create),
    REFUSED(open_to_truncate),
    REFUSED(open_unnamed),
    REFUSED(write_at),
    REFUSED(cut),
    REFUSED(cut_open),
    REFUSED(remove_file),
    REFUSED(remove_directory),
    REFUSED(rename_file),
    REFUSED(link_file),
    REFUSED(link_symbolically),
    REFUSED(make_directory),
    REFUSED(make_node),
    REFUSED(change_mode),
    REFUSED(change_owner),
    REFUSED(change_times),
    REFUSED(set_attribute),
    REFUSED(remove_attribute),
    REFUSED(map_code),
    REFUSED(make_code),
    REFUSED(make_code_by_key),
    REFUSED(make_memory_file),
    REFUSED(signal_parent),
    REFUSED(ask_device),
    REFUSED(be_dumpable),
    REFUSED(unmount),
    REFUSED(become_another),
    REFUSED(become_able),
    REFUSED(raise_limit),
    UNKNOWN(open_in_other_ways),
    UNKNOWN(clone_in_other_ways),
    DEADLY(run_program),
    DEADLY(make_process),
    DEADLY(make_socket),
    DEADLY(make_local_socket),
    DEADLY(trace),
    DEADLY(read_others),
    DEADLY(mount_something),
    DEADLY(load_program),
    DEADLY(make_ring),
    DEADLY(leave_namespace),
#ifdef SYS_open
    REFUSED(old_open_to_write),
#endif
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        int result = in_sandbox(refusals[i].call);
        if (result != refusals[i].result)
            fail_msg("%s: %d (%s) instead of %d", refusals[i].name, result,
                     result > 0 ? strerror(result) : "", refusals[i].result);
    }
    char text[8];
    int fd = open(inside_file, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 8);
    assert_memory_equal(text, "evidence", 8);
    close(fd);
}

/* All that serving does. */
static int read_evidence(void)
{
    char text[8];
    struct stat facts;
    int fd = open(inside_file, O_RDONLY | O_CLOEXEC | O_NOATIME);
    bool ok = fd >= 0 && fstat(fd, &facts) == 0 && facts.st_size == 8 &&
              pread(fd, text, 8, 0) == 8 && memcmp(text, "evidence", 8) == 0 &&
              lseek(fd, 0, SEEK_DATA) == 0 && close(fd) == 0;
    return ok ? WORKED : errno;
}

static int list_evidence(void)
{
    size_t count = 0;
    DIR *all = opendir(inside);
    while (all != NULL && readdir(all) != NULL)
        count++;
    if (all != NULL)
        closedir(all);
    return count == 3 ? WORKED : EIO;
}

static int find_evidence(void)
{
    char *real = realpath(inside_file, NULL);
    int at = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(at, "file", O_RDONLY | O_NOFOLLOW);
    return real != NULL && fd >= 0 ? WORKED : errno;
}

static int use_memory(void)
{
    size_t size = 16 << 20;
    char *block = malloc(size);
    if (block == NULL)
        return errno;
    memset(block, 1, size);
    block = realloc(block, 2 * size);
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ok = block != NULL && pages != MAP_FAILED && madvise(pages, size, MADV_DONTDUMP) == 0 &&
              mprotect(pages, 4096, PROT_NONE) == 0 && munmap(pages, size) == 0;
    free(block);
    return ok ? WORKED : errno;
}

static void *wait_for_ever(void *argument)
{
    for (;;)
        usleep(1000);
    return argument;
}

/* Cancelled as those of the server are. */
static int use_threads(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        int problem = pthread_create(&threads[i], NULL, wait_for_ever, NULL);
        if (problem != 0)
            return problem;
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_cancel(threads[i]);
        pthread_join(threads[i], NULL);
    }
    return WORKED;
}

static void lets_serve(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(read_evidence), WORKED);
    assert_int_equal(in_sandbox(list_evidence), WORKED);
    assert_int_equal(in_sandbox(find_evidence), WORKED);
    assert_int_equal(in_sandbox(use_memory), WORKED);
    assert_int_equal(in_sandbox(use_threads), WORKED);
}

CALL(open_outside, open(outside_file, O_RDONLY))
CALL(open_by_climbing, openat(AT_FDCWD, strcat(inside, "/../outside/file"), O_RDONLY))
CALL(open_system_file, open("/etc/passwd", O_RDONLY))
CALL(list_outside, open(directory, O_RDONLY | O_DIRECTORY))

static void reads_evidence_only(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(in_sandbox(open_outside), EACCES);
    assert_int_equal(in_sandbox(open_by_climbing), EACCES);
    assert_int_equal(in_sandbox(open_system_file), EACCES);
    assert_int_equal(in_sandbox(list_outside), EACCES);
}

/* The line NAME in the status of PROCESS. */
static unsigned long long status_of(pid_t process, const char *name)
{
    char path[64], line[256];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoull(line + strlen(name) + 1, NULL, strncmp(name, "Cap", 3) == 0 ? 16 : 10);
    fclose(file);
    return value;
}

static void is_seen_from_outside(void **state)
{
    (void)state;
    const unsigned long long reading = 1 << 2,
                             owning = 1 << 3; /* CAP_DAC_READ_SEARCH, CAP_FOWNER */
    int ready[2], end[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error error = ERROR_INIT;
        struct sandbox sandbox;
        const char *readable[] = {inside, inside_file};
        bool ok = sandbox_enter(readable, 2, &sandbox, &error);
        close(end[1]);
        ok = ok && write(ready[1], "r", 1) == 1 && read(end[0], &byte, 1) == 0;
        _exit(ok ? 0 : 1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(status_of(child, "NoNewPrivs"), 1);
    assert_int_equal(status_of(child, "Seccomp"), 2);
    static const char *const sets[] = {"CapPrm", "CapEff"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(status_of(child, sets[i]) & ~(reading | owning), 0);
    assert_int_equal(status_of(child, "CapInh"), 0);
    close(end[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(end[0]);
}

static void needs_its_directories(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct error error = ERROR_INIT;
        struct sandbox sandbox;
        const char *readable[] = {"/nonexistent"};
        bool ok = sandbox_enter(readable, 1, &sandbox, &error);
        _exit(!ok && error.code == ERROR_FAILED && strcmp(error.file, "/nonexistent") == 0 ? 0
              : ok && sandbox.landlock == 0                                                ? 0
                                                                                           : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(lets_serve),
        cmocka_unit_test(reads_evidence_only),
        cmocka_unit_test(is_seen_from_outside),
        cmocka_unit_test(needs_its_directories),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
