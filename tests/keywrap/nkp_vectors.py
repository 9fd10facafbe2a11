#!/usr/bin/python3
"""Prints the vectors of test_nkp_derive.c: key ids and the KEKs that candidates give for them.

A second reading of the candidates' names (docs/formats.md), with python3-cryptography and sharing
nothing with the suite: a candidate's name is parsed here, there it is put together.
"""
import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.kbkdf import CounterLocation, KBKDFHMAC, Mode

KDK = bytes(range(100, 132))
ROUNDS = 5
NAMES = """
kdk
gcm(kdk)
gcm+header(kdk)
gcm+header|cipher0(kdk)
gcm+rounds(kdk)
cbc(kdk)
ctr(kdk)
hmac-sha256(kdk, salt16)
hmac-sha512(kdk, nonce12|salt16|data32)
gcm+uuid(hmac-sha256(kdk, uuid))
sp800-108-sha256(kdk, cipher, nonce12|salt16)
sp800-108-sha512(kdk, uuid-text, uuid|salt16)
sp800-108-sha256(kdk, , )
gcm+cipher(sp800-108-sha256(kdk, cipher0, uuid))
hkdf-sha256(kdk, salt16, cipher)
hkdf-sha512(kdk, , header)
gcm+uuid-text(hkdf-sha256(kdk, , uuid))
pbkdf2-sha256(kdk, salt16)
pbkdf2-sha512(kdk, nonce12)
pbkdf2-sha1(kdk, salt16|nonce12)
pbkdf2-sha256(base64(kdk), salt16)
pbkdf2-sha1(base64(kdk), uuid-text)
gcm(pbkdf2-sha256(kdk, uuid))
gcm+cipher0(pbkdf2-sha512(base64(kdk), uuid))
cbc(pbkdf2-sha256(kdk, uuid))
ctr(pbkdf2-sha256(kdk, nonce12))
"""


def noise(label, size):
    return hashlib.shake_128(label.encode()).digest(size)


class Fields(dict):
    """The parts of a key id by name."""

    def __init__(self, name):
        uuid = bytearray(noise(name + "uuid", 16))
        uuid[6], uuid[8] = uuid[6] & 15 | 0x40, uuid[8] & 63 | 0x80
        text = uuid.hex()
        super().__init__({
            "nonce12": noise(name + "nonce", 12), "salt16": noise(name + "salt", 16),
            "data32": noise(name + "data", 32), "uuid": bytes(uuid), "cipher": b"AES-256",
            "cipher0": b"AES-256\0", "rounds": struct.pack("<I", ROUNDS), "": b"",
            "uuid-text": "-".join((text[:8], text[8:12], text[12:16], text[16:20],
                                   text[20:])).encode(),
            "header": b"\x01\x21\0\x02\x01\0" + bytes(uuid)
                      + b"\x01\x08\0\x0c\0\x10\0\x20\0\x04\0",
        })

    def join(self, names):
        return b"".join(self[name] for name in names.split("|"))

    def id(self):
        return base64.b64encode(self["header"] + self.join("cipher0|nonce12|salt16|data32|rounds"))


def base_key(formula, fields):
    if "(" not in formula:
        return KDK
    function, _, rest = formula.partition("(")
    kdf, _, digest = function.rpartition("-")
    key, *arguments = (a.strip() for a in rest[:-1].split(","))
    secret = base64.b64encode(KDK) if key == "base64(kdk)" else KDK
    values = [fields.join(argument) for argument in arguments]
    algorithm = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha512": hashes.SHA512}[digest]()
    if kdf == "hmac":
        return hmac.new(secret, values[0], digest).digest()[:32]
    if kdf == "pbkdf2":
        return hashlib.pbkdf2_hmac(digest, secret, values[0], ROUNDS, 32)
    if kdf == "hkdf":
        return HKDF(algorithm, 32, values[0], values[1]).derive(secret)
    label, context = values
    return KBKDFHMAC(algorithm, Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, label,
                     context, None).derive(secret)


def main():
    for name in NAMES.strip().split("\n"):
        fields = Fields(name)
        use, _, inner = name.partition("(")
        use, _, aad = use.partition("+")
        if use not in ("gcm", "cbc", "ctr"):
            kek = base_key(name, fields)
        else:
            key, kek = base_key(inner[:-1], fields), noise(name + "kek", 32)
            if use == "gcm":
                sealed = AESGCM(key).encrypt(fields["nonce12"], kek, fields.join(aad))
                fields["data32"], fields["salt16"] = sealed[:32], sealed[32:]
            else:
                mode = modes.CBC if use == "cbc" else modes.CTR
                cipher = Cipher(algorithms.AES(key), mode(fields["salt16"])).encryptor()
                fields["data32"] = cipher.update(kek)
        print(f'    {{"{name}",\n     "{fields.id().decode()}",\n     "{kek.hex()}"}},')


main()
