#!/usr/bin/env bats
# vmcrypt disk: what we decrypt is compared with the lab's truth and by qemu-img, what we encrypt is
# decrypted by the lab's own reader.

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
}

# JSON on $output: the value of a Python expression over the document d.
json()
{
    /usr/bin/python3 -c "import json,sys; d=json.loads(sys.argv[1]); print($1)" "$output"
}

nothing_left()
{
    find . -maxdepth 1 -name 'out*' | not grep .
}

@test "disk decrypt: to raw and to .vmdk, equal to the truth" {
    made vsphere made
    vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    cmp out.raw made/truth/disk1.raw
    vmcrypt disk decrypt --keyring "$ring" "$disk" out.vmdk
    run qemu-img compare -f vmdk -F raw out.vmdk made/truth/disk1.raw
    [ "$status" -eq 0 ]
    has 'identical'
    run cat out.vmdk
    has 'ddb.adapterType = "lsilogic"'
    has_not encryptionKeys
    has_not iofilters
    run vmcrypt disk info out.vmdk
    has 'encrypted      no'
}

@test "disk decrypt: the output is sparse where the disk was never written" {
    made vsphere made
    vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    [ "$(stat -c %b out.raw)" -lt $(($(stat -c %s out.raw) / 512 / 2)) ]
}

@test "disk decrypt: a passphrase-locked disk" {
    make_vm ws-disk made
    vmcrypt disk decrypt --passphrase-file made/keys/passphrase.txt made/vm/*[!t].vmdk out.raw
    cmp out.raw made/truth/disk1.raw
}

@test "disk decrypt: says what was proved" {
    made tiny made
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    [[ $output$stderr == *HMAC-SHA-256* ]]
    [[ $output$stderr == *GPT* ]]
    run vmcrypt disk decrypt --json --keyring "$ring" "$disk" out2.raw
    [ "$(json 'd["version"]')" = 1 ]
}

@test "disk encrypt: read back by the lab, key by key" {
    made tiny made
    head -c 32 /dev/urandom >kek
    printf 'a passphrase' >phrase
    chmod 600 kek phrase
    raw=made/truth/disk1.raw
    vmcrypt disk encrypt --key KMS/k1=kek --kek KMS/k1 $raw k.vmdk
    lab decrypt-disk k.vmdk k.raw --kek-file kek
    cmp k.raw $raw
    vmcrypt disk encrypt --passphrase-file phrase --rounds 1000 $raw p.vmdk
    lab decrypt-disk p.vmdk p.raw --passphrase-file phrase
    cmp p.raw $raw
    # no plaintext is left in the extent, and no two disks have the same key
    not cmp -s k-flat.vmdk p-flat.vmdk
    not grep -q 'EFI PART' k-flat.vmdk
    run vmcrypt key explain k.vmdk
    has 'k1'
}

@test "disk encrypt, decrypt: there and back" {
    made tiny made
    head -c 32 /dev/urandom >kek
    chmod 600 kek
    vmcrypt disk encrypt --key KMS/k1=kek --kek KMS/k1 made/truth/disk1.raw k.vmdk
    vmcrypt disk decrypt --key KMS/k1=kek k.vmdk back.raw
    cmp back.raw made/truth/disk1.raw
}

@test "disk info: without a key, with the extents gone" {
    made vsphere made
    run vmcrypt disk info "$disk"
    [ "$status" -eq 0 ]
    has 'KMS'
    rm made/vm/*-flat.vmdk
    run vmcrypt disk info --json "$disk"
    [ "$status" -eq 0 ]
    [ "$(json 'd["version"]')" = 1 ]
    [ "$(json 'd["encrypted"]')" = True ]
}

@test "disk info: real descriptors of ESXi" {
    need_sample vmdk/vmware/vmfs_thick.vmdk
    run vmcrypt disk info "$VMCRYPT_SAMPLES/vmdk/vmware/vmfs_thick.vmdk"
    [ "$status" -eq 0 ]
    has '2097152 bytes'
    run --separate-stderr vmcrypt disk decrypt "$VMCRYPT_SAMPLES/vmdk/vmware/vmfs_thick.vmdk" out.raw
    [ "$status" -eq 0 ]
    [ "$(sha1sum <out.raw | cut -d ' ' -f 1)" = "$(sha1sum <"$VMCRYPT_SAMPLES/vmdk/vmware/vmfs_thick-flat.vmdk" | cut -d ' ' -f 1)" ]
    grep -q "$(sha1sum <out.raw | cut -d ' ' -f 1)" "$VMCRYPT_SAMPLES/vmdk/vmware/expected.sha1"
}

@test "disk: real sparse disks, and a delta whose data are gone" {
    need_sample vmdk/vmware/monolithicSparse.vmdk
    samples=$VMCRYPT_SAMPLES/vmdk/vmware
    for name in monolithicSparse streamOptimized; do
        vmcrypt disk decrypt -q "$samples/$name.vmdk" $name.raw
        grep -q "^$(sha1sum <$name.raw | cut -d ' ' -f 1)  $name.vmdk" "$samples/expected.sha1"
    done
    delta=$samples/vmfs_thick-000001.vmdk
    run --separate-stderr vmcrypt disk decrypt "$delta" out.raw
    [ "$status" -eq 4 ]
    says 'vmfs_thick-000001-delta.vmdk: this extent of the disk is missing'
    [ ! -e out.raw ]
    run --separate-stderr vmcrypt disk decrypt --missing-delta parent "$delta" out.raw
    [ "$status" -eq 0 ]
    says 'its parent is read instead'
    cmp out.raw "$samples/vmfs_thick-flat.vmdk"
}

@test "disk decrypt: wrong KEK, no KEK" {
    made tiny made
    run --separate-stderr vmcrypt disk decrypt "$disk" out.raw </dev/null
    [ "$status" -eq 3 ]
    says 'needs KEK'
    id=$(vmcrypt key explain "$disk" | sed -n 's/^ *key id  *//p')
    head -c 32 /dev/zero >zero
    chmod 600 zero
    run --separate-stderr vmcrypt disk decrypt --key "KMS/$id=zero" "$disk" out.raw
    [ "$status" -eq 3 ]
    says 'does not fit'
    nothing_left
}

