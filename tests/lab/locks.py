"""The keys and passphrases of one machine, and data locked under them."""
import base64

import locator
import nkp
import seal
from kinds import KekLock

_PBKDF2_ROUNDS = 10000      # as in real Workstation files


class Locks:
    """Makes the keys that locks ask for, once each, and gives the known ones to the keyring."""

    def __init__(self, seed, keyring):
        self._seed = seed
        self._keyring = keyring
        self._keks = {}
        self._passphrases = {}
        self.truth = {"passphrase": None, "passphrases": [], "keks": [], "kdks": []}

    def pair(self, lock, text, purpose):
        """`text` locked by `lock`; `purpose` keeps salts and IVs of several pairs apart."""
        if isinstance(lock, KekLock):
            where, key = self._kek(lock)
        else:
            where, key = self._phrase(lock, purpose)
        iv = self._seed.bytes(f"pair iv {purpose}", 16)
        return locator.Pair(where, lock.mac, seal.lock(key, lock.mac, text, iv))

    def add_kek(self, lock):
        """(locator, key) of a new key of a provider."""
        if lock.derived:
            return self._add_derived(lock)
        key = self._seed.bytes(f"kek {lock.role}", 32)
        key_id = (_native_key_id(self._seed) if lock.native_id
                  else str(self._seed.uuid(f"kek id {lock.role}")))
        entry = {"role": lock.role, "provider": lock.provider, "id": key_id, "hex": key.hex(),
                 "file": None, "form": None}
        if lock.known:
            name, entry["form"] = self._keyring.add_key(lock.provider, key_id, key)
            entry["file"] = f"keys/{name}"
        self.truth["keks"].append(entry)
        return locator.Fqid(lock.provider, key_id), key

    def _add_derived(self, lock):
        """The same for a key that only the backup of its provider gives."""
        key, kdk = self._seed.bytes(f"kek {lock.role}", 32), self._seed.bytes("kdk", 32)
        kdk_uuid = self._seed.uuid("native key provider")
        key_id = nkp.seal(kdk, kdk_uuid, key, self._seed.bytes("native 1", 12)).text()
        name, phrase = self._keyring.add_backup(lock.provider, kdk_uuid, kdk, self._seed)
        self.truth["kdks"].append({"provider": lock.provider, "uuid": str(kdk_uuid),
                                   "hex": kdk.hex(), "file": f"keys/{name}",
                                   "passphrase": phrase})
        self.truth["keks"].append({"role": lock.role, "provider": lock.provider, "id": key_id,
                                   "hex": key.hex(), "file": None, "form": None})
        return locator.Fqid(lock.provider, key_id), key

    def _kek(self, lock):
        if lock not in self._keks:
            self._keks[lock] = self.add_kek(lock)
        return self._keks[lock]

    def _phrase(self, lock, purpose):
        keygen = seal.format_keygen(lock.kdf, lock.cipher, _PBKDF2_ROUNDS,
                                    self._seed.bytes(f"salt {purpose}", 16))
        phrase_id = base64.b64encode(self._seed.bytes(f"phrase id {purpose}", 8)).decode()
        passphrase = self._passphrase(lock)
        return locator.Phrase(phrase_id, keygen), seal.derive(passphrase.encode(), keygen)

    def _passphrase(self, lock):
        """The text that opens `lock`. A user who does not know it has another one."""
        if lock not in self._passphrases:
            known = f"correct horse {self._seed.text('passphrase', 6)}"
            text = known if lock.known else f"lost battery {self._seed.text('lost', 6)}"
            self._keyring.add_passphrase(known, label="the administrator's")
            self.truth["passphrases"].append({"text": text, "known": lock.known})
            if lock.known:
                self.truth["passphrase"] = known
            self._passphrases[lock] = text
        return self._passphrases[lock]


def _native_key_id(seed):
    """An id of the right form, from which nothing follows."""
    return nkp.KeyId(seed.uuid("native key provider"), seed.bytes("native 1", 12),
                     seed.bytes("native 2", 16), seed.bytes("native 3", 32)).text()
