#!/usr/bin/env bats
# vmcrypt tpm attest and key unwrap --require-attestation: an emulated TPM boots an ESXi-shaped host,
# tpm2-tools quote it, and everything that could be wrong with the evidence is tried.

load helpers

setup_file()
{
    cd "$BATS_FILE_TMPDIR" || return
    local tool
    for tool in swtpm tpm2_quote openssl; do
        command -v "$tool" >/dev/null || return 0
    done
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
        -subj "/CN=Made-up firmware vendor" -days 3650 2>/dev/null
    openssl x509 -in ca.pem -outform DER -out ca.der
    /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_host.py" host ca.der
    start_tpm one
    boot host
    tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub
    make_ak ak -s rsassa
    quote good "sha256:0,1,2,3,4,5,6,7,11,12,13,14" ak
    quote subset "sha256:0,1,2,3" ak
    quote weak "sha1:0,1,2,3,4,5,6,7,11,12,13,14" ak
    make_ak other -s rsassa
    quote others "sha256:0,1,2,3,4,5,6,7,11,12,13,14" other
    # A key that signs whatever it is given.
    tpm2_createprimary -Q -c p.ctx
    tpm2_flushcontext -t
    tpm2_create -Q -C p.ctx -G rsa2048:rsassa:null -g sha256 -u free.pub -r free.priv \
        -a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
    tpm2_flushcontext -t
    tpm2_load -Q -C p.ctx -u free.pub -r free.priv -c free.ctx
    tpm2_readpublic -Q -c free.ctx -o free.tss -n free.name
    tpm2_flushcontext -t
    quote unrestricted "sha256:0,1,2,3,4,5,6,7,11,12,13,14" free
    kill "$(cat tpm-one/pid)"
    rm -r tpm-one
    write_policy >policy.yaml
    touch ready
}

# A TPM that is still there would keep bats waiting.
teardown_file()
{
    stop_tpms "$BATS_FILE_TMPDIR"
}

teardown()
{
    stop_tpms "$BATS_TEST_TMPDIR"
}

stop_tpms()
{
    local pid
    for pid in "$1"/tpm-*/pid; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
}

setup()
{
    need swtpm tpm2_quote openssl
    [ -e "$BATS_FILE_TMPDIR/ready" ] || fail "the host was not set up"
    cp -r "$BATS_FILE_TMPDIR/." "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    umask 077
}

start_tpm()
{
    mkdir "tpm-$1"
    swtpm socket --tpm2 --tpmstate "dir=tpm-$1" --pid "file=tpm-$1/pid" \
        --server "type=unixio,path=tpm-$1/s" --ctrl "type=unixio,path=tpm-$1/s.ctrl" \
        --flags startup-clear,not-need-init </dev/null >"tpm-$1/out" 2>&1 3>&- 4>&- &
    for _ in {1..100}; do
        [ ! -S "tpm-$1/s" ] || [ ! -S "tpm-$1/s.ctrl" ] || break
        sleep 0.05
    done
    export TPM2TOOLS_TCTI="swtpm:path=tpm-$1/s"
}

boot()
{
    local line
    while read -r line; do
        tpm2_pcrextend "$line"
    done <"$1/extends"
}

# NAME OPTION...
make_ak()
{
    local name=$1
    shift
    tpm2_createak -Q -C ek.ctx -c "$name.ctx" -G rsa -g sha256 "$@" -u "$name.tss" -n "$name.name" -f tss
    tpm2_flushcontext -t
}

# NAME SELECTION KEY
quote()
{
    tpm2_quote -Q -c "$3.ctx" -l "$2" -q 0123456789abcdef -m "$1.msg" -s "$1.sig" -o "$1.pcrs" -g sha256
    tpm2_flushcontext -t
}

write_policy()
{
    cat <<END
version: 1
name: production
attestation-key: {binding: [name], names: [$(xxd -p -c200 ak.name)]}
boot:
  secure-boot: required
  authorities: [$(openssl dgst -sha256 -r ca.der | cut -d' ' -f1)]
esxi:
  base-images: [host/image.yaml]
  volatile: [state.tgz]
  signers: [$(openssl dgst -sha256 -r ca.der | cut -d' ' -f1)]
  command-lines: ["/b.b00 autoPartition=FALSE"]
  asset-tags: [$(printf asset-42 | xxd -p)]
attestation: {lifetime: 600}
END
}

# Judge quote NAME (made by key KEY) with the log LOG; more options behind.
attest()
{
    local name=$1 key=$2 log=$3
    shift 3
    run --separate-stderr vmcrypt tpm attest --policy policy.yaml --ak "$key.tss" --message "$name.msg" \
        --signature "$name.sig" --pcrs "$name.pcrs" "$@" "$log"
}

trusted()
{
    [ "$status" -eq 0 ] || fail "status $status: $output $stderr"
    has 'trusted by the policy "production"'
}

