"""What bench_mount.py compares: servers that show the same bytes through FUSE or NBD, their inputs,
and starting and stopping them."""
import ctypes
import dataclasses
import os
import shutil
import signal
import subprocess
import time

SECTOR = 512
START_SECONDS = 20
PHRASE = "bench"
PR_SET_CHILD_SUBREAPER = 36

DESCRIPTOR = """# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=5cc5ba37
parentCID=ffffffff
createType="vmfs"

# Extent description
RW {sectors} VMFS "plain-flat.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "19"
"""


@dataclasses.dataclass
class Subject:
    name: str
    command: list           # {at}: where it is to appear, {socket}: its socket
    shows: str = "disk.raw"     # the file below {at}; "" when {at} is a file itself
    inputs: tuple = ("plain",)  # makers of Inputs
    own_size: bool = False      # it shows another image than the rest
    programs: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)

    def missing(self):
        """The program that keeps it from taking part."""
        wanted = (self.command[0],) + self.programs
        return next((program for program in wanted if shutil.which(program) is None), None)


class Inputs:
    """The same random bytes in every form; each is made when first asked for."""

    def __init__(self, directory, build, size):
        self.directory, self.build, self.size = directory, build, size
        self.made = {}

    def path(self, name):
        return os.path.join(self.directory, name)

    def make(self, name):
        """The files of input NAME."""
        if name not in self.made:
            self.made[name] = getattr(self, "_" + name)()
        return self.made[name]

    def _plain(self):
        plain = self.path("plain-flat.vmdk")
        with open(plain, "xb") as out, open("/dev/zero", "rb") as zeros, subprocess.Popen(
                ["openssl", "enc", "-aes-256-ctr", "-nosalt", "-pass", "pass:bench", "-pbkdf2"],
                stdin=zeros, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as noise:
            left = self.size
            while left > 0:
                left -= out.write(noise.stdout.read(min(left, 1 << 20)))
            noise.kill()
        with open(self.path("plain.vmdk"), "x", encoding="utf-8") as out:
            sectors = self.size // SECTOR
            out.write(DESCRIPTOR.format(sectors=sectors, cylinders=sectors // (255 * 63)))
        with open(self.path("phrase"), "x", encoding="utf-8") as out:
            out.write(PHRASE)
        with open(self.path("kek"), "xb") as out:
            out.write(os.urandom(32))
        os.chmod(self.path("kek"), 0o600)
        os.chmod(self.path("phrase"), 0o600)
        return [plain]

    def _encrypted(self, unit=512):
        self.make("plain")
        name = f"enc{unit}"
        subprocess.run([f"{self.build}/vmcrypt-disk", "encrypt", "-q", "--data-unit", str(unit),
                        "--key", f"KMS/k={self.path('kek')}", "--kek", "KMS/k",
                        "--from", "raw", self.path("plain-flat.vmdk"), self.path(f"{name}.vmdk")],
                       check=True)
        return [self.path(f"{name}-flat.vmdk")]

    def _encrypted4k(self):
        return self._encrypted(4096)

    def _luks(self):
        secret = f"secret,id=s,file={self.path('phrase')}"
        plain, = self.make("plain")
        luks, tries = self.path("plain.luks"), 20
        create = ["qemu-img", "create", "-q", "--object", secret, "-f", "luks", "-o",
                  "key-secret=s,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,iter-time=10",
                  luks, str(self.size)]
        # It times its key derivation by CPU clocks, and gives up when they have not moved.
        while subprocess.run(create, check=False, stderr=subprocess.DEVNULL).returncode != 0:
            tries -= 1
            if tries == 0:
                raise RuntimeError("qemu-img cannot make a LUKS image")
        subprocess.run(["qemu-img", "convert", "-n", "--object", secret, "-f", "raw", plain,
                        "--target-image-opts", f"driver=luks,key-secret=s,file.filename={luks}"],
                       check=True)
        return [luks]

    def _squash(self):
        plain, = self.make("plain")
        image = self.path("plain.squashfs")
        subprocess.run(["mksquashfs", plain, image, "-no-progress", "-quiet", "-no-xattrs", "-noI",
                        "-noD", "-noF", "-noX"], check=True, stdout=subprocess.DEVNULL)
        return [image]


def mounts(inputs, bitlocker):
    """Subjects that mount; the first is what ours is measured by."""
    path, build = inputs.path, inputs.build
    passthrough = f"{build}/tests/bench/passthrough"
    plain, disk = path("plain-flat.vmdk"), path("plain.vmdk")
    ours = [f"{build}/vmcrypt-mount", "-f", "-q", "--key", f"KMS/k={path('kek')}"]
    storage = ["qemu-storage-daemon", "--object", f"secret,id=s,file={path('phrase')}"]
    export = ["--export", "type=fuse,id=e,node-name=d,mountpoint={at},writable=off"]
    luks_filter = ["nbdkit", "-r", "--filter=luks", "file", path("plain.luks"),
                   f"passphrase=+{path('phrase')}"]
    table = [
        Subject("passthrough", [passthrough, plain, "{at}"]),
        Subject("passthrough, mmap", [passthrough, "-o", "mmap", plain, "{at}"]),
        Subject("no work", [passthrough, "-o", "noop", plain, "{at}"]),
        Subject("vmcrypt, 512", ours + [path("enc512.vmdk"), "{at}"], inputs=("encrypted",)),
        Subject("vmcrypt, 4096", ours + ["--data-unit", "4096", path("enc4096.vmdk"), "{at}"],
                inputs=("encrypted4k",)),
        Subject("vmcrypt, plain", ours + [disk, "{at}"]),
        Subject("squashfuse_ll", ["squashfuse_ll", "-f", path("plain.squashfs"), "{at}"],
                shows="plain-flat.vmdk", inputs=("squash",), programs=("mksquashfs",)),
        Subject("xmount raw", ["xmount", "--in", "raw", plain, "--out", "raw", "{at}"],
                shows="plain-flat.dd"),
        Subject("vmdkmount flat", ["vmdkmount", disk, "{at}"], shows="vmdk1"),
        Subject("qemu-storage-daemon raw",
                storage + ["--blockdev", f"driver=file,filename={plain},node-name=d,read-only=on"]
                + export, shows=""),
        Subject("nbdfuse, nbdkit file",
                ["nbdfuse", "-r", "{at}/disk.raw", "[", "nbdkit", "-r", "file", plain, "]"],
                programs=("nbdkit",)),
        Subject("qemu-storage-daemon LUKS",
                storage + ["--blockdev", f"driver=file,filename={path('plain.luks')},node-name=f,"
                           "read-only=on", "--blockdev",
                           "driver=luks,file=f,node-name=d,key-secret=s,read-only=on"]
                + export, shows="", inputs=("luks",), programs=("qemu-img",)),
        Subject("nbdfuse, nbdkit luks", ["nbdfuse", "-r", "{at}/disk.raw", "["] + luks_filter
                + ["]"], inputs=("luks",), programs=("nbdkit", "qemu-img")),
        Subject("nbdfuse, nbdkit vmcrypt", ["nbdfuse", "-r", "{at}/disk.raw", "["]
                + nbdkit_ours(inputs, "enc512.vmdk") + ["]"], inputs=("encrypted",),
                programs=("nbdkit",)),
    ]
    if bitlocker:
        image, phrase_file = bitlocker
        with open(phrase_file, encoding="utf-8") as file:
            phrase = file.read().strip()
        table.append(Subject("dislocker", ["dislocker-fuse", "-q", "-r", "-V", image, f"-u{phrase}",
                                           "--", "{at}", "-f"], shows="dislocker-file", inputs=(),
                             own_size=True))
    return table


def nbdkit_ours(inputs, name):
    path = inputs.path
    return ["nbdkit", "-r", os.path.abspath(f"{inputs.build}/nbdkit-vmcrypt-plugin.so"),
            path(name), f"key=KMS/k={path('kek')}"]


def exports(inputs):
    """Subjects that export through NBD, in the foreground; the first is the measure of ours."""
    path = inputs.path
    plain = path("plain-flat.vmdk")
    head = ["nbdkit", "-f", "-r", "-U", "{socket}"]
    return [
        Subject("nbdkit file", head + ["file", plain]),
        Subject("nbdkit vmcrypt, 512", head + nbdkit_ours(inputs, "enc512.vmdk")[2:],
                inputs=("encrypted",)),
        Subject("nbdkit vmcrypt, plain", head + nbdkit_ours(inputs, "plain.vmdk")[2:]),
        Subject("nbdkit luks", head + ["--filter=luks", "file", path("plain.luks"),
                                       f"passphrase=+{path('phrase')}"],
                inputs=("luks",), programs=("qemu-img",)),
    ]


def adopt_orphans():
    """Servers that go to the background stay descendants of this process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants():
    """PIDs of all processes below this one."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found, left = set(), [os.getpid()]
    while left:
        for child in children.get(left.pop(), []):
            found.add(child)
            left.append(child)
    return found


class Running:
    """A started server. `first_byte` is how long it took until its first bytes could be read."""

    def __init__(self, subject, directory, size):
        self.subject = subject
        stem = os.path.join(directory, "".join(c if c.isalnum() else "-" for c in subject.name))
        self.at, self.socket = f"{stem}.mount", f"{stem}.socket"
        self.is_mount = any("{at}" in word for word in subject.command)
        self.file = os.path.join(self.at, subject.shows) if subject.shows else self.at
        self.size = size
        if self.is_mount and subject.shows:
            os.makedirs(self.at, exist_ok=True)
        elif self.is_mount:
            with open(self.at, "wb"):
                pass
        before = descendants()
        started = time.monotonic()
        with open(f"{stem}.log", "wb") as log:
            self.process = subprocess.Popen(
                [word.format(at=self.at, socket=self.socket) for word in subject.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.ready = self._wait(started)
        self.first_byte = time.monotonic() - started
        self.pids = descendants() - before
        with open(f"{stem}.log", encoding="utf-8", errors="replace") as log:
            self.said = " ".join(log.read().split())[-300:]
        if not self.ready:
            self.stop()

    def _wait(self, started):
        while time.monotonic() - started < START_SECONDS:
            if self._is_there():
                return True
            if self.process.poll() not in (None, 0):
                return False
            time.sleep(0.0005)
        return False

    def _is_there(self):
        if not self.is_mount:
            return os.path.exists(self.socket)
        try:
            size = os.stat(self.file).st_size
            if size == 0 or (size != self.size and not self.subject.own_size):
                return False
            with open(self.file, "rb", buffering=0) as file:
                self.size = size
                return len(file.read(4096)) == 4096
        except OSError:
            return False

    def _threads(self):
        for pid in self.pids:
            try:
                yield from (int(thread) for thread in os.listdir(f"/proc/{pid}/task"))
            except OSError:
                pass

    def pin(self, cpus):
        for thread in self._threads():
            try:
                os.sched_setaffinity(thread, cpus)
            except OSError:
                pass

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        """Most memory that was resident; with mappings of files."""
        kib = 0
        for pid in self.pids:
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    kib += sum(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            except OSError:
                pass
        return kib / 1024

    def drop_cache(self):
        with open(self.file, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def stop(self):
        if self.is_mount:
            subprocess.run(["fusermount3", "-u", "-z", self.at], check=False,
                           stderr=subprocess.DEVNULL)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids:
                try:
                    os.kill(pid, number)
                except OSError:
                    pass
            deadline = time.monotonic() + 3
            while self.pids and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.01)
        self.process.poll()
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def _reap(self):
        self.process.poll()
        for pid in list(self.pids):
            try:
                gone = os.waitpid(pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                gone = not os.path.exists(f"/proc/{pid}")
            if gone:
                self.pids.discard(pid)