@test "disk decrypt: truncated, missing and lengthened extents" {
    made tiny made
    flat=made/vm/web01-flat.vmdk
    truncate -s -512 $flat
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    [ "$status" -eq 4 ]
    says 'web01-flat.vmdk'
    nothing_left
    rm $flat
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    [ "$status" -eq 4 ]
    nothing_left
}

@test "disk decrypt: extents outside, FIFOs, devices, loops" {
    made tiny made
    for evil in /etc/passwd ../keys/kms-1.key /dev/zero; do
        sed "s|\"web01-flat.vmdk\"|\"$evil\"|" "$disk" >made/vm/evil.vmdk
        run --separate-stderr timeout 10 vmcrypt disk decrypt --keyring "$ring" made/vm/evil.vmdk out.raw
        [ "$status" -eq 1 ] || [ "$status" -eq 4 ] || fail "$evil: $status $stderr"
        nothing_left
    done
    mkfifo made/vm/fifo
    sed 's|"web01-flat.vmdk"|"fifo"|' "$disk" >made/vm/evil.vmdk
    run --separate-stderr timeout 10 vmcrypt disk decrypt --keyring "$ring" made/vm/evil.vmdk out.raw
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    ln -s /etc made/vm/link
    sed 's|"web01-flat.vmdk"|"link/passwd"|' "$disk" >made/vm/evil.vmdk
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" made/vm/evil.vmdk out.raw
    [ "$status" -ne 0 ]
    says '--allow-outside'
    nothing_left
}

