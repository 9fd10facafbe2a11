"""Makes disks of every kind, and chains of them, from a seed: files, keys and the truth."""
import json
import os
import shutil

import cowd
import descriptor
import flatfile
import hosted
import locator
import seal
import sesparse
import sparse
from disklayer import Layer
from diskkinds import DISK_KINDS, MIXED_DELTAS, Cowd, SeSparse, Stream
from guestdisk import SECTOR, Image, fill, write_some
from hosted import Hosted
from keyring import Keyring
from kinds import KekLock
from locks import Locks
from seed import Seed
from tools import LabError
from xtsdisk import XtsCipher

_STATES_KEPT = 16       # chains of more layers have no image of every state in the truth
_MIXED = "mixed"


def make(names, directory, number, sectors=16391, layers=0, encrypt="none", writes=24, grow=0,
         full=False):
    """Create `directory` with a chain: `names` are the kinds of its layers, the base first.

    With `layers`, so many in all, the last name for those above; the name `mixed` stands for all
    sorts of deltas in turn. `encrypt`: none, all (each layer under its own key) or some. With
    `grow` every delta is so many sectors longer than its parent. `full`: every layer is written to
    all over, and its grains lie in order, for benchmarks.
    """
    os.umask(0o022)
    try:
        os.mkdir(directory)
    except OSError as error:
        raise LabError(f"cannot create {directory}: {error.strerror}") from error
    try:
        kinds = _kinds_of(names, layers)
        seed = Seed(f"vmcrypt-lab/{number}/disk/{','.join(names)}/{sectors}")
        chain = _Chain(os.path.abspath(directory), seed, Image(sectors), encrypt, full)
        for i, kind in enumerate(kinds):
            chain.add(kind, i, writes, grow if i else 0, keep_state=len(kinds) <= _STATES_KEPT)
        chain.save(names, number)
    except BaseException:
        shutil.rmtree(directory)
        raise


def _kinds_of(names, layers):
    names = list(names)
    while len(names) < layers:
        names.append(names[-1] if len(names) > 1 or names[0] == _MIXED else _MIXED)
    mixed = 0
    for i, name in enumerate(names):
        if name == _MIXED:
            names[i] = MIXED_DELTAS[mixed % len(MIXED_DELTAS)] if i else "vmfs"
            mixed += 1 if i else 0
    unknown = [name for name in names if name not in DISK_KINDS]
    if unknown:
        raise LabError(f"no kind of disk {unknown[0]}")
    return [DISK_KINDS[name] for name in names]


