#!/usr/bin/python3
"""Makes an encrypted VM of many disks and snapshots, with the lab's modules.

Usage: tests/bench/make_machine.py DIR [--disks N] [--snapshots N] [--sectors N] [--writes N]
                                   [--states] [--seed N]

DIR/vm/web01.vmx has N disks; each is a flat base under a delta for each snapshot, seSparse and
vmfsSparse in turn, every layer encrypted with a key of its own under the one key in
DIR/keys/keyring.yaml. Disks have two MBR partitions. With --states, DIR/truth has the plain image
of every disk at every snapshot, sparse, and DIR/truth.json says what a mount shows:
{"keyring", "vmx", "size", "partitions": [[start, bytes]...],
 "states": [{"snapshot": null or a name, "disks": [{"stem", "raw"}...]}...]}
"""
import argparse
import base64
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

# pylint: disable=wrong-import-position
import cowd
import descriptor
import flatfile
import locator
import seal
import sesparse
import vmxstyle
import vmxtext
from disklayer import Layer
from guestdisk import SECTOR, Image, write_some
from keyring import Keyring
from kinds import KekLock
from locks import Locks
from seed import Seed
from xtsdisk import XtsCipher

VM = "web01"
LOCK = KekLock()
DELTAS = ("seSparse", "vmfsSparse")
COWD_GRAIN = 1


def partitions_of(sectors):
    """(first, count) of two partitions, the second odd."""
    first = 64
    half = (sectors - first) // 2
    return [(first, half), (first + half + 3, sectors - first - half - 8)]


def partition_table(sectors):
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", *place)
                       for place in partitions_of(sectors))
    return bytes(446) + entries + bytes(32) + b"\x55\xaa"