refused()
{
    [ "$status" -eq 4 ] || fail "status $status: $output $stderr"
    has "NOT TRUSTED"
    says "the host is not trusted"
    [ $# -eq 0 ] || has "$1"
}

nonce=(--nonce 0123456789abcdef)

@test "a good host is trusted, and tpm2_checkquote agrees about its quote" {
    attest good ak host/log "${nonce[@]}"
    trusted
    tpm2_checkquote -Q -u ak.tss -m good.msg -s good.sig -f good.pcrs -g sha256 -q 0123456789abcdef
    run --separate-stderr vmcrypt tpm attest --json --policy policy.yaml --ak ak.tss --message good.msg \
        --signature good.sig --pcrs good.pcrs "${nonce[@]}" host/log
    [ "$status" -eq 0 ]
    /usr/bin/python3 -c '
import json, sys
d = json.loads(sys.argv[1])
assert d["trusted"] is True and d["policy"]["name"] == "production"
assert [r["rung"] for r in d["rungs"]] == ["R%d" % i for i in range(1, 10)]
assert all(r["outcome"] in ("pass", "warn") for r in d["rungs"] if r["required"])' "$output"
}

@test "another nonce, a part of it, none" {
    attest good ak host/log --nonce 0123456789abcdee
    refused nonce
    attest good ak host/log --nonce 01234567
    refused nonce
    attest good ak host/log --nonce 0123456789abcdef00
    refused nonce
    attest good ak host/log
    refused "the policy requires one"
}

@test "another key, also one that signs anything" {
    attest good other host/log "${nonce[@]}"
    refused signature
    attest others other host/log "${nonce[@]}"
    refused "nothing that the policy accepts ties this key to a TPM"
    sed -i "s/names: .*]/names: [$(xxd -p -c200 free.name)]/" policy.yaml
    attest unrestricted free host/log "${nonce[@]}"
    refused restricted
}

@test "a quote of other PCRs, of SHA-1 alone, values of another bank" {
    attest subset ak host/log "${nonce[@]}"
    refused "no quote vouches for PCR 7"
    attest weak ak host/log "${nonce[@]}"
    refused SHA-1
    cp weak.pcrs good.pcrs
    attest good ak host/log "${nonce[@]}"
    refused
}

@test "another log: Secure Boot off, another module, another command line, SHA-1 alone" {
    host=$BATS_TEST_DIRNAME/tpm_host.py
    for change in "--secure-boot 0" --evil-module "--command-line /b.b00" --sha1-only; do
        # shellcheck disable=SC2086 # words of their own
        /usr/bin/python3 "$host" other ca.der $change
        attest good ak other/log "${nonce[@]}"
        case $change in
            --sha1-only) refused "no PCR is vouched for in a bank that the policy accepts" ;;
            *) refused "differs" ;;
        esac
    done
}

@test "a host that did boot otherwise, with a genuine quote of it" {
    host=$BATS_TEST_DIRNAME/tpm_host.py
    number=0
    for change in "--secure-boot 0" --evil-module "--command-line /b.b00 debug"; do
        number=$((number + 1))
        if [[ $change == --command* ]]; then
            /usr/bin/python3 "$host" "h$number" ca.der --command-line "/b.b00 debug"
        else
            # shellcheck disable=SC2086 # words of their own
            /usr/bin/python3 "$host" "h$number" ca.der $change
        fi
        start_tpm "n$number"
        boot "h$number"
        tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub
        make_ak "ak$number" -s rsassa
        quote "q$number" "sha256:0,1,2,3,4,5,6,7,11,12,13,14" "ak$number"
        kill "$(cat "tpm-n$number/pid")"
        sed -i "s/names: .*]/names: [$(xxd -p -c200 "ak$number.name")]/" policy.yaml
        attest "q$number" "ak$number" "h$number/log" "${nonce[@]}"
        case $number in
            1) refused "it is off" ;;
            2) refused "a module of no permitted base image" ;;
            3) refused "a command line that is not permitted" ;;
        esac
    done
}

@test "names of modules are not believed: renamed, and swapped with a volatile one" {
    sed 's/vmx\.v00/xmv.v00/' host/log >renamed
    attest good ak renamed "${nonce[@]}"
    trusted
    # A module that is in no image, called as the volatile one is: it takes its place, once.
    start_tpm two
    /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_host.py" evil ca.der --evil-module
    boot evil
    tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub
    make_ak akx -s rsassa
    quote qx "sha256:0,1,2,3,4,5,6,7,11,12,13,14" akx
    kill "$(cat tpm-two/pid)"
    sed -i "s/names: .*]/names: [$(xxd -p -c200 akx.name)]/" policy.yaml
    /usr/bin/python3 -c '
d = open("evil/log", "rb").read()
at = d.index(b"\x08\x00\x00\x00vmx.v00\0")
open("evil/log", "wb").write(d[:at - 8] + (18).to_bytes(4, "little") + d[at - 4:at] +
    (10).to_bytes(4, "little") + b"state.tgz\0" + d[at + 12:])'
    attest qx akx evil/log "${nonce[@]}"
    refused "not accounted for"
}

