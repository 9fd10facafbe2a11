#!/usr/bin/env bats
# vmcrypt disk decrypt and encrypt as a data path: threads, journals, parts, digests, and what
# breaks: kill -9, Ctrl-C, a full file system, unreadable sectors, an input that shrinks. The
# truth is the plaintext the disk was made from; one test compares with the lab's own reader.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    export SIZE=$((24 * 1024 * 1024 + 1536))
}

# A disk of SIZE bytes: noise with holes, zeros and text in it; KEK in kek. The extent has the
# same holes.
made()
{
    /usr/bin/python3 - "$SIZE" <<'END'
import os, random, sys
size = int(sys.argv[1])
random.seed(5)
with open("plain.raw", "wb") as out:
    out.truncate(size)
    for at in range(0, size, 65536):
        kind = random.randrange(4)
        part = min(65536, size - at)
        if kind == 0:
            continue
        data = random.randbytes(part)
        if kind == 1:
            data = data[:part // 3] + bytes(part // 3) + data[part // 3 * 2:]
        if kind == 2:
            data = (b"text in the plaintext " * 4096)[:part]
        out.seek(at)
        out.write(data[:part])
END
    head -c 32 /dev/urandom >kek
    chmod 600 kek
    vmcrypt disk encrypt -q --key KMS/k1=kek --kek KMS/k1 plain.raw d.vmdk
    truth=$(sha256sum <plain.raw)
    decrypt=(vmcrypt disk decrypt --key KMS/k1=kek d.vmdk)
}

same()
{
    [ "$(sha256sum <"$1")" = "$truth" ] || fail "$1 is not the plaintext"
}

nothing_left()
{
    local left
    left=$(find . -name 'out*')
    [ -z "$left" ] || fail "left: $left"
}

faults()
{
    need cc
    cc -D_GNU_SOURCE -shared -fPIC -o faults.so "$top/tests/e2e/faults.c" -ldl
    not_sanitized
}

json()
{
    /usr/bin/python3 -c "import json,sys; d=json.loads(sys.argv[1]); print($1)" "$output"
}

@test "copy: any number of threads, buffered or direct, equal to the truth and to the lab's reader" {
    made
    lab decrypt-disk d.vmdk lab.raw --kek-file kek
    same lab.raw
    for threads in 1 2 5 16; do
        for how in --direct --buffered; do
            "${decrypt[@]}" -q --threads $threads $how --force out.raw
            same out.raw
        done
    done
    [ "$(stat -c %b out.raw)" -le "$(stat -c %b d-flat.vmdk)" ]
    for wrong in 0 17 x -1 ''; do
        run "${decrypt[@]}" --threads "$wrong" out2.raw
        [ "$status" -eq 2 ]
    done
}

@test "copy: --sha256 of both sides, checked by sha256sum" {
    made
    run --separate-stderr "${decrypt[@]}" --sha256 --json out.raw
    [ "$status" -eq 0 ]
    [ "$(json 'd["sha256"]["output"]')" = "${truth%% *}" ]
    [ "$(json 'd["sha256"]["input"]')" = "$(sha256sum <d-flat.vmdk | cut -d ' ' -f 1)" ]
    run sha256sum -c out.raw.sha256
    [ "$status" -eq 0 ]
    [ "$(wc -l <out.raw.sha256)" -eq 2 ]
    vmcrypt disk encrypt -q --sha256 --key KMS/k1=kek --kek KMS/k1 plain.raw 'e\n.vmdk'
    sha256sum -c 'e\n.vmdk.sha256'
    run "${decrypt[@]}" --sha256 --shard 1/2 out2.raw
    [ "$status" -eq 2 ]
}

@test "resume: kill -9 at every write of the output and of the journal" {
    made
    need strace
    not_sanitized
    local n=1 kills=0
    while :; do
        rm -f out*
        run strace -f -qq -o /dev/null -e trace=pwrite64,fdatasync,rename,unlink,fsync,ftruncate,fallocate \
            -e "inject=pwrite64,fdatasync,rename,unlink,fsync,ftruncate,fallocate:signal=KILL:when=$n" \
            "${decrypt[@]}" -q --threads 1 --resume out.raw
        [ "$status" -ne 0 ] || break
        kills=$((kills + 1))
        # What is there by its final name is whole.
        [ ! -e out.raw ] || { same out.raw; n=$((n + 1)); continue; }
        run "${decrypt[@]}" -q --resume out.raw
        [ "$status" -eq 0 ] || fail "kill $n: $output"
        same out.raw
        [ "$(find . -name 'out.raw.*' | wc -l)" -eq 0 ] || fail "kill $n: $(ls)"
        n=$((n + 1))
        [ $n -lt 60 ] || n=$((n + 7))
    done
    [ $kills -gt 20 ] || fail "only $kills kills"
}

# Skips where the kernel has no io_uring, or forbids it here.
need_uring()
{
    need strace
    not_sanitized
    strace -f -qq -o uring -e trace=io_uring_setup,io_uring_enter \
        "${decrypt[@]}" -q --direct out.raw
    rm out.raw
    grep -q io_uring_enter uring || skip "io_uring cannot be used here: $(head -n 1 uring)"
}

@test "io_uring: kill -9 at any time" {
    made
    need_uring
    local n=1 kills=0
    while :; do
        rm -f out*
        run strace -f -qq -o /dev/null -e trace=io_uring_enter,fdatasync \
            -e inject=io_uring_enter,fdatasync:signal=KILL:when=$n \
            "${decrypt[@]}" -q --direct --threads 2 --resume out.raw
        [ "$status" -ne 0 ] || break
        kills=$((kills + 1))
        run "${decrypt[@]}" -q --direct --resume out.raw
        [ "$status" -eq 0 ] || fail "kill $n: $output"
        same out.raw
        [ "$(find . -name 'out.raw.*' | wc -l)" -eq 0 ] || fail "kill $n: $(ls)"
        n=$((n + 1 + n / 8))
    done
    [ $kills -gt 10 ] || fail "only $kills kills"
}

@test "io_uring: interrupted, and gone on with; what is there is compared" {
    made
    need_uring
    run strace -f -qq -o /dev/null -e trace=io_uring_enter -e inject=io_uring_enter:signal=INT:when=200 \
        "${decrypt[@]}" --direct --threads 1 --resume out.raw
    [ "$status" -eq 1 ]
    has 'interrupted'
    has 'is kept with its journal'
    run --separate-stderr "${decrypt[@]}" --direct --resume --sha256 --json out.raw
    [ "$status" -eq 0 ]
    [ "$(json 'd["kept"] > 0')" = True ]
    same out.raw
    sha256sum -c out.raw.sha256
}

@test "io_uring: where it is forbidden, a write after the other" {
    made
    need_uring
    for cause in EPERM ENOSYS ENOMEM; do
        strace -f -qq -o uring -e trace=io_uring_setup,io_uring_enter -e inject=io_uring_setup:error=$cause \
            "${decrypt[@]}" --direct out.raw >said 2>&1
        same out.raw
        not grep -q io_uring_enter uring
        not grep -q 'page cache' said
        rm out.raw
    done
    # A kernel that is too old for what is asked for first.
    strace -f -qq -o uring -e trace=io_uring_setup,io_uring_enter -e inject=io_uring_setup:error=EINVAL:when=1 \
        "${decrypt[@]}" -q --direct out.raw
    same out.raw
    grep -q io_uring_enter uring
    # Forbidden only when it is used: at first, and for good.
    for when in 1 1+; do
        strace -f -qq -o uring -e trace=io_uring_enter -e inject=io_uring_enter:error=EPERM:when=$when \
            "${decrypt[@]}" -q --direct --threads 2 --force out.raw
        same out.raw
    done
}

@test "io_uring: not with a limit or through the page cache; 16 threads in little memory" {
    made
    need_uring
    need /usr/bin/time
    for how in '--buffered' '--direct --rate-limit 100M' ''; do
        # shellcheck disable=SC2086
        strace -f -qq -o uring -e trace=io_uring_setup "${decrypt[@]}" -q --force $how out.raw
        not grep -q . uring
        same out.raw
    done
    /usr/bin/time -o memory -f %M "${decrypt[@]}" -q --force --direct --threads 16 --sha256 out.raw
    [ "$(cat memory)" -lt 65536 ]
    same out.raw
}

@test "copy: a file system that refuses direct writes is told, and written to all the same" {
    SIZE=$((24 * 1024 * 1024)) # its end is aligned too
    made
    need strace
    not_sanitized
    # Every other write, which is the direct one.
    run strace -f -qq -o /dev/null -e trace=io_uring_setup,pwrite64 -e inject=io_uring_setup:error=ENOSYS \
        -e inject=pwrite64:error=EINVAL:when=1+2 "${decrypt[@]}" --direct --threads 1 out.raw
    [ "$status" -eq 0 ]
    has 'no direct I/O here'
    same out.raw
}

@test "resume: only what the journal tells is trusted" {
    made
    need strace
    not_sanitized
    run strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=INT:when=60 \
        "${decrypt[@]}" --threads 1 --rate-limit 40M --resume out.raw
    [ "$status" -eq 1 ]
    has 'interrupted'
    has 'is kept with its journal'
    done=$(/usr/bin/python3 -c '
import struct
d = open("out.raw.partial.journal", "rb").read()
slots = [d[:65536], d[65536:]]
print(max((struct.unpack_from("<Q", s, 16)[0], struct.unpack_from("<Q", s, 48)[0]) for s in slots)[1])')
    [ "$done" -gt 0 ]
    # A power cut may leave anything behind it.
    head -c 900000 /dev/urandom | dd of=out.raw.partial bs=4096 seek=$((done / 4096 + 3)) conv=notrunc status=none
    truncate -s 20000000 out.raw.partial
    run --separate-stderr "${decrypt[@]}" --resume --json out.raw
    [ "$status" -eq 0 ]
    [ "$(json 'd["kept"]')" = "$done" ]
    same out.raw
}

# Leaves an interrupted job.
interrupt()
{
    need strace
    not_sanitized
    run strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=50 \
        "${decrypt[@]}" -q --threads 1 --resume "$@" out.raw
    [ -e out.raw.partial.journal ]
}

@test "resume: refused for another source, key, unit, or a damaged journal" {
    SIZE=$((24 * 1024 * 1024 + 4096))
    made
    interrupt
    run --separate-stderr "${decrypt[@]}" --resume --data-unit 4096 out.raw
    [ "$status" -eq 1 ]
    says 'data unit differs'
    run --separate-stderr "${decrypt[@]}" --resume --decrypt-zero-units out.raw
    says 'zero-units differs'
    touch -d '2001-01-01' d-flat.vmdk
    run --separate-stderr "${decrypt[@]}" --resume out.raw
    [ "$status" -eq 1 ]
    says 'time of change of an extent differs'
    [ -e out.raw.partial ]
    vmcrypt disk encrypt -q --force --key KMS/k1=kek --kek KMS/k1 plain.raw d.vmdk
    run --separate-stderr "${decrypt[@]}" --resume out.raw
    says 'descriptor differs'
    head -c 131072 /dev/urandom >out.raw.partial.journal
    run --separate-stderr "${decrypt[@]}" --resume out.raw
    [ "$status" -eq 4 ]
    says 'damaged'
    run --separate-stderr "${decrypt[@]}" out.raw
    [ "$status" -eq 1 ]
    says '--force starts again'
    "${decrypt[@]}" -q --force out.raw
    same out.raw
    [ "$(find . -name 'out.raw.*' | wc -l)" -eq 0 ]
}

@test "resume: an encrypting job goes on under the same disk key" {
    made
    need strace
    not_sanitized
    printf 'pass phrase' >phrase
    chmod 600 phrase
    for how in '--key KMS/k1=kek --kek KMS/k1' '--passphrase-file phrase --rounds 1000'; do
        rm -f out*
        # shellcheck disable=SC2086
        run strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=90 \
            vmcrypt disk encrypt -q --threads 1 --resume $how plain.raw out.vmdk
        [ -e out.vmdk.partial ] && [ -e out-flat.vmdk.partial.journal ]
        grep ^encryptionKeys out.vmdk.partial >keys
        # shellcheck disable=SC2086
        vmcrypt disk encrypt -q --resume $how plain.raw out.vmdk
        grep -qFf keys out.vmdk
        [ "$(find . -name 'out*' | wc -l)" -eq 2 ]
        lab decrypt-disk out.vmdk back.raw --kek-file kek --passphrase-file phrase
        same back.raw
        rm back.raw
    done
}

@test "resume: with --sha256 what was written before is read again, and must be there" {
    made
    interrupt --rate-limit 60M
    cp --sparse=always out.raw.partial keep
    "${decrypt[@]}" -q --resume --sha256 out.raw
    same out.raw
    sha256sum -c out.raw.sha256
}

@test "resume: two at once do not share a job" {
    made
    "${decrypt[@]}" -q --resume --rate-limit 8M out.raw &
    sleep 1
    run --separate-stderr "${decrypt[@]}" --resume out.raw
    [ "$status" -eq 1 ]
    says 'another process'
    wait
    same out.raw
}

@test "shards: 1/4 to 4/4 by four processes, and --finish" {
    made
    run --separate-stderr "${decrypt[@]}" --shard 2/4 out.raw
    [ "$status" -eq 0 ]
    says '--finish'
    run --separate-stderr "${decrypt[@]}" --finish out.raw
    [ "$status" -eq 5 ]
    says 'no part has done bytes 0 to'
    if command -v parallel >/dev/null; then
        parallel --will-cite "${decrypt[*]}" -q --shard {}/4 out.raw ::: 1 2 3 4
    else
        seq 4 | xargs -P 4 -I{} "${decrypt[@]}" -q --shard {}/4 out.raw
    fi
    "${decrypt[@]}" --finish out.raw
    same out.raw
    [ "$(find . -name 'out*' | wc -l)" -eq 1 ]
}

@test "shards: all start at once in an empty directory, to a .vmdk; encrypting too" {
    made
    seq 6 | xargs -P 6 -I{} "${decrypt[@]}" -q --shard {}/6 out.vmdk
    "${decrypt[@]}" -q --finish out.vmdk
    same out-flat.vmdk
    need qemu-img
    qemu-img compare -f vmdk -F raw out.vmdk plain.raw
    encrypt=(vmcrypt disk encrypt -q --key KMS/k1=kek --kek KMS/k1 plain.raw)
    seq 6 | xargs -P 6 -I{} "${encrypt[@]}" --shard {}/6 oute.vmdk
    "${encrypt[@]}" --finish oute.vmdk
    lab decrypt-disk oute.vmdk back.raw --kek-file kek
    same back.raw
    [ "$(find . -name 'oute*' | wc -l)" -eq 2 ]
}

@test "ranges: killed and done again; overlapping and bad ones are refused" {
    made
    need strace
    "${decrypt[@]}" -q --range 0:8M out.raw
    strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=30 \
        "${decrypt[@]}" -q --threads 1 --range 8M:10M out.raw || true
    "${decrypt[@]}" -q --range 18M:$((SIZE - 18874368)) out.raw
    run "${decrypt[@]}" --finish out.raw
    [ "$status" -eq 5 ]
    for wrong in '--range 7M:2M' '--range 0:24M' '--shard 1/3' '--resume'; do
        # shellcheck disable=SC2086
        run --separate-stderr "${decrypt[@]}" $wrong out.raw
        [ "$status" -eq 1 ] || fail "$wrong: $status"
        says 'parts do not overlap'
    done
    "${decrypt[@]}" -q --range 8M:10M out.raw
    "${decrypt[@]}" -q --finish out.raw
    same out.raw
    for wrong in 1:1M 0:1 0 :1M 0:0 0:100M 1M: 0:1Q 99999999999T:1M -1:1M; do
        run "${decrypt[@]}" --range "$wrong" out2.raw
        [ "$status" -eq 2 ] || fail "$wrong: $status"
    done
    for wrong in 0/4 5/4 1/0 a/b 1 1/100; do
        run "${decrypt[@]}" --shard "$wrong" out2.raw
        [ "$status" -eq 2 ] || fail "$wrong: $status"
    done
    run "${decrypt[@]}" --finish out2.raw
    [ "$status" -eq 1 ]
    run "${decrypt[@]}" --in-place --resume
    [ "$status" -eq 2 ]
}

@test "copy: Ctrl-C and SIGTERM leave nothing" {
    made
    for signal in INT TERM HUP; do
        # bats lets background jobs ignore SIGINT
        run --separate-stderr timeout -s "$signal" --preserve-status 1 \
            "${decrypt[@]}" --rate-limit 5M out.raw
        [ "$status" -eq 1 ] || fail "$signal: $status"
        says 'interrupted'
        nothing_left
    done
}

@test "copy: a full file system: nothing left, or with --resume gone on with when there is room" {
    made
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small tmpfs"
    mkdir small
    # Direct writes to a tmpfs are those of the page cache, but go the same way.
    for how in --buffered --direct; do
        mount -t tmpfs -o size=4m tmpfs small || skip "mounting is not allowed here"
        run --separate-stderr "${decrypt[@]}" $how small/out.raw
        left=$(ls small)
        run --separate-stderr "${decrypt[@]}" $how --resume small/out.raw
        kept=$(ls small)
        mount -o remount,size=64m small
        "${decrypt[@]}" -q $how --resume small/out.raw
        result=$(sha256sum <small/out.raw)
        after=$(ls small)
        umount small
        [ -z "$left" ]
        [ "$status" -eq 1 ]
        says 'No space left on device'
        [ "$kept" = $'out.raw.partial\nout.raw.partial.journal' ]
        [ "$result" = "$truth" ]
        [ "$after" = out.raw ]
    done
}

@test "bad sectors: an error with file and offset" {
    made
    faults
    run --separate-stderr env LD_PRELOAD="$PWD/faults.so" FAULT_FILE=d-flat.vmdk FAULT_READ=9000000:9000001 \
        "${decrypt[@]}" out.raw
    [ "$status" -eq 1 ]
    says 'd-flat.vmdk: cannot read: Input/output error'
    nothing_left
}

@test "bad sectors: --bad-sectors=zero loses the sectors alone, and lists them" {
    made
    faults
    export FAULT_FILE=d-flat.vmdk FAULT_READ=9000000:9003000
    run --separate-stderr env LD_PRELOAD="$PWD/faults.so" "${decrypt[@]}" --bad-sectors=zero --json --sha256 out.raw
    [ "$status" -eq 5 ]
    [ "$(json 'd["unreadable"]')" = "[{'offset': 8999936, 'length': 3072}]" ]
    sha256sum -c <(head -n 1 out.raw.sha256)
    dd if=/dev/zero of=plain.raw bs=512 seek=$((8999936 / 512)) count=6 conv=notrunc status=none
    cmp out.raw plain.raw
    run --separate-stderr env LD_PRELOAD="$PWD/faults.so" "${decrypt[@]}" --bad-sectors=zero --force out.raw
    [ "$status" -eq 5 ]
    says 'bytes 8999936 to 9003008 could not be read'
    # gone on with, the list is kept
    run env LD_PRELOAD="$PWD/faults.so" timeout -s INT 2 "${decrypt[@]}" -q --bad-sectors=zero --rate-limit 8M --resume out2.raw
    run --separate-stderr "${decrypt[@]}" --bad-sectors=zero --resume --json out2.raw
    [ "$status" -eq 5 ]
    [ "$(json 'd["unreadable"][0]["offset"]')" = 8999936 ]
    cmp out2.raw plain.raw
}

@test "copy: an input that shrinks is an error with the offset, never zeros" {
    made
    faults
    run --separate-stderr env LD_PRELOAD="$PWD/faults.so" FAULT_FILE=d-flat.vmdk \
        FAULT_CUT=5000000:12345678 "${decrypt[@]}" out.raw
    [ "$status" -eq 4 ]
    says 'd-flat.vmdk: file ends here'
    says '12345678'
    nothing_left
}

@test "progress: JSON lines, and a line on SIGUSR1" {
    made
    "${decrypt[@]}" --progress=json --rate-limit 12M out.raw 2>lines
    grep '^{' lines >json
    [ "$(wc -l <json)" -ge 2 ]
    /usr/bin/python3 - <<'END'
import json
lines = [json.loads(line) for line in open("json")]
assert all(set(l) == {"version", "job", "done", "total", "holes", "rate", "eta"} for l in lines)
assert lines[-1]["done"] == lines[-1]["total"] and lines[-1]["holes"] > 0
assert [l["done"] for l in lines] == sorted(l["done"] for l in lines)
END
    "${decrypt[@]}" --rate-limit 8M out2.raw 2>lines &
    sleep 1.2
    kill -USR1 $!
    wait
    [ "$(grep -c '^out2.raw: .* % of .* MiB/s' lines)" -eq 1 ] || fail "$(cat lines)"
}

@test "copy: --rate-limit" {
    made
    started=$(date +%s%N)
    "${decrypt[@]}" -q --rate-limit 12M out.raw
    [ $((($(date +%s%N) - started) / 1000000)) -gt 1000 ]
    for wrong in 0 -1 x 1X 99999999999T; do
        run "${decrypt[@]}" --rate-limit "$wrong" out2.raw
        [ "$status" -eq 2 ]
    done
}

@test "copy: 5 TiB of holes, encrypted and decrypted, in no time and little memory" {
    need /usr/bin/time
    truncate -s 5T big.raw || skip "the file system has no files of 5 TiB"
    for at in 0 3000000 5242879; do
        head -c 700000 /dev/urandom | dd of=big.raw bs=1M seek=$at conv=notrunc status=none
    done
    head -c 32 /dev/urandom >kek
    chmod 600 kek
    not_sanitized
    timeout 60 /usr/bin/time -o memory -f %M vmcrypt disk encrypt -q --key K/k=kek --kek K/k big.raw big.vmdk
    [ "$(cat memory)" -lt 65536 ]
    timeout 60 /usr/bin/time -o memory -f %M vmcrypt disk decrypt -q --key K/k=kek big.vmdk out.raw
    [ "$(cat memory)" -lt 65536 ]
    [ "$(stat -c %s out.raw)" -eq $((5 << 40)) ]
    [ "$(stat -c %b out.raw)" -lt 10000 ]
    for at in 0 3000000 5242879; do
        cmp -n 1048576 -i $((at << 20)) big.raw out.raw
    done
}
