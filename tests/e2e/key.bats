#!/usr/bin/env bats
# vmcrypt key, and the habits that all commands share.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

native='vmware:key/list/(pair/(fqid/<VMWARE-NULL>/local/ASEAAgEAIexBYS7MTFOGo6XyS0PZfQEIAAwAEAAgAAQAQUVTLTI1NgCmT8mZIAuAGqLaFVU3pBlaT7%2fzDJm3%2fy%2f05n9y9%2bxv1aVSfBY9e6rBrhvKIkB2G%2fsvF7L%2bLGpoojr136%2bghgEA,HMAC%2dSHA%2d256,kIc7z%2fJowrpzVUAand6fC4ixT5BY6KwNTbAPFQErmxFRkmhJNOTp1VyQFnkn5kLgvKpt7KJKlm%2fvLkO6YxkVe61EMdtdsR2nL9DWMsDWov9syEh%2ftVED%2fzCct1fFpUaqSa29J%2fFk9%2bD22HiA0%2flumBPwt9M5aW0HB9T9lEMxNEVpSOBPmOW63DzLzAq1EC7%2fIWuCimTL%2b15%2be4uwDvxEYI5RDofZ2fm9oyM9MLHDTYPo%2fsFo8GU1LK%2frLsQcj20XijOe%2bfLnDlbJcH1nCmyoO8tweHwDs%2fmwhbpQudvXbGVM3jboiXoPj9rki%2boGeE8clTcBUyRxHE6n56MuZ6HmH1GHt9tBLyAHvk4oj2wNGGc%3d))'

@test "key explain: a real native provider's locator, with its KDK UUID" {
    run vmcrypt key explain "$native"
    [ "$status" -eq 0 ]
    has '21ec4161-2ecc-4c53-86a3-a5f24b43d97d'
    has 'native key provider "local" whose key id is'
    has 'give it with --key FILE.p12'
    has 'HMAC-SHA-256'
    run vmcrypt key explain --json "$native"
    [ "$(jq_like "['locators'][0]['members'][0]['locker']['kdk_uuid']")" = 21ec4161-2ecc-4c53-86a3-a5f24b43d97d ]
}

jq_like()
{
    /usr/bin/python3 -c "import json,sys; print(json.loads(sys.argv[1])$1)" "$output"
}

@test "key explain: a line of an event log, in the API's spelling" {
    echo 'config.extraConfig("encryption.bundle") = vmware:key/list/(pair/(fqid/<VMWARE-NULL>/KMS/a4e7494f-da55-4917-9d90-560c5078866b,HMAC-SHA-256,AAAA/BBB))' >log
    run vmcrypt key explain log
    [ "$status" -eq 0 ]
    has 'a4e7494f-da55-4917-9d90-560c5078866b'
    has 'standard (KMIP, UUID)'
}

@test "key explain: never a key, unless asked" {
    run vmcrypt key explain vmware:key/rawkey/supersecret
    has_not supersecret
    has_not 7375706572
    run vmcrypt key explain --json vmware:key/rawkey/supersecret
    has_not supersecret
    run vmcrypt key explain --reveal vmware:key/rawkey/supersecret
    has 7375706572736563726574
}

@test "key explain: tells which key in hand opens it" {
    make_vm ws-aes made
    run vmcrypt key explain --passphrase-file made/keys/passphrase.txt made/vm/*.vmx
    has 'opened with the passphrase'
}

@test "key explain: a locator 10,000 deep, a broken one, none" {
    /usr/bin/python3 -c 'print("vmware:key/" + "list/(" * 10000 + ")" * 10000)' >deep
    run --separate-stderr timeout 5 vmcrypt key explain deep
    [ "$status" -eq 4 ]
    says 'nested too deep'
    run --separate-stderr vmcrypt key explain vmware:key/fqid/x
    [ "$status" -eq 4 ]
    echo nothing >file
    run --separate-stderr vmcrypt key explain file
    [ "$status" -eq 4 ]
    says 'no key locator'
    run --separate-stderr vmcrypt key explain absent
    [ "$status" -eq 1 ]
}

@test "key explain: text from a file cannot drive the terminal" {
    run vmcrypt key explain 'vmware:key/fqid/x/a%1b%5b31mred/id'
    has '\x1b[31mred'
    has_not $'\x1b'
}

@test "key list: what is in hand, without the keys" {
    make_vm vsphere made
    run vmcrypt key list --keyring made/keys/keyring.yaml
    [ "$status" -eq 0 ]
    has 'KMS/'
    has '32 bytes'
}

@test "every tool: --help, --version, usage errors" {
    for tool in vmcrypt vmcrypt-recover vmcrypt-mount vmcrypt-vmx vmcrypt-disk vmcrypt-file vmcrypt-key vmcrypt-tpm; do
        run --separate-stderr "$tool" --help
        [ "$status" -eq 0 ]
        has 'Usage: '
        [ -z "$stderr" ]
        run --separate-stderr "$tool" --version
        [ "$status" -eq 0 ]
        has '0.1.0'
        run --separate-stderr "$tool"
        [ "$status" -eq 2 ]
        run --separate-stderr "$tool" --no-such-option
        [ "$status" -eq 2 ]
        [ -n "$stderr" ]
        [ -z "$output" ]
    done
}

@test "every command: --help names its options, and each is in the man page" {
    for tool in recover mount vmx disk file key tpm; do
        man=$top/docs/man/vmcrypt-$tool.1
        [ -e "$man" ]
        verbs=$(vmcrypt-$tool --help | sed -n '/^Commands:/,$s/^  \([a-z]*\) .*/\1/p')
        for verb in ${verbs:-''}; do
            # shellcheck disable=SC2086
            run vmcrypt-$tool $verb --help
            [ "$status" -eq 0 ]
            for option in $(grep -oE '^ +(-., |    )--[a-z-]+' <<<"$output" | grep -oE -- '--[a-z-]+'); do
                grep -q -- "${option//-/\\\\-}" "$man" || fail "$man does not tell of $option ($verb)"
            done
        done
    done
}

@test "vmcrypt: front end" {
    run vmcrypt help key
    [ "$status" -eq 0 ]
    has 'vmcrypt-key'
    run --separate-stderr vmcrypt nonsense
    [ "$status" -eq 2 ]
    says 'nonsense'
    run --separate-stderr vmcrypt ../bin/sh
    [ "$status" -eq 2 ]
}

@test "keyring: a wrong one is refused with file and line" {
    printf 'version: 1\nproviders:\n  - nam: KMS\n' >ring.yaml
    run --separate-stderr vmcrypt key list --keyring ring.yaml
    [ "$status" -eq 4 ]
    says 'ring.yaml: line 3'
}
