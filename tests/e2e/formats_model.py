#!/usr/bin/python3
"""Damaged and hostile disks for formats.bats and chains.bats, and what may become of them.

formats_model.py make CASE DIR       a disk of the lab, then damaged; prints its path in DIR
formats_model.py torture KIND DIR    every field of every header changed, entries of tables changed,
                                     files cut off: the suite may refuse each, or read it right;
                                     prints what it did wrong
formats_model.py same A B            exit status 0 when two files, holes and all, read the same
"""
import argparse
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import vmdkmake     # noqa: E402

SECTOR = 512
BLOCK = 65536
BEYOND = 0x7FFFFFF0
TIME_LIMIT = 20

# (name, offset, bytes) of header fields.
KDMV = (("magic", 0, 4), ("version", 4, 4), ("flags", 8, 4), ("capacity", 12, 8), ("grain", 20, 8),
        ("descriptor offset", 28, 8), ("descriptor size", 36, 8), ("entries", 44, 4),
        ("rgd", 48, 8), ("gd", 56, 8), ("overhead", 64, 8), ("unclean", 72, 1), ("newlines", 73, 4),
        ("compression", 77, 2))
COWD = (("magic", 0, 4), ("version", 4, 4), ("flags", 8, 4), ("sectors", 12, 4), ("grain", 16, 4),
        ("gd", 20, 4), ("gd entries", 24, 4), ("free", 28, 4))
_SE_NAMES = ("magic version capacity grain table flags r1 r2 r3 r4 volatile vsize jheader jhsize "
             "journal jsize gd gdsize gt gtsize bitmap bsize backmap bmsize grains gsize").split()
SESPARSE = tuple((name, 8 * i, 8) for i, name in enumerate(_SE_NAMES)) + (
    ("volatile magic", SECTOR, 8), ("replay", SECTOR + 24, 8))

TORTURED = {
    "monolithicSparse-v2": ("disk.vmdk", KDMV, 0),
    "monolithicSparse-norgd": ("disk.vmdk", KDMV, 0),
    "twoGbMaxExtentSparse": ("disk-s001.vmdk", KDMV, 0),
    "streamOptimized": ("disk.vmdk", KDMV, 0),
    "streamOptimized footer": ("disk.vmdk", KDMV, -2 * SECTOR),
    "vmfsSparse": ("disk-delta.vmdk", COWD, 0),
    "vmfsSparse-8": ("disk-delta.vmdk", COWD, 0),
    "seSparse": ("disk-sesparse.vmdk", SESPARSE, 0),
}


# What no reader can tell: the header of another disk that is legal as well. Smaller grains of which
# only the first part is read; a directory in sectors that are zero, where nothing is allocated.
NOT_TOLD = {("KDMV", "grain", value) for value in (1, 2, 64, 256)} | {
    ("COWD", "grain", value) for value in (2, 3, 4, 7, 9, 10, 16)} | {("COWD", "gd", 8)}


class Disk:
    """A disk of the lab; paths are those of its files."""

    def __init__(self, directory, kinds, **options):
        vmdkmake.make(kinds, directory, 1, **options)
        with open(os.path.join(directory, "truth.json"), encoding="utf-8") as file:
            self.truth = json.load(file)
        self.directory = os.path.join(directory, "vm")
        self.path = os.path.join(directory, self.truth["descriptor"])
        self.raw = os.path.join(directory, self.truth["raw"])

    def file(self, name):
        return os.path.join(self.directory, name)

    def patch(self, name, at, data):
        with open(self.file(name), "r+b") as file:
            file.seek(at, 2 if at < 0 else 0)
            file.write(data)

    def bytes(self, name, at, count):
        with open(self.file(name), "rb") as file:
            file.seek(at, 2 if at < 0 else 0)
            return file.read(count)

    def word(self, name, at, code="<I"):
        return struct.unpack(code, self.bytes(name, at, struct.calcsize(code)))[0]

    def edit(self, pattern, replacement, name=None):
        """In a descriptor with a file of its own."""
        path = self.file(name) if name else self.path
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        changed, count = re.subn(pattern, lambda match: replacement(match), text, flags=re.M) \
            if callable(replacement) else re.subn(pattern, replacement, text, flags=re.M)
        if count == 0:
            sys.exit(f"formats_model.py: nothing in {path} is like {pattern}")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(changed)


def _sparse(directory):
    return Disk(directory, ["monolithicSparse"])


def _gd(disk, which="gd", name="disk.vmdk"):
    """Byte offset of a directory of a hosted sparse extent."""
    return disk.word(name, 56 if which == "gd" else 48, "<Q") * SECTOR


