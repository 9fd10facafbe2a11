"""The kinds of machine the lab makes, as data. machine.py builds what is said here."""
from dataclasses import dataclass, replace

from guestfs import FILESYSTEMS


@dataclass(frozen=True)
class KekLock:
    """Locked under a provider's key. `role` tells keys apart and names them in the truth."""
    role: str = "vm"
    provider: str = "KMS"
    native_id: bool = False     # key id of a Native Key Provider, not a UUID
    derived: bool = False       # ... from which and the KDK in its backup the key follows
    mac: str = "HMAC-SHA-256"
    known: bool = True          # the keyring holds the key


@dataclass(frozen=True)
class PhraseLock:
    """Locked under a passphrase."""
    kdf: str = "PBKDF2-HMAC-SHA-1"
    cipher: str = "AES-256"
    mac: str = "HMAC-SHA-1"
    known: bool = True


@dataclass(frozen=True)
class Disk:
    filesystem: str = "ext4"
    table: str = "gpt"
    mib: int = 48
    extra_sectors: int = 0      # makes the size no multiple of anything
    layout: str = "vmfs"        # vmfs | monolithicFlat | custom
    lock: object = None         # None: data in clear


@dataclass(frozen=True)
class Snapshot:
    uid: int
    name: str
    directory: str              # what a mount may call it
    delta: str                  # kind of the disks that came on top: vmfsSparse | seSparse
    description: str = ""


@dataclass(frozen=True)
class Kind:
    name: str
    summary: str
    style: str                  # esxi | workstation
    disks: tuple
    locks: tuple = ()           # of the key safe; none: the machine is not encrypted
    vm_name: str = "web01"
    display_name: str = "web01"
    config_cipher: str = "AES-256"
    data_cipher: str = "XTS-AES-256"
    encoding: str = "UTF-8"
    newline: str = "\n"
    quirks: frozenset = frozenset()
    partial: bool = False       # settings stay outside the encrypted section
    vtpm: bool = False
    escape_null: bool = False   # spell <VMWARE-NULL> with % escapes
    bundle: bool = False        # add the API's encryption.bundle
    snapshots: tuple = ()       # the oldest first

    def tools(self):
        """What making and verifying needs."""
        return sorted({tool for disk in self.disks for tool in FILESYSTEMS[disk.filesystem].tools})


_KEK = KekLock()
_DISK2_KEK = KekLock(role="disk2")
_NATIVE = KekLock(provider="local", native_id=True)
_NKP = KekLock(provider="local", native_id=True, derived=True)
_PHRASE = PhraseLock()

_VSPHERE = Kind("vsphere", "ESXi, provider KMS, AES-256 config key, XTS disk, GPT + ext4",
                "esxi", (Disk(lock=_KEK),), (_KEK,), vtpm=True)
_WS = Kind("ws-aes", "Workstation, passphrase, AES-256 labels, clear monolithicFlat disk",
           "workstation", (Disk(layout="monolithicFlat", mib=32),), (_PHRASE,),
           vm_name="Test VM", display_name="Test VM", data_cipher="AES-256")
_WS_SMALL = replace(_WS, disks=(Disk("ext2", "mbr", 4, layout="monolithicFlat"),))


def _vsphere_disk(**changes):
    return (replace(_VSPHERE.disks[0], **changes),)


_XTS_PHRASE = PhraseLock(cipher="XTS-AES-256")
_SHA256_PHRASE = PhraseLock(kdf="PBKDF2-HMAC-SHA-256", mac="HMAC-SHA-256")
_SAFES = (KekLock(role="foreign", provider="OldKMS", known=False),
          PhraseLock(known=False),
          KekLock(mac="HMAC-SHA-1-128"))

# Names that are no file names, and one that is there twice; uids need not begin with 1.
_SNAPSHOTS = (Snapshot(2, "clean install", "clean install", "vmfsSparse"),
              Snapshot(3, "before / after \"patch\"", "before _ after _patch_", "seSparse",
                       "Grüße, 100 %"),
              Snapshot(7, "clean install", "clean install (7)", "vmfsSparse"))

