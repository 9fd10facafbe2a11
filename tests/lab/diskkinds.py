"""The kinds of disk the lab makes, as data. vmdkmake.py builds what is said here."""
from dataclasses import dataclass, replace

from hosted import Hosted


@dataclass(frozen=True)
class Cowd:
    grain: int = 1


@dataclass(frozen=True)
class SeSparse:
    dirty: bool = False     # the journal was not replayed


@dataclass(frozen=True)
class Stream:
    """Stream-optimized."""
    hosted: Hosted = Hosted()
    cut: str = ""           # footer | directory: the end of the file is lost from there on


@dataclass(frozen=True)
class Part:
    """One extent. `share` is its part of the disk; what is left goes to the last one."""
    kind: str               # of the extent line
    file: str = ""          # behind the name of the descriptor; "" for ZERO
    share: float = 1.0
    offset: int = 0         # sectors; flat extents
    access: str = "RW"
    how: object = None      # Hosted, Stream, Cowd, SeSparse; None: flat, or no file
    tail: str = ""
    align: int = 1          # its length is a multiple, unless it is the last one


@dataclass(frozen=True)
class DiskKind:
    name: str
    create_type: str
    summary: str
    parts: tuple
    stem: str = "disk"
    newline: str = "\n"
    encoding: str = "UTF-8"
    version: int = 1
    extra: tuple = ()

    def embedded(self):
        """The extent holds the descriptor."""
        how = self.parts[0].how
        how = how.hosted if isinstance(how, Stream) else how
        return isinstance(how, Hosted) and how.embedded and self.parts[0].file == ".vmdk"


def _flat(name, create_type, summary, file="-flat.vmdk", kind="FLAT", **more):
    return DiskKind(name, create_type, summary, (Part(kind, file),), **more)


def _split_flat(name, create_type, summary):
    """Three extents, the second one in the middle of its file, the third behind the first."""
    return DiskKind(name, create_type, summary,
                    (Part("FLAT", "-f001.vmdk", 0.4), Part("FLAT", "-f002.vmdk", 0.25, offset=63),
                     Part("FLAT", "-f003.vmdk", offset=2049)))


def _sparse(name, summary, hosted=Hosted(), create_type="monolithicSparse", **more):
    return DiskKind(name, create_type, summary, (Part("SPARSE", ".vmdk", how=hosted),), **more)


def _stream(name, summary, hosted=Hosted(redundant=False), cut=""):
    return DiskKind(name, "streamOptimized", summary,
                    (Part("SPARSE", ".vmdk", how=Stream(hosted, cut)),))


def _esx(name, create_type, summary, kind, file, how):
    return DiskKind(name, create_type, summary, (Part(kind, file, how=how),))


_APART = Hosted(embedded=False)
_MIDDLE = (Part("FLAT", "-f001.vmdk", 0.3), Part("ZERO", share=0.2), Part("FLAT", "-f002.vmdk"))
_UUID = "c2f3a9d4-0b1e-4c7e-9a55-1d2e3f405162"


def _middle(**changes):
    return (_MIDDLE[0], replace(_MIDDLE[1], **changes), _MIDDLE[2])


