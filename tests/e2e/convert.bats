#!/usr/bin/env bats
# vmcrypt disk convert and map: other kinds of disk, and what is stored where.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

# A plain disk of $2 sectors at $1.vmdk with data, zeros and holes, its image in $1.raw.
make_disk()
{
    /usr/bin/python3 - "$1" "$2" <<'END'
import random, sys
name, sectors = sys.argv[1], int(sys.argv[2])
r = random.Random(sectors)
with open(name + ".raw", "wb") as f:
    f.truncate(sectors * 512)
    for i in range(40):
        at = r.randrange(sectors)
        length = min(r.randrange(1, 600), sectors - at)
        f.seek(at * 512)
        f.write((r.randbytes(512) if i % 3 else b"text" * 128) * length)
    f.seek((sectors - 1) * 512)
    f.write(r.randbytes(512))
with open(name + ".vmdk", "w") as f:
    f.write(f'# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n'
            f'createType="monolithicFlat"\nRW {sectors} FLAT "{name}.raw" 0\n'
            f'ddb.adapterType = "ide"\n')
END
}

@test "convert: sparse and stream are what qemu-img reads, at all sizes" {
    need qemu-img
    for sectors in 1 127 128 129 65536 65537 300001; do
        make_disk d $sectors
        for to in sparse stream; do
            vmcrypt disk convert -q --to $to d.vmdk $to.vmdk
            qemu-img compare -q -f raw -F vmdk d.raw $to.vmdk
            qemu-img check -q $to.vmdk
            # And back, by ourselves.
            vmcrypt disk convert -q --to raw $to.vmdk back.raw
            cmp back.raw d.raw
            rm $to.vmdk back.raw
        done
    done
}

@test "convert: the descriptor inside, and a fresh CID" {
    make_disk d 4096
    vmcrypt disk convert -q --to streamOptimized d.vmdk s.vmdk
    run vmcrypt disk info --json s.vmdk
    [ "$status" -eq 0 ]
    has '"create_type": "streamOptimized"'
    has '"adapter": "ide"'
    has_not '12345678'
    grep -aq 'RW 4096 SPARSE "s.vmdk"' s.vmdk
}

@test "convert: a disk without data, one that is all data" {
    need qemu-img
    truncate -s 64M e.raw
    head -c 3000000 /dev/urandom >f.raw
    truncate -s 3000320 f.raw
    for name in e f; do
        printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW %d FLAT "%s.raw" 0\n' \
            $(($(stat -c %s $name.raw) / 512)) $name >$name.vmdk
        for to in sparse stream; do
            vmcrypt disk convert -q --to $to $name.vmdk $name-$to.vmdk
            qemu-img compare -q -f raw -F vmdk $name.raw $name-$to.vmdk
        done
    done
    [ "$(stat -c %s e-stream.vmdk)" -lt 100000 ]
}

@test "convert: any number of threads gives the same grains" {
    make_disk d 100000
    for threads in 1 2 7 16; do
        vmcrypt disk convert -q --to stream --threads $threads --level 1 d.vmdk t$threads.vmdk
        # Behind the descriptor, whose CID is new each time.
        tail -c +65537 t$threads.vmdk | sha256sum
    done | sort -u >sums
    [ "$(wc -l <sums)" -eq 1 ]
}

@test "convert: an encrypted VM's disk, and encrypted on the way" {
    need qemu-img
    make_vm vsphere v
    ring=(--keyring v/keys/keyring.yaml)
    vmcrypt disk convert -q --to stream "${ring[@]}" v/vm/web01.vmdk s.vmdk
    qemu-img compare -q -f raw -F vmdk v/truth/disk1.raw s.vmdk
    head -c 32 /dev/urandom >kek
    chmod 600 kek
    vmcrypt disk convert -q --to flat --kek P/1 --key P/1=kek s.vmdk e.vmdk
    not cmp -s e-flat.vmdk v/truth/disk1.raw
    vmcrypt disk decrypt -q --key P/1=kek e.vmdk back.raw
    cmp back.raw v/truth/disk1.raw
    # From one key to another in one go.
    vmcrypt disk convert -q --to flat --kek P/1 --key P/1=kek "${ring[@]}" v/vm/web01.vmdk r.vmdk
    vmcrypt disk decrypt -q --key P/1=kek r.vmdk back2.raw
    cmp back2.raw v/truth/disk1.raw
}

