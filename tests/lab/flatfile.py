"""Flat extents: the sectors of the disk as they are, in a file that may have more in it."""
import os

from guestdisk import SECTOR
from sparse import is_zero
from tools import LabError

_AREA = 128     # sectors


def write(path, layer, parts):
    """The file with `parts` of the disk: (first sector of the disk, sectors, sector in the file),
    in the order of the file. Where it has more than the disk that is noise; zeros are holes."""
    with open(path, "xb") as out:
        end = 0
        for start, sectors, offset in parts:
            out.seek(end * SECTOR)
            out.write(layer.draw.randbytes(min(offset - end, 256) * SECTOR))
            end = offset + sectors
            out.truncate(end * SECTOR)
            for first, count in layer.image.written(start, sectors):
                data = layer.image.read(first, count)
                if not is_zero(data):
                    out.seek((offset + first - start) * SECTOR)
                    out.write(layer.encrypt(first, data))
        if parts[0][2] > 0:
            out.seek(end * SECTOR)
            out.write(layer.draw.randbytes(7 * SECTOR))


class Reader:
    text = b""

    def __init__(self, path, sectors, offset):
        self._path, self.capacity, self._offset = path, sectors, offset

    def runs(self):
        """(first sector in the extent, sectors, bytes or None for zeros): all of it."""
        with open(self._path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size < (self._offset + self.capacity) * SECTOR:
                raise LabError(f"{self._path}: shorter than its extent")
            for first in range(0, self.capacity, _AREA):
                count = min(_AREA, self.capacity - first)
                file.seek((self._offset + first) * SECTOR)
                data = file.read(count * SECTOR)
                yield first, count, None if is_zero(data) else data
