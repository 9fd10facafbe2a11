# The document of tpm2_eventlog: the same values as its own, in both versions.

load helpers

setup()
{
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
}

@test "as the documents in tpm2-tools' own tests, with paths by both libefivars and without" {
    need_sample eventlogs/tpm2-tools/event-pretty
    run /usr/bin/python3 "$top/tests/e2e/tpm_yaml.py" golden "$VMCRYPT_SAMPLES"
    [ "$status" -eq 0 ] || fail "$output"
    has "32 documents, 0 differences without a reason"
}

@test "as what the installed tpm2_eventlog prints of every log that it can read" {
    need tpm2_eventlog
    need_sample eventlogs/expected_pcrs.json
    run /usr/bin/python3 "$top/tests/e2e/tpm_yaml.py" installed "$VMCRYPT_SAMPLES"
    [ "$status" -eq 0 ] || fail "$output"
    has " 0 differences without a reason"
}

@test "--yaml-version and --yaml-paths take what they know and nothing else" {
    need_sample eventlogs/tpm2-tools/event.bin
    log=$VMCRYPT_SAMPLES/eventlogs/tpm2-tools/event.bin
    run -0 vmcrypt-tpm log --yaml "$log"
    has "version: 1"
    run -0 vmcrypt-tpm log --yaml --yaml-version=2 "$log"
    has "version: 2"
    run -2 vmcrypt-tpm log --yaml --yaml-version=3 "$log"
    run -2 vmcrypt-tpm log --yaml --yaml-paths=dos "$log"
}
