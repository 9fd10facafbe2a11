#!/usr/bin/python3
"""Crashes conversions in place, and copies, at every call and goes on; see README.md.

    run.py --shim SHIM.so [--full] [--only in-place|copy] [--direction NAME] [--seed N] [--keep DIR]

The last line is "N passed, N failed".
"""
import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import copying
from disk import DIRECTIONS, Disk, Wrong

POWER_CUT = 0.5


class Crash:
    """Where one run ends: at call `at`, before it, after it, or half-way through what it writes."""

    def __init__(self, at, when="before", loss=0.0, page=4096, fail=0):
        self.at, self.when, self.loss, self.page, self.fail = at, when, loss, page, fail

    def environment(self):
        return {"CRASH_AT": str(self.at), "CRASH_WHEN": self.when, "CRASH_LOSS": str(self.loss),
                "CRASH_PAGE": str(self.page), "CRASH_FAIL": str(self.fail)}

    def __str__(self):
        if self.fail:
            return f"EIO at {self.fail}"
        kind = f"power cut, {self.page}-byte pages" if self.loss else "kill"
        return f"{kind} {self.when} {self.at}"


class Bench:
    """Runs the command on copies of one disk."""

    def __init__(self, disk, shim, work, seed):
        self.disk, self.seed = disk, seed
        self.directory = os.path.join(work, "vm")
        self.saves = os.path.join(work, "saves")
        self.state = os.path.join(work, "state")
        self.count = os.path.join(work, "count")
        self.out = os.path.join(work, "out.raw")
        self.shim = {"LD_PRELOAD": shim, "CRASH_DIR": self.directory, "CRASH_SAVES": self.saves,
                     "CRASH_STATE": self.state}
        self.points = 0

    def reset(self):
        for directory in (self.directory, self.saves):
            shutil.rmtree(directory, ignore_errors=True)
            os.mkdir(directory)
        self._remove(self.state)
        self.disk.write(self.directory)

    @staticmethod
    def _remove(path):
        if os.path.exists(path):
            os.unlink(path)

    def run(self, crash=None, **more):
        environment = dict(os.environ, **more)
        if crash is not None:
            environment.update(self.shim, **crash.environment(), CRASH_SEED=str(self.seed))
            self.seed += 1
        return subprocess.run(self.disk.command(self.directory), env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, close_fds=False, check=False)

    def calls(self):
        """How many calls an undisturbed run makes."""
        self.reset()
        self._remove(self.count)
        done = self.run(Crash(0), CRASH_COUNT=self.count)
        if done.returncode != 0:
            raise Wrong(f"the undisturbed run fails: {done.stderr.decode()}")
        self.disk.check_end(self.directory)
        with open(self.count, encoding="ascii") as file:
            return int(file.read())

    def crash(self, crash, **more):
        """One crash. True when it happened: the run may have ended before."""
        done = self.run(crash, **more)
        self.points += done.returncode == 137
        if done.returncode == 137:
            return True
        if crash.fail and done.returncode in (1, 5):
            return True
        if done.returncode != 0:
            raise Wrong(f"exit status {done.returncode}: {done.stderr.decode()}")
        return False

    def look(self):
        """What stands there now is refused, or right. Other programs go by the descriptor alone."""
        self._remove(self.out)
        if self.disk.looks_untouched(self.directory) and not self.disk.is_untouched(self.directory):
            raise Wrong("the descriptor is the old one, and the extents are not")
        done = subprocess.run(self.disk.reading(self.directory, self.out), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=False,
                              check=False)
        if done.returncode == 0:
            with open(self.out, "rb") as file:
                if file.read() != self.disk.plain:
                    raise Wrong("an interrupted disk was read as if it were whole")
        elif done.returncode != 4 or b"in-place" not in done.stderr:
            raise Wrong(f"refused with {done.returncode}: {done.stderr.decode()}")

    def case(self, crashes, **more):
        """Crash after crash, then to the end."""
        self.reset()
        for crash in crashes:
            if self.disk.is_done(self.directory):
                break
            self.crash(crash, **more)
            self.look()
        if not self.disk.is_done(self.directory):
            done = self.run()
            if done.returncode != 0:
                raise Wrong(f"does not go on: {done.stderr.decode()}")
        self.disk.check_end(self.directory)


class CopyBench(Bench):
    """The same for copies, whose journal is kept every few seconds: time flies."""

    def __init__(self, copy, shim, work, seed):
        super().__init__(copy, shim, work, seed)
        self.shim["CRASH_FAST"] = "1"

    def look(self):
        self.disk.check_named(self.directory)

    def case(self, crashes, **more):
        # A file system that cannot make holes gets zeros.
        self.disk.holes = not any(crash.fail for crash in crashes)
        super().case(crashes, **more)


def every_call(calls, full):
    """At each call once (short), or in every way (full)."""
    ways = [dict(when="before"), dict(when="after"), dict(when="half"),
            dict(loss=POWER_CUT), dict(loss=POWER_CUT, page=512),
            dict(loss=POWER_CUT, when="half", page=512), dict(loss=1.0), dict(loss=0.9, when="after")]
    for at in range(1, calls + 1):
        for way in ways if full else [ways[at % len(ways)]]:
            yield [Crash(at, **way)]


