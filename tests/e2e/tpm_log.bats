#!/usr/bin/env bats
# vmcrypt tpm log, replay, diff and predict: logs made by make_eventlog.py, which replays them
# itself; an emulated TPM and tpm2-tools as the other side.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
}

teardown()
{
    [ ! -s tpm/pid ] || kill "$(cat tpm/pid)" || true
}

make_log()
{
    /usr/bin/python3 "$top/tests/e2e/make_eventlog.py" "$@"
}

# A file's JSON by a Python EXPRESSION of `d`.
json()
{
    /usr/bin/python3 -c "import json,sys; d = json.load(open(sys.argv[1])); print(($2))" "$1"
}

# The banks in what was printed to FILE are those that the maker printed to EXPECTED.
same_banks()
{
    /usr/bin/python3 -c 'import json,sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
assert a["banks"] == b, (a["banks"], b)' "$1" "$2"
}

# A TPM that has extended what LOG says; TPM2TOOLS_TCTI reaches it.
start_tpm()
{
    need swtpm tpm2_pcrextend tpm2_pcrread tpm2_quote
    mkdir tpm
    swtpm socket --tpm2 --tpmstate dir=tpm --pid file=tpm/pid --log file=tpm/log,level=20 \
        --server type=unixio,path=tpm/s --ctrl type=unixio,path=tpm/s.ctrl \
        --flags startup-clear,not-need-init </dev/null >tpm/out 2>&1 3>&- &
    for _ in {1..100}; do
        if [ -S tpm/s ] && [ -S tpm/s.ctrl ]; then break; fi
        sleep 0.05
    done
    export TPM2TOOLS_TCTI="swtpm:path=tpm/s"
    make_log --extends "$1" >extends
    mapfile -t lines <extends
    tpm2_pcrextend "${lines[@]}"
}

@test "replay gives what another program computes, from every wrapping and from a pipe" {
    make_log log >expected
    vmcrypt tpm replay --json log >got
    same_banks got expected
    [ "$(json got 'd["events"]')" = 10 ]
    [ "$(json got 'd["comparison"]')" = None ]
    vmcrypt tpm replay --json - <log >got
    same_banks got expected
    base64 log >log.b64
    vmcrypt tpm replay --json log.b64 >got
    same_banks got expected
    xxd -p log >log.hex
    vmcrypt tpm replay --json log.hex >got
    same_banks got expected
    printf '{"type": "EFI_TCG2_EVENT_LOG_FORMAT_TCG_2", "data": "%s", "banks": []}' \
        "$(base64 -w 0 log)" >log.json
    vmcrypt tpm replay --json log.json >got
    same_banks got expected
    run -0 vmcrypt tpm replay --bank sha1 log
    has "sha1:"
    has_not "sha256:"
    run -1 --separate-stderr vmcrypt tpm replay --bank sha384 log
    says "log: has no bank sha384"
}

@test "replay compares the log in vCenter's document with the values beside it" {
    make_log log >expected
    /usr/bin/python3 -c 'import base64, json
def b64(data): return base64.b64encode(data).decode()
banks = json.load(open("expected"))
for right in True, False:
    pcrs = {k: b64(bytes.fromhex(v)) for k, v in banks["sha256"].items()}
    if not right:
        pcrs["7"] = pcrs["4"]
    json.dump({"type": "EFI_TCG2_EVENT_LOG_FORMAT_TCG_2", "truncated": False,
               "data": b64(open("log", "rb").read()),
               "banks": [{"algorithm": "SHA256", "pcrs": pcrs}]},
              open("right.json" if right else "wrong.json", "w"))'
    run -0 vmcrypt tpm replay right.json
    has "7 of 7 PCRs match, 0 differ (values: vCenter JSON)"
    run -4 vmcrypt tpm replay wrong.json
    has "perhaps: it is the value that PCR 4 should have"
}

@test "replay agrees with tpm2_eventlog" {
    need tpm2_eventlog
    make_log log >expected
    tpm2_eventlog log >document
    run -0 vmcrypt tpm replay log --pcrs document
    has "14 of 14 PCRs match"
}

