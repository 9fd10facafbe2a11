"""vmfsSparse extents (`COWD`): written and read.

Sources: VMware Virtual Disk Format 5.0 (ESX Server sparse extents); libvmdk's documentation.
"""
import mmap
import struct

from guestdisk import SECTOR
from tools import LabError

_HEADER = struct.Struct("<4s7I")
_ENTRIES = 4096
_TABLE_SECTORS = _ENTRIES * 4 // SECTOR
_HEADER_SECTORS = 4


def write(path, layer, start, sectors, grain, parent=""):
    """The sectors of the disk from `start` on. Tables are made when they are first needed."""
    tables = -(-sectors // (grain * _ENTRIES))
    free = _HEADER_SECTORS + -(-tables * 4 // SECTOR)
    directory, entries = [0] * tables, {}
    with open(path, "xb") as out:
        for g in layer.places(layer.grains(start, sectors, grain)):
            if directory[g // _ENTRIES] == 0:
                directory[g // _ENTRIES] = free
                free += _TABLE_SECTORS
            out.seek(free * SECTOR)
            out.write(layer.stored(start + g * grain, grain, start + sectors))
            entries[g] = free
            free += grain
        out.truncate(free * SECTOR)
        out.seek(_HEADER_SECTORS * SECTOR)
        out.write(struct.pack(f"<{tables}I", *directory))
        for t, where in enumerate(directory):
            if where:
                out.seek(where * SECTOR)
                out.write(struct.pack(f"<{_ENTRIES}I", *(entries.get(t * _ENTRIES + i, 0)
                                                        for i in range(_ENTRIES))))
        out.seek(0)
        out.write(_header(sectors, grain, tables, free, parent))


def _header(sectors, grain, tables, free, parent):
    """Behind the sizes: geometry of a base disk, or name and generation of a delta's parent, then
    generation, name, description, saved generation and the mark of an unclean shutdown."""
    head = _HEADER.pack(b"COWD", 1, 3, sectors, grain, _HEADER_SECTORS, tables, free)
    if parent:
        about = parent.encode()[:1023].ljust(1024, b"\0") + struct.pack("<I", 1)
    else:
        about = struct.pack("<3I", sectors // 2048, 64, 32).ljust(1028, b"\0")
    rest = struct.pack("<I60s512sI8sI", 1, b"", b"", 1, b"", 0)
    return (head + about + rest).ljust(_HEADER_SECTORS * SECTOR, b"\0")


class Reader:
    text = b""

    def __init__(self, path, sectors):
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (magic, version, _flags, self.capacity, self.grain, self._gd, self._tables,
         free) = _HEADER.unpack_from(self._data)
        if magic != b"COWD" or version != 1:
            raise LabError(f"{path}: no COWD header")
        if self.capacity != sectors:
            raise LabError(f"{path}: capacity {self.capacity}, the descriptor says {sectors}")
        if free * SECTOR > len(self._data):
            raise LabError(f"{path}: the first free sector lies beyond the end")

    def _words(self, sector, count):
        return struct.unpack_from(f"<{count}I", self._data, sector * SECTOR)

    def runs(self):
        """(first sector in the extent, sectors, bytes) of all that is stored."""
        for t, where in enumerate(self._words(self._gd, self._tables)):
            for i, entry in enumerate(self._words(where, _ENTRIES) if where else ()):
                first = (t * _ENTRIES + i) * self.grain
                count = min(self.grain, self.capacity - first)
                if entry == 0 or count <= 0:
                    continue
                data = self._data[entry * SECTOR:(entry + count) * SECTOR]
                if len(data) != count * SECTOR:
                    raise LabError(f"the grain of sector {first} lies beyond the end")
                yield first, count, data
