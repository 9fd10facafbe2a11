#!/usr/bin/python3
"""Look for the secrets of a lab VM in files, in every form they could have there.

find_secrets.py TRUTH FILE...      exit 1 and name what was found; 0 when nothing was
find_secrets.py TRUTH --pid PID    the same for the memory of a process
find_secrets.py TRUTH --heap PID   the same for its ordinary heap and its stack
"""
import base64
import json
import sys


def collect(value, found):
    """All keys ("hex") and passphrases that truth.json holds."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "hex":
                found["key " + item[:8]] = bytes.fromhex(item)
            elif name == "passphrase" and item is not None:
                found["passphrase"] = item.encode()
            collect(item, found)
    elif isinstance(value, list):
        for item in value:
            collect(item, found)


def forms(secret):
    """Raw, and the encodings; of long keys also each half, as a cipher would hold them."""
    parts = {secret}
    if len(secret) == 64:
        parts |= {secret[:32], secret[32:]}
    for part in list(parts):
        if len(part) >= 16:
            parts |= {part.hex().encode(), base64.b64encode(part).rstrip(b"=")}
    return parts


def memory(pid, only=None):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            bounds, rights = line.split()[:2]
            if "r" not in rights or "[v" in line:
                continue
            if only is not None and not line.rstrip().endswith(only):
                continue
            start, end = (int(x, 16) for x in bounds.split("-"))
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except OSError:
                continue


def main():
    truth = json.load(open(sys.argv[1]))
    secrets = {}
    collect(truth, secrets)
    if not secrets:
        sys.exit("find_secrets: no secrets in " + sys.argv[1])
    if sys.argv[2] == "--pid":
        texts = list(memory(int(sys.argv[3])))
    elif sys.argv[2] == "--heap":
        texts = list(memory(int(sys.argv[3]), ("[heap]", "[stack]")))
    else:
        texts = [open(path, "rb").read() for path in sys.argv[2:]]
    hits = {name for name, secret in secrets.items() for form in forms(secret)
            for text in texts if form in text}
    for name in sorted(hits):
        print("found secret", name)
    sys.exit(1 if hits else 0)


main()
