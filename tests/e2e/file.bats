#!/usr/bin/env bats
# vmcrypt file: swap files, compared with python3-cryptography.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    head -c 64 /dev/urandom >key
    head -c 3000000 /dev/urandom | base64 >plain
    truncate -s 4194304 plain
    chmod 600 key
}

# Encrypt plain as FILE: UNIT FIRST KEY
oracle()
{
    /usr/bin/python3 - "$@" <<'END'
import sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
unit, first, key = int(sys.argv[2]), int(sys.argv[3]), open(sys.argv[4], "rb").read()
data, out = open("plain", "rb").read(), bytearray()
for i in range(0, len(data), unit):
    part = data[i:i + unit]
    if any(part):
        tweak = (first + i // unit).to_bytes(16, "little")
        part = Cipher(algorithms.AES(key), modes.XTS(tweak)).encryptor().update(part)
    out += part
open(sys.argv[1], "wb").write(out)
END
}

@test "file: there and back, equal to the oracle" {
    for geometry in '512 0' '4096 0' '512 12345678901'; do
        read -r unit first <<<"$geometry"
        oracle expected "$unit" "$first" key
        vmcrypt file encrypt -q --key k=key --data-unit "$unit" --first-unit "$first" plain a.vswp
        cmp a.vswp expected
        vmcrypt file decrypt -q --key k=key --data-unit "$unit" --first-unit "$first" a.vswp b
        cmp b plain
        rm a.vswp b
    done
}

@test "file: says that the layout is a hypothesis" {
    run --separate-stderr vmcrypt file encrypt --key k=key plain a.vswp
    [ "$status" -eq 0 ]
    says 'a guess'
    run --separate-stderr vmcrypt file decrypt --json --key k=key a.vswp b
    has '"layout": "hypothesis"'
}

@test "file: the key of a VM" {
    make_vm vsphere made
    /usr/bin/python3 -c "
import base64, json, re
t = json.load(open('made/truth.json'))
k = t['data_file_key']
k = k if isinstance(k, str) else k.get('hex') or k.get('key')
open('dfk', 'wb').write(bytes.fromhex(k))"
    oracle expected 512 0 dfk
    vmcrypt file encrypt -q --keyring made/keys/keyring.yaml --vmx made/vm/web01.vmx plain a.vswp
    cmp a.vswp expected
}

@test "file: keys that do not do" {
    head -c 16 /dev/urandom >short
    chmod 600 short
    run --separate-stderr vmcrypt file encrypt --key k=short plain a.vswp
    [ "$status" -eq 2 ]
    says '16'
    run vmcrypt file encrypt plain a.vswp </dev/null
    [ "$status" -eq 2 ]
    run vmcrypt file encrypt --key k=key --first-unit x plain a.vswp
    [ "$status" -eq 2 ]
    run vmcrypt file encrypt --key k=key plain -
    [ "$status" -eq 2 ]
    [ ! -e a.vswp ]
}

@test "file info: how much looks encrypted" {
    run vmcrypt file info plain
    [ "$status" -eq 0 ]
    has 'plain to see'
    vmcrypt file encrypt -q --key k=key plain a.vswp
    run vmcrypt file info --json a.vswp
    has '"repeated": 0'
    has '"uneven": 0'
}
