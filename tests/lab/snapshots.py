"""A machine's snapshots: a delta of every disk for each, and the database that lists them.

The disk that a snapshot names is the one that was the newest when it was taken; what came after
lies in the delta above. A delta holds the sectors in which two states of the guest differ.
[Broadcom KB 337269; .vmsd files in public reports]
"""
import os

import cowd
import descriptor
import sesparse
import vmxtext
from descriptor import Extent
from disklayer import Layer
from kinds import KekLock
from partition import SECTOR
from tools import LAB_TIME
from xtsdisk import XtsCipher

_BLOCK = 8      # sectors compared, and written, together

# createType, type of the extent line, behind the name of the descriptor
_FORMS = {"vmfsSparse": ("VMFSSPARSE", "-delta.vmdk"),
          "seSparse": ("SESPARSE", "-sesparse.vmdk")}


class _RawImage:
    def __init__(self, path):
        self._file = open(path, "rb")
        self.sectors = os.path.getsize(path) // SECTOR

    def read(self, first, count):
        self._file.seek(first * SECTOR)
        return self._file.read(count * SECTOR)

    def close(self):
        self._file.close()


def _differences(old, new):
    """(first, sectors) of the blocks in which two images of the same size differ."""
    ranges = []
    for first in range(0, new.sectors, _BLOCK):
        count = min(_BLOCK, new.sectors - first)
        if old.read(first, count) == new.read(first, count):
            continue
        if ranges and sum(ranges[-1]) == first:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + count)
        else:
            ranges.append((first, count))
    return ranges


def add_delta(directory, stem, number, kind, before, after, key, keys, parent, seed):
    """Write delta `number` of the disk `stem`, from image `before` to image `after`; returns its
    Layer as the truth has it. `keys`: encryptionKeys of `key`, or "" for both None."""
    extent_kind, suffix = _FORMS[kind]
    name = f"{stem}-{number:06}"
    old, new = _RawImage(before), _RawImage(after)
    layer = Layer(new, _differences(old, new), key and XtsCipher(key.data), seed)
    path = os.path.join(directory, name + suffix)
    if kind == "vmfsSparse":
        cowd.write(path, layer, 0, new.sectors, 1, os.path.basename(parent["descriptor"]))
    else:
        sesparse.write(path, layer, 0, new.sectors)
    extents = (Extent(new.sectors, extent_kind, name + suffix),)
    text = descriptor.Descriptor(
        kind, extents, keys, "vmwarevmcrypt" if key else "", parent_cid=parent["cid"],
        parent_hint=os.path.basename(parent["descriptor"])).render(seed, "19")
    with open(os.path.join(directory, name + ".vmdk"), "xb") as out:
        out.write(text)
    old.close()
    new.close()
    return layer_truth(f"vm/{name}.vmdk", kind, key, seed)


def layer_truth(path, kind, key, seed):
    return {"descriptor": path, "kind": kind, "cid": descriptor.content_id(seed),
            "encrypted": key is not None, "dek": key and key.data.hex()}


def lock(number, lock):
    """Every delta is under a key of its own."""
    return lock and KekLock(role=f"{lock.role} delta {number}", provider=lock.provider)


def database(kind, disks):
    """The .vmsd, and what it says, for the truth. `disks`: of each disk its layers."""
    text = vmxtext.VmxText([(".encoding", kind.encoding)])
    truth = []
    if not kind.snapshots:
        return text, truth
    text.set("snapshot.lastUID", str(max(s.uid for s in kind.snapshots)))
    text.set("snapshot.current", str(kind.snapshots[-1].uid))
    for i, snapshot in enumerate(kind.snapshots):
        name = f"snapshot{i}"
        # Microseconds; the lower half is written as a signed number.
        created = (LAB_TIME + 1000 + 86400 * i) * 1000000 + 123456
        low = created & 0xFFFFFFFF
        text.set(f"{name}.uid", str(snapshot.uid))
        text.set(f"{name}.filename", f"{kind.vm_name}-Snapshot{snapshot.uid}.vmsn")
        if i:
            text.set(f"{name}.parent", str(kind.snapshots[i - 1].uid))
        text.set(f"{name}.displayName", snapshot.name)
        text.set(f"{name}.description", snapshot.description)
        text.set(f"{name}.type", "1")
        text.set(f"{name}.createTimeHigh", str(created >> 32))
        text.set(f"{name}.createTimeLow", str(low - (1 << 32) if low >> 31 else low))
        text.set(f"{name}.numDisks", str(len(disks)))
        for j, layers in enumerate(disks):
            text.set(f"{name}.disk{j}.fileName", os.path.basename(layers[i]["descriptor"]))
            text.set(f"{name}.disk{j}.node", f"scsi0:{j}")
        truth.append({
            "uid": snapshot.uid, "name": snapshot.name, "description": snapshot.description,
            "parent": kind.snapshots[i - 1].uid if i else None, "created": created,
            "directory": snapshot.directory,
            "disks": [{"name": f"disk{j + 1}", "node": f"scsi0:{j}",
                       "descriptor": layers[i]["descriptor"], "raw": layers[i]["raw"],
                       "sha256": layers[i]["sha256"]} for j, layers in enumerate(disks)],
        })
    text.set("snapshot.numSnapshots", str(len(kind.snapshots)))
    return text, truth
