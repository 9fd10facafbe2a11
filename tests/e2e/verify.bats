#!/usr/bin/env bats
# vmcrypt disk verify

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

made()
{
    make_vm tiny made
    ring=made/keys/keyring.yaml
    disk=made/vm/web01.vmdk
    raw=made/truth/disk1.raw
}

json()
{
    /usr/bin/python3 -c "import json,sys; d=json.loads(sys.argv[1]); print($1)" "$output"
}

@test "verify: a ciphertext and its plaintext, with the hashes of both" {
    made
    run --separate-stderr vmcrypt disk verify --keyring $ring $disk $raw
    [ "$status" -eq 0 ]
    [ "${lines[0]%% *}" = "$(sha256sum <made/vm/web01-flat.vmdk | cut -d ' ' -f 1)" ]
    [ "${lines[1]%% *}" = "$(sha256sum <$raw | cut -d ' ' -f 1)" ]
    run --separate-stderr vmcrypt disk verify --json --keyring $ring $disk $raw
    [ "$(json 'd["equal"], d["first_difference"]')" = "True None" ]
    [ "$(json 'd["sha256"]["plain"] == d["sha256"]["decrypted"]')" = True ]
    vmcrypt disk decrypt -q --keyring $ring $disk out.vmdk
    vmcrypt disk verify -q --keyring $ring $disk out.vmdk
}

@test "verify: the first difference, in data and in holes" {
    made
    size=$(stat -c %s $raw)
    for at in 0 1000 $((size / 2 + 7)) $((size - 1)); do
        cp $raw other.raw
        /usr/bin/python3 -c "
f = open('other.raw', 'r+b')
f.seek($at); b = f.read(1)[0]
f.seek($at); f.write(bytes([b ^ 16]))"
        run --separate-stderr vmcrypt disk verify --keyring $ring $disk other.raw
        [ "$status" -eq 4 ]
        says "other.raw: is not what $disk decrypts to (at byte $at)"
        run --separate-stderr vmcrypt disk verify --json --keyring $ring $disk other.raw
        [ "$status" -eq 4 ]
        [ "$(json 'd["first_difference"]')" = "$at" ]
    done
    # The hashes of both, though they differ.
    run --separate-stderr vmcrypt disk verify --json --keyring $ring $disk other.raw
    [ "$(json 'd["sha256"]["cipher"]')" = "$(sha256sum <made/vm/web01-flat.vmdk | cut -d ' ' -f 1)" ]
    [ "$(json 'd["sha256"]["decrypted"]')" = "$(sha256sum <$raw | cut -d ' ' -f 1)" ]
    [ "$(json 'd["sha256"]["plain"]')" = "$(sha256sum <other.raw | cut -d ' ' -f 1)" ]
    run --separate-stderr vmcrypt disk verify --keyring $ring $disk other.raw
    [ "${lines[0]}" = "$(sha256sum <made/vm/web01-flat.vmdk | cut -d ' ' -f 1)  $disk" ]
    [ "${lines[1]}" = "$(sha256sum <other.raw | cut -d ' ' -f 1)  other.raw" ]
    [ "${#lines[@]}" -eq 2 ]
    says "$(sha256sum <$raw | cut -d ' ' -f 1)  what the first decrypts to"
    truncate -s -512 other.raw
    run --separate-stderr vmcrypt disk verify --keyring $ring $disk other.raw
    [ "$status" -eq 4 ]
    says 'differ in size'
}

@test "verify: a wrong key, a wrong data unit" {
    made
    run --separate-stderr vmcrypt disk verify $disk $raw </dev/null
    [ "$status" -eq 3 ]
    run --separate-stderr vmcrypt disk verify --data-unit 4096 --keyring $ring $disk $raw
    [ "$status" -eq 4 ]
    says 'is not what'
}

