#!/usr/bin/python3
"""Our YAML of event logs against tpm2_eventlog's: the same values, or a difference that has a name.

    tpm_yaml.py golden SAMPLES      against the documents in tpm2-tools' own tests
    tpm_yaml.py installed SAMPLES   against what the tpm2_eventlog on this machine prints

Documents are compared as what they load to. Every difference must be one that explain() knows
the reason of; the rest is printed and makes the exit status 1. Status 77: nothing to compare.
"""
import json
import os
import re
import subprocess
import sys

import yaml

LOG = ["vmcrypt-tpm", "log", "--yaml"]
PATHS = {"event-pretty": "efivar", "event-pretty-39": "efivar39", "event-raw": "hex", ".": "hex"}

KEYS = "tpm2_eventlog forgets the dashes in a legacy log: all events are one mapping"
LITERAL = "release 5.4 prints texts as literal blocks that hold quotes and escapes"
CUT = "tpm2_eventlog has room for 1024 bytes of data and drops the rest"
CRTM = "tpm2_eventlog reads the text of EV_S_CRTM_CONTENTS as two addresses"
ZERO = "tpm2_eventlog takes the zeros behind the log for events"
VENDOR_DB = "release 5.4 does not know shim's vendor_db"
PCR0 = "release 5.4 starts PCR 0 from a byte of any EV_NO_ACTION; ours is the project's own value"


def load_theirs(name, text, seen):
    """Their document; with the dashes that the events of a legacy log lack."""
    if "\nevents:\n  PCRIndex:" in text:
        seen.setdefault(KEYS, set()).add(name)
        text = text.replace("\n  PCRIndex:", "\n- PCRIndex:")
    return yaml.safe_load(text)


