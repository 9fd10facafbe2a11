#!/usr/bin/env python3
"""Our mount and our nbdkit plugin against their peers, in one interleaved run.

Usage: tests/bench/bench_mount.py [--build DIR] [--dir DIR] [--gib N] [--repetitions N]
                                  [--seconds N] [--peers NAME,...] [--without-mounts]
                                  [--without-nbd] [--bitlocker IMAGE PASSPHRASE_FILE] [--json]

Makes N GiB of random bytes in all forms (flat .vmdk plain and encrypted, LUKS, squashfs), keeps
them in the page cache, and lets each subject serve them. In each repetition all are started anew;
then each phase goes through all of them in random order, so that what a phase compares is close in
time:

  cached   dd bs=1M of the whole, after the mount's own cache was dropped
  direct   the same with O_DIRECT: requests of 1 MiB
  4K       fio, 4 KiB at random places, O_DIRECT, 2 jobs, for --seconds
  alone    the same with 1 job, server and reader pinned to one CPU

"of" is the median of the ratios to the first subject (passthrough, nbdkit file) within a
repetition. CPU seconds are the servers', for NBD also with those of the client. "first" is from
the start of the program to the first bytes read. Peers that are not installed, or do not come up,
are left out with a message. --peers: names that begin so ("passthrough,vmcrypt"). Dislocker needs
an image that only Windows makes: --bitlocker; whatever its size, rates are of it.
"""
import argparse
import collections
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import mount_subjects

GIB = 1 << 30
MOUNT_PHASES = ("cached", "direct", "small", "alone")
NBD_PHASES = ("nbdcopy", "qemu_img")
# What ours should reach: subject, figure, how, bound. "of": median ratio to the first subject; the
# name of a subject: ratio of the medians.
GOALS = (
    ("vmcrypt, 512", "cached_gb_s", "of", ">=", 0.9),
    ("vmcrypt, 512", "direct_gb_s", "of", ">=", 0.9),
    ("vmcrypt, 512", "small_kiops", "of", ">=", 0.85),
    ("vmcrypt, 512", "small_kiops", "median", ">=", 100),
    ("vmcrypt, 512", "small_p99_us", "of", "<=", 1.25),
    ("vmcrypt, 512", "cached_cpu_s_gb", "median", "<=", 0.35),
    ("vmcrypt, 512", "cached_gb_s", "qemu-storage-daemon LUKS", ">=", 5),
    ("vmcrypt, 512", "cached_gb_s", "dislocker", ">=", 5),
    ("vmcrypt, 512", "first_ms", "median", "<=", 50),
    ("nbdkit vmcrypt, 512", "nbdcopy_gb_s", "of", ">=", 0.9),
    ("nbdkit vmcrypt, 512", "nbdcopy_gb_s", "nbdkit luks", ">=", 5),
)
COLUMNS = {
    "mount": (("cached GB/s", "cached_gb_s", 2), ("CPU s/GB", "cached_cpu_s_gb", 3),
              ("direct GB/s", "direct_gb_s", 2), ("CPU s/GB", "direct_cpu_s_gb", 3),
              ("4K kIOPS", "small_kiops", 1), ("p99 us", "small_p99_us", 0),
              ("alone us", "alone_us", 1), ("first ms", "first_ms", 1), ("MiB", "peak_mib", 0)),
    "nbd": (("nbdcopy GB/s", "nbdcopy_gb_s", 2), ("CPU s/GB", "nbdcopy_cpu_s_gb", 3),
            ("and client's", "nbdcopy_both_s_gb", 3), ("qemu-img GB/s", "qemu_img_gb_s", 2),
            ("CPU s/GB", "qemu_img_cpu_s_gb", 3), ("and client's", "qemu_img_both_s_gb", 3),
            ("first ms", "first_ms", 1), ("MiB", "peak_mib", 0)),
}