@test "verify --plain: what it should be, or not" {
    made
    run --separate-stderr vmcrypt disk verify --plain $raw
    [ "$status" -eq 0 ]
    has 'GPT'
    run --separate-stderr vmcrypt disk verify --plain --json $raw
    [ "$(json 'd["confirmed"]')" = True ]
    cp made/vm/web01-flat.vmdk cipher.raw
    run --separate-stderr vmcrypt disk verify --plain cipher.raw
    [ "$status" -eq 4 ]
    says 'is recognised'
    vmcrypt disk verify -q --plain --keyring $ring $disk
}

@test "verify --cipher: a good one, and plain parts in it" {
    made
    run --separate-stderr vmcrypt disk verify --cipher $disk
    [ "$status" -eq 0 ]
    dd if=$raw of=made/vm/web01-flat.vmdk bs=512 count=40 conv=notrunc status=none
    yes 'some text' | head -c 8192 | dd of=made/vm/web01-flat.vmdk bs=4096 seek=300 conv=notrunc status=none
    run --separate-stderr vmcrypt disk verify --cipher $disk
    [ "$status" -eq 4 ]
    has '1228800          8192             repeated'
    says 'do not look encrypted'
    run --separate-stderr vmcrypt disk verify --cipher --json $disk
    [ "$status" -eq 4 ]
    [ "$(json 'd["looks_encrypted"]')" = False ]
    [ "$(json '[r for r in d["map"]["ranges"] if r["offset"] == 1228800][0]["length"]')" = 8192 ]
    run vmcrypt disk verify --cipher $raw
    [ "$status" -eq 4 ]
}

@test "verify: a difference is told even when the hashes cannot be had" {
    made
    need strace
    not_sanitized
    cp $raw other.raw
    printf x | dd of=other.raw bs=1 seek=3 conv=notrunc status=none
    # The descriptor of other.raw is read once for the comparison; then its device dies.
    run --separate-stderr strace -f -qq -o /dev/null -P other.raw -e trace=pread64 \
        -e inject=pread64:error=EIO:when=2+ \
        vmcrypt-disk verify --json --threads 1 --keyring $ring $disk other.raw
    [ "$status" -eq 4 ]
    says 'no SHA-256 of the two'
    [ "$(json 'd["equal"], d["first_difference"], d["sha256"]')" = "False 3 None" ]
}

@test "verify --cipher: any number of threads, the same map; progress; interrupted" {
    /usr/bin/python3 -c "
import random, sys
r = random.Random(5)
with open('mixed', 'wb') as f:
    while f.tell() < 64 << 20:
        n = r.choice((1, 3, 8, 64, 700)) * 512
        k = r.randrange(4)
        if k == 0: f.seek(n, 1)
        else: f.write(r.randbytes(n) if k > 1 else b'text' * (n // 4))
    f.truncate(64 << 20)"
    for threads in 1 2 3 16; do
        run --separate-stderr vmcrypt disk verify --cipher --json --threads $threads mixed
        [ "$status" -eq 4 ]
        [ "$threads" -eq 1 ] || [ "$output" = "$first" ] || fail "$threads threads"
        first=$output
    done
    run vmcrypt disk verify --cipher --threads 17 mixed
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt disk verify --cipher --progress=json mixed
    says '"done":67108864'
    started=$(date +%s%N)
    vmcrypt-disk verify --cipher --rate-limit 4M --threads 2 mixed >map 2>said &
    sleep 0.5
    kill -INT $!
    local status=0
    wait $! || status=$?
    [ "$status" -eq 1 ] || fail "$status: $(cat said)"
    grep -q interrupted said
    not test -s map
    [ $((($(date +%s%N) - started) / 1000000)) -lt 5000 ]
}

@test "verify: operands" {
    run vmcrypt disk verify a.vmdk
    [ "$status" -eq 2 ]
    run vmcrypt disk verify --plain a b
    [ "$status" -eq 2 ]
    run vmcrypt disk verify --plain --cipher a
    [ "$status" -eq 2 ]
}