def differences(theirs, ours, path=()):
    """(path, theirs, ours) of all that is not the same."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in list(theirs) + [k for k in ours if k not in theirs]:
            yield from differences(theirs.get(key), ours.get(key), path + (key,))
    elif isinstance(theirs, list) and isinstance(ours, list):
        for i in range(max(len(theirs), len(ours))):
            a = theirs[i] if i < len(theirs) else None
            b = ours[i] if i < len(ours) else None
            yield from differences(a, b, path + (i,))
    elif theirs != ours or type(theirs) is not type(ours):
        yield path, theirs, ours


def unquoted(text):
    """What release 5.4 meant: lines in quotes of their own, new lines and \\r dropped."""
    names = dict(zip("0abtvfre", "\0\a\b\t\v\f\r\x1b"))
    lines = [re.sub(r"\\(.)", lambda m: names.get(m[1], m[1]), line[1:-1])
             for line in text.split("\n")]
    return "\n".join(lines).rstrip("\n")


def explain(path, theirs, ours, document, old, right):
    """The reason for one difference; None when there is no known one. RIGHT: the PCRs, when old."""
    event = document["events"][path[1]] if path[0] == "events" and len(path) > 1 and \
        path[1] < len(document["events"]) else {}
    kind = (event or {}).get("EventType")
    last = path[-1]
    if last == "Event" and isinstance(theirs, str) and isinstance(ours, str) and \
            len(theirs) == 2048 and ours.startswith(theirs):
        return CUT
    if kind == "EV_S_CRTM_CONTENTS" and path[2] == "Event":
        return CRTM
    if path[0] == "events" and ours is None and len(path) == 2 and theirs.get("DigestCount") == 0:
        return ZERO
    if not old:
        return None
    if last == "String" and unquoted(theirs) == ours.rstrip("\n"):
        return LITERAL
    if last == "VariableData" and event["Event"]["UnicodeName"] == "vendor_db":
        return VENDOR_DB
    if path[0] == "pcrs" and path[2:] == (0,) and ours == right.get(path[1], {}).get("0"):
        return PCR0
    return None


def ours(log, version, paths):
    run = subprocess.run(LOG + [f"--yaml-version={version}", f"--yaml-paths={paths}", log],
                         capture_output=True)
    if run.returncode != 0:
        sys.exit(f"{log}: exit status {run.returncode}: {run.stderr.decode()}")
    return yaml.safe_load(run.stdout.decode())


def compare(name, theirs, document, old, seen, right=None):
    """Print what is not explained; count what is."""
    bad = 0
    for path, a, b in differences(theirs, document):
        reason = explain(path, a, b, theirs, old, right)
        if reason is None:
            bad += 1
            if bad <= 5:
                print(f"{name}: {'/'.join(map(str, path))}: theirs {a!r:.200} ours {b!r:.200}")
        else:
            seen.setdefault(reason, set()).add(name)
    return bad


def golden(samples):
    top = os.path.join(samples, "eventlogs", "tpm2-tools")
    bad, count, seen = 0, 0, {}
    for folder, paths in PATHS.items():
        for file in sorted(os.listdir(os.path.join(top, folder))):
            if not file.endswith(".bin.yaml"):
                continue
            log = os.path.join(top, file[:-len(".yaml")])
            with open(os.path.join(top, folder, file), encoding="utf-8") as text:
                theirs = load_theirs(f"{folder}/{file}", text.read(), seen)
            bad += compare(f"{folder}/{file}", theirs, ours(log, theirs["version"], paths), False,
                           seen)
            count += 1
    bad += hex_data(os.path.join(top, "event-moklisttrusted"), seen)
    return bad, count, seen


def hex_data(stem, seen):
    """keylime's document of the same log has all data in hex: our texts are those bytes."""
    with open(stem + "-hex.yaml", encoding="utf-8") as text:
        theirs = yaml.safe_load(text.read())
    events = ours(stem + ".bin", 1, "hex")["events"]
    bad = len(theirs) != len(events)
    for a, b in zip(theirs, events):
        data = bytes.fromhex(a["content"]["event_data"])
        event = b.get("Event")
        text = event.get("String") if isinstance(event, dict) else None
        if a["pcr"] != b["PCRIndex"] or (b["EventNum"] > 0 and len(data) != b["EventSize"]) or \
                (text is not None and text.encode() != data):
            print(f"{stem}-hex.yaml: event {b['EventNum']} differs")
            bad += 1
        elif text is not None:
            seen.setdefault("texts of keylime's document in hex are the same", set()).add(
                b["EventNum"])
    return bad


def installed(samples):
    top = os.path.join(samples, "eventlogs")
    version = subprocess.run(["tpm2_eventlog", "--version"], capture_output=True).stdout.decode()
    old = 'version="5.4"' in version
    with open(os.path.join(top, "expected_pcrs.json"), encoding="utf-8") as text:
        expected = json.load(text)
    bad, count, seen = 0, 0, {}
    for log in sorted(expected):
        right = {bank: {pcr: int(value, 16) for pcr, value in values.items()}
                 for bank, values in expected[log]["pcrs"].items()}
        for number in (1, 2):
            run = subprocess.run(["tpm2_eventlog", f"--eventlog-version={number}",
                                  os.path.join(top, log)], capture_output=True)
            if run.returncode != 0:
                seen.setdefault("tpm2_eventlog gives up", set()).add(log)
                continue
            try:
                theirs = load_theirs(log, run.stdout.decode("utf-8", "surrogateescape"), seen)
            except yaml.YAMLError:
                seen.setdefault("tpm2_eventlog's document does not load", set()).add(log)
                continue
            bad += compare(f"{log} (version {number})", theirs,
                           ours(os.path.join(top, log), number, "hex"), old, seen, right)
            count += 1
    return bad, count, seen


def main():
    bad, count, seen = {"golden": golden, "installed": installed}[sys.argv[1]](sys.argv[2])
    if count == 0:
        sys.exit(77)
    for reason, where in sorted(seen.items()):
        print(f"explained in {len(where)}: {reason}")
    print(f"{count} documents, {bad} differences without a reason")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
