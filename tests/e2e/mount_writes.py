#!/usr/bin/env python3
"""mount_writes.py DIRECTORY FILE: try in every way to change these two, which lie in a mount.

Prints "CALL: ERROR" for each, and fails when one of them is not refused with EROFS, or for
calls that go by a descriptor open for reading, with what the kernel says to any such descriptor.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys

directory, path = map(os.path.abspath, sys.argv[1:])
new = os.path.join(directory, "new")
libc = ctypes.CDLL(None, use_errno=True)
reader = os.open(path, os.O_RDONLY)
here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)


def raw(name, *arguments):
    """A call that Python does not have."""
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def opened(flags):
    return lambda: os.close(os.open(path, flags))


def bind():
    with socket.socket(socket.AF_UNIX) as s:
        os.chdir(directory)  # a socket's path is short
        s.bind("new")


def copy_range():
    with open("/proc/self/exe", "rb") as source:
        os.copy_file_range(source.fileno(), reader, 10)


def set_flags():
    FS_IOC_SETFLAGS, FS_APPEND_FL = 0x40086602, 0x20
    fcntl.ioctl(reader, FS_IOC_SETFLAGS, struct.pack("l", FS_APPEND_FL))


AT_FDCWD, RENAME_EXCHANGE = -100, 2
SYMLINK = os.path.join(directory, "new-link")

refused = {  # by path: a read-only file system
    "open O_WRONLY": opened(os.O_WRONLY),
    "open O_RDWR": opened(os.O_RDWR),
    "open O_WRONLY|O_APPEND": opened(os.O_WRONLY | os.O_APPEND),
    "open O_TRUNC": opened(os.O_WRONLY | os.O_TRUNC),
    "open O_CREAT": lambda: os.open(new, os.O_RDONLY | os.O_CREAT),
    "open O_CREAT|O_WRONLY": lambda: os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "open O_TMPFILE": lambda: os.open(directory, os.O_RDWR | os.O_TMPFILE),
    "access W_OK": lambda: raw("access", path.encode(), os.W_OK),
    "truncate": lambda: os.truncate(path, 0),
    "mkdir": lambda: os.mkdir(new),
    "mknod file": lambda: os.mknod(new),
    "mkfifo": lambda: os.mkfifo(new),
    "bind of a socket": bind,
    "symlink": lambda: os.symlink("target", SYMLINK),
    "link": lambda: os.link(path, new),
    "rename": lambda: os.rename(path, new),
    "renameat2 RENAME_EXCHANGE": lambda: raw(
        "renameat2", AT_FDCWD, path.encode(), AT_FDCWD, directory.encode(), RENAME_EXCHANGE),
    "unlink": lambda: os.unlink(path),
    "rmdir": lambda: os.rmdir(directory),
    "chmod": lambda: os.chmod(path, 0o666),
    "fchmod": lambda: os.fchmod(reader, 0o666),
    "chown": lambda: os.chown(path, 0, 0),
    "fchown": lambda: os.fchown(reader, 0, 0),
    "utimensat": lambda: os.utime(path, (0, 0)),
    "futimens": lambda: os.utime(reader, (0, 0)),
    "setxattr": lambda: os.setxattr(path, "user.a", b""),
    "fsetxattr": lambda: os.setxattr(reader, "user.a", b""),
    "setxattr of the status": lambda: os.setxattr(path, "user.vmcrypt.status", b""),
    "removexattr": lambda: os.removexattr(path, "user.a"),
}
denied = {  # by a descriptor that is open for reading
    "write": (lambda: os.write(reader, b"a"), {errno.EBADF}),
    "pwrite": (lambda: os.pwrite(reader, b"a", 0), {errno.EBADF}),
    "pwritev": (lambda: os.pwritev(reader, [b"a"], 0), {errno.EBADF}),
    "ftruncate": (lambda: os.ftruncate(reader, 0), {errno.EINVAL, errno.EBADF}),
    "fallocate": (lambda: os.posix_fallocate(reader, 0, 10), {errno.EBADF}),
    "fallocate PUNCH_HOLE": (
        lambda: raw("fallocate", reader, 3, ctypes.c_long(0), ctypes.c_long(10)), {errno.EBADF}),
    "copy_file_range": (copy_range, {errno.EBADF}),
    "sendfile": (lambda: os.sendfile(reader, reader, 0, 10), {errno.EBADF}),
    "mmap MAP_SHARED PROT_WRITE": (
        lambda: mmap.mmap(reader, 100, mmap.MAP_SHARED, mmap.PROT_WRITE), {errno.EACCES}),
    "ioctl FS_IOC_SETFLAGS": (set_flags, {errno.EROFS, errno.ENOTTY, errno.EACCES, errno.EPERM}),
    "mkdirat": (lambda: os.mkdir("new", dir_fd=here), {errno.EROFS}),
}

failures = 0
for name, call in refused.items():
    denied[name] = (call, {errno.EROFS})
for name, (call, expected) in denied.items():
    try:
        call()
        result = 0
    except OSError as problem:
        result = problem.errno
    wrong = result not in expected
    failures += wrong
    print(f"{name}: {errno.errorcode.get(result, 'was let through')}{' (!)' if wrong else ''}")
sys.exit(failures > 0)
