"""Copies that are crashed: where they come from, and what they must be in the end, by the lab's code
and python3-cryptography."""
import os
import random

from disk import NAME, SECTOR, Wrong, xts

import descriptor                                                   # found by disk
import locator
import reader
import seal
from seed import Seed

KINDS = ("decrypt to raw", "decrypt to vmdk", "encrypt")
UNIT = 512
MIB = 1 << 20


class Copy:
    """A disk of some MiB, the command that copies it with a journal, and the result."""

    def __init__(self, kind, seed, work):
        self.name = f"copy: {kind}"
        self.encrypts, self.to_vmdk = kind == "encrypt", kind != "decrypt to raw"
        self.holes = True   # it has to have as few blocks as it could
        self.threads = 2 if kind == "decrypt to vmdk" else 1
        self._random = random.Random(f"{kind} {seed}")
        self._source = os.path.join(work, f"source-{kind.replace(' ', '-')}")
        os.mkdir(self._source)
        self._kek, self._key = self._random.randbytes(32), self._random.randbytes(64)
        self._key_file = self._put("kek", self._kek)
        self.plain = self._content()
        self._write_source()

    def _content(self):
        """Islands of data; what lies between is chunks of zeros, and ends within a chunk."""
        out = bytearray(8 * MIB + 300 * SECTOR)
        for start in range(0, len(out), MIB):
            for _ in range(self._random.choice((0, 1, 2, 3))):
                at = start + self._random.randrange(2000) * SECTOR
                length = self._random.choice((1, 5, 16, 40)) * SECTOR
                out[at:at + length] = self._random.randbytes(length)[:max(0, len(out) - at)]
        out[-SECTOR:] = self._random.randbytes(SECTOR)
        return bytes(out)

    def _put(self, name, data):
        path = os.path.join(self._source, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(data)
        return path

    def _write_source(self):
        if self.encrypts:
            self._in = self._put("in.raw", self.plain)
            return
        text = seal.format_key(seal.Key("XTS-AES-256", self._key)).encode()
        data = seal.lock(self._kek, "HMAC-SHA-256", text, self._random.randbytes(16))
        keys = locator.format_list([locator.Pair(locator.Fqid("KMS", "k0"), "HMAC-SHA-256", data)])
        extent = descriptor.Extent(len(self.plain) // SECTOR, "FLAT", "in-flat.vmdk", 0)
        d = descriptor.Descriptor("monolithicFlat", (extent,), keys, "vmwarevmcrypt")
        self._in = self._put("in.vmdk", d.render(Seed("crash"), "19"))
        self._put("in-flat.vmdk", xts(self._key, UNIT, self.plain, True))

    def _out(self, directory):
        return os.path.join(directory, NAME if self.to_vmdk else "out.raw")

    def _image(self, directory):
        return os.path.join(directory, "disk-flat.vmdk" if self.to_vmdk else "out.raw")

    def write(self, directory):
        """There is nothing in the beginning."""

    def command(self, directory):
        """The command that copies, and goes on."""
        words = ["encrypt", "--kek=KMS/k0"] if self.encrypts else ["decrypt"]
        return ["vmcrypt-disk", *words, "-q", f"--key=KMS/k0={self._key_file}", "--resume",
                f"--threads={self.threads}", self._in, self._out(directory)]

    def is_done(self, directory):
        """All has its name, and no journal is left to go on with."""
        return (os.path.exists(self._out(directory)) and os.path.exists(self._image(directory)) and
                not any(".journal" in name for name in os.listdir(directory)))

    def check_named(self, directory):
        """A descriptor, or a raw image, has its name when all is there."""
        if os.path.exists(self._out(directory)):
            self._check_image(directory)

    def _check_image(self, directory):
        wanted = self.plain
        if self.to_vmdk:
            with open(self._out(directory), "rb") as file:
                found = descriptor.parse(file.read())
            if [(e.sectors, e.file) for e in found.extents] != [
                    (len(self.plain) // SECTOR, "disk-flat.vmdk")]:
                raise Wrong("the descriptor is not that of the image")
            if self.encrypts:
                text, _ = reader.unlock_pairs(found.encryption_keys, [self._kek], [])
                wanted = xts(seal.parse_key(text.decode()).data, UNIT, self.plain, True)
        with open(self._image(directory), "rb") as file:
            content = file.read()
        if len(content) != len(wanted):
            raise Wrong(f"the image has {len(content)} bytes, and not {len(wanted)}")
        if content != wanted:
            bad = next(i for i in range(len(wanted)) if content[i] != wanted[i])
            raise Wrong(f"the image differs at byte {bad}")
        data = sum(wanted[at:at + 4096].strip(b"\0") != b"" for at in range(0, len(wanted), 4096))
        if self.holes and os.stat(self._image(directory)).st_blocks > data * 8:
            raise Wrong("the image has fewer holes than it could have")

    def check_end(self, directory):
        """Every byte, and nothing else."""
        files = sorted({os.path.basename(self._out(directory)),
                        os.path.basename(self._image(directory))})
        if sorted(os.listdir(directory)) != files:
            raise Wrong(f"files left: {sorted(os.listdir(directory))}")
        self._check_image(directory)
