"""Compares a raw image with the truth: whole, partition table, file systems, every file."""
import json
import os
import tempfile

import guestfs
import partition
import sparse
from tools import LabError


def load_truth(directory):
    with open(os.path.join(directory, "truth.json"), encoding="utf-8") as file:
        return json.load(file)


def find_disk(truth, name):
    """A disk by its name, its descriptor's file name, or the first one for None."""
    for disk in truth["disks"]:
        if name in (None, disk["name"], os.path.basename(disk["descriptor"])):
            return disk
    raise LabError(f"no disk {name} in the truth")


def verify(disk, image_path):
    """Yields (good, message)."""
    size = os.path.getsize(image_path)
    yield size == disk["size"], f"size {size}"
    yield sparse.sha256(image_path) == disk["sha256"], "sha256 of the whole image"
    with open(image_path, "rb") as image:
        try:
            table, places = partition.read(image, disk["size"] // partition.SECTOR)
        except LabError as error:
            yield False, str(error)
            return
        expected = [partition.Partition(p["first"], p["sectors"]) for p in disk["partitions"]]
        yield (table, places) == (disk["table"], expected), f"{table} partition table"
        for place, known in zip(places, disk["partitions"]):
            yield from _verify_volume(image, place, known)


def _verify_volume(image, place, known):
    files = [(f["path"], f["size"], f["sha256"]) for f in known["files"]]
    with tempfile.TemporaryDirectory(prefix="vmcrypt-lab-") as work:
        volume = os.path.join(work, "volume")
        size = place.sectors * partition.SECTOR
        sparse.create(volume, size)
        with open(volume, "r+b") as out:
            try:
                sparse.copy(image, place.first * partition.SECTOR, size, out, 0)
            except EOFError:
                yield False, f"partition {known['number']} is cut off"
                return
        yield from guestfs.verify(known["filesystem"], volume, files, work)
