"""What a guest wrote to a disk: an image of any size, of which only written blocks exist, and
writes drawn from a seed.
"""
import random

BLOCK = 65536
SECTOR = 512
_BLOCK_SECTORS = BLOCK // SECTOR


class Image:
    """`sectors` of 512 bytes, zero where nothing was written."""

    def __init__(self, sectors):
        self.sectors = sectors
        self.blocks = {}

    def read(self, first, count):
        parts = []
        for block, at, length in self._parts(first, count):
            data = self.blocks.get(block)
            parts.append(bytes(length) if data is None else bytes(data[at:at + length]))
        return b"".join(parts)

    def write(self, first, data):
        done = 0
        for block, at, length in self._parts(first, len(data) // SECTOR):
            if block not in self.blocks:
                self.blocks[block] = bytearray(BLOCK)
            self.blocks[block][at:at + length] = data[done:done + length]
            done += length

    def clear(self, first, count):
        for start, length in list(self.written(first, count)):
            self.write(start, bytes(length * SECTOR))

    def grow(self, sectors):
        self.sectors = max(self.sectors, sectors)

    def written(self, first, count):
        """(first, sectors) of the blocks that exist, in order, cut to the range asked for."""
        last = (first + count - 1) // _BLOCK_SECTORS
        for block in sorted(b for b in self.blocks if first // _BLOCK_SECTORS <= b <= last):
            start = max(first, block * _BLOCK_SECTORS)
            end = min(first + count, (block + 1) * _BLOCK_SECTORS)
            yield start, end - start

    def save(self, path):
        with open(path, "xb") as out:
            out.truncate(self.sectors * SECTOR)
            for first, count in self.written(0, self.sectors):
                data = self.read(first, count)
                if data.count(0) != len(data):
                    out.seek(first * SECTOR)
                    out.write(data)

    @staticmethod
    def _parts(first, count):
        """(block, byte in it, bytes) of a range of sectors."""
        at, end = first * SECTOR, (first + count) * SECTOR
        while at < end:
            length = min(end - at, BLOCK - at % BLOCK)
            yield at // BLOCK, at % BLOCK, length
            at += length


def write_some(image, seed, writes, longest=300):
    """Let a guest write; returns the touched ranges (first, sectors), sorted and merged.

    The first and the last sector are always written, whole areas are cleared, and no two sectors
    of data are alike: each begins with its own number.
    """
    draw = random.Random(seed.bytes("writes", 32))
    stamp = seed.bytes("stamp", 8)
    touched = []

    def put(first, count, style):
        count = min(count, image.sectors - first)
        if count <= 0:
            return
        if style == "zero":
            image.write(first, bytes(count * SECTOR))
        else:
            image.write(first, b"".join(_sector(first + i, stamp, draw, style)
                                        for i in range(count)))
        touched.append((first, count))

    put(0, 1 + draw.randrange(16), "random")
    put(max(0, image.sectors - 1 - draw.randrange(16)), 17, "random")
    for _ in range(writes):
        first = draw.randrange(image.sectors)
        if draw.randrange(2):
            first -= first % 128        # as guests do: aligned, and in lengths that fill grains
        put(first, 1 + draw.randrange(longest),
            ("random", "random", "text", "text", "zero")[draw.randrange(5)])
        if draw.randrange(4) == 0:      # clears a part of what is there
            put(first - first % 128, 128 * (1 + draw.randrange(2)), "zero")
    return _merged(touched)


def fill(image, seed):
    """Let a guest write all of it, half of it data that deflate well."""
    draw = random.Random(seed.bytes("fill", 32))
    for first in range(0, image.sectors, _BLOCK_SECTORS):
        text = (b"sector %d of the guest\n" % first * BLOCK)[:BLOCK // 2]
        image.write(first, (text + draw.randbytes(BLOCK // 2))[:(image.sectors - first) * SECTOR])
    return [(0, image.sectors)]


def _sector(number, stamp, draw, style):
    head = number.to_bytes(8, "little") + stamp
    if style == "random":
        return head + draw.randbytes(SECTOR - len(head))
    text = b"sector %d of the guest\n" % number
    return head + (text * (SECTOR // len(text) + 1))[:SECTOR - len(head)]


def _merged(ranges):
    merged = []
    for first, count in sorted(ranges):
        if merged and first <= merged[-1][0] + merged[-1][1]:
            start, length = merged[-1]
            merged[-1] = (start, max(length, first + count - start))
        else:
            merged.append((first, count))
    return merged
