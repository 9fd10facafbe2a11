"""PKCS#12 files with secret bags, which no library here writes: RFC 7292 and RFC 8018 by hand.

MAC with SHA-256 (appendix B of RFC 7292), safes with PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC.
"""
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROUNDS = 20000

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED = "1.2.840.113549.1.7.6"
_SECRET_BAG = "1.2.840.113549.1.12.10.1.5"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_HMAC_SHA256 = "1.2.840.113549.2.9"
_AES256_CBC = "2.16.840.1.101.3.4.1.42"
_SHA256 = "2.16.840.1.101.3.4.2.1"


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(digits)]) + digits + body


def sequence(*parts):
    return tlv(0x30, *parts)


def octets(data):
    return tlv(0x04, data)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = (int(arc) for arc in text.split("."))
    body = b""
    for arc in [40 * first + second] + rest:
        group = [arc & 127]
        while arc := arc >> 7:
            group.append(128 | arc & 127)
        body += bytes(reversed(group))
    return tlv(0x06, body)


def secret_bag(kind, value, name=None):
    """`value` (DER) as a secret of type `kind`, with a friendlyName."""
    bag = sequence(oid(kind), tlv(0xA0, value))
    attributes = b""
    if name is not None:
        text = tlv(0x1E, name.encode("utf-16-be"))
        attributes = tlv(0x31, sequence(oid(_FRIENDLY_NAME), tlv(0x31, text)))
    return sequence(oid(_SECRET_BAG), tlv(0xA0, bag), attributes)


def plain_safe(bags):
    return sequence(oid(_DATA), tlv(0xA0, octets(sequence(*bags))))


def encrypted_safe(bags, password, salt, iv):
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS, 32)
    plain = sequence(*bags)
    pad = 16 - len(plain) % 16
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    kdf = sequence(oid(_PBKDF2), sequence(octets(salt), integer(ROUNDS), integer(32),
                                          sequence(oid(_HMAC_SHA256), tlv(0x05))))
    algorithm = sequence(oid(_PBES2), sequence(kdf, sequence(oid(_AES256_CBC), octets(iv))))
    content = sequence(oid(_DATA), algorithm,
                       tlv(0x80, cipher.update(plain + bytes([pad]) * pad)))
    return sequence(oid(_ENCRYPTED), tlv(0xA0, sequence(integer(0), content)))


def pfx(safes, password, salt):
    """The file; a password of None leaves the MAC out."""
    content = sequence(*safes)
    mac = b""
    if password is not None:
        code = hmac.new(_mac_key(password, salt), content, "sha256").digest()
        info = sequence(sequence(oid(_SHA256), tlv(0x05)), octets(code))
        mac = sequence(info, octets(salt), integer(ROUNDS))
    return sequence(integer(3), sequence(oid(_DATA), tlv(0xA0, octets(content))), mac)


def _mac_key(password, salt):
    """RFC 7292 appendix B.2 with id 3; one block is enough for a key of 32 bytes."""
    def fill(data):
        size = -(-len(data) // 64) * 64
        return (data * (size // len(data) + 1))[:size]
    state = bytes([3]) * 64 + fill(salt) + fill(password.encode("utf-16-be") + b"\0\0")
    for _ in range(ROUNDS):
        state = hashlib.sha256(state).digest()
    return state
