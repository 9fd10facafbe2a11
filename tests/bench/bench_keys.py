#!/usr/bin/python3
"""How long vmcrypt key test takes over many VMs and many keys.

Usage: tests/bench/bench_keys.py [--build DIR] [--dir DIR] [--vms N] [--keys N] [--lost-ids]
                                 [--passphrases] [--keep]

Makes N encrypted VMs (a .vmx and a disk descriptor each) with the lab's own code, each locked under
one of the first nine tenths of the keys, and a keyring of all keys; tests them; checks that
everything was opened and that the last tenth opened nothing. --lost-ids: the keyring names no ids,
so every key has to be tried. --passphrases: each VM is locked under one of ten passphrases instead,
all of them in hand, with one salt for each ten VMs, as copies of a template have.
"""
import argparse
import base64
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import locator  # noqa: E402
import seal     # noqa: E402

MAC = "HMAC-SHA-256"


def main():
    args = arguments()
    work = tempfile.mkdtemp(prefix="bench-keys-", dir=args.dir)
    try:
        measure(args, work)
    finally:
        if args.keep:
            print("kept:", work)
        else:
            shutil.rmtree(work)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--dir")
    parser.add_argument("--vms", type=int, default=10000)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--lost-ids", action="store_true")
    parser.add_argument("--passphrases", action="store_true")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def measure(args, work):
    rng = random.Random(1)
    os.mkdir(os.path.join(work, "keys"), 0o700)
    lockers = make_phrases(args, work, rng) if args.passphrases else make_keys(args, work, rng)
    for i in range(args.vms):
        make_vm(work, f"vm{i:06d}", lockers(i), rng)
    command = [os.path.join(args.build, "vmcrypt-key"), "test", "--json",
               os.path.join(work, "keys", "keyring.yaml"), os.path.join(work, "vms")]
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        seconds.append(time.monotonic() - started)
    report = json.loads(result.stdout)
    assert result.returncode == 0, result.returncode
    assert report["opened"] == 2 * args.vms and report["not_opened"] == 0, report["opened"]
    idle = sum(key["opened"] == 0 for key in report["keys"])
    if not args.passphrases:
        assert idle >= args.keys - used(args.keys), idle
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{args.vms} VMs, {2 * args.vms} encrypted things, {len(report['keys'])} keys, "
          f"{idle} of them idle: {min(seconds):.2f} s (three runs: "
          f"{', '.join(f'{s:.2f}' for s in seconds)}), at most {usage.ru_maxrss // 1024} MiB")


def used(keys):
    return max(1, keys * 9 // 10)


def make_keys(args, work, rng):
    keys = [(str(uuid.UUID(int=rng.getrandbits(128), version=4)), rng.randbytes(32))
            for _ in range(args.keys)]
    with open(os.path.join(work, "keys", "keyring.yaml"), "w", encoding="ascii") as ring:
        ring.write("version: 1\nproviders:\n  - name: KMS\n    keys:\n")
        for i, (name, key) in enumerate(keys):
            with open(os.path.join(work, "keys", f"{i}.key"), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(key)
            ring.write(f"      - file: {i}.key\n        encoding: raw\n")
            if not args.lost_ids:
                ring.write(f"        id: {name}\n")
    count = used(args.keys)

    def locker(i):
        name, key = keys[i % count]
        return locator.Fqid("KMS", name), key
    return locker


def make_phrases(args, work, rng):
    phrases = [f"passphrase {i}" for i in range(10)]
    with open(os.path.join(work, "keys", "keyring.yaml"), "w", encoding="ascii") as ring:
        ring.write("version: 1\npassphrases:\n")
        for i, phrase in enumerate(phrases):
            with open(os.path.join(work, "keys", f"{i}.txt"), "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(phrase)
            ring.write(f"  - file: {i}.txt\n")
    made = {}

    def locker(i):
        if i // 10 not in made:
            keygen = seal.format_keygen("PBKDF2-HMAC-SHA-1", "AES-256", 10000, rng.randbytes(16))
            phrase = phrases[i // 10 % 10]
            made[i // 10] = (locator.Phrase(base64.b64encode(rng.randbytes(8)).decode(), keygen),
                             seal.derive(phrase.encode(), keygen))
        return made[i // 10]
    return locker


def make_vm(work, name, lock, rng):
    where, kek = lock
    directory = os.path.join(work, "vms", name)
    os.makedirs(directory)
    config = seal.Key("AES-256", rng.randbytes(32))
    data = seal.Key("XTS-AES-256", rng.randbytes(64))
    settings = f'dataFileKey = "{seal.format_key(data)}"\nmemSize = "4096"\n'.encode()
    body = base64.b64encode(seal.lock(config.data, MAC, settings, rng.randbytes(16))).decode()
    with open(os.path.join(directory, name + ".vmx"), "w", encoding="ascii") as file:
        file.write(f'.encoding = "UTF-8"\ndisplayName = "{name}"\n'
                   f'encryption.keySafe = "{pair(where, kek, config, rng)}"\n'
                   f'encryption.data = "{body}"\n')
    dek = seal.Key("XTS-AES-256", rng.randbytes(64))
    with open(os.path.join(directory, name + ".vmdk"), "w", encoding="ascii") as file:
        file.write("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
                   f'createType="vmfs"\nencryptionKeys="{pair(where, kek, dek, rng)}"\n'
                   f'RW 2048 VMFS "{name}-flat.vmdk"\nddb.iofilters = "vmwarevmcrypt"\n')


def pair(where, kek, key, rng):
    locked = seal.lock(kek, MAC, seal.format_key(key).encode(), rng.randbytes(16))
    return locator.format_list([locator.Pair(where, MAC, locked)])


main()
