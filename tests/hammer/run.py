#!/usr/bin/python3
"""Hammers a mount of an encrypted VM with snapshots, then takes it away under load.

Usage: tests/hammer/run.py [--seconds N] [--processes N] [--seed N] [--build DIR] [--dir DIR]

Many processes (hammer.py) read the disks, partitions and snapshots at random and compare them with
the lab's images. Then, each time under load: an unmount is refused, a lazy one and SIGTERM let the
readers finish, and after kill -9 of the server no reader hangs and the mount can be cleared, by
`vmcrypt-mount --recover` and by fusermount3. The evidence is as before. The last line is "N passed,
N failed". Exit 77: there is no FUSE here.
"""
import argparse
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TOP, "bench"))

import make_machine     # pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 20       # seconds; what takes longer hangs
WARM_UP = 1.0


class Wrong(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Wrong(message)


def wait_for(condition, message):
    end = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < end, f"{message} not within {PATIENCE} s")
        time.sleep(0.02)


def facts(directory):
    """{file: all that reading must not change}; access times too, where they can be kept."""
    found = {}
    for root, _, files in os.walk(directory):
        for path in (os.path.join(root, name) for name in files):
            st = os.stat(path)
            with open(path, "rb", opener=lambda p, f: os.open(p, f | os.O_NOATIME)) as file:
                found[path] = (st.st_size, st.st_mtime_ns, st.st_atime_ns, st.st_ctime_ns,
                               hashlib.file_digest(file, "sha256").hexdigest())
    return found


class Mount:
    """A server in the foreground and its mount point."""

    def __init__(self, program, machine, truth, directory):
        self.program, self.directory = program, directory
        self.machine, self.truth = machine, truth
        self.server = None

    def start(self):
        # The sandbox refuses what the leak sanitizer does at the end.
        environment = dict(os.environ)
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.server = subprocess.Popen(
            [self.program, "-f", "-q", "--keyring", f"{self.machine}/{self.truth['keyring']}",
             f"{self.machine}/{self.truth['vmx']}", self.directory], stdin=subprocess.DEVNULL,
            env=environment)
        wait_for(lambda: self.is_mounted() or self.server.poll() is not None, "mounting was")
        expect(self.server.poll() is None, "the server ended at once")

    def is_mounted(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            return any(line.split()[4] == self.directory for line in file)

    def ended(self):
        """The server's exit status."""
        try:
            return self.server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"the server still runs after {PATIENCE} s") from None

    def views(self):
        """For hammer.py: images and partitions of every state."""
        listed = []
        for state in self.truth["states"]:
            at = self.directory
            if state["snapshot"] is not None:
                at = os.path.join(at, "snapshots", state["snapshot"])
            for disk in state["disks"]:
                stem = os.path.join(at, "disks", disk["stem"])
                model = f"{self.machine}/{disk['raw']}"
                listed.append({"file": f"{stem}.raw", "model": model, "start": 0,
                               "size": self.truth["size"]})
                listed += [{"file": f"{stem}.p{i + 1}", "model": model, "start": start,
                            "size": size}
                           for i, (start, size) in enumerate(self.truth["partitions"])]
        return listed

    def take_away(self):
        """Whatever state it is in."""
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        while self.is_mounted():
            if subprocess.run(["fusermount3", "-u", "-z", self.directory],
                              check=False).returncode != 0:
                break


