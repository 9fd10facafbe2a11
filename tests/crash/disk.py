"""The disks that are crashed, and what they must be in the end: by the lab's code and
python3-cryptography, which share nothing with the program under test."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import descriptor                                                   # noqa: E402
import locator                                                      # noqa: E402
import reader                                                       # noqa: E402
import seal                                                         # noqa: E402
from seed import Seed                                               # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes    # noqa: E402

DIRECTIONS = ("decrypt", "encrypt", "reencrypt")
SECTOR = 512
BLOCK = 4096
NAME = "disk.vmdk"


class Wrong(Exception):
    """Not what it must be."""


def xts(key, unit_bytes, data, encrypt):
    """Every unit that is not zero, transformed."""
    out = bytearray(data)
    algorithm, zeros = algorithms.AES(key), bytes(unit_bytes)
    for at in range(0, len(data), unit_bytes):
        unit = data[at:at + unit_bytes]
        if unit != zeros:
            mode = modes.XTS((at // unit_bytes).to_bytes(16, "little"))
            cipher = Cipher(algorithm, mode)
            context = cipher.encryptor() if encrypt else cipher.decryptor()
            out[at:at + unit_bytes] = context.update(unit)
    return bytes(out)


class Disk:
    """A disk in one form, to be given another one.

    Three extents in two files, at odd places among noise; data, zeros that were written, and what
    was never written.
    """

    def __init__(self, direction, unit_bytes, full, seed, keys):
        self.name = f"{direction}, units of {unit_bytes}"
        self.direction, self.unit = direction, unit_bytes
        self.segment = 8 if full else 20
        self._random = random.Random(f"{direction} {unit_bytes} {seed}")
        self._keks = [self._random.randbytes(32), self._random.randbytes(32)]
        self._key_files = [self._key_file(keys, i) for i in range(2)]
        self.key = self._random.randbytes(64)
        self.extents = (descriptor.Extent(333, "FLAT", "a.vmdk", 3),
                        descriptor.Extent(251, "FLAT", "b.vmdk", 0),
                        descriptor.Extent(184, "FLAT", "a.vmdk", 341))
        self.stored = self._content()
        self.plain = self.stored
        if direction != "encrypt":
            # Units of zeros that were written are what decrypts to zeros.
            plain = xts(self.key, unit_bytes, self.stored, False)
            self.plain = self._clear_some(plain)
            self.stored = self._store(self.plain, self.stored)
        self._around = {"a.vmdk": self._random.randbytes(540 * SECTOR),
                        "b.vmdk": self._random.randbytes(260 * SECTOR)}
        self.files = self._place(self.stored)
        self.files[NAME] = self._describe(self.key if direction != "encrypt" else None)
        self.blocks = {}

    def _key_file(self, directory, i):
        path = os.path.join(directory, f"kek-{self.direction}-{self.unit}-{i}")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(self._keks[i])
        return path

    def _content(self):
        """Noise and runs of zeros of all sizes."""
        out, size = bytearray(), sum(e.sectors for e in self.extents) * SECTOR
        while len(out) < size:
            out += self._random.randbytes(self._random.choice((1, 3, 8, 40)) * SECTOR)
            out += bytes(self._random.choice((1, 2, 8, 16, 64)) * SECTOR)
        return bytes(out[:size])

    def _clear_some(self, plain):
        out = bytearray(plain)
        for at in range(0, len(plain), self.unit):
            if self._random.random() < 0.2:
                out[at:at + self.unit] = bytes(self.unit)
        return bytes(out)

    def _store(self, plain, written):
        """The ciphertext of `plain`; a unit of zeros in `written` is one that never was."""
        out, zeros = bytearray(len(plain)), bytes(self.unit)
        algorithm = algorithms.AES(self.key)
        for at in range(0, len(plain), self.unit):
            if written[at:at + self.unit] != zeros:
                mode = modes.XTS((at // self.unit).to_bytes(16, "little"))
                unit = Cipher(algorithm, mode).encryptor().update(plain[at:at + self.unit])
                out[at:at + self.unit] = unit
        return bytes(out)

    def _place(self, data):
        """The files that hold the bytes of the disk."""
        files, start = {name: bytearray(noise) for name, noise in self._around.items()}, 0
        for extent in self.extents:
            part = data[start:start + extent.sectors * SECTOR]
            at = extent.offset * SECTOR
            files[extent.file][at:at + len(part)] = part
            start += len(part)
        return {name: bytes(data) for name, data in files.items()}

    def _describe(self, key):
        keys = filters = ""
        if key is not None:
            text = seal.format_key(seal.Key("XTS-AES-256", key)).encode()
            data = seal.lock(self._keks[0], "HMAC-SHA-256", text, self._random.randbytes(16))
            keys = locator.format_list([locator.Pair(locator.Fqid("KMS", "k0"), "HMAC-SHA-256",
                                                     data)])
            filters = "vmwarevmcrypt"
        d = descriptor.Descriptor("twoGbMaxExtentFlat", self.extents, keys, filters)
        return d.render(Seed("crash"), "19")

    def write(self, directory):
        """The disk as it is in the beginning, zeros as holes."""
        for name, data in self.files.items():
            with open(os.path.join(directory, name), "wb") as file:
                file.truncate(len(data))
                for at in range(0, len(data), BLOCK):
                    block = data[at:at + BLOCK]
                    if block.strip(b"\0"):
                        file.seek(at)
                        file.write(block)
        if not self.blocks:
            self.blocks = self._allocated(directory)

    def _allocated(self, directory):
        return {name: os.stat(os.path.join(directory, name)).st_blocks for name in self._around}

    def _keys(self, *which):
        return [f"--key=KMS/k{i}={self._key_files[i]}" for i in which]

    def command(self, directory):
        """The command that converts, and goes on."""
        path = os.path.join(directory, NAME)
        common = ["-q", f"--segment={self.segment}", "--force"]
        unit = [f"--data-unit={self.unit}"]
        words = {
            "decrypt": ["decrypt", "--in-place", *unit, *self._keys(0)],
            "encrypt": ["encrypt", "--in-place", "--kek=KMS/k1", *self._keys(1)],
            "reencrypt": ["rekey", "--in-place", "--deep", "--new-kek=KMS/k1", *unit,
                          *self._keys(0, 1)],
        }[self.direction]
        return ["vmcrypt-disk", *words, *common, path]

    def reading(self, directory, out):
        """The command that reads the disk, whatever it is."""
        return ["vmcrypt-disk", "decrypt", "-q", f"--data-unit={self.unit}", *self._keys(0, 1),
                os.path.join(directory, NAME), out]

    def is_done(self, directory):
        """The conversion is over and needs no further run."""
        with open(os.path.join(directory, NAME), "rb") as file:
            text = file.read()
        return (not os.path.exists(os.path.join(directory, NAME + ".journal")) and
                text != self.files[NAME] and b"vmcrypt-interrupted" not in text)

    def _same(self, directory, name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read() == self.files[name]

    def looks_untouched(self, directory):
        """The descriptor is that of the beginning."""
        return self._same(directory, NAME)

    def is_untouched(self, directory):
        """So are the extents."""
        return all(self._same(directory, name) for name in self._around)

    def _new_key(self, found):
        """The disk key that the lab reads out of the descriptor."""
        if self.direction == "decrypt":
            if found.encryption_keys or found.iofilters:
                raise Wrong("the descriptor still speaks of encryption")
            return None
        plain, _ = reader.unlock_pairs(found.encryption_keys, [self._keks[1]], [])
        return seal.parse_key(plain.decode()).data

    def check_end(self, directory):
        """Every byte of every file."""
        if sorted(os.listdir(directory)) != sorted(self.files):
            raise Wrong(f"files left: {sorted(os.listdir(directory))}")
        with open(os.path.join(directory, NAME), "rb") as file:
            text = file.read()
        found, before = descriptor.parse(text), descriptor.parse(self.files[NAME])
        if (found.extents, found.create_type) != (before.extents, before.create_type):
            raise Wrong("the descriptor lost its extents or its type")
        key = self._new_key(found)
        if key is not None and key == self.key:
            raise Wrong("the disk key is the old one")
        wanted = self.plain
        if key is not None:
            wanted = self._expected_ciphertext(key)
        for name, data in self._place(wanted).items():
            with open(os.path.join(directory, name), "rb") as file:
                content = file.read()
            if content != data:
                bad = next(i for i in range(len(data)) if content[i] != data[i])
                raise Wrong(f"{name} differs at byte {bad} (sector {bad // SECTOR})")
        # A larger unit may lie across two blocks of the file, of which one is a hole.
        for name, blocks in self._allocated(directory).items():
            if self.unit == SECTOR and blocks > self.blocks[name]:
                raise Wrong(f"{name} has fewer holes than before")

    def _expected_ciphertext(self, key):
        """What was never written is zeros, the rest the plaintext under the key."""
        out, zeros = bytearray(len(self.plain)), bytes(self.unit)
        algorithm = algorithms.AES(key)
        for at in range(0, len(self.plain), self.unit):
            if self.stored[at:at + self.unit] != zeros:
                mode = modes.XTS((at // self.unit).to_bytes(16, "little"))
                unit = self.plain[at:at + self.unit]
                out[at:at + self.unit] = Cipher(algorithm, mode).encryptor().update(unit)
        return bytes(out)
