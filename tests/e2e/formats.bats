#!/usr/bin/env bats
# Every kind of disk that the lab makes, read and compared with what the guest wrote and, where QEMU
# reads the kind right, with qemu-img; then the images that other readers get wrong (peers.md §3.2,
# §3.3), one line each: read right, or refused with the reason, never anything else.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

model()
{
    /usr/bin/python3 "$top/tests/e2e/formats_model.py" "$@"
}

disk_of()
{
    /usr/bin/python3 -c 'import json,sys; print(sys.argv[1] + "/" + json.load(open(sys.argv[1] + "/truth.json"))["descriptor"])' "$1"
}

# Make KIND as ./d; its path is in $disk.
made()
{
    rm -rf d d.other out.raw qemu.raw
    lab disk "$@" d
    disk=$(disk_of d)
}

# Make a CASE of formats_model.py as ./d; its path is in $disk.
damaged()
{
    rm -rf d d.other out.raw
    disk=$(model make "$1" d)
}

decrypt()
{
    run --separate-stderr timeout 20 vmcrypt disk decrypt --to raw "$@" "$disk" out.raw </dev/null
}

# The disk $disk, called NAME, is read, and the bytes are those of the guest.
equals_model()
{
    [ "$status" -eq 0 ] || fail "$1: exit status $status: $stderr"
    model same out.raw d/truth/disk.raw || fail "$1: wrong bytes"
}

# KIND [OPTION...]: read right.
reads()
{
    made "$@"
    decrypt
    equals_model "$1"
}

# The same, and QEMU agrees.
as_qemu()
{
    reads "$@"
    timeout 20 qemu-img convert -O raw "$disk" qemu.raw || fail "$1: QEMU does not read it any more"
    cmp out.raw qemu.raw || fail "$1: not what QEMU reads"
}

# KIND WORDS: read right, with WORDS said about it.
notes()
{
    reads "$1"
    says "$2"
}

# CASE [WORDS]: damaged, but there is enough to read it right; WORDS are said.
survives()
{
    damaged "$1"
    decrypt
    equals_model "$1"
    [ -z "${2:-}" ] || says "$2"
}

# CASE STATUS WORDS: refused in one line of WORDS, and nothing is left.
refuses()
{
    damaged "$1"
    refused "$@"
}

refused()
{
    decrypt
    [ "$status" -eq "$2" ] || fail "$1: exit status $status: $stderr"
    [ "$(grep -vc ': warning: ' <<<"$stderr")" -eq 1 ] || fail "$1: $stderr"
    says "$3"
    find . -maxdepth 1 -name 'out*' | not grep .
}

# KIND: every change of its headers is refused or read right.
torture()
{
    not_sanitized
    run model torture "$1" d
    [ "$status" -eq 0 ] || fail "$output"
}

@test "formats: flat" {
    need qemu-img
    as_qemu monolithicFlat
    as_qemu monolithicFlat-crlf
    as_qemu monolithicFlat-utf8
    reads monolithicFlat-1252
    as_qemu monolithicFlat-offset
    as_qemu twoGbMaxExtentFlat
    reads 2GbMaxExtentFlat
}

@test "formats: flat on ESXi" {
    need qemu-img
    as_qemu vmfs
    as_qemu vmfs-cbt
    reads vmfsPreallocated
    reads vmfsEagerZeroedThick
    reads vmfsThin
}

@test "formats: devices, given as files" {
    reads fullDevice
    reads partitionedDevice
    reads vmfsRaw
    reads vmfsRawDeviceMap
    reads vmfsPassthroughRawDeviceMap
}

@test "formats: ZERO, RDONLY and NOACCESS extents, mixtures" {
    reads custom-zero
    reads flat-zero
    reads flat-rdonly
    reads zero
    reads custom-mix
    made custom-noaccess
    refused custom-noaccess 1 NOACCESS
    made flat-noaccess
    refused flat-noaccess 1 NOACCESS
}

@test "formats: hosted sparse" {
    need qemu-img
    as_qemu monolithicSparse
    as_qemu monolithicSparse-crlf
    as_qemu monolithicSparse-v2
    as_qemu monolithicSparse-v3
    as_qemu monolithicSparse-norgd
    as_qemu monolithicSparse-grain8
    as_qemu monolithicSparse-grain1024
    as_qemu twoGbMaxExtentSparse
    reads 2GbMaxExtentSparse
    notes monolithicSparse-unclean 'not closed'
}

@test "formats: streamOptimized" {
    need qemu-img
    as_qemu streamOptimized
    as_qemu streamOptimized-v3
    as_qemu streamOptimized-head
    notes streamOptimized-nofooter 'footer'
    notes streamOptimized-nodirectory 'footer'
}

@test "formats: vmfsSparse and seSparse" {
    need qemu-img
    as_qemu vmfsSparse
    as_qemu vmfsSparse-8
    as_qemu seSparse
    notes seSparse-dirty 'journal'
}

@test "formats: other sizes, from one sector to beyond 2 TiB" {
    for sectors in 1 7 8 9 127 129 65536 4194303; do
        for kind in monolithicSparse monolithicSparse-v2 streamOptimized vmfsSparse seSparse vmfs; do
            reads $kind --sectors $sectors --writes 3 --seed "$sectors"
        done
    done
    not_sanitized
    for kind in monolithicSparse seSparse vmfs; do
        reads $kind --sectors 4294967300 --writes 20
    done
}

@test "formats: every kind encrypted" {
    for kind in monolithicFlat twoGbMaxExtentFlat custom-zero custom-mix monolithicSparse \
        monolithicSparse-v2 twoGbMaxExtentSparse streamOptimized streamOptimized-v3 \
        vmfsSparse vmfsSparse-8 seSparse; do
        made $kind --encrypt all
        decrypt --keyring d/keys/keyring.yaml
        equals_model "$kind"
        rm out.raw
        run --separate-stderr vmcrypt disk decrypt --to raw "$disk" out.raw </dev/null
        [ "$status" -eq 3 ] || fail "$kind: without a key: $status $stderr"
    done
}

