"""One layer of a disk as the writers of extents see it: what it stores, encrypted or not.

In a layer with a key every data unit of 512 bytes is AES-XTS, its tweak the sector's number from
the start of the disk; tables and headers are clear. A unit that was never written is zero in the
extent. All of this is hypothesis, as in xtsdisk.py.
"""
import random

from guestdisk import SECTOR
from sparse import is_zero


class Layer:
    def __init__(self, image, touched, cipher, seed, in_order=False):
        self.image = image          # the guest's disk when this layer was the newest one
        self.touched = touched      # (first, sectors) of what was written into it
        self.cipher = cipher        # an XtsCipher; None: in clear
        self.in_order = in_order    # grains lie in the file as on the disk
        self.draw = random.Random(seed.bytes("layer", 32))

    def grains(self, start, sectors, grain):
        """Numbers of the grains, counted from sector `start`, that were written to."""
        found = set()
        for first, count in self.touched:
            low, high = max(first, start), min(first + count, start + sectors)
            if low < high:
                found.update(range((low - start) // grain, (high - 1 - start) // grain + 1))
        return sorted(found)

    def is_zero(self, first, count):
        return is_zero(self.image.read(first, min(count, self.image.sectors - first)))

    def stored(self, first, count, end):
        """`count` sectors from `first` on as they are stored; what lies beyond sector `end` is
        noise that no reader should take in."""
        here = min(count, end - first)
        data = self.encrypt(first, self.image.read(first, here))
        return data + self.draw.randbytes((count - here) * SECTOR)

    def encrypt(self, first, data):
        if self.cipher is None:
            return data
        keep_zero = self.draw.randrange(4) == 0
        units = (data[i:i + SECTOR] for i in range(0, len(data), SECTOR))
        return b"".join(unit if keep_zero and is_zero(unit)
                        else self.cipher.encrypt(first + i, unit) for i, unit in enumerate(units))


    def places(self, grains):
        """The order in which grains get their places in the file: runs of neighbours, shuffled."""
        if self.in_order:
            return grains
        runs, at = [], 0
        while at < len(grains):
            length = 1 + self.draw.randrange(12)
            runs.append(grains[at:at + length])
            at += length
        self.draw.shuffle(runs)
        return [grain for run in runs for grain in run]
