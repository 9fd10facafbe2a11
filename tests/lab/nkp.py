"""Native Key Providers: key ids, and a KEK from a key derivation key (KDK).

How products derive the KEK is not published. What is made here is one hypothesis of several, so
that the whole way from a backup to a plain disk can be walked: the 32 bytes of the key id are the
KEK, sealed with AES-256-GCM under a key that PBKDF2 makes from the KDK, with the KDK's UUID as
salt, the 12 bytes as nonce, the 16 as tag, and the id's first 33 bytes as additional data.
"""
import base64
import hashlib
import struct
import uuid
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tools import LabError

_CIPHER = b"AES-256\0"
_SIZES = (len(_CIPHER), 12, 16, 32, 4)
ROUNDS = 100000             # as in the one public sample


@dataclass(frozen=True)
class KeyId:
    kdk_uuid: uuid.UUID
    nonce: bytes
    tag: bytes
    sealed: bytes
    rounds: int = ROUNDS

    def header(self):
        return (struct.pack("<BHBH", 1, 33, 2, 1) + self.kdk_uuid.bytes
                + struct.pack("<B5H", 1, *_SIZES))

    def text(self):
        data = (self.header() + _CIPHER + self.nonce + self.tag + self.sealed
                + struct.pack("<I", self.rounds))
        return base64.b64encode(data).decode()


def parse(text):
    data = base64.b64decode(text, validate=True)
    if len(data) != 105:
        raise LabError(f"native key id: {len(data)} bytes")
    key_id = KeyId(uuid.UUID(bytes=data[6:22]), data[41:53], data[53:69], data[69:101],
                   struct.unpack("<I", data[101:])[0])
    if key_id.text() != text:
        raise LabError("native key id: another layout")
    return key_id


def _sealing_key(kdk, kdk_uuid, rounds):
    return hashlib.pbkdf2_hmac("sha256", kdk, kdk_uuid.bytes, rounds, 32)


def seal(kdk, kdk_uuid, kek, nonce):
    """The key id that carries `kek`."""
    empty = KeyId(kdk_uuid, nonce, bytes(16), bytes(32))
    sealed = AESGCM(_sealing_key(kdk, kdk_uuid, ROUNDS)).encrypt(nonce, kek, empty.header())
    return KeyId(kdk_uuid, nonce, sealed[32:], sealed[:32])


def derive(kdk, key_id):
    """The KEK that the text `key_id` carries."""
    parts = parse(key_id)
    gcm = AESGCM(_sealing_key(kdk, parts.kdk_uuid, parts.rounds))
    return gcm.decrypt(parts.nonce, parts.sealed + parts.tag, parts.header())
