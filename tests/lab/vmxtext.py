"""The text of a .vmx: lines `name = "value"`, with comments and odd lines kept as given."""
import re

_SETTING = re.compile(r'\s*([^\s=#"]+)\s*=\s*"([^"]*)"\s*$')

# Characters a value cannot hold as they are become | and two hex digits.
_UNSAFE = '"|\n\r'


def escape(value):
    return "".join(f"|{ord(c):02X}" if c in _UNSAFE else c for c in value)


def unescape(value):
    return re.sub(r"\|([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), value)


class VmxText:
    """Lines in order. Duplicate names are allowed, as in real files."""

    def __init__(self, settings=()):
        self._lines = []
        self.update(settings)

    def set(self, name, value, layout='{} = "{}"'):
        self._lines.append(layout.format(name, escape(value)))

    def update(self, settings):
        for name, value in settings:
            self.set(name, value)

    def extend(self, other):
        self._lines += other._lines

    def raw(self, line):
        """A comment, an empty line or whatever a person may have typed."""
        self._lines.append(line)

    def render(self, encoding="UTF-8", newline="\n"):
        """The bytes. Escapes are made of characters before the code page is applied: in GBK and
        Shift_JIS the second byte of a character may be 0x7c, which is then no escape."""
        return "".join(line + newline for line in self._lines).encode(encoding)


def parse(data):
    """(encoding, [(name, value), …]) of a .vmx given as bytes."""
    encoding = "UTF-8"
    for line in data.splitlines():
        match = re.match(rb'\s*\.encoding\s*=\s*"([^"]*)"', line)
        if match:
            encoding = match[1].decode("ascii")
            break
    return encoding, parse_settings(data.decode(encoding))


def parse_settings(text):
    matches = (_SETTING.match(line) for line in re.split(r"\r?\n", text))
    return [(m[1], unescape(m[2])) for m in matches if m]
