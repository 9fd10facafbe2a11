#!/usr/bin/python3
"""A host that booted ESXi, as its firmware and boot loader would have measured it.

tpm_host.py DIR [--secure-boot 0] [--evil-module] [--command-line TEXT] [--sha1-only] CERT.der

Makes in DIR: log (crypto-agile, SHA-1 and SHA-256), extends (a line PCR:sha1=HEX,sha256=HEX for
tpm2_pcrextend, each), image.yaml (a base image for policies), facts.json. From the rules that
vmware/esx-boot's sources and the TCG's specifications state; shares nothing with the suite."""
import argparse, hashlib, json, os, struct

GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
OWNER = bytes(range(16))
TYPES = dict(no_action=3, separator=4, tag=6, crtm=8, driver_config=0x80000001, boot_app=0x80000003,
             action=0x80000007, authority=0x800000E0)


def variable(guid, name, data):
    wide = name.encode("utf-16-le")
    return guid + struct.pack("<QQ", len(name), len(data)) + wide + data


def signature_list(cert):
    body = OWNER + cert
    return X509 + struct.pack("<III", 28 + len(body), 0, len(body)) + body


def tag(number, payload):
    return struct.pack("<II", number, len(payload)) + payload


def version(component, path):
    texts = [component, b"VMware ESXi\0", b"8.0.3\0"]
    at, fields, body = 32, b"", b""
    for t in texts:
        fields += struct.pack("<HH", at, len(t))
        body += t
        at += len(t)
    name = path + b"\0"
    fields += struct.pack("<HH", at, len(name))
    total = at + len(name)
    return struct.pack("<IIQ", total, 1, 0) + fields + body + name


class Host:
    def __init__(self, banks):
        self.banks = banks
        algorithms = b"".join(struct.pack("<HH", i, s) for i, s in banks.values())
        spec = (b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks)) + algorithms
                + b"\0")
        self.log = struct.pack("<II20sI", 0, 3, bytes(20), len(spec)) + spec
        self.extends = []

    def measure(self, pcr, kind, data, hashed=None):
        hashed = data if hashed is None else hashed
        digests = {n: hashlib.new(n, hashed).digest() for n in self.banks}
        self.log += struct.pack("<III", pcr, TYPES[kind], len(digests))
        for n, d in digests.items():
            self.log += struct.pack("<H", self.banks[n][0]) + d
        self.log += struct.pack("<I", len(data)) + data
        self.extends.append("%d:%s" % (pcr, ",".join(f"{n}={d.hex()}" for n, d in digests.items())))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dir")
    p.add_argument("cert")
    p.add_argument("--secure-boot", type=int, default=1)
    p.add_argument("--evil-module", action="store_true")
    p.add_argument("--sha1-only", action="store_true")
    p.add_argument("--command-line", default="/b.b00 autoPartition=FALSE bootUUID=00112233")
    a = p.parse_args()
    os.makedirs(a.dir, exist_ok=True)
    cert = open(a.cert, "rb").read()
    banks = {"sha1": (4, 20)}
    if not a.sha1_only:
        banks["sha256"] = (11, 32)
    h = Host(banks)
    h.measure(0, "crtm", "1.2.3\0".encode("utf-16-le"))
    h.measure(7, "driver_config", variable(GLOBAL, "SecureBoot", bytes([a.secure_boot])))
    for name, guid in (("PK", GLOBAL), ("KEK", GLOBAL), ("db", SECURITY)):
        h.measure(7, "driver_config", variable(guid, name, signature_list(cert)))
    h.measure(7, "driver_config", variable(SECURITY, "dbx", b""))
    for pcr in range(8):
        h.measure(pcr, "separator", bytes(4))
    h.measure(4, "action", b"Calling EFI Application from Boot Option")
    if a.secure_boot:
        h.measure(7, "authority", variable(SECURITY, "db", OWNER + cert))
    path = (bytes([4, 4]) + struct.pack("<H", 4 + 2 * 25) + "\\EFI\\VMware\\safeboot64.efi"[:24]
            .encode("utf-16-le") + b"\0\0" + bytes([0x7F, 0xFF, 4, 0]))
    h.measure(4, "boot_app", struct.pack("<QQQQ", 0x1000, 0x2000, 0, len(path)) + path,
              b"the boot loader's Authenticode bytes")
    modules = {}
    for pcr, names in ((12, ["b.b00"]), (12, ["k.b00"]), (13, ["s1.v00", "vmx.v00", "tools.t00"]),
                       (11, ["esxupdt.v00"])):
        for name in names:
            body = b"module " + name.encode()
            if name in ("b.b00", "k.b00"):
                h.measure(13, "tag", tag(8, version(name[:1].encode() + b"\0", b"/" + name.encode())),
                          version(name[:1].encode() + b"\0", b"/" + name.encode()))
            if a.evil_module and name == "vmx.v00":
                body = b"another vmx"
            else:
                modules[name] = hashlib.sha256(body).hexdigest()
            h.measure(pcr, "tag", tag(2, name.encode() + b"\0"), body)
    h.measure(13, "tag", tag(2, b"state.tgz\0"), b"this host's state")
    h.measure(14, "tag", tag(3, b"useropts.gz\0"), b"\n")
    h.measure(14, "tag", tag(7, cert), cert)
    h.measure(14, "tag", tag(4, a.command_line.encode()), a.command_line.encode())
    h.measure(14, "tag", tag(6, b"asset-42"), b"asset-42")
    h.measure(5, "action", b"Exit Boot Services Invocation")
    h.measure(5, "action", b"Exit Boot Services Returned with Success")
    modules.setdefault("vmx.v00", hashlib.sha256(b"module vmx.v00").hexdigest())
    open(os.path.join(a.dir, "log"), "wb").write(h.log)
    open(os.path.join(a.dir, "extends"), "w").write("\n".join(h.extends) + "\n")
    with open(os.path.join(a.dir, "image.yaml"), "w") as f:
        f.write("version: 1\nname: ESXi-made-up\nmodules:\n")
        for name, digest in modules.items():
            f.write(f'  - {{name: {name}, sha256: "{digest}"}}\n')
    json.dump({"authority": hashlib.sha256(cert).hexdigest(),
               "boot_image": hashlib.sha256(b"the boot loader's Authenticode bytes").hexdigest()},
              open(os.path.join(a.dir, "facts.json"), "w"))


main()
