#!/usr/bin/env bats
# vmcrypt disk on a disk's own extents: decrypt, encrypt, rekey. Results are compared with the lab's
# truth and read by the lab's own reader; crashes at every call are the matter of tests/crash.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

made()
{
    make_vm "$@"
    ring=$2/keys/keyring.yaml
    disk=$2/vm/web01.vmdk
    flat=$2/vm/web01-flat.vmdk
}

keys()
{
    head -c 32 /dev/urandom >kek
    head -c 32 /dev/urandom >kek2
    chmod 600 kek kek2
    k1=(--key KMS/k1=kek)
    k2=(--key KMS/k2=kek2)
}

# A plain flat disk of MIB of noise, with holes in it.
plain_disk()
{
    dd if=/dev/urandom of=plain.raw bs=1M count="$1" status=none
    truncate -s "$(($1 + 8))M" plain.raw
    printf 'the end' | dd of=plain.raw bs=1M seek=$(($1 + 7)) conv=notrunc status=none
    mkdir vm
    cp --sparse=always plain.raw vm/d-flat.vmdk
    cat >vm/d.vmdk <<END
# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="monolithicFlat"
RW $((($1 + 8) * 2048)) FLAT "d-flat.vmdk" 0
END
}

# DESCRIPTOR KEK-FILE holds the same as IMAGE.
same_to_lab()
{
    rm -f lab.raw
    lab decrypt-disk "$1" lab.raw --kek-file "$2"
    cmp lab.raw "$3"
}

# Blocks of a file, once they are all allocated.
blocks()
{
    sync "$1"
    stat -c %b "$1"
}

