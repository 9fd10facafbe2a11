"""seSparse extents: written and read.

Sources: QEMU's comments in block/vmdk.c; one real extent, whose layout, back map and bitmap are
followed. What the journal holds is not known; it is left empty.
"""
import mmap
import struct

from guestdisk import SECTOR
from tools import LabError

_CONST = struct.Struct("<26Q")
_MAGIC, _VERSION, _VOLATILE_MAGIC = 0xCAFEBABE, 0x200000001, 0xCAFECAFE
_JOURNAL_MAGIC = 0xDEAFC0DE
_GRAIN, _TABLE_SECTORS = 8, 64
_ENTRIES = _TABLE_SECTORS * SECTOR // 8
_AREA = 2048        # every part begins at a multiple of it
_TABLE_MADE = 0x1000000000000000
UNMAPPED, ZERO, ALLOCATED = 1, 2, 3


def _round(sectors):
    return max(_AREA, -(-sectors // _AREA) * _AREA)


def _index(number):
    """An index as an entry holds it: its low 12 bits in front."""
    return (number & 0xFFF) << 48 | number >> 12


def write(path, layer, start, sectors, dirty=False):
    """The sectors of the disk from `start` on. `dirty`: as if its journal was not replayed."""
    tables = -(-sectors // (_GRAIN * _ENTRIES))
    capacity = -(-sectors // _GRAIN)
    at, parts = _AREA, []
    for size in (_AREA, -(-tables * 8 // SECTOR), tables * _TABLE_SECTORS,
                 -(-capacity // 8 // SECTOR) + 1, -(-capacity * 8 // SECTOR), sectors):
        parts += [at, _round(size)]
        at += _round(size)
    _journal, _, gd, _, gts, _, bitmap, bitmap_size, backmap, _, grains_at, _ = parts

    directory, entries, backs = {}, {}, []
    with open(path, "xb") as out:
        for g in layer.places(layer.grains(start, sectors, _GRAIN)):
            directory.setdefault(g // _ENTRIES, len(directory))
            first, count = start + g * _GRAIN, min(_GRAIN, sectors - g * _GRAIN)
            if layer.is_zero(first, count) and layer.draw.randrange(4):
                kind = UNMAPPED if layer.draw.randrange(3) == 0 else ZERO
                entries[g] = kind << 60
                continue
            entries[g] = ALLOCATED << 60 | _index(len(backs))
            out.seek((grains_at + len(backs) * _GRAIN) * SECTOR)
            out.write(layer.stored(first, _GRAIN, start + sectors))
            backs.append(g)
        out.truncate((grains_at + len(backs) * _GRAIN) * SECTOR)
        for t, index in directory.items():
            out.seek(gd * SECTOR + t * 8)
            out.write(struct.pack("<Q", _TABLE_MADE | index))
            out.seek((gts + index * _TABLE_SECTORS) * SECTOR)
            out.write(struct.pack(f"<{_ENTRIES}Q", *(entries.get(t * _ENTRIES + i, 0)
                                                    for i in range(_ENTRIES))))
        out.seek(backmap * SECTOR)
        out.write(struct.pack(f"<{len(backs)}Q", *(1 << 60 | _index(g) for g in backs)))
        _write_free(out, bitmap, len(backs), min(bitmap_size * SECTOR, capacity // 8 + 1))
        out.seek(0)
        out.write(_CONST.pack(_MAGIC, _VERSION, sectors, _GRAIN, _TABLE_SECTORS, 0, 0, 0, 0, 0,
                              1, 1, 2, 2, *parts))
        out.seek(SECTOR)
        out.write(struct.pack("<4Q", _VOLATILE_MAGIC, len(directory), 1, int(dirty)))
        out.seek(2 * SECTOR)
        out.write(struct.pack("<3Q", _JOURNAL_MAGIC, 1, 1))


def _write_free(out, bitmap, used, size):
    """A set bit is a free grain; at most the first 64 KiB are written, files stay small."""
    bits = ((1 << min(size, 65536) * 8) - 1) >> used << used if used < size * 8 else 0
    out.seek(bitmap * SECTOR)
    out.write(bits.to_bytes(min(size, 65536), "little"))


class Reader:
    text = b""

    def __init__(self, path, sectors):
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        fields = _CONST.unpack_from(self._data)
        if fields[:2] != (_MAGIC, _VERSION) or fields[3:6] != (_GRAIN, _TABLE_SECTORS, 0):
            raise LabError(f"{path}: no seSparse header, or one of another layout")
        self.capacity = fields[2]
        if self.capacity != sectors:
            raise LabError(f"{path}: capacity {self.capacity}, the descriptor says {sectors}")
        magic, _, _, replay = struct.unpack_from("<4Q", self._data, fields[10] * SECTOR)
        if magic != _VOLATILE_MAGIC or replay:
            raise LabError(f"{path}: the volatile header is damaged, or the journal is in use")
        self._gd, self._gts, self._grains = fields[16], fields[18], fields[24]

    def _words(self, sector, count):
        return struct.unpack_from(f"<{count}Q", self._data, sector * SECTOR)

    def runs(self):
        """(first sector in the extent, sectors, bytes or None for zeros) of all that is stored."""
        tables = -(-self.capacity // (_GRAIN * _ENTRIES))
        for t, entry in enumerate(self._words(self._gd, tables)):
            if entry == 0:
                continue
            if entry >> 32 != _TABLE_MADE >> 32:
                raise LabError(f"directory entry {t} is {entry:x}")
            table = self._words(self._gts + (entry & 0xFFFFFFFF) * _TABLE_SECTORS, _ENTRIES)
            for i, word in enumerate(table):
                first = (t * _ENTRIES + i) * _GRAIN
                count = min(_GRAIN, self.capacity - first)
                if word == 0 or count <= 0:
                    continue
                yield first, count, self._grain(word, first, count)

    def _grain(self, word, first, count):
        if word >> 60 in (UNMAPPED, ZERO):
            return None
        if word >> 60 != ALLOCATED:
            raise LabError(f"the entry of sector {first} is {word:x}")
        index = word >> 48 & 0xFFF | (word & 0xFFFFFFFFFFFF) << 12
        at = (self._grains + index * _GRAIN) * SECTOR
        data = self._data[at:at + count * SECTOR]
        if len(data) != count * SECTOR:
            raise LabError(f"the grain of sector {first} lies beyond the end")
        return data
