#!/usr/bin/env bats
# vmcrypt tpm attest on evidence that others made: a VM of Google's with three banks and a certified
# attestation key; swtpm's keys of every kind over an ESXi-shaped log, and what was done to that log.

load helpers

setup()
{
    need_sample eventlogs/go-tpm-tools/attestations/extracted/nonce9009.eventlog
    need_sample eventlogs/esxi-synthetic/swtpm/quote-rsa.sha256.msg
    samples=$VMCRYPT_SAMPLES/eventlogs
    google=$samples/go-tpm-tools/attestations/extracted/nonce9009
    esxi=$samples/esxi-synthetic
    swtpm=$esxi/swtpm
    cd "$BATS_TEST_TMPDIR" || return
}

# PCR TYPE BANK LOG: digests in that bank of such events, a list for a policy.
digests()
{
    vmcrypt tpm log -q --json "$4" | /usr/bin/python3 -c '
import json, sys
pcr, kind, bank = int(sys.argv[1]), sys.argv[2], sys.argv[3]
print(", ".join(e["digests"][bank] for e in json.load(sys.stdin)["events"]
                if e["pcr"] == pcr and e["type"] == kind))' "$1" "$2" "$3"
}

google_policy()
{
    cat <<END
version: 1
quote: {banks: [$1], ignore-pcrs: [10]}
attestation-key: {binding: [certificate], cas: [$samples/ek-ca/google-vtpm]}
boot:
  secure-boot: required
  # "UEFI DB Key v10" of Container Optimized OS
  authorities: [a7b8c851deb2acba7c7d0e6ec091c93440f942c65d776fdcb58016f8fd1674b0]
  images: [$(digests 4 EV_EFI_BOOT_SERVICES_APPLICATION "$1" "$google.eventlog")]
END
}

google_attest()
{
    run --separate-stderr vmcrypt tpm attest -v --policy policy.yaml --ak "$google.akpub.tpm2b" \
        --ak-certificate "$google.akcert.der" --nonce 9009 "$@" "$google.eventlog"
}

google_quote()
{
    echo --message "$google.quote$1.msg" --signature "$google.quote$1.sig" --pcrs "$google.quote$1.pcrs.json"
}

@test "a VM of Google's: each bank, several quotes, up to the CA of its attestation key" {
    local all=() bank number=0
    for bank in sha1 sha256 sha384; do
        google_policy "$bank" >policy.yaml
        # shellcheck disable=SC2046 # words of their own
        google_attest $(google_quote "$number")
        [ "$status" -eq 0 ] || fail "$bank: $output $stderr"
        has "3 of those permitted, and no other"
        has "chain of 3 to CN=tpm_ek_v1_cloud_host_root"
        # shellcheck disable=SC2207
        [ "$bank" = sha1 ] || all+=($(google_quote "$number"))
        number=$((number + 1))
    done
    google_attest "${all[@]}"
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2046
    google_attest "${all[@]}" $(google_quote 0)
    [ "$status" -eq 4 ]
    has "PCRs of SHA-1 alone"
    # Nothing but what is permitted may have been started; PCR 10 is none of the log's.
    sed -i 's/images: \[[0-9a-f]*, /images: [/' policy.yaml
    google_attest "${all[@]}"
    [ "$status" -eq 4 ]
    has "event 22 extended PCR 4 with an image that is not permitted"
    google_policy sha384 | sed 's/, ignore-pcrs: \[10\]//' >policy.yaml
    google_attest "${all[@]}"
    [ "$status" -eq 4 ]
    has "PCR 10 differs"
    google_policy sha384 | sed 's/a7b8c8/a7b8c9/' >policy.yaml
    google_attest "${all[@]}"
    [ "$status" -eq 4 ]
    has "event 24 extended PCR 7 with an authority that is not among those permitted"
    # Another CA, a certificate that has expired.
    google_policy sha384 | sed "s,\[$samples.*google-vtpm\],[$swtpm/swtpm-localca-rootca-cert.pem]," >policy.yaml
    google_attest "${all[@]}"
    [ "$status" -eq 4 ]
    has "nothing that the policy accepts ties this key to a TPM"
    google_policy sha384 >policy.yaml
    google_attest "${all[@]}" --time 2600000000
    [ "$status" -eq 4 ]
    has expired
}

