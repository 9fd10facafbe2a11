#!/usr/bin/python3
"""An ESXi-shaped image in every form that `vmcrypt tpm baseimage` reads, and the digests of its modules.

tpm_image.py DIR: makes DIR/boot (a boot bank), DIR/depot.zip (an offline bundle of VIBs), DIR/one.vib,
DIR/imgdb.tgz, DIR/image.iso (with genisoimage), and DIR/truth.json {NAME: SHA-256 of what is measured}.
Written from the descriptions alone; shares nothing with the suite."""
import gzip, hashlib, io, json, os, random, shutil, struct, subprocess, sys, tarfile, zipfile


def signed(body):
    """A module with its signature footer: schema, key id and signature, length, magic."""
    signature = b"elfsign-key-id-1" + bytes(256)
    return body + struct.pack("<I", 2) + signature + struct.pack("<II", len(signature), 0x1ABE11ED)


def ar(members):
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


def descriptor(vib, payloads):
    lines = [f'<vib version="5.0"><type>bootbank</type><name>{vib}</name><version>8.0.3-1</version>'
             "<vendor>VMware</vendor><summary>s</summary><relationships><depends>"
             '<constraint name="x"/></depends></relationships><payloads>']
    for name, packed, plain in payloads:
        lines.append(
            f'<payload name="{name}" type="vgz" size="{len(packed)}">'
            f'<checksum checksum-type="sha-256">{hashlib.sha256(packed).hexdigest()}</checksum>'
            f'<checksum checksum-type="sha-256" verify-process="gunzip">'
            f"{hashlib.sha256(plain).hexdigest()}</checksum>"
            f'<checksum checksum-type="sha-1" verify-process="gunzip">'
            f"{hashlib.sha1(plain).hexdigest()}</checksum></payload>")
    return "".join(lines + ["</payloads></vib>"]).encode()


def tar(path, members):
    with tarfile.open(path, "w:gz") as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))


def main(top):
    rng = random.Random(7)
    plain = {"b": signed(rng.randbytes(70000)), "k": signed(rng.randbytes(300000)),
             "s": signed(rng.randbytes(90000)), "tools": rng.randbytes(12345)}
    files = {"b": "b.b00", "k": "k.b00", "s": "s.v00", "tools": "tools.t00"}
    packed = {n: gzip.compress(d, mtime=0) if n != "b" else d for n, d in plain.items()}
    boot = os.path.join(top, "boot")
    os.makedirs(boot)
    for n, d in packed.items():
        open(os.path.join(boot, files[n]), "wb").write(d)
    open(os.path.join(boot, "boot.cfg"), "w").write(
        "bootstate=0\ntitle=Loading ESXi\nkernel=/b.b00\nkernelopt=\n"
        "modules=/k.b00 --- /s.v00 --- /tools.t00\nbuild=8.0.3\n")
    open(os.path.join(boot, "readme.txt"), "w").write("no module\n")
    open(os.path.join(boot, "notes.gz"), "wb").write(gzip.compress(b"none either", mtime=0))
    base = [(n, packed[n], plain[n]) for n in ("b", "k", "s")]
    tools = [("tools", packed["tools"], plain["tools"])]
    vibs = {"esx-base.vib": ("esx-base", base), "tools-light.vib": ("tools-light", tools)}
    blobs = {name: ar([("descriptor.xml", descriptor(vib, pl)), ("sig.pkcs7", b"x")] +
                      [(n, p) for n, p, _ in pl]) for name, (vib, pl) in vibs.items()}
    open(os.path.join(top, "one.vib"), "wb").write(blobs["esx-base.vib"])
    with zipfile.ZipFile(os.path.join(top, "depot.zip"), "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("index.xml", "<vendorList/>")
        for name, data in blobs.items():
            z.writestr("vib20/" + name, data)
    tar(os.path.join(top, "imgdb.tgz"),
        [(f"var/db/esximg/vibs/{vib}-1.xml", descriptor(vib, pl)) for vib, pl in vibs.values()])
    if shutil.which("genisoimage"):
        subprocess.run(["genisoimage", "-quiet", "-o", os.path.join(top, "image.iso"), boot],
                       check=True, stderr=subprocess.DEVNULL)
    truth = {n: hashlib.sha256(d).hexdigest() for n, d in plain.items()}
    json.dump(truth, open(os.path.join(top, "truth.json"), "w"), indent=1)


main(sys.argv[1])
