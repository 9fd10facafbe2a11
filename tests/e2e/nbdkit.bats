#!/usr/bin/env bats
# The nbdkit plugin, seen by libnbd's tools, by QEMU, and by a client of our own that is not tidy:
# the bytes are those of the lab's truth.

load helpers

setup()
{
    need nbdkit
    not_sanitized # nbdkit itself has no sanitizer, and cannot load what needs one
    cd "$BATS_TEST_TMPDIR"
    plugin=$VMCRYPT_BUILD/nbdkit-vmcrypt-plugin.so
    # sockets have short names, wherever the tests are
    short=$(mktemp -d /tmp/nbd-XXXXXX)
    socket=$short/s
}

teardown()
{
    [ ! -s "$short/pid" ] || kill "$(cat "$short/pid")" 2>/dev/null || true
    rm -rf "$short"
}

made()
{
    make_vm "$@"
    keys=(keyring=made/keys/keyring.yaml)
    [ ! -e made/keys/passphrase.txt ] || keys=(passphrase-file=made/keys/passphrase.txt)
}

nbd()
{
    /usr/bin/python3 "$top/tests/nbdkit/nbd.py" "$@"
}

# In the background, as a service is; nbdkit's return means that it listens.
serve()
{
    nbdkit -U "$socket" -P "$short/pid" "$plugin" "$@" 3>&-
}

# COMMAND is run with $uri.
with()
{
    local command=$1
    shift
    timeout 60 nbdkit -U - "$plugin" "$@" --run "$command"
}

# Refused at once with STATUS not 0, no client ever let in; the message has WORDS.
refused()
{
    local words=$1
    shift
    run --separate-stderr with 'touch connected' "$@" </dev/null
    [ "$status" -ne 0 ] || fail "accepted: $*"
    not [ -e connected ]
    says "$words"
    [ -z "$output" ]
}

same_hash()
{
    [ "$(sha256sum <"$1")" = "$output" ] || fail "$1: other bytes"
}

@test "nbdkit: nbdcopy, a disk of each way to lock it" {
    need nbdcopy
    for kind in vsphere vsphere-native ws-disk plain tiny; do
        rm -rf made
        made "$kind" made
        # shellcheck disable=SC2016 # nbdkit sets it
        run with 'nbdcopy "$uri" - | sha256sum' made/vm "${keys[@]}"
        [ "$status" -eq 0 ] || fail "$output"
        same_hash made/truth/disk1.raw
    done
}

@test "nbdkit: a disk by its descriptor, and by its bare flat file" {
    need nbdcopy
    made vsphere made
    for source in web01.vmdk web01-flat.vmdk; do
        # shellcheck disable=SC2016
        run with 'nbdcopy "$uri" - | sha256sum' "made/vm/$source" "${keys[@]}"
        same_hash made/truth/disk1.raw
    done
}

@test "nbdkit: every kind of disk" {
    need nbdcopy
    for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse vmfsSparse-8 seSparse custom-mix; do
        rm -rf d
        lab disk "$kind" d
        disk=d/$(/usr/bin/python3 -c 'import json; print(json.load(open("d/truth.json"))["descriptor"])')
        # shellcheck disable=SC2016
        run --separate-stderr with 'nbdcopy "$uri" - | sha256sum' "$disk" allow-outside=true
        [ "$status" -eq 0 ] || fail "$kind: $stderr"
        same_hash d/truth/disk.raw
    done
}

@test "nbdkit: an encrypted chain of snapshots" {
    need nbdcopy
    lab disk mixed d --layers 6 --encrypt some
    disk=d/$(/usr/bin/python3 -c 'import json; print(json.load(open("d/truth.json"))["descriptor"])')
    # shellcheck disable=SC2016
    run --separate-stderr with 'nbdcopy "$uri" - | sha256sum' "$disk" keyring=d/keys/keyring.yaml
    same_hash d/truth/disk.raw
}