# There is a certificate of the RSA key alone.
endorsement()
{
    cat <<END
endorsement:
  certificates: required
  manufacturers: ["id:00001014"]
  cas: [$swtpm/swtpm-localca-rootca-cert.pem]
END
}

# AK EK BINDING
esxi_policy()
{
    local modules authority signer
    modules=$(vmcrypt tpm log -q --json "$esxi/esxi-synth.eventlog" | /usr/bin/python3 -c '
import hashlib, json, sys
log = open(sys.argv[1], "rb").read()
facts = {}
with open("image.yaml", "w") as f:
    f.write("version: 1\nname: synthetic\nmodules:\n")
    for e in json.load(sys.stdin)["events"]:
        kind, fields = e["decoded"]["kind"], e["decoded"].get("fields", {})
        if kind in ("esxi-module", "esxi-boot-option") and fields.get("name") != "state.tgz":
            f.write("  - {name: x, sha256: \"%s\"}\n" % e["digests"]["sha256"])
        facts[kind] = e["digests"].get("sha256")
        if e["type"] == "EV_EFI_VARIABLE_AUTHORITY":
            # behind GUID, two lengths and the name "db"; then an owner
            end = e["unauthenticated"][0][1] + 4 + 2 + 20 + 2 + 32 + 2 + 48 + 4
            facts["authority"] = hashlib.sha256(log[end + 36 + 16:end + e["data_bytes"]]).hexdigest()
        if kind == "esxi-asset-tag":
            start = e["unauthenticated"][1][1]
            facts["tag"] = log[start:start + e["data_bytes"] - 8].hex()
print(facts["authority"], facts["esxi-signer"], facts["tag"])' "$esxi/esxi-synth.eventlog")
    read -r authority signer tag <<<"$modules"
    cat <<END
version: 1
$([ "$2" != rsa ] || endorsement)
attestation-key: {binding: [$3], names: [$(xxd -p -c200 "$swtpm/$1.name")]}
boot: {secure-boot: required, authorities: [$authority]}
esxi:
  base-images: [image.yaml]
  volatile: [state.tgz]
  signers: [$signer]
  command-lines: ["/b.b00 autoPartition=FALSE"]
  asset-tags: [$tag]
END
}

# AK EK QUOTE LOG OPTION...
esxi_attest()
{
    local ak=$1 ek=$2 quote=$3 log=$4 nonce=00112233445566778899aabbccddeeff
    [[ $quote != quote-pss ]] || nonce=aa
    shift 4
    [ "$ek" != rsa ] || set -- "$@" --ek-certificate "$swtpm/ekcert-rsa.der" --ca "$swtpm/issuercert.pem"
    run --separate-stderr vmcrypt tpm attest -v --policy policy.yaml --ak "$swtpm/$ak.tpm2b" \
        --ek "$swtpm/ek-$ek.tpm2b" --message "$swtpm/$quote.msg" --signature "$swtpm/$quote.sig" --pcrs "$swtpm/$quote.pcrs" \
        --nonce $nonce "$@" "$esxi/$log.eventlog"
}

@test "swtpm's keys: RSA, ECC and PSS, over an ESXi-shaped log" {
    local ak ek quote
    while read -r ak ek quote; do
        esxi_policy "$ak" "$ek" name >policy.yaml
        esxi_attest "$ak" "$ek" "$quote" esxi-synth
        [ "$status" -eq 0 ] || fail "$quote: $output $stderr"
        has "synthetic: 13 modules"
        has "rests on who pinned it"
        [ "$ek" = rsa ] || continue
        has "chain of 3 to CN=swtpm-localca-rootca"
        esxi_attest "$ak" "$ek" "$quote" esxi-synth --time 1600000000
        [ "$status" -eq 4 ]
        has "not yet valid"
    done <<END
ak-rsa rsa quote-rsa.sha256
ak-ecc ecc quote-ecc.sha256
ak-pss rsa quote-pss
END
    # A good quote, but of SHA-1 and of three PCRs in SHA-384.
    for ak in rsa ecc; do
        esxi_policy ak-$ak $ak name >policy.yaml
        esxi_attest ak-$ak $ak quote-$ak.multi esxi-synth
        [ "$status" -eq 4 ]
        has "no PCR is vouched for in a bank that the policy accepts"
        sed -i 's/^version: 1/&\nquote: {banks: [sha384]}/' policy.yaml
        esxi_attest ak-$ak $ak quote-$ak.multi esxi-synth
        [ "$status" -eq 4 ]
        has "no quote vouches for PCR 13 in a bank of the policy"
    done
}

# AK EK BLOB
record()
{
    printf '{"version": 1, "ek": "%s", "ak_name": "%s", "blob": "%s", "secret": "%s", "returned": "%s"}' \
        "$(base64 -w0 "$swtpm/ek-$2.tpm2b")" "$(xxd -p -c200 "$swtpm/$1.name")" \
        "$(base64 -w0 "$swtpm/$3")" "$(xxd -p -c200 "$swtpm/cred.secret")" \
        "$(xxd -p -c200 "$swtpm/cred.secret")"
}

@test "swtpm's keys bound by the record of a credential; of another AK, of another EK" {
    local kind other
    for kind in rsa ecc; do
        other=ecc
        [ $kind = rsa ] || other=rsa
        esxi_policy "ak-$kind" "$kind" credential >policy.yaml
        record "ak-$kind" "$kind" "cred-$kind.blob" >record.json
        esxi_attest "ak-$kind" "$kind" "quote-$kind.sha256" esxi-synth --credential record.json
        [ "$status" -eq 0 ] || fail "$kind: $output $stderr"
        has "on the word of who kept"
        esxi_attest "ak-$kind" "$kind" "quote-$kind.sha256" esxi-synth
        [ "$status" -eq 4 ]
        record "ak-$other" "$kind" "cred-$kind.blob" >record.json
        esxi_attest "ak-$kind" "$kind" "quote-$kind.sha256" esxi-synth --credential record.json
        [ "$status" -eq 4 ]
        says "another AK"
        record "ak-$kind" "$other" "cred-$other.blob" >record.json
        esxi_attest "ak-$kind" "$kind" "quote-$kind.sha256" esxi-synth --credential record.json
        [ "$status" -eq 4 ]
        says "another EK"
        # A policy that does not say that records will do.
        record "ak-$kind" "$kind" "cred-$kind.blob" >record.json
        sed -i '/^attestation-key/d' policy.yaml
        esxi_attest "ak-$kind" "$kind" "quote-$kind.sha256" esxi-synth --credential record.json
        [ "$status" -eq 4 ]
        has "nothing that the policy accepts ties this key to a TPM"
    done
}

@test "what was done to the ESXi-shaped log" {
    esxi_policy ak-rsa rsa name >policy.yaml
    # A name or a type of a module is not believed, and does not matter: its digest does.
    for log in esxi-synth.ffpad esxi-synth.zeropad esxi-synth.renamed-module esxi-synth.relabelled; do
        esxi_attest ak-rsa rsa quote-rsa.sha256 $log
        [ "$status" -eq 0 ] || fail "$log: $output"
    done
    while read -r log why; do
        esxi_attest ak-rsa rsa quote-rsa.sha256 "$log"
        [ "$status" -eq 4 ] || fail "$log: status $status"
        has "$why"
    done <<END
esxi-synth.bad-digest PCR 12 differs
esxi-synth.truncated PCR 5 differs
END
}
