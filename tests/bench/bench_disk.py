#!/usr/bin/env python3
"""vmcrypt disk decrypt, file to file, against cp and qemu-img, in one interleaved run.

Usage: tests/bench/bench_disk.py [--build DIR] [--dir DIR] [--gib N] [--repetitions N]
                                 [--cold] [--without-qemu] [--json]

Makes an encrypted flat disk of N GiB and the same plaintext in LUKS (aes-xts, 512-bit key), reads
both into the page cache, and lets each subject write the plaintext once in each repetition, in
random order; the output is removed each time. Figures are medians; "of cp" is the median of the
ratios within a repetition. vmcrypt syncs its result before it gives it its name, cp and qemu-img do
not: "cp, sync" is cp followed by sync FILE.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GIB = 1 << 30


def run(command):
    """Seconds, CPU seconds and peak memory (KiB, not less than this program's own) of COMMAND."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed: {said.decode(errors='replace')}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def evict(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def make_inputs(directory, vmcrypt, size, with_qemu):
    plain = f"{directory}/plain.raw"
    with open(plain, "wb") as out:
        random_bytes = subprocess.Popen(
            ["openssl", "enc", "-aes-256-ctr", "-nosalt", "-pass", "pass:bench", "-pbkdf2"],
            stdin=open("/dev/zero", "rb"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        left = size
        while left > 0:
            left -= out.write(random_bytes.stdout.read(min(left, 1 << 20)))
        random_bytes.kill()
        random_bytes.wait()
    with open(f"{directory}/kek", "wb") as out:
        out.write(os.urandom(32))
    os.chmod(f"{directory}/kek", 0o600)
    subprocess.run([vmcrypt, "encrypt", "-q", "--key", f"KMS/k={directory}/kek", "--kek", "KMS/k",
                    plain, f"{directory}/disk.vmdk"], check=True)
    if with_qemu:
        with open(f"{directory}/phrase", "w") as out:
            out.write("bench")
        subprocess.run(["qemu-img", "create", "-q", "--object", f"secret,id=s,file={directory}/phrase",
                        "-f", "luks", "-o", "key-secret=s,cipher-alg=aes-256,cipher-mode=xts,"
                        "ivgen-alg=plain64,iter-time=10", f"{directory}/disk.luks", str(size)],
                       check=True)
        subprocess.run(["qemu-img", "convert", "-n", "--object",
                        f"secret,id=s,file={directory}/phrase", "-f", "raw", plain,
                        "--target-image-opts",
                        f"driver=luks,key-secret=s,file.filename={directory}/disk.luks"], check=True)
    os.unlink(plain)


def subjects(directory, vmcrypt, with_qemu):
    out = f"{directory}/out"
    disk, flat = f"{directory}/disk.vmdk", f"{directory}/disk-flat.vmdk"
    ours = [vmcrypt, "decrypt", "-q", "--to", "raw", "--key", f"KMS/k={directory}/kek"]
    table = {
        "vmcrypt": (flat, ours + [disk, out]),
        "vmcrypt --buffered": (flat, ours + ["--buffered", disk, out]),
        "cp": (flat, ["cp", "--sparse=never", flat, out]),
        "cp, sync": (flat, ["sh", "-c", f"cp --sparse=never {flat} {out} && sync {out}"]),
    }
    if with_qemu:
        table["qemu-img"] = (f"{directory}/disk.luks", [
            "qemu-img", "convert", "-W", "-m", "8", "--object",
            f"secret,id=s,file={directory}/phrase", "--image-opts",
            f"driver=luks,key-secret=s,file.filename={directory}/disk.luks", "-O", "raw", out])
    return out, table


def measure(out, table, repetitions, prepare):
    results = {name: [] for name in table}
    for _ in range(repetitions):
        order = list(table)
        random.shuffle(order)
        for name in order:
            source, command = table[name]
            prepare(source)
            results[name].append(run(command))
            os.unlink(out)
            os.sync()
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary one)")
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="evict the input before each run")
    parser.add_argument("--without-qemu", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    vmcrypt = f"{options.build}/vmcrypt-disk"
    size = int(options.gib * GIB) // 4096 * 4096
    with_qemu = not options.without_qemu and shutil.which("qemu-img") is not None
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        make_inputs(directory, vmcrypt, size, with_qemu)
        out, table = subjects(directory, vmcrypt, with_qemu)
        results = measure(out, table, options.repetitions,
                          evict if options.cold else warm)
    report = []
    for name, runs in results.items():
        to_cp = [mine[0] / cp[0] for mine, cp in zip(runs, results["cp"])]
        report.append({
            "name": name,
            "gb_per_second": round(size / 1e9 / statistics.median(r[0] for r in runs), 2),
            "cpu_seconds_per_gb": round(statistics.median(r[1] for r in runs) / (size / 1e9), 3),
            "peak_mib": round(max(r[2] for r in runs) / 1024, 1),
            "of_cp_throughput": round(1 / statistics.median(to_cp), 2),
        })
    if options.json:
        print(json.dumps({"version": 1, "bytes": size, "repetitions": options.repetitions,
                          "subjects": report}, indent=2))
        return
    state = "cold" if options.cold else "warm"
    print(f"{size / GIB:g} GiB, page cache {state}, medians of {options.repetitions}")
    print(f"{'':20}{'GB/s':>8}{'CPU s/GB':>10}{'peak MiB':>10}{'of cp':>8}")
    for row in report:
        print(f"{row['name']:20}{row['gb_per_second']:8.2f}{row['cpu_seconds_per_gb']:10.3f}"
              f"{row['peak_mib']:10.1f}{row['of_cp_throughput']:8.2f}")


if __name__ == "__main__":
    main()