class Load:
    """Processes of hammer.py."""

    def __init__(self, views, processes, seconds, seed, until_it_ends=False):
        command = ["/usr/bin/python3", f"{HERE}/hammer.py", views, str(seconds)]
        more = ["--until-it-ends"] if until_it_ends else []
        self.processes = [subprocess.Popen(command + [str(seed + i)] + more,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           text=True) for i in range(processes)]

    def finish(self, seconds):
        """What they did; Wrong when one found a difference or does not end in SECONDS."""
        end = time.monotonic() + seconds
        operations, done, wrong = {}, 0, []
        for process in self.processes:
            try:
                out, said = process.communicate(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                wrong.append(f"process {process.pid} does not end, state {state_of(process.pid)}")
                continue
            if process.returncode != 0:
                wrong.append(said.strip() or f"exit {process.returncode}")
                continue
            report = json.loads(out)
            done += report["bytes"]
            for name, count in report["operations"].items():
                operations[name] = operations.get(name, 0) + count
        self.kill()
        expect(not wrong, "; ".join(wrong))
        return operations, done

    def all_run(self):
        return all(process.poll() is None for process in self.processes)

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


class Run:
    def __init__(self, options, work):
        self.options = options
        self.machine = os.path.join(work, "machine")
        make_machine.make(self.machine, disks=2, snapshots=3, sectors=options.sectors,
                          writes=60, states=True, seed=options.seed)
        with open(f"{self.machine}/truth.json", encoding="utf-8") as file:
            truth = json.load(file)
        directory = os.path.join(work, "mount")
        os.mkdir(directory)
        program = (os.path.join(os.path.abspath(options.build), "vmcrypt-mount")
                   if options.build else "vmcrypt-mount")
        self.mount = Mount(program, self.machine, truth, directory)
        self.views = os.path.join(work, "views.json")
        with open(self.views, "w", encoding="utf-8") as file:
            json.dump(self.mount.views(), file)
        self.before = facts(f"{self.machine}/vm")

    def load(self, seconds, until_it_ends=False):
        return Load(self.views, self.options.processes, seconds, self.options.seed, until_it_ends)

    def under_load(self):
        """A mount with readers at work."""
        self.mount.start()
        load = self.load(PATIENCE * 2, until_it_ends=True)
        time.sleep(WARM_UP)
        if not load.all_run():
            load.finish(1)
            raise Wrong("a reader ended early")
        return load

    def compare(self):
        """All bytes of all views for --seconds."""
        self.mount.start()
        started = time.monotonic()
        operations, done = self.load(self.options.seconds).finish(self.options.seconds + PATIENCE)
        expect(self.mount.server.poll() is None, "the server is gone")
        expect(sum(operations.values()) > 0, "nothing was done")
        self.mount.server.send_signal(signal.SIGTERM)
        expect(self.mount.ended() == 0, f"exit status {self.mount.server.returncode}")
        expect(not self.mount.is_mounted(), "still mounted after SIGTERM")
        return (f"{sum(operations.values())} operations, {done / 1e9:.1f} GB in "
                f"{time.monotonic() - started:.0f} s: "
                + ", ".join(f"{name} {count}" for name, count in sorted(operations.items())))

    def unmount_refused(self):
        load = self.under_load()
        done = subprocess.run(["fusermount3", "-u", self.mount.directory], check=False,
                              stderr=subprocess.DEVNULL)
        expect(done.returncode != 0, "a mount in use could be unmounted")
        expect(load.all_run() and self.mount.is_mounted(), "the refused unmount did something")
        return self.lazily(load)

    def lazily(self, load):
        subprocess.run(["fusermount3", "-u", "-z", self.mount.directory], check=True)
        return self.orderly(load)

    def terminated(self):
        load = self.under_load()
        self.mount.server.send_signal(signal.SIGTERM)
        return self.orderly(load)

    def orderly(self, load):
        """Readers end since they find the files no more, then the server does."""
        operations, _ = load.finish(PATIENCE)
        status = self.mount.ended()
        expect(status == 0, f"exit status {status}")
        expect(not self.mount.is_mounted(), "still mounted")
        return ends(operations)

    def killed(self, clear):
        load = self.under_load()
        self.mount.server.kill()
        operations, _ = load.finish(PATIENCE)
        self.mount.ended()
        try:
            os.listdir(self.mount.directory)    # what stat says may still be in the kernel's cache
            raise Wrong("a dead mount does not say so")
        except OSError as error:
            expect(error.errno == errno.ENOTCONN, f"a dead mount says: {error}")
        done = subprocess.run(clear + [self.mount.directory], check=False, capture_output=True,
                              text=True)
        expect(done.returncode == 0, f"{clear[0]}: {done.stderr.strip()}")
        expect(not self.mount.is_mounted() and os.listdir(self.mount.directory) == [],
               "not cleared")
        return ends(operations)

    def killed_recover(self):
        return self.killed([self.mount.program, "--recover"])

    def killed_fusermount(self):
        return self.killed(["fusermount3", "-u"])

    def unchanged(self):
        after = facts(f"{self.machine}/vm")
        changed = [path for path in self.before if self.before[path] != after.get(path)]
        expect(not changed and len(after) == len(self.before), f"changed: {changed}")
        return f"{len(after)} files: bytes, sizes and times"


def ends(operations):
    return ", ".join(f"{count} {name}" for name, count in operations.items()
                     if name.startswith("ended"))


STEPS = (
    ("random reads equal the model", Run.compare),
    ("unmount under load refused, then lazy", Run.unmount_refused),
    ("SIGTERM under load", Run.terminated),
    ("kill -9 under load, --recover", Run.killed_recover),
    ("kill -9 under load, fusermount3 -u", Run.killed_fusermount),
    ("the evidence is as before", Run.unchanged),
)


def main():
    parser = argparse.ArgumentParser(description="see the top of the file")
    parser.add_argument("--seconds", type=float, default=60, help="of comparing")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sectors", type=int, default=65543, help="of each disk")
    parser.add_argument("--build", default=None, help="default: PATH")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary one)")
    options = parser.parse_args()
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or shutil.which("fusermount3") is None:
        print("no FUSE here", file=sys.stderr)
        return 77
    failed = 0
    with tempfile.TemporaryDirectory(dir=options.dir) as work:
        run = Run(options, os.path.realpath(work))
        for name, step in STEPS:
            try:
                print(f"ok     {name}: {step(run)}", flush=True)
            except (Wrong, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAILED {name}: {error}", flush=True)
            finally:
                run.mount.take_away()
    print(f"{len(STEPS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