KINDS = {kind.name: kind for kind in (
    _VSPHERE,
    replace(_VSPHERE, name="vsphere-xtslabel", escape_null=True, vtpm=False,
            config_cipher="XTS-AES-256",
            summary="as vsphere, config key labelled XTS-AES-256 (64 bytes)"),
    replace(_VSPHERE, name="vsphere-mbr-vfat", summary="as vsphere, MBR + FAT32",
            disks=_vsphere_disk(filesystem="fat32", table="mbr", mib=40)),
    replace(_VSPHERE, name="vsphere-ntfs", summary="as vsphere, MBR + NTFS",
            disks=_vsphere_disk(filesystem="ntfs", table="mbr", mib=32)),
    replace(_VSPHERE, name="vsphere-native", locks=(_NATIVE,),
            summary="provider local with a Native Key Provider's 105-byte key id",
            disks=_vsphere_disk(lock=_NATIVE, mib=32)),
    replace(_VSPHERE, name="vsphere-nkp", locks=(_NKP,),
            summary="provider local, key derived (by one hypothesis) from the KDK in its .p12",
            disks=_vsphere_disk(filesystem="ext2", lock=_NKP, mib=4)),
    replace(_VSPHERE, name="vsphere-multi", vm_name="db01", display_name="db01",
            summary="two disks under two keys, the first in three extents at odd offsets",
            disks=(Disk(mib=32, extra_sectors=7, layout="custom", lock=_KEK),
                   Disk("ext2", "mbr", 24, lock=_DISK2_KEK))),
    replace(_VSPHERE, name="vsphere-safes", locks=_SAFES,
            summary="key safe of three pairs, only the last of which can be opened",
            disks=_vsphere_disk(lock=_SAFES[-1], mib=24)),
    replace(_VSPHERE, name="vsphere-api", bundle=True,
            summary="as vsphere, with an encryption.bundle in the API's unescaped form",
            disks=_vsphere_disk(mib=24)),
    replace(_VSPHERE, name="vsphere-snapshots",
            summary="two disks, three snapshots: vmfsSparse and seSparse deltas, each its own key",
            disks=(Disk("ext2", mib=8, lock=_KEK), Disk("ext2", "mbr", 4, lock=_DISK2_KEK)),
            snapshots=_SNAPSHOTS),
    _WS,
    replace(_WS, name="ws-xts", locks=(_XTS_PHRASE,), config_cipher="XTS-AES-256",
            data_cipher="XTS-AES-256",
            summary="as ws-aes, XTS-AES-256 labels for passphrase and config key"),
    replace(_WS, name="ws-sha256", locks=(_SHA256_PHRASE,),
            summary="as ws-aes, PBKDF2-HMAC-SHA-256 and HMAC-SHA-256"),
    replace(_WS, name="ws-partial", partial=True, vtpm=True, locks=(_XTS_PHRASE,),
            config_cipher="XTS-AES-256", data_cipher="XTS-AES-256",
            summary="Workstation partial encryption: most settings in clear, vTPM"),
    replace(_WS, name="ws-disk", summary="as ws-aes, disk encrypted under a phrase-locked key",
            disks=(replace(_WS.disks[0], lock=_PHRASE),)),
    replace(_WS_SMALL, name="ws-gbk", encoding="GBK", vm_name="億测试",
            display_name="测试 億 虚拟机", quirks=frozenset({"comments", "duplicates", "annotation"}),
            summary=".vmx in GBK, comments, duplicate names, |22 escapes"),
    replace(_WS_SMALL, name="ws-1252", encoding="windows-1252", newline="\r\n",
            vm_name="Büro Zürich", display_name="Büro “Zürich” – 5 €",
            quirks=frozenset({"comments", "annotation"}),
            summary=".vmx in windows-1252, CR LF, |22 escapes"),
    replace(_WS_SMALL, name="ws-sjis", encoding="Shift_JIS", vm_name="表ポート",
            display_name="ソフト表示ポート", quirks=frozenset({"spacing", "annotation"}),
            summary=".vmx in Shift_JIS with second bytes 0x5c and 0x7c, odd spacing"),
    Kind("plain", "not encrypted at all (control)", "workstation",
         (Disk(layout="monolithicFlat", mib=24),), vm_name="Plain VM", display_name="Plain VM"),
    replace(_VSPHERE, name="tiny", summary="as vsphere, 4 MiB disk with GPT + ext2",
            disks=_vsphere_disk(filesystem="ext2", mib=4)),
)}
