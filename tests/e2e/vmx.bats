#!/usr/bin/env bats
# vmcrypt vmx on the lab's files and on a real one of Workstation. What we write is read back by the
# lab's own reader, which shares no code with us.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

# Make KIND as made/, pick its .vmx and the options that give its keys.
made()
{
    make_vm "$1" made
    vmx=$(find made/vm -name '*.vmx')
    keys=(--keyring made/keys/keyring.yaml)
    lab_keys=()
    local file
    for file in made/keys/*.key; do [ ! -e "$file" ] || lab_keys+=(--kek-file "$file"); done
    [ ! -e made/keys/passphrase.txt ] || lab_keys+=(--passphrase-file made/keys/passphrase.txt)
}

# A setting of the truth: NAME.
truth()
{
    /usr/bin/python3 -c 'import json, sys
print(json.load(open("made/truth.json"))[sys.argv[1]])' "$1"
}

# JSON on $output: the value of a Python expression over the document d.
json()
{
    /usr/bin/python3 -c "import json,sys; d=json.loads(sys.argv[1]); print($1)" "$output"
}

new_phrase()
{
    printf 'another passphrase\n' >new.txt
    chmod 600 new.txt
}

@test "vmx decrypt: every kind, as the lab reads it" {
    for kind in $(lab list | cut -f 1); do
        rm -rf made
        status=0
        lab make "$kind" made || status=$?
        [ $status -ne 77 ] || continue
        [ "$kind" != plain ] || continue
        vmx=$(find made/vm -name '*.vmx')
        vmcrypt vmx decrypt --keyring made/keys/keyring.yaml "$vmx" - >got.vmx
        /usr/bin/python3 - "$kind" <<'END'
import json, re, sys
truth = json.load(open("made/truth.json"))
encoding = truth["encoding"]
text = open("got.vmx", "rb").read().decode(encoding)
lines = [l for l in re.split(r"\r?\n", truth["config"]["text"]) if l]
assert len(lines) >= 2
missing = [l for l in lines if l not in text and not l.startswith(".encoding")]
assert not missing, (sys.argv[1], missing[:3])
assert "encryption.keySafe" not in text and "encryption.data" not in text
END
    done
}

@test "vmx decrypt: nothing comes out with a wrong passphrase" {
    made ws-aes
    printf wrong >phrase
    run --separate-stderr vmcrypt vmx decrypt --passphrase-file phrase "$vmx" -
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    says 'does not fit'
    run --separate-stderr vmcrypt vmx decrypt --passphrase-file phrase "$vmx" out.vmx
    [ "$status" -eq 3 ]
    [ ! -e out.vmx ]
    [ ! -e out.vmx.partial ]
}

@test "vmx decrypt: a flipped byte anywhere in the sealed data is noticed" {
    made ws-aes
    /usr/bin/python3 - "$vmx" <<'END'
import base64, re, sys
text = open(sys.argv[1]).read()
m = re.search(r'encryption.data = "([^"]*)"', text)
data = bytearray(base64.b64decode(m.group(1)))
for i, at in enumerate((0, 20, len(data) // 2, len(data) - 1)):
    bad = bytearray(data); bad[at] ^= 1
    open(f"bad{i}.vmx", "w").write(text.replace(m.group(1), base64.b64encode(bad).decode()))
open("short.vmx", "w").write(text.replace(m.group(1), m.group(1)[:400]))
END
    for bad in bad0 bad1 bad2 bad3 short; do
        run --separate-stderr vmcrypt vmx decrypt "${keys[@]}" "$bad.vmx"
        [ "$status" -eq 4 ] || fail "$bad: exit $status: $stderr"
        [ -z "$output" ]
    done
}

@test "vmx info: without a key" {
    made vsphere
    run vmcrypt vmx info "$vmx"
    [ "$status" -eq 0 ]
    has 'KMS'
    has 'HMAC-SHA-256'
    has 'locked'
    run vmcrypt vmx info --json "$vmx"
    [ "$(json 'd["version"]')" = 1 ]
    [ "$(json 'd["encryption"]')" = full ]
    has '"provider": "KMS"'
}

@test "vmx info: with the key, also what is inside" {
    made vsphere
    run vmcrypt vmx info "${keys[@]}" "$vmx"
    [ "$status" -eq 0 ]
    has 'efi'
    has 'web01.vmdk'
    run vmcrypt vmx info --json "${keys[@]}" "$vmx"
    has '"opportunistic"'
}

@test "vmx info: partial, native, none" {
    made ws-partial
    run vmcrypt vmx info --json "$vmx"
    [ "$(json 'd["encryption"]')" = partial ]
    rm -r made
    made vsphere-native
    run vmcrypt vmx info "$vmx"
    has 'KDK UUID'
    rm -r made
    made plain
    run vmcrypt vmx info --json "$vmx"
    [ "$(json 'd["encryption"]')" = none ]
}

@test "vmx get, set, unset: inside the encrypted part, read back by the lab" {
    made vsphere
    cp "$vmx" before.vmx
    run vmcrypt vmx get "${keys[@]}" "$vmx" firmware
    [ "$output" = efi ]
    run vmcrypt vmx get "${keys[@]}" "$vmx" no.such.setting
    [ "$status" -eq 1 ]
    vmcrypt vmx set "${keys[@]}" "$vmx" 'annotation=say "hi" | ok' memSize=8192
    run vmcrypt vmx get "${keys[@]}" "$vmx" annotation
    [ "$output" = 'say "hi" | ok' ]
    cmp "$vmx.bak" before.vmx
    lab decrypt-vmx "$vmx" "${lab_keys[@]}" >lab.txt
    grep -q '^memSize = "8192"' lab.txt
    grep -q '^annotation = "say |22hi|22 |7C ok"' lab.txt
    vmcrypt vmx unset --no-backup "${keys[@]}" "$vmx" annotation
    lab decrypt-vmx "$vmx" "${lab_keys[@]}" | not grep annotation
    # the key safe was not touched
    diff <(grep keySafe before.vmx) <(grep keySafe "$vmx")
}

@test "vmx set: keeps owner and mode, leaves no backup when told so" {
    made ws-aes
    chmod 640 "$vmx"
    vmcrypt vmx set --no-backup "${keys[@]}" "$vmx" a.b=c
    [ "$(stat -c %a "$vmx")" = 640 ]
    [ ! -e "$vmx.bak" ]
}

@test "vmx rekey: passphrase to passphrase, every label, read back by the lab" {
    new_phrase
    for kind in ws-aes ws-xts ws-sha256 ws-partial; do
        rm -rf made
        made "$kind"
        lab decrypt-vmx "$vmx" "${lab_keys[@]}" >before.txt
        vmcrypt vmx rekey "${keys[@]}" --new-passphrase-file new.txt "$vmx"
        lab decrypt-vmx "$vmx" --passphrase-file new.txt >after.txt
        cmp before.txt after.txt
        run lab decrypt-vmx "$vmx" "${lab_keys[@]}"
        [ "$status" -ne 0 ]
        cmp <(grep -a encryption.data "$vmx.bak") <(grep -a encryption.data "$vmx")
    done
}

@test "vmx rekey: to another KEK" {
    made vsphere
    head -c 32 /dev/urandom >other.key
    chmod 600 other.key
    vmcrypt vmx rekey "${keys[@]}" --key NEW/k-1=other.key --new-kek NEW/k-1 "$vmx" out.vmx
    lab decrypt-vmx out.vmx --kek-file other.key >after.txt
    lab decrypt-vmx "$vmx" "${lab_keys[@]}" | cmp - after.txt
    run vmcrypt key explain out.vmx
    has 'NEW'
    has 'k-1'
}

@test "vmx rekey --deep: a new config key; what stands in the way is said" {
    made ws-aes
    new_phrase
    run --separate-stderr vmcrypt vmx rekey --deep "${keys[@]}" --new-passphrase-file new.txt "$vmx"
    [ "$status" -eq 5 ]
    says 'nvram'
    lab decrypt-vmx "$vmx" --passphrase-file new.txt >/dev/null
    not cmp <(grep encryption.data "$vmx.bak") <(grep encryption.data "$vmx")
    rm made/vm/*.nvram
    old=$(vmcrypt vmx get --passphrase-file new.txt "$vmx" dataFileKey)
    vmcrypt vmx rekey --deep --passphrase-file new.txt --new-passphrase-file new.txt "$vmx"
    new=$(vmcrypt vmx get --passphrase-file new.txt "$vmx" dataFileKey)
    [ "$old" != "$new" ]
}

@test "vmx encrypt: with a passphrase and with a KEK, read back by the lab" {
    made plain
    new_phrase
    head -c 32 /dev/urandom >kek.key
    chmod 600 kek.key
    for cipher in AES-256 XTS-AES-256; do
        vmcrypt vmx encrypt --passphrase-file new.txt --cipher $cipher "$vmx" p-$cipher.vmx
        vmcrypt vmx encrypt --key KMS/1=kek.key --kek KMS/1 --cipher $cipher "$vmx" k-$cipher.vmx
        lab decrypt-vmx p-$cipher.vmx --passphrase-file new.txt >p.txt
        lab decrypt-vmx k-$cipher.vmx --kek-file kek.key >k.txt
        for text in p.txt k.txt; do
            grep -q '^firmware = ' $text
            grep -q '^scsi0:0.fileName\|^nvme0:0.fileName\|^sata0:0.fileName' $text
        done
        not grep -q firmware p-$cipher.vmx
        grep -q displayName p-$cipher.vmx
    done
}

@test "vmx encrypt, decrypt: there and back gives the same settings" {
    made plain
    new_phrase
    vmcrypt vmx encrypt --passphrase-file new.txt "$vmx" e.vmx
    vmcrypt vmx decrypt --passphrase-file new.txt e.vmx d.vmx
    diff <(grep '=' "$vmx" | sort) <(grep '=' d.vmx | sort)
}

@test "vmx bundle: export, import" {
    made vsphere
    key=$(vmcrypt vmx get "${keys[@]}" "$vmx" dataFileKey)
    head -c 32 /dev/urandom >b.key
    chmod 600 b.key
    vmcrypt vmx bundle export "${keys[@]}" --key B/1=b.key --kek B/1 "$vmx" bundle.txt
    run vmcrypt key explain bundle.txt
    has 'B'
    vmcrypt vmx unset "${keys[@]}" "$vmx" dataFileKey
    vmcrypt vmx bundle import "${keys[@]}" --key B/1=b.key "$vmx" bundle.txt
    [ "$(vmcrypt vmx get "${keys[@]}" "$vmx" dataFileKey)" = "$key" ]
}

@test "vmx bundle: the API's spelling" {
    made vsphere-api
    key=$(vmcrypt vmx get "${keys[@]}" "$vmx" dataFileKey)
    vmcrypt vmx unset --no-backup "${keys[@]}" "$vmx" dataFileKey
    vmcrypt vmx bundle import "${keys[@]}" "$vmx" made/vm/bundle.txt
    [ "$(vmcrypt vmx get "${keys[@]}" "$vmx" dataFileKey)" = "$key" ]
}

@test "vmx: hostile and broken files are refused in one line" {
    head -c 100000000 /dev/zero >big.vmx
    printf 'encryption.keySafe = "vmware:key/list/()"\n' >half.vmx
    printf 'encryption.keySafe = "nonsense"\nencryption.data = "AAAA"\n' >nonsense.vmx
    printf 'encryption.keySafe = "vmware:key/list/(pair/(phrase/a/b,HMAC%%2dSHA%%2d1,AAAA))"\nencryption.data = "!!"\n' >base64.vmx
    for file in big half nonsense base64; do
        run --separate-stderr timeout 20 vmcrypt vmx info $file.vmx
        [ "$status" -eq 4 ] || fail "$file: exit $status: $stderr"
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
    # a thousand million rounds of PBKDF2 are not a passphrase but a trap
    printf 'encryption.keySafe = "vmware:key/list/(pair/(phrase/a/pass2key%%3dPBKDF2%%2dHMAC%%2dSHA%%2d1%%3acipher%%3dAES%%2d256%%3arounds%%3d1000000000%%3asalt%%3dAAAA,HMAC%%2dSHA%%2d1,AAAA))"\nencryption.data = "AAAA"\n' >trap.vmx
    echo x >phrase
    chmod 600 phrase
    run --separate-stderr timeout 10 vmcrypt vmx decrypt --passphrase-file phrase trap.vmx
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    says 'rounds'
}

real()
{
    need_sample vmx/encrypted-password.vmx
    cp "$VMCRYPT_SAMPLES/vmx/encrypted-password.vmx" real.vmx
    chmod 600 real.vmx
    printf password >phrase
    chmod 600 phrase
}

@test "vmx: a real Workstation file, decrypted, changed, rekeyed" {
    real
    run vmcrypt vmx info real.vmx
    [ "$status" -eq 0 ]
    has 'PBKDF2-HMAC-SHA-1'
    has '10000'
    run vmcrypt vmx decrypt --passphrase-file phrase real.vmx -
    [ "$status" -eq 0 ]
    has 'dataFileKey = "type=key:cipher=AES-256:key='
    has 'cryptoState = "encrypted"'
    vmcrypt vmx set --passphrase-file phrase real.vmx annotation=found
    [ "$(vmcrypt vmx get --passphrase-file phrase real.vmx annotation)" = found ]
    new_phrase
    vmcrypt vmx rekey --passphrase-file phrase --new-passphrase-file new.txt real.vmx
    lab decrypt-vmx real.vmx --passphrase-file new.txt | grep -q '^annotation = "found"'
}

@test "vmx hash: of the real file, as hashcat and John write it" {
    real
    run vmcrypt vmx hash real.vmx
    [ "$status" -eq 0 ]
    [[ $output =~ ^\$vmx\$0\$10000\$2ca5ff49c418e71bde7b5d7097f089ea\$[0-9a-f]{64}$ ]]
    run vmcrypt vmx hash --format john real.vmx
    [[ $output =~ \$vmx\$1\$0\$0\$10000\$2ca5ff49c418e71bde7b5d7097f089ea\$[0-9a-f]{232}$ ]]
}

@test "vmx hash: hashcat cracks it" {
    real
    need hashcat
    [ -n "${VMCRYPT_SLOW_TESTS:-}" ] || skip "takes a minute; set VMCRYPT_SLOW_TESTS=1"
    vmcrypt vmx hash real.vmx >hash.txt
    printf 'secret\nPassword\npassword\nletmein\n' >words
    run hashcat -m 27400 -a 0 --potfile-disable --quiet hash.txt words
    has ':password'
}

@test "vmx unset: gone; status 1 when there was nothing" {
    made ws-aes
    vmcrypt vmx unset "${keys[@]}" "$vmx" memsize
    run vmcrypt vmx get "${keys[@]}" "$vmx" memsize
    [ "$status" -eq 1 ]
    run vmcrypt vmx unset "${keys[@]}" "$vmx" memsize
    [ "$status" -eq 1 ]
}

@test "vmx set: keys and what seals them are not set by hand" {
    made ws-aes
    for argument in dataFileKey=x encryption.keySafe=x noequals; do
        run vmcrypt vmx set "${keys[@]}" "$vmx" "$argument"
        [ "$status" -eq 2 ]
    done
}

@test "vmx hash: what crackers cannot do is said" {
    made ws-sha256
    run vmcrypt vmx hash "$vmx"
    [ "$status" -eq 1 ]
    has 'PBKDF2-HMAC-SHA-1 only'
}
