#!/usr/bin/env bats
# vmcrypt key test: which key opens what, over trees.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

# The number of things in state $1 of kind $2.
count()
{
    /usr/bin/python3 -c 'import json, sys
report = json.loads(sys.argv[1])
print(sum(t["state"] == sys.argv[2] and t["kind"] == sys.argv[3] for t in report["things"]))' "$output" "$1" "$2"
}

value()
{
    /usr/bin/python3 -c "import json, sys; print(json.loads(sys.argv[1])$1)" "$output"
}

@test "key test: every encrypted thing of a VM, by the key of its provider" {
    make_vm vsphere a
    run vmcrypt key test a/keys/keyring.yaml a
    [ "$status" -eq 0 ]
    has 'opened   settings'
    has 'opened   disk'
    has 'opened   data'
    has 'proved by HMAC-SHA-256'
    has 'keys that open nothing here:'
    has '3 encrypted things: 3 opened'
    has_not 'keys that are missing'
}

@test "key test: several VMs, a key missing, a key that opens nothing" {
    make_vm vsphere a
    make_vm vsphere-multi b
    make_vm plain c
    run vmcrypt key test --json a/keys/keyring.yaml a/vm b/vm c/vm
    [ "$status" -eq 5 ]
    [ "$(count opened settings)" = 1 ]
    [ "$(count missing settings)" = 1 ]
    [ "$(count missing disk)" = 2 ]
    [ "$(count missing data)" = 1 ]
    [ "$(value "['missing'][0]['provider']")" = KMS ]
    [ "$(value "['missing'][0]['things']")" = 3 ]
    [ "$(value "['keys'][0]['opened']")" = 0 ]
    [ "$(value "['keys'][1]['opened']")" = 3 ]
    # With the other ring too, all is open.
    run vmcrypt key test --keyring a/keys/keyring.yaml --keyring b/keys/keyring.yaml a b c
    [ "$status" -eq 0 ]
}

@test "key test: passphrases, and nothing at all in hand" {
    make_vm ws-aes w
    run vmcrypt key test --passphrase-file w/keys/passphrase.txt w/vm
    [ "$status" -eq 0 ]
    has 'opened with the passphrase'
    echo 'version: 1' >none.yaml
    run vmcrypt key test none.yaml w/vm
    [ "$status" -eq 3 ]
    has 'needs a passphrase'
    echo wrong >wrong
    run vmcrypt key test --passphrase-file wrong w/vm
    [ "$status" -eq 3 ]
    has 'unfit    settings'
    has 'unfit    data'
}

@test "key test: a wrong key, a damaged file, one that cannot be read, and the rest goes on" {
    make_vm vsphere a
    make_vm vsphere-multi b
    cat a/keys/keyring.yaml >ring.yaml
    head -c 32 /dev/zero >kms-1.key
    cp kms-1.key kms-2.key
    chmod 600 kms-?.key
    run vmcrypt key test ring.yaml a/vm
    [ "$status" -eq 3 ]
    has 'unfit    settings'
    has 'does not fit: HMAC-SHA-256 does not hold'
    sed -i 's/^encryption.keySafe = .*/encryption.keySafe = "vmware:key\/list\/(pair\/(x"/' a/vm/web01.vmx
    ln -s nowhere a/vm/gone.vmdk
    run vmcrypt key test --keyring a/keys/keyring.yaml --keyring b/keys/keyring.yaml a absent b
    [ "$status" -eq 5 ]
    has 'damaged  settings'
    has 'absent'
    [ "$(echo "$output" | grep -c '^opened')" -ge 5 ]
}

@test "key test: a data file alone finds its .vmx, a saved bundle is a locator" {
    make_vm vsphere a
    make_vm vsphere-api b
    run vmcrypt key test a/keys/keyring.yaml a/vm/web01.nvram
    [ "$status" -eq 0 ]
    has 'the dataFileKey of web01.vmx opens it'
    run vmcrypt key test b/keys/keyring.yaml b/vm/bundle.txt
    [ "$status" -eq 0 ]
    has 'opened   locator'
    mkdir lone
    cp a/vm/web01.nvram lone/
    run vmcrypt key test a/keys/keyring.yaml lone
    [ "$status" -eq 3 ]
    has 'no .vmx beside it'
}

@test "key test: the order is that of the tree, whatever the threads; links do not lead astray" {
    make_vm vsphere a
    mkdir tree
    for i in 1 2 3 4 5 6 7 8; do cp -r a/vm tree/vm$i; done
    ln -s .. tree/loop
    run vmcrypt key test --threads 1 a/keys/keyring.yaml tree
    [ "$status" -eq 0 ]
    one=$output
    has '24 encrypted things: 24 opened'
    run vmcrypt key test --threads 8 a/keys/keyring.yaml tree
    [ "$output" = "$one" ]
}

@test "key test: 400 VMs and 50 keys, with ids, without, and passphrases" {
    /usr/bin/python3 "$top/tests/bench/bench_keys.py" --build "$VMCRYPT_BUILD" --dir . --vms 400 --keys 50
    /usr/bin/python3 "$top/tests/bench/bench_keys.py" --build "$VMCRYPT_BUILD" --dir . --vms 100 --keys 20 --lost-ids
    /usr/bin/python3 "$top/tests/bench/bench_keys.py" --build "$VMCRYPT_BUILD" --dir . --vms 40 --passphrases
}

@test "key test: says how it is to be called" {
    run --separate-stderr vmcrypt key test ring.yaml
    [ "$status" -eq 2 ]
    says 'name a keyring'
}
