#!/usr/bin/env bats
# vmcrypt key seal and unseal, with an emulated TPM and tpm2-tools as the other side.

load helpers

setup()
{
    need swtpm tpm2_create tpm2_unseal
    cd "$BATS_TEST_TMPDIR"
    umask 077
    start_tpm one
    TPM2TOOLS_TCTI=$(reach one)
    export TPM2TOOLS_TCTI
    head -c 32 /dev/urandom >secret
    printf '2580\n' >pin
    printf '0852' >wrong
}

teardown()
{
    for pid in tpm-*/pid; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" || true
    done
}

# A new TPM NAME. Sockets have short relative names: their paths are bounded.
start_tpm()
{
    mkdir "tpm-$1"
    swtpm socket --tpm2 --tpmstate "dir=tpm-$1" --pid "file=tpm-$1/pid" --log "file=tpm-$1/log,level=20" \
        --server "type=unixio,path=tpm-$1/s" --ctrl "type=unixio,path=tpm-$1/s.ctrl" \
        --flags startup-clear,not-need-init </dev/null >"tpm-$1/out" 2>&1 3>&- &
    for _ in {1..100}; do
        if [ -S "tpm-$1/s" ] && [ -S "tpm-$1/s.ctrl" ]; then return; fi
        sleep 0.05
    done
    fail "swtpm does not start"
}

reach()
{
    echo "swtpm:path=tpm-$1/s"
}

# There is no resource manager: what is left in the TPM would soon fill it.
nothing_left()
{
    tpm2_getcap handles-transient | not grep .
    tpm2_getcap handles-loaded-session | not grep .
    tpm2_getcap handles-saved-session | not grep .
}

# What the firmware does when it measures something new.
extend()
{
    tpm2_pcrextend "$1:sha256=$(printf 'aa%.0s' {1..32})"
}

# The primary key in p.ctx, as tpm2-tools make it.
primary()
{
    tpm2_createprimary -Q -c p.ctx
    tpm2_flushcontext -t
}

# tpm2_create NAME OPTION...: the secret, sealed by the other side.
they_seal()
{
    local name=$1
    shift
    tpm2_create -Q -C p.ctx -i secret -u "$name.pub" -r "$name.priv" "$@"
    tpm2_flushcontext -t
}

# Unseal NAME with OPTION...; it has to be the secret.
we_unseal()
{
    local name=$1
    shift
    rm -f out
    run --separate-stderr vmcrypt key unseal "$@" "$name.pub" "$name.priv" out
    [ "$status" -eq 0 ] || fail "$stderr"
    [ -z "$stderr" ]
    cmp secret out
}

