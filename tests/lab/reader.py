"""The reading side: opens .vmx files and disks with given keys, checking every MAC."""
import base64

import locator
import seal
import vmdkread
import vmxtext
from tools import LabError


def unlock_pairs(text, keks, passphrases):
    """(plaintext, MAC names to expect inside) of the first pair of a key locator that opens.

    A MAC name is stored per pair only. What the unlocked key locks is expected to use the same;
    where pairs differ, any of theirs.
    """
    pairs = locator.parse_list(text)
    for pair in pairs:
        for key in _candidates(pair.locker, keks, passphrases):
            try:
                plain = seal.unlock(key, pair.mac, pair.data)
            except seal.WrongKey:
                continue
            return plain, [pair.mac] + sorted({p.mac for p in pairs} - {pair.mac})
    raise seal.WrongKey(f"no key given opens any of {len(pairs)} pairs")


def _candidates(where, keks, passphrases):
    if isinstance(where, locator.Fqid):
        return keks
    return [seal.derive(passphrase, where.keygen) for passphrase in passphrases]


def decrypt_vmx(data, keks=(), passphrases=()):
    """The bytes of the encrypted section of a .vmx given as bytes."""
    settings = {name.lower(): value for name, value in vmxtext.parse(data)[1]}
    if "encryption.keysafe" not in settings or "encryption.data" not in settings:
        raise LabError("not an encrypted .vmx")
    plain, macs = unlock_pairs(settings["encryption.keysafe"], keks, passphrases)
    key = seal.parse_key(plain.decode())
    blob = base64.b64decode(settings["encryption.data"], validate=True)
    failure = None
    for mac in macs:
        try:
            return seal.unlock(key.data, mac, blob)
        except LabError as error:
            failure = failure or error
    raise seal.WrongKey(f"encryption.data: {failure}")


def decrypt_disk(path, out, keks=(), passphrases=()):
    """Write the raw image of the disk at `path` to `out`, which must not exist."""
    def unlock(text):
        return seal.parse_key(unlock_pairs(text, keks, passphrases)[0].decode())
    vmdkread.read(path, out, unlock)
