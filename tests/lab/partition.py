"""Partition tables: GPT (both copies with their CRCs) and MBR, written and read."""
import struct
import uuid
import zlib
from dataclasses import dataclass

from tools import LabError

SECTOR = 512
ALIGNMENT = 2048  # first partition at 1 MiB, as every current installer does

_ENTRIES = 128
_ENTRY_SIZE = 128
_TABLE_SECTORS = _ENTRIES * _ENTRY_SIZE // SECTOR
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_LINUX_GUID = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

_MBR_TYPES = {"fat32": 0x0C, "fat16": 0x0E, "ntfs": 0x07, "ext4": 0x83, "ext2": 0x83}


@dataclass(frozen=True)
class Partition:
    first: int      # sector
    sectors: int


def room(table, disk_sectors):
    """The one partition that fills a disk, leaving room for the table's copies."""
    end = disk_sectors - (_TABLE_SECTORS + 1 if table == "gpt" else 0)
    sectors = (end - ALIGNMENT) // 8 * 8
    if sectors < ALIGNMENT:
        raise LabError(f"a disk of {disk_sectors} sectors is too small for a file system")
    return Partition(ALIGNMENT, sectors)


def write(image, table, disk_sectors, partition, filesystem, seed):
    if table == "gpt":
        _write_gpt(image, disk_sectors, partition, seed)
    else:
        entry = _mbr_entry(0x80, _MBR_TYPES[filesystem], partition.first, partition.sectors)
        _write_mbr(image, entry, seed.bytes("mbr signature", 4))


def read(image, disk_sectors):
    """(table, [Partition]) as an image says; both GPT copies must be sound and agree."""
    image.seek(0)
    sector = image.read(SECTOR)
    if len(sector) != SECTOR or sector[510:] != b"\x55\xaa":
        raise LabError("no MBR signature")
    entries = [struct.unpack_from("<B3xB3xII", sector, 446 + 16 * i) for i in range(4)]
    entries = [e for e in entries if e[1] != 0]
    if [e[1] for e in entries] == [0xEE]:
        first, last = _read_gpt(image, 1), _read_gpt(image, disk_sectors - 1)
        if first != last:
            raise LabError("the two GPT copies differ")
        return "gpt", first
    return "mbr", [Partition(e[2], e[3]) for e in entries]


def _mbr_entry(boot, kind, first, sectors):
    # Cylinder/head/sector values say "beyond CHS"; nothing current reads them.
    chs = b"\xfe\xff\xff"
    return bytes([boot]) + chs + bytes([kind]) + chs + struct.pack("<II", first, sectors)


def _write_mbr(image, entry, signature):
    image.seek(0)
    image.write(bytes(440) + signature + bytes(2) + entry.ljust(64, b"\0") + b"\x55\xaa")


def _write_gpt(image, disk_sectors, partition, seed):
    _write_mbr(image, _mbr_entry(0, 0xEE, 1, disk_sectors - 1), bytes(4))
    entry = (_LINUX_GUID.bytes_le + seed.uuid("gpt partition").bytes_le
             + struct.pack("<QQQ", partition.first, partition.first + partition.sectors - 1, 0)
             + "data".encode("utf-16-le").ljust(72, b"\0"))
    table = entry.ljust(_ENTRIES * _ENTRY_SIZE, b"\0")
    disk_guid = seed.uuid("gpt disk").bytes_le
    last = disk_sectors - 1
    for own, other, table_at in ((1, last, 2), (last, 1, last - _TABLE_SECTORS)):
        header = _pack_header(own, other, table_at, disk_sectors, disk_guid, zlib.crc32(table))
        image.seek(table_at * SECTOR)
        image.write(table)
        image.seek(own * SECTOR)
        image.write(header.ljust(SECTOR, b"\0"))


def _pack_header(own, other, table_at, disk_sectors, disk_guid, table_crc):
    def pack(crc):
        return _HEADER.pack(b"EFI PART", 0x10000, _HEADER.size, crc, 0, own, other,
                            2 + _TABLE_SECTORS, disk_sectors - _TABLE_SECTORS - 2, disk_guid,
                            table_at, _ENTRIES, _ENTRY_SIZE, table_crc)
    return pack(zlib.crc32(pack(0)))


def _read_gpt(image, at):
    image.seek(at * SECTOR)
    header = image.read(_HEADER.size)
    if len(header) != _HEADER.size or header[:8] != b"EFI PART":
        raise LabError(f"no GPT header in sector {at}")
    fields = _HEADER.unpack(header)
    crc, own, table_at, count, size, table_crc = (fields[i] for i in (3, 5, 10, 11, 12, 13))
    if zlib.crc32(header[:16] + bytes(4) + header[20:]) != crc or own != at:
        raise LabError(f"GPT header in sector {at}: CRC or own address is wrong")
    image.seek(table_at * SECTOR)
    table = image.read(count * size)
    if zlib.crc32(table) != table_crc:
        raise LabError(f"GPT table of sector {at}: CRC is wrong")
    partitions = []
    for i in range(count):
        entry = table[i * size:(i + 1) * size]
        if any(entry[:16]):
            first, last = struct.unpack_from("<QQ", entry, 32)
            partitions.append(Partition(first, last - first + 1))
    return partitions