# All of DIR, to see that nothing was touched.
state_of()
{
    (cd "$1" && find . -type f -printf '%p %s %T@ %i\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

# STATUS TEXT COMMAND...: fails so, says so in one line, and leaves everything as it was.
refuses()
{
    local wanted=$1 text=$2 before
    shift 2
    before=$(state_of made/vm)
    run --separate-stderr "$@"
    [ "$status" -eq "$wanted" ] || fail "$status: $stderr"
    says "$text"
    [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "more than a line: $stderr"
    [ "$(state_of made/vm)" = "$before" ] || fail "something was touched"
}

@test "in place: decrypt, encrypt, re-encrypt, and what the lab reads" {
    made vsphere made
    keys
    before=$(blocks "$flat")
    vmcrypt disk decrypt --in-place --keyring "$ring" "$disk"
    cmp "$flat" made/truth/disk1.raw
    [ "$(blocks "$flat")" -le "$before" ]
    run vmcrypt disk info "$disk"
    has 'encrypted      no'
    has_not interrupted
    before=$(blocks "$flat")
    vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 "$disk"
    same_to_lab "$disk" kek made/truth/disk1.raw
    run ! grep -q 'EFI PART' "$flat"
    vmcrypt disk rekey --in-place --deep "${k1[@]}" "${k2[@]}" --new-kek KMS/k2 "$disk"
    same_to_lab "$disk" kek2 made/truth/disk1.raw
    [ "$(blocks "$flat")" -le "$before" ]
    [ "$(echo made/vm/*vmdk*)" = 'made/vm/web01-flat.vmdk made/vm/web01.vmdk' ]
}

@test "in place: several extents, odd offsets, two disks, the noise around them untouched" {
    make_vm vsphere-multi made
    for path in made/vm/*.vmdk; do
        grep -q 'Disk DescriptorFile' "$path" 2>/dev/null || continue
        vmcrypt disk decrypt --in-place -q --keyring made/keys/keyring.yaml "$path"
        vmcrypt disk decrypt -q "$path" out.raw
        lab verify made out.raw --disk "$(basename "$path")"
        rm out.raw
    done
}

@test "in place: locked with a passphrase" {
    make_vm ws-disk made
    disk=$(grep -l encryptionKeys made/vm/*.vmdk)
    vmcrypt disk decrypt --in-place --passphrase-file made/keys/passphrase.txt "$disk"
    vmcrypt disk decrypt -q "$disk" out.raw
    cmp out.raw made/truth/disk1.raw
    printf 'another one' >phrase
    chmod 600 phrase
    vmcrypt disk encrypt --in-place --rounds 1000 --passphrase-file phrase "$disk"
    rm out.raw
    lab decrypt-disk "$disk" out.raw --passphrase-file phrase
    cmp out.raw made/truth/disk1.raw
}

@test "in place: data units of 4096 bytes" {
    plain_disk 2
    keys
    run --separate-stderr vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    [ "$status" -eq 0 ]
    # Read with the wrong unit nothing is recognised, and so nothing is converted.
    run --separate-stderr vmcrypt disk decrypt --in-place --data-unit 4096 "${k1[@]}" vm/d.vmdk
    [ "$status" -eq 4 ]
    says 'not confirmed'
    same_to_lab vm/d.vmdk kek plain.raw
}

@test "rekey: another key or passphrase for the same disk key" {
    made tiny made
    keys
    printf 'open sesame' >phrase
    chmod 600 phrase
    before=$(sha256sum <"$flat")
    vmcrypt disk rekey --keyring "$ring" "${k1[@]}" --new-kek KMS/k1 "$disk"
    same_to_lab "$disk" kek made/truth/disk1.raw
    vmcrypt disk decrypt -q --keyring "$ring" "$disk.bak" old.raw
    cmp old.raw made/truth/disk1.raw
    rm "$disk.bak"
    vmcrypt disk rekey --no-backup "${k1[@]}" --rounds 1000 --new-passphrase-file phrase "$disk"
    [ ! -e "$disk.bak" ]
    rm lab.raw
    lab decrypt-disk "$disk" lab.raw --passphrase-file phrase
    cmp lab.raw made/truth/disk1.raw
    [ "$(sha256sum <"$flat")" = "$before" ]
    run --separate-stderr vmcrypt disk rekey "${k1[@]}" --new-kek KMS/k1 "$disk"
    [ "$status" -eq 3 ]
    run --separate-stderr vmcrypt disk rekey --deep "${k1[@]}" --new-kek KMS/k1 "$disk"
    [ "$status" -eq 2 ]
    says '--in-place'
}

@test "in place: refused without touching anything" {
    made tiny made
    keys
    ip=(vmcrypt disk decrypt --in-place)
    refuses 3 'needs KEK' "${ip[@]}" "$disk"
    refuses 2 'name one only' "${ip[@]}" --keyring "$ring" "$disk" out.raw
    refuses 2 '--to' "${ip[@]}" --to raw --keyring "$ring" "$disk"
    refuses 2 '--decrypt-zero-units' "${ip[@]}" --decrypt-zero-units --keyring "$ring" "$disk"
    refuses 2 '--segment' "${ip[@]}" --segment 5 --keyring "$ring" "$disk"
    refuses 4 'not confirmed' "${ip[@]}" --data-unit 4096 --keyring "$ring" "$disk"
    refuses 1 'encrypted already' vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 "$disk"
    ln "$flat" made/vm/another
    refuses 1 'hard links' "${ip[@]}" --keyring "$ring" "$disk"
    rm made/vm/another
    mkdir "$disk.lck"
    refuses 1 'running VM' "${ip[@]}" --keyring "$ring" "$disk"
    rmdir "$disk.lck"
    ln -s web01.vmdk made/vm/link.vmdk
    refuses 1 'is a link' "${ip[@]}" --keyring "$ring" made/vm/link.vmdk
    sed 's/^RW/RDONLY/' "$disk" >made/vm/ro.vmdk
    refuses 1 'RDONLY' "${ip[@]}" --keyring "$ring" made/vm/ro.vmdk
    sed 's/^parentCID=.*/parentCID=12345678/' "$disk" >made/vm/delta.vmdk
    refuses 1 'snapshot' "${ip[@]}" --keyring "$ring" made/vm/delta.vmdk
    echo 'something else' >"$disk.journal"
    refuses 4 'no journal' "${ip[@]}" --keyring "$ring" "$disk"
    [ "$(cat "$disk.journal")" = 'something else' ]
}

@test "in place: refused while another program has the extents locked" {
    made tiny made
    /usr/bin/python3 - "$flat" <<'END' &
import fcntl, sys, time
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
open("locked", "w").close()
time.sleep(60)
END
    holder=$!
    while [ ! -e locked ]; do sleep 0.05; done
    refuses 1 'in use' vmcrypt disk decrypt --in-place --keyring "$ring" "$disk"
    kill $holder
    wait $holder || true
    vmcrypt disk decrypt --in-place -q --keyring "$ring" "$disk"
    cmp "$flat" made/truth/disk1.raw
}

@test "in place: no room for the journal, and nothing is touched" {
    made tiny made
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small tmpfs"
    size=$(($(du -s -k made/vm | cut -f 1) + 64))
    mkdir small
    mount -t tmpfs -o size=${size}k tmpfs small || skip "mounting is not allowed here"
    cp --sparse=always made/vm/web01* small/
    before=$(state_of small)
    run --separate-stderr vmcrypt disk decrypt --in-place --keyring "$ring" small/web01.vmdk
    after=$(state_of small)
    umount small
    [ "$status" -eq 1 ]
    says 'No space left on device'
    [ "$after" = "$before" ]
}

# A conversion of vm/d.vmdk that was ended by SIGNAL when it had begun.
interrupted()
{
    vmcrypt disk encrypt --in-place -q --segment 4 "${k1[@]}" --kek KMS/k1 vm/d.vmdk 2>stderr &
    job=$!
    # Some segments are done when the sixteenth is not as it was.
    for _ in $(seq 1000); do
        cmp -s -i 65536 -n 4096 plain.raw vm/d-flat.vmdk || break
        sleep 0.01
    done
    sleep "${2:-0.1}"
    kill -"$1" $job || true
    status=0
    wait $job || status=$?
}

@test "in place: Ctrl-C, what is said of the disk meanwhile, and going on" {
    plain_disk 48
    keys
    interrupted INT
    [ "$status" -eq 5 ] || fail "$status: $(cat stderr)"
    grep -q "interrupted with .* MiB done; 'vmcrypt disk encrypt --in-place' goes on" stderr
    [ "$(wc -l <stderr)" -eq 1 ]
    run vmcrypt disk info "${k1[@]}" vm/d.vmdk
    [ "$status" -eq 0 ]
    has "'vmcrypt disk encrypt --in-place' finishes it"
    run vmcrypt disk info --json vm/d.vmdk
    [ "$(/usr/bin/python3 -c 'import json,sys; d = json.loads(sys.argv[1])["in_place"]
print(d["operation"], 0 < d["done"] < d["size"])' "$output")" = 'encryption True' ]
    before=$(state_of vm)
    for command in "decrypt ${k1[*]} vm/d.vmdk out.raw" "encrypt ${k1[*]} --kek KMS/k1 vm/d.vmdk out.vmdk" \
        "rekey ${k1[*]} --new-kek KMS/k1 vm/d.vmdk"; do
        # shellcheck disable=SC2086 # words
        run --separate-stderr vmcrypt disk $command
        [ "$status" -eq 4 ] || fail "$command: $status $stderr"
        says 'in-place encryption is at'
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
    run --separate-stderr vmcrypt disk decrypt --in-place "${k1[@]}" vm/d.vmdk
    [ "$status" -eq 2 ]
    says "'vmcrypt disk encrypt --in-place' finishes it"
    run --separate-stderr vmcrypt disk encrypt --in-place "${k2[@]}" --kek KMS/k2 vm/d.vmdk
    [ "$status" -eq 3 ]
    run qemu-img info vm/d.vmdk
    [ "$status" -ne 0 ]
    [ "$(state_of vm)" = "$before" ]
    vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    same_to_lab vm/d.vmdk kek plain.raw
    [ "$(ls vm)" = $'d-flat.vmdk\nd.vmdk' ]
}

@test "in place: kill -9 again and again" {
    plain_disk 48
    keys
    before=$(blocks vm/d-flat.vmdk)
    for i in 1 2 3 4 5 6; do
        interrupted KILL 0.$i
        [ "$status" -eq 137 ] || break
        run --separate-stderr vmcrypt disk decrypt "${k1[@]}" vm/d.vmdk out.raw
        [ "$status" -eq 4 ]
    done
    [ "$i" -gt 1 ]
    if [ -e vm/d.vmdk.journal ]; then
        vmcrypt disk encrypt --in-place -q "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    fi
    same_to_lab vm/d.vmdk kek plain.raw
    [ "$(blocks vm/d-flat.vmdk)" -le "$before" ]
}

@test "in place: an older copy of the extent is not gone on with, nor a disk without its journal" {
    plain_disk 48
    keys
    cp vm/d-flat.vmdk old-flat.vmdk
    interrupted INT
    [ "$status" -eq 5 ]
    mv vm/d-flat.vmdk half-flat.vmdk
    cp old-flat.vmdk vm/d-flat.vmdk
    run --separate-stderr vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    [ "$status" -eq 4 ]
    says 'put back the right ones'
    cmp old-flat.vmdk vm/d-flat.vmdk
    truncate -s -1M vm/d-flat.vmdk
    run --separate-stderr vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    [ "$status" -eq 4 ]
    mv half-flat.vmdk vm/d-flat.vmdk
    mv vm/d.vmdk.journal .
    run --separate-stderr vmcrypt disk decrypt "${k1[@]}" vm/d.vmdk out.raw
    [ "$status" -eq 4 ]
    says 'd.vmdk.journal is missing'
    mv d.vmdk.journal vm/
    vmcrypt disk encrypt --in-place -q "${k1[@]}" --kek KMS/k1 vm/d.vmdk
    same_to_lab vm/d.vmdk kek plain.raw
}

@test "in place: decrypting what is decrypted is done at once" {
    made tiny made
    vmcrypt disk decrypt --in-place -q --keyring "$ring" "$disk"
    before=$(state_of made/vm)
    run --separate-stderr vmcrypt disk decrypt --in-place --keyring "$ring" "$disk"
    [ "$status" -eq 0 ]
    says 'not encrypted'
    [ "$(state_of made/vm)" = "$before" ]
}

@test "in place: 1 TiB of holes takes no time and stays holes" {
    cat >big.vmdk <<'END'
# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="vmfs"
RW 2147483648 VMFS "big-flat.vmdk"
END
    keys
    truncate -s 1T big-flat.vmdk
    printf data | dd of=big-flat.vmdk bs=1M seek=500000 conv=notrunc status=none
    run timeout 60 vmcrypt disk encrypt --in-place "${k1[@]}" --kek KMS/k1 big.vmdk
    [ "$status" -eq 0 ]
    [ "$(blocks big-flat.vmdk)" -lt 1000 ]
    [ "$(dd if=big-flat.vmdk bs=1M skip=500000 count=1 status=none | head -c 4)" != data ]
    vmcrypt disk decrypt --in-place -q --force "${k1[@]}" big.vmdk
    [ "$(dd if=big-flat.vmdk bs=1M skip=500000 count=1 status=none | head -c 4)" = data ]
}

@test "in place: crashes and power cuts at every call" {
    not_sanitized
    shim=$VMCRYPT_BUILD/tests/crash/shim.so
    [ -e "$shim" ] || skip "the crash shim is not built"
    full=()
    [ -z "${VMCRYPT_SLOW_TESTS:-}" ] || full=(--full)
    run /usr/bin/python3 "$top/tests/crash/run.py" --only in-place --shim "$shim" "${full[@]}"
    echo "$output"
    [ "$status" -eq 0 ]
    has ' 0 failed'
}
