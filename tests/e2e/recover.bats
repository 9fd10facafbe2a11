#!/usr/bin/env bats
# vmcrypt recover on every kind of VM that the lab makes, compared with what the lab put in; and on
# damaged, incomplete and hostile ones.

load helpers

# Make KIND, recover it, compare every file of every guest disk, and let qemu-img open the result.
recovers()
{
    local vm=$BATS_TEST_TMPDIR/made out=$BATS_TEST_TMPDIR/out disk image name
    make_vm "$1" "$vm"
    run --separate-stderr vmcrypt recover --keyring "$vm/keys/keyring.yaml" "$vm/vm" "$out"
    [ "$status" -eq 0 ] || fail "exit $status: $stderr"
    while IFS=$'\t' read -r name disk; do
        image=$out/$disk
        lab verify "$vm" "$image" --disk "$name"
        run qemu-img info "${image%-flat.vmdk}.vmdk"
        [ "$status" -eq 0 ] || fail "$output"
        has 'file format: vmdk'
    done < <(recovered_disks "$vm/truth.json" "$out/report.json")
    find "$out" -name '*.partial' | not grep .
}

# NAME<TAB>IMAGE of each disk, matched by the descriptor the lab wrote; fails when one is missing.
recovered_disks()
{
    /usr/bin/python3 - "$@" <<'END'
import json, os, sys
truth, report = (json.load(open(p)) for p in sys.argv[1:])
assert report["complete"] is True, report
images = {d["source"]: d for d in report["disks"]}
for disk in truth["disks"]:
    entry = images[os.path.basename(disk["descriptor"])]
    kinds = {p["kind"] for p in entry["proofs"]}
    want = {"hmac", "signature"} if entry["encrypted"] else {"signature"}
    assert kinds == want, entry
    print(disk["name"], entry["image"], sep="\t")
END
}

@test "recover: vsphere" { recovers vsphere; }
@test "recover: vsphere-xtslabel" { recovers vsphere-xtslabel; }
@test "recover: vsphere-mbr-vfat" { recovers vsphere-mbr-vfat; }
@test "recover: vsphere-ntfs" { recovers vsphere-ntfs; }
@test "recover: vsphere-native" { recovers vsphere-native; }
@test "recover: vsphere-nkp" { recovers vsphere-nkp; }
@test "recover: vsphere-multi" { recovers vsphere-multi; }
@test "recover: vsphere-safes" { recovers vsphere-safes; }
@test "recover: vsphere-api" { recovers vsphere-api; }
@test "recover: vsphere-snapshots" { recovers vsphere-snapshots; }
@test "recover: ws-aes" { recovers ws-aes; }
@test "recover: ws-xts" { recovers ws-xts; }
@test "recover: ws-sha256" { recovers ws-sha256; }
@test "recover: ws-partial" { recovers ws-partial; }
@test "recover: ws-disk" { recovers ws-disk; }
@test "recover: ws-gbk" { recovers ws-gbk; }
@test "recover: ws-1252" { recovers ws-1252; }
@test "recover: ws-sjis" { recovers ws-sjis; }
@test "recover: plain" { recovers plain; }
@test "recover: tiny" { recovers tiny; }

@test "recover: no kind of the lab is left out" {
    lab list | cut -f 1 | sort >"$BATS_TEST_TMPDIR/kinds"
    sed -n 's/^@test "recover: \([a-z0-9-]*\)" .*/\1/p' "$BATS_TEST_FILENAME" | sort |
        diff - "$BATS_TEST_TMPDIR/kinds"
}

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

tiny()
{
    make_vm tiny made
    ring=made/keys/keyring.yaml
}

# After `run`: that exit status, these words, and no file in out/ that could pass for a disk.
refused()
{
    [ "$status" -eq "$1" ] || fail "exit $status, not $1: $stderr"
    says "$2"
    [ ! -e out ] || find out -name '*vmdk*' | not grep .
    [ ! -e out ] || find out -name '*.partial' | not grep .
}

@test "recover: nvram is decrypted, and proved by its page MACs" {
    tiny
    vmcrypt recover --keyring $ring made/vm out
    cmp made/truth/nvram.bin out/web01.nvram
    run cat out/report.json
    has 'HMAC-SHA-1-128 of each page'
}

