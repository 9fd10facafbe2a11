#!/usr/bin/env bats
# vmcrypt mount: how a mount begins, lives in its sandbox, and ends.

load helpers
load mount

@test "it returns when files can be read, and holds nothing of the shell's" {
    web
    # Would wait for ever if the server kept the pipe.
    seen=$(vmcrypt mount --keyring "$ring" --pid-file "$work/pid" "$vm/vm" mnt 3>&1 && ls mnt)
    [[ $seen == *report.json* ]]
    server=$(cat pid)
    [ "$(ps -o sid= -p "$server" | tr -d ' ')" = "$server" ]
    [ "$(id -u)" -eq 0 ] || skip "only root can look further into the server"
    [ "$(readlink "/proc/$server/cwd")" = / ]
    for fd in 0 1 2; do
        [[ $(readlink "/proc/$server/fd/$fd") =~ ^(/dev/null|socket:) ]]
    done
}

@test "in the foreground, until it is interrupted" {
    web
    vmcrypt mount -f -v --keyring "$ring" --pid-file "$work/pid" "$vm/vm" mnt 2>log 3>&- &
    local job=$!
    eventually test -e mnt/report.json
    server=$(cat pid)
    [ "$server" -eq "$job" ]
    grep -q 'is mounted on' log
    # Jobs of a script ignore SIGINT until they say otherwise, as this one does.
    kill -INT "$job"
    wait "$job"
    eventually is_over
}

@test "SIGTERM: no way in any more, but who reads goes on reading" {
    web
    mount_on "$vm/vm" mnt
    exec 4<mnt/disks/web01.raw
    kill -TERM "$server"
    eventually no_mount
    eventually test ! -e mnt/report.json
    [ "$(sha256sum <&4 | cut -d ' ' -f 1)" = "$(sha "$vm/truth/disk1.raw")" ]
    not is_gone "$server"
    exec 4<&-
    eventually is_over
    # The second one means at once.
    mount_on "$vm/vm" mnt
    exec 4<mnt/disks/web01.raw
    kill -TERM "$server"
    eventually test ! -e mnt/report.json
    kill -TERM "$server"
    eventually is_over
    not head -c 1 <&4 2>/dev/null
    exec 4<&-
}

@test "unmounted under load" {
    web
    mount_on "$vm/vm" mnt
    local readers=() i
    for i in 1 2 3 4; do
        (
            exec 3>&-
            exec <mnt/disks/web01.raw
            touch "started.$i"
            for _ in 1 2 3; do
                /usr/bin/python3 - "$vm/truth/disk1.raw" <<'END' || exit 1
import os, random, sys
truth = open(sys.argv[1], "rb").read()
for _ in range(400):
    at = random.randrange(len(truth))
    size = random.randrange(1, 300000)
    assert os.pread(4, size, at) == truth[at:at + size]
END
            done
        ) 4<mnt/disks/web01.raw &
        readers+=($!)
    done
    for i in 1 2 3 4; do
        eventually test -e "started.$i"
    done
    # Busy, so it has to be lazy.
    not fusermount3 -u mnt 2>/dev/null
    fusermount3 -uz mnt
    for i in "${readers[@]}"; do
        wait "$i"
    done
    eventually is_over
}

@test "kill -9: nobody hangs, and --recover clears what is left" {
    web
    mount_on "$vm/vm" mnt
    cat mnt/disks/web01.raw mnt/disks/web01.raw mnt/disks/web01.raw >/dev/null &
    exec 4<mnt/disks/web01.p1
    kill -9 "$server"
    wait "$!" || true
    not timeout 5 ls mnt 2>said
    grep -q 'Transport endpoint is not connected' said
    not timeout 5 dd bs=4k count=1 skip=2000 <&4 >/dev/null 2>&1
    exec 4<&-
    run --separate-stderr vmcrypt mount --status mnt
    [ "$status" -eq 1 ]
    says "--recover"
    run --separate-stderr vmcrypt mount --keyring "$ring" "$vm/vm" mnt
    [ "$status" -eq 1 ]
    says "--recover"
    eventually is_gone "$server"
    eventually test ! -e pid
    vmcrypt mount --recover mnt
    [ -z "$(mounts)" ]
    ls mnt
    # And both at once; or as with any FUSE mount.
    mount_on "$vm/vm" mnt
    kill -9 "$server"
    eventually is_gone "$server"
    vmcrypt mount --keyring "$ring" --pid-file "$work/pid" --recover mnt "$vm/vm"
    server=$(cat pid)
    ls mnt/disks >/dev/null
    kill -9 "$server"
    eventually is_gone "$server"
    fusermount3 -u mnt
    [ -z "$(mounts)" ]
}

@test "--recover leaves the living alone, and what is not ours" {
    web
    mount_on "$vm/vm" mnt
    run --separate-stderr vmcrypt mount --recover mnt
    [ "$status" -eq 1 ]
    says "is alive"
    ls mnt/disks >/dev/null
    mkdir other
    run --separate-stderr vmcrypt mount --recover other
    [ "$status" -eq 1 ]
    says "no mount of vmcrypt"
    run --separate-stderr vmcrypt mount --keyring "$ring" "$vm/vm" mnt
    [ "$status" -eq 1 ]
    says "here already"
}

