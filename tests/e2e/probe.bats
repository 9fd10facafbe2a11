#!/usr/bin/env bats
# vmcrypt disk probe, and --geometry with what it found

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

geometry()
{
    /usr/bin/python3 "$top/tests/lab/geometry.py" "$@"
}

json()
{
    /usr/bin/python3 -c "import json,sys; d=json.loads(sys.argv[1]); print($1)" "$output"
}

# The disk key of what was made.
dek()
{
    /usr/bin/python3 -c "
import json
open('dek', 'wb').write(bytes.fromhex(json.load(open('made/truth.json'))['disks'][0]['dek']['hex']))"
    chmod 600 dek
}

@test "probe: all geometries of the lab are found, and read the disk" {
    made
    for wanted in $(geometry list); do
        geometry rewrite made "$wanted"
        rm -f found out.raw
        run --separate-stderr vmcrypt disk probe --json --write found --keyring $ring $disk
        [ "$status" -eq 0 ]
        [ "$(json 'd["geometry"], d["verdict"], d["start_confirmed"]')" = "$wanted proved True" ] ||
            fail "$wanted: $output"
        [ "$(grep -v '^#' found)" = "$wanted" ]
        vmcrypt disk decrypt -q --require-proof --geometry found --keyring $ring $disk out.raw
        cmp out.raw $raw
        vmcrypt disk verify -q --geometry "$wanted" --keyring $ring $disk $raw
    done
}

@test "probe: a bare file, with its key in a file" {
    made
    dek
    geometry flat $raw a.raw dek unit=4096,tweak=sector,from=file,header=65536
    run --separate-stderr vmcrypt disk probe --key any=dek a.raw
    [ "$status" -eq 0 ]
    has 'unit=4096,tweak=sector,from=file,header=65536'
    has 'proved'
    has 'GPT (both copies, CRC32 valid) at byte 0'
    cp a.raw a-flat.vmdk
    run --separate-stderr vmcrypt disk probe --key any=dek a-flat.vmdk
    has 'unit=4096,tweak=sector,from=file,header=65536'
}

@test "probe: a wrong key finds nothing, and no key tells what can be told" {
    made
    head -c 64 /dev/urandom >other
    chmod 600 other
    run --separate-stderr vmcrypt disk probe --key any=other --write found made/vm/web01-flat.vmdk
    [ "$status" -eq 4 ]
    says 'no geometry that is known makes sense'
    [ ! -e found ]
    run --separate-stderr vmcrypt disk probe --json --key any=other made/vm/web01-flat.vmdk
    [ "$status" -eq 4 ]
    [ "$(json 'd["verdict"], "geometry" in d')" = "nothing False" ]
    head -c 32 /dev/urandom >kek
    chmod 600 kek
    run --separate-stderr vmcrypt disk probe --key any=kek $disk
    [ "$status" -eq 3 ]
    run --separate-stderr vmcrypt disk probe --json $disk
    [ "$status" -eq 0 ]
    [ "$(json 'd["verdict"], d["stored"]["encrypted"], d["key"]')" = "no key yes None" ]
    run --separate-stderr vmcrypt disk probe --json $raw
    [ "$(json 'd["stored"]["encrypted"], d["stored"]["plain_at"][0]')" = "no 0" ]
    has 'GPT (both copies'
    run --separate-stderr vmcrypt disk probe --write found $disk
    [ "$status" -eq 3 ]
}

@test "probe: what is plain in an encrypted disk is named" {
    made
    /usr/bin/python3 -c "
f = open('made/vm/web01-flat.vmdk', 'r+b')
f.seek(32768); f.write(b'left in the clear' * 200)"
    run --separate-stderr vmcrypt disk probe --json --keyring $ring $disk
    [ "$(json 'd["stored"]["encrypted"], d["stored"]["plain_at"]')" = "partly [32768]" ]
    [ "$(json 'd["verdict"]')" = proved ]
}

@test "probe: 100 GiB in less than 2 seconds of CPU, found and not found" {
    not_sanitized
    made
    dek
    geometry flat $raw big.raw dek unit=65536,tweak=byte,from=file,header=1048576
    truncate -s 100G big.raw
    for at in 3 41 99; do
        dd if=/dev/urandom of=big.raw bs=1M count=8 seek=$((at * 1024)) conv=notrunc status=none
    done
    head -c 64 /dev/urandom >other
    chmod 600 other
    TIMEFORMAT=%U
    for key in dek other; do
        seconds=$({ time vmcrypt disk probe --key any=$key big.raw >out.$key 2>/dev/null || true; } 2>&1)
        /usr/bin/python3 -c "import sys; sys.exit(float('$seconds') >= 2)" || fail "$seconds"
    done
    grep -q 'unit=65536,tweak=byte,from=file,header=1048576' out.dek
    not grep -q geometry out.other
}

@test "probe: --write keeps what is there; --geometry refuses what is none" {
    made
    echo mine >found
    run --separate-stderr vmcrypt disk probe --write found --keyring $ring $disk
    [ "$status" -ne 0 ]
    [ "$(cat found)" = mine ]
    vmcrypt disk probe --write found --force --keyring $ring $disk >/dev/null
    [ "$(tail -n 1 found)" = unit=512,tweak=unit,from=disk ]
    for text in unit=500 nonsense=1 none.such "$disk"; do
        run --separate-stderr vmcrypt disk info --geometry "$text" --keyring $ring $disk
        [ "$status" -ne 0 ]
    done
    run --separate-stderr vmcrypt disk info --geometry unit=512 --data-unit 512 $disk
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt disk decrypt --in-place --geometry unit=512,tweak=byte --keyring $ring $disk
    [ "$status" -eq 2 ]
    says 'not converted in place'
    # Another geometry goes on with no journal of this one.
    run --separate-stderr vmcrypt disk decrypt --resume --geometry unit=512,order=big --range 0:1M --keyring $ring $disk o.raw
    [ "$status" -eq 0 ]
    run --separate-stderr vmcrypt disk decrypt --resume --range 1M:1M --keyring $ring $disk o.raw
    [ "$status" -ne 0 ]
}

@test "probe: nothing is written" {
    made
    before=$(stat -c '%n %s %Y' made/vm/*; sha256sum made/vm/*)
    vmcrypt disk probe --keyring $ring $disk >/dev/null
    [ "$before" = "$(stat -c '%n %s %Y' made/vm/*; sha256sum made/vm/*)" ]
}