def _tables(disk, which="gd"):
    """Byte offset of the first grain table, whose entries are all in use or not by the seed."""
    return disk.word("disk.vmdk", _gd(disk, which)) * SECTOR


def _first_used(disk, table):
    words = struct.unpack("<128I", disk.bytes("disk.vmdk", table, 512))
    return next(i for i, word in enumerate(words) if word > 1)


def truncated(directory):
    disk = _sparse(directory)
    os.truncate(disk.file("disk.vmdk"), os.path.getsize(disk.file("disk.vmdk")) // 2)
    return disk


def gd_beyond(directory):
    disk = _sparse(directory)
    disk.patch("disk.vmdk", 56, struct.pack("<Q", BEYOND))
    return disk


def both_gds_beyond(directory):
    disk = gd_beyond(directory)
    disk.patch("disk.vmdk", 48, struct.pack("<Q", BEYOND))
    return disk


def gd_entry_beyond(directory):
    disk = _sparse(directory)
    disk.patch("disk.vmdk", _gd(disk), struct.pack("<I", BEYOND))
    return disk


def both_gd_entries_beyond(directory):
    disk = gd_entry_beyond(directory)
    disk.patch("disk.vmdk", _gd(disk, "rgd"), struct.pack("<I", BEYOND))
    return disk


def gt_entry_beyond(directory):
    disk = _sparse(directory)
    table = _tables(disk)
    disk.patch("disk.vmdk", table + 4 * _first_used(disk, table), struct.pack("<I", BEYOND))
    return disk


def both_gt_entries_beyond(directory):
    disk = gt_entry_beyond(directory)
    table = _tables(disk, "rgd")
    disk.patch("disk.vmdk", table + 4 * _first_used(disk, table), struct.pack("<I", BEYOND))
    return disk


def gt_is_directory(directory):
    """A loop: the directory is its own first table, in both copies."""
    disk = _sparse(directory)
    for which in ("gd", "rgd"):
        disk.patch("disk.vmdk", _gd(disk, which), struct.pack("<I", _gd(disk, which) // SECTOR))
    return disk


def text_mode(directory):
    """Transferred as text, which the line ends in the header are there to show."""
    disk = _sparse(directory)
    disk.patch("disk.vmdk", 73, b"\n \n\n")
    return disk


def _header_case(at, code, value):
    def change(directory):
        disk = _sparse(directory)
        disk.patch("disk.vmdk", at, struct.pack(code, value))
        return disk
    return change


def stream_truncated(directory):
    disk = Disk(directory, ["streamOptimized"])
    os.truncate(disk.path, os.path.getsize(disk.path) * 2 // 3)
    return disk


def stream_bit(directory):
    """One bit of a compressed grain."""
    disk = Disk(directory, ["streamOptimized"])
    at = disk.word("disk.vmdk", 64, "<Q") * SECTOR + 12 + 40
    disk.patch("disk.vmdk", at, bytes([disk.bytes("disk.vmdk", at, 1)[0] ^ 0x10]))
    return disk


def stream_bomb(directory):
    """The first grain inflates to 64 MiB; its marker says that it is small."""
    import zlib
    disk = Disk(directory, ["streamOptimized"])
    at = disk.word("disk.vmdk", 64, "<Q") * SECTOR
    bomb = zlib.compress(bytes(64 << 20), 9)
    size = disk.word("disk.vmdk", at + 8)
    disk.patch("disk.vmdk", at + 12, bomb[:size].ljust(min(size, len(bomb)), b"\0"))
    return disk


def stream_lba(directory):
    disk = Disk(directory, ["streamOptimized"])
    at = disk.word("disk.vmdk", 64, "<Q") * SECTOR
    disk.patch("disk.vmdk", at, struct.pack("<Q", 128 * 7))
    return disk


def renamed(kind):
    def change(directory):
        disk = Disk(directory, [kind])
        os.rename(disk.path, disk.file("renamed copy.vmdk"))
        # What the descriptor inside names is another disk.
        other = Disk(directory + ".other", [kind], sectors=16391, writes=30)
        shutil.copy(other.path, disk.path)
        disk.path = disk.file("renamed copy.vmdk")
        return disk
    return change


def _flat_case(pattern, replacement):
    def change(directory):
        disk = Disk(directory, ["monolithicFlat"])
        disk.edit(pattern, replacement)
        return disk
    return change


def outside(directory):
    """The extent lies beside the directory of its descriptor."""
    disk = Disk(directory, ["monolithicFlat"])
    os.rename(disk.file("disk-flat.vmdk"), os.path.join(directory, "x.vmdk"))
    disk.edit('"disk-flat.vmdk"', '"../x.vmdk"')
    return disk


def many_extents(directory):
    disk = Disk(directory, ["monolithicFlat"])
    disk.edit("^RW .*$", lambda match: match[0] + "\n" + 'RW 1 FLAT "disk-flat.vmdk" 0\n' * 200000)
    return disk


def flat_short(directory):
    disk = Disk(directory, ["vmfs"])
    os.truncate(disk.file("disk-flat.vmdk"), os.path.getsize(disk.file("disk-flat.vmdk")) - 1)
    return disk


def cowd_entry_beyond(directory):
    disk = Disk(directory, ["vmfsSparse"])
    table = disk.word("disk-delta.vmdk", 2048) * SECTOR
    disk.patch("disk-delta.vmdk", table, struct.pack("<I", BEYOND))
    return disk


def se_entry(value):
    def change(directory):
        disk = Disk(directory, ["seSparse"])
        table = disk.word("disk-sesparse.vmdk", 144, "<Q") * SECTOR
        disk.patch("disk-sesparse.vmdk", table, struct.pack("<Q", value))
        return disk
    return change


def wrong_parent_cid(*kinds):
    def change(directory):
        disk = Disk(directory, list(kinds))
        disk.edit("^parentCID=.*$", "parentCID=deadbeef")
        return disk
    return change


def self_parent(directory):
    disk = Disk(directory, ["vmfs", "vmfsSparse"])
    cid = disk.truth["layers"][1]["cid"]
    disk.edit('^parentFileNameHint=.*$', 'parentFileNameHint="disk-000001.vmdk"')
    disk.edit("^parentCID=.*$", f"parentCID={cid}")
    return disk


def parent_loop(directory):
    disk = Disk(directory, ["vmfs", "vmfsSparse", "seSparse"])
    cid = disk.truth["layers"][2]["cid"]
    disk.edit('^parentFileNameHint=.*$', 'parentFileNameHint="disk-000002.vmdk"',
              "disk-000001.vmdk")
    disk.edit("^parentCID=.*$", f"parentCID={cid}", "disk-000001.vmdk")
    return disk


CASES = {
    "truncated": truncated,
    "gd-beyond": gd_beyond,
    "both-gds-beyond": both_gds_beyond,
    "gd-entry-beyond": gd_entry_beyond,
    "both-gd-entries-beyond": both_gd_entries_beyond,
    "gt-entry-beyond": gt_entry_beyond,
    "both-gt-entries-beyond": both_gt_entries_beyond,
    "gt-is-directory": gt_is_directory,
    "text-mode": text_mode,
    "huge-capacity": _header_case(12, "<Q", 1 << 62),
    "huge-grain": _header_case(20, "<Q", 1 << 40),
    "zero-grain": _header_case(20, "<Q", 0),
    "odd-grain": _header_case(20, "<Q", 96),
    "huge-gtes": _header_case(44, "<I", 0xFFFFFFFF),
    "zero-gtes": _header_case(44, "<I", 0),
    "version-9": _header_case(4, "<I", 9),
    "descriptor-beyond": _header_case(28, "<Q", 1 << 55),
    "descriptor-huge": _header_case(36, "<Q", 1 << 40),
    "stream-truncated": stream_truncated,
    "stream-bit": stream_bit,
    "stream-bomb": stream_bomb,
    "stream-lba": stream_lba,
    "renamed-sparse": renamed("monolithicSparse"),
    "renamed-stream": renamed("streamOptimized"),
    "negative-sectors": _flat_case(r"^RW \d+", "RW -16391"),
    "negative-offset": _flat_case(r' 0$', " -1"),
    "overflowing-sectors": _flat_case(r"^RW \d+", "RW 36028797018963968"),
    "unknown-type": _flat_case("FLAT", "VSANSPARSE"),
    "etc-passwd": _flat_case('"disk-flat.vmdk"', '"/etc/passwd"'),
    "no-extents": _flat_case(r"^RW .*$", ""),
    "outside": outside,
    "many-extents": many_extents,
    "flat-short": flat_short,
    "cowd-entry-beyond": cowd_entry_beyond,
    "se-entry-beyond": se_entry(0x3000000000FFFFFF),
    "se-entry-unknown": se_entry(0x7000000000000000),
    "wrong-parent-cid": wrong_parent_cid("vmfs", "vmfsSparse"),
    "wrong-parent-cid-flat": wrong_parent_cid("vmfs", "vmfs"),
    "self-parent": self_parent,
    "parent-loop": parent_loop,
}


def _data(file):
    """Byte ranges of a file that are no holes, in whole blocks."""
    at, size = 0, os.fstat(file.fileno()).st_size
    while at < size:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
        yield from range(at - at % BLOCK, end, BLOCK)
        at = end


def same(a, b):
    """Are two files, which may be terabytes of holes, equal?"""
    with open(a, "rb") as one, open(b, "rb") as two:
        if os.fstat(one.fileno()).st_size != os.fstat(two.fileno()).st_size:
            return False
        return all(os.pread(one.fileno(), BLOCK, at) == os.pread(two.fileno(), BLOCK, at)
                   for at in sorted({*_data(one), *_data(two)}))


class Torture:
    """Runs the suite on changed copies; `wrong` collects what it must not do."""

    def __init__(self, disk, name, work):
        self.disk, self.name, self.out = disk, name, os.path.join(work, "out.raw")
        with open(disk.file(name), "rb") as file:
            self.good = file.read()
        self.format = self.good[:4].decode("latin-1")
        self.wrong, self.count, self.read = [], 0, 0

    def attempt(self, what, data, told=True):
        """`told`: False where a change may give another, legal disk; it must still not crash."""
        with open(self.disk.file(self.name), "wb") as file:
            file.write(data)
        self.count += 1
        try:
            command = ["vmcrypt-disk", "decrypt", "--to", "raw", self.disk.path, self.out]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  check=False, timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{what}: hangs")
            return
        if done.returncode == 0:
            self.read += 1
            if told and not same(self.out, self.disk.raw):
                self.wrong.append(f"{what}: wrong bytes")
        elif done.returncode not in (1, 4):
            self.wrong.append(f"{what}: exit status {done.returncode} "
                              f"{done.stderr[-300:].decode(errors='replace')}")
        elif not done.stderr:
            self.wrong.append(f"{what}: no reason given")
        if os.path.exists(self.out):
            os.unlink(self.out)

    def fields(self, fields, base):
        base = base if base >= 0 else len(self.good) + base
        draw = random.Random(1)
        for name, at, size in fields:
            at += base
            old = int.from_bytes(self.good[at:at + size], "little")
            top = (1 << 8 * size) - 1
            values = {0, 1, 2, old - 1, old + 1, old * 2, old // 2, top, top - 1, top >> 1,
                      (top >> 1) + 1, 1 << 31, 1 << 32, 1 << 55, 1 << 62, BEYOND}
            values.update(old ^ 1 << draw.randrange(8 * size) for _ in range(6))
            for value in sorted(v for v in values if 0 <= v <= top and v != old):
                self.attempt(f"{name} {old:#x} -> {value:#x}", self.good[:at]
                             + value.to_bytes(size, "little") + self.good[at + size:],
                             (self.format, name, value) not in NOT_TOLD)

    def cuts(self):
        draw = random.Random(2)
        for size in [0, 1, 511, 512, 513, 2048, len(self.good) - 1, len(self.good) - 512] + [
                draw.randrange(len(self.good)) for _ in range(24)]:
            self.attempt(f"cut to {size}", self.good[:size])

    def noise(self):
        """Sectors of the first megabyte, where the tables are, overwritten."""
        draw = random.Random(3)
        for i in range(40):
            at = draw.randrange(min(len(self.good), 1 << 20) // 512) * 512
            fill = (draw.randbytes(512), b"\xff" * 512, b"\x7f" * 512)[i % 3]
            self.attempt(f"noise at {at}", self.good[:at] + fill + self.good[at + 512:], told=False)


def torture(kind, directory):
    name, fields, base = TORTURED[kind]
    disk = Disk(directory, [kind.split()[0]], sectors=8199, writes=12)
    t = Torture(disk, name, directory)
    t.attempt("unchanged", t.good)
    if t.read != 1:
        sys.exit(f"{kind}: not even the unchanged disk is read: {t.wrong}")
    t.fields(fields, base)
    if base == 0:
        t.cuts()
        t.noise()
    print(f"{kind}: {t.count} changes, {t.read} read, {len(t.wrong)} wrong")
    for what in t.wrong:
        print(f"  {what}")
    return 1 if t.wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("make")
    command.add_argument("case", choices=CASES)
    command.add_argument("directory")
    command.set_defaults(run=lambda a: print(CASES[a.case](a.directory).path))
    command = commands.add_parser("torture")
    command.add_argument("kind", choices=TORTURED)
    command.add_argument("directory")
    command.set_defaults(run=lambda a: torture(a.kind, a.directory))
    command = commands.add_parser("same")
    command.add_argument("a")
    command.add_argument("b")
    command.set_defaults(run=lambda a: 0 if same(a.a, a.b) else 1)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