@test "-o auto_unmount clears what a killed server leaves" {
    web
    mount_on "$vm/vm" mnt -o auto_unmount
    kill -9 "$server"
    eventually is_over
    ls mnt
}

@test "no key: exit 3 and nothing is mounted" {
    web
    run --separate-stderr vmcrypt mount --pid-file "$work/pid" "$vm/vm" mnt </dev/null
    [ "$status" -eq 3 ]
    says "0cdf8f7b-4e3d-4d5b-9dba-912984687236"
    [ -z "$(mounts)" ]
    [ ! -e pid ]
    [ -z "$(processes)" ]
    echo wrong >phrase
    make_vm ws-xts made
    run --separate-stderr vmcrypt mount --passphrase-file phrase made/vm mnt
    [ "$status" -eq 3 ]
    [ -z "$(mounts)" ]
}

@test "words that are off: exit 2" {
    web
    for words in '-o rw' '--mode 0644' '--mode 9' '--owner nobody-of-that-name' '--threads 0' \
        '-o no_such_option' '-o subtype=x'; do
        # shellcheck disable=SC2086 # an option and its argument
        run --separate-stderr vmcrypt mount --keyring "$ring" $words "$vm/vm" mnt
        [ "$status" -eq 2 ] || fail "$words: $status $stderr"
    done
    run vmcrypt mount "$vm/vm"
    [ "$status" -eq 2 ]
    run vmcrypt mount --status mnt "$vm/vm"
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt mount --keyring "$ring" "$vm/vm" nowhere
    [ "$status" -eq 1 ]
    says nowhere
    [ -z "$(mounts)" ]
}

@test "a source that shrinks: EIO where it is gone, one line in the log, the rest stays" {
    own_web
    mount_on "$vm/vm" mnt --log-file log
    truncate -s 20M "$vm/vm/web01-flat.vmdk"
    /usr/bin/python3 - "$BATS_FILE_TMPDIR/web/truth/disk1.raw" <<'END'
import errno, mmap, os, sys
truth = open(sys.argv[1], "rb").read()
fd = os.open("mnt/disks/web01.raw", os.O_RDONLY)
end = 20 << 20
assert os.pread(fd, end, 0) == truth[:end]
for at in (end, len(truth) - 4096):
    try:
        os.pread(fd, 4096, at)
        sys.exit(f"{at} can be read")
    except OSError as problem:
        assert problem.errno == errno.EIO, problem
assert os.fstat(fd).st_size == len(truth)
END
    grep -q 'web01' log
    [ "$(wc -l <log)" -le 12 ]
    vmcrypt mount --status mnt | grep -q 'errors: [1-9]'
    # Gone altogether: what is open still can be read.
    rm "$vm/vm/web01-flat.vmdk"
    head -c 1M mnt/disks/web01.raw | cmp - <(head -c 1M "$BATS_FILE_TMPDIR/web/truth/disk1.raw")
    not is_gone "$server"
}

# Have the server make system call NUMBER. What it gave, nothing when that was its end.
make_call()
{
    gdb -q -p "$server" --batch -ex "print (long)syscall($1)" 2>&1 | sed -n 's/^\$1 = //p'
}

@test "the server is in a sandbox, and cannot do what is forbidden there" {
    web
    mount_on "$vm/vm" mnt
    grep -q '^NoNewPrivs:.1$' "/proc/$server/status"
    grep -q '^Seccomp:.2$' "/proc/$server/status"
    # CAP_DAC_READ_SEARCH and CAP_FOWNER at most.
    grep -Eq '^CapEff:.0{15}[048c]$' "/proc/$server/status"
    [ "$(id -u)" -eq 0 ] || skip "only root can trace the server"
    need gdb
    not_sanitized
    local getpid=39 umask_call=95 socket=41
    case $(uname -m) in
    x86_64) ;;
    aarch64) getpid=172 umask_call=166 socket=198 ;;
    *) skip "the numbers of system calls are not known here" ;;
    esac
    [ "$(make_call "${getpid}L")" = "$server" ] || skip "gdb cannot trace here"
    # umask never fails, outside.
    [ "$(make_call "${umask_call}L, 18L")" = -1 ]
    ls mnt/disks >/dev/null
    [ -z "$(make_call "${socket}L, 2L, 1L, 0L")" ]
    eventually is_gone "$server"
}

@test "memory is bounded, and nothing stays behind" {
    not_sanitized
    web
    mount_on "$vm/vm" mnt
    for _ in 1 2 3; do
        find mnt -type f -exec cat {} + >/dev/null
        dd if=mnt/disks/web01.raw of=/dev/null bs=1M iflag=direct status=none
    done
    resident=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server/status")
    [ "$resident" -lt 65536 ] || fail "$resident KiB"
    [ "$(processes | wc -l)" -eq 2 ]
    fusermount3 -u mnt
    eventually is_over
    eventually no_process
}
