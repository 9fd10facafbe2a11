#!/usr/bin/python3
"""tpm_flip.py BUILD QUOTE KEY LOG NONCE: flip a bit in each byte of good evidence, and see that each flip
is refused, or lies in a byte that `vmcrypt tpm log --json` of the changed log marks as not
authenticated, or in a digest of a bank that the quote does not cover. (Every bit: tests/tpm/test_flip.c.)"""
import json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

build, quote, key, log, nonce = sys.argv[1:]
tool = os.path.join(build, "vmcrypt-tpm")


def trusted(files, number):
    paths = {}
    for kind, data in files.items():
        paths[kind] = f"flip{number}.{kind}"
        open(paths[kind], "wb").write(data)
    done = subprocess.run(
        [tool, "attest", "-q", "--policy", "policy.yaml", "--ak", key + ".tss", "--message",
         paths["msg"], "--signature", paths["sig"], "--pcrs", paths["pcrs"], "--nonce", nonce,
         paths["log"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode in (0, 1, 2, 4), done.returncode
    return done.returncode == 0


good = {k: open(f"{quote}.{k}", "rb").read() for k in ("msg", "sig", "pcrs")}
good["log"] = open(log, "rb").read()
assert trusted(good, "x")


QUOTED = "sha256"


def unauthenticated(path):
    """Offsets of bytes of the log that no quote of QUOTED vouches for, as the tool itself says."""
    out = subprocess.run([tool, "log", "-q", "--json", path], stdout=subprocess.PIPE, check=True).stdout
    marked = set()
    for event in json.loads(out)["events"]:
        for start, end in event["unauthenticated"]:
            marked.update(range(start, end))
        at = event["offset"] + 12
        for bank, digest in event["digests"].items():
            at += 2
            if bank != QUOTED:
                marked.update(range(at, at + len(digest) // 2))
            at += len(digest) // 2
    return marked


def flips():
    for kind in ("msg", "sig", "pcrs", "log"):
        # Most of the file of values is room that means nothing.
        for at in range(0, len(good[kind]), 4 if kind == "pcrs" else 1):
            yield kind, at, (at * 5 + 3) % 8


def attempt(job):
    number, (kind, at, bit) = job
    files = dict(good)
    data = bytearray(files[kind])
    data[at] ^= 1 << bit
    files[kind] = bytes(data)
    if not trusted(files, number):
        return kind, None
    silent = kind != "log" or at not in unauthenticated(f"flip{number}.log")
    return kind, at if silent else None


jobs = list(flips())


def lane(start):
    return [attempt((start, job)) for job in jobs[start::2]]


with ThreadPoolExecutor(2) as pool:
    done = [result for results in pool.map(lane, range(2)) for result in results]
silent = [result for result in done if result[1] is not None]
print(len(jobs), "flips;", "accepted silently:", silent)
assert not silent
