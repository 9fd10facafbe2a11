"""The keys a user would hold: key files in several forms and the keyring.yaml that lists them."""
import base64
import json
import os
import re

from tools import LabError


def _write(path, data):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


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
