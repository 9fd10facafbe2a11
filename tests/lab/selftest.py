#!/usr/bin/python3
"""Tests of the lab itself: published vectors, a real sample, and every kind made and read back.

Prints `N passed, N failed, N skipped`. With --twice every kind is made a second time and compared
byte by byte; otherwise only `tiny` is.
"""
import argparse
import os
import shutil
import sys
import tempfile
import traceback

import keyring
import locator
import machine
import nkp
import reader
import seal
import sparse
import tools
import verify
import vmdkmake
import vmxtext
from diskkinds import DISK_KINDS
from kinds import KINDS
from xtsdisk import XtsCipher

_REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SAMPLES = os.environ.get("VMCRYPT_SAMPLES") or os.path.join(_REPOSITORY, "../shared/samples")


class Skip(Exception):
    pass


def test_xts_vector():
    """IEEE 1619-2007, XTS-AES-256, vector 10."""
    key = bytes.fromhex("2718281828459045235360287471352662497757247093699959574966967627"
                        "3141592653589793238462643383279502884197169399375105820974944592")
    plain = bytes(range(256)) * 2
    cipher = XtsCipher(key).encrypt(0xFF, plain)
    assert cipher[:16].hex() == "1c3b3a102f770386e4836c99e370cf9b"
    assert XtsCipher(key).decrypt(0xFF, cipher) == plain


def test_locator_forms():
    """The escaped and the unescaped form of a list read back as what was written."""
    pairs = [locator.Pair(locator.Fqid("My KMS", "a/b+c=="), "HMAC-SHA-256", bytes(range(250))),
             locator.Pair(locator.Phrase("aW/k", "salt=x%3d%3d"), "HMAC-SHA-1", b"\xff" * 40)]
    for api, escape_null in ((False, False), (False, True)):
        assert locator.parse_list(locator.format_list(pairs, api, escape_null)) == pairs
    assert locator.parse_list(locator.format_list(pairs[:1], api=True)) == pairs[:1]


def test_pair_tampering():
    """Every byte of locked data is covered."""
    key = bytes(range(32))
    for mac in seal.MACS:
        blob = seal.lock(key, mac, b"type=key", bytes(16))
        assert seal.unlock(key, mac, blob) == b"type=key"
        for i in range(len(blob)):
            bad = bytearray(blob)
            bad[i] ^= 1
            _must_fail(seal.WrongKey, seal.unlock, key, mac, bytes(bad))


def test_real_sample():
    """A .vmx written by Workstation, passphrase `password`."""
    path = os.path.join(_SAMPLES, "vmx", "encrypted-password.vmx")
    if not os.path.exists(path):
        raise Skip(f"{path} is not there")
    with open(path, "rb") as file:
        data = file.read()
    settings = dict(vmxtext.parse_settings(
        reader.decrypt_vmx(data, passphrases=[b"password"]).decode()))
    assert settings["cryptoState"] == "encrypted"
    assert settings["dataFileKey"].startswith("type=key:cipher=AES-256:key=")
    assert settings["virtualHW.version"] == "18"
    _must_fail(seal.WrongKey, reader.decrypt_vmx, data, passphrases=[b"Password"])
    # The lab spells a key safe exactly as the product does.
    safe = dict(vmxtext.parse(data)[1])["encryption.keySafe"]
    assert locator.format_list(locator.parse_list(safe)) == safe


def test_kind(kind, work, twice):
    """Make, read with the keyring's files, verify; then the same with damage and wrong keys."""
    if absent := tools.missing(kind.tools()):
        raise Skip("needs " + ", ".join(absent))
    made = os.path.join(work, kind.name)
    machine.make(kind, made, 1)
    if twice:
        _check_reproducible(kind, made, os.path.join(work, "again"))
    truth = verify.load_truth(made)
    keks = [keyring.load_key(os.path.join(made, kek["file"]))
            for kek in truth["keks"] if kek["file"]]
    keks += [nkp.derive(bytes.fromhex(kdk["hex"]), kek["id"])
             for kdk in truth["kdks"] for kek in truth["keks"] if kek["role"] == "vm"]
    phrase_file = os.path.join(made, "keys", "passphrase.txt")
    phrases = [keyring.load_passphrase(phrase_file)] if os.path.exists(phrase_file) else []
    if kind.locks:
        _check_vmx(made, truth, keks, phrases)
    if kind.bundle:
        with open(os.path.join(made, truth["bundle"]["file"]), encoding="ascii") as file:
            plain, _ = reader.unlock_pairs(file.read().strip(), keks, [])
        assert plain.decode() == truth["bundle"]["text"]
    for disk in truth["disks"]:
        _check_disk(made, disk, keks, phrases, os.path.join(work, "out.raw"))


# What the lab's reader refuses, being strict.
_DISKS_REFUSED = ("custom-noaccess", "flat-noaccess", "streamOptimized-nofooter",
                  "streamOptimized-nodirectory", "seSparse-dirty")
