"""Guest file systems with known files: made, checked and read back without privileges."""
import hashlib
import os
import shutil
import time
from dataclasses import dataclass

import ntfstime
import tools
from tools import LabError

_SMALL = 8 << 20


@dataclass(frozen=True)
class GuestFile:
    path: str       # "/" between directories, none at the start
    data: bytes


def sample_files(seed, size):
    """Files that go wrong differently: about twenty, or five for a very small file system."""
    return _small_files(seed) if size < _SMALL else _many_files(seed, size)


def _small_files(seed):
    files = {
        "empty.dat": b"",
        "hello.txt": b"hello\n",
        "dir/sub/random.bin": seed.bytes("random.bin", 70001),
        "dir/text.txt": b"the same line again\n" * 1500,
        "dir/Grüße.txt": "Grüße\n".encode(),
    }
    return [GuestFile(path, data) for path, data in sorted(files.items())]


def _many_files(seed, size):
    log = b"".join(b"2023-11-14T22:%02d:%02dZ web01 app: request %06d done in 12 ms\n"
                   % (i // 60 % 60, i % 60, i) for i in range(20000))
    big = size // 16 // 4096 * 4096
    files = {
        "etc/hostname": b"web01\n",
        "etc/machine-id": seed.hex("machine id", 32).encode() + b"\n",
        "etc/ssl/private/server.key": seed.bytes("server.key", 1704),
        "empty.dat": b"",
        "one-byte.dat": b"!",
        "sizes/511.bin": seed.bytes("511", 511),
        "sizes/512.bin": seed.bytes("512", 512),
        "sizes/513.bin": seed.bytes("513", 513),
        "sizes/4096.bin": seed.bytes("4096", 4096),
        "sizes/4097.bin": seed.bytes("4097", 4097),
        "home/anna/notes.txt": b"buy milk\n" * 300,
        "home/anna/with some spaces.txt": b"spaces\n",
        "home/anna/Grüße aus 日本.txt": "Grüße aus 日本\n".encode(),
        "home/anna/archive/2019/q3/report.csv": b"id;value\n" + b"1;2\n" * 2000,
        "srv/deep/er/and/deep/er/still/leaf.txt": b"leaf\n",
        "var/log/app.log": log[:big],
        "var/lib/random.bin": seed.bytes("random.bin", big + 1234),
        "var/lib/pattern.bin": bytes(range(256)) * (big // 1024),
        "var/lib/zeros.bin": bytes(big // 2),
        "var/lib/islands.bin": b"".join(
            seed.bytes(f"island {i}", 512) + bytes(3584 + 4096 * (i % 3)) for i in range(40)),
    }
    return [GuestFile(path, data) for path, data in sorted(files.items())]


def flatten(files):
    """All files in the root directory: ntfscp cannot make directories."""
    return [GuestFile(file.path.replace("/", "_"), file.data) for file in files]


class _Ext:
    """ext2/ext4 through mke2fs and debugfs."""

    def __init__(self, version, block, features):
        self.tools = ("mke2fs", "debugfs", "e2fsck")
        self._version, self._block, self._features = version, block, features

    def make(self, image, files, seed, work, first_sector):
        tools.run("mke2fs", "-q", "-F", "-t", self._version, "-O", self._features,
                  "-b", self._block, "-m", 0,
                  "-L", "labdata", "-U", seed.uuid("ext uuid"), "-E",
                  f"hash_seed={seed.uuid('hash seed')},lazy_itable_init=0,lazy_journal_init=0,"
                  "nodiscard,root_owner=0:0", image)
        # debugfs writes, not `mke2fs -d`: the latter copies the inode change times of this run.
        script = [f"set_current_time @{tools.LAB_TIME}"]
        script += [f'mkdir "/{directory}"' for directory in _directories(files)]
        for i, file in enumerate(files):
            source = _stage(work, i, file)
            directory, name = os.path.split(file.path)
            script += [f'cd "/{directory}"', f'write "{source}" "{name}"']
        tools.run("debugfs", "-w", "-f", "-", image, stdin="\n".join(script + [""]).encode())

    def check(self, image):
        done = tools.run("e2fsck", "-fn", image, check=False)
        return done.returncode == 0

    def extract(self, image, target):
        tools.run("debugfs", "-R", f'rdump / "{target}"', image)
        shutil.rmtree(os.path.join(target, "lost+found"), ignore_errors=True)


class _Fat:
    """FAT16/FAT32 through mkfs.vfat and mtools."""
    tools = ("mkfs.vfat", "fsck.vfat", "mcopy", "mmd")

    def __init__(self, bits):
        self._bits = bits

    def make(self, image, files, seed, work, first_sector):
        tools.run("mkfs.vfat", "--invariant", "-F", self._bits, "-s", 1 if self._bits == 32 else 2,
                  "-i", seed.hex("fat id", 8), "-n", "LABDATA", "-h", first_sector, image)
        for directory in _directories(files):
            tools.run("mmd", "-i", image, "::/" + directory)
        for i, file in enumerate(files):
            tools.run("mcopy", "-m", "-i", image, _stage(work, i, file), "::/" + file.path)

    def check(self, image):
        return tools.run("fsck.vfat", "-n", image, check=False).returncode == 0

    def extract(self, image, target):
        tools.run("mcopy", "-s", "-n", "-i", image, "::*", target)


class _Ntfs:
    """NTFS through ntfs-3g's programs, which work on image files unprivileged."""
    tools = ("mkntfs", "ntfscp", "ntfscat", "ntfsls", "ntfsfix")

    def make(self, image, files, seed, work, first_sector):
        start = time.time()
        tools.run("mkntfs", "-F", "-f", "-q", "-T", "-L", "labdata", "-s", 512, "-c", 4096,
                  "-p", first_sector, "-H", 255, "-S", 63, image)
        for i, file in enumerate(files):
            tools.run("ntfscp", "-q", image, _stage(work, i, file), file.path)
        ntfstime.freeze(image, start, time.time(), tools.LAB_TIME)

    def check(self, image):
        return tools.run("ntfsfix", "-n", image, check=False).returncode == 0

    def extract(self, image, target):
        for name in tools.run("ntfsls", image).stdout.decode().splitlines():
            data = tools.run("ntfscat", image, name).stdout
            with open(os.path.join(target, name), "wb") as file:
                file.write(data)


FILESYSTEMS = {
    # Features by name: what a bare -t gives depends on the machine's mke2fs.conf.
    "ext2": _Ext("ext2", 1024, "sparse_super,filetype,dir_index"),
    "ext4": _Ext("ext4", 4096, "has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,"
                               "dir_nlink,extra_isize,sparse_super,filetype,dir_index"),
    "fat16": _Fat(16),
    "fat32": _Fat(32),
    "ntfs": _Ntfs(),
}


def verify(filesystem, image, expected, work):
    """Compare a file system with [(path, size, sha256)]; yields (good, message)."""
    driver = FILESYSTEMS[filesystem]
    tools.require(driver.tools)
    yield driver.check(image), f"{filesystem} file system check"
    target = os.path.join(work, "extracted")
    os.mkdir(target)
    try:
        try:
            driver.extract(image, target)
        except LabError as error:
            yield False, str(error)
        found = _digests(target)
    finally:
        shutil.rmtree(target)
    for path, size, digest in expected:
        yield found.pop(path, None) == (size, digest), path
    for path in sorted(found):
        yield False, f"{path} (not in the truth)"


def _directories(files):
    """Every directory on the way to a file, parents first."""
    found = set()
    for file in files:
        parts = file.path.split("/")[:-1]
        found.update("/".join(parts[:i + 1]) for i in range(len(parts)))
    return sorted(found)


def _stage(work, number, file):
    """A host file with the content, in plain ASCII spelling and with the lab's time."""
    path = os.path.join(work, f"stage{number}")
    with open(path, "wb") as staged:
        staged.write(file.data)
    os.utime(path, (tools.LAB_TIME, tools.LAB_TIME))
    return path


def _digests(root):
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                data = file.read()
            found[os.path.relpath(path, root)] = (len(data), hashlib.sha256(data).hexdigest())
    return found