@test "disk decrypt: descriptors that lie about sizes" {
    made tiny made
    for size in -1 0x10 18446744073709551615 36028797018963968 9223372036854775807 8193; do
        sed "s|^RW [0-9]* |RW $size |" "$disk" >made/vm/evil.vmdk
        run --separate-stderr timeout 10 vmcrypt disk decrypt --keyring "$ring" made/vm/evil.vmdk out.raw
        [ "$status" -eq 4 ] || fail "$size: $status $stderr"
        nothing_left
    done
    { cat "$disk"; for _ in $(seq 70000); do echo 'RW 1 ZERO'; done; } >made/vm/evil.vmdk
    run --separate-stderr timeout 10 vmcrypt disk info made/vm/evil.vmdk
    [ "$status" -eq 4 ]
}

@test "disk decrypt: --require-proof, and the warning without it" {
    made tiny made
    { head -c 512 /dev/urandom; head -c -512 made/vm/web01-flat.vmdk; } >shifted
    mv shifted made/vm/web01-flat.vmdk
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" --require-proof "$disk" out.raw
    [ "$status" -eq 4 ]
    nothing_left
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    says 'warning'
}

@test "disk decrypt: does not overwrite unless told so" {
    made tiny made
    echo precious >out.raw
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" out.raw
    [ "$status" -eq 1 ]
    [ "$(cat out.raw)" = precious ]
    vmcrypt disk decrypt --force --keyring "$ring" "$disk" out.raw
    cmp out.raw made/truth/disk1.raw
}

@test "disk decrypt: disk full leaves nothing" {
    made tiny made
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small tmpfs"
    mkdir small
    mount -t tmpfs -o size=64k tmpfs small || skip "mounting is not allowed here"
    run --separate-stderr vmcrypt disk decrypt --keyring "$ring" "$disk" small/out.vmdk
    left=$(ls small)
    umount small
    [ "$status" -eq 1 ]
    says 'No space left on device'
    [ -z "$left" ]
}

@test "disk decrypt: 1 TiB of holes takes no time and no memory" {
    cat >big.vmdk <<'END'
# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="vmfs"
RW 2147483648 VMFS "big-flat.vmdk"
END
    truncate -s 1T big-flat.vmdk
    printf data | dd of=big-flat.vmdk bs=1M seek=500000 conv=notrunc status=none
    run timeout 60 vmcrypt disk decrypt big.vmdk out.raw
    [ "$status" -eq 0 ]
    [ "$(stat -c %s out.raw)" -eq 1099511627776 ]
    [ "$(stat -c %b out.raw)" -lt 1000 ]
    [ "$(dd if=out.raw bs=1M skip=500000 count=1 status=none | head -c 4)" = data ]
}

@test "disk decrypt: a key with equal halves works, with a warning" {
    made tiny made
    head -c 32 /dev/zero >kek
    chmod 600 kek
    /usr/bin/python3 - "$top/tests/lab" "$disk" <<'END'
import base64, re, sys
sys.path.insert(0, sys.argv[1])
import seal
text = "type=key:cipher=XTS-AES-256:key=" + base64.b64encode(b"\x07" * 64).decode().replace("=", "%3d")
locked = base64.b64encode(seal.lock(bytes(32), "HMAC-SHA-256", text.encode(), bytes(16))).decode()
escaped = "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in locked)
safe = f"vmware:key/list/(pair/(fqid/<VMWARE-NULL>/K/1,HMAC%2dSHA%2d256,{escaped}))"
old = open(sys.argv[2]).read()
open(sys.argv[2], "w").write(re.sub('encryptionKeys *= *"[^"]*"', f'encryptionKeys="{safe}"', old))
END
    run --separate-stderr vmcrypt disk decrypt --key K/1=kek "$disk" out.raw
    [ "$status" -eq 0 ]
    says 'the two halves of the disk key are equal'
}
