#!/usr/bin/python3
"""One reader that hammers files of a mount and compares all it gets with a model.

Usage: hammer.py VIEWS.json SECONDS SEED [--until-it-ends]

VIEWS.json lists {"file", "model", "start", "size"}: `file` shows `size` bytes of the raw image
`model` from `start` on. For SECONDS it does what programs do with files, at random places: pread,
preadv, O_DIRECT, mappings, sendfile, runs from front to back, holes, opening anew, dropping caches,
and trying to write. Prints what was done as one JSON object. Exit 1: something differed, which is
told on standard error.

With --until-it-ends the file system may vanish under it: the errors of that end it well. It
then has no mappings, since a page of them that cannot be had is a SIGBUS, as it must be.
"""
import collections
import errno
import json
import mmap
import os
import random
import sys
import tempfile
import time

GONE = {errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.ENODEV, errno.EIO}
BIGGEST = 1 << 20
PAGE = 4096


class Differs(Exception):
    pass


class View:
    """An open file of the mount and what it must hold."""

    def __init__(self, view, draw):
        self.file, self.draw = view["file"], draw
        self.size = view["size"]
        with open(view["model"], "rb") as model:
            self.whole = memoryview(mmap.mmap(model.fileno(), 0, prot=mmap.PROT_READ))
        self.model = self.whole[view["start"]:view["start"] + view["size"]]
        self.fd = self.direct = -1
        self.facts = None
        self.reopen()

    def reopen(self):
        for fd in (self.fd, self.direct):
            if fd >= 0:
                os.close(fd)
        self.fd = self.direct = -1
        self.fd = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        self.direct = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
        st = os.fstat(self.fd)
        facts = (st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode, st.st_uid)
        if self.facts not in (None, facts) or st.st_size != self.size:
            raise Differs(f"{self.file} was {self.facts} and {self.size} bytes, is {facts}")
        self.facts = facts

    def place(self, biggest=BIGGEST):
        """A random offset and length, as odd or as even as programs' reads are; past the end
        sometimes."""
        draw = self.draw
        unit = draw.choice((1, 1, 512, PAGE, 65536))
        length = draw.choice((draw.randrange(1, 600), draw.randrange(1, 20000), PAGE,
                              draw.randrange(1, biggest)))
        length = max(unit, length // unit * unit)
        offset = draw.randrange(self.size) // unit * unit
        if draw.randrange(20) == 0:
            offset = max(0, self.size - draw.randrange(2 * PAGE))
        return offset, min(length, biggest)

    def expect(self, what, offset, length, got):
        wanted = self.model[offset:offset + length]
        if wanted == got:
            return len(wanted)
        if len(got) < len(wanted) and wanted[:len(got)] == got:
            os.pread(self.direct, 1, offset + len(got))     # a part may come before an error
        if len(wanted) != len(got):
            raise Differs(f"{self.file}: {what} of {length} at {offset}: {len(got)} bytes instead "
                          f"of {len(wanted)}")
        at = next(i for i in range(len(got)) if wanted[i] != got[i])
        raise Differs(f"{self.file}: {what} of {length} at {offset}: byte {offset + at} differs")


def read(view):
    offset, length = view.place()
    return view.expect("pread", offset, length, os.pread(view.fd, length, offset))


def read_vector(view):
    offset, length = view.place()
    parts = [bytearray(max(1, length // view.draw.randrange(1, 9))) for _ in range(4)]
    done = os.preadv(view.fd, parts, offset)
    return view.expect("preadv", offset, sum(map(len, parts)), b"".join(parts)[:done])


def read_direct(view):
    offset, length = view.place()
    shift = view.draw.choice((0, 0, 0, 512, 7))     # FUSE does not ask for alignment
    with mmap.mmap(-1, BIGGEST + PAGE) as room, memoryview(room) as whole, \
            whole[shift:shift + length] as window:
        done = os.preadv(view.direct, [window], offset)
        return view.expect("direct read", offset, length, bytes(window[:done]))


def read_mapping(view):
    start = view.draw.randrange(view.size) // mmap.ALLOCATIONGRANULARITY
    start *= mmap.ALLOCATIONGRANULARITY
    length = min(view.size - start, view.draw.randrange(1, 4 * BIGGEST))
    kind = view.draw.choice((mmap.MAP_SHARED, mmap.MAP_PRIVATE))
    with mmap.mmap(view.fd, length, flags=kind, prot=mmap.PROT_READ, offset=start) as mapping:
        done = 0
        for _ in range(8):
            at = view.draw.randrange(length)
            part = mapping[at:at + view.draw.randrange(1, 70000)]
            done += view.expect("mapping", start + at, len(part), part)
    return done


def read_run(view):
    """From front to back for a while, so that the kernel reads ahead."""
    offset = view.draw.randrange(view.size)
    block = view.draw.choice((1000, PAGE, 65536, 131072))
    done = 0
    os.lseek(view.fd, offset, os.SEEK_SET)
    for _ in range(view.draw.randrange(2, 40)):
        got = os.read(view.fd, block)
        done += view.expect("read", offset + done, block, got)
        if len(got) < block:
            break
    return done


def send(view):
    offset, length = view.place()
    with tempfile.TemporaryFile() as out:
        done = 0
        while done < length:
            step = os.sendfile(out.fileno(), view.fd, offset + done, length - done)
            if step == 0:
                break
            done += step
        return view.expect("sendfile", offset, length, os.pread(out.fileno(), length, 0)[:done])


def seek(view):
    """What counts as a hole must be zeros, and nothing is skipped."""
    at = view.draw.randrange(view.size)
    for _ in range(16):
        try:
            data = os.lseek(view.fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            data = view.size
        hole = os.lseek(view.fd, data, os.SEEK_HOLE) if data < view.size else view.size
        if not at <= data <= hole <= view.size or (data < view.size and data == hole):
            raise Differs(f"{view.file}: from {at} on data at {data} and then a hole at {hole}")
        if any(view.model[i:min(i + BIGGEST, data)].tobytes().strip(b"\0")
               for i in range(at, data, BIGGEST)):
            raise Differs(f"{view.file}: SEEK_DATA from {at} says {data}, but data come before")
        at = hole
        if at >= view.size:
            break
    return 0


def forget(view):
    offset, length = view.place()
    advice = view.draw.choice((os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED,
                               os.POSIX_FADV_RANDOM, os.POSIX_FADV_SEQUENTIAL))
    os.posix_fadvise(view.fd, 0 if view.draw.randrange(2) else offset, length * 16, advice)
    return 0


def open_again(view):
    view.reopen()
    return 0


def try_to_write(view):
    refused = {errno.EROFS, errno.EACCES, errno.EPERM}
    for attempt in (lambda: os.close(os.open(view.file, os.O_RDWR)),
                    lambda: os.truncate(view.file, 1), lambda: os.unlink(view.file)):
        try:
            attempt()
        except OSError as error:
            if error.errno in refused | GONE:
                continue
            raise
        raise Differs(f"{view.file} could be written")
    return 0


OPERATIONS = {read: 30, read_vector: 10, read_direct: 20, read_mapping: 15, read_run: 5, send: 5,
              seek: 5, forget: 5, open_again: 3, try_to_write: 1}


def hammer(views, seconds, seed, until_it_ends):
    draw = random.Random(seed)
    operations = dict(OPERATIONS)
    if until_it_ends:
        del operations[read_mapping]
    counts, done = collections.Counter(), 0
    end = time.monotonic() + seconds
    try:
        views = [View(view, draw) for view in views]
        while time.monotonic() < end:
            operation, = draw.choices(list(operations), operations.values())
            done += operation(draw.choice(views))
            counts[operation.__name__] += 1
    except OSError as error:
        if not until_it_ends or error.errno not in GONE:
            raise
        counts[f"ended by {errno.errorcode[error.errno]}"] += 1
    return {"bytes": done, "operations": dict(counts)}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        views = json.load(file)
    seconds, seed = float(sys.argv[2]), int(sys.argv[3])
    try:
        print(json.dumps(hammer(views, seconds, seed, "--until-it-ends" in sys.argv[4:])))
    except Differs as error:
        sys.exit(f"seed {seed}: {error}")
    except OSError as error:
        sys.exit(f"seed {seed}: {error}")


if __name__ == "__main__":
    main()
