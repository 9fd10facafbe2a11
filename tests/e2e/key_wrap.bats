#!/usr/bin/env bats
# vmcrypt key wrap and unwrap, both ways with openssl, python3-cryptography and jose.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
    need openssl xxd
    head -c 32 /dev/urandom >key
    head -c 32 /dev/urandom >wrapper
    w=$(xxd -p -c 64 wrapper)
}

python()
{
    /usr/bin/python3 -c "$@"
}

rsa_keys()
{
    openssl genrsa -out private.pem 2048 2>/dev/null
    openssl rsa -in private.pem -pubout -out public.pem 2>/dev/null
}

# IN unwraps to the key, the options being what is left.
unwraps()
{
    local in=$1
    shift
    rm -f out
    vmcrypt key unwrap "$@" "$in" out
    cmp out key
    [ "$(stat -c %a out)" = 600 ]
}

@test "key unwrap: what openssl wraps as in RFC 3394 and RFC 5649" {
    openssl enc -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in key -out kw
    openssl enc -id-aes256-wrap-pad -K "$w" -iv A65959A6 -in key -out kwp
    unwraps kw --with-key wrapper
    unwraps kw --with-key wrapper --method rfc3394
    unwraps kwp --with-key wrapper
    base64 kwp >kwp.base64
    unwraps kwp.base64 --with-key wrapper --method auto
    xxd -p kwp >kwp.hex
    unwraps kwp.hex --with-key wrapper --method rfc5649
    xxd -p -c 64 wrapper >wrapper.hex
    unwraps kwp --with-key wrapper.hex
}

@test "key wrap: openssl unwraps it" {
    vmcrypt key wrap --method rfc3394 --with-key wrapper key kw
    openssl enc -d -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in kw | cmp - key
    vmcrypt key wrap --method rfc5649 --with-key wrapper --form base64 key - | base64 -d >kwp
    openssl enc -d -id-aes256-wrap-pad -K "$w" -iv A65959A6 -in kwp | cmp - key
    rsa_keys
    vmcrypt key wrap --method rsa-oaep-sha1 --with-pem public.pem key oaep
    openssl pkeyutl -decrypt -inkey private.pem -pkeyopt rsa_padding_mode:oaep -in oaep | cmp - key
    vmcrypt key wrap --method rsa-oaep-sha256 --with-pem public.pem --form hex key - | xxd -r -p >oaep2
    openssl pkeyutl -decrypt -inkey private.pem -pkeyopt rsa_padding_mode:oaep \
        -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -in oaep2 | cmp - key
    openssl req -x509 -new -key private.pem -subj /CN=x -out cert.pem
    vmcrypt key wrap --method rsa-aes-sha256 --with-pem cert.pem key both
    head -c 256 both >first
    tail -c +257 both >second
    openssl pkeyutl -decrypt -inkey private.pem -pkeyopt rsa_padding_mode:oaep \
        -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -in first -out aes
    openssl enc -d -id-aes256-wrap-pad -K "$(xxd -p -c 64 aes)" -iv A65959A6 -in second | cmp - key
}

@test "key unwrap: Entrust KeyControl's shape, RSA-OAEP in base64" {
    rsa_keys
    for md in sha1 sha256; do
        openssl pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:oaep \
            -pkeyopt rsa_oaep_md:$md -in key | base64 >oaep.$md
        unwraps oaep.$md --with-pem private.pem
        unwraps oaep.$md --with-pem private.pem --method rsa-oaep-$md
    done
    # As Java pads: SHA-256 outside, SHA-1 inside.
    openssl pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:oaep \
        -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha1 -in key | base64 >oaep.java
    unwraps oaep.java --with-pem private.pem
}

@test "key unwrap: OCI's shape, RSA_OAEP_AES_SHA256 in JSON; Cosmian's AES-GCM" {
    rsa_keys
    head -c 32 /dev/urandom >aes
    openssl pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:oaep \
        -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -in aes -out both
    openssl enc -id-aes256-wrap-pad -K "$(xxd -p -c 64 aes)" -iv A65959A6 -in key >>both
    unwraps both --with-pem private.pem
    printf '{"data": {"algorithm": "RSA_OAEP_AES_SHA256", "encrypted-key": "%s", "key-id": "ocid1.key"}}' \
        "$(base64 -w 0 both)" >oci.json
    unwraps oci.json --with-pem private.pem
    python 'import os
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
iv = os.urandom(12)
open("gcm", "wb").write(iv + AESGCM(open("wrapper", "rb").read()).encrypt(iv, open("key", "rb").read(), None))'
    unwraps gcm --with-key wrapper
}

