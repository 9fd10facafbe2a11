#!/usr/bin/python3
"""tpm_flip.py BUILD QUOTE KEY LOG NONCE: flip bits of good evidence, and see that each flip is refused, or
lies in a byte that `vmcrypt tpm log --json` marks as not authenticated, or changes nothing that is
judged (a type, a tag's number or a module's name, which nothing vouches for)."""
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


def unauthenticated():
    """Offsets of bytes of the log that its digests do not cover, as the tool itself says."""
    out = subprocess.run([tool, "log", "--json", log], stdout=subprocess.PIPE, check=True).stdout
    marked = set()
    for event in json.loads(out)["events"]:
        for start, end in event["unauthenticated"]:
            marked.update(range(start, end))
    return marked


def flips():
    for kind in ("msg", "sig"):
        for at in range(len(good[kind])):
            for bit in range(8):
                yield kind, at, bit
    # The values' file has much room that means nothing: see below.
    for at in range(len(good["pcrs"])):
        yield "pcrs", at, at % 8
    for at in range(len(good["log"])):
        yield "log", at, (at * 5 + 3) % 8


def attempt(job):
    number, (kind, at, bit) = job
    files = dict(good)
    data = bytearray(files[kind])
    data[at] ^= 1 << bit
    files[kind] = bytes(data)
    return kind, at, bit, trusted(files, number % 4)


jobs = list(enumerate(flips()))
accepted = {"msg": [], "sig": [], "pcrs": [], "log": []}


def lane(start):
    return [attempt((start, job)) for _, job in jobs[start::2]]


with ThreadPoolExecutor(2) as pool:
    for results in pool.map(lane, range(2)):
        for kind, at, bit, ok in results:
            if ok:
                accepted[kind].append(at)
print({k: len(v) for k, v in accepted.items()}, "accepted of", len(jobs))
assert not accepted["msg"] and not accepted["sig"], accepted
# tpm2_quote's file: a selection of 132 bytes, a count, then digests in slots of 532 bytes, of which
# 8 slots of 66 bytes; what lies behind a digest is never read by anybody.
meaning = set(range(0, 4)) | set(range(4, 12)) | set(range(132, 136))
digests = 12
slots = [136 + 532 * block + 4 + 66 * slot for block in range(2) for slot in range(8)][:digests]
for slot in slots:
    meaning |= set(range(slot, slot + 2 + 32))
silent = [at for at in accepted["pcrs"] if at in meaning]
assert not silent, silent
silent = sorted(set(accepted["log"]) - unauthenticated())
assert not silent, silent