def edges(calls, full):
    """Where names change: a kill in the first or last calls, and power fails soon after going on."""
    for at in itertools.chain(range(1, 21), range(calls - 12, calls + 1)):
        for again in range(1, 9) if full else (2, 5):
            yield [Crash(at, "after"), Crash(again, "after", 0.9)]


def failed_syncs(calls, full, source):
    """EIO, which the kernel tells once; then power fails some segments after going on."""
    for at in range(1, calls + 1, 1 if full else 3):
        yield [Crash(0, fail=at, page=512), Crash(source.randint(3, 12), "after", 0.9, page=512)]


def random_cases(calls, count, source):
    """Several crashes: power cuts while going on, after kills that left the page cache as it was,
    after syncs that failed."""
    whens = ("before", "half", "after")
    for i in range(count):
        at, again = source.randint(1, calls), source.randint(1, calls)
        page = source.choice((512, 4096))
        cut = dict(loss=source.choice((0.1, 0.5, 0.9, 1.0)), page=page)
        first = Crash(at, source.choice(whens), page=page)
        few = source.randint(1, 12)
        kind = i % 4
        if kind == 0:    # a kill, then soon after going on, power fails
            yield [first, Crash(few, source.choice(whens), **cut)]
        elif kind == 1:  # two power cuts
            yield [Crash(at, source.choice(whens), **cut), Crash(again, source.choice(whens), **cut)]
        elif kind == 2:  # EIO, then soon after going on, power fails
            yield [Crash(0, page=page, fail=at), Crash(few, source.choice(whens), **cut)]
        else:            # many in a row
            yield [first] + [Crash(source.randint(1, 12), source.choice(whens), **cut)
                             for _ in range(3)]


def all_cases(calls, args, source):
    """What is done to a disk."""
    cases = list(every_call(calls, args.full)) + list(edges(calls, args.full))
    cases += list(failed_syncs(calls, args.full, source))
    return cases + list(random_cases(calls, 400 if args.full else 40, source))


def copy_cases(calls, args, source):
    """The same for copies, of which a few are enough for every day."""
    cases = all_cases(calls, args, source)
    return cases if args.full else source.sample(cases, min(len(cases), 24))


def direction(bench, args, make_cases=all_cases):
    """All cases of one direction; how many failed."""
    source = random.Random(args.seed)
    calls = bench.calls()
    cases = make_cases(calls, args, source)
    failed, begin = 0, time.monotonic()
    for crashes in cases:
        try:
            bench.case(crashes)
        except Wrong as error:
            failed += 1
            print(f"FAILED {bench.disk.name}: {', then '.join(map(str, crashes))}: {error}")
            if args.keep:
                shutil.copytree(bench.directory, args.keep)
                sys.exit(1)
    print(f"{bench.disk.name}: {calls} calls, {len(cases)} cases, {bench.points} crashes, "
          f"{failed} failed, {time.monotonic() - begin:.0f} s", flush=True)
    return len(cases), failed


def lies(bench, args, about=("data", "journal", "directory")):
    """With a disk that lies about syncs something must go wrong: the test can fail."""
    calls, noticed = bench.calls(), 0
    source = random.Random(args.seed)
    for lie in about:
        wrong = 0
        for _ in range(400):
            crashes = [Crash(source.randint(1, calls), "after", 0.9)]
            try:
                bench.case(crashes, CRASH_LIE=lie)
            except Wrong:
                wrong += 1
                if wrong == 3:
                    break
        print(f"{bench.disk.name}: lies about {lie}: {'noticed' if wrong else 'NOT NOTICED'}",
              flush=True)
        noticed += wrong > 0
    return len(about), len(about) - noticed


def in_place(args, work):
    """Results of all directions."""
    for name, unit in itertools.product(args.direction or DIRECTIONS, (512, 4096)):
        if unit == 4096 and name == "encrypt":
            continue    # it makes units of 512 bytes only
        place = os.path.join(work, f"{name}-{unit}")
        os.mkdir(place)
        disk = Disk(name, unit, args.full, args.seed, work)
        bench = Bench(disk, os.path.abspath(args.shim), os.path.realpath(place), args.seed)
        yield direction(bench, args)
        if unit == 512 and not args.no_lies:
            yield lies(bench, args)
        shutil.rmtree(place)


def copies(args, work):
    """Results of all kinds of copies."""
    for kind in copying.KINDS:
        place = os.path.join(work, "copy")
        os.mkdir(place)
        bench = CopyBench(copying.Copy(kind, args.seed, work), os.path.abspath(args.shim),
                          os.path.realpath(place), args.seed)
        yield direction(bench, args, copy_cases)
        # What a lost name costs is time: the copy begins again.
        if args.full and not args.no_lies:
            yield lies(bench, args, ("data", "journal"))
        shutil.rmtree(place)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=("in-place", "copy"))
    parser.add_argument("--direction", choices=DIRECTIONS, action="append")
    parser.add_argument("--no-lies", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="DIR", help="copy the first disk that fails, and stop")
    args = parser.parse_args()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="vmcrypt-crash-", dir=memory) as work:
        results = [] if args.only == "copy" else list(in_place(args, work))
        if args.only != "in-place" and not args.direction:
            results += copies(args, work)
    cases, failed = (sum(r[i] for r in results) for i in range(2))
    print(f"{cases - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
