"""Replace the time of the run in a fresh NTFS image, so that images are reproducible.

mkntfs has an option for that, ntfscp has not. Timestamps stand 8-byte aligned in MFT ("FILE") and
directory index ("INDX") records; any aligned value in such a record that falls into the run's own
few seconds is one. The records' last two bytes of every sector are kept apart in an update
sequence array and must be put back before looking.
"""
import struct

_RECORDS = {b"FILE": 1024, b"INDX": 4096}
_STEP = 1024


def _filetime(seconds):
    """100 ns units since 1601."""
    return int(seconds * 10_000_000) + 116_444_736_000_000_000


def freeze(path, start, end, fixed):
    low, high, new = _filetime(start - 1), _filetime(end + 1), struct.pack("<Q", _filetime(fixed))
    with open(path, "r+b") as image:
        at = 0
        while magic := image.read(4):
            size = _RECORDS.get(magic)
            if size:
                image.seek(at)
                record = bytearray(image.read(size))
                _replace(record, low, high, new)
                image.seek(at)
                image.write(record)
            at += _STEP
            image.seek(at)


def _replace(record, low, high, new):
    usa_at, usa_count = struct.unpack_from("<HH", record, 4)
    ends = range(510, len(record), 512)
    saved = range(usa_at + 2, usa_at + 2 * usa_count, 2)
    sequence = record[usa_at:usa_at + 2]
    if len(saved) != len(ends) or any(record[end:end + 2] != sequence for end in ends):
        return      # file content that happens to begin with the magic
    for end, place in zip(ends, saved):
        record[end:end + 2] = record[place:place + 2]
    for at in range(0, len(record), 8):
        if low <= struct.unpack_from("<Q", record, at)[0] <= high:
            record[at:at + 8] = new
    for end, place in zip(ends, saved):
        record[place:place + 2] = record[end:end + 2]
        record[end:end + 2] = sequence