class _Chain:
    def __init__(self, directory, seed, image, encrypt, full):
        self.directory, self.seed, self.image, self.encrypt = directory, seed, image, encrypt
        self.full = full
        for name in ("vm", "keys", "truth"):
            os.mkdir(os.path.join(directory, name))
        os.chmod(os.path.join(directory, "keys"), 0o700)
        self.keyring = Keyring(os.path.join(directory, "keys"))
        self.locks = Locks(seed, self.keyring)
        self.layers = []

    def add(self, kind, number, writes, grow, keep_state):
        seed = self.seed.under(f"layer {number}")
        stem = self.layers[0]["stem"] if self.layers else kind.stem
        name = f"{stem}-{number:06}" if number else stem
        self.image.grow(self.image.sectors + grow)
        touched = fill(self.image, seed) if self.full else write_some(self.image, seed, writes)
        parts = _cut(kind.parts, self.image.sectors)
        for part, start, sectors in parts:
            if part.kind == "ZERO" or part.access == "NOACCESS":
                self.image.clear(start, sectors)
        key, lock = self._key(number, seed)
        layer = Layer(self.image, touched, key and XtsCipher(key.data), seed, in_order=self.full)
        extents = tuple(descriptor.Extent(sectors, part.kind, part.file and name + part.file,
                                          part.offset, part.access, part.tail)
                        for part, _, sectors in parts)
        text = self._descriptor(kind, extents, key, lock, seed, number)
        self._write_extents(parts, extents, layer, text if kind.embedded() else b"")
        if not kind.embedded():
            self._write(f"vm/{name}.vmdk", text)
        state = f"truth/layer{number}.raw" if keep_state else None
        if state:
            self.image.save(self._path(state))
        self.layers.append({
            "stem": stem, "descriptor": f"vm/{name}.vmdk", "kind": kind.name, "raw": state,
            "cid": descriptor.content_id(seed), "encrypted": key is not None,
            "extents": [extent.file for extent in extents],
        })

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, data):
        with open(self._path(name), "xb") as file:
            file.write(data)

    def _key(self, number, seed):
        if self.encrypt == "none" or (self.encrypt == "some" and seed.number("encrypted", 3) == 0):
            return None, None
        return (seal.Key("XTS-AES-256", seed.bytes("dek", 64)),
                KekLock(role=f"layer {number}"))

    def _descriptor(self, kind, extents, key, lock, seed, number):
        keys = ""
        if key:
            pair = self.locks.pair(lock, seal.format_key(key).encode(), f"layer {number}")
            keys = locator.format_list([pair])
        parent = self.layers[-1] if self.layers else None
        return descriptor.Descriptor(
            kind.create_type, extents, keys, "vmwarevmcrypt" if key else "", kind.encoding,
            parent["cid"] if parent else descriptor.NO_PARENT,
            os.path.basename(parent["descriptor"]) if parent else "", kind.version, kind.extra,
        ).render(seed, "19", kind.newline)

    def _write_extents(self, parts, extents, layer, text):
        parent = os.path.basename(self.layers[-1]["descriptor"]) if self.layers else ""
        for (part, start, sectors), extent in zip(parts, extents):
            if not extent.file or part.access == "NOACCESS":
                continue
            path = self._path(f"vm/{extent.file}")
            how = part.how
            if how is None:
                flatfile.write(path, layer, [(start, sectors, part.offset)])
            elif isinstance(how, Hosted):
                hosted.write(path, layer, start, sectors, how, text)
            elif isinstance(how, Stream):
                hosted.write_stream(path, layer, start, sectors, how.hosted, text)
                _cut_off(path, how.cut)
            elif isinstance(how, Cowd):
                cowd.write(path, layer, start, sectors, how.grain, parent)
            elif isinstance(how, SeSparse):
                sesparse.write(path, layer, start, sectors, how.dirty)

    def save(self, names, number):
        if self.locks.truth["keks"]:
            self.keyring.save()
        self.image.save(self._path("truth/disk.raw"))
        truth = {"kinds": list(names), "seed": number, "size": self.image.sectors * SECTOR,
                 "descriptor": self.layers[-1]["descriptor"], "raw": "truth/disk.raw",
                 "sha256": (sparse.sha256(self._path("truth/disk.raw"))
                            if self.image.sectors < 1 << 22 else None),
                 "layers": self.layers} | self.locks.truth
        for layer in self.layers:
            del layer["stem"]
        with open(self._path("truth.json"), "x", encoding="utf-8") as file:
            json.dump(truth, file, indent=2, ensure_ascii=False)
            file.write("\n")


def _cut(parts, sectors):
    """(part, first sector of the disk, sectors) for each."""
    placed, start = [], 0
    for part in parts[:-1]:
        length = int(sectors * part.share) // part.align * part.align
        if length == 0:
            raise LabError(f"a disk of {sectors} sectors is too small for this kind")
        placed.append((part, start, length))
        start += length
    return placed + [(parts[-1], start, sectors - start)]


def _cut_off(path, what):
    """Lose the end of a stream: its last three sectors are footer marker, footer and end."""
    if not what:
        return
    with open(path, "r+b") as file:
        file.seek(0, 2)
        size = file.tell() - 3 * SECTOR
        if what == "directory":
            file.seek(size + SECTOR)
            header = file.read(SECTOR)
            # The directory and its marker.
            size = int.from_bytes(header[56:64], "little") * SECTOR - SECTOR
        file.truncate(size)
