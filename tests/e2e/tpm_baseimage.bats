#!/usr/bin/env bats
# vmcrypt tpm baseimage, policy: digests of modules as sha256sum gives them, from every form of image.
load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_image.py" .
}

# The digests of LIST.yaml, sorted; read by a YAML reader that is not ours.
digests()
{
    need_yaml
    /usr/bin/python3 -c '
import sys, yaml
d = yaml.safe_load(open(sys.argv[1]))
assert str(d["version"]) == "1"
print("\n".join(sorted(str(m["sha256"]) for m in d["modules"])))' "$1"
}

need_yaml()
{
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
}

truth()
{
    /usr/bin/python3 -c 'import json; print("\n".join(sorted(json.load(open("truth.json")).values())))'
}

@test "a boot bank: the files that boot.cfg names, decompressed, and no others" {
    vmcrypt tpm baseimage boot bank.yaml
    diff <(digests bank.yaml) <(truth)
    grep -q "name: b.b00" bank.yaml
    grep -q "proof: file" bank.yaml
    not grep -q "notes" bank.yaml
}

@test "an offline bundle, a VIB, an image database: the same digests, with VIB and version" {
    vmcrypt tpm baseimage --name "ESXi test" depot.zip depot.yaml
    diff <(digests depot.yaml) <(truth)
    grep -q "name: ESXi test" depot.yaml
    grep -q "vib: tools-light" depot.yaml
    grep -q "vendor: VMware" depot.yaml
    # Payloads were hashed themselves, and agree with the descriptors.
    not grep -q "proof: descriptor" depot.yaml
    vmcrypt tpm baseimage imgdb.tgz db.yaml
    diff <(digests db.yaml) <(truth)
    not grep -q "proof: file" db.yaml
    vmcrypt tpm baseimage one.vib vib.yaml
    [ "$(digests vib.yaml | wc -l)" = 3 ]
}

@test "an ISO image, with names in capitals" {
    [ -e image.iso ] || skip "genisoimage is not installed"
    vmcrypt tpm baseimage image.iso iso.yaml
    diff <(digests iso.yaml) <(truth)
    mkdir depot
    mv depot.zip image.iso depot
    vmcrypt tpm baseimage depot all.yaml
    diff <(digests all.yaml) <(truth)
}

@test "a module that is cut off is told, and the list is marked incomplete" {
    truncate -s -100 boot/s.v00
    run --separate-stderr -5 vmcrypt tpm baseimage boot bank.yaml
    says "s.v00: its compressed data are cut off"
    says "some files could not be read"
    [ "$(digests bank.yaml | wc -l)" = 3 ]
}

@test "what is no image is refused; an existing list is not replaced without --force" {
    mkdir empty
    run --separate-stderr -4 vmcrypt tpm baseimage empty x.yaml
    says "no modules of ESXi were found"
    [ ! -e x.yaml ]
    run --separate-stderr -4 vmcrypt tpm baseimage truth.json x.yaml
    run --separate-stderr -1 vmcrypt tpm baseimage nowhere x.yaml
    vmcrypt tpm baseimage boot x.yaml
    run --separate-stderr vmcrypt tpm baseimage boot x.yaml
    [ "$status" -ne 0 ]
    vmcrypt tpm baseimage --force boot x.yaml
}

@test "a hostile archive: entity bombs, archives in archives, wrong names" {
    mkdir evil
    printf '<!DOCTYPE vib [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><vib>&b;</vib>' >evil/x.xml
    run --separate-stderr -4 vmcrypt tpm baseimage evil out.yaml
    says "no modules"
    cp depot.zip a.zip
    for _ in 1 2 3 4 5 6 7 8; do
        rm -f b.zip
        (zip -q b.zip a.zip && mv b.zip a.zip) || skip "zip is not installed"
    done
    run --separate-stderr vmcrypt tpm baseimage a.zip out.yaml
    [ "$status" -eq 4 ]
    says "too deep"
}

@test "a policy is checked, and one is made from certificates in a zip" {
    need zip openssl
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out ca.pem \
        -subj /CN=Vendor -days 2 2>/dev/null
    openssl x509 -in ca.pem -outform DER -out ca.der
    zip -q cas.zip ca.pem ca.der
    vmcrypt tpm policy --name vendors --out p.yaml cas.zip
    run --separate-stderr -0 vmcrypt tpm policy p.yaml
    has '"vendors" is a policy, 2 CAs'
    echo "secureboot: required" >>p.yaml
    run --separate-stderr -4 vmcrypt tpm policy p.yaml
    says "secureboot: no such setting"
}
