"""Builds one machine: evidence, keys and the truth about both."""
import base64
import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace

import encobj
import guestfs
import locator
import partition
import seal
import snapshots
import sparse
import tools
import vmxstyle
import vmxtext
import xtsdisk
from descriptor import Descriptor, Extent
from keyring import Keyring
from kinds import KekLock
from locks import Locks
from seed import Seed
from tools import LabError

_NVRAM_SIZE = 8684


def make(kind, directory, number, disk_mib=None):
    """Create `directory` with the machine of `kind` that seed `number` gives."""
    tools.require(kind.tools())
    os.umask(0o022)
    try:
        os.mkdir(directory)
    except OSError as error:
        raise LabError(f"cannot create {directory}: {error.strerror}") from error
    try:
        _Machine(kind, os.path.abspath(directory), number, disk_mib).build()
    except BaseException:
        shutil.rmtree(directory)
        raise


class _Machine:
    def __init__(self, kind, directory, number, disk_mib):
        self.kind = kind
        self.seed = Seed(f"vmcrypt-lab/{number}/{kind.name}")
        self.directory = directory
        self.disk_mib = disk_mib
        for name in ("vm", "keys", "truth", "work"):
            os.mkdir(os.path.join(directory, name))
        os.chmod(self._path("keys"), 0o700)
        self.keyring = Keyring(self._path("keys"), self.seed.number("key form", 3))
        self.locks = Locks(self.seed, self.keyring)
        self.truth = {"kind": kind.name, "seed": number}

    def build(self):
        kind = self.kind
        if any(isinstance(lock, KekLock) for lock in kind.locks):
            # A keyring holds more keys than one machine needs.
            self.locks.add_kek(KekLock(role="decoy", provider=kind.locks[-1].provider))
        data_key = self._key("data file key", kind.data_cipher) if kind.locks else None
        self.truth["disks"] = [self._disk(i, d) for i, d in enumerate(kind.disks)]
        self._vmx(data_key)
        self._nvram(data_key)
        if kind.bundle:
            self._bundle(data_key)
        self._companions()
        self.truth |= self.locks.truth
        self.keyring.save()
        shutil.rmtree(self._path("work"))
        with open(self._path("truth.json"), "w", encoding="utf-8") as file:
            json.dump(self.truth, file, indent=2, ensure_ascii=False)
            file.write("\n")

    def _path(self, *names):
        return os.path.join(self.directory, *names)

    def _write(self, name, data):
        with open(self._path(name), "xb") as file:
            file.write(data)

    def _key(self, label, cipher):
        return seal.Key(cipher, self.seed.bytes(label, seal.KEY_SIZES[cipher]))

    # Disks ---------------------------------------------------------------------------------

    def _disk(self, index, disk):
        name = f"disk{index + 1}"
        stem = self.kind.vm_name + (f"_{index}" if index else "")
        if self.disk_mib:
            disk = replace(disk, mib=self.disk_mib)
        if disk.filesystem == "fat32" and disk.mib < 36:
            disk = replace(disk, filesystem="fat16")    # FAT32 needs 65525 clusters
        sectors = disk.mib * 2048 + disk.extra_sectors
        # Of the disk as it is first; with snapshots that is what the oldest one keeps.
        raw = self._state_file(name, 0)
        place, files = self._raw_image(name, raw, disk, sectors)

        dek = self._key(f"{name} dek", "XTS-AES-256") if disk.lock else None
        extents = self._extent_files(name, stem, disk, sectors)
        units = xtsdisk.write_extents(raw, extents, self._path("vm"), dek and dek.data,
                                      self.seed.under(name))
        self._descriptor(name, stem, disk, extents, dek)
        layers = [snapshots.layer_truth(f"vm/{stem}.vmdk", disk.layout, dek, self.seed.under(name))]
        for number in range(1, len(self.kind.snapshots) + 1):
            files = self._delta(name, stem, disk, sectors, number, layers)
        for number, layer in enumerate(layers):
            layer["raw"] = os.path.relpath(self._state_file(name, number), self.directory)
            layer["sha256"] = sparse.sha256(self._state_file(name, number))
        raw = self._path("truth", f"{name}.raw")
        return {
            "name": name,
            "descriptor": layers[-1]["descriptor"],
            "layers": layers,
            "raw": f"truth/{name}.raw",
            "size": sectors * partition.SECTOR,
            "sha256": sparse.sha256(raw),
            "dek": _key_truth(dek),
            "kek": disk.lock.role if isinstance(disk.lock, KekLock) else None,
            "extents": [asdict(extent) for extent in extents],
            "units": units,
            "table": disk.table,
            "partitions": [{
                "number": 1,
                "first": place.first,
                "sectors": place.sectors,
                "filesystem": disk.filesystem,
                "files": [{"path": f.path, "size": len(f.data),
                           "sha256": hashlib.sha256(f.data).hexdigest()} for f in files],
            }],
        }

    def _state_file(self, name, number):
        """The plaintext when delta `number` was the newest layer, 0 the base."""
        if number < len(self.kind.snapshots):
            name += f"-snapshot{self.kind.snapshots[number].uid}"
        return self._path("truth", f"{name}.raw")

    def _delta(self, name, stem, disk, sectors, number, layers):
        """Put a delta on top of the layers; returns the files in it."""
        seed = self.seed.under(f"{name} delta {number}")
        after = self._state_file(name, number)
        _, files = self._raw_image(name, after, disk, sectors, number)
        lock = snapshots.lock(number, disk.lock)
        key = lock and seal.Key("XTS-AES-256", seed.bytes("dek", 64))
        pair = lock and self.locks.pair(lock, seal.format_key(key).encode(), f"{name} {number}")
        layers.append(snapshots.add_delta(
            self._path("vm"), stem, number, self.kind.snapshots[number - 1].delta,
            self._state_file(name, number - 1), after, key,
            locator.format_list([pair]) if pair else "", layers[-1], seed))
        return files

    def _raw_image(self, name, raw, disk, sectors, changes=0):
        """The plaintext image after so many changes; returns where the partition is and its
        files."""
        place = partition.room(disk.table, sectors)
        size = place.sectors * partition.SECTOR
        seed = self.seed.under(name)
        files = guestfs.sample_files(seed, size)
        files += [guestfs.GuestFile(f"zz/after snapshot {i}.bin", seed.bytes(f"change {i}", 20001))
                  for i in range(1, changes + 1)]
        if disk.filesystem == "ntfs":
            files = guestfs.flatten(files)
        volume = self._path("work", "volume")
        sparse.create(volume, size)
        guestfs.FILESYSTEMS[disk.filesystem].make(volume, files, seed, self._path("work"),
                                                  place.first)
        sparse.create(raw, sectors * partition.SECTOR)
        with open(raw, "r+b") as image, open(volume, "rb") as source:
            partition.write(image, disk.table, sectors, place, disk.filesystem, seed)
            sparse.copy(source, 0, size, image, place.first * partition.SECTOR)
        os.unlink(volume)
        return place, files

    def _extent_files(self, name, stem, disk, sectors):
        """Make the empty extent files; returns the extents."""
        if disk.layout != "custom":
            kind = "VMFS" if disk.layout == "vmfs" else "FLAT"
            extents = (Extent(sectors, kind, f"{stem}-flat.vmdk"),)
        else:
            # Three extents in two files, the first and third sharing one, at offsets and of
            # lengths that no block size divides.
            one, two = sectors // 3 | 1, sectors // 4 | 1
            extents = (Extent(one, "FLAT", f"{stem}-f001.vmdk", 63),
                       Extent(two, "FLAT", f"{stem}-f002.vmdk", 2048),
                       Extent(sectors - one - two, "FLAT", f"{stem}-f001.vmdk", 63 + one + 129))
        for file in sorted({extent.file for extent in extents}):
            self._extent_file(name, file, [e for e in extents if e.file == file])
        return extents

    def _extent_file(self, name, file, extents):
        """Space outside the extents is filled with noise that no reader should take in."""
        path = self._path("vm", file)
        sparse.create(path, max(e.offset + e.sectors for e in extents) * partition.SECTOR)
        with open(path, "r+b") as out:
            end = 0
            for extent in extents:
                out.seek(end * partition.SECTOR)
                out.write(self.seed.bytes(f"{name} {file} noise {end}",
                                          (extent.offset - end) * partition.SECTOR))
                end = extent.offset + extent.sectors

    def _descriptor(self, name, stem, disk, extents, dek):
        keys = ""
        if dek:
            pair = self.locks.pair(disk.lock, seal.format_key(dek).encode(), name)
            keys = locator.format_list([pair], escape_null=self.kind.escape_null)
        descriptor = Descriptor(
            disk.layout, extents, keys,
            iofilters="vmwarevmcrypt" if dek and self.kind.style == "esxi" else "",
            encoding=self.kind.encoding)
        data = descriptor.render(self.seed.under(name), self._hw_version(), self.kind.newline)
        self._write(f"vm/{stem}.vmdk", data)

    # Configuration -------------------------------------------------------------------------

    def _hw_version(self):
        return "19" if self.kind.style == "esxi" else "18"

    def _settings(self):
        style = vmxstyle.esxi if self.kind.style == "esxi" else vmxstyle.workstation
        disks = [os.path.basename(disk["descriptor"]) for disk in self.truth["disks"]]
        return style(self.seed, self.kind.vm_name, disks, self.kind.vtpm)

    def _vmx(self, data_key):
        kind = self.kind
        inside = vmxtext.VmxText()
        body = vmxstyle.config_text(self._settings(), kind.quirks)
        outside = vmxtext.VmxText()
        if "comments" in kind.quirks:
            outside.raw("# comment before the settings")
        outside.set(".encoding", kind.encoding)
        outside.set("displayName", kind.display_name)
        if kind.locks:
            if not kind.partial:
                inside = body
            inside.set("dataFileKey", seal.format_key(data_key))
            inside.set("cryptoState", "encrypted")
            if kind.style == "esxi":
                inside.set("encryption.unspecified.default", "TRUE")
                inside.set("encryption.required", "FALSE")
            self._encrypt_config(outside, inside.render(kind.encoding, kind.newline))
        if kind.partial:
            outside.set("vmx.encryptionType", "partial")
            guid = str(self.seed.uuid("encryptedVM.guid")).upper()
            outside.set("encryptedVM.guid", "{" + guid + "}")
        if kind.partial or not kind.locks:
            outside.extend(body)

        data = outside.render(kind.encoding, kind.newline)
        self._write(f"vm/{kind.vm_name}.vmx", data)
        self.truth |= {
            "vmx": f"vm/{kind.vm_name}.vmx",
            "encoding": kind.encoding,
            "display_name": kind.display_name,
            "clear_settings": vmxtext.parse(data)[1],
            "data_file_key": _key_truth(data_key),
        }

    def _encrypt_config(self, outside, plain):
        """Add the key safe and the encrypted settings to the clear lines."""
        kind = self.kind
        key = self._key("config key", kind.config_cipher)
        text = seal.format_key(key).encode()
        pairs = [self.locks.pair(lock, text, f"safe {i}") for i, lock in enumerate(kind.locks)]
        mac = next(lock.mac for lock in kind.locks if lock.known)
        data = seal.lock(key.data, mac, plain, self.seed.bytes("config iv", 16))
        safe = locator.format_list(pairs, escape_null=kind.escape_null)
        outside.set("encryption.keySafe", safe)
        outside.set("encryption.data", base64.b64encode(data).decode())
        self._write("truth/config.txt", plain)
        decoded = plain.decode(kind.encoding)
        self.truth["config"] = {
            "file": "truth/config.txt",
            "sha256": hashlib.sha256(plain).hexdigest(),
            "key": _key_truth(key),
            "mac": mac,
            "key_safe": safe,
            "text": decoded,
            "settings": vmxtext.parse_settings(decoded),
        }

    # Other files ---------------------------------------------------------------------------

    def _nvram(self, data_key):
        plain = b"MRVN" + self.seed.bytes("nvram", _NVRAM_SIZE - 4)
        name = f"vm/{self.kind.vm_name}.nvram"
        self._write(name, encobj.pack(plain, data_key.data, self.seed) if data_key else plain)
        self._write("truth/nvram.bin", plain)
        self.truth["nvram"] = {"file": name, "plain": "truth/nvram.bin", "size": len(plain),
                               "sha256": hashlib.sha256(plain).hexdigest()}

    def _bundle(self, data_key):
        text = vmxtext.VmxText([
            ("cryptoState", "encrypted"),
            ("dataFileKey", seal.format_key(data_key)),
            ("encryption.required", "FALSE"),
            ("encryption.unspecified.default", "TRUE"),
        ]).render()
        pair = self.locks.pair(self.kind.locks[-1], text, "bundle")
        bundle = locator.format_list([pair], api=True)
        self._write("vm/bundle.txt", bundle.encode() + b"\n")
        self.truth["bundle"] = {"file": "vm/bundle.txt", "text": text.decode(),
                                "settings": vmxtext.parse_settings(text.decode())}

    def _companions(self):
        """Files that lie beside every machine and that no key concerns."""
        kind = self.kind
        vmsd, self.truth["snapshots"] = snapshots.database(
            kind, [disk["layers"] for disk in self.truth["disks"]])
        self._write(f"vm/{kind.vm_name}.vmsd", vmsd.render(kind.encoding, kind.newline))
        if kind.style == "workstation":
            self._write(f"vm/{kind.vm_name}.vmxf",
                        b'<?xml version="1.0"?>\n<Foundry>\n<VM>\n</VM>\n</Foundry>\n')
        product = "VMware ESX" if kind.style == "esxi" else "VMware Workstation"
        lines = [f"Log for {product}", f"Hostname={kind.style}-lab",
                 f"DICT displayName = {kind.display_name}", "Vix: [mainDispatch.c] VMAutomation"]
        log = "".join(f"2023-11-14T22:13:{20 + i}.000Z| vmx| I005: {line}\n"
                      for i, line in enumerate(lines))
        self._write("vm/vmware.log", log.encode())


def _key_truth(key):
    return key and {"cipher": key.cipher, "hex": key.data.hex()}