@test "replay agrees with a TPM that has extended the log, in all forms of its values" {
    start_tpm log
    tpm2_pcrread sha1:0,4,5,7,12,13,14+sha256:0,4,5,7,10,12,13,14 >text
    run -0 vmcrypt tpm replay log --pcrs text
    has "14 of 15 PCRs match, 0 differ"
    has "sha256   PCR 10  holds its start value"
    tpm2_pcrread -o values sha256:0,7,12 >/dev/null
    run -0 vmcrypt tpm replay log --pcrs values --selection sha256:0,7,12
    has "3 of 3 PCRs match"
    run -2 --separate-stderr vmcrypt tpm replay log --pcrs values
    says "--selection"
    run -4 vmcrypt tpm replay log --pcrs values --selection sha256:0,7,13
    run -4 --separate-stderr vmcrypt tpm replay log --pcrs values --selection sha256:0,7
    says "the selected PCRs would have 64"

    tpm2_createprimary -Q -C e -G rsa2048:rsassa-sha256:null -c key.ctx \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|restricted'
    tpm2_quote -Q -c key.ctx -l sha256:0,7,12,13 -m msg -s sig -o pcrs -g sha256
    vmcrypt tpm replay --json log --pcrs pcrs >got
    [ "$(json got 'd["comparison"]["matches"], d["comparison"]["form"]')" = \
        "(True, 'tpm2_quote serialized')" ]
}

@test "replay says why a log does not lead to the values" {
    make_log log >expected
    printf '{"banks": %s}' "$(cat expected)" >pcrs.json
    run -0 vmcrypt tpm replay log --pcrs pcrs.json

    make_log --drop 5 dropped >/dev/null
    run -4 --separate-stderr vmcrypt tpm replay dropped --pcrs pcrs.json
    has 'sha256   PCR 4   DIFFERS'
    has 'perhaps: it would match with "separator 00000000" added'
    says "dropped: the log does not lead to these PCR values"

    make_log --drop 9 dropped >/dev/null
    run -4 vmcrypt tpm replay dropped --pcrs pcrs.json
    has 'PCR 5   DIFFERS, as it has no events'
    has 'perhaps: it would match with "Exit Boot Services Invocation" added at the end'

    make_log --module "another kernel" other >/dev/null
    run -4 --separate-stderr vmcrypt tpm replay --json other --pcrs pcrs.json
    printf '%s\n' "$output" >got
    [ "$(json got '[(r["bank"], r["pcr"], r["explained"]) for r in d["comparison"]["results"] if r["match"] == "differs"]')" = \
        "[('sha1', 12, False), ('sha256', 12, False)]" ]

    head -c -5 log >short.log
    run -4 --separate-stderr vmcrypt tpm replay short.log --pcrs pcrs.json
    has "the record that is cut off"
    says "warning: short.log: the last record is cut off"
}

@test "what is no log, and a log of nothing, are refused" {
    : >empty
    printf 'bogus\ninvalid\nevent\nlog\n' >bogus
    head -c 500 /dev/zero >zeros
    for file in empty bogus zeros; do
        run -4 --separate-stderr vmcrypt tpm replay "$file"
        [ -z "$output" ]
        says "vmcrypt-tpm: $file: is "
        run -4 vmcrypt tpm log "$file"
    done
    run -1 vmcrypt tpm replay nowhere
    run -2 vmcrypt tpm replay
    make_log log >/dev/null
    run -2 vmcrypt tpm replay --bank md5 log
    run -2 vmcrypt tpm replay --selection sha256:0 log
    run -2 vmcrypt tpm log --pcr 24 log
    run -2 vmcrypt tpm log --yaml --json log
}

