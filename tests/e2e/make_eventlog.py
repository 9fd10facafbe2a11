#!/usr/bin/env python3
"""A TCG event log shaped as an ESXi host's, made and replayed without vmcrypt.

  make_eventlog.py [--cmdline TEXT] [--module TEXT] [--name NAME] [--drop NUMBER] [--extends] LOG

Writes LOG (banks sha1 and sha256) and prints the PCRs that it leads to, as {"sha256": {"0": HEX}};
with --extends instead what tpm2_pcrextend takes for each event, a line each.
"""
import argparse
import hashlib
import json
import struct

BANKS = {"sha1": (4, 20), "sha256": (11, 32)}


def record(pcr, kind, digests, data):
    out = struct.pack("<III", pcr, kind, len(digests))
    for bank, digest in digests.items():
        out += struct.pack("<H", BANKS[bank][0]) + digest
    return out + struct.pack("<I", len(data)) + data


def tag(number, payload):
    return struct.pack("<II", number, len(payload)) + payload


def events(options):
    """(pcr, type, data, what is measured)"""
    variable = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
    name = "SecureBoot".encode("utf-16-le")
    secure_boot = variable + struct.pack("<QQ", 10, 1) + name + b"\1"
    cmdline = options.cmdline.encode()
    module = options.name.encode() + b"\0"
    return [
        (0, 8, b"firmware 1.0", b"firmware 1.0"),
        (7, 0x80000001, secure_boot, secure_boot),
        (7, 4, bytes(4), bytes(4)),
        (4, 0x80000003, bytes(32), b"an image"),
        (4, 4, bytes(4), bytes(4)),
        (12, 6, tag(2, module), options.module.encode()),
        (13, 6, tag(2, b"vmx.v00\0"), b"vmx"),
        (14, 6, tag(4, cmdline), cmdline),
        (5, 0x80000007, b"Exit Boot Services Invocation", b"Exit Boot Services Invocation"),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmdline", default="/b.b00 bootUUID=0011")
    parser.add_argument("--module", default="the kernel")
    parser.add_argument("--name", default="k.b00")
    parser.add_argument("--drop", type=int, default=-1)
    parser.add_argument("--extends", action="store_true")
    parser.add_argument("log")
    options = parser.parse_args()

    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(BANKS))
    for number, size in BANKS.values():
        spec += struct.pack("<HH", number, size)
    spec += b"\0"
    log = struct.pack("<II20sI", 0, 3, bytes(20), len(spec)) + spec
    pcrs = {bank: {} for bank in BANKS}
    for number, (pcr, kind, data, measured) in enumerate(events(options), 1):
        if number == options.drop:
            continue
        digests = {bank: hashlib.new(bank, measured).digest() for bank in BANKS}
        log += record(pcr, kind, digests, data)
        for bank, digest in digests.items():
            before = pcrs[bank].get(pcr, bytes(len(digest)))
            pcrs[bank][pcr] = hashlib.new(bank, before + digest).digest()
        if options.extends:
            print(f"{pcr}:" + ",".join(f"{bank}={d.hex()}" for bank, d in digests.items()))
    with open(options.log, "wb") as file:
        file.write(log)
    if not options.extends:
        print(json.dumps({bank: {str(pcr): value.hex() for pcr, value in values.items()}
                          for bank, values in pcrs.items()}))


main()
