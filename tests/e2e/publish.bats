#!/usr/bin/env bats
# vmcrypt disk decrypt|encrypt: killed at its end, when image and descriptor get their names; and a
# short run of the crashes of copies in tests/crash.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

made()
{
    need strace
    not_sanitized
    make_vm tiny made
    ring=made/keys/keyring.yaml
    disk=made/vm/web01.vmdk
    raw=made/truth/disk1.raw
    head -c 32 /dev/urandom >kek.bin
    head -c 32 /dev/urandom >other.bin
    decrypt=(vmcrypt-disk decrypt -q --keyring "$ring" "$disk")
    encrypt=(vmcrypt-disk encrypt -q --kek K/1 --key K/1=kek.bin "$raw")
}

# Kill COMMAND where it makes its Nth call of those that give names or sync; fails when it makes
# fewer.
killed_at()
{
    local n=$1 calls=rename,unlink,fsync
    shift
    run strace -f -qq -o /dev/null -e trace=$calls -e "inject=$calls:signal=KILL:when=$n" "$@"
    [ "$status" -ne 0 ]
}

# NAME.vmdk reads as the truth, with the key of the lab or of `encrypt`.
reads_right()
{
    rm -f back.raw
    vmcrypt-disk decrypt -q --keyring $ring --key K/1=kek.bin "$1" back.raw && cmp back.raw $raw
}

nothing_left()
{
    find . -maxdepth 1 -name 'out*' \( -name '*.partial*' -o -name '*.journal*' \) | not grep .
}

# Killed when all was done: FILE
is_done()
{
    [ -e "$1" ] && [ -z "$(find . -maxdepth 1 -name 'out*.partial*')" ]
}

@test "publish: with --resume killed at every step, then the same command finishes" {
    made
    local command n kills=0
    for command in decrypt encrypt; do
        local -n words=$command
        n=1
        rm -f out*
        while killed_at $n "${words[@]}" --threads 1 --resume out.vmdk; do
            # By its final name the descriptor is there only when all is.
            [ ! -e out.vmdk ] || reads_right out.vmdk
            is_done out.vmdk || "${words[@]}" --resume out.vmdk || fail "$command, kill $n: $(ls)"
            reads_right out.vmdk || fail "$command, kill $n"
            nothing_left || fail "$command, kill $n"
            kills=$((kills + 1)) n=$((n + 1))
            rm -f out*
        done
    done
    rm -f out*
    n=1
    while killed_at $n "${decrypt[@]}" --threads 1 --resume --sha256 out.raw; do
        is_done out.raw || "${decrypt[@]}" --resume --sha256 out.raw || fail "raw, kill $n: $(ls)"
        cmp out.raw $raw
        sha256sum --quiet -c out.raw.sha256
        nothing_left
        kills=$((kills + 1)) n=$((n + 1))
        rm -f out*
    done
    [ $kills -gt 25 ] || fail "only $kills kills"
}

# Killed when the image has its name and the descriptor has not: COMMAND [OPTION...] out.vmdk
stopped_between()
{
    local n=1
    rm -f out*
    while killed_at $n "$@"; do
        if [ -e out-flat.vmdk ] && [ ! -e out.vmdk ]; then return 0; fi
        rm -f out*
        n=$((n + 1))
    done
    fail "never stopped there: $*"
}

@test "publish: between the two names, with --resume: the same command goes on, and copies nothing" {
    made
    stopped_between "${encrypt[@]}" --resume out.vmdk
    # Without --resume it is refused.
    run --separate-stderr "${encrypt[@]}" out.vmdk
    [ "$status" -eq 1 ]
    says 'an interrupted copy is there: --resume goes on with it'
    # Another source is.
    cp $raw other.raw
    run --separate-stderr vmcrypt-disk encrypt --resume --kek K/1 --key K/1=kek.bin other.raw out.vmdk
    [ "$status" -eq 1 ]
    says 'this is the journal of another copy'
    # So is another key.
    run vmcrypt-disk encrypt -q --resume --kek K/1 --key K/1=other.bin $raw out.vmdk
    [ "$status" -eq 3 ]
    before=$(stat -c %i-%y out-flat.vmdk)
    run --separate-stderr vmcrypt-disk encrypt --json --resume --kek K/1 --key K/1=kek.bin $raw out.vmdk
    [ "$status" -eq 0 ]
    [ "$(/usr/bin/python3 -c 'import json,sys; d=json.loads(sys.argv[1]); print(d["written"], d["kept"])' \
        "$output")" = "0 $(stat -c %s $raw)" ]
    [ "$(stat -c %i-%y out-flat.vmdk)" = "$before" ]
    reads_right out.vmdk
    nothing_left
}

