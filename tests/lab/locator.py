"""Key locators: `vmware:key/<type>/<content>`, written and read.

Files hold the escaped form: every byte that is not a letter or digit becomes %xx. The API hands
the same strings out with nothing escaped inside pair and fqid, so that base64 data and key ids may
contain "/". The reader takes both, by splitting compounds at "," outside brackets and giving the
last field of a record all that is left.
"""
import base64
import re
from dataclasses import dataclass

from tools import LabError

PREFIX = "vmware:key/"
NULL = "<VMWARE-NULL>"


@dataclass(frozen=True)
class Fqid:
    """A key held by a key provider."""
    provider: str
    key_id: str


@dataclass(frozen=True)
class Phrase:
    """A key made from a passphrase by the rules in the dictionary `keygen`."""
    phrase_id: str
    keygen: str


@dataclass(frozen=True)
class Pair:
    """Data locked under the key that `locker` locates."""
    locker: object
    mac: str
    data: bytes


def escape(text):
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02x}" for b in text.encode())


def unescape(text):
    def byte(match):
        return bytes([int(match[1], 16)])
    return re.sub(rb"%([0-9A-Fa-f]{2})", byte, text.encode()).decode()


def format_list(pairs, api=False, escape_null=False):
    """A list of pairs. `escape_null` spells the null id %3cVMWARE%2dNULL%3e: both occur."""
    quote = str if api else escape

    def locker(value):
        if isinstance(value, Fqid):
            null = escape(NULL) if escape_null else NULL
            return f"fqid/{null}/{quote(value.provider)}/{quote(value.key_id)}"
        return f"phrase/{quote(value.phrase_id)}/{quote(value.keygen)}"

    def pair(value):
        data = base64.b64encode(value.data).decode()
        return f"pair/({locker(value.locker)},{quote(value.mac)},{quote(data)})"

    return PREFIX + "list/(" + ",".join(pair(p) for p in pairs) + ")"


def parse_list(text):
    """The pairs of a locator that is a list of pairs or a single pair."""
    kind, content = _split_type(text)
    if kind == "pair":
        return [_parse_pair(content)]
    if kind != "list":
        raise LabError(f"key locator: expected list or pair, found {kind}")
    pairs = []
    for member in _split_members(content):
        kind, inner = _split_type(member)
        if kind != "pair":
            raise LabError(f"key locator: expected pair in list, found {kind}")
        pairs.append(_parse_pair(inner))
    return pairs


def _split_type(text):
    if text[:len(PREFIX)].lower() == PREFIX:
        text = text[len(PREFIX):]
    kind, slash, content = text.partition("/")
    if not slash:
        raise LabError("key locator: no content after the type")
    return kind, content


def _split_members(content):
    """The members of "(a,b,…)", split at the commas of the outer brackets."""
    if not (content.startswith("(") and content.endswith(")")):
        raise LabError("key locator: brackets missing")
    members, depth, start = [], 0, 1
    for i, char in enumerate(content):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0 and i != len(content) - 1:
                raise LabError("key locator: text after the closing bracket")
        elif char == "," and depth == 1:
            members.append(content[start:i])
            start = i + 1
    if depth != 0:
        raise LabError("key locator: unbalanced brackets")
    last = content[start:-1]
    return members + [last] if members or last else []


def _parse_pair(content):
    members = _split_members(content)
    if len(members) != 3:
        raise LabError(f"key locator: a pair has 3 members, not {len(members)}")
    kind, rest = _split_type(members[0])
    fields = [unescape(f) for f in rest.split("/", 2 if kind == "fqid" else 1)]
    if kind == "fqid" and len(fields) == 3:
        locker = Fqid(fields[1], fields[2])
    elif kind == "phrase" and len(fields) == 2:
        locker = Phrase(*fields)
    else:
        raise LabError(f"key locator: cannot read locker of type {kind}")
    try:
        data = base64.b64decode(unescape(members[2]), validate=True)
    except ValueError as error:
        raise LabError("key locator: locked data is not base64") from error
    return Pair(locker, unescape(members[1]), data)
