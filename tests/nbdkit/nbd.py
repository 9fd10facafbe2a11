#!/usr/bin/python3
"""A small NBD client, written from the protocol's description alone (newstyle, simple and structured
replies), to see what a server answers to requests that no tidy client makes.

    nbd.py check SOCKET EXPORT IMAGE [--seed N]   random reads of any size and place, many under way
                                                  on several connections, equal to IMAGE
    nbd.py refuse SOCKET EXPORT                   every writing request fails with EPERM
    nbd.py read SOCKET EXPORT OFFSET LENGTH       "ok", or the error's number
    nbd.py map SOCKET EXPORT [--one]              "OFFSET LENGTH FLAGS" for each extent
"""
import argparse
import random
import socket
import struct
import sys

OPTION, REPLY = 0x49484156454F5054, 0x3E889045565A9
REQUEST, SIMPLE, STRUCTURED = 0x25609513, 0x67446698, 0x668E33EF
READ, WRITE, DISCONNECT, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS = 0, 1, 2, 4, 5, 6, 7
REQ_ONE = 1 << 3
READ_ONLY, MULTI_CONN = 1 << 1, 1 << 8
EPERM, EINVAL = 1, 22


class Connection:
    def __init__(self, path, export):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        assert self.take(16) == b"NBDMAGICIHAVEOPT"
        assert struct.unpack(">H", self.take(2))[0] & 1
        self.socket.sendall(struct.pack(">I", 3))  # fixed newstyle, no zeroes
        self.option(8, b"")  # structured replies
        context = b"base:allocation"
        name = export.encode()
        self.option(10, struct.pack(">I", len(name)) + name + struct.pack(">II", 1, len(context))
                    + context)
        for kind, data in self.option(7, struct.pack(">I", len(name)) + name + b"\0\0"):
            if kind == 3 and data[:2] == b"\0\0":
                self.size, self.flags = struct.unpack(">QH", data[2:12])

    def take(self, count):
        data = bytearray()
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the server has gone")
            data += more
        return bytes(data)

    def option(self, number, data):
        self.socket.sendall(struct.pack(">QII", OPTION, number, len(data)) + data)
        answers = []
        while True:
            magic, _, kind, length = struct.unpack(">QIII", self.take(20))
            assert magic == REPLY
            data = self.take(length)
            if kind & 1 << 31:
                raise PermissionError(f"option {number}: {data.decode()}")
            if kind == 1:
                return answers
            answers.append((kind, data))

    def send(self, kind, offset, length, payload=b"", flags=0, cookie=0):
        self.socket.sendall(struct.pack(">IHHQQI", REQUEST, flags, kind, cookie, offset, length)
                            + payload)

    def answer(self):
        """One whole reply: cookie, error, the data by offset, the extents."""
        data, extents, error = [], [], 0
        while True:
            magic, = struct.unpack(">I", self.take(4))
            if magic == SIMPLE:
                error, cookie = struct.unpack(">IQ", self.take(12))
                return cookie, error, data, extents
            assert magic == STRUCTURED
            flags, kind, cookie, length = struct.unpack(">HHQI", self.take(16))
            body = self.take(length)
            if kind & 1 << 15:
                error, = struct.unpack(">I", body[:4])
            elif kind == 1:
                data.append((struct.unpack(">Q", body[:8])[0], body[8:]))
            elif kind == 2:
                offset, count = struct.unpack(">QI", body)
                data.append((offset, bytes(count)))
            elif kind == 5:
                extents = list(struct.iter_unpack(">II", body[4:]))
            if flags & 1:
                return cookie, error, data, extents

    def ask(self, *args, **options):
        self.send(*args, **options)
        return self.answer()[1:]


def check(connection_of, image, seed):
    chance = random.Random(seed)
    connections = [connection_of() for _ in range(4)]
    size = connections[0].size
    assert connections[0].flags & READ_ONLY, "not read-only"
    assert connections[0].flags & MULTI_CONN, "no multi-conn"
    assert size == len(image), f"{size} bytes, not {len(image)}"
    places = {}
    for _ in range(24):
        for connection in connections:
            for cookie in range(8):
                length = chance.choice([1, 512, 4096, 65536, chance.randrange(1, 300000)])
                start = chance.choice([0, size - length, chance.randrange(size - length)])
                if chance.random() < 0.5:
                    start -= start % 512
                places[connection, cookie] = start, length
                connection.send(READ, start, length, cookie=cookie)
        for connection in connections:
            for _ in range(8):
                cookie, error, data, _ = connection.answer()
                start, length = places.pop((connection, cookie))
                assert error == 0, f"{length} bytes at {start}: error {error}"
                got = b"".join(part for _, part in sorted(data))
                assert got == image[start:start + length], f"{length} bytes at {start} differ"
    print(f"{24 * 4 * 8} reads are equal")


def refuse(connection):
    assert connection.flags & READ_ONLY
    for name, kind, payload in (("write", WRITE, bytes(512)), ("trim", TRIM, b""),
                                ("write zeroes", WRITE_ZEROES, b"")):
        error = connection.ask(kind, 0, 512, payload)[0]
        assert error in (EPERM, EINVAL), f"{name}: {error}"
        print(f"{name}: refused")
    assert connection.ask(READ, connection.size, 512)[0] == EINVAL
    assert connection.ask(READ, 0, 512)[0] == 0


def show_map(connection, one):
    at = 0
    while at < connection.size:
        length = min(connection.size - at, 0xfffffe00)
        error, _, extents = connection.ask(BLOCK_STATUS, at, length, flags=REQ_ONE if one else 0)
        assert error == 0, error
        assert len(extents) == 1 or not one
        for length, flags in extents:
            print(at, length, flags)
            at += length


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["check", "refuse", "read", "map"])
    parser.add_argument("socket")
    parser.add_argument("export")
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", action="store_true")
    args = parser.parse_args()

    def connection():
        return Connection(args.socket, args.export)

    if args.what == "check":
        with open(args.rest[0], "rb") as image:
            check(connection, image.read(), args.seed)
    elif args.what == "refuse":
        refuse(connection())
    elif args.what == "read":
        error = connection().ask(READ, int(args.rest[0]), int(args.rest[1]))[0]
        print(error or "ok")
    else:
        show_map(connection(), args.one)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, EOFError, PermissionError, OSError) as error:
        sys.exit(f"nbd.py: {error}")