@test "convert: what is refused, and nothing is left behind" {
    make_disk d 4096
    run --separate-stderr vmcrypt disk convert d.vmdk o.vmdk
    [ "$status" -eq 2 ]
    says '--to FORMAT is missing'
    run --separate-stderr vmcrypt disk convert --to qcow2 d.vmdk o.vmdk
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt disk convert --to stream --resume d.vmdk o.vmdk
    [ "$status" -eq 2 ]
    says '--resume is for'
    run --separate-stderr vmcrypt disk convert --to stream --kek P/1 d.vmdk o.vmdk
    [ "$status" -eq 2 ]
    cp d.vmdk keep
    run --separate-stderr vmcrypt disk convert --to stream --force d.vmdk d.vmdk
    [ "$status" -eq 2 ]
    cmp d.vmdk keep
    echo there >o.vmdk
    run --separate-stderr vmcrypt disk convert --to stream d.vmdk o.vmdk
    [ "$status" -eq 1 ]
    [ "$(cat o.vmdk)" = there ]
    truncate -s 3T big.raw
    sed 's/RW 4096 FLAT "d.raw"/RW 6442450944 FLAT "big.raw"/' d.vmdk >big.vmdk
    run --separate-stderr vmcrypt disk convert --to sparse big.vmdk b.vmdk
    [ "$status" -eq 1 ]
    says '2 TiB'
    truncate -s 1000000 d.raw
    run --separate-stderr vmcrypt disk convert --to sparse d.vmdk cut.vmdk
    [ "$status" -eq 4 ]
    [ "$(echo *.partial)" = '*.partial' ]
    [ ! -e b.vmdk ]
    [ ! -e cut.vmdk ]
}

@test "convert: a full disk is an error with its place" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount"
    mkdir small
    mount -t tmpfs -o size=256k none small || skip "cannot mount here"
    make_disk d 100000
    run --separate-stderr vmcrypt disk convert --to sparse d.vmdk small/o.vmdk
    left=$(ls small)
    umount small
    [ "$status" -eq 1 ]
    says 'No space left on device'
    [ -z "$left" ]
}

@test "map: what qemu-img map says, of sparse files" {
    need qemu-img
    make_disk d 300001
    vmcrypt disk convert -q --to sparse d.vmdk s.vmdk
    qemu-img map --output=json -f vmdk s.vmdk >theirs
    vmcrypt disk map --json s.vmdk >ours
    /usr/bin/python3 - <<'END'
import json
def bytes_of(runs, key):
    """Sorted, joined intervals of what KEY says is stored, with where."""
    out = []
    for run in runs:
        if not run[key]:
            continue
        at = (run["start"], run["length"], run.get("offset"))
        if out and out[-1][0] + out[-1][1] == at[0] and out[-1][2] + out[-1][1] == at[2]:
            out[-1] = (out[-1][0], out[-1][1] + at[1], out[-1][2])
        else:
            out.append(at)
    return out
ours, theirs = json.load(open("ours")), json.load(open("theirs"))
assert sum(run["length"] for run in ours) == 300001 * 512
size = 300001 * 512
cut = lambda runs: [(s, min(n, size - s), o) for s, n, o in runs]
assert cut(bytes_of(ours, "data")) == cut(bytes_of(theirs, "data")), (ours[:5], theirs[:5])
END
}

@test "map: encrypted, compressed, holes, and who has what in a chain" {
    make_vm vsphere v
    run vmcrypt disk map v/vm/web01.vmdk
    [ "$status" -eq 0 ]
    has 'encrypted'
    has 'web01-flat.vmdk at'
    make_disk d 4096
    vmcrypt disk convert -q --to stream d.vmdk s.vmdk
    run vmcrypt disk map s.vmdk
    has 'compressed'
    has 'hole'
}

@test "info: the blocks that a change tracking file marks, and a file that is none" {
    make_disk d 4096
    /usr/bin/python3 - <<'END'
import struct
size = 4096 * 512
records = [7 if 3 <= i < 6 else 0 for i in range(size // 65536)]
head = bytes.fromhex("a27219f6") + struct.pack("<I4xIQQIII", 1, 0x200, size // 512, 0, 0, 0, 0)
head += bytes(range(16))
with open("d-ctk.vmdk", "wb") as f:
    f.write(head.ljust(0x200, b"\0") + b"".join(struct.pack("<I", r) for r in records))
END
    sed -i 's/^CID/changeTrackPath="d-ctk.vmdk"\nCID/' d.vmdk
    run vmcrypt disk info --json d.vmdk
    [ "$status" -eq 0 ]
    [ "$(/usr/bin/python3 -c 'import json,sys; c = json.loads(sys.argv[1])["change_tracking"]; print(c["changed"], c["inferred"])' "$output")" = \
      "[{'start': 196608, 'length': 196608, 'number': 7}] True" ]
    run vmcrypt disk info d.vmdk
    has '3 of 32 records set, in 1 areas'
    echo none >d-ctk.vmdk
    run vmcrypt disk info d.vmdk
    [ "$status" -eq 0 ]
    has 'changes in     d-ctk.vmdk: '
    sed -i 's/d-ctk.vmdk/..\/x-ctk.vmdk/' d.vmdk
    run vmcrypt disk info d.vmdk
    has '--allow-outside'
}

@test "info: sidecars of I/O filters, and what else a descriptor notes" {
    make_disk d 4096
    sed -i 's/^CID/ddb.sidecars = "x_1.vmfd;..\/y.vmfd"\nddb.uuid = "60 00 C2 9c"\nCID/' d.vmdk
    echo hi >x_1.vmfd
    touch ../y.vmfd
    run vmcrypt disk info d.vmdk
    [ "$status" -eq 0 ]
    has '60 00 C2 9c'
    has 'x_1.vmfd: 3 bytes, of unknown content'
    has 'y.vmfd: not here'
}
