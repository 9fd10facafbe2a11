"""The encrypted container of .nvram and other data files (layout partly hypothesis).

A 4096-byte header, then pages of ciphertext[4064] | IV[16] | MAC[16]. Each page is AES-256-CBC
under the first 32 bytes of the data file key, without padding; the last page is filled with zeros.
Hypotheses: the MAC is HMAC-SHA-1-128 by the whole key over the page's plaintext, and the version
field of an .nvram is 1.
"""
import struct

import seal

_MAGIC = 0x8943DD9E
_VERSION = 1
_PAGE = 4096
_DATA = 4064
_HEADER = struct.Struct("<IIIIIIQ")
_MAC = "HMAC-SHA-1-128"


def pack(plain, key, seed):
    header = _HEADER.pack(_MAGIC, _VERSION, _DATA, 16, 16, 0, len(plain))
    out = [header.ljust(_PAGE, b"\0")]
    for at in range(0, len(plain), _DATA):
        page = plain[at:at + _DATA].ljust(_DATA, b"\0")
        iv = seed.bytes(f"encobj iv {at}", 16)
        cipher = seal.cbc(key, iv).encryptor().update(page)
        out.append(cipher + iv + seal.mac_of(_MAC, key, page))
    return b"".join(out)