@test "recover: one flipped byte in nvram is refused, the rest comes out" {
    tiny
    printf 'X' | dd of=made/vm/web01.nvram bs=1 seek=5000 conv=notrunc status=none
    run --separate-stderr vmcrypt recover --keyring $ring made/vm out
    [ "$status" -eq 5 ]
    says 'web01.nvram'
    [ ! -e out/web01.nvram ]
    [ -e out/web01-flat.vmdk ]
}

@test "recover: the settings are plain and hold no key" {
    tiny
    vmcrypt recover --keyring $ring made/vm out
    run cat out/web01.vmx
    has 'scsi0:0.fileName = "web01.vmdk"'
    has_not 'encryption.'
    has_not 'cryptoState'
    has_not 'dataFileKey'
    run cat out/report.json
    has '"dataFileKey"'
    [ "$(stat -c %a out/web01.vmx)" = 600 ]
}

@test "recover: evidence is not touched" {
    tiny
    (cd made/vm && sha256sum -- * && stat -c '%n %s %Y %a' -- *) >before
    vmcrypt recover --keyring $ring made/vm out
    (cd made/vm && sha256sum -- * && stat -c '%n %s %Y %a' -- *) | diff before -
}

@test "recover: --json prints the report" {
    tiny
    vmcrypt recover --json --keyring $ring made/vm out >printed
    { cat out/report.json; echo; } | cmp - printed
}

@test "recover: wrong passphrase" {
    make_vm ws-aes made
    printf wrong >phrase
    run --separate-stderr vmcrypt recover --passphrase-file phrase made/vm out
    refused 3 'the passphrase from phrase does not fit'
    [ ! -e out ]
}

@test "recover: wrong KEK" {
    tiny
    id=$(vmcrypt key explain made/vm/web01.vmx | sed -n 's/^ *key id  *//p')
    head -c 32 /dev/zero >zero.key
    chmod 600 zero.key
    run --separate-stderr vmcrypt recover --key "KMS/$id=zero.key" made/vm out
    refused 3 'does not fit'
    [ ! -e out ]
}

@test "recover: no key at all names the one that is needed" {
    tiny
    run --separate-stderr vmcrypt recover made/vm out </dev/null
    refused 3 'needs KEK'
    says 'from provider "KMS"'
    says "--key 'KMS/"
}

@test "recover: truncated flat" {
    tiny
    truncate -s -1 made/vm/web01-flat.vmdk
    run --separate-stderr vmcrypt recover --keyring $ring made/vm out
    refused 5 'web01-flat.vmdk'
    says '4194304'
}

@test "recover: missing extent" {
    tiny
    rm made/vm/web01-flat.vmdk
    run --separate-stderr vmcrypt recover --keyring $ring made/vm out
    refused 5 'web01-flat.vmdk'
}

@test "recover: descriptor of 100 MB" {
    tiny
    head -c 100000000 /dev/zero | tr '\0' '#' >made/vm/web01.vmdk
    run --separate-stderr timeout 10 vmcrypt recover --keyring $ring made/vm out
    refused 5 'web01.vmdk'
    says '100000000 bytes'
}

@test "recover: locator nested 10,000 deep" {
    tiny
    /usr/bin/python3 - made/vm/web01.vmx <<'END'
import re, sys
text = open(sys.argv[1]).read()
deep = "vmware:key/" + "list/(" * 10000 + ")" * 10000
open(sys.argv[1], "w").write(re.sub('keySafe = "[^"]*"', f'keySafe = "{deep}"', text))
END
    run --separate-stderr timeout 10 vmcrypt recover --keyring $ring made/vm out
    refused 4 'nested too deep'
}

@test "recover: disk full" {
    tiny
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small tmpfs"
    mkdir small
    mount -t tmpfs -o size=64k tmpfs small || skip "mounting is not allowed here"
    run --separate-stderr vmcrypt recover --keyring $ring made/vm small/out
    find small -type f >left
    umount small
    [ "$status" -ne 0 ]
    says 'No space left on device'
    not grep -e vmdk -e partial left
}

