"""VMDK descriptors: written in the style of the real files, and read as far as the lab needs."""
import re
from dataclasses import dataclass

from tools import LabError

_EXTENT = re.compile(r'\s*(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)'
                     r'(?:\s+"([^"]*)"(?:\s+(\d+)(?:\s.*)?)?)?\s*$')
_KEY_VALUE = re.compile(r'\s*([\w.:-]+)\s*=\s*(?:"([^"]*)"|(\S*))\s*$')

# The geometry ESXi gives small disks.
_HEADS = 64
_SECTORS_PER_TRACK = 32


@dataclass(frozen=True)
class Extent:
    """`sectors` of the disk, kept in `file` from sector `offset` on."""
    sectors: int
    kind: str
    file: str = ""              # "" where there is none (ZERO)
    offset: int = 0
    access: str = "RW"
    tail: str = ""              # partition UUID and device id

    def line(self):
        line = f"{self.access} {self.sectors} {self.kind}"
        if self.file:
            line += f' "{self.file}"'
            # What ESXi writes are whole files, without an offset; so are sparse extents.
            if self.kind == "FLAT" or self.offset:
                line += f" {self.offset}"
        return line + (f" {self.tail}" if self.tail else "")


NO_PARENT = "ffffffff"


@dataclass(frozen=True)
class Descriptor:
    create_type: str
    extents: tuple
    encryption_keys: str = ""    # key locator, "" where the descriptor has none
    iofilters: str = ""
    encoding: str = "UTF-8"
    parent_cid: str = NO_PARENT
    parent_hint: str = ""
    version: int = 1
    extra: tuple = ()           # (name, value) of more settings
    cid: str = ""               # as found by parse

    def render(self, seed, hw_version, newline="\n"):
        content_id = seed.hex("content id", 32)
        lines = ["# Disk DescriptorFile", f"version={self.version}", f'encoding="{self.encoding}"',
                 f"CID={content_id[-8:]}", f"parentCID={self.parent_cid}",
                 f'createType="{self.create_type}"']
        if self.parent_hint:
            lines.append(f'parentFileNameHint="{self.parent_hint}"')
        lines += [f'{name}="{value}"' for name, value in self.extra]
        if self.encryption_keys:
            # Eight hex digits because clear disks are reported with "keyID : 00000000".
            lines += [f"keyID={seed.hex('keyID', 8)}", f'encryptionKeys="{self.encryption_keys}"']
        lines += ["", "# Extent description"]
        lines += [extent.line() for extent in self.extents]
        total = sum(extent.sectors for extent in self.extents)
        lines += ["", "# The Disk Data Base ", "#DDB", "",
                  'ddb.adapterType = "lsilogic"',
                  f'ddb.geometry.cylinders = "{total // (_HEADS * _SECTORS_PER_TRACK)}"',
                  f'ddb.geometry.heads = "{_HEADS}"',
                  f'ddb.geometry.sectors = "{_SECTORS_PER_TRACK}"']
        if self.iofilters:
            lines.append(f'ddb.iofilters = "{self.iofilters}"')
        lines += [f'ddb.longContentID = "{content_id}"', f'ddb.uuid = "{_disk_uuid(seed)}"',
                  f'ddb.virtualHWVersion = "{hw_version}"']
        return "".join(line + newline for line in lines).encode(self.encoding)


def _disk_uuid(seed):
    """As products spell it, the vendor's part in capitals: `60 00 C2 98 5d 08 de f2-a0 14 …`."""
    digits = "6000C29" + seed.hex("disk uuid", 25)
    pairs = [digits[i:i + 2] for i in range(0, 32, 2)]
    return " ".join(pairs[:8]) + "-" + " ".join(pairs[8:])


def content_id(seed):
    """The CID that a descriptor rendered from `seed` has."""
    return seed.hex("content id", 32)[-8:]


def parse(data):
    """A Descriptor from bytes; fields the lab does not use are passed over."""
    match = re.search(rb'^\s*encoding\s*=\s*"([^"]*)"', data, re.MULTILINE)
    encoding = match[1].decode("ascii") if match else "UTF-8"
    fields, extents = {}, []
    for line in data.rstrip(b"\0").decode(encoding).splitlines():
        if match := _EXTENT.match(line):
            access, sectors, kind, file, offset = match.groups()
            extents.append(Extent(int(sectors), kind, file or "", int(offset or 0), access))
        elif match := _KEY_VALUE.match(line):
            fields[match[1]] = match[2] if match[2] is not None else match[3]
    if not extents:
        raise LabError("descriptor: no extents")
    return Descriptor(fields.get("createType", ""), tuple(extents),
                      fields.get("encryptionKeys", ""), fields.get("ddb.iofilters", ""), encoding,
                      fields.get("parentCID", NO_PARENT).lower(),
                      fields.get("parentFileNameHint", ""), int(fields.get("version", 1)),
                      cid=fields.get("CID", "").lower())
