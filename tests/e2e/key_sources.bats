#!/usr/bin/env bats
# One KEK in every form in which an engineer may hold it, each made by another tool: all of them
# open the same VM.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
    make_vm tiny made
    provider=KMS
    id=$(truth id)
    hex=$(truth hex)
    python "open('kek', 'wb').write(bytes.fromhex('$hex'))"
}

python()
{
    /usr/bin/python3 -c "$@"
}

# What the lab knows of the KEK of the VM.
truth()
{
    python 'import json, sys
print(next(k[sys.argv[1]] for k in json.load(open("made/truth.json"))["keks"] if k["role"] == "vm"))' "$1"
}

# FILE holds the KEK: it opens the VM's settings, with its id said and with no id known.
opens()
{
    vmcrypt vmx decrypt --key "$provider/$id=$1" made/vm/web01.vmx - | grep -q dataFileKey ||
        fail "$1 does not open the VM"
    vmcrypt vmx decrypt --key "$1" made/vm/web01.vmx - | grep -q dataFileKey ||
        fail "$1 without an id does not open the VM"
}

# Standard input as file FILE opens the VM.
form()
{
    cat >"$1"
    opens "$1"
}

refused()
{
    run --separate-stderr vmcrypt vmx decrypt --key "$provider/$id=$1" made/vm/web01.vmx -
    [ "$status" -eq "$2" ] || fail "status $status: $stderr"
    says "$3"
    [ -z "$output" ]
    [[ $stderr != *"${hex:0:12}"* ]]
}

@test "key sources: raw, and the hex of xxd, od, hexdump" {
    need xxd od hexdump
    opens kek
    xxd -p -c 32 kek | form plain
    xxd -p -c 16 kek | form lines
    xxd kek | form xxd
    xxd -g 1 -u kek | form xxd-bytes
    od -Ax -tx1 -v kek | form od
    hexdump -C kek | form hexdump
    xxd -i <kek | form c-array
    tr a-f A-F <plain | sed 's/../&:/g; s/:$//' | form colons
    { printf '\xff\xfe' && iconv -t UTF-16LE plain; } | form powershell
}

@test "key sources: base64 of coreutils and openssl, base64url of basenc" {
    need openssl basenc
    base64 kek | form base64
    base64 -w 20 kek | form lines
    openssl base64 -in kek | form openssl
    basenc --base64url -w 0 kek | tr -d = | form url
}

@test "key sources: PEM around the key; a private key is none" {
    need openssl
    { echo '-----BEGIN SECRET KEY-----' && base64 kek && echo '-----END SECRET KEY-----'; } | form pem
    openssl genrsa -out rsa 2>/dev/null
    refused rsa 4 'is a private key, which locks no VM'
    openssl ecparam -name prime256v1 -genkey -out ec
    refused ec 4 'is a private key'
    head -c 60 pem >short
    refused short 4 'cut short'
}

@test "key sources: JWK as jose handles it, in a set with others" {
    need jose
    python "import base64
print('{\"kty\":\"oct\",\"kid\":\"$id\",\"k\":\"' + base64.urlsafe_b64encode(open('kek', 'rb').read()).decode().rstrip('=') + '\"}')" >own
    jose jwk gen -i '{"alg":"A256GCM"}' -o other
    jose jwk gen -i '{"alg":"ES256"}' -o ec
    jose fmt -j own -o- | form jwk
    python 'import json
print(json.dumps({"keys": [json.load(open(name)) for name in ("ec", "other", "own")]}))' >keys
    jose jwk pub -s -i keys -o- >/dev/null
    vmcrypt vmx decrypt --key keys made/vm/web01.vmx - | grep -q dataFileKey
    # Among several the id tells which one it is.
    vmcrypt vmx decrypt --key "$id=keys" made/vm/web01.vmx - | grep -q dataFileKey
    refused_id=$(printf %036d 0)
    run --separate-stderr vmcrypt key list --key "$refused_id=keys"
    [ "$status" -eq 2 ]
    says 'none of which is known to be'
    refused ec 4 "type 'EC'"
    refused other 3 'does not fit'
    head -c 40 jwk >short
    refused short 4 'damaged or cut short'
}

@test "key sources: what the vSphere API, Vault and CipherTrust answer" {
    base64=$(base64 -w 0 kek)
    form vsphere <<<"{\"_typeName\": \"CryptoKeyPlain\", \"keyId\": {\"keyId\": \"$id\",
        \"providerId\": {\"id\": \"$provider\"}}, \"algorithm\": \"AES-256\", \"keyData\": \"$base64\"}"
    form vault <<<"{\"request_id\": \"x\", \"data\": {\"name\": \"vm\", \"type\": \"aes256-gcm96\", \"keys\": {\"1\": \"$base64\"}}}"
    form ciphertrust <<<"{\"id\": \"f9a6\", \"name\": \"vm\", \"format\": \"raw\", \"material\": \"$hex\"}"
}

@test "key sources: a crypto dictionary, a rawkey locator, a text that holds one" {
    dictionary="type=key:cipher=AES-256:key=$(base64 -w 0 kek | sed 's/=/%3d/g')"
    form dictionary <<<"$dictionary"
    form text <<<"x = \"$dictionary\""
    { printf vmware:key/rawkey/ && python "import sys
print(''.join(c if c.isalnum() else '%%%02x' % ord(c) for c in sys.argv[1]))" "$dictionary"; } | form locator
    # A machine's own settings hold no KEK in the clear.
    refused made/vm/web01.vmx 3 'no key in the clear'
}

# Neither the readers nor the JSON parser leave copies where nothing is locked.
@test "key sources: no form leaves a key in the ordinary heap or on the stack" {
    need gdb
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can look into a process that forbids it"
    base64=$(base64 -w 0 kek)
    echo "$hex" >plain
    xxd kek >dump
    printf '%s\n' '-----BEGIN KEY-----' "$base64" '-----END KEY-----' >pem
    echo "{\"keyId\": {\"keyId\": \"$id\"}, \"keyData\": \"$base64\"}" >json
    echo "{\"kty\": \"oct\", \"k\": \"$(tr +/ -_ <<<"${base64%=}")\"}" >jwk
    echo "type=key:cipher=AES-256:key=${base64%=}%3d" >dictionary
    # malloc writes over the first 16 bytes of what is freed, so the ends are looked for.
    cat >look.py <<EOF
import base64, os
key = open("kek", "rb").read()
texts = key, key.hex().encode(), base64.b64encode(key)[:-1], base64.urlsafe_b64encode(key)[:-1]
pid, found = gdb.selected_inferior().pid, {}
with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as memory:
    for line in maps:
        if line.split()[1][0] == "r" and "[v" not in line:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            memory.seek(start)
            data = memory.read(end - start)
            ordinary = "[heap]" in line or "[stack]" in line
            found[ordinary] = found.get(ordinary, False) or any(t[16:] in data for t in texts)
print("elsewhere: %s, heap and stack: %s." % (found[False], found[True]))
EOF
    for form in kek plain dump pem json jwk dictionary; do
        run gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break keysafe_open' -ex run \
            -ex 'source look.py' -ex kill \
            --args "$VMCRYPT_BUILD/vmcrypt-vmx" decrypt --key "$provider/$id=$form" made/vm/web01.vmx -
        has 'elsewhere: True, heap and stack: False.'
    done
}
