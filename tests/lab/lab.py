#!/usr/bin/python3
"""Makes encrypted VMs from a seed, and checks what others made of them. See README.md."""
import argparse
import sys

import keyring
import machine
import reader
import tools
import verify
import vmdkmake
from diskkinds import DISK_KINDS
from kinds import KINDS


def main():
    args = _arguments()
    try:
        return args.run(args)
    except tools.MissingTool as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return tools.EXIT_SKIP
    except (tools.LabError, OSError, LookupError, ValueError) as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1


def _arguments():
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="the kinds, one per line")
    command.set_defaults(run=_list)

    command = commands.add_parser("make", help="make a machine")
    command.add_argument("kind", choices=KINDS, metavar="KIND")
    command.add_argument("directory", metavar="DIR", help="must not exist")
    command.add_argument("--seed", type=int, default=1, metavar="N")
    command.add_argument("--disk-mib", type=int, metavar="N", help="size of every disk")
    command.set_defaults(run=_make)

    command = commands.add_parser("disks", help="the kinds of disk, one per line")
    command.set_defaults(run=_disks)

    command = commands.add_parser("disk", help="make a disk, or a chain of disks")
    command.add_argument("kinds", metavar="KIND[,KIND...]",
                         help="of each layer, the base first; mixed: all sorts of deltas")
    command.add_argument("directory", metavar="DIR", help="must not exist")
    command.add_argument("--seed", type=int, default=1, metavar="N")
    command.add_argument("--sectors", type=int, default=16391, metavar="N")
    command.add_argument("--layers", type=int, default=0, metavar="N",
                         help="so many, the last KIND again and again")
    command.add_argument("--encrypt", choices=("none", "some", "all"), default="none")
    command.add_argument("--writes", type=int, default=24, metavar="N", help="in every layer")
    command.add_argument("--grow", type=int, default=0, metavar="N",
                         help="sectors by which a delta is longer than its parent")
    command.add_argument("--full", action="store_true", help="written all over, in order")
    command.set_defaults(run=_disk)

    command = commands.add_parser("verify", help="compare a raw image with the truth")
    command.add_argument("directory", metavar="DIR")
    command.add_argument("image", metavar="IMAGE")
    command.add_argument("--disk", metavar="NAME", help="disk1, disk2 … or a descriptor's name")
    command.set_defaults(run=_verify)

    command = commands.add_parser("decrypt-vmx", help="print the encrypted section of a .vmx")
    command.add_argument("file", metavar="FILE")
    _add_keys(command)
    command.set_defaults(run=_decrypt_vmx)

    command = commands.add_parser("decrypt-disk", help="write the raw image of a disk")
    command.add_argument("descriptor", metavar="DESCRIPTOR")
    command.add_argument("out", metavar="OUT", help="must not exist")
    _add_keys(command)
    command.set_defaults(run=_decrypt_disk)
    return parser.parse_args()


def _add_keys(command):
    command.add_argument("--kek-file", action="append", default=[], metavar="F",
                         help="raw, hex or base64 key; may be repeated")
    command.add_argument("--passphrase-file", action="append", default=[], metavar="F",
                         help="one trailing newline is stripped; may be repeated")


def _keys(args):
    return ([keyring.load_key(path) for path in args.kek_file],
            [keyring.load_passphrase(path) for path in args.passphrase_file])


def _list(_args):
    for kind in KINDS.values():
        print(kind.name, kind.summary, ",".join(kind.tools()), sep="\t")
    return 0


def _make(args):
    machine.make(KINDS[args.kind], args.directory, args.seed, args.disk_mib)
    return 0


def _disks(_args):
    for kind in DISK_KINDS.values():
        print(kind.name, kind.create_type, kind.summary, sep="\t")
    return 0


def _disk(args):
    vmdkmake.make(args.kinds.split(","), args.directory, args.seed, args.sectors, args.layers,
                  args.encrypt, args.writes, args.grow, args.full)
    return 0


def _verify(args):
    disk = verify.find_disk(verify.load_truth(args.directory), args.disk)
    bad = 0
    for good, message in verify.verify(disk, args.image):
        print("ok  " if good else "FAIL", message)
        bad += not good
    return 1 if bad else 0


def _decrypt_vmx(args):
    with open(args.file, "rb") as file:
        data = file.read()
    text = reader.decrypt_vmx(data, *_keys(args))
    sys.stdout.buffer.write(text)
    return 0


def _decrypt_disk(args):
    reader.decrypt_disk(args.descriptor, args.out, *_keys(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
