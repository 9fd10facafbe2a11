"""Keys and the data locked under them.

Locked data is IV[16] | AES-256-CBC(PKCS#7 padded text) | MAC. The CBC key is the first 32 bytes of
the locking key; the MAC is an HMAC keyed by the whole locking key over the unpadded text.
"""
import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tools import LabError

# MAC name -> hash, length kept.
MACS = {
    "HMAC-SHA-1": ("sha1", 20),
    "HMAC-SHA-1-128": ("sha1", 16),
    "HMAC-SHA-256": ("sha256", 32),
}
# Cipher label -> key length.
KEY_SIZES = {"AES-128": 16, "AES-192": 24, "AES-256": 32, "XTS-AES-256": 64}
KDFS = {"PBKDF2-HMAC-SHA-1": "sha1", "PBKDF2-HMAC-SHA-256": "sha256"}


class WrongKey(LabError):
    """The MAC does not match: wrong key or damaged data."""


@dataclass(frozen=True)
class Key:
    cipher: str
    data: bytes


def mac_of(name, key, text):
    if name not in MACS:
        raise LabError(f"unknown MAC {name}")
    digest, size = MACS[name]
    return hmac.new(key, text, digest).digest()[:size]


def cbc(key, iv):
    return Cipher(algorithms.AES(key[:32]), modes.CBC(iv))


def lock(key, mac, text, iv):
    pad = 16 - len(text) % 16
    cipher = cbc(key, iv).encryptor().update(text + bytes([pad]) * pad)
    return iv + cipher + mac_of(mac, key, text)


def unlock(key, mac, blob):
    size = MACS[mac][1] if mac in MACS else 0
    cipher = blob[16:len(blob) - size]
    if size == 0 or not cipher or len(cipher) % 16:
        raise LabError(f"locked data of {len(blob)} bytes does not fit MAC {mac}")
    padded = cbc(key, blob[:16]).decryptor().update(cipher)
    pad = padded[-1]
    if not 1 <= pad <= 16 or padded[-pad:] != bytes([pad]) * pad:
        raise WrongKey("padding is wrong: wrong key or damaged data")
    text = padded[:-pad]
    if not hmac.compare_digest(mac_of(mac, key, text), blob[-size:]):
        raise WrongKey(f"{mac} does not match: wrong key or damaged data")
    return text


def format_dictionary(fields):
    """`name=value:name=value`; only "=" is escaped inside values, as in real files."""
    return ":".join(f"{name}={value.replace('=', '%3d')}" for name, value in fields)


def parse_dictionary(text):
    fields = {}
    for part in text.split(":"):
        name, equals, value = part.partition("=")
        if not equals:
            raise LabError("key dictionary: no '=' in a field")
        fields[name] = unquote(value)
    return fields


def format_key(key):
    data = base64.b64encode(key.data).decode()
    return format_dictionary([("type", "key"), ("cipher", key.cipher), ("key", data)])


def parse_key(text):
    fields = parse_dictionary(text)
    if fields.get("type") != "key" or fields.get("cipher") not in KEY_SIZES:
        raise LabError("key dictionary: not a key of a known cipher")
    data = base64.b64decode(fields.get("key", ""), validate=True)
    if len(data) != KEY_SIZES[fields["cipher"]]:
        raise LabError(f"key dictionary: {len(data)} bytes for {fields['cipher']}")
    return Key(fields["cipher"], data)


def format_keygen(kdf, cipher, rounds, salt):
    """The rules of a phrase: `pass2key=…:cipher=…:rounds=…:salt=…`."""
    return format_dictionary([("pass2key", kdf), ("cipher", cipher), ("rounds", str(rounds)),
                              ("salt", base64.b64encode(salt).decode())])


def derive(passphrase, keygen):
    """The locking key that `passphrase` (bytes) gives by the rules `keygen`."""
    fields = parse_dictionary(keygen)
    try:
        digest = KDFS[fields["pass2key"]]
        size = KEY_SIZES[fields["cipher"]]
        rounds = int(fields["rounds"])
        salt = base64.b64decode(fields["salt"], validate=True)
    except (KeyError, ValueError) as error:
        raise LabError(f"phrase: cannot use rules {keygen}") from error
    return hashlib.pbkdf2_hmac(digest, passphrase, salt, rounds, size)