@test "recover: a disk outside the VM's directory needs --allow-outside" {
    make_vm plain made
    mkdir elsewhere
    mv made/vm/*.vmdk elsewhere/
    name=$(basename "$(find elsewhere -name '*.vmdk' ! -name '*-flat.vmdk')")
    sed -i "s|fileName = \"$name\"|fileName = \"../../elsewhere/$name\"|" made/vm/*.vmx
    run --separate-stderr vmcrypt recover made/vm out
    refused 5 '--allow-outside'
    vmcrypt recover --allow-outside made/vm out2
    lab verify made "out2/${name%.vmdk}-flat.vmdk"
}

@test "recover: output directory that holds something" {
    tiny
    mkdir out
    touch out/mine
    run --separate-stderr vmcrypt recover --keyring $ring made/vm out
    [ "$status" -eq 2 ]
    says 'not empty'
    [ "$(ls out)" = mine ]
}

@test "recover: no .vmx, two .vmx, no such VM" {
    mkdir vm
    run --separate-stderr vmcrypt recover vm out
    [ "$status" -eq 2 ]
    says 'no .vmx file'
    touch vm/a.vmx vm/b.vmx
    run --separate-stderr vmcrypt recover vm out
    [ "$status" -eq 2 ]
    says '2 .vmx files'
    run --separate-stderr vmcrypt recover absent out
    [ "$status" -eq 1 ]
    says 'No such file'
}

@test "recover: a plaintext that nothing confirms is said to be unproved" {
    tiny
    # Shift the ciphertext by one unit: the key still fits, the layout no longer does.
    { head -c 512 /dev/urandom; head -c -512 made/vm/web01-flat.vmdk; } >shifted
    mv shifted made/vm/web01-flat.vmdk
    run --separate-stderr vmcrypt recover --keyring $ring made/vm out
    [ "$status" -eq 5 ]
    says 'no partition table or file system was recognised'
    run cat out/report.json
    has '"unproved"'
    has '"complete": false'
}

# Run vmcrypt recover and let the kernel answer calls of SYSCALL on FILE with WHAT (strace's words).
injected()
{
    need strace
    [ "$(id -u)" -eq 0 ] || skip "only root sees the files of a process that hides its memory"
    run --separate-stderr traced -o /dev/null -P "$3" -e "trace=$1" -e "inject=$1:$2" \
        vmcrypt recover --keyring "$ring" made/vm out
}

@test "recover: another I/O filter on the disk is warned of" {
    tiny
    sed -i 's/"vmwarevmcrypt"/"vmwarevmcrypt,acme_cache"/' made/vm/web01.vmdk
    run --separate-stderr vmcrypt recover --keyring "$ring" made/vm out
    [ "$status" -eq 0 ]
    says 'the I/O filter "acme_cache" is attached too'
}

@test "recover: Ctrl-C leaves nothing that passes for a disk" {
    make_vm vsphere made
    ring=made/keys/keyring.yaml
    injected pwrite64 signal=INT:when=2 "$PWD/out/web01-flat.vmdk.partial"
    refused 5 'interrupted'
}

@test "recover: a read error is told with file and offset" {
    tiny
    # Errors while it is copied, by several threads, are tried in copy.bats.
    injected pread64 error=EIO:when=3 made/vm/web01-flat.vmdk
    refused 5 'Input/output error'
    says 'web01-flat.vmdk'
    run cat out/report.json
    has '"error_offset"'
}

@test "recover: a write error leaves no disk" {
    tiny
    injected pwrite64 error=EIO:when=1 "$PWD/out/web01-flat.vmdk.partial"
    refused 5 'Input/output error'
}

@test "recover: a plain delta on an encrypted base" {
    local seed=1
    while lab disk vmfs,vmfsSparse d --encrypt some --seed $seed &&
        ! /usr/bin/python3 -c 'import json, sys
sys.exit([l["encrypted"] for l in json.load(open("d/truth.json"))["layers"]] != [True, False])'; do
        rm -r d
        seed=$((seed + 1))
    done
    printf '%s\n' 'scsi0:0.present = "TRUE"' 'scsi0:0.fileName = "disk-000001.vmdk"' >d/vm/x.vmx
    run --separate-stderr vmcrypt recover --keyring d/keys/keyring.yaml d/vm out
    cmp d/truth/disk.raw out/disk-000001-flat.vmdk
    run cat out/report.json
    has 'disk key of disk.vmdk, HMAC-SHA-256'
    has '"provider": "KMS"'
}
