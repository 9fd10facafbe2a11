#!/usr/bin/env python3
"""Reads of every kind of extent through disk_read, against QEMU and libvmdk, interleaved.

Usage: tests/bench/bench_read.py [--build DIR] [--dir DIR] [--mib N] [--repetitions N]
                                 [--kinds "KIND ..."] [--libvmdk DIR] [--json]

The lab makes a disk of N MiB of each kind, written all over, half of it data that deflate well.
Each subject reads it from front to back in blocks of 1 MiB, and in 4 KiB blocks at places far from
each other, all at the same ones, from the page cache, in random order; figures are medians.
`qemu-img bench` reads with one and with 64 requests at a time; libvmdk through its Python module,
which is found in DIR (unpacked packages) or where Python looks. QEMU does not decrypt.
"""
import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
SMALL = 4096
SMALL_READS = 20000
# Odd numbers of blocks, so that the places come round late; far enough for other grain tables.
STRIDE = 37_000_001 // SMALL * SMALL | SMALL
KINDS = ("monolithicFlat", "vmfs", "monolithicSparse", "streamOptimized", "vmfs,vmfsSparse",
         "vmfs,seSparse")
LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab", "lab.py")


def places(count, block, stride, size):
    """As `qemu-img bench -S stride`, but no block reaches over the end."""
    at = 0
    for _ in range(count):
        yield at
        at += stride
        if at + block > size:
            at %= size - block + 1


def libvmdk_child(paths, block, count, stride):
    """In a process of its own: the seconds that libvmdk takes for the disk at paths[0]."""
    import pyvmdk
    handles = []
    for path in paths:
        handle = pyvmdk.handle()
        handle.open(path)
        handle.open_extent_data_files()
        if handles:
            handles[-1].set_parent(handle)
        handles.append(handle)
    disk = handles[0]
    started = time.monotonic()
    for at in places(count, block, stride, disk.get_media_size()):
        if len(disk.read_buffer_at_offset(block, at)) != block:
            sys.exit("short read")
    print(time.monotonic() - started)


def finished(command, pattern, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(pattern, done.stdout)
    return float(found[1]) if done.returncode == 0 and found else None


def subjects(options, chain, keyring, with_libvmdk):
    """name -> function of (block, count, stride) giving seconds, or None when it cannot."""
    ours = [f"{options.build}/tests/bench/bench_read"] + (["-k", keyring] if keyring else [])

    def vmcrypt(block, count, stride):
        return finished(ours + [f"stride:{stride}" if stride != block else "sequential", str(block),
                                str(count), chain[0]], r'"seconds": ([\d.]+)')

    def qemu(depth):
        return lambda block, count, stride: finished(
            ["qemu-img", "bench", "-f", "vmdk", "-c", str(count), "-d", str(depth),
             "-s", str(block), "-S", str(stride), chain[0]], r"completed in ([\d.]+) seconds")

    def libvmdk(block, count, stride):
        environment = dict(os.environ)
        if options.libvmdk:
            environment["PYTHONPATH"] = f"{options.libvmdk}/usr/lib/python3/dist-packages"
            environment["LD_LIBRARY_PATH"] = f"{options.libvmdk}/usr/lib/x86_64-linux-gnu"
        return finished(["/usr/bin/python3", __file__, "--libvmdk-child", str(block), str(count),
                         str(stride), *chain], r"^([\d.]+)$", environment)

    table = {"vmcrypt": vmcrypt}
    if shutil.which("qemu-img"):
        table |= {"qemu-img, 1": qemu(1), "qemu-img, 64": qemu(64)}
    if with_libvmdk:
        table["libvmdk"] = libvmdk
    return table


def measure(kind, directory, options):
    """{subject: {"sequential_mb_s", "random_us"}} of one kind."""
    made = f"{directory}/{kind}"
    subprocess.run(["/usr/bin/python3", LAB, "disk", kind, made, "--full", "--sectors",
                    str(options.mib * 2048)], check=True)
    with open(f"{made}/truth.json", encoding="utf-8") as file:
        chain = [f"{made}/{layer['descriptor']}" for layer in json.load(file)["layers"]][::-1]
    keyring = f"{made}/keys/keyring.yaml"
    table = subjects(options, chain, keyring if os.path.exists(keyring) else None, True)
    size = options.mib * MIB
    times = {name: ([], []) for name in table}
    for _ in range(options.repetitions):
        order = list(table)
        random.shuffle(order)
        for name in order:
            times[name][0].append(table[name](MIB, options.mib, MIB))
            times[name][1].append(table[name](SMALL, SMALL_READS, STRIDE))
    shutil.rmtree(made)

    def median(values, result):
        known = [value for value in values if value is not None]
        return round(result(statistics.median(known)), 2) if known else None
    return {name: {"sequential_mb_s": median(sequential, lambda s: size / s / 1e6),
                   "random_us": median(small, lambda s: s / SMALL_READS * 1e6)}
            for name, (sequential, small) in times.items()}


def main():
    if sys.argv[1:2] == ["--libvmdk-child"]:
        block, count, stride = map(int, sys.argv[2:5])
        libvmdk_child(sys.argv[5:], block, count, stride)
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary one)")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--kinds", default=" ".join(KINDS), help="separated by spaces")
    parser.add_argument("--libvmdk", default=None, help="where its packages were unpacked")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        report = {kind: measure(kind, directory, options) for kind in options.kinds.split()}
    if options.json:
        print(json.dumps({"version": 1, "mib": options.mib, "repetitions": options.repetitions,
                          "kinds": report}, indent=2))
        return
    print(f"{options.mib} MiB, page cache warm, medians of {options.repetitions}")
    print(f"{'':20}{'':14}{'1 MiB, MB/s':>14}{'4 KiB, us':>12}")
    for kind, rows in report.items():
        for name, row in rows.items():
            cells = ["-" if value is None else f"{value:g}" for value in row.values()]
            print(f"{kind:20}{name:14}{cells[0]:>14}{cells[1]:>12}")
            kind = ""


if __name__ == "__main__":
    main()