_CHAINS = (("vmfs,vmfsSparse,seSparse", {}),
           ("monolithicSparse-v2,streamOptimized,twoGbMaxExtentFlat", {"grow": 1001}),
           ("mixed", {"layers": 9, "encrypt": "some"}),
           ("custom-mix,custom-mix", {"encrypt": "all"}))


def test_disk(kinds, options, work, twice):
    """Make, read with the keyring's files, compare; with damage, notice it."""
    made, out = os.path.join(work, "disk"), os.path.join(work, "out.raw")
    vmdkmake.make(kinds.split(","), made, 1, **options)
    if twice:
        again = os.path.join(work, "again")
        vmdkmake.make(kinds.split(","), again, 1, **options)
        assert _digests(made) == _digests(again), "differs when made twice"
        shutil.rmtree(again)
    truth = verify.load_truth(made)
    keks = [keyring.load_key(os.path.join(made, kek["file"])) for kek in truth["keks"]]
    path = os.path.join(made, truth["descriptor"])
    try:
        if kinds in _DISKS_REFUSED:
            _must_fail(tools.LabError, reader.decrypt_disk, path, out)
            return
        reader.decrypt_disk(path, out, keks)
        assert sparse.sha256(out) == truth["sha256"], "wrong bytes"
        os.unlink(out)
        if keks:
            _must_fail(seal.WrongKey, reader.decrypt_disk, path, out, [bytes(32)])
        if len(truth["layers"]) > 1:
            base = os.path.join(made, truth["layers"][0]["descriptor"])
            with open(base, "r+b") as file:
                data = file.read()
                file.seek(data.index(b"CID=") + 4)
                file.write(b"0badc0de")
            _must_fail(tools.LabError, reader.decrypt_disk, path, out, keks)
    finally:
        shutil.rmtree(made)


def _check_vmx(made, truth, keks, phrases):
    with open(os.path.join(made, truth["vmx"]), "rb") as file:
        data = file.read()
    with open(os.path.join(made, truth["config"]["file"]), "rb") as file:
        assert reader.decrypt_vmx(data, keks, phrases) == file.read()
    _must_fail(seal.WrongKey, reader.decrypt_vmx, data, [bytes(32)], [b"wrong"])
    at = data.index(b"encryption.data") + 60
    other = b"A" if data[at:at + 1] != b"A" else b"B"
    _must_fail(seal.WrongKey, reader.decrypt_vmx, data[:at] + other + data[at + 1:],
               keks, phrases)


def _check_disk(made, disk, keks, phrases, out):
    descriptor = os.path.join(made, disk["descriptor"])
    if disk["dek"]:
        _must_fail(seal.WrongKey, reader.decrypt_disk, descriptor, out, [bytes(32)], [b"wrong"])
        units = disk["units"]
        assert units["zero_encrypted"] and units["never_written"]
    reader.decrypt_disk(descriptor, out, keks, phrases)
    bad = [message for good, message in verify.verify(disk, out) if not good]
    assert not bad, f"{disk['name']}: {bad}"
    with open(out, "r+b") as image:     # one bit in the first file system block
        image.seek(disk["partitions"][0]["first"] * 512 + 1100)
        byte = image.read(1)[0]
        image.seek(-1, os.SEEK_CUR)
        image.write(bytes([byte ^ 1]))
    assert not all(good for good, _ in verify.verify(disk, out)), "damage was not noticed"
    os.unlink(out)


def _check_reproducible(kind, made, again):
    machine.make(kind, again, 1)
    first, second = _digests(made), _digests(again)
    differing = [path for path in first | second if first.get(path) != second.get(path)]
    assert not differing, f"differs when made twice: {differing}"
    shutil.rmtree(again)


def _digests(root):
    return {os.path.relpath(os.path.join(directory, name), root):
            sparse.sha256(os.path.join(directory, name))
            for directory, _, names in os.walk(root) for name in names}


def _must_fail(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"{function.__name__} should have failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twice", action="store_true", help="make every kind twice and compare")
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="vmcrypt-lab-") as work:
        tests = [(test.__name__, test, ()) for test in
                 (test_xts_vector, test_locator_forms, test_pair_tampering, test_real_sample)]
        tests += [(f"kind {kind.name}", test_kind,
                   (kind, work, options.twice or kind.name == "tiny")) for kind in KINDS.values()]
        tests += [(f"disk {name}", test_disk, (name, {}, work, options.twice))
                  for name in DISK_KINDS]
        tests += [(f"chain {names}", test_disk, (names, changes, work, True))
                  for names, changes in _CHAINS]
        for name, test, args in tests:
            try:
                test(*args)
                outcome, why = "passed", ""
            except (Skip, tools.MissingTool) as skip:
                outcome, why = "skipped", f": {skip}"
            except Exception:      # a test may fail in any way; the others go on
                outcome, why = "failed", "\n" + traceback.format_exc()
            counts[outcome] += 1
            print(f"{outcome:8}{name}{why}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