@test "key wrap, unwrap: python3-cryptography both ways" {
    vmcrypt key wrap --method rfc3394 --with-key wrapper key kw
    vmcrypt key wrap --method rfc5649 --with-key wrapper key kwp
    vmcrypt key wrap --method aes-gcm --with-key wrapper key gcm
    python 'from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
key, w = open("key", "rb").read(), open("wrapper", "rb").read()
read = lambda name: open(name, "rb").read()
assert keywrap.aes_key_unwrap(w, read("kw")) == key
assert keywrap.aes_key_unwrap_with_padding(w, read("kwp")) == key
assert AESGCM(w).decrypt(read("gcm")[:12], read("gcm")[12:], None) == key
open("kw", "wb").write(keywrap.aes_key_wrap(w, key))
open("kwp", "wb").write(keywrap.aes_key_wrap_with_padding(w, key))'
    unwraps kw --with-key wrapper
    unwraps kwp --with-key wrapper
}

@test "key unwrap: what jose encrypts with, and a JWK that jose takes" {
    need jose
    openssl enc -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in key -out kw
    vmcrypt key unwrap --with-key wrapper --form jwk --id 'a "b"' kw key.jwk
    [ "$(jose fmt -j key.jwk -g kid -u-)" = 'a "b"' ]
    jose fmt -j key.jwk -g k -u- | tr -d '\n' >url
    cmp <(jose b64 dec -i url) key
    # A256KW: the encrypted_key of a JWE is the content key as in RFC 3394, under our JWK.
    echo text | jose jwe enc -I- -k key.jwk -i '{"protected":{"alg":"A256KW","enc":"A256CBC-HS512"}}' -o jwe
    jose fmt -j jwe -g encrypted_key -u- >cek
    vmcrypt key unwrap --with-key key.jwk cek content
    [ "$(stat -c %s content)" -eq 64 ]
}

@test "key unwrap: every output form" {
    openssl enc -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in key -out kw
    for form in raw hex base64 base64url jwk locator; do
        vmcrypt key unwrap --with-key wrapper --form $form kw key.$form
        # Each is a source again.
        rm -f again
        vmcrypt key wrap --method rfc3394 --with-key wrapper key.$form again
        cmp kw again
    done
    [ "$(cat key.hex)" = "$(xxd -p -c 64 key)" ]
    [ "$(cat key.base64)" = "$(base64 -w 0 key)" ]
    [[ $(cat key.locator) == vmware:key/rawkey/type%3dkey%3acipher%3dAES%2d256%3akey%3d* ]]
}

@test "key unwrap: wrong keys, damage and wrong words, and nothing is written" {
    rsa_keys
    openssl enc -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in key -out kw
    refused 3 'does not fit (tried rfc3394, rfc5649, aes-gcm)' --with-key key kw out
    refused 4 'can be no key wrapped with an RSA key of 256' --with-pem private.pem kw out
    refused 4 'holds no private key' --with-pem public.pem kw out
    head -c 39 kw >short
    refused 3 'tried aes-gcm' --with-key wrapper short out
    head -c 39 kw >short
    refused 4 'can be no key wrapped as in rfc3394' --with-key wrapper --method rfc3394 short out
    head -c 100000 /dev/zero >large
    refused 4 'no key' --with-key wrapper large out
    refused 2 'exclude each other' --with-key wrapper --with-pem private.pem kw out
    refused 2 'there is no wrapping method' --with-key wrapper --method rot13 kw out
    refused 2 '--form takes' --with-key wrapper --form morse kw out
    refused 2 'takes an RSA key' --with-key wrapper --method rsa-oaep-sha1 kw out
    refused 4 'has to be a pair' kw out
    openssl rsa -in private.pem -aes256 -passout pass:sesame -out locked.pem 2>/dev/null
    openssl pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:oaep -in key -out oaep
    refused 3 'give --pem-passphrase-file' --with-pem locked.pem oaep out
    echo wrong >phrase
    refused 3 'passphrase does not fit' --with-pem locked.pem --pem-passphrase-file phrase oaep out
    echo sesame >phrase
    unwraps oaep --with-pem locked.pem --pem-passphrase-file phrase
    # What is there stays, unless it is said.
    run --separate-stderr vmcrypt key unwrap --with-key wrapper kw key
    [ "$status" -ne 0 ]
    vmcrypt key unwrap --force --with-key wrapper kw key
}

