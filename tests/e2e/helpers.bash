# What the end-to-end tests share: `load helpers` in each. tests/run puts the built programs first
# on PATH and sets VMCRYPT_BUILD and VMCRYPT_SAMPLES; bats gives each test BATS_TEST_TMPDIR.
# shellcheck shell=bash disable=SC2154 # run sets status, output and stderr

bats_require_minimum_version 1.5.0

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

# The fixture maker; its exit status 77 says that a tool it needs is missing.
lab()
{
    /usr/bin/python3 "$top/tests/lab/lab.py" "$@"
}

# Make a VM: KIND DIR [OPTION...]. Skips the test when a tool is missing.
make_vm()
{
    local status=0
    lab make "$@" || status=$?
    [ "$status" -ne 77 ] || skip "a tool that makes $1 is missing"
    return "$status"
}

# Skip unless all PROGRAMs are installed.
need()
{
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# Skip without the sample FILE, a path below $VMCRYPT_SAMPLES.
need_sample()
{
    [ -e "$VMCRYPT_SAMPLES/$1" ] || skip "the sample $1 is not here"
}

# Skip where no pseudo-terminal is to be had, as in a bare chroot.
need_terminal()
{
    /usr/bin/python3 -c 'import pty; pty.openpty()' 2>/dev/null || skip "no pseudo-terminals here"
}

# Skip in a sanitizer build, for what sanitizers make impossible (memory limits) or endless.
not_sanitized()
{
    [ -z "${VMCRYPT_SANITIZED:-}" ] || skip "not in a sanitizer build"
}

# Fails when COMMAND succeeds. A bare "! COMMAND" cannot fail a test. Also as the end of a pipe:
# find ... | not grep .
not()
{
    if "$@"; then fail "succeeded: $*"; fi
}

# strace, for injected faults. The leak sanitizer cannot work in a traced program.
traced()
{
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq "$@"
}

# The last `run` printed TEXT, on standard output (has) or standard error (says: after
# `run --separate-stderr`).
has()
{
    [[ $output == *"$1"* ]] || fail "no '$1' in: $output"
}

has_not()
{
    [[ $output != *"$1"* ]] || fail "'$1' in: $output"
}

says()
{
    [[ $stderr == *"$1"* ]] || fail "no '$1' in: $stderr"
}

fail()
{
    echo "$*" >&2
    return 1
}