@test "log tells events, what they say and what is vouched for" {
    make_log log >/dev/null
    run -0 vmcrypt tpm log log
    has "SecureBoot = on"
    [[ "$output" == *"EFI_VARIABLE_DRIVER_CONFIG"*"all"* ]]
    has "module k.b00"
    run -0 vmcrypt tpm log --pcr 7 --pcr 14 log
    has "command line: /b.b00 bootUUID=0011"
    has_not "module"
    vmcrypt tpm log --json log >got
    [ "$(json got 'len(d["events"]), d["format"], d["tail"], d["events"][6]["decoded"]["kind"]')" = \
        "(10, 'crypto-agile', 'none', 'esxi-module')" ]
    [ "$(json got 'd["events"][6]["decoded"]["authenticated"], d["events"][6]["check"]["covers"]')" = \
        "([], 'nothing')" ]
    [ "$(json got 'd["events"][8]["check"]["holds"]')" = "['sha1', 'sha256']" ]
    run -0 vmcrypt tpm log --yaml log
    has "EventType: EV_EFI_VARIABLE_DRIVER_CONFIG"
}

@test "names in a log cannot reach the terminal as they are" {
    make_log --name $'k\033[31m\nb00' log >/dev/null
    run -0 vmcrypt tpm log log
    has_not $'\033'
    [ "$(grep -c . <<<"$output")" = 12 ]
    make_log plain >/dev/null
    run -0 vmcrypt tpm diff plain log
    has_not $'\033'
    has "relabelled: the digest is the same"
}

@test "diff tells what changed between two boots" {
    make_log a >/dev/null
    make_log --cmdline "/b.b00 bootUUID=0011 x=1" --drop 7 b >/dev/null
    run -0 vmcrypt tpm diff a b
    has "PCR 13: removed"
    has "PCR 14: changed"
    has "command line: /b.b00 bootUUID=0011 x=1"
    has "8 events are the same, 1 changed, 0 were added, 1 removed, 0 relabelled"
    vmcrypt tpm diff --json a b >got
    [ "$(json got 'd["same"], [(c["kind"], c["pcr"]) for c in d["changes"]]')" = \
        "(False, [('removed', 13), ('changed', 14)])" ]
    vmcrypt tpm diff --json a a >got
    [ "$(json got 'd["same"], d["changes"]')" = "(True, [])" ]
    run -2 vmcrypt tpm diff - - <a
}

@test "predict gives what the changed boot then leads to" {
    make_log now >/dev/null
    printf 'a new kernel' | gzip >kernel.gz
    make_log --module "a new kernel" --cmdline "/b.b00 x" --drop 7 later >expected
    vmcrypt tpm predict now --module k.b00=kernel.gz --cmdline "/b.b00 x" --drop 7 --json >got
    same_banks got expected
    [ "$(json got 'd["changed"]')" = "[12, 13, 14]" ]
    printf 'other firmware' >blob
    vmcrypt tpm pcr predict now --replace "0:firmware=blob" --json >got
    [ "$(json got 'd["changed"]')" = "[0]" ]
    run -0 vmcrypt tpm predict now --set-digest "4=sha256:$(printf '%064d' 0)" --bank sha256
    has "# changes"
    run -1 --separate-stderr vmcrypt tpm predict now --module none=blob
    says "no such ESXi event"
    run -1 --separate-stderr vmcrypt tpm predict now --replace "4:none=blob"
    says '0 events of PCR 4 say "none"'
    run -2 vmcrypt tpm predict now --replace "4:=blob"
    run -2 vmcrypt tpm predict now --drop 99
    run -2 vmcrypt tpm predict now --set-digest 1=sha256:00
}

@test "every real log replays to the values known for it" {
    need_sample eventlogs/expected_pcrs.json
    /usr/bin/python3 - "$VMCRYPT_SAMPLES/eventlogs" <<'END'
import json, subprocess, sys
folder = sys.argv[1]
for name, known in json.load(open(f"{folder}/expected_pcrs.json")).items():
    done = subprocess.run(["vmcrypt", "tpm", "replay", "-q", "--json", f"{folder}/{name}"],
                          check=True, capture_output=True)
    banks = json.loads(done.stdout)["banks"]
    assert banks == known["pcrs"], name
END
}

@test "a host's manifest is compared with its own values, and said to be unsigned" {
    need_sample eventlogs/esxi-intel-secl/vmware12/host_manifest.json
    run -0 --separate-stderr vmcrypt tpm replay \
        "$VMCRYPT_SAMPLES/eventlogs/esxi-intel-secl/vmware12/host_manifest.json"
    has "3 of 24 PCRs match, 0 differ"
    says "nobody has signed this report"
}