def timed(command):
    """Seconds and CPU seconds of COMMAND; None when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return None
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime


def through(running, prefix, command, with_client):
    """Rate and CPU time per GB of COMMAND, which reads the whole."""
    before = running.cpu_seconds()
    took = timed(command)
    if took is None:
        return {}
    gigabytes = running.size / 1e9
    server = running.cpu_seconds() - before
    result = {f"{prefix}_gb_s": gigabytes / took[0], f"{prefix}_cpu_s_gb": server / gigabytes}
    if with_client:
        result[f"{prefix}_both_s_gb"] = (server + took[1]) / gigabytes
    return result


def cached(running, _options):
    running.drop_cache()
    result = through(running, "cached", ["dd", f"if={running.file}", "of=/dev/null", "bs=1M"],
                     False)
    running.drop_cache()
    return result


def direct(running, _options):
    return through(running, "direct", ["dd", f"if={running.file}", "of=/dev/null", "bs=1M",
                                       "iflag=direct"], False)


def fio(running, options, jobs, prefix=()):
    done = subprocess.run([*prefix, "fio", "--name=r", f"--filename={running.file}", "--readonly",
                           "--direct=1", "--rw=randread", "--bs=4k", "--ioengine=psync",
                           "--norandommap", f"--numjobs={jobs}", f"--runtime={options.seconds}",
                           "--time_based", "--group_reporting", "--output-format=json"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    start = done.stdout.find("{")
    if done.returncode != 0 or start < 0:
        return None
    return json.loads(done.stdout[start:])["jobs"][0]["read"]


def small(running, options):
    read = fio(running, options, 2)
    return {} if read is None else {
        "small_kiops": read["iops"] / 1e3,
        "small_p99_us": read["clat_ns"]["percentile"]["99.000000"] / 1e3}


def alone(running, options):
    running.pin({0})
    read = fio(running, options, 1, ["taskset", "-c", "0"])
    running.pin(set(range(os.cpu_count())))
    return {} if read is None else {"alone_us": read["clat_ns"]["mean"] / 1e3}


def nbdcopy(running, _options):
    return through(running, "nbdcopy",
                   ["nbdcopy", f"nbd+unix:///?socket={running.socket}", "null:"], True)


def qemu_img(running, _options):
    return through(running, "qemu_img", [
        "qemu-img", "convert", "-n", "-W", "-m", "8", "--image-opts",
        f"driver=nbd,server.type=unix,server.path={running.socket}", "--target-image-opts",
        f"driver=null-co,size={running.size}"], True)


PHASES = {phase.__name__: phase for phase in (cached, direct, small, alone, nbdcopy, qemu_img)}


def warm(paths):
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def start_all(table, inputs, directory, left_out):
    servers = []
    for subject in random.sample(table, len(table)):
        warm(path for name in subject.inputs for path in inputs.make(name))
        running = mount_subjects.Running(subject, directory, inputs.size)
        if running.ready:
            servers.append(running)
        else:
            left_out[subject.name] = f"does not come up: {running.said}"
    return servers


def repetition(table, phases, inputs, directory, options, left_out):
    """{subject: {figure: value}}"""
    table = [subject for subject in table if subject.name not in left_out]
    servers = start_all(table, inputs, directory, left_out)
    found = {running.subject.name: {"first_ms": running.first_byte * 1e3} for running in servers}
    try:
        for phase in phases:
            for running in random.sample(servers, len(servers)):
                # The others' mounts, cached too, may have pushed it out.
                warm(path for name in running.subject.inputs for path in inputs.make(name))
                found[running.subject.name].update(PHASES[phase](running, options))
        for running in servers:
            found[running.subject.name]["peak_mib"] = running.peak_mib()
    finally:
        for running in servers:
            running.stop()
    return found


def summary(rounds, base):
    """{subject: {figure: {median, best, worst, of}}}"""
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    ratios = collections.defaultdict(lambda: collections.defaultdict(list))
    for found in rounds:
        for name, figures in found.items():
            for figure, value in figures.items():
                values[name][figure].append(value)
                reference = found.get(base, {}).get(figure)
                if reference:
                    ratios[name][figure].append(value / reference)
    report = {}
    for name, figures in values.items():
        report[name] = {}
        for figure, known in figures.items():
            cell = {"median": statistics.median(known), "lowest": min(known), "highest": max(known)}
            if ratios[name][figure]:
                cell["of"] = statistics.median(ratios[name][figure])
            report[name][figure] = {key: round(value, 4) for key, value in cell.items()}
    return report


def goals(subjects):
    for name, figure, how, sign, bound in GOALS:
        cell = subjects.get(name, {}).get(figure)
        if cell is None:
            continue
        if how in ("of", "median"):
            value, text = cell.get(how), {"of": "of the first", "median": ""}[how]
        else:
            peer = subjects.get(how, {}).get(figure)
            value, text = peer and cell["median"] / peer["median"], f"of {how}"
        if value is None:
            continue
        reached = value >= bound if sign == ">=" else value <= bound
        yield {"subject": name, "figure": figure, "measure": how, "sign": sign, "bound": bound,
               "value": round(value, 3), "reached": reached, "text": text}


def print_table(kind, subjects, order, out):
    """In Markdown, best/median."""
    columns = COLUMNS[kind]
    rows = [["", *(title for title, _, _ in columns), "of"]]
    for name in (name for name in order if name in subjects):
        row = [name]
        for _, figure, places in columns:
            cell = subjects[name].get(figure)
            best = "highest" if figure.endswith(("_gb_s", "_kiops")) else "lowest"
            row.append("-" if cell is None else
                       f"{cell[best]:.{places}f}/{cell['median']:.{places}f}")
        of = subjects[name].get(columns[0][1], {}).get("of")
        rows.append(row + [f"{of:.2f}" if of else "-"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |", file=out)
        if row is rows[0]:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|", file=out)
    print(file=out)


def wanted(table, options, left_out):
    peers = [peer.strip() for peer in options.peers.split(",")] if options.peers else [""]
    chosen = []
    for subject in table:
        if not any(subject.name.startswith(peer) for peer in peers):
            continue
        missing = subject.missing()
        if missing:
            left_out[subject.name] = f"{missing} is not there"
        else:
            chosen.append(subject)
    return chosen


def arguments():
    parser = argparse.ArgumentParser(description="see the top of the file")
    parser.add_argument("--build", default="build")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary one)")
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each run of fio")
    parser.add_argument("--peers", default="", help="names, or how they begin, with commas between")
    parser.add_argument("--without-nbd", action="store_true")
    parser.add_argument("--without-mounts", action="store_true")
    parser.add_argument("--bitlocker", nargs=2, metavar=("IMAGE", "PASSPHRASE_FILE"))
    parser.add_argument("--json", action="store_true", help="JSON, and the tables to stderr")
    return parser.parse_args()


def main():
    options = arguments()
    mount_subjects.adopt_orphans()
    size = int(options.gib * GIB) // (1 << 20) * (1 << 20)
    report = {"version": 1, "bytes": size, "repetitions": options.repetitions}
    out = sys.stderr if options.json else sys.stdout
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        inputs = mount_subjects.Inputs(directory, os.path.abspath(options.build), size)
        left_out = {}
        kinds = {"mount": ([] if options.without_mounts else
                           mount_subjects.mounts(inputs, options.bitlocker), MOUNT_PHASES),
                 "nbd": ([] if options.without_nbd else mount_subjects.exports(inputs), NBD_PHASES)}
        print(f"{size / GIB:g} GiB, sources in the page cache, best/median of "
              f"{options.repetitions}, load {os.getloadavg()[0]:.1f}", file=out)
        for kind, (every, phases) in kinds.items():
            table = wanted(every, options, left_out)
            for subject in table:
                for name in subject.inputs:
                    inputs.make(name)
            os.sync()
            rounds = [repetition(table, phases, inputs, directory, options, left_out)
                      for _ in range(options.repetitions if table else 0)]
            if rounds:
                report[kind] = summary(rounds, every[0].name)
                print_table(kind, report[kind], [subject.name for subject in every], out)
        if not options.bitlocker and not options.without_mounts:
            left_out["dislocker"] = "needs an image made by Windows: --bitlocker"
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=out)
    report["left_out"] = left_out
    report["goals"] = list(goals(report.get("mount", {}) | report.get("nbd", {})))
    for goal in report["goals"]:
        print(f"{'reached' if goal['reached'] else 'MISSED':8} {goal['subject']}: {goal['figure']} "
              f"{goal['value']:g} {goal['text']} ({goal['sign']} {goal['bound']:g})", file=out)
    if options.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