DISK_KINDS = {kind.name: kind for kind in (
    _flat("monolithicFlat", "monolithicFlat", "one flat extent"),
    _flat("monolithicFlat-crlf", "monolithicFlat", "CR LF, spaces in the name", newline="\r\n",
          stem="my web server"),
    _flat("monolithicFlat-utf8", "monolithicFlat", "a name in UTF-8", stem="Büro–Platte 測試"),
    _flat("monolithicFlat-1252", "monolithicFlat", "the same in windows-1252", stem="Büro Zürich",
          encoding="windows-1252", newline="\r\n"),
    DiskKind("monolithicFlat-offset", "monolithicFlat", "the extent begins inside its file",
             (Part("FLAT", "-flat.vmdk", offset=129),)),
    _split_flat("twoGbMaxExtentFlat", "twoGbMaxExtentFlat", "several extents, at offsets"),
    _split_flat("2GbMaxExtentFlat", "2GbMaxExtentFlat", "the same under its old name"),
    _flat("vmfs", "vmfs", "ESXi's flat disk", kind="VMFS"),
    _flat("vmfs-cbt", "vmfs", "with change tracking: version 3, changeTrackPath", kind="VMFS",
          version=3, extra=(("changeTrackPath", "disk-ctk.vmdk"),)),
    _flat("vmfsPreallocated", "vmfsPreallocated", "ESXi, preallocated", kind="VMFS"),
    _flat("vmfsEagerZeroedThick", "vmfsEagerZeroedThick", "ESXi, eager zeroed", kind="VMFS"),
    _flat("vmfsThin", "vmfsThin", "ESXi, thin", kind="VMFS"),
    _flat("fullDevice", "fullDevice", "a device, here a file", file="-device.img"),
    DiskKind("partitionedDevice", "partitionedDevice", "partitions of a device, others as zeros",
             (Part("FLAT", "-pt.vmdk", 0.01),
              Part("FLAT", "-device.img", 0.5, offset=63, tail=_UUID),
              Part("ZERO", share=0.2), Part("FLAT", "-device2.img", offset=4096,
                                            tail=f"{_UUID} naa.6000c29"))),
    _flat("vmfsRaw", "vmfsRaw", "a raw device", file="-raw.img", kind="VMFSRAW"),
    _flat("vmfsRawDeviceMap", "vmfsRawDeviceMap", "a mapped device", file="-rdm.vmdk",
          kind="VMFSRDM"),
    _flat("vmfsPassthroughRawDeviceMap", "vmfsPassthroughRawDeviceMap", "the same, physical",
          file="-rdmp.vmdk", kind="VMFSRDM"),
    DiskKind("custom-zero", "custom", "a ZERO extent between two flat ones", _MIDDLE),
    DiskKind("flat-zero", "twoGbMaxExtentFlat", "the same with a createType QEMU knows", _MIDDLE),
    DiskKind("custom-noaccess", "custom", "a NOACCESS extent between two flat ones",
             _middle(kind="FLAT", file="-f003.vmdk", access="NOACCESS")),
    DiskKind("flat-noaccess", "twoGbMaxExtentFlat", "the same with a createType QEMU knows",
             _middle(kind="FLAT", file="-f003.vmdk", access="NOACCESS")),
    DiskKind("flat-rdonly", "twoGbMaxExtentFlat", "an RDONLY extent between two flat ones",
             _middle(kind="FLAT", file="-f003.vmdk", access="RDONLY")),
    DiskKind("zero", "custom", "nothing but a ZERO extent", (Part("ZERO"),)),
    DiskKind("custom-mix", "custom", "every type of extent in one disk",
             (Part("FLAT", "-f001.vmdk", 0.2, offset=8), Part("ZERO", share=0.1),
              Part("SPARSE", "-s001.vmdk", 0.2, how=_APART, align=128),
              Part("VMFS", "-flat.vmdk", 0.1, access="RDONLY"),
              Part("VMFSSPARSE", "-delta.vmdk", 0.2, how=Cowd()),
              Part("SESPARSE", "-sesparse.vmdk", how=SeSparse()))),
    _sparse("monolithicSparse", "hosted sparse, descriptor inside"),
    _sparse("monolithicSparse-crlf", "the same with CR LF and a space in its name", newline="\r\n",
            stem="my disk"),
    _sparse("monolithicSparse-v2", "version 2, grains marked as zero",
            Hosted(version=2, zeroed=True)),
    _sparse("monolithicSparse-v3", "version 3", Hosted(version=3)),
    _sparse("monolithicSparse-norgd", "without redundant tables", Hosted(redundant=False)),
    _sparse("monolithicSparse-grain8", "grains of 8 sectors", Hosted(grain=8)),
    _sparse("monolithicSparse-grain1024", "grains of 1,024 sectors", Hosted(grain=1024)),
    _sparse("monolithicSparse-unclean", "not shut down properly", Hosted(unclean=True)),
    DiskKind("twoGbMaxExtentSparse", "twoGbMaxExtentSparse", "several hosted sparse extents",
             (Part("SPARSE", "-s001.vmdk", 0.4, how=_APART, align=128),
              Part("SPARSE", "-s002.vmdk", 0.3, how=replace(_APART, version=2, zeroed=True),
                   align=128),
              Part("SPARSE", "-s003.vmdk", how=_APART))),
    DiskKind("2GbMaxExtentSparse", "2GbMaxExtentSparse", "the same under its old name",
             (Part("SPARSE", "-s001.vmdk", 0.6, how=_APART, align=128),
              Part("SPARSE", "-s002.vmdk", how=_APART))),
    _stream("streamOptimized", "compressed, the directory in the footer"),
    _stream("streamOptimized-v3", "version 3, grains marked as zero",
            Hosted(version=3, redundant=False, zeroed=True)),
    _stream("streamOptimized-head", "the directory in front, no footer",
            Hosted(version=3, redundant=False, footer=False)),
    _stream("streamOptimized-nofooter", "the footer is cut off", cut="footer"),
    _stream("streamOptimized-nodirectory", "directory and footer are cut off", cut="directory"),
    _esx("vmfsSparse", "vmfsSparse", "ESXi's delta (COWD), grains of one sector",
         "VMFSSPARSE", "-delta.vmdk", Cowd()),
    _esx("vmfsSparse-8", "vmfsSparse", "the same, grains of 8 sectors",
         "VMFSSPARSE", "-delta.vmdk", Cowd(8)),
    _esx("seSparse", "seSparse", "ESXi's delta for large disks",
         "SESPARSE", "-sesparse.vmdk", SeSparse()),
    _esx("seSparse-dirty", "seSparse", "its journal was not replayed",
         "SESPARSE", "-sesparse.vmdk", SeSparse(dirty=True)),
)}

# What the deltas of a chain of mixed kinds are.
MIXED_DELTAS = ("vmfsSparse", "seSparse", "monolithicSparse", "vmfsSparse-8",
                "monolithicSparse-v2", "twoGbMaxExtentSparse", "streamOptimized",
                "monolithicSparse-grain8")