@test "formats: no kind of the lab is forgotten here" {
    for kind in $(lab disks | cut -f 1); do
        grep -Eq "^ +(as_qemu|reads|notes|made) $kind( |\$)" "$BATS_TEST_FILENAME" ||
            fail "$kind is not tested"
    done
}

@test "formats: bare extents, without the descriptor that names them" {
    made twoGbMaxExtentSparse
    disk=d/vm/disk-s001.vmdk
    decrypt
    [ "$status" -eq 0 ] || fail "$stderr"
    says 'without'
    cmp out.raw <(head -c "$(stat -c %s out.raw)" d/truth/disk.raw)
    for kind in vmfsSparse:delta seSparse:sesparse; do
        made ${kind%:*}
        disk=d/vm/disk-${kind#*:}.vmdk
        decrypt
        equals_model "$kind"
        says 'without'
    done
}

@test "formats: samples that VMware's tools and ESXi wrote" {
    need_sample vmdk/vmware/expected.sha1
    for name in monolithicSparse streamOptimized vmfs_thick; do
        disk=$VMCRYPT_SAMPLES/vmdk/vmware/$name.vmdk
        decrypt
        [ "$status" -eq 0 ] || fail "$name: $stderr"
        sum=$(sha1sum <out.raw | cut -d ' ' -f 1)
        grep -q "^$sum  $name.vmdk" "$VMCRYPT_SAMPLES/vmdk/vmware/expected.sha1" || fail "$name: $sum"
        rm out.raw
    done
    need qemu-img
    disk=$VMCRYPT_SAMPLES/vmdk/ext2-monolithicSparse.vmdk
    decrypt
    qemu-img convert -O raw "$disk" qemu.raw
    cmp out.raw qemu.raw
}

@test "formats: a real seSparse extent" {
    need_sample vmdk/sesparse.vmdk.gz
    gunzip <"$VMCRYPT_SAMPLES/vmdk/sesparse.vmdk.gz" >disk-sesparse.vmdk
    { printf '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n'
      printf 'createType="seSparse"\nRW 1048576 SESPARSE "disk-sesparse.vmdk"\n'; } >disk.vmdk
    disk=disk.vmdk
    decrypt
    [ "$status" -eq 0 ] || fail "$stderr"
    cmp <(head -c 16M out.raw) <(head -c 16M /dev/zero | tr '\0' a)
}

@test "formats: damaged tables are read by their spare copies, or refused" {
    survives gd-beyond 'warning'
    survives gd-entry-beyond 'warning'
    survives gt-entry-beyond 'warning'
    refuses both-gds-beyond 4 'disk.vmdk'
    refuses both-gd-entries-beyond 4 'disk.vmdk'
    refuses both-gt-entries-beyond 4 'disk.vmdk'
    refuses gt-is-directory 4 'disk.vmdk'
    refuses cowd-entry-beyond 4 'disk-delta.vmdk'
    refuses se-entry-beyond 4 'disk-sesparse.vmdk'
    refuses se-entry-unknown 4 'disk-sesparse.vmdk'
}

@test "formats: cut-off files are errors, never zeros" {
    refuses truncated 4 'disk.vmdk'
    refuses stream-truncated 4 'disk.vmdk'
    refuses flat-short 4 'disk-flat.vmdk'
}

@test "formats: headers that lie" {
    refuses huge-capacity 4 'disk.vmdk'
    refuses huge-grain 4 'disk.vmdk'
    refuses zero-grain 4 'disk.vmdk'
    refuses odd-grain 4 'disk.vmdk'
    refuses huge-gtes 4 'disk.vmdk'
    refuses zero-gtes 4 'disk.vmdk'
    refuses version-9 1 'version 9'
    refuses text-mode 4 'text'
    refuses descriptor-beyond 4 'disk.vmdk'
    refuses descriptor-huge 4 'disk.vmdk'
}

@test "formats: damaged streams, zip bombs" {
    refuses stream-bit 4 'disk.vmdk'
    refuses stream-bomb 4 'disk.vmdk'
    refuses stream-lba 4 'disk.vmdk'
}

@test "formats: a renamed disk is read itself, not the one that has its old name" {
    survives renamed-sparse
    survives renamed-stream
}

@test "formats: descriptors that lie" {
    refuses negative-sectors 4 'negative'
    refuses negative-offset 4 'negative'
    refuses overflowing-sectors 4 'too large'
    refuses unknown-type 1 'VSANSPARSE'
    refuses etc-passwd 1 'outside'
    refuses no-extents 4 'disk.vmdk'
    refuses many-extents 4 'more than'
    refuses outside 1 '--allow-outside'
    decrypt --allow-outside
    equals_model outside
    decrypt --search d --force
    equals_model outside
}

@test "formats: changed headers: hosted sparse" {
    torture monolithicSparse-v2
}

@test "formats: changed headers: hosted sparse without spare tables" {
    torture monolithicSparse-norgd
}

@test "formats: changed headers: extents apart from their descriptor" {
    torture twoGbMaxExtentSparse
}

@test "formats: changed headers: streamOptimized" {
    torture streamOptimized
}

@test "formats: changed headers: the footer of a stream" {
    torture 'streamOptimized footer'
}

@test "formats: changed headers: vmfsSparse" {
    torture vmfsSparse
}

@test "formats: changed headers: vmfsSparse with grains of 8 sectors" {
    torture vmfsSparse-8
}

@test "formats: changed headers: seSparse" {
    torture seSparse
}
