#!/usr/bin/env bats
# Keys and passphrases are nowhere to be seen: not in the arguments or the environment, not in a
# core file, however it is forced, not in what is said at -vvv.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

find_secrets()
{
    "$top/tests/e2e/find_secrets.py" "$@"
}

# Make KIND; pick the options that give its keys.
made()
{
    make_vm "$1" made
    keys=(--keyring made/keys/keyring.yaml)
    [ ! -e made/keys/passphrase.txt ] || keys=(--passphrase-file made/keys/passphrase.txt)
}

# Stop vmcrypt recover inside FUNCTION under a debugger, and run the gdb COMMANDs there.
stopped_in()
{
    local function=$1 commands=() command
    shift
    for command; do commands+=(-ex "$command"); done
    run gdb -nx -batch -ex 'set breakpoint pending on' -ex 'set debuginfod enabled off' \
        -ex "break $function" -ex run "${commands[@]}" -ex kill \
        --args "$VMCRYPT_BUILD/vmcrypt-recover" "${keys[@]}" made/vm out
    has 'Breakpoint 1,'
}

# A core taken by force while the disk is copied, with all keys unlocked.
core_holds_no_secret()
{
    need gdb
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can force a core of a process that forbids it"
    stopped_in disk_copy 'shell echo taking a core' 'generate-core-file core' \
        "shell $top/tests/e2e/find_secrets.py made/truth.json --pid \$(pgrep -n vmcrypt-recover)"
    [ -s core ]
    # The keys were there to be found: the debugger's look at live memory saw them.
    has 'found secret key'
    run find_secrets made/truth.json core
    [ "$status" -eq 0 ] || fail "in the core: $output"
}

@test "secrets: not in a forced core (KEK)" {
    made vsphere
    core_holds_no_secret
}

@test "secrets: not in a forced core (passphrase, XTS label)" {
    made ws-disk
    core_holds_no_secret
}

# The YAML parser wipes nothing, so the keys that stand in a keyring must not pass through it.
@test "secrets: keys in a keyring, plain or encrypted, never lie in the ordinary heap" {
    need gdb
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can look into a process that forbids it"
    made vsphere
    printf p >p
    vmcrypt key import --to plain.ring "${keys[1]}"
    vmcrypt key import --new-passphrase-file p --to sealed.ring "${keys[1]}"
    for ring in plain sealed; do
        keys=(--keyring "$ring.ring" --keyring-passphrase-file p)
        stopped_in keysafe_open \
            "shell echo heap: \$($top/tests/e2e/find_secrets.py made/truth.json --heap \$(pgrep -n vmcrypt-recover)):" \
            "shell echo all: \$($top/tests/e2e/find_secrets.py made/truth.json --pid \$(pgrep -n vmcrypt-recover)):"
        has 'heap: :'
        has 'all: found secret key'
    done
}

@test "secrets: no core at all when it crashes" {
    need strace
    not_sanitized
    made vsphere
    ulimit -c unlimited || skip "core files are not allowed here"
    crash=(strace -qq -o /dev/null -e 'trace=pwrite64,write' -e 'inject=pwrite64,write:signal=ABRT:when=3')
    mkdir control
    (cd control && not "${crash[@]}" /usr/bin/python3 -c 'for i in range(9): open("f", "w").write("x")')
    ls control/core* || skip "this system writes no core files here"
    not "${crash[@]}" vmcrypt-recover "${keys[@]}" made/vm out
    find . -path ./control -prune -o -name 'core*' -print | not grep .
}

@test "secrets: not in arguments or environment" {
    made ws-disk
    mkfifo phrase
    vmcrypt recover --passphrase-file phrase made/vm out &
    pid=$!
    # It waits in the middle of reading the passphrase while we look.
    exec 7>phrase
    cat made/keys/passphrase.txt >&7
    tr '\0' '\n' <"/proc/$pid/cmdline" >seen
    ps -ef >>seen
    [ ! -r "/proc/$pid/environ" ] || tr '\0' '\n' <"/proc/$pid/environ" >>seen || true
    grep -q 'recover' seen
    exec 7>&-
    wait $pid
    find_secrets made/truth.json seen
}

@test "secrets: not in what is said at -vvv" {
    for kind in vsphere ws-disk; do
        rm -rf made out
        made "$kind"
        vmcrypt recover -vvv --progress always "${keys[@]}" made/vm out >said 2>&1
        vmcrypt vmx info -vvv "${keys[@]}" made/vm/*.vmx >>said 2>&1
        vmcrypt disk info -vvv "${keys[@]}" made/vm/*[0-9n].vmdk >>said 2>&1 || true
        vmcrypt key list -vvv "${keys[@]}" >>said 2>&1
        vmcrypt key explain -vvv "${keys[@]}" made/vm/*.vmx >>said 2>&1
        [ "$(wc -c <said)" -gt 500 ]
        find_secrets made/truth.json said out/report.json
    done
}

@test "secrets: the search itself finds them where they are" {
    made vsphere
    run find_secrets made/truth.json made/truth.json
    [ "$status" -eq 1 ]
    has 'found secret key'
    run find_secrets made/truth.json made/keys/kms-1.key made/keys/kms-2.key
    [ "$status" -eq 1 ]
}

@test "secrets: a key that others can read is warned of" {
    made ws-aes
    chmod 644 made/keys/passphrase.txt
    run --separate-stderr vmcrypt key list "${keys[@]}"
    says 'others may read'
    chmod 600 made/keys/passphrase.txt
    run --separate-stderr vmcrypt key list "${keys[@]}"
    [ -z "$stderr" ]
}