@test "publish: between the two names, with --sha256: read again, and it must be there" {
    made
    stopped_between "${decrypt[@]}" --resume --sha256 out.vmdk
    cp out-flat.vmdk good
    printf x | dd of=out-flat.vmdk bs=1 seek=5000 conv=notrunc status=none
    run --separate-stderr "${decrypt[@]}" --resume --sha256 out.vmdk
    [ "$status" -eq 4 ]
    says 'what an earlier run wrote is not there any more (at byte 5000)'
    not test -e out.vmdk
    cat good >out-flat.vmdk
    "${decrypt[@]}" --resume --sha256 out.vmdk
    sha256sum --quiet -c out.vmdk.sha256
    reads_right out.vmdk
    nothing_left
}

@test "publish: between the two names of the parts: --finish finishes" {
    made
    for i in 1 2; do "${decrypt[@]}" --shard $i/2 out.vmdk; done
    local n=1
    while killed_at $n "${decrypt[@]}" --finish out.vmdk; do
        if [ -e out-flat.vmdk ] && [ ! -e out.vmdk ]; then
            # A part that is done says so.
            "${decrypt[@]}" --shard 1/2 out.vmdk
            not test -e out.vmdk
        fi
        is_done out.vmdk || "${decrypt[@]}" --finish out.vmdk
        reads_right out.vmdk
        nothing_left
        rm -f out*
        for i in 1 2; do "${decrypt[@]}" --shard $i/2 out.vmdk; done
        n=$((n + 1))
    done
    [ $n -gt 5 ] || fail "$n"
}

@test "publish: a journal beside another image proves nothing" {
    made
    "${decrypt[@]}" --shard 1/2 out.raw
    mv out.raw.partial out.raw
    run --separate-stderr "${decrypt[@]}" --resume out.raw
    [ "$status" -eq 1 ]
    says 'is not what the journals beside it speak of'
    "${decrypt[@]}" --force out.raw
    cmp out.raw $raw
    nothing_left
}

@test "publish: between the two names without --resume: it is told what to do" {
    made
    for command in decrypt encrypt; do
        local -n words=$command
        stopped_between "${words[@]}" out.vmdk
        for options in '' --resume; do
            # shellcheck disable=SC2086 # none or one
            run --separate-stderr "${words[@]}" $options out.vmdk
            [ "$status" -eq 1 ]
            says 'out-flat.vmdk: exists, and out.vmdk.partial describes it'
            says 'rename that file to out.vmdk to finish, or --force starts again'
        done
        cp out.vmdk.partial kept
        mv out.vmdk.partial out.vmdk
        reads_right out.vmdk
        # Not said of an image that is not what it describes.
        rm out.vmdk
        mv kept out.vmdk.partial
        truncate -s +512 out-flat.vmdk
        run --separate-stderr "${words[@]}" out.vmdk
        says 'exists already'
        "${words[@]}" --force out.vmdk
        reads_right out.vmdk
        nothing_left
    done
}

@test "publish: over another disk with --force, killed at every step: never one with the other's descriptor" {
    made
    vmcrypt-disk encrypt -q --kek K/2 --key K/2=other.bin $raw old.vmdk
    sed 's/old-flat/out-flat/' old.vmdk >old.text
    local n=1
    while cp old-flat.vmdk out-flat.vmdk && cp old.text out.vmdk &&
        killed_at $n "${encrypt[@]}" --force out.vmdk; do
        if [ -e out.vmdk ]; then
            rm -f back.raw
            vmcrypt-disk decrypt -q --key K/1=kek.bin --key K/2=other.bin out.vmdk back.raw
            cmp back.raw $raw || fail "kill $n"
        fi
        "${encrypt[@]}" --force out.vmdk
        reads_right out.vmdk
        nothing_left
        rm -f out*
        n=$((n + 1))
    done
    [ $n -gt 6 ] || fail "$n"
}

@test "copies with --resume: crashes and power cuts, the journal kept at every write" {
    not_sanitized
    shim=$VMCRYPT_BUILD/tests/crash/shim.so
    [ -e "$shim" ] || skip "the crash shim is not built"
    full=()
    [ -z "${VMCRYPT_SLOW_TESTS:-}" ] || full=(--full)
    run /usr/bin/python3 "$top/tests/crash/run.py" --shim "$shim" --only copy "${full[@]}"
    echo "$output"
    [ "$status" -eq 0 ]
    has ' 0 failed'
}
