#!/usr/bin/env bats
# vmcrypt tpm quote: quotes of an emulated TPM by tpm2-tools, which is the other opinion.

load helpers

nonce=00112233445566778899aabbccddeeff

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
}

teardown()
{
    [ ! -s tpm/pid ] || kill "$(cat tpm/pid)" || true
}

# A TPM, with an EK and no other key yet. Sockets have short relative names.
boot_tpm()
{
    need swtpm tpm2_quote tpm2_checkquote openssl
    mkdir tpm
    swtpm socket --tpm2 --tpmstate dir=tpm --pid file=tpm/pid --log file=tpm/log,level=20 \
        --server type=unixio,path=tpm/s --ctrl type=unixio,path=tpm/s.ctrl \
        --flags startup-clear,not-need-init </dev/null >tpm/out 2>&1 3>&- &
    for _ in {1..100}; do
        if [ -S tpm/s ] && [ -S tpm/s.ctrl ]; then break; fi
        sleep 0.05
    done
    export TPM2TOOLS_TCTI=swtpm:path=tpm/s
    tpm2_createek -c ek.ctx -G rsa -u ek.pub
    tpm2_flushcontext -t
}

# The same with PCRs that hold something.
start_tpm()
{
    boot_tpm
    for pcr in 0 4 7 12; do
        tpm2_pcrextend "$pcr:sha256=$(printf "0$((pcr % 10))%.0s" {1..32})"
    done
}

# NAME KEY-ALGORITHM HASH SCHEME
make_ak()
{
    tpm2_createak -C ek.ctx -c "$1.ctx" -G "$2" -g "$3" -s "$4" -u "$1.pub" -n "$1.name" -f tss
    tpm2_flushcontext -t
    tpm2_readpublic -c "$1.ctx" -f pem -o "$1.pem"
    tpm2_flushcontext -t
}

# Of AK, SELECTION; more arguments are tpm2_quote's.
take_quote()
{
    local ak=$1 selection=$2
    shift 2
    tpm2_quote -c "$ak.ctx" -l "$selection" -q "$nonce" -m msg -s sig -o pcrs "$@"
    tpm2_flushcontext -t
}

# vmcrypt on the quote: AK, then more options.
check()
{
    local ak=$1
    shift
    run vmcrypt-tpm quote --ak "$ak" --message msg --signature sig --pcrs pcrs --nonce "$nonce" "$@"
}

@test "quotes of all kinds of keys are valid, as tpm2_checkquote says" {
    start_tpm
    local kind name algorithm hash scheme
    for kind in "a rsa sha256 rsassa" "b rsa sha256 rsapss" "c ecc sha256 ecdsa" \
        "d ecc384 sha384 ecdsa" "e rsa3072 sha384 rsassa" "f rsa sha512 rsapss"; do
        read -r name algorithm hash scheme <<<"$kind"
        # Not each TPM has all of them.
        make_ak "$name" "$algorithm" "$hash" "$scheme" || continue
        take_quote "$name" sha256:0,1,2,3,4,5,6,7,11,12,13,14+sha384:0,7 -g "$hash" \
            --scheme="$scheme"
        check "$name.pub" --ek ek.pub --selection sha256:0,7,12 --ak-name "$name.name"
        [ "$status" -eq 0 ] || fail "$kind: $output"
        has "a child of the given EK"
        has_not FAIL
        has_not warn
        tpm2_checkquote -u "$name.pem" -m msg -s sig -f pcrs -q "$nonce" -g "$hash" ||
            [ "$scheme" = rsapss ]
        # The PEM alone says less, and it says so.
        check "$name.pem"
        [ "$status" -eq 0 ]
        has "key-restricted    not checked"
        has "nothing here proves"
        echo "$name" >>kinds
    done
    [ "$(wc -l <kinds)" -ge 4 ]
}

