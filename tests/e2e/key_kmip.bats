#!/usr/bin/env bats
# One KEK in every form that KMIP and its servers keep it in opens the same VM.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
    make_vm vsphere made
    id=$(sed -n 's/^      - id: //p' made/keys/keyring.yaml | tail -n 1)
    hex=$(od -An -v -tx1 made/keys/kms-2.key | tr -d ' \n')
    [ "${#hex}" -eq 64 ]
}

# The key in FILE opens the VM. By default it comes with its id.
opens()
{
    rm -f plain.vmx
    vmcrypt vmx decrypt --key "$1" made/vm/web01.vmx plain.vmx
    grep -q dataFileKey plain.vmx
}

# Write KMIP messages that hold $hex under $id, by an encoder of its own: capture.bin.
capture()
{
    /usr/bin/python3 - "$hex" "$id" <<'END'
import struct, sys
key, uid = bytes.fromhex(sys.argv[1]), sys.argv[2].encode()
def item(tag, kind, value):
    return struct.pack(">IBI", tag, kind, len(value))[1:] + value + b"\0" * (-len(value) % 8)
def structure(tag, *items): return item(tag, 1, b"".join(items))
def number(tag, value, kind=5): return item(tag, kind, struct.pack(">I", value))
def message(request, operation, *payload):
    head = structure(0x420069, number(0x42006A, 1, 2), number(0x42006B, 1, 2))
    batch = [number(0x42005C, operation)] + ([] if request else [number(0x42007F, 0)])
    batch.append(structure(0x420079 if request else 0x42007C, *payload))
    return structure(0x420078 if request else 0x42007B,
                     structure(0x420077 if request else 0x42007A, head, number(0x42000D, 1, 2)),
                     structure(0x42000F, *batch))
def attribute(name, value):
    return structure(0x420008, item(0x42000A, 7, name), item(0x42000B, 7, value))
block = structure(0x420040, number(0x420042, 1), structure(0x420045, item(0x420043, 8, key)),
                  number(0x420028, 3), number(0x42002A, 256, 2))
get = message(False, 10, number(0x420057, 2), item(0x420094, 7, uid), structure(0x42008F, block))
add = message(True, 13, item(0x420094, 7, uid), attribute(b"x-Name", b"web01"),
              attribute(b"x-Component", b"Virtual Machine"))
open("get.bin", "wb").write(get)
open("capture.bin", "wb").write(b"\xd4\xc3\xb2\xa1 pcap" + get + b"\x17\x03\x03" + add)
def line(kind, data): return f"2025-04-03 09:55:07,610 - kmip.server.session.00000003 - DEBUG - {kind} encoding: b'{data.hex()}'\n"
with open("pykmip.log", "w") as log:
    log.write(line("Request", add[:8]) + line("Request", add[8:]) + line("Response", get))
END
}

# The PyKMIP store pykmip.database, with the key as object $1.
store()
{
    sqlite3 pykmip.database "
        CREATE TABLE managed_objects (uid INTEGER NOT NULL, object_type INTEGER,
            class_type VARCHAR(50), value VARBINARY(1024), name_index INTEGER,
            operation_policy_name VARCHAR(50), sensitive BOOLEAN, initial_date INTEGER,
            owner VARCHAR(50), PRIMARY KEY (uid));
        CREATE TABLE crypto_objects (uid INTEGER NOT NULL, cryptographic_usage_mask INTEGER,
            state INTEGER, PRIMARY KEY (uid));
        CREATE TABLE keys (uid INTEGER NOT NULL, cryptographic_algorithm INTEGER,
            cryptographic_length INTEGER, key_format_type INTEGER, _kdw_wrapping_method INTEGER,
            PRIMARY KEY (uid));
        CREATE TABLE managed_object_names (id INTEGER NOT NULL, mo_uid INTEGER, name VARCHAR,
            name_index INTEGER, name_type INTEGER, PRIMARY KEY (id));
        INSERT INTO managed_objects VALUES ($1, 2, 'SymmetricKey', x'$hex', 0, 'default', 0, 0, 'vc');
        INSERT INTO crypto_objects VALUES ($1, 12, 2);
        INSERT INTO keys VALUES ($1, 3, 256, 1, -1);
        INSERT INTO managed_object_names VALUES (1, $1, 'made by vCenter', 0, 1);"
}

# The answer to Get that Cosmian's REST interface gives, with the bytes in HEX; MORE in the key block.
json()
{
    printf '{"tag": "GetResponse", "type": "Structure", "value": [
        {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
        {"tag": "UniqueIdentifier", "type": "TextString", "value": "%s"},
        {"tag": "Object", "type": "Structure", "value": [{"tag": "KeyBlock", "type": "Structure",
        "value": [{"tag": "KeyFormatType", "type": "Enumeration", "value": "Raw"},
        {"tag": "KeyValue", "type": "Structure", "value": [{"tag": "KeyMaterial",
        "type": "ByteString", "value": "%s"}]}, {"tag": "CryptographicAlgorithm",
        "type": "Enumeration", "value": "AES"}, {"tag": "CryptographicLength", "type": "Integer",
        "value": 256}%s]}]}]}\n' "$id" "$1" "${2:-}"
}

