"""Reads disks of every kind and chains of them: the second opinion on what the suite wrote."""
import os

import cowd
import descriptor
import flatfile
import hosted
import sesparse
from guestdisk import SECTOR
from sparse import is_zero
from tools import LabError
from xtsdisk import XtsCipher

_EMBEDDED_AT = 28       # u64 sector and u64 sectors of the descriptor in a hosted sparse header
_MAX_LAYERS = 1000


def load(path):
    """The descriptor of a disk, be it inside of an extent, and whether it is."""
    with open(path, "rb") as file:
        head = file.read(SECTOR)
        if head[:4] != b"KDMV":
            return descriptor.parse(head + file.read()), False
        at = int.from_bytes(head[_EMBEDDED_AT:_EMBEDDED_AT + 8], "little")
        size = int.from_bytes(head[_EMBEDDED_AT + 8:_EMBEDDED_AT + 16], "little")
        if at == 0:
            raise LabError(f"{path}: an extent without a descriptor")
        file.seek(at * SECTOR)
        return descriptor.parse(file.read(size * SECTOR)), True


def chain(path):
    """[(path, descriptor, embedded)] from the disk at `path` to its base, CIDs checked."""
    layers = []
    while True:
        found, embedded = load(path)
        if layers and layers[-1][1].parent_cid != found.cid:
            raise LabError(f"{path}: CID {found.cid}, the child expects {layers[-1][1].parent_cid}")
        layers.append((path, found, embedded))
        if found.parent_cid == descriptor.NO_PARENT:
            return layers
        if len(layers) == _MAX_LAYERS:
            raise LabError("too many layers")
        path = os.path.join(os.path.dirname(path), found.parent_hint)


def read(path, out, unlock):
    """Write the raw image of the disk at `path` to `out`, which must not exist. `unlock` gives the
    key (a seal.Key) that a key locator holds."""
    layers = chain(path)
    with open(out, "xb") as image:
        try:
            image.truncate(sum(extent.sectors for extent in layers[0][1].extents) * SECTOR)
            for layer in reversed(layers):
                _read_layer(layer, image, unlock)
        except BaseException:
            os.unlink(out)
            raise


def _read_layer(layer, image, unlock):
    path, found, embedded = layer
    cipher = None
    if found.encryption_keys:
        key = unlock(found.encryption_keys)
        if key.cipher != "XTS-AES-256":
            raise LabError(f"disk key: cipher {key.cipher} is not one the lab reads")
        cipher = XtsCipher(key.data)
    is_base = found.parent_cid == descriptor.NO_PARENT
    start = 0
    for extent in found.extents:
        for at, count, data in _reader(path, extent, embedded).runs():
            if data is None:
                if not is_base:
                    _write(image, start + at, bytes(count * SECTOR))
            else:
                _write(image, start + at, _decrypt(cipher, start + at, data))
        start += extent.sectors


class _Zero:
    def __init__(self, sectors):
        self._sectors = sectors

    def runs(self):
        yield 0, self._sectors, None


def _reader(path, extent, embedded):
    if extent.access == "NOACCESS":
        raise LabError("an extent that may not be read")
    if extent.kind == "ZERO":
        return _Zero(extent.sectors)
    file = path if embedded else os.path.join(os.path.dirname(path), extent.file)
    if extent.kind in ("FLAT", "VMFS", "VMFSRDM", "VMFSRAW"):
        return flatfile.Reader(file, extent.sectors, extent.offset)
    kinds = {"SPARSE": hosted.Reader, "VMFSSPARSE": cowd.Reader, "SESPARSE": sesparse.Reader}
    if extent.kind not in kinds:
        raise LabError(f"an extent of type {extent.kind}")
    return kinds[extent.kind](file, extent.sectors)


def _decrypt(cipher, first, data):
    if cipher is None or is_zero(data):
        return data
    units = (data[i:i + SECTOR] for i in range(0, len(data), SECTOR))
    return b"".join(unit if is_zero(unit) else cipher.decrypt(first + i, unit)
                    for i, unit in enumerate(units))


def _write(image, sector, data):
    image.seek(sector * SECTOR)
    image.write(data)
