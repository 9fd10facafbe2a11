"""The keys a user would hold: key files in several forms and the keyring.yaml that lists them."""
import base64
import json
import os
import re

import pkcs12
from tools import LabError


def _write(path, data):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


# Type of the secret in a made backup: an arc of VMware's, with a number that means nothing.
_BACKUP_TYPE = "1.3.6.1.4.1.6876.9999.1"

# form -> (file content, `encoding:` given in the keyring; None = left out).
_FORMS = {
    "raw": (lambda key: key, "raw"),
    "hex": (lambda key: key.hex().encode() + b"\n", None),
    "base64": (lambda key: base64.b64encode(key) + b"\n", "auto"),
}


class Keyring:
    def __init__(self, directory, first_form=0):
        self._directory = directory
        self._first_form = first_form
        self._providers = {}
        self._passphrases = []
        self._sources = []

    def add_key(self, provider, key_id, key):
        """The file's name and form, which change from key to key."""
        number = sum(len(keys) for keys in self._providers.values())
        form = list(_FORMS)[(self._first_form + number) % len(_FORMS)]
        content, stated = _FORMS[form]
        name = f"{provider.lower()}-{number + 1}.key"
        _write(os.path.join(self._directory, name), content(key))
        self._providers.setdefault(provider, []).append((key_id, name, stated))
        return name, form

    def add_passphrase(self, passphrase, name="passphrase.txt", label=None):
        _write(os.path.join(self._directory, name), passphrase.encode() + b"\n")
        self._passphrases.append((name, label))

    def add_backup(self, provider, kdk_uuid, kdk, seed):
        """The .p12 of a Native Key Provider, which holds its KDK; its name and its passphrase. How
        products lay it out is not published: this is one way, with the API's names."""
        name, phrase = f"{provider}.p12", f"correct staple {seed.text('p12 passphrase', 6)}"
        text = json.dumps({"provider": provider, "key_id": str(kdk_uuid),
                           "key_derivation_key": base64.b64encode(kdk).decode(),
                           "export_time": "2023-11-14T22:13:20.000Z"})
        bag = pkcs12.secret_bag(_BACKUP_TYPE, pkcs12.octets(text.encode()), provider)
        safe = pkcs12.encrypted_safe([bag], phrase, seed.bytes("p12 salt", 16),
                                     seed.bytes("p12 iv", 16))
        _write(os.path.join(self._directory, name),
               pkcs12.pfx([safe], phrase, seed.bytes("p12 mac salt", 16)))
        phrase_name = f"{name}-passphrase.txt"
        _write(os.path.join(self._directory, phrase_name), phrase.encode() + b"\n")
        self._sources.append((name, phrase_name))
        return name, phrase

    def save(self):
        lines = ["version: 1"]
        if self._providers:
            lines.append("providers:")
        for provider, keys in self._providers.items():
            lines += [f"  - name: {_scalar(provider)}", "    keys:"]
            for key_id, name, stated in keys:
                lines += [f"      - id: {_scalar(key_id)}", f"        file: {name}"]
                lines += [f"        encoding: {stated}"] if stated else []
        if self._passphrases:
            lines.append("passphrases:")
        for name, label in self._passphrases:
            lines.append(f"  - file: {name}")
            lines += [f"    name: {_scalar(label)}"] if label else []
        if self._sources:
            lines.append("sources:")
        for name, phrase_name in self._sources:
            lines += [f"  - file: {name}", f"    passphrase: {{file: {phrase_name}}}"]
        text = "".join(line + "\n" for line in lines)
        _write(os.path.join(self._directory, "keyring.yaml"), text.encode())


_PLAIN = re.compile(r"[A-Za-z][\w-]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _scalar(text):
    """Plain where YAML cannot take it for anything but a string, else double-quoted."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def load_key(path):
    """A key file in any of the forms."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) in (16, 24, 32, 64) and not re.fullmatch(rb"[0-9A-Fa-f]+", data):
        return data
    text = data.strip()
    try:
        key = (bytes.fromhex(text.decode()) if re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", text)
               else base64.b64decode(text, validate=True))
    except ValueError as error:
        raise LabError(f"{path}: not a raw, hex or base64 key") from error
    if len(key) not in (16, 24, 32, 64):
        raise LabError(f"{path}: a key of {len(key)} bytes")
    return key


def load_passphrase(path):
    with open(path, "rb") as file:
        data = file.read()
    return data[:-1] if data.endswith(b"\n") else data
