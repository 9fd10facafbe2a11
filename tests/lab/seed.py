"""Deterministic bytes: every value of a made VM comes from the seed and a label."""
import base64
import hashlib
import uuid


class Seed:
    """A source of named values.

    Values are asked for by label, not drawn from one stream, so adding a value to a kind does not
    change the others.
    """

    def __init__(self, prefix):
        self._prefix = prefix + "/"

    def under(self, label):
        """A source of its own for a part, so that two parts may use the same labels."""
        return Seed(self._prefix + label)

    def bytes(self, label, count):
        return hashlib.shake_256((self._prefix + label).encode()).digest(count)

    def number(self, label, limit):
        """0 <= result < limit."""
        return int.from_bytes(self.bytes(label, 16), "big") % limit

    def hex(self, label, digits):
        return self.bytes(label, digits).hex()[:digits]

    def uuid(self, label):
        return uuid.UUID(bytes=self.bytes(label, 16), version=4)

    def text(self, label, count):
        """Lower-case letters and digits 2-7."""
        return base64.b32encode(self.bytes(label, count)).decode().lower()[:count]
