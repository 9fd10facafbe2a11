#!/usr/bin/env python3
"""Disks of other geometries than the one that is assumed.

    geometry.py rewrite DIR TEXT...   encrypt the disk of a made machine (see lab.py) anew
    geometry.py flat RAW OUT KEYFILE TEXT
                                      the same for a raw image and a key of 64 bytes
    geometry.py list                  the geometries that the tests try

TEXT is as in vmdk/geometry.h. Written from that description alone. Units of zeros are written as
ciphertext in every other area of 64 KiB, and left as holes in the rest.
"""
import hashlib
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

AREA = 65536

LIST = (
    "unit=512,tweak=unit,from=disk",
    "unit=1024,tweak=unit,from=disk",
    "unit=4096,tweak=unit,from=disk",
    "unit=4096,tweak=sector,from=disk",
    "unit=65536,tweak=unit,from=disk",
    "unit=8192,tweak=byte,from=disk",
    "unit=512,tweak=byte,order=big,from=disk",
    "unit=4096,tweak=unit,order=big,from=disk",
    "unit=16384,tweak=sector,order=big64,from=disk",
    "unit=512,tweak=unit,from=disk,header=512",
    "unit=4096,tweak=unit,from=disk,header=1536",
    "unit=2048,tweak=unit,from=disk,header=1048576",
    "unit=4096,tweak=unit,from=file,header=65536",
    "unit=32768,tweak=sector,from=file,header=66048",
    "unit=512,tweak=unit,from=disk,start=1048576",
    "unit=4096,tweak=unit,from=disk,start=-65536",
    "unit=512,tweak=unit,from=disk,key=swapped",
    "unit=65536,tweak=byte,order=big64,from=disk,header=4096,key=swapped",
    "unit=512,tweak=unit,cipher=cbc-essiv,from=disk",
    "unit=512,tweak=unit,cipher=cbc-plain64,from=disk",
    "unit=4096,tweak=sector,cipher=cbc-essiv,from=disk,header=4096",
    "unit=4096,tweak=unit,cipher=cbc-null,from=disk",
)


class Geometry:
    def __init__(self, text):
        words = dict(word.split("=") for word in text.split(","))
        self.unit = int(words.get("unit", 512))
        self.tweak = words.get("tweak", "unit")
        self.order = words.get("order", "little")
        self.base = words.get("from", "disk")
        self.header = int(words.get("header", 0))
        self.start = int(words.get("start", 0))
        self.swapped = words.get("key", "given") == "swapped"
        self.cipher = words.get("cipher", "xts")

    def number(self, position):
        """The 16 bytes of the unit's number; None when it is not encrypted."""
        place = position + self.start
        if place < 0:
            return None
        n = place // {"unit": self.unit, "sector": 512, "byte": 1}[self.tweak]
        if self.order == "big64":
            return n.to_bytes(8, "big") + bytes(8)
        return n.to_bytes(16, self.order)

    def encrypt(self, key, position, data):
        number = self.number(position)
        if number is None:
            return data
        half = len(key) // 2
        if self.swapped:
            key = key[half:] + key[:half]
        if self.cipher == "xts":
            return Cipher(algorithms.AES(key), modes.XTS(number)).encryptor().update(data)
        key = key[:32]
        if self.cipher == "cbc-null":
            number = bytes(16)
        elif self.cipher == "cbc-plain":
            number = number[:4] + bytes(12)
        elif self.cipher == "cbc-essiv":
            salt = algorithms.AES(hashlib.sha256(key).digest())
            number = Cipher(salt, modes.ECB()).encryptor().update(number)
        return Cipher(algorithms.AES(key), modes.CBC(number)).encryptor().update(data)


def write(geometry, key, image, size, out, offset):
    """Write SIZE bytes of the open `image` to the open file `out`, whose data begin at `offset`."""
    out.truncate(offset + geometry.header + size)
    if geometry.header:
        out.seek(offset)
        out.write(hashlib.shake_256(b"header").digest(geometry.header))
    step = geometry.unit
    for at in range(0, size, step):
        data = image.read(step)
        if len(data) < step:
            raise SystemExit(f"the image is none of whole units of {step}")
        if data == bytes(step) and at // AREA % 2:
            continue
        file_at = offset + geometry.header + at
        out.seek(file_at)
        out.write(geometry.encrypt(key, file_at if geometry.base == "file" else at, data))


def rewrite(directory, text):
    with open(os.path.join(directory, "truth.json"), encoding="utf-8") as file:
        disk = json.load(file)["disks"][0]
    assert len(disk["extents"]) == 1
    extent = disk["extents"][0]
    path = os.path.join(directory, "vm", extent["file"])
    raw = os.path.join(directory, disk["raw"])
    with open(raw, "rb") as image, open(path, "wb") as out:
        write(Geometry(text), bytes.fromhex(disk["dek"]["hex"]), image, os.path.getsize(raw), out,
              extent["offset"] * 512)


def flat(raw, path, key_file, text):
    with open(raw, "rb") as image, open(path, "xb") as out, open(key_file, "rb") as key:
        write(Geometry(text), key.read(), image, os.path.getsize(raw), out, 0)


def main(command, *arguments):
    if command == "list":
        print("\n".join(LIST))
    else:
        {"rewrite": rewrite, "flat": flat}[command](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
