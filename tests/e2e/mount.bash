# What the tests of vmcrypt mount share: `load mount` behind `load helpers`.
# shellcheck shell=bash disable=SC2154 # run sets status, output and stderr

# Made once: NAME of a VM that is at $BATS_FILE_TMPDIR/NAME.
setup_file()
{
    # Nothing can be skipped here: each test does.
    if can_mount; then lab make vsphere "$BATS_FILE_TMPDIR/web" || true; fi
}

can_mount()
{
    [ -c /dev/fuse ] && { : <>/dev/fuse; } 2>/dev/null
}

# Every test works in a directory that other users can reach, too.
setup()
{
    can_mount || skip "no /dev/fuse here"
    need fusermount3 findmnt
    [ -e "$BATS_FILE_TMPDIR/web" ] || skip "a tool that makes VMs is missing"
    # The leak sanitizer cannot look into a process that is in a sandbox.
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
    work=$(mktemp -d /tmp/vmcrypt-mount.XXXXXX)
    chmod 755 "$work"
    cd "$work"
    mkdir mnt
}

mounts()
{
    findmnt -rn -t fuse.vmcrypt -o TARGET | grep -F "$work/" || true
}

# Server and guard, by the directory in their command line.
processes()
{
    pgrep -f -- "$work/pid" || true
}

teardown()
{
    [ -n "${work:-}" ] || return 0
    local at pid
    cd /
    while [ -n "$(mounts)" ]; do
        at=$(mounts | tail -n 1)
        umount -l "$at" 2>/dev/null || fusermount3 -uz "$at" || break
    done
    if mountpoint -q "$work/fs"; then
        umount "$work/fs"
    fi
    [ -z "${loop:-}" ] || losetup -d "$loop"
    for pid in $(processes); do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}

# Mount VM (a name), DISK or FILE on mnt: SOURCE [OPTION...].
mount_on()
{
    local source=$1 at=$2
    shift 2
    vmcrypt mount --keyring "$ring" --pid-file "$work/pid" "$@" "$source" "$at"
    server=$(cat "$work/pid")
}

web()
{
    vm=$BATS_FILE_TMPDIR/web
    ring=$vm/keys/keyring.yaml
}

# A copy of it that can be damaged, or given to somebody.
own_web()
{
    cp -a "$BATS_FILE_TMPDIR/web" web
    vm=$work/web
    ring=$vm/keys/keyring.yaml
}

# Until COMMAND succeeds; 5 seconds at most.
eventually()
{
    local i
    for ((i = 0; i < 100; i++)); do
        ! "$@" || return 0
        sleep 0.05
    done
    fail "did not come true: $*"
}

no_mount()
{
    [ -z "$(mounts)" ]
}

no_process()
{
    [ -z "$(processes)" ]
}

is_gone()
{
    [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

# All of it has ended, and left nothing.
is_over()
{
    no_mount && is_gone "$server" && [ ! -e "$work/pid" ]
}

sha()
{
    sha256sum -- "$@" | cut -d ' ' -f 1
}

as_root()
{
    [ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
    need setpriv
}

as_user()
{
    setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"
}
