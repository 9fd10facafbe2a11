"""Disk data from a raw image into the extents of a VMDK, through AES-XTS or as it is.

A data unit is one 512-byte sector; its tweak is the sector's number counted from the start of the
disk, whichever extent holds it. Both are hypotheses: the layout is not published. A unit that was
never written is zero in the extent and means zero.
"""
import contextlib
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import sparse

UNIT = 512
_AREA = 128     # units handled together, 64 KiB
_BLOCK = 8      # units of a guest file-system block


class XtsCipher:
    def __init__(self, key):
        self._key = algorithms.AES(key)

    def _mode(self, unit):
        return Cipher(self._key, modes.XTS(unit.to_bytes(16, "little")))

    def encrypt(self, unit, data):
        return self._mode(unit).encryptor().update(data)

    def decrypt(self, unit, data):
        return self._mode(unit).decryptor().update(data)


def write_extents(raw, extents, directory, key, seed):
    """Store the raw image in extent files, encrypted if `key` is given.

    Returns how many units hold data, are encrypted zeros, and were never written. A guest writes
    whole blocks and sometimes clears space, so the seed picks for every 64 KiB which of its zero
    units became ciphertext: none (5 of 8), those sharing a 4 KiB block with data (2 of 8), or
    all (1 of 8).
    """
    cipher = XtsCipher(key) if key else None
    counts = {"data": 0, "zero_encrypted": 0, "never_written": 0}
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(open(raw, "rb"))
        files = _open_all(stack, directory, extents, "r+b")
        for extent, first, sector, count in _areas(extents):
            image.seek(first * UNIT)
            data = image.read(count * UNIT)
            units = [data[i:i + UNIT] for i in range(0, len(data), UNIT)]
            empty = [sparse.is_zero(unit) for unit in units]
            written = (_encrypted(empty, seed.number(f"area {first}", 8)) if cipher
                       else [not e for e in empty])
            file = files[extent.file]
            for i, unit in enumerate(units):
                if written[i]:
                    file.seek((sector + i) * UNIT)
                    file.write(cipher.encrypt(first + i, unit) if cipher else unit)
            counts["data"] += empty.count(False)
            counts["zero_encrypted"] += sum(written) - empty.count(False)
            counts["never_written"] += written.count(False)
    return counts


def _open_all(stack, directory, extents, mode):
    return {name: stack.enter_context(open(os.path.join(directory, name), mode))
            for name in {extent.file for extent in extents}}


def _areas(extents):
    """(extent, first unit on the disk, first sector in the file, units) for up to 64 KiB each."""
    start = 0
    for extent in extents:
        for at in range(0, extent.sectors, _AREA):
            yield extent, start + at, extent.offset + at, min(_AREA, extent.sectors - at)
        start += extent.sectors


def _encrypted(empty, choice):
    """Which units of an area become ciphertext."""
    if choice == 0:
        return [True] * len(empty)
    if choice <= 2:
        return [not all(empty[i // _BLOCK * _BLOCK:][:_BLOCK]) for i in range(len(empty))]
    return [not e for e in empty]