refused()
{
    local code=$1 words=$2
    shift 2
    run --separate-stderr vmcrypt key unwrap "$@"
    [ "$status" -eq "$code" ] || fail "status $status: $stderr"
    says "$words"
    [ -z "$output" ]
    [ ! -e out ]
    [ ! -e out.partial ]
}

@test "key unwrap: a key is shown on a terminal only when asked for" {
    need_terminal
    need script
    openssl enc -id-aes256-wrap -K "$w" -iv A6A6A6A6A6A6A6A6 -in key -out kw
    run script -qec 'vmcrypt key unwrap --with-key wrapper --form hex kw -' /dev/null
    has 'only with --reveal'
    has_not "$(xxd -p -c 64 key)"
    run script -qec 'vmcrypt key unwrap --with-key wrapper --form hex --reveal kw -' /dev/null
    has "$(xxd -p -c 64 key)"
    run script -qec 'vmcrypt key unwrap --with-key wrapper --reveal kw -' /dev/null
    has 'not written to a terminal'
}

@test "key wrap: a pair under a KEK or a passphrase, and back" {
    head -c 64 /dev/urandom >dek
    vmcrypt key wrap --method pair --kek KMS/a --key KMS/a=wrapper dek pair
    [[ $(cat pair) == 'vmware:key/list/(pair/(fqid/<VMWARE-NULL>/KMS/a,HMAC%2dSHA%2d256,'* ]]
    vmcrypt key unwrap --key KMS/a=wrapper pair - | cmp - dek
    vmcrypt key unwrap --method pair --key KMS/a=wrapper --form base64 pair - | base64 -d | cmp - dek
    run --separate-stderr vmcrypt key unwrap --key KMS/b=wrapper pair out
    [ "$status" -eq 3 ]
    says 'needs KEK a from provider "KMS"'
    run --separate-stderr vmcrypt key unwrap --key KMS/a=key pair out
    [ "$status" -eq 3 ]
    [ ! -e out ]
    echo sesame >phrase
    vmcrypt key wrap --method pair --new-passphrase-file phrase dek pair2
    vmcrypt key unwrap --passphrase-file phrase pair2 - | cmp - dek
    # The lab, which shares no code with us, opens both.
    /usr/bin/python3 - "$top/tests/lab" <<'EOT'
import sys
sys.path.insert(0, sys.argv[1])
import reader, seal
dek = open("dek", "rb").read()
for name, keks, phrases in (("pair", [open("wrapper", "rb").read()], []), ("pair2", [], [b"sesame"])):
    text, *_ = reader.unlock_pairs(open(name).read().strip(), keks, phrases)
    assert seal.parse_key(text.decode()).data == dek, name
EOT
    run --separate-stderr vmcrypt key wrap --method pair --kek KMS/a --with-key key dek -
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt key wrap --method pair --kek KMS/a --form hex --key KMS/a=wrapper dek -
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt key wrap --method rfc3394 --kek KMS/a --with-key key dek -
    [ "$status" -eq 2 ]
}

@test "key unwrap: the key that a VM's key safe locks; key wrap: a key of the keyring" {
    make_vm tiny made
    vmcrypt key unwrap --keyring made/keys/keyring.yaml --form hex made/vm/web01.vmx config
    python 'import json
truth = json.load(open("made/truth.json"))["config"]["key"]
assert open("config").read().strip() in json.dumps(truth)'
    id=$(sed -n 's/.*- id: //p' made/keys/keyring.yaml | head -1)
    vmcrypt key wrap --method rfc5649 --with-key wrapper --keyring made/keys/keyring.yaml "KMS/$id" kwp
    vmcrypt key unwrap --with-key wrapper --form hex kwp - >hex
    run --separate-stderr vmcrypt key wrap --method rfc5649 --with-key wrapper KMS/none out
    [ "$status" -eq 3 ]
    says "'KMS/none' is no file: no key"
}