@test "an event relabelled as something that is not judged is still judged" {
    # The boot application in PCR 4 as an action; a module as an asset tag.
    /usr/bin/python3 -c '
d = bytearray(open("host/log", "rb").read())
at = d.index((4).to_bytes(4, "little") + (0x80000003).to_bytes(4, "little"))
d[at + 4:at + 8] = (0x80000007).to_bytes(4, "little")
open("boot", "wb").write(d)
d = bytearray(open("host/log", "rb").read())
at = d.index(b"\x02\0\0\0\x08\0\0\0vmx.v00\0")
d[at] = 6
open("tag", "wb").write(d)'
    sed -i 's/^  authorities.*/  images: []/' policy.yaml
    attest good ak boot "${nonce[@]}"
    refused "event"
    image=$(/usr/bin/python3 -c 'import json; print(json.load(open("host/facts.json"))["boot_image"])')
    sed -i "s/images: \[\]$/images: [$image]/" policy.yaml
    attest good ak host/log "${nonce[@]}"
    trusted
    # An asset tag's digest is that of its data, which a module's is not.
    attest good ak tag "${nonce[@]}"
    refused "its digest is not that of its data"
}

@test "a bit in each byte of quote, signature, values and log: none is accepted silently" {
    not_sanitized
    run /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_flip.py" "$VMCRYPT_BUILD" good ak host/log 0123456789abcdef
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a signed document, that another JOSE implementation accepts too, releases a key" {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sign.pem 2>/dev/null
    openssl pkey -in sign.pem -pubout -out trust.pem
    attest good ak host/log "${nonce[@]}" --sign sign.pem --document host.jwt --host esx01
    trusted
    /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_jws.py" host.jwt trust.pem esx01 0123456789abcdef
    head -c 32 /dev/urandom >kek
    head -c 32 /dev/urandom >secret
    vmcrypt key wrap --method rfc5649 --with-key kek secret wrapped
    release=(vmcrypt key unwrap --with-key kek wrapped out --require-attestation host.jwt --trust trust.pem)
    "${release[@]}"
    cmp out secret
    rm out
    "${release[@]}" --attestation-host esx01 --attestation-nonce 0123456789abcdef \
        --attestation-policy "$(sha256sum policy.yaml | cut -d' ' -f1)" --attestation-max-age 600
    rm out
    for wrong in "--attestation-host esx02" "--attestation-nonce 00" "--attestation-policy 00"; do
        # shellcheck disable=SC2086 # words of their own
        run --separate-stderr "${release[@]}" $wrong
        [ "$status" -eq 4 ]
        [ ! -e out ]
    done
    openssl genpkey -algorithm ED25519 -out sign2.pem
    openssl pkey -in sign2.pem -pubout -out trust2.pem
    run --separate-stderr vmcrypt key unwrap --with-key kek wrapped out --require-attestation host.jwt \
        --trust trust2.pem
    [ "$status" -eq 4 ]
    says "not signed with EdDSA"
    attest good ak host/log "${nonce[@]}" --sign sign2.pem --document host2.jwt
    trusted
    /usr/bin/python3 "$BATS_TEST_DIRNAME/tpm_jws.py" host2.jwt trust2.pem "" 0123456789abcdef
    vmcrypt key unwrap --with-key kek wrapped out --require-attestation host2.jwt --trust trust2.pem
    cmp out secret
    rm out
    # Without a key to trust, an attestation is worth nothing.
    run --separate-stderr vmcrypt key unwrap --with-key kek wrapped out --require-attestation host.jwt
    [ "$status" -eq 2 ]
    [ ! -e out ]
}

@test "a document that has expired, and none for a host that is not trusted" {
    openssl genpkey -algorithm ED25519 -out sign.pem
    openssl pkey -in sign.pem -pubout -out trust.pem
    sed -i 's/lifetime: 600/lifetime: 1/' policy.yaml
    attest good ak host/log "${nonce[@]}" --sign sign.pem --document host.jwt
    trusted
    sleep 2.1
    head -c 32 /dev/urandom >kek
    vmcrypt key wrap --method rfc5649 --with-key kek kek wrapped
    run --separate-stderr vmcrypt key unwrap --with-key kek wrapped out --require-attestation host.jwt \
        --trust trust.pem
    [ "$status" -eq 4 ]
    says "has expired"
    [ ! -e out ]
    attest good ak host/log --nonce 00 --sign sign.pem --document none.jwt
    refused
    says "no document was written"
    [ ! -e none.jwt ]
    # Nor for one that was trusted at another time.
    attest good ak host/log "${nonce[@]}" --time 1700000000 --sign sign.pem --document none.jwt
    [ "$status" -eq 2 ]
    [ ! -e none.jwt ]
}
