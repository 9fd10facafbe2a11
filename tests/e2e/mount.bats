#!/usr/bin/env bats
# vmcrypt mount: what is seen, by whom, and that nothing can be changed.

load helpers
load mount

@test "a VM with snapshots: every view is what the lab put in" {
    make_vm vsphere-snapshots made
    ring=made/keys/keyring.yaml
    mount_on made/vm mnt
    /usr/bin/python3 - <<'END'
import hashlib, json, os
def sha(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()
truth = json.load(open("made/truth.json"))
want = {}
for disk in truth["disks"]:
    for layer in disk["layers"]:
        want[os.path.basename(layer["descriptor"]).removesuffix(".vmdk")] = layer["sha256"]
seen = set()
for place, _, files in os.walk("mnt"):
    for name in files:
        if name.endswith(".raw"):
            path = os.path.join(place, name)
            assert sha(path) == want[name.removesuffix(".raw")], path
            assert "snapshots" in place or name.startswith(("web01-000003", "web01_1-000003"))
            seen.add(name)
            # Partitions are parts of it.
            image = open(path, "rb").read()
            for part in files:
                if part.startswith(name.removesuffix("raw") + "p"):
                    assert open(os.path.join(place, part), "rb").read() in image
                    seen.add(part)
assert {n.removesuffix(".raw") for n in seen if n.endswith(".raw")} == set(want), seen
assert sum(n.endswith(".p1") for n in seen) == len(want)
report = json.load(open("mnt/report.json"))
assert all(d["state"] == "proved" for d in report["disks"]), report
END
    [ "$(ls mnt/snapshots | wc -l)" -eq 3 ]
    grep -q '^displayName' mnt/vm.vmx
    not grep -q encryption.keySafe mnt/vm.vmx
}

@test "one snapshot alone" {
    make_vm vsphere-snapshots made
    ring=made/keys/keyring.yaml
    mount_on made/vm mnt --snapshot 2
    [ "$(sha mnt/disks/web01.raw)" = "$(sha made/truth/disk1-snapshot2.raw)" ]
    fusermount3 -u mnt
    eventually is_over
    mount_on made/vm mnt --snapshot 'before / after "patch"'
    [ "$(sha mnt/disks/web01-000001.raw)" = "$(sha made/truth/disk1-snapshot3.raw)" ]
    fusermount3 -u mnt
    eventually is_over
    run --separate-stderr vmcrypt mount --keyring "$ring" --snapshot 'clean install' made/vm mnt
    [ "$status" -eq 2 ]
    says 'name the uid'
    [ -z "$(mounts)" ]
}

@test "a single disk, and over a file" {
    web
    mount_on "$vm/vm/web01.vmdk" mnt
    [ "$(ls mnt | sort | tr '\n' ' ')" = "disk.raw disk.vmdk p1 report.json " ]
    cmp mnt/disk.raw "$vm/truth/disk1.raw"
    cmp mnt/p1 <(tail -c +1048577 "$vm/truth/disk1.raw" | head -c "$(stat -c %s mnt/p1)")
    fusermount3 -u mnt
    eventually is_over
    : >image
    mount_on "$vm/vm/web01.vmdk" image
    cmp image "$vm/truth/disk1.raw"
    run vmcrypt mount --status image
    [ "$status" -eq 0 ]
    has "web01.vmdk"
    fusermount3 -u image
    eventually is_over
    [ ! -s image ]
}

@test "a VM cannot be mounted over a file, nor anything over the evidence" {
    own_web
    : >image
    run --separate-stderr vmcrypt mount --keyring "$ring" "$vm/vm" image
    [ "$status" -eq 2 ]
    says "needs a directory"
    for at in "$vm/vm" "$vm" "$vm/vm/web01-flat.vmdk"; do
        run --separate-stderr vmcrypt mount --keyring "$ring" "$vm/vm/web01.vmdk" "$at"
        [ "$status" -eq 2 ]
        says "would hide the evidence"
    done
    [ -z "$(mounts)" ]
}

@test "what analysts run on the views" {
    need qemu-img fdisk blkid fls icat debugfs 7z
    web
    mount_on "$vm/vm" mnt
    local raw=mnt/disks/web01.raw p1=mnt/disks/web01.p1 inode
    qemu-img compare -f raw -F raw "$raw" "$vm/truth/disk1.raw"
    qemu-img info mnt/disks/web01.vmdk | grep -q 'file format: vmdk'
    qemu-img compare -f vmdk -F raw mnt/disks/web01.vmdk "$vm/truth/disk1.raw"
    qemu-img convert -f vmdk -O qcow2 mnt/disks/web01.vmdk copy.qcow2
    fdisk -l "$raw" | grep -q 'Disklabel type: gpt'
    blkid -p "$p1" | grep -q 'TYPE="ext4"'
    debugfs -R 'ls -p /etc' "$p1" 2>/dev/null | grep -q /hostname/
    fls -r -p -f ext "$p1" | grep -q 'etc/hostname'
    fls -r -p -o 2048 "$raw" | grep -q 'etc/hostname'
    inode=$(fls -r -p -f ext "$p1" | sed -n 's,^[^0-9]*\([0-9]*\):.etc/hostname$,\1,p')
    icat -f ext "$p1" "$inode" | sha256sum | cut -d ' ' -f 1 >seen
    /usr/bin/python3 - "$vm/truth.json" <<'END'
import json, sys
files = json.load(open(sys.argv[1]))["disks"][0]["partitions"][0]["files"]
assert {f["path"]: f["sha256"] for f in files}["etc/hostname"] == open("seen").read().strip()
END
    7z l "$p1" | grep -q 'hostname'
    lab verify "$vm" "$raw" --disk disk1
}

@test "NTFS in a view" {
    need ntfsls ntfscat 7z
    make_vm vsphere-ntfs made
    ring=made/keys/keyring.yaml
    mount_on made/vm mnt
    ntfsls --no-action mnt/disks/web01.p1 2>/dev/null | grep -q . ||
        ntfsls mnt/disks/web01.p1 | grep -q .
    7z l mnt/disks/web01.p1 | grep -q 'Type = NTFS'
}

@test "a loop device, direct, and a file system mounted from it" {
    as_root
    need losetup
    web
    mount_on "$vm/vm" mnt
    loop=$(losetup -r --direct-io=on --show -f "$PWD/mnt/disks/web01.p1" 2>/dev/null) ||
        skip "no loop devices here"
    mkdir fs
    if mount -t ext4 -o ro,noload "$loop" fs 2>/dev/null; then
        [ -s fs/etc/hostname ]
    fi
    cmp "$loop" mnt/disks/web01.p1
}

@test "every call that writes is refused" {
    web
    mount_on "$vm/vm" mnt
    run "$top/tests/e2e/mount_writes.py" mnt/disks mnt/disks/web01.raw
    [ "$status" -eq 0 ] || fail "$output"
    run "$top/tests/e2e/mount_writes.py" mnt/disks mnt/vm.vmx
    [ "$status" -eq 0 ] || fail "$output"
    findmnt -n -o OPTIONS mnt | grep -q '^ro,nosuid,nodev'
}

@test "the server refuses by itself when root makes the mount writable" {
    as_root
    web
    mount_on "$vm/vm" mnt
    /usr/bin/python3 -c '
import ctypes, sys
MS_REMOUNT = 32
sys.exit(ctypes.CDLL(None).mount(None, b"mnt", None, MS_REMOUNT, None) != 0)' ||
        skip "cannot mount anew here"
    run "$top/tests/e2e/mount_writes.py" mnt/disks mnt/disks/web01.raw
    # What root may do is asked of the kernel, which only looks at the mode.
    grep -v '^access ' <<<"$output" | not grep 'let through'
    cmp mnt/disks/web01.raw "$vm/truth/disk1.raw"
    [ "$(ls mnt/disks | wc -l)" -eq 3 ]
}

@test "the evidence stays as it was, access times and all" {
    own_web
    # Older than a day and than the last change: any access would be noted.
    find web -exec touch -a -d 2020-01-02 {} +
    state()
    {
        find web/vm -type f -exec stat -c '%n %s %X %Y %Z %a %U' {} + | sort
    }
    state >before
    mount_on "$vm/vm" mnt
    find mnt -type f -exec cat {} + >/dev/null
    state | diff before -
    fusermount3 -u mnt
    eventually is_over
    (cd "$BATS_FILE_TMPDIR/web/vm" && sha256sum -- *) | (cd web/vm && sha256sum --quiet -c)
}

@test "owner only, unless others are let in" {
    as_root
    own_web
    mount_on "$vm/vm" mnt
    [ "$(stat -c '%a %u' mnt/disks/web01.raw)" = "400 0" ]
    not as_user 1234 ls mnt 2>/dev/null
    not as_user 1234 cat mnt/disks/web01.raw 2>/dev/null
    fusermount3 -u mnt
    eventually is_over
    mount_on "$vm/vm" mnt --allow-other
    [ "$(stat -c %a mnt/disks/web01.raw)" = 444 ]
    as_user 1234 cmp mnt/disks/web01.raw mnt/disks/web01.raw
    fusermount3 -u mnt
    eventually is_over
    mount_on "$vm/vm" mnt -o allow_other --mode 0440 --owner 1234:5678
    [ "$(stat -c '%a %u %g' mnt/disks/web01.raw)" = "440 1234 5678" ]
    as_user 1234 head -c 1 mnt/disks/web01.raw >/dev/null
    setpriv --reuid=99 --regid=5678 --clear-groups head -c 1 mnt/disks/web01.raw >/dev/null
    not as_user 4321 head -c 1 mnt/disks/web01.raw 2>/dev/null
}

@test "an ordinary user mounts, root is kept out" {
    as_root
    own_web
    chown -R 65534 .
    as_user 65534 vmcrypt mount --keyring "$ring" --pid-file "$work/pid" "$vm/vm" mnt
    server=$(cat pid)
    as_user 65534 cmp mnt/disks/web01.raw "$vm/truth/disk1.raw"
    not ls mnt 2>/dev/null
    as_user 65534 fusermount3 -u mnt
    eventually is_over
    as_user 65534 vmcrypt mount --keyring "$ring" --pid-file "$work/pid" "$vm/vm" mnt
    server=$(cat pid)
    kill -9 "$server"
    eventually is_gone "$server"
    as_user 65534 vmcrypt mount --recover mnt
    [ -z "$(mounts)" ]
}

@test "the same numbers, sizes and times whenever it is mounted" {
    make_vm vsphere-snapshots made
    ring=made/keys/keyring.yaml
    mount_on made/vm mnt
    find mnt -printf '%P %i %s %t %m\n' | sort >first
    fusermount3 -u mnt
    eventually is_over
    mount_on made/vm mnt
    find mnt/snapshots/*7* -type f >/dev/null
    find mnt -printf '%P %i %s %t %m\n' | sort | diff first -
}

@test "findmnt and --status tell what it is" {
    web
    mount_on "$vm/vm" mnt --threads 3
    run findmnt -n -o SOURCE,FSTYPE mnt
    has "$vm/vm"
    has fuse.vmcrypt
    cat mnt/disks/web01.raw >/dev/null
    vmcrypt mount --status mnt --json | /usr/bin/python3 -c '
import json, sys
s = json.load(sys.stdin)
assert s["source"] == sys.argv[1] and s["pid"] == int(sys.argv[2]) and s["threads"] == 3, s
assert s["served"]["errors"] == 0 and s["served"]["bytes"] >= 50331648, s
assert s["report"]["disks"][0]["state"] == "proved", s' "$vm/vm" "$server"
    run vmcrypt mount --status mnt
    [ "$status" -eq 0 ]
    has "pid: $server"
    fusermount3 -u mnt
    eventually is_over
    mount_on "$vm/vm" mnt -o 'fsname=case 17,direct_io,ro'
    findmnt -n -o SOURCE mnt | grep -q 'case'
    cmp mnt/disks/web01.raw "$vm/truth/disk1.raw"
    run --separate-stderr vmcrypt mount --status /
    [ "$status" -eq 1 ]
    says "not a mount of vmcrypt"
}

@test "mounting waits for a passphrase on standard input" {
    make_vm ws-disk made
    vmcrypt mount --pid-file "$work/pid" --passphrase-file - made/vm mnt <"$(ls made/keys/*phrase* | head -n 1)"
    server=$(cat pid)
    cmp mnt/disks/*.raw made/truth/disk1.raw
}

@test "a plain image" {
    web
    vmcrypt mount --raw --pid-file "$work/pid" "$vm/truth/disk1.raw" mnt
    server=$(cat pid)
    cmp mnt/disk.raw "$vm/truth/disk1.raw"
    vmcrypt mount --status mnt | not grep -q hmac
}

@test "a passphrase is asked for on the terminal, before the server leaves it" {
    need_terminal
    make_vm ws-disk made
    /usr/bin/python3 - made/keys "$work/pid" <<'END'
import glob, os, pty, sys
phrase = open(next(f for f in sorted(glob.glob(sys.argv[1] + "/*")) if "phrase" in f), "rb").read()
child, terminal = pty.fork()
if child == 0:
    os.execvp("vmcrypt", ["vmcrypt", "mount", "--pid-file", sys.argv[2], "made/vm", "mnt"])
said = b""
while b": " not in said:
    said += os.read(terminal, 1000)
os.write(terminal, phrase.rstrip(b"\n") + b"\n")
try:
    while os.read(terminal, 1000):
        pass
except OSError:
    pass  # nobody has the terminal any more
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
assert b"Passphrase" in said, said
END
    server=$(cat pid)
    cmp mnt/disks/*.raw made/truth/disk1.raw
}