@test "nbdkit: several disks are exports, and their partitions" {
    need nbdinfo nbdcopy
    made vsphere-multi made
    serve made/vm "${keys[@]}"
    run nbdinfo --list "nbd+unix:///?socket=$socket"
    [ "$status" -eq 0 ]
    for name in db01.raw db01.p1 db01_1.raw db01_1.p1; do has "export=\"$name\""; done
    for name in db01 db01.raw db01.vmdk; do
        run nbdcopy "nbd+unix:///$name?socket=$socket" one.raw
        cmp one.raw made/truth/disk1.raw
    done
    nbdcopy "nbd+unix:///db01_1?socket=$socket" two.raw
    cmp two.raw made/truth/disk2.raw
    # no guess is made which one is meant, and none when the name is wrong
    run nbdinfo --size "nbd+unix:///?socket=$socket"
    [ "$status" -ne 0 ]
    run nbdinfo --size "nbd+unix:///db02?socket=$socket"
    [ "$status" -ne 0 ]
}

@test "nbdkit: disk= serves one of them" {
    need nbdinfo
    made vsphere-multi made
    serve made/vm disk=db01_1 "${keys[@]}"
    nbd check "$socket" '' made/truth/disk2.raw
    run nbdinfo --list "nbd+unix:///?socket=$socket"
    has db01_1.p1
    has_not db01.raw
    run nbdinfo --size "nbd+unix:///db01?socket=$socket"
    [ "$status" -ne 0 ]
    refused "no disk 'db02', only: db01.raw, db01_1.raw" made/vm disk=db02 "${keys[@]}"
}

@test "nbdkit: a partition as an export is that of nbdkit's own filter" {
    need nbdcopy
    nbdkit --dump-plugin --filter=partition null >/dev/null 2>&1 || skip "no partition filter"
    made vsphere made
    # shellcheck disable=SC2016
    run timeout 60 nbdkit -U - --filter=partition "$plugin" made/vm "${keys[@]}" partition=1 \
        --run 'nbdcopy "$uri" part.raw'
    [ "$status" -eq 0 ] || fail "$output"
    serve made/vm "${keys[@]}"
    nbd check "$socket" web01.p1 part.raw
    # the partition of the truth begins at 1 MiB
    cmp part.raw made/truth/disk1.raw -n "$(stat -c %s part.raw)" -i 0:1048576
}

