#!/usr/bin/env python3
"""How soon a mount can be read, and how much memory it takes.

Usage: tests/bench/bench_first.py [--build DIR] [--dir DIR] [--repetitions N] [--disks N]
                                  [--snapshots N] [--json]

Makes an encrypted VM of 10 disks with 50 snapshots (make_machine.py) and mounts one of its disks
alone, and all of it: the time from the start of the program to the first bytes read of the disk,
of the VM's first disk, and of the oldest snapshot's. Then reads all images of all states once and
tells what memory the server holds. Figures are medians.
"""
import argparse
import glob
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import make_machine

OPEN_SNAPSHOT_DISKS = 16


def goals(options):
    """Those of the issue, and the memory that vmcrypt-mount(1) says a server may take."""
    layers = options.snapshots + 1
    caches = (options.disks + OPEN_SNAPSHOT_DISKS) * (layers * 0.125 + 18)
    return {"disk_ms": 50, "machine_ms": 200, "machine_peak_mib": 64 + caches}


class Mounted:
    """A mount of SOURCE at DIRECTORY; `seconds` is what it took until FIRST could be read."""

    def __init__(self, program, keyring, source, directory, first):
        self.directory = directory
        started = time.monotonic()
        self.server = subprocess.Popen([program, "-f", "-q", "--keyring", keyring, source,
                                        directory])
        while not self.first_bytes(first):
            if self.server.poll() is not None:
                sys.exit(f"{program} failed")
            time.sleep(0.0002)
        self.seconds = time.monotonic() - started

    def first_bytes(self, name):
        try:
            with open(os.path.join(self.directory, name), "rb", buffering=0) as file:
                return len(file.read(512)) == 512
        except OSError:
            return False

    def read_all(self, pattern):
        """Bytes of the files that match, each read from front to back."""
        done = 0
        for name in glob.glob(os.path.join(self.directory, pattern)):
            with open(name, "rb", buffering=0) as file:
                while block := file.read(1 << 20):
                    done += len(block)
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return done

    def memory(self):
        """MiB by the names of /proc/PID/status."""
        with open(f"/proc/{self.server.pid}/status", encoding="ascii", errors="replace") as file:
            facts = dict(line.split(":", 1) for line in file)
        return {name: round(int(facts[key].split()[0]) / 1024, 1)
                for name, key in (("peak_mib", "VmHWM"), ("resident_mib", "VmRSS"),
                                  ("anonymous_mib", "RssAnon"), ("locked_mib", "VmLck"))}

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()


def measure(options, work):
    machine, directory = f"{work}/machine", f"{work}/mount"
    os.mkdir(directory)
    make_machine.make(machine, disks=options.disks, snapshots=options.snapshots, writes=6)
    program = f"{os.path.abspath(options.build)}/vmcrypt-mount"
    keyring = f"{machine}/keys/keyring.yaml"
    top = f"web01-{options.snapshots:06}" if options.snapshots else "web01"
    base, vmx = f"{machine}/vm/web01.vmdk", f"{machine}/vm/web01.vmx"
    oldest = f"snapshots/{make_machine.Machine.snapshot_name(0)}/disks/web01.raw"

    times = {"disk_ms": [], "machine_ms": [], "snapshot_ms": []}
    for _ in range(options.repetitions):
        for figure, source, first in (("disk_ms", base, "disk.raw"),
                                      ("machine_ms", vmx, f"disks/{top}.raw"),
                                      ("snapshot_ms", vmx, oldest)):
            mounted = Mounted(program, keyring, source, directory, first)
            times[figure].append(mounted.seconds * 1e3)
            mounted.close()
    report = {figure: round(statistics.median(values), 1) for figure, values in times.items()}

    mounted = Mounted(program, keyring, vmx, directory, f"disks/{top}.raw")
    report |= {f"mounted_{name}": value for name, value in mounted.memory().items()}
    started = time.monotonic()
    report["bytes_read"] = (mounted.read_all("disks/*.raw")
                            + mounted.read_all("snapshots/*/disks/*.raw"))
    report["read_seconds"] = round(time.monotonic() - started, 1)
    report |= {f"machine_{name}": value for name, value in mounted.memory().items()}
    report["open_files"] = len(os.listdir(f"/proc/{mounted.server.pid}/fd"))
    mounted.close()
    return report


def main():
    parser = argparse.ArgumentParser(description="see the top of the file")
    parser.add_argument("--build", default="build")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary one)")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--disks", type=int, default=10)
    parser.add_argument("--snapshots", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as work:
        report = measure(options, work)
    if options.json:
        print(json.dumps({"version": 1, "disks": options.disks, "snapshots": options.snapshots,
                          "repetitions": options.repetitions, **report}, indent=2))
        return
    print(f"{options.disks} disks, {options.snapshots} snapshots, medians of {options.repetitions}")
    for figure, value in report.items():
        goal = goals(options).get(figure)
        text = "" if goal is None else f"  ({'reached' if value <= goal else 'MISSED'}: {goal:g})"
        print(f"{figure:24}{value:>14}{text}")


if __name__ == "__main__":
    main()
