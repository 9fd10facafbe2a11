/*
 * sandbox_calls - which system calls a serving process may make; see sandbox.h.
 *
 * Three answers. What serving needs is allowed, with its arguments checked where they matter. What
 * no library ever calls on our paths, but an intruder would, kills the process. All else is
 * refused with EPERM and not death: C libraries try new calls from release to release and live
 * with a refusal, and a hostile file must not end a mount by leading iconv to an unknown code page
 * (which would load a module: mmap with PROT_EXEC).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fuse/sandbox_private.h"

static const int allowed[] = {
    /* answering the kernel, reading the evidence, a line in the log */
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* finding and examining it */
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(lseek),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getdents64),
    SCMP_SYS(fadvise64),
    /* memory, but for making any of it executable */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    /* threads */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(membarrier),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom),
    /* signals, time, the end */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* messages go elsewhere once the tool has told that it is mounted; the guard is waited for */
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(wait4),
};

static const int deadly[] = {
    /* other programs and processes */
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(kcmp),
    /* other machines */
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    /* the kernel and other views of the system */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(mount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
};

struct rules {
    scmp_filter_ctx filter;
    int problem; /* the first one, as a negative errno; 0: none */
};

static void note(struct rules *rules, int result)
{
    if (rules->problem == 0)
        rules->problem = result;
}

static void answer_all(struct rules *rules, uint32_t answer, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        note(rules, seccomp_rule_add(rules->filter, answer, calls[i], 0));
}

/* CALL gets ANSWER when argument I has just the bits VALUE of MASK. */
static void answer_when(struct rules *rules, uint32_t answer, int call, unsigned i, uint64_t mask,
                        uint64_t value)
{
    const struct scmp_arg_cmp when = {i, SCMP_CMP_MASKED_EQ, mask, value};
    note(rules, seccomp_rule_add_array(rules->filter, answer, call, 1, &when));
}

static void allow_arguments(struct rules *rules)
{
    const uint64_t every = UINT64_MAX, word = UINT32_MAX;
    /* O_TMPFILE has the bit of O_DIRECTORY in it; it cannot be without write access anyway. */
    const uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, writing, O_RDONLY);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(openat), 2, writing, O_RDONLY);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
    answer_when(rules, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0, CLONE_THREAD, 0);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 0, word, PR_SET_NAME);
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, every, 0); /* asks only */
    answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 0, word, (uint64_t)getpid());
    static const unsigned commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        answer_when(rules, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, word, commands[i]);
}

/* Calls whose arguments lie in memory, where no filter can see them: callers fall back to older
 * ones. openat2 is the better openat where Landlock sees to it that nothing is written. */
static void answer_blindly(struct rules *rules, int landlock)
{
    enum { LANDLOCK_TRUNCATES = 3 };
    const uint32_t unknown = SCMP_ACT_ERRNO(ENOSYS);
    note(rules, seccomp_rule_add(rules->filter, unknown, SCMP_SYS(clone3), 0));
    note(rules,
         seccomp_rule_add(rules->filter, landlock >= LANDLOCK_TRUNCATES ? SCMP_ACT_ALLOW : unknown,
                          SCMP_SYS(openat2), 0));
}

bool sandbox_filter_calls(int landlock, struct error *error)
{
    struct rules rules = {.filter = seccomp_init(SCMP_ACT_ERRNO(EPERM))};
    if (rules.filter == NULL)
        return error_memory(error);
    answer_all(&rules, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof allowed[0]);
    answer_all(&rules, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof deadly[0]);
    allow_arguments(&rules);
    answer_blindly(&rules, landlock);
    /* A tree of comparisons instead of a list: a call costs the same wherever it stands. */
    note(&rules, seccomp_attr_set(rules.filter, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    if (rules.problem == 0)
        rules.problem = seccomp_load(rules.filter);
    seccomp_release(rules.filter);
    if (rules.problem == 0)
        return true;
    errno = -rules.problem;
    return error_system(error, "cannot restrict the system calls of the server (seccomp)");
}