@test "what is not the asked-for quote is refused" {
    start_tpm
    make_ak a rsa sha256 rsassa
    make_ak b rsa sha256 rsassa
    take_quote a sha256:0,4,7
    check a.pub
    [ "$status" -eq 0 ]

    check b.pub
    [ "$status" -eq 4 ]
    has "signature         FAIL"
    check a.pub --ak-name b.name
    [ "$status" -eq 4 ]
    has "ak-name           FAIL"
    check a.pub --selection sha256:0,4,7,12
    [ "$status" -eq 4 ]
    has "not signed: sha256:12"
    check a.pub --selection sha384:0
    [ "$status" -eq 4 ]
    nonce=${nonce}00 check a.pub
    [ "$status" -eq 4 ]
    has "nonce             FAIL"
    nonce=${nonce%ff} check a.pub
    [ "$status" -eq 4 ]

    # The values of another bank, and those of another time.
    tpm2_pcrread -o other sha384:0,4,7
    run vmcrypt-tpm quote --ak a.pub --message msg --signature sig --pcrs other --nonce "$nonce"
    [ "$status" -eq 4 ]
    cp msg first.msg
    cp sig first.sig
    tpm2_pcrextend "4:sha256=$(printf 'bb%.0s' {1..32})"
    take_quote a sha256:0,4,7
    check a.pub
    [ "$status" -eq 0 ]
    run vmcrypt-tpm quote --ak a.pub --message first.msg --signature first.sig --pcrs pcrs
    [ "$status" -eq 4 ]
    has "digest            FAIL"
    run vmcrypt-tpm quote --ak a.pub --message first.msg --signature sig --pcrs pcrs
    [ "$status" -eq 4 ]
    has "signature         FAIL"
    run vmcrypt-tpm quote --ak a.pub --message msg --signature sig --nonce "$nonce"
    [ "$status" -eq 4 ]
    has "digest            not checked"
}

@test "SHA-1 alone is refused, unless it is asked for" {
    start_tpm
    make_ak a rsa sha256 rsassa
    take_quote a sha1:0,4,7
    check a.pub
    [ "$status" -eq 4 ]
    has "bank              FAIL"
    check a.pub --allow-sha1
    [ "$status" -eq 0 ]
    has "bank              warn"
}

@test "a key that signs anything is refused" {
    start_tpm
    tpm2_createprimary -C e -c p.ctx
    tpm2_flushcontext -t
    tpm2_create -C p.ctx -G ecc -u free.pub -r free.priv \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
    tpm2_flushcontext -t
    tpm2_load -C p.ctx -u free.pub -r free.priv -c free.ctx
    tpm2_flushcontext -t
    take_quote free sha256:0 --scheme=ecdsa -g sha256
    check free.pub
    [ "$status" -eq 4 ]
    has "key-restricted    FAIL"
    check free.pub --allow-unrestricted
    [ "$status" -eq 0 ]
}

@test "many PCRs in the form of plain values, plain signatures" {
    start_tpm
    make_ak a rsa sha256 rsassa
    make_ak c ecc sha256 ecdsa
    # tpm2-tools 5.4 cannot check more than eight of these itself.
    take_quote a sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14 -F values
    check a.pub
    [ "$status" -eq 0 ]
    for ak in a c; do
        take_quote "$ak" sha256:0,4,7 -f plain
        openssl dgst -sha256 -verify "$ak.pem" -signature sig msg
        check "$ak.pub"
        [ "$status" -eq 0 ]
        has "the plain signature does not tell"
        check "$ak.pem"
        [ "$status" -eq 0 ]
        printf x >>sig
        check "$ak.pub"
        [ "$status" -eq 4 ]
    done
    check a.ctx
    [ "$status" -eq 2 ]
    has tpm2_readpublic
}

@test "a credential that the TPM opened binds the key" {
    start_tpm
    make_ak a rsa sha256 rsassa
    take_quote a sha256:0,4,7
    head -c 32 /dev/urandom >secret
    tpm2_makecredential -T none -u ek.pub -s secret -n "$(xxd -p -c 99 a.name)" -o blob
    tpm2_startauthsession --policy-session -S session
    tpm2_policysecret -S session -c e
    tpm2_activatecredential -c a.ctx -C ek.ctx -i blob -o returned -P session:session
    tpm2_flushcontext session
    record()
    {
        printf '{"version": 1, "ek": "%s", "ak_name": "%s", "blob": "%s", "secret": "%s", "returned": "%s"}' \
            "$(base64 -w0 ek.pub)" "$(xxd -p -c 99 "$1")" "$(base64 -w0 blob)" \
            "$(xxd -p -c 99 secret)" "$(xxd -p -c 99 returned)"
    }
    record a.name >record
    check a.pub --ek ek.pub --credential record
    [ "$status" -eq 0 ]
    has "credential        pass"
    has "on the word of who keeps the record"
    tpm2_flushcontext -t
    make_ak b rsa sha256 rsassa
    record b.name >record
    check a.pub --ek ek.pub --credential record
    [ "$status" -eq 4 ]
    has "another AK"
}