@test "nbdkit: snapshot= serves the state of that one, by its uid or name" {
    need nbdcopy
    made vsphere-snapshots made
    for snapshot in 2:web01 3:web01-000001 7:web01-000002 'before / after "patch":web01-000001'; do
        uid=${snapshot%:*} disk=${snapshot#*:}
        # shellcheck disable=SC2016
        run with 'nbdcopy "$uri" - | sha256sum' made/vm "snapshot=$uid" "disk=$disk" "${keys[@]}"
        [ "$status" -eq 0 ] || fail "$output"
        [[ $uid != before* ]] || uid=3
        same_hash "made/truth/disk1-snapshot$uid.raw"
    done
    refused '2 snapshots are called' made/vm 'snapshot=clean install' "${keys[@]}"
    refused 'no snapshot' made/vm snapshot=4 "${keys[@]}"
}

@test "nbdkit: random reads on several connections, in the background" {
    for kind in vsphere ws-disk; do
        rm -rf made
        made "$kind" made
        serve made/vm "${keys[@]}"
        run nbd check "$socket" '' made/truth/disk1.raw --seed "$RANDOM"
        [ "$status" -eq 0 ] || fail "$output"
        kill "$(cat "$short/pid")"
        while kill -0 "$(cat "$short/pid")" 2>/dev/null; do sleep 0.05; done
        rm "$socket"
    done
}

@test "nbdkit: keys are locked in memory in the background, too" {
    made vsphere made
    vmcrypt vmx info "${keys[@]/#keyring/--keyring}" made/vm/web01.vmx 2>&1 | not grep 'cannot be locked'
    serve made/vm "${keys[@]}"
    run grep VmLck "/proc/$(cat "$short/pid")/status"
    [[ $output =~ VmLck:[[:space:]]*([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -ge 1024 ]
}

@test "nbdkit: no secret is in a core of it that is taken by force" {
    need gdb
    [ "$(id -u)" -eq 0 ] || skip "only root can force a core of a process that forbids it"
    made ws-disk made
    serve made/vm "${keys[@]}"
    pid=$(cat "$short/pid")
    run "$top/tests/e2e/find_secrets.py" made/truth.json --pid "$pid"
    has 'found secret key'
    run gdb -nx -batch -ex 'set debuginfod enabled off' -p "$pid" -ex 'generate-core-file core'
    [ -s core ] || fail "$output"
    run "$top/tests/e2e/find_secrets.py" made/truth.json core
    [ "$status" -eq 0 ] || fail "in the core: $output"
}

@test "nbdkit: qemu-img convert, compare and check of the size" {
    need qemu-img
    made vsphere made
    serve made/vm "${keys[@]}"
    qemu-img convert -f raw -O qcow2 "nbd:unix:$socket" out.qcow2
    run qemu-img compare -f qcow2 -F raw out.qcow2 made/truth/disk1.raw
    has identical
    # what was never written takes no room
    [ "$(stat -c %b out.qcow2)" -lt $(($(stat -c %s made/truth/disk1.raw) / 512 / 2)) ]
}

@test "nbdkit: runs of data and holes are those of disk map and of the plain image" {
    need qemu-img
    made vsphere made
    vmcrypt disk decrypt "--${keys[0]}" made/vm/web01.vmdk plain.raw
    serve made/vm "${keys[@]}"
    qemu-img map --output=json -f raw "nbd:unix:$socket" >nbd.json
    vmcrypt disk map --json made/vm/web01.vmdk >ours.json
    qemu-img map --output=json -f raw plain.raw >plain.json
    nbd map "$socket" '' >many
    nbd map "$socket" '' --one >one
    nbd map "$socket" web01.p1 >part
    /usr/bin/python3 - <<'END'
import json

def runs(extents):
    """(start, end) of the data, neighbours joined."""
    found = []
    for start, length, data in extents:
        if data and found and found[-1][1] == start:
            found[-1][1] = start + length
        elif data:
            found.append([start, start + length])
    return found

def of_json(name):
    entries = json.load(open(name))
    entries = entries if isinstance(entries, list) else entries["map"]
    return runs((e["start"], e["length"], e["data"]) for e in entries)

def of_nbd(name):
    return runs((int(a), int(b), c == "0") for a, b, c in map(str.split, open(name)))

nbd = of_json("nbd.json")
assert len(nbd) > 10
assert nbd == of_json("ours.json"), "disk map"
assert nbd == of_nbd("many") == of_nbd("one")
# a copy may find more zeros than the original has holes
inside = lambda a, b: any(s <= a and b <= e for s, e in nbd)
assert all(inside(*run) for run in of_json("plain.json")), "data where the plain image has a hole"
last = open("part").read().split("\n")[-2].split()
first = 1 << 20
end = first + int(last[0]) + int(last[1])
cut = [[max(a, first) - first, min(b, end) - first] for a, b in nbd if b > first and a < end]
assert cut == of_nbd("part"), "partition"
END
}

@test "nbdkit: nbdfuse" {
    need nbdfuse fusermount3
    [ -c /dev/fuse ] && [ -w /dev/fuse ] || skip "no /dev/fuse"
    made vsphere made
    serve made/vm "${keys[@]}"
    mkdir mnt
    nbdfuse -P fuse.pid mnt/disk.raw "nbd+unix:///web01.raw?socket=$socket" 3>&- &
    for _ in $(seq 100); do [ ! -s fuse.pid ] || break; sleep 0.05; done
    [ -s fuse.pid ] || skip "FUSE does not mount here"
    run cmp mnt/disk.raw made/truth/disk1.raw
    fusermount3 -u mnt
    [ "$status" -eq 0 ] || fail "$output"
}

@test "nbdkit: nothing can be written, and the evidence is not touched" {
    need qemu-io
    made vsphere made
    # hashing them is what touches them
    hashes=$(sha256sum made/vm/*)
    before=$(stat -c '%n %X %Y %Z' made/vm/*)
    serve made/vm "${keys[@]}"
    run nbd refuse "$socket" ''
    [ "$status" -eq 0 ] || fail "$output"
    run qemu-io -f raw -c 'write 0 512' "nbd:unix:$socket"
    [[ $output == *denied* || $output == *read-only* || $output == *Read-only* ]] || fail "$output"
    nbd check "$socket" '' made/truth/disk1.raw
    [ "$before" = "$(stat -c '%n %X %Y %Z' made/vm/*)" ]
    [ "$hashes" = "$(sha256sum made/vm/*)" ]
}

@test "nbdkit: what has gone is an I/O error, the rest stays readable" {
    made vsphere made
    nbdkit -f -U "$socket" -P "$short/pid" "$plugin" made/vm "${keys[@]}" 2>log 3>&- &
    for _ in $(seq 100); do [ ! -s "$short/pid" ] || break; sleep 0.05; done
    size=$(stat -c %s made/vm/web01-flat.vmdk)
    nbd check "$socket" '' made/truth/disk1.raw
    truncate -s $((size / 2)) made/vm/web01-flat.vmdk
    for _ in 1 2 3 4 5; do
        [ "$(nbd read "$socket" '' $((size / 2)) 512)" = 5 ]
        [ "$(nbd read "$socket" '' $((size / 2 - 512)) 1024)" = 5 ]
    done
    [ "$(nbd read "$socket" '' $((size / 2 - 512)) 512)" = ok ]
    # not a line for each
    [ "$(grep -c 'web01-flat.vmdk' log)" -ge 1 ]
    [ "$(grep -c 'web01-flat.vmdk' log)" -lt 8 ] || fail "$(cat log)"
}

@test "nbdkit: a key that is missing or wrong ends it before anybody connects" {
    made ws-disk made
    printf wrong >wrong
    chmod 600 wrong
    refused 'does not fit' made/vm passphrase-file=wrong
    refused 'no key' made/vm
    rm -rf made
    made vsphere made
    refused 'needs KEK' made/vm/web01.vmx
    head -c 32 /dev/zero >zero
    chmod 600 zero
    refused 'made/vm/web01.vmx' made/vm/web01.vmx key=zero
}

@test "nbdkit: keys one by one, as of the command line" {
    need nbdinfo
    made vsphere made
    # shellcheck disable=SC2016
    show='nbdinfo --size "$uri"'
    size=$(stat -c %s made/truth/disk1.raw)
    mapfile -t ids < <(sed -n 's/^ *- id: //p' made/keys/keyring.yaml | tr -d '"')
    run with "$show" made/vm "key=KMS/${ids[0]}=made/keys/kms-1.key" "key=KMS/${ids[1]}=made/keys/kms-2.key"
    [ "$output" = "$size" ] || fail "$output"
    run with "$show" made/vm key=made/keys/kms-1.key key=made/keys/kms-2.key
    [ "$output" = "$size" ] || fail "$output"
    printf 'of the ring' >phrase
    chmod 600 phrase
    vmcrypt key import --to ring.enc --new-passphrase-file phrase made/keys/keyring.yaml
    refused 'ring.enc' made/vm keyring=ring.enc
    run with "$show" made/vm keyring=ring.enc keyring_passphrase_file=phrase
    [ "$output" = "$size" ] || fail "$output"
}

@test "nbdkit: passphrases from a file, a descriptor and standard input, never as a word" {
    need nbdinfo
    made ws-disk made
    phrase=made/keys/passphrase.txt
    # shellcheck disable=SC2016
    show='nbdinfo --size "$uri"'
    size=$(stat -c %s made/truth/disk1.raw)
    run with "$show" made/vm "passphrase-file=$phrase"
    [ "$output" = "$size" ] || fail "$output"
    run with "$show" made/vm "passphrase_file=-" <"$phrase"
    [ "$output" = "$size" ] || fail "$output"
    run with "$show" made/vm "password=+$phrase"
    [ "$output" = "$size" ] || fail "$output"
    run with "$show" made/vm password=-7 7<"$phrase"
    [ "$output" = "$size" ] || fail "$output"
    refused 'can be seen by others' made/vm "password=$(cat "$phrase")"
    refused 'nobody to be asked' made/vm password=-
    not grep -q "$(cat "$phrase")" <<<"$stderr"
    run --separate-stderr nbdkit -s "$plugin" made/vm passphrase-file=- </dev/null
    [ "$status" -ne 0 ]
    says 'standard input carries NBD'
}

@test "nbdkit: a passphrase that is asked for at a terminal" {
    need_terminal
    need nbdinfo
    made ws-disk made
    # shellcheck disable=SC2016
    run timeout 60 /usr/bin/python3 - "$plugin" made/vm made/keys/passphrase.txt <<'END'
import os, pty, sys
plugin, source, phrase = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp("nbdkit", ["nbdkit", "-U", "-", plugin, source, "password=-", "--run",
                         'nbdinfo --size "$uri"'])
seen = b""
answered = False
while True:
    try:
        more = os.read(fd, 4096)
    except OSError:
        more = b""
    if not more:
        break
    seen += more
    if b"password:" in seen.lower() and not answered:
        answered = True
        os.write(fd, open(phrase, "rb").read().rstrip(b"\n") + b"\n")
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    [ "$status" -eq 0 ] || fail "$output"
    has "$(stat -c %s made/truth/disk1.raw)"
    has_not "$(cat made/keys/passphrase.txt)"
}

@test "nbdkit: parameters that are off" {
    made tiny made
    refused 'SOURCE' keyring=made/keys/keyring.yaml
    refused 'no-such.vmx' no-such.vmx
    refused "no parameter 'no-such'" made/vm no-such=1
    refused 'given twice' made/vm file=made/vm
    refused 'boolean' made/vm allow-outside=perhaps
    refused 'data-unit' made/vm data-unit=513 "${keys[@]}"
    refused 'missing-delta' made/vm missing-delta=child "${keys[@]}"
    refused 'snapshot' made/vm snapshot=none "${keys[@]}"
    refused 'a key is given as' made/vm key=KMS/1=
}

@test "nbdkit: files outside the evidence are not read unless that is asked for" {
    need nbdinfo
    made tiny made
    mkdir out
    mv made/vm/web01-flat.vmdk out/
    # shellcheck disable=SC2016
    show='nbdinfo --size "$uri"'
    refused 'web01-flat.vmdk' made/vm/web01.vmdk "${keys[@]}"
    run with "$show" made/vm/web01.vmdk search=out "${keys[@]}"
    [ "$status" -eq 0 ] || fail "$output"
    ln -s ../../out/web01-flat.vmdk made/vm/
    refused 'web01-flat.vmdk' made/vm/web01.vmdk "${keys[@]}"
    run with "$show" made/vm/web01.vmdk allow_outside=yes "${keys[@]}"
    [ "$status" -eq 0 ] || fail "$output"
    refused 'web01-flat.vmdk' made/vm/web01.vmdk allow_outside=no "${keys[@]}"
}

@test "nbdkit: relative paths hold when it has gone into the background" {
    # more extents than are kept open at a time
    lab disk twoGbMaxExtentFlat d --sectors 20000
    disk=$(/usr/bin/python3 -c 'import json; print(json.load(open("d/truth.json"))["descriptor"])')
    cd d
    serve "$disk"
    [ "$(readlink "/proc/$(cat "$short/pid")/cwd")" = / ]
    nbd check "$socket" '' truth/disk.raw
}

@test "nbdkit: --dump-plugin and --help; the man page has every parameter" {
    run nbdkit --dump-plugin "$plugin"
    [ "$status" -eq 0 ]
    has 'name=vmcrypt'
    has 'version=0.1.0'
    has 'thread_model=parallel'
    has 'magic_config_key=file'
    has 'vmcrypt_extents='
    has seSparse
    run nbdkit "$plugin" --help
    [ "$status" -eq 0 ]
    man=$top/docs/man/nbdkit-vmcrypt-plugin.1
    names=$(sed -n 's/^ *\[\{0,1\}\([a-z][a-z-]*\)=.*/\1/p' <<<"${output#*SOURCE (required)}")
    [ "$(wc -l <<<"$names")" -ge 15 ]
    for name in file $names; do
        grep -q -- "${name//-/\\\\-}=" "$man" || fail "$man does not tell of $name"
        # and each is one that the plugin knows
        run --separate-stderr nbdkit "$plugin" "$name=" </dev/null
        [[ $stderr != *'no parameter'* ]] || fail "$name: $stderr"
    done
}
