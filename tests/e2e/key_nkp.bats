#!/usr/bin/env bats
# Native Key Providers: their backups (.p12), their key ids, and a VM recovered by way of both.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
}

# A file of openssl's: OUT [OPTION of `openssl pkcs12 -export`...]
export_p12()
{
    local out=$1
    shift
    [ -e key.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
        -subj '/CN=vcenter.lab' -days 3650 2>/dev/null
    openssl pkcs12 -export -inkey key.pem -in cert.pem -name 'My NKP' -out "$out" "$@"
}

json()
{
    /usr/bin/python3 -c "import json,sys; print(json.load(sys.stdin)$1)" <<<"$output"
}

@test "a VM of a native key provider is recovered with the provider's .p12" {
    make_vm vsphere-nkp made
    run --separate-stderr vmcrypt recover --passphrase-file made/keys/local.p12-passphrase.txt \
        --key made/keys/local.p12 made/vm out
    [ "$status" -eq 0 ]
    has 'opened with the KEK derived from the KDK'
    has 'by gcm+header(pbkdf2-sha256(kdk, uuid))'
    has "a hypothesis that this pair's HMAC has now proved"
    lab verify made out/web01-flat.vmdk
    run vmcrypt recover --json --keyring made/keys/keyring.yaml made/vm out2
    [ "$status" -eq 0 ]
    lab verify made out2/web01-flat.vmdk
}

@test "the same through a keyring that key import wrote" {
    make_vm vsphere-nkp made
    vmcrypt key import --passphrase-file made/keys/local.p12-passphrase.txt --to ring.yaml \
        made/keys/local.p12
    mkdir elsewhere
    mv ring.yaml elsewhere
    rm made/keys/local.p12
    run vmcrypt key list --keyring elsewhere/ring.yaml
    has 'KDK  local/'
    vmcrypt recover --keyring elsewhere/ring.yaml made/vm out
    lab verify made out/web01-flat.vmdk
}

@test "without the backup: which one is needed; with a wrong one: how much was tried" {
    make_vm vsphere-nkp made
    uuid=$(/usr/bin/python3 -c 'import json; print(json.load(open("made/truth.json"))["kdks"][0]["uuid"])')
    run --separate-stderr vmcrypt vmx decrypt --key made/keys/local-1.key made/vm/web01.vmx -
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    run --separate-stderr vmcrypt vmx decrypt --keyring <(echo 'version: 1') made/vm/web01.vmx -
    [ "$status" -eq 3 ]
    says "needs the KDK $uuid of native key provider \"local\""
    says '--key FILE.p12'
    run vmcrypt key explain made/vm/web01.vmx
    has "$uuid, and give it with --key FILE.p12"
    lab make vsphere-nkp other --seed 2
    printf '%s' "$(cat other/keys/local.p12-passphrase.txt)" >pass
    run --separate-stderr vmcrypt vmx decrypt --passphrase-file pass \
        --key "local/$uuid=other/keys/local.p12" made/vm/web01.vmx -
    [ "$status" -eq 3 ]
    says 'none of 2915 ways to derive its KEK from 1 KDK fits'
}

@test "a bare KDK opens it, too, by its UUID" {
    make_vm vsphere-nkp made
    /usr/bin/python3 - <<'END'
import json
kdk = json.load(open("made/truth.json"))["kdks"][0]
open("kdk.hex", "w").write(kdk["hex"])
open("uuid", "w").write(kdk["uuid"])
END
    chmod 600 kdk.hex
    run vmcrypt vmx decrypt --key "local/$(cat uuid)=kdk.hex" made/vm/web01.vmx -
    [ "$status" -eq 0 ]
    has 'dataFileKey'
}

@test "key explain FILE.p12: what is in it, without the key" {
    make_vm vsphere-nkp made
    run vmcrypt key explain --passphrase-file made/keys/local.p12-passphrase.txt made/keys/local.p12
    [ "$status" -eq 0 ]
    has 'the one from made/keys/local.p12-passphrase.txt'
    has 'PBES2: PBKDF2 with hmacWithSHA256, aes-256-cbc, 20000 rounds, 16 bytes of salt'
    has ': holds'
    has 'secretBag: secret of type 1.3.6.1.4.1.6876.9999.1'
    has 'friendlyName local'
    has "(inferred from a field 'key_id' in JSON)"
    has_not 'falls short'
    kdk=$(/usr/bin/python3 -c 'import json; print(json.load(open("made/truth.json"))["kdks"][0]["hex"])')
    has_not "$kdk"
    run vmcrypt key explain --json made/keys/local.p12
    [ "$status" -eq 0 ]
    [ "$(json "['pkcs12']['password']")" = unknown ]
    [ "$(json "['pkcs12']['safes'][0]['opened']")" = False ]
}

@test "key explain: files of openssl pkcs12 -export in different modes" {
    need openssl
    export_p12 good.p12 -passout pass:'correct horse battery' -iter 20000
    printf 'correct horse battery' >pass
    run vmcrypt key explain --json --passphrase-file pass good.p12
    [ "$status" -eq 0 ]
    [ "$(json "['pkcs12']['password']")" = given ]
    [ "$(json "['pkcs12']['mac']['holds']")" = True ]
    [ "$(json "['pkcs12']['falls_short']")" = '[]' ]
    [ "$(json "['pkcs12']['bags'][0]['what']")" = 'certificate of CN=vcenter.lab' ]
    [ "$(json "['pkcs12']['bags'][1]['what']")" = 'private key, rsaEncryption' ]
    has '"My NKP"'
    has '"localKeyID"'

    export_p12 empty.p12 -passout pass:
    run vmcrypt key explain empty.p12
    has 'opens without one'
    has 'falls short      opens without a passphrase'
    has 'certificate of CN=vcenter.lab'

    export_p12 bare.p12 -passout pass:x -keypbe NONE -certpbe NONE -nomac
    run vmcrypt key explain bare.p12
    has 'needs none'
    has 'MAC: none, so that changes to the file would go unnoticed'

    if export_p12 legacy.p12 -legacy -passout pass:password 2>/dev/null; then
        printf 'password\n' >weak
        run vmcrypt key explain --passphrase-file weak legacy.p12
        has 'pbeWithSHA1And40BitRC2-CBC'
        has 'certificate of CN=vcenter.lab'
        has 'falls short      its passphrase is among the first that anybody tries'
        has 'falls short      MAC: HMAC with sha1 is weak'
        has 'falls short      safe 1: pbeWithSHA1And40BitRC2-CBC is weak'
        has 'rounds are few'
    fi

    run --separate-stderr vmcrypt key list --passphrase-file pass --key good.p12
    [ "$status" -eq 3 ]
    says 'nothing looks like a symmetric key'
    base64 good.p12 >good.b64
    run vmcrypt key explain --passphrase-file pass good.b64
    has 'certificate of CN=vcenter.lab'
}

@test "a damaged .p12: cut off, flipped, with rounds that take hours" {
    make_vm vsphere-nkp made
    head -c 300 made/keys/local.p12 >cut.p12
    run --separate-stderr vmcrypt key list --key cut.p12
    [ "$status" -eq 4 ]
    says 'cut.p12: a PKCS#12 file that is cut off'
    /usr/bin/python3 - <<'END'
data = bytearray(open("made/keys/local.p12", "rb").read())
rounds = bytes.fromhex("02024e20")
assert data.count(rounds) == 2
data[data.rindex(rounds) - 5] ^= 1           # in the MAC's salt
open("flipped.p12", "wb").write(data)
END
    run --separate-stderr vmcrypt key list --passphrase-file made/keys/local.p12-passphrase.txt \
        --key flipped.p12
    [ "$status" -eq 4 ]
    says 'MAC does not hold though a passphrase opens it'
    run --separate-stderr vmcrypt key explain --passphrase-file made/keys/local.p12-passphrase.txt \
        flipped.p12
    [ "$status" -eq 4 ]
    has 'may be a KDK'
    need openssl
    export_p12 slow.p12 -passout pass:x -certpbe NONE -iter 2100000 -nomac
    printf x >pass
    run timeout 5 vmcrypt key explain --passphrase-file pass slow.p12
    has '2100000 rounds: from 1 to 2000000 are taken'
}

# The KDK and what is derived from it, decrypted bags, their JSON: all of it in locked memory.
@test "no key of a .p12 is left in the ordinary heap or on the stack" {
    need gdb
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can look into a process that forbids it"
    make_vm vsphere-nkp made
    cat >look.py <<END
import subprocess
def look(where):
    out = subprocess.run(["$top/tests/e2e/find_secrets.py", "made/truth.json", where,
                          str(gdb.selected_inferior().pid)], capture_output=True, text=True)
    print(where, "found:", out.stdout.replace("\n", "; ") + out.stderr + "end")
look("--heap")
look("--pid")
END
    for place in keysafe_open file_create; do
        run gdb -nx -batch -ex 'set debuginfod enabled off' -ex "break $place" -ex run \
            -ex 'source look.py' -ex kill --args "$VMCRYPT_BUILD/vmcrypt-vmx" decrypt \
            --passphrase-file made/keys/local.p12-passphrase.txt --key made/keys/local.p12 \
            made/vm/web01.vmx out
        has '--heap found: end'
        has_not '--pid found: end'
    done
}