class Machine:
    def __init__(self, options):
        self.directory, self.options = os.path.abspath(options.directory), options
        self.seed = Seed(f"vmcrypt-machine/{options.seed}")
        for name in ("", "vm", "keys", "truth"):
            os.mkdir(os.path.join(self.directory, name))
        os.chmod(self.path("keys"), 0o700)
        self.keyring = Keyring(self.path("keys"))
        self.locks = Locks(self.seed, self.keyring)
        # Of each disk, the descriptors and images of its states, the oldest first.
        self.files, self.images = [], []

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        with open(self.path(name), "xb") as out:
            out.write(data)

    def build(self):
        for number in range(self.options.disks):
            self.add_disk(number)
        self.add_vmx()
        self.add_vmsd()
        self.keyring.save()
        states = [None] + [self.snapshot_name(i) for i in range(self.options.snapshots)]
        truth = {
            "keyring": "keys/keyring.yaml", "vmx": f"vm/{VM}.vmx",
            "size": self.options.sectors * SECTOR,
            "partitions": [[first * SECTOR, count * SECTOR]
                           for first, count in partitions_of(self.options.sectors)],
            "states": [{"snapshot": name, "disks": [
                {"stem": os.path.splitext(files[i - 1])[0], "raw": images[i - 1]}
                for files, images in zip(self.files, self.images)]}
                       for i, name in enumerate(states)] if self.options.states else [],
        }
        self.write("truth.json", json.dumps(truth, indent=2).encode() + b"\n")

    def add_disk(self, number):
        image = Image(self.options.sectors)
        self.files.append([])
        self.images.append([])
        stem = VM + (f"_{number}" if number else "")
        parent = None
        for level in range(self.options.snapshots + 1):
            seed = self.seed.under(f"disk {number} layer {level}")
            touched = write_some(image, seed, self.options.writes)
            image.write(0, partition_table(self.options.sectors))
            key = seal.Key("XTS-AES-256", seed.bytes("dek", 64))
            layer = Layer(image, touched, XtsCipher(key.data), seed)
            name = f"{stem}-{level:06}" if level else stem
            create_type = DELTAS[level % 2] if level else "vmfs"
            self.add_extent(name, create_type, layer)
            parent = self.add_descriptor(name, create_type, key, seed, parent)
            self.files[-1].append(f"{name}.vmdk")
            if self.options.states:
                self.images[-1].append(f"truth/{name}.raw")
                image.save(self.path(f"truth/{name}.raw"))

    def add_extent(self, name, create_type, layer):
        sectors = self.options.sectors
        if create_type == "vmfs":
            flatfile.write(self.path(f"vm/{name}-flat.vmdk"), layer, [(0, sectors, 0)])
        elif create_type == "seSparse":
            sesparse.write(self.path(f"vm/{name}-sesparse.vmdk"), layer, 0, sectors)
        else:
            cowd.write(self.path(f"vm/{name}-delta.vmdk"), layer, 0, sectors, COWD_GRAIN)

    def add_descriptor(self, name, create_type, key, seed, parent):
        kind, suffix = {"vmfs": ("VMFS", "flat"), "seSparse": ("SESPARSE", "sesparse"),
                        "vmfsSparse": ("VMFSSPARSE", "delta")}[create_type]
        pair = self.locks.pair(LOCK, seal.format_key(key).encode(), name)
        text = descriptor.Descriptor(
            create_type, (descriptor.Extent(self.options.sectors, kind, f"{name}-{suffix}.vmdk"),),
            locator.format_list([pair]), "vmwarevmcrypt",
            parent_cid=parent[0] if parent else descriptor.NO_PARENT,
            parent_hint=parent[1] if parent else "").render(seed, "19")
        self.write(f"vm/{name}.vmdk", text)
        return descriptor.content_id(seed), f"{name}.vmdk"

    def add_vmx(self):
        key = seal.Key("AES-256", self.seed.bytes("config key", 32))
        inside = vmxstyle.config_text(
            vmxstyle.esxi(self.seed, VM, [files[-1] for files in self.files], True), frozenset())
        inside.set("cryptoState", "encrypted")
        pair = self.locks.pair(LOCK, seal.format_key(key).encode(), "config")
        data = seal.lock(key.data, LOCK.mac, inside.render(), self.seed.bytes("config iv", 16))
        outside = vmxtext.VmxText([(".encoding", "UTF-8"), ("displayName", VM),
                                   ("encryption.keySafe", locator.format_list([pair])),
                                   ("encryption.data", base64.b64encode(data).decode())])
        self.write(f"vm/{VM}.vmx", outside.render())

    @staticmethod
    def snapshot_name(number):
        return f"before update {number + 1}"

    def add_vmsd(self):
        count = self.options.snapshots
        lines = [(".encoding", "UTF-8"), ("snapshot.lastUID", str(count)),
                 ("snapshot.current", str(count))]
        for i in range(count):
            of = f"snapshot{i}"
            created = (1700000000 + 86400 * i) * 1000000
            lines += [(f"{of}.uid", str(i + 1)), (f"{of}.filename", f"{VM}-Snapshot{i + 1}.vmsn")]
            lines += [(f"{of}.parent", str(i))] if i else []
            lines += [(f"{of}.displayName", self.snapshot_name(i)),
                      (f"{of}.createTimeHigh", str(created >> 32)),
                      (f"{of}.createTimeLow", str((created & 0xffffffff) - (1 << 32)
                                                  if created & 0x80000000
                                                  else created & 0xffffffff)),
                      (f"{of}.numDisks", str(len(self.files)))]
            for number, files in enumerate(self.files):
                lines += [(f"{of}.disk{number}.fileName", files[i]),
                          (f"{of}.disk{number}.node", f"scsi0:{number}")]
        lines += [("snapshot.numSnapshots", str(count))]
        self.write(f"vm/{VM}.vmsd", vmxtext.VmxText(lines).render())


def make(directory, **options):
    """For other programs; OPTIONS as on the command line."""
    words = [directory]
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    Machine(arguments(words)).build()


def arguments(words=None):
    parser = argparse.ArgumentParser(description="see the top of the file")
    parser.add_argument("directory", metavar="DIR", help="must not exist")
    parser.add_argument("--disks", type=int, default=2)
    parser.add_argument("--snapshots", type=int, default=3)
    parser.add_argument("--sectors", type=int, default=16391)
    parser.add_argument("--writes", type=int, default=24, help="of the guest, in every layer")
    parser.add_argument("--states", action="store_true", help="keep the image of every state")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


if __name__ == "__main__":
    Machine(arguments()).build()