refused()
{
    local status_wanted=$1 name=$2
    shift 2
    rm -f out
    run --separate-stderr vmcrypt key unseal "$@" "$name.pub" "$name.priv" out
    [ "$status" -eq "$status_wanted" ] || fail "status $status: $output $stderr"
    # One line: tss2 has no word of its own.
    [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "$stderr"
    [ ! -e out ]
}

@test "key seal, unseal: PCRs, a PIN, both, neither" {
    run vmcrypt key seal --pcr sha256:0,2,4,7 secret pcr.pub pcr.priv
    [ "$status" -eq 0 ]
    has '32 bytes sealed'
    has 'sha256:0,2,4,7'
    vmcrypt key seal --pin-file pin secret pin.pub pin.priv
    vmcrypt key seal --pin-file pin --pcr sha256:0,2,4,7+sha1:all secret both.pub both.priv
    vmcrypt key seal secret plain.pub plain.priv
    we_unseal pcr --pcr sha256:7,4,2,0
    [ "$(stat -c %a out)" = 600 ]
    we_unseal pin --pin-file pin
    we_unseal both --pin-file pin --pcr sha256:0,2,4,7+sha1:all
    we_unseal plain
    run --separate-stderr bash -c 'vmcrypt key unseal plain.pub plain.priv - | cmp - secret'
    [ "$status" -eq 0 ]
    nothing_left
    # Each part of a policy counts.
    refused 3 pcr
    says 'sealed under a policy'
    refused 3 both --pcr sha256:0,2,4,7+sha1:all
    says 'sealed with a PIN, and none was given'
    refused 3 both --pin-file pin
    says 'sealed under a policy'
    refused 3 both --pin-file pin --pcr sha256:0,2,4,7
    says 'PCRs are not what they were'
    nothing_left
}

@test "key unseal: refused when a PCR has changed" {
    vmcrypt key seal --pcr sha256:0,2,4,7 secret pcr.pub pcr.priv
    vmcrypt key seal --pcr sha256:0,2,4,7 --pin-file pin secret both.pub both.priv
    extend 1
    we_unseal pcr --pcr sha256:0,2,4,7
    extend 4
    refused 3 pcr --pcr sha256:0,2,4,7
    says 'pcr.priv: the PCRs are not what they were when it was sealed (policy sha256:0,2,4,7)'
    refused 3 both --pcr sha256:0,2,4,7 --pin-file pin
    says 'the PCRs are not what they were when it was sealed (policy sha256:0,2,4,7)'
    nothing_left
}

@test "key unseal: a wrong PIN, until the TPM locks up" {
    vmcrypt key seal --pin-file pin secret pin.pub pin.priv
    vmcrypt key seal --pin-file pin --pcr sha256:7 secret both.pub both.priv
    vmcrypt key seal --pcr sha256:7 secret pcr.pub pcr.priv
    refused 3 pin --pin-file wrong
    says 'pin.priv: the PIN is wrong'
    refused 3 both --pin-file wrong --pcr sha256:7
    says 'both.priv: the PIN is wrong'
    # No try is spent on what cannot open it.
    refused 3 both --pcr sha256:7
    refused 3 both --pin-file wrong --pcr sha256:6
    we_unseal pin --pin-file pin
    refused 3 pin
    says 'sealed with a PIN, and none was given'
    refused 1 pin --pin-file pin
    says 'locked out after too many wrong PINs'
    # The parent key is locked too.
    refused 1 pcr --pcr sha256:7
    says 'locked out after too many wrong PINs'
    tpm2_dictionarylockout --clear-lockout
    we_unseal pin --pin-file pin
    nothing_left
}

@test "key seal: tpm2_unseal reads it" {
    vmcrypt key seal --pcr sha256:0,2,4,7 secret pcr.pub pcr.priv
    vmcrypt key seal --pin-file pin secret pin.pub pin.priv
    vmcrypt key seal --pin-file pin --pcr sha256:0,2,4,7 secret both.pub both.priv
    vmcrypt key seal secret plain.pub plain.priv
    primary
    for name in pcr pin both plain; do
        tpm2_load -Q -C p.ctx -u "$name.pub" -r "$name.priv" -c "$name.ctx"
        tpm2_flushcontext -t
    done
    tpm2_unseal -c pcr.ctx -p pcr:sha256:0,2,4,7 | cmp - secret
    tpm2_unseal -c pin.ctx -p 2580 | cmp - secret
    tpm2_unseal -c plain.ctx | cmp - secret
    tpm2_flushcontext -t
    tpm2_startauthsession -Q --policy-session -S s.ctx
    tpm2_policypcr -Q -S s.ctx -l sha256:0,2,4,7
    tpm2_policyauthvalue -Q -S s.ctx
    tpm2_unseal -c both.ctx -p session:s.ctx+2580 | cmp - secret
    tpm2_flushcontext s.ctx
    # Neither half opens it.
    not tpm2_unseal -c both.ctx -p 2580
    not tpm2_unseal -c both.ctx -p pcr:sha256:0,2,4,7
}

@test "key unseal: what tpm2_create sealed" {
    primary
    tpm2_startauthsession -Q -S s.ctx
    tpm2_policypcr -Q -S s.ctx -l sha256:0,2,4,7 -L pcr.policy
    tpm2_policypassword -Q -S s.ctx -L password.policy
    tpm2_flushcontext s.ctx
    tpm2_startauthsession -Q -S s.ctx -g sha384
    tpm2_policyauthvalue -Q -S s.ctx
    tpm2_policypcr -Q -S s.ctx -l sha1:0,1+sha256:7 -L turned.policy
    tpm2_flushcontext s.ctx
    they_seal plain
    they_seal pin -p 2580
    they_seal pcr -L pcr.policy
    they_seal loose -L pcr.policy -p 2580
    they_seal both -L password.policy -p 2580 -a 'fixedtpm|fixedparent'
    they_seal turned -g sha384 -L turned.policy -p 2580 -a 'fixedtpm|fixedparent'
    we_unseal plain
    we_unseal pin --pin-file pin
    we_unseal pcr --pcr sha256:0,2,4,7
    # Their PIN stands beside their policy: each opens it.
    we_unseal loose --pcr sha256:0,2,4,7
    we_unseal loose --pin-file pin
    we_unseal loose --pin-file pin --pcr sha256:0,2,4,8
    we_unseal both --pin-file pin --pcr sha256:0,2,4,7
    we_unseal turned --pin-file pin --pcr sha1:0,1+sha256:7
    nothing_left
}

@test "key seal, unseal: under a key that stays in the TPM" {
    primary
    tpm2_evictcontrol -Q -C o -c p.ctx 0x81000123
    tpm2_createprimary -Q -G ecc -c e.ctx
    tpm2_evictcontrol -Q -C o -c e.ctx 0x81000124
    tpm2_flushcontext -t
    for parent in 0x81000123 0x81000124; do
        vmcrypt key seal -f --parent $parent --pcr sha256:7 --pin-file pin secret k.pub k.priv
        we_unseal k --parent $parent --pcr sha256:7 --pin-file pin
    done
    refused 3 k --parent 0x81000123 --pcr sha256:7 --pin-file pin
    says 'not of this TPM and parent key'
    refused 3 k --parent 0x81000125 --pcr sha256:7 --pin-file pin
    says 'the TPM holds no parent key 0x81000125'
    refused 2 k --parent 0x80000000
    says 'persistent handle'
    # With a password on the owner's hierarchy only such a key helps.
    tpm2_changeauth -c owner geheim
    refused 1 k
    says 'the owner of the TPM has set a password'
    we_unseal k --parent 0x81000124 --pcr sha256:7 --pin-file pin
    nothing_left
}

@test "key unseal: another TPM, and none" {
    vmcrypt key seal secret k.pub k.priv
    start_tpm two
    refused 3 k --tcti "$(reach two)"
    says 'k.priv: the sealed object is not of this TPM and parent key'
    we_unseal k --tcti "$(reach one)"
    refused 1 k --tcti swtpm:path=tpm-three/s
    says 'no TPM can be reached through swtpm:path=tpm-three/s'
    refused 1 k --tcti device:/dev/absent
    says 'no TPM can be reached'
}

@test "key unseal: neither a library nor a program nor a file stands in for a TPM" {
    vmcrypt key seal secret k.pub k.priv
    for tcti in 'cmd:touch ran' "$PWD/evil.so" pcap '' device-tcti swtp; do
        refused 2 k --tcti "$tcti"
        says 'a TPM is reached through'
    done
    [ ! -e ran ]
    refused 2 k --tcti "device:$PWD/secret"
    says 'no device of a TPM'
    TPM2TOOLS_TCTI='cmd:touch ran' refused 2 k
    [ ! -e ran ]
}

@test "key unseal: truncated, changed, oversize and mistaken blobs" {
    vmcrypt key seal --pcr sha256:7 secret k.pub k.priv
    primary
    tpm2_create -Q -C p.ctx -G rsa2048 -u rsa.pub -r rsa.priv
    tpm2_flushcontext -t
    : >empty
    head -c 70000 /dev/zero >large
    damage()
    {
        cp "${3:-k}.pub" d.pub
        cp "${3:-k}.priv" d.priv
        /usr/bin/python3 - "d.$1" "$2" <<'END'
import sys
path, how = sys.argv[1:]
data = bytearray(open(path, "rb").read())
if how == "cut":
    del data[-1]
elif how == "more":
    data.append(0)
else:
    data[int(how)] ^= 4
open(path, "wb").write(data)
END
    }
    for what in 'pub cut' 'pub more' 'pub 1' 'priv cut' 'priv more' 'priv 0' 'pub 3'; do
        # shellcheck disable=SC2086 # two words
        damage $what
        refused 4 d --pcr sha256:7
        says 'as tpm2_create' || says 'not of sealed data'
    done
    # A change that keeps the form is found by the TPM: attributes, policy, digest, ciphertext.
    for what in 'pub 8' 'pub 20' 'pub -1' 'priv 10' 'priv 60' 'priv -1'; do
        # shellcheck disable=SC2086
        damage $what
        refused 3 d --pcr sha256:7
        says 'its files were changed'
    done
    refused 4 rsa
    says 'that of a key, not of sealed data'
    for bad in empty large; do
        cp k.pub d.pub
        cp $bad d.priv
        refused 4 d
        cp $bad d.pub
        cp k.priv d.priv
        refused 4 d
    done
    nothing_left
}

@test "key seal: what cannot be sealed, and to what" {
    run --separate-stderr vmcrypt key seal --pcr sha256:24 secret k.pub k.priv
    [ "$status" -eq 2 ]
    says 'PCRs 0 to 23'
    run --separate-stderr vmcrypt key seal --pcr sha3_256:7 secret k.pub k.priv
    [ "$status" -eq 1 ]
    says 'the TPM does not keep all of the PCRs sha3_256:7'
    : >nothing
    run --separate-stderr vmcrypt key seal --pin-file nothing secret k.pub k.priv
    [ "$status" -eq 2 ]
    says 'a PIN for the TPM has 1 to 32 bytes'
    run --separate-stderr vmcrypt key seal nothing k.pub k.priv
    [ "$status" -eq 4 ]
    run --separate-stderr vmcrypt key seal secret k k
    [ "$status" -eq 2 ]
    [ ! -e k.pub ]
    vmcrypt key seal secret k.pub k.priv
    cp k.pub before
    run --separate-stderr vmcrypt key seal secret k.pub k.priv
    [ "$status" -eq 1 ]
    says 'exists already'
    cmp k.pub before
    nothing_left
}

@test "key seal: the KEKs of a VM by name, unsealed, open it" {
    make_vm vsphere made
    keys=()
    for kek in $(vmcrypt key list --keyring made/keys/keyring.yaml | grep -o 'KMS/[^ ]*'); do
        name=${kek#KMS/}
        vmcrypt key seal --keyring made/keys/keyring.yaml --pcr sha256:7 "$kek" $name.pub $name.priv
        vmcrypt key unseal --pcr sha256:7 $name.pub $name.priv $name
        keys+=(--key "$kek=$name")
    done
    [ ${#keys[@]} -ge 2 ]
    vmcrypt recover "${keys[@]}" made/vm opened
    run --separate-stderr vmcrypt key seal --keyring made/keys/keyring.yaml KMS/other o.pub o.priv
    [ "$status" -eq 3 ]
    nothing_left
}

@test "keyring: a key that is unsealed on use opens the VM" {
    make_vm vsphere made
    {
        printf 'version: 1\nproviders:\n  - name: KMS\n    keys:\n'
        for kek in $(vmcrypt key list --keyring made/keys/keyring.yaml | grep -o 'KMS/[^ ]*'); do
            name=${kek#KMS/}
            vmcrypt key seal -q --keyring made/keys/keyring.yaml --pcr sha256:0,7 --pin-file pin \
                "$kek" "made/$name.pub" "made/$name.priv" >&2
            printf '      - id: %s\n        tpm: {public: %s.pub, private: %s.priv, pcrs: "sha256:0,7", pin: ../pin}\n' \
                "$name" "$name" "$name"
        done
    } >made/ring.yaml
    vmcrypt recover --keyring made/ring.yaml made/vm opened
    nothing_left
    # The reason why a key is missing is told.
    extend 7
    run --separate-stderr vmcrypt recover --keyring made/ring.yaml made/vm again
    [ "$status" -eq 3 ]
    says 'the PCRs are not what they were when it was sealed (policy sha256:0,7)'
    nothing_left
}

@test "key seal --to: a whole keyring, encrypted under what the TPM holds" {
    make_vm vsphere made
    run vmcrypt key seal --keyring made/keys/keyring.yaml --pcr sha256:7 --to ring.vmk ring.pub ring.priv
    [ "$status" -eq 0 ] || fail "$output"
    has 'ring.vmk: 2 keys and 0 passphrases, encrypted'
    [ "$(stat -c %a ring.vmk)" = 600 ]
    mv made/keys keys-before
    printf 'version: 1\nincludes:\n  - file: ring.vmk\n    tpm: {public: ring.pub, private: ring.priv, pcrs: "sha256:7"}\n' >tpm.yaml
    vmcrypt recover --keyring tpm.yaml made/vm opened
    # By hand, too.
    vmcrypt key unseal --pcr sha256:7 ring.pub ring.priv phrase
    vmcrypt key list --keyring ring.vmk --keyring-passphrase-file phrase
    run --separate-stderr vmcrypt key seal --keyring keys-before/keyring.yaml --to ring.vmk r.pub r.priv
    [ "$status" -eq 1 ]
    says 'ring.vmk: exists already'
    run --separate-stderr vmcrypt key seal --to other.vmk r2.pub r2.priv
    [ "$status" -eq 2 ]
    says 'no keys in hand'
    run --separate-stderr vmcrypt key seal --to other.vmk secret r2.pub r2.priv
    [ "$status" -eq 2 ]
    run --separate-stderr vmcrypt key seal r2.pub r2.priv
    [ "$status" -eq 2 ]
    [ ! -e other.vmk ]
    nothing_left
}

# The traffic with the TPM, as swtpm notes it, without blanks between the bytes.
traffic()
{
    grep -oE '^ [0-9A-F ]+$' tpm-one/log | tr -d ' \n'
}

@test "key seal, unseal: neither secret nor PIN crosses the bus in the clear" {
    head -c 15 /dev/urandom | base64 | tr -d '\n' >pin
    for how in '' '--pcr sha256:7'; do
        # shellcheck disable=SC2086 # no option or two
        vmcrypt key seal -f --pin-file pin $how secret k.pub k.priv
        # shellcheck disable=SC2086
        we_unseal k --pin-file pin $how
    done
    traffic >seen
    grep -q "$(od -An -v -tx1 k.pub | tr -d ' \n' | tr a-f A-F)" seen
    not grep -q "$(od -An -v -tx1 secret | tr -d ' \n' | tr a-f A-F)" seen
    not grep -q "$(od -An -v -tx1 pin | tr -d ' \n' | tr a-f A-F)" seen
    # Other tools do send it in the clear, and it is seen.
    primary
    tpm2_load -Q -C p.ctx -u k.pub -r k.priv -c k.ctx
    tpm2_flushcontext -t
    tpm2_startauthsession -Q --policy-session -S s.ctx
    tpm2_policypcr -Q -S s.ctx -l sha256:7
    tpm2_policyauthvalue -Q -S s.ctx
    tpm2_unseal -c k.ctx -p "session:s.ctx+$(cat pin)" | cmp - secret
    traffic >seen
    grep -q "$(od -An -v -tx1 secret | tr -d ' \n' | tr a-f A-F)" seen
}

@test "key seal, unseal: nothing secret is left in memory" {
    need gdb
    not_sanitized
    [ "$(id -u)" -eq 0 ] || skip "only root can look into a process that forbids it"
    head -c 15 /dev/urandom | base64 >pin
    vmcrypt key seal --pin-file pin secret k.pub k.priv
    # Where the secret and the PIN lie: in the locked heap only, whose mapping has no name.
    cat >look.py <<'END'
import gdb
secrets = [open("secret", "rb").read(), open("pin", "rb").read().strip()]
process = gdb.selected_inferior()
for line in open(f"/proc/{process.pid}/maps"):
    span, rights, _, _, _, *name = line.split()
    start, end = (int(x, 16) for x in span.split("-"))
    if rights.startswith("r") and not "".join(name).startswith("[v"):
        try:
            memory = process.read_memory(start, end - start).tobytes()
            if any(secret in memory for secret in secrets):
                print("found in", *name or ["the locked heap"])
        except gdb.MemoryError:
            pass
END
    look()
    {
        local where=$1
        shift
        run gdb -nx -batch -ex 'set debuginfod enabled off' -ex "break $where" -ex run \
            -ex 'source look.py' -ex kill --args "$VMCRYPT_BUILD/vmcrypt-key" "$@"
        has 'Breakpoint 1,'
    }
    look file_replace unseal --pin-file pin k.pub k.priv -
    has 'found in the locked heap'
    has_not 'found in ['
    look file_replace seal --pin-file pin secret other.pub other.priv
    has 'found in the locked heap'
    has_not 'found in ['
    # They can be found: tss2 leaves them about.
    look tpm_link_close unseal --pin-file pin k.pub k.priv -
    has 'found in [heap]'
}