xml()
{
    printf '<ResponseMessage><BatchItem><ResponsePayload>
        <UniqueIdentifier type="TextString" value="%s"/><SymmetricKey><KeyBlock>
        <KeyFormatType type="Enumeration" value="Raw"/><KeyValue>
        <KeyMaterial type="ByteString" value="%s"/></KeyValue></KeyBlock></SymmetricKey>
        </ResponsePayload></BatchItem></ResponseMessage>\n' "$id" "$hex"
}

@test "kmip: a capture, in binary, in hex of every make, and in PyKMIP's log" {
    capture
    opens get.bin
    opens capture.bin
    opens pykmip.log
    xxd get.bin >get.xxd
    opens get.xxd
    xxd -p get.bin >get.hex
    opens get.hex
    xxd -i get.bin >get.h
    opens get.h
    od -A x -t x1 get.bin >get.od
    opens get.od
    need hexdump
    hexdump -C get.bin >get.hexdump
    opens get.hexdump
}

@test "kmip: whose key it is comes with it" {
    capture
    run vmcrypt key list -v --key capture.bin
    [ "$status" -eq 0 ]
    has "$id"
    has '32 bytes'
    has 'of web01'
    has_not "$hex"
}

# A key that a server gave out under another key (AES key wrap, RFC 3394), made by OpenSSL's own
# command and by python3-cryptography.
@test "kmip: a wrapped key and the key that unwraps it" {
    need openssl
    wrapping=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    xxd -r -p <<<$wrapping >wrapping.key
    xxd -r -p <<<"$hex" >plain.key
    openssl enc -id-aes256-wrap -e -K $wrapping -iv a6a6a6a6a6a6a6a6 -in plain.key -out wrapped
    by_python=$(/usr/bin/python3 -c 'import sys
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
sys.stdout.write(aes_key_wrap(*map(bytes.fromhex, sys.argv[1:])).hex())' $wrapping "$hex")
    [ "$by_python" = "$(od -An -v -tx1 wrapped | tr -d ' \n')" ]
    json "$by_python" ', {"tag": "KeyWrappingData", "value": [{"tag": "WrappingMethod",
        "type": "Enumeration", "value": "Encrypt"}]}' >key.json
    run --separate-stderr vmcrypt key list --key key.json
    [ "$status" -eq 3 ]
    says 'is wrapped'
    vmcrypt key import --unwrap-key wrapping.key --to ring.yaml key.json
    opens ring.yaml
}

@test "kmip: JSON and XML" {
    json "${hex^^}" >key.json
    opens key.json
    xml >key.xml
    opens key.xml
}

@test "kmip: a PyKMIP store" {
    need sqlite3
    store 7
    # PyKMIP counts its objects: a VM that was encrypted with one of its keys names it by number.
    vmcrypt vmx rekey --keyring made/keys/keyring.yaml --key KMS/7=made/keys/kms-2.key \
        --new-kek KMS/7 made/vm/web01.vmx
    opens pykmip.database
    opens KMS/=pykmip.database
    before=$(sha256sum pykmip.database)
    run vmcrypt key list -v --key pykmip.database
    [ "$status" -eq 0 ]
    has 'key 7: 32 bytes, AES, Active, of made by vCenter'
    [ "$before" = "$(sha256sum pykmip.database)" ]
    [ "$(find . -name 'pykmip.database*' | wc -l)" -eq 1 ]
}

@test "kmip: a key that is not active is told" {
    need sqlite3
    store 7
    sqlite3 pykmip.database 'UPDATE crypto_objects SET state = 4'
    run --separate-stderr vmcrypt key list --key pykmip.database
    [ "$status" -eq 0 ]
    says '7: Compromised'
}

@test "kmip: damaged and empty ones are refused in one line" {
    need sqlite3
    capture
    json "${hex^^}" >key.json
    xml >key.xml
    store 7
    for file in get.bin key.json key.xml pykmip.database; do
        head -c $(($(wc -c <$file) - 20)) $file >short
        run --separate-stderr vmcrypt key list --key short
        [ "$status" -eq 4 ] || fail "$file: $status"
        says 'cut off'
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
    sqlite3 other.db 'CREATE TABLE t (a)'
    run --separate-stderr vmcrypt key list --key other.db
    [ "$status" -eq 3 ]
    says 'no PyKMIP store'
    echo '<!DOCTYPE KMIP [<!ENTITY a "b">]><KMIP/>' >type.xml
    run --separate-stderr vmcrypt key list --key type.xml
    [ "$status" -eq 4 ]
    says 'document type'
}

@test "kmip: keys leave no trace in memory that may be dumped" {
    need gdb sqlite3
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can force a core of a process that forbids it"
    capture
    json "${hex^^}" >key.json
    xml >key.xml
    store 7
    for file in capture.bin pykmip.log key.json key.xml pykmip.database; do
        for at in kmip_deliver exit; do
            rm -f core
            gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set breakpoint pending on' \
                -ex 'set use-coredump-filter off' -ex 'set dump-excluded-mappings off' \
                -ex "break $at" -ex run -ex 'generate-core-file core' -ex kill \
                --args "$VMCRYPT_BUILD/vmcrypt-key" list --key $file >gdb.log 2>&1
            [ -s core ] || fail "$(cat gdb.log)"
            /usr/bin/python3 - "$hex" <<'END' || fail "$file is in a core taken in $at"
import sys
core, key = open("core", "rb").read(), sys.argv[1]
# The heap is in it at all.
assert b"GLIBC" in core and len(core) > 100000
sys.exit(any(form in core for form in
             (bytes.fromhex(key), key.encode(), key.upper().encode())))
END
        done
    done
}
