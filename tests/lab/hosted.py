"""Hosted sparse extents (`KDMV`), plain and stream-optimized: written and read.

Sources: VMware Virtual Disk Format 5.0; libvmdk's documentation; VMware's own files.
"""
import mmap
import struct
import zlib
from dataclasses import dataclass

from guestdisk import SECTOR
from tools import LabError

_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_NEWLINES = b"\n \r\n"
_IN_FOOTER = 0xFFFFFFFFFFFFFFFF
_DESCRIPTOR_SECTORS = 20

NEWLINE_TEST, REDUNDANT, ZEROED, COMPRESSED, MARKERS = 1, 2, 4, 0x10000, 0x20000
_GT, _GD, _FOOTER = 1, 2, 3     # markers


@dataclass(frozen=True)
class Hosted:
    version: int = 1
    grain: int = 128            # sectors
    entries: int = 512          # of a grain table
    redundant: bool = True
    zeroed: bool = False        # a table entry of 1 is a grain of zeros
    unclean: bool = False
    embedded: bool = True       # the descriptor is inside
    footer: bool = True         # of a stream: the directory is at the end, else in front


def _sectors(size):
    return -(-size // SECTOR)


def _align(sector, to):
    return -(-sector // to) * to


def _pad(data):
    return data + bytes(-len(data) % SECTOR)


def _flags(o, compressed):
    return (NEWLINE_TEST | (REDUNDANT if o.redundant and not compressed else 0)
            | (ZEROED if o.zeroed else 0) | (COMPRESSED | MARKERS if compressed else 0))


def _header(o, capacity, rgd, gd, overhead, compressed=False):
    at, size = (1, _DESCRIPTOR_SECTORS) if o.embedded else (0, 0)
    return _pad(_HEADER.pack(b"KDMV", o.version, _flags(o, compressed), capacity, o.grain, at, size,
                             o.entries, rgd, gd, overhead, int(o.unclean), _NEWLINES,
                             int(compressed)))


def _descriptor_area(o, text):
    if not o.embedded:
        return b""
    if len(text) > _DESCRIPTOR_SECTORS * SECTOR:
        raise LabError("the descriptor is larger than its place in the extent")
    return text + bytes(_DESCRIPTOR_SECTORS * SECTOR - len(text))


def write(path, layer, start, sectors, o, text=b""):
    """The sectors of the disk from `start` on. All tables have a place, those without entries as
    holes of the file."""
    tables = -(-sectors // (o.grain * o.entries))
    gd_sectors, gt_sectors = _sectors(tables * 4), _sectors(o.entries * 4)
    each = gd_sectors + tables * gt_sectors
    front = 1 + (_DESCRIPTOR_SECTORS if o.embedded else 0)
    directories = [front, front + each] if o.redundant else [front]
    overhead = at = _align(directories[-1] + each, o.grain)
    entries = {}
    with open(path, "xb") as out:
        out.write(_header(o, sectors, front if o.redundant else 0, directories[-1], overhead))
        out.write(_descriptor_area(o, text))
        for g in layer.places(layer.grains(start, sectors, o.grain)):
            first = start + g * o.grain
            table = entries.setdefault(g // o.entries, [0] * o.entries)
            if (o.zeroed and layer.is_zero(first, min(o.grain, sectors - g * o.grain))
                    and layer.draw.randrange(4)):
                table[g % o.entries] = 1
                continue
            out.seek(at * SECTOR)
            out.write(layer.stored(first, o.grain, start + sectors))
            table[g % o.entries] = at
            at += o.grain
        out.truncate(at * SECTOR)
        for directory in directories:
            first_gt = directory + gd_sectors
            out.seek(directory * SECTOR)
            out.write(struct.pack(f"<{tables}I", *range(first_gt, first_gt + tables * gt_sectors,
                                                        gt_sectors)))
            for t, table in entries.items():
                out.seek((first_gt + t * gt_sectors) * SECTOR)
                out.write(struct.pack(f"<{o.entries}I", *table))


def write_stream(path, layer, start, sectors, o, text=b""):
    """Compressed grains in order, each behind a marker, and tables behind their grains."""
    grains = layer.grains(start, sectors, o.grain)
    tables = -(-sectors // (o.grain * o.entries))
    gt_sectors = _sectors(o.entries * 4)
    front = 1 + (_DESCRIPTOR_SECTORS if o.embedded else 0)
    used = sorted({g // o.entries for g in grains})
    if o.footer:
        gd_at, overhead = _IN_FOOTER, _align(front, o.grain)
    else:
        gd_at = front
        first_gt = front + _sectors(tables * 4)
        overhead = _align(first_gt + tables * gt_sectors, o.grain)
    directory = [0] * tables
    with open(path, "xb") as out:
        out.write(_header(o, sectors, 0, gd_at, overhead, True) + _descriptor_area(o, text))
        out.seek(overhead * SECTOR)
        for t in used if o.footer else range(tables):
            entries = [0] * o.entries
            for g in (g for g in grains if g // o.entries == t):
                entries[g % o.entries] = _stream_grain(out, layer, start, sectors, g, o)
            table = struct.pack(f"<{o.entries}I", *entries)
            if o.footer:
                out.write(_marker(gt_sectors, _GT))
                directory[t] = out.tell() // SECTOR
                out.write(_pad(table))
            else:
                end = out.tell()
                directory[t] = first_gt + t * gt_sectors
                out.seek(directory[t] * SECTOR)
                out.write(table)
                out.seek(end)
        table = struct.pack(f"<{tables}I", *directory)
        if o.footer:
            out.write(_marker(_sectors(len(table)), _GD))
            gd_at = out.tell() // SECTOR
            out.write(_pad(table))
            out.write(_marker(1, _FOOTER) + _header(o, sectors, 0, gd_at, overhead, True))
        else:
            out.seek(gd_at * SECTOR)
            out.write(table)
            out.seek(0, 2)
        out.write(_marker(0, 0))


def _stream_grain(out, layer, start, sectors, g, o):
    """The table entry of grain `g`, which is written at the end."""
    first = start + g * o.grain
    if o.zeroed and layer.is_zero(first, min(o.grain, sectors - g * o.grain)):
        return 1
    data = layer.stored(first, o.grain, start + sectors)
    packed = zlib.compress(data, (0, 1, 6, 9)[layer.draw.randrange(4)])
    at = out.tell() // SECTOR
    out.write(_pad(struct.pack("<QI", g * o.grain, len(packed)) + packed))
    return at


def _marker(count, kind):
    return _pad(struct.pack("<QII", count, 0, kind))


class Reader:
    """Strict: the redundant tables must say the same as the first ones."""

    def __init__(self, path, sectors):
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._parse(0)
        if self._gd == _IN_FOOTER:
            if self._data[-3 * SECTOR:-2 * SECTOR] != _marker(1, _FOOTER):
                raise LabError(f"{path}: no footer")
            if self._data[-SECTOR:] != _marker(0, 0):
                raise LabError(f"{path}: the stream does not end in an end-of-stream marker")
            self._parse(len(self._data) - 2 * SECTOR)
        if self.capacity != sectors:
            raise LabError(f"{path}: capacity {self.capacity}, the descriptor says {sectors}")
        tables = -(-self.capacity // (self.grain * self._entries))
        self._tables = self._directory(self._gd, tables)
        if self._flags & REDUNDANT:
            spare = self._directory(self._rgd, tables)
            if spare != self._tables:
                raise LabError(f"{path}: the redundant tables differ")

    def _parse(self, at):
        (magic, self._version, self._flags, self.capacity, self.grain, where, size, self._entries,
         self._rgd, self._gd, self._overhead, _unclean, newlines,
         compression) = _HEADER.unpack_from(self._data, at)
        if magic != b"KDMV" or newlines != _NEWLINES or not 1 <= self._version <= 3:
            raise LabError("no hosted sparse header")
        if bool(self._flags & COMPRESSED) != (compression == 1):
            raise LabError("flags and compression disagree")
        self.text = self._data[where * SECTOR:(where + size) * SECTOR] if where else b""

    def _words(self, sector, count):
        return struct.unpack_from(f"<{count}I", self._data, sector * SECTOR)

    def _directory(self, at, tables):
        return [self._words(entry, self._entries) if entry else None
                for entry in self._words(at, tables)]

    def runs(self):
        """(first sector in the extent, sectors, bytes or None for zeros) of all that is stored."""
        for t, table in enumerate(self._tables):
            for i, entry in enumerate(table or ()):
                first = (t * self._entries + i) * self.grain
                count = min(self.grain, self.capacity - first)
                if entry == 0 or count <= 0:
                    continue
                if entry == 1 and self._flags & ZEROED:
                    yield first, count, None
                else:
                    yield first, count, self._grain(entry, first)[:count * SECTOR]

    def _grain(self, sector, first):
        at = sector * SECTOR
        if sector < self._overhead:
            raise LabError(f"the grain of sector {first} lies among the metadata")
        if not self._flags & COMPRESSED:
            data = self._data[at:at + self.grain * SECTOR]
        else:
            lba, size = struct.unpack_from("<QI", self._data, at)
            if lba != first:
                raise LabError(f"a marker of sector {lba} where {first} is expected")
            data = zlib.decompress(self._data[at + 12:at + 12 + size])
        if len(data) != self.grain * SECTOR:
            raise LabError(f"the grain of sector {first} has {len(data)} bytes")
        return data