@test "a log is held against the signed values" {
    need_sample eventlogs/esxi-synthetic/extends.json
    local logs=$VMCRYPT_SAMPLES/eventlogs/esxi-synthetic
    boot_tpm
    make_ak a ecc sha256 ecdsa
    bash -e "$logs/swtpm/ext.sh"
    take_quote a sha256:0,1,2,3,4,5,6,7,11,12,13,14
    check a.pub --log "$logs/esxi-synth.eventlog"
    [ "$status" -eq 0 ]
    has "vouches for 40 of 40 measured events: sha256:0-7,11-14"
    # The values may come from the log itself.
    run vmcrypt-tpm quote --ak a.pub --message msg --signature sig --log "$logs/esxi-synth.eventlog"
    [ "$status" -eq 0 ]
    has "nothing shows its age"
    check a.pub --log "$logs/esxi-synth.bad-digest.eventlog"
    [ "$status" -eq 4 ]
    has "PCR 12 sha256    differs"
    has "the log does not explain the signed PCRs"
    run vmcrypt-tpm quote --ak a.pub --message msg --signature sig --log "$logs/esxi-synth.bad-digest.eventlog"
    [ "$status" -eq 4 ]
    has "digest            FAIL"
    # A PCR that the quote leaves out vouches for none of its events.
    take_quote a sha256:0,1,2,3,4,5,6,7,11,13,14
    check a.pub --log "$logs/esxi-synth.eventlog"
    [ "$status" -eq 0 ]
    has "vouches for 36 of 40 measured events: sha256:0-7,11,13,14"
    run vmcrypt-tpm quote --json --ak a.pub --message msg --signature sig --pcrs pcrs \
        --log "$logs/esxi-synth.eventlog"
    /usr/bin/python3 -c "import json, sys; d = json.load(sys.stdin); assert d['valid'] and d['log']['vouched_events'] == 36 and d['identity']['binding'] is None" <<<"$output"
}

@test "samples: certificates, chains, and the time to judge them at" {
    local s=$VMCRYPT_SAMPLES/eventlogs w google
    need_sample eventlogs/esxi-synthetic/swtpm/ekcert-rsa.der
    w=$s/esxi-synthetic/swtpm google=$s/go-tpm-tools/attestations/extracted
    quote()
    {
        run vmcrypt-tpm quote --ak "$w/ak-rsa.tpm2b" --message "$w/quote-rsa.sha256.msg" \
            --signature "$w/quote-rsa.sha256.sig" --pcrs "$w/quote-rsa.sha256.pcrs" \
            --nonce "$nonce" --ek "$w/ek-rsa.tpm2b" "$@"
    }
    cat "$w/swtpm-localca-rootca-cert.pem" "$w/issuercert.pem" >cas.pem
    quote --ek-certificate "$w/ekcert-rsa.der" --ca cas.pem --time 1900000000
    [ "$status" -eq 0 ]
    has "chain of 3 to CN=swtpm-localca-rootca"
    quote --ek-certificate "$w/ekcert-rsa.der" --ca cas.pem --time 1600000000
    [ "$status" -eq 4 ]
    has "not yet valid"
    quote --ek-certificate "$w/ekcert-rsa.der" --ca "$s/ek-ca/google-vtpm" --time 1900000000
    [ "$status" -eq 4 ]
    has "not of the TPM that it should be of"
    quote --ek-certificate "$w/ekcert-ecc.der" --ca cas.pem
    [ "$status" -eq 4 ]
    has "this certificate is of another key"
    quote --pinned-ek "$w/ek-rsa.tpm2b"
    [ "$status" -eq 0 ]
    has "ek-pinned         pass"
    quote --pinned-ek "$w/ek-ecc.tpm2b" --pinned-ek 00
    [ "$status" -eq 4 ]
    run vmcrypt-tpm quote --ak "$google/nonce9009.akpub.tpm2b" \
        --ak-certificate "$google/nonce9009.akcert.der" --message "$google/nonce9009.quote1.msg" \
        --signature "$google/nonce9009.quote1.sig" --pcrs "$google/nonce9009.quote1.pcrs.json" \
        --nonce 9009 --ca "$s/ek-ca/google-vtpm" --log "$google/nonce9009.eventlog" \
        --selection sha256:0,1,2,3,4,5,6,7,8,9,14
    [ "$status" -eq 0 ]
    has "chain of 3 to"
    has "vouches for 44 of 44 measured events"
    local windows=$s/go-attestation/windows_gcp_shielded_vm.json
    run vmcrypt-tpm quote --ak "$windows" --message "$windows" --signature "$windows" \
        --pcrs "$windows" --log "$windows" --allow-sha1
    [ "$status" -eq 0 ]
    has "RSASSA with sha1, as the key fixes"
}
