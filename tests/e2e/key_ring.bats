#!/usr/bin/env bats
# Keyrings: vmcrypt key import, encrypted keyrings, --key with sources, passphrases of old hosts.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    umask 077
}

# Make the VM; $provider/$id is the KEK of its settings, kek.bin its bytes.
made()
{
    make_vm vsphere made
    vmx=(made/vm/*.vmx)
    # Two keys are there; the one that opens the settings counts.
    for file in made/keys/*.key; do
        vmcrypt vmx decrypt --key "$file" "${vmx[0]}" plain.vmx 2>/dev/null || continue
        kek=$file
        rm plain.vmx
    done
    provider=$(sed -n 's/.*- name: //p' made/keys/keyring.yaml)
    id=$(grep -B1 "file: ${kek##*/}" made/keys/keyring.yaml | sed -n 's/.*- id: //p')
    [ -n "$kek" ]
    [ -n "$id" ]
}

# The options open the VM.
opens()
{
    run --separate-stderr vmcrypt vmx decrypt "$@" "${vmx[0]}" -
    [ "$status" -eq 0 ] || fail "$* does not open it: $stderr"
    has 'displayName'
}

opens_not()
{
    run --separate-stderr vmcrypt vmx decrypt "$@" "${vmx[0]}" -
    [ "$status" -eq "$wanted" ] || fail "status $status: $stderr"
    [ -z "$output" ]
}

from_json()
{
    /usr/bin/python3 -c "import json,sys; print(json.loads(sys.argv[1])$1)" "$output"
}

@test "--key: a file with and without provider and id, with '=' in its name" {
    made
    opens --key "$provider/$id=$kek"
    opens --key "$id=$kek"
    opens --key "$provider/=$kek"
    opens --key "=$kek"
    opens --key "$kek"
    cp "$kek" 'a=b'
    opens --key '=a=b'
    wanted=3 opens_not --key "other/=$kek"
    wanted=3 opens_not --key "otherid=$kek"
    wanted=1 opens_not --key "$provider/$id"
    says '[[PROVIDER/]ID=]FILE'
    wanted=2 opens_not --key "$provider/$id="
    # A keyring is a source, too.
    opens --key made/keys/keyring.yaml
}

@test "key import: a new keyring, for its owner only, that opens the VM" {
    made
    run vmcrypt key import --to ring.yaml made/keys/keyring.yaml
    [ "$status" -eq 0 ]
    has "added     KEK  $provider/$id  32 bytes"
    has '(keyring file)'
    has '2 keys added'
    [ "$(stat -c %a ring.yaml)" = 600 ]
    opens --keyring ring.yaml
    # Again: nothing new, and not a byte is changed.
    cp -p ring.yaml before
    run vmcrypt key import --to ring.yaml made/keys/keyring.yaml
    has '0 keys added, 0 replaced, 2 there before'
    cmp ring.yaml before
    [ "$(stat -c %y ring.yaml)" = "$(stat -c %y before)" ]
}

@test "key import: nothing of the key is printed" {
    made
    vmcrypt key import -vvv --to ring.yaml made/keys/*.key made/keys/keyring.yaml >said 2>&1
    vmcrypt key import -vvv --json --to ring.json made/keys/*.key made/keys/keyring.yaml >>said 2>&1
    [ -s said ]
    "$top/tests/e2e/find_secrets.py" made/truth.json said
}

@test "key import: provider and id from options; keys without an id are told" {
    made
    run vmcrypt key import --to ring.yaml --provider "$provider" --id "$id" "$kek"
    has "added     KEK  $provider/$id"
    opens --keyring ring.yaml
    run vmcrypt key import --to loose.yaml "$kek"
    has 'KEK  */*'
    has '1 without an id'
    opens --keyring loose.yaml
    run --separate-stderr vmcrypt key import --to x --id x made/keys/*.key
    [ "$status" -eq 2 ]
    [ ! -e x ]
    run --separate-stderr vmcrypt key import "$kek"
    [ "$status" -eq 2 ]
    says '--to'
}

@test "key import --json" {
    made
    run vmcrypt key import --json --kdk --to ring.yaml --id 21ec4161-2ecc-4c53-86a3-a5f24b43d97d "$kek"
    [ "$(from_json "['version']")" = 1 ]
    [ "$(from_json "['encrypted']")" = False ]
    [ "$(from_json "['imported'][0]['state']")" = added ]
    [ "$(from_json "['imported'][0]['kind']")" = kdk ]
    [ "$(from_json "['imported'][0]['bytes']")" = 32 ]
    run vmcrypt key list --json --keyring ring.yaml
    [ "$(from_json "['keys'][0]['kind']")" = kdk ]
    [ "$(from_json "['keys'][0]['id']")" = 21ec4161-2ecc-4c53-86a3-a5f24b43d97d ]
    # A KDK is no KEK.
    wanted=3 opens_not --keyring ring.yaml
}

@test "key import: a keyring written by hand keeps its comments and its order" {
    made
    cat >ring.yaml <<'EOF'
# The keys of site B; ask Anna.
version: 1
passphrases: []   # none yet
providers:
  - name: 'Old KMS'
    keys:
      - {id: "17", file: old.key} # from the safe
EOF
    head -c 32 /dev/urandom >old.key
    cp ring.yaml before
    vmcrypt key import --to ring.yaml made/keys/keyring.yaml
    cmp -n "$(stat -c %s before)" before ring.yaml
    opens --keyring ring.yaml
    head -c 32 /dev/urandom >more.key
    vmcrypt key import --to ring.yaml --id more more.key
    run vmcrypt key list --keyring ring.yaml
    [ "${#lines[@]}" -eq 4 ]
    has 'Old KMS/17'
    # One document was added, and continued.
    [ "$(grep -c '^---' ring.yaml)" = 1 ]
}

@test "key import: a different key of the same name is refused, or replaces" {
    made
    vmcrypt key import --to ring.yaml --provider P --id i "$kek"
    head -c 32 /dev/urandom >other.key
    cp ring.yaml before
    run --separate-stderr vmcrypt key import --to ring.yaml --provider P --id i other.key
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    says '--replace'
    cmp ring.yaml before
    run vmcrypt key import --replace --to ring.yaml --provider P --id i other.key
    has 'replaced  KEK  P/i'
    run vmcrypt key list --keyring ring.yaml
    [ "${#lines[@]}" -eq 1 ]
    grep -q "$(base64 <other.key)" ring.yaml
    # A key that the keyring only names lies elsewhere.
    printf 'version: 1\nkeys:\n  - {provider: P, id: i, file: other.key}\n' >named.yaml
    run --separate-stderr vmcrypt key import --replace --to named.yaml --provider P --id i "$kek"
    [ "$status" -eq 1 ]
    says 'other.key'
    # Two sources that disagree.
    printf 'version: 1\nkeys:\n  - {provider: P, id: i, file: %s}\n' "$kek" >this.yaml
    run --separate-stderr vmcrypt key import --replace --to new.yaml named.yaml this.yaml
    [ "$status" -eq 1 ]
    [ ! -e new.yaml ]
}

@test "key import: what is no keyring is left alone" {
    made
    echo 'shopping list' >ring.yaml
    run --separate-stderr vmcrypt key import --to ring.yaml "$kek"
    [ "$status" -eq 2 ]
    says 'no keyring'
    [ "$(cat ring.yaml)" = 'shopping list' ]
    run --separate-stderr vmcrypt key import --to new.yaml ring.yaml
    [ "$status" -eq 4 ]
    [ ! -e new.yaml ]
}

@test "an encrypted keyring: made, opened, added to, opened by python as documented" {
    made
    printf 'wrong' >wrong
    printf 'pass phrase' >phrase
    vmcrypt key import --new-passphrase-file phrase --to sealed made/keys/keyring.yaml
    [ "$(stat -c %a sealed)" = 600 ]
    "$top/tests/e2e/find_secrets.py" made/truth.json sealed
    not grep -q "$id" sealed
    opens --keyring sealed --keyring-passphrase-file phrase
    opens --keyring sealed --passphrase-file phrase
    opens --key sealed --keyring-passphrase-file phrase
    wanted=3 opens_not --keyring sealed </dev/null
    says '--keyring-passphrase-file'
    wanted=3 opens_not --keyring sealed --keyring-passphrase-file wrong </dev/null
    head -c 32 /dev/urandom >more.key
    run vmcrypt key import --keyring-passphrase-file phrase --to sealed --id more more.key
    has '1 keys added, 0 replaced, 0 there before, encrypted'
    opens --keyring sealed --keyring-passphrase-file phrase
    # Another passphrase.
    printf 'other' >other
    vmcrypt key import --keyring-passphrase-file phrase --new-passphrase-file other --to sealed more.key --id more
    wanted=3 opens_not --keyring sealed --keyring-passphrase-file phrase </dev/null
    opens --keyring sealed --keyring-passphrase-file other
    # The reader that docs/formats.md shows.
    sed -n '/^## Keyring file/,/^## JSON/{/^```python/,/^```/{/^```/!p}}' "$top/docs/formats.md" >reader.py
    /usr/bin/python3 reader.py sealed other >plain.yaml
    opens --keyring plain.yaml
    grep -q "$(base64 <more.key)" plain.yaml
}

@test "an encrypted keyring: cut off, changed, a hostile cost" {
    made
    printf p >p
    vmcrypt key import --new-passphrase-file p --to sealed "$kek"
    head -n 4 sealed >cut.ring
    sed '3s/./_/' sealed >bad
    sed '4s/[a-m]/z/g' sealed >changed
    /usr/bin/python3 - <<'EOF'
import base64
lines = open("sealed").read().split("\n")
data = bytearray(base64.b64decode("".join(lines[1:-2])))
data[12] = 40
open("huge", "w").write("\n".join([lines[0], base64.b64encode(data).decode(), lines[-2], ""]))
EOF
    for file in cut.ring bad huge; do
        wanted=4 opens_not --keyring $file --keyring-passphrase-file p
        says "$file: "
    done
    wanted=3 opens_not --keyring changed --keyring-passphrase-file p </dev/null
    says 'or it was changed'
}

@test "includes, sources and passphrases of an encrypted source" {
    made
    printf 'p\n' >p
    mkdir sub
    vmcrypt key import --new-passphrase-file p --to sub/sealed made/keys/keyring.yaml
    printf 'version: 1\nincludes:\n  - {file: sub/sealed, passphrase: {file: p}}\n' >ring.yaml
    opens --keyring ring.yaml
    printf 'version: 1\nsources:\n  - %s\n' "$kek" >ring.yaml
    opens --keyring ring.yaml
    printf 'version: 1\nincludes:\n  - {file: sub/sealed, passphrase: {fd: 7}}\n' >ring.yaml
    opens --keyring ring.yaml 7<p
    printf 'version: 1\nincludes: [ring.yaml]\n' >ring.yaml
    wanted=4 opens_not --keyring ring.yaml
    says 'includes itself'
}

@test "secrets in a keyring that others may read are warned of" {
    made
    vmcrypt key import --to ring.yaml "$kek"
    run --separate-stderr vmcrypt key list --keyring ring.yaml
    [ -z "$stderr" ]
    chmod 644 ring.yaml
    run --separate-stderr vmcrypt key list --keyring ring.yaml
    says 'others may read'
}

@test "--key: a wrapped key is taken only with what unwraps it" {
    need openssl
    made
    head -c 32 /dev/urandom >wrapping
    openssl enc -id-aes256-wrap -e -iv A6A6A6A6A6A6A6A6 -K "$(od -An -tx1 -v wrapping | tr -d ' \n')" \
        -in <(vmcrypt key import --to r.yaml "$kek" >/dev/null; sed -n 's/.*secret: \([^ ]*\).*/\1/p' r.yaml | base64 -d) -out wrapped
    vmcrypt key import --unwrap-key wrapping --to ring.yaml wrapped
    opens --keyring ring.yaml
    run --separate-stderr vmcrypt key import --unwrap-key "$kek" --to bad.yaml wrapped
    [ "$status" -ne 0 ]
    [ ! -e bad.yaml ]
    run --separate-stderr vmcrypt key import --unwrap-key wrapping --unwrap-pem x --to bad.yaml wrapped
    [ "$status" -eq 2 ]
}

@test "passphrases: code page and normalization of the host the VM was made on" {
    make_vm ws-aes made
    vmx=(made/vm/*.vmx)
    # A VM whose passphrase is "größe" in windows-1252, and one whose is NFD in UTF-8.
    printf 'gr\xc3\xb6\xc3\x9fe\n' >utf8
    printf 'gr\xf6\xdfe' >cp1252
    printf 'gro\xcc\x88\xc3\x9fe' >nfd
    cp "${vmx[0]}" old.vmx
    vmcrypt vmx rekey --passphrase-file made/keys/passphrase.txt --new-passphrase-file cp1252 old.vmx
    vmx=(old.vmx)
    wanted=3 opens_not --passphrase-file utf8
    opens --passphrase-file cp1252
    opens --passphrase-file utf8 --passphrase-encoding windows-1252
    opens --passphrase-file nfd --passphrase-encoding cp1252 --passphrase-normalize nfc
    wanted=1 opens_not --passphrase-file nfd --passphrase-encoding cp1252
    wanted=2 opens_not --passphrase-file utf8 --passphrase-encoding cp9999
    wanted=2 opens_not --passphrase-file utf8 --passphrase-normalize x
    printf 'version: 1\npassphrases:\n  - {file: utf8, encoding: cp1252}\n' >ring.yaml
    opens --keyring ring.yaml
    # Made with the options, it opens with them.
    cp made/vm/*.vmx new.vmx
    vmcrypt vmx rekey --passphrase-file made/keys/passphrase.txt --new-passphrase-file utf8 \
        --passphrase-normalize nfd new.vmx
    vmx=(new.vmx)
    opens --passphrase-file nfd
    opens --passphrase-file utf8 --passphrase-normalize nfd
    wanted=3 opens_not --passphrase-file utf8
}

# Run the command at a terminal of its own; answer each prompt with the next ANSWER. The output is
# what the terminal showed.
at_terminal()
{
    local answers=$1
    shift
    run /usr/bin/python3 - "$answers" "$@" <<'EOF'
import os, pty, sys
answers = sys.argv[1].split("|")
pid, tty = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
asked = 0
while True:
    try:
        data = os.read(tty, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    # A prompt is asked without echo, which is set before it is shown.
    if shown.endswith(b": ") and asked < len(answers):
        os.write(tty, answers[asked].encode() + b"\n")
        asked += 1
        shown += b"\n"
sys.stdout.buffer.write(shown.replace(b"\r", b""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
}

@test "a terminal: the passphrase of a keyring and what it prompts for, without echo" {
    need_terminal
    made
    at_terminal 'my word|my word' vmcrypt key import --encrypt --to sealed "$kek"
    [ "$status" -eq 0 ] || fail "$output"
    has 'New passphrase: '
    has 'Again: '
    has 'encrypted'
    has_not 'my word'
    at_terminal 'one|other' vmcrypt key import --encrypt --to other "$kek"
    [ "$status" -eq 2 ]
    [ ! -e other ]
    at_terminal 'my word' vmcrypt key list --keyring sealed
    [ "$status" -eq 0 ] || fail "$output"
    has 'Passphrase of sealed: '
    has 'KEK  */*'
    has_not 'my word'
    at_terminal 'no word' vmcrypt key list --keyring sealed
    [ "$status" -eq 3 ]
    at_terminal 'my word' vmcrypt key list --key sealed
    [ "$status" -eq 0 ]
    printf 'version: 1\npassphrases:\n  - prompt: "The \\e[31mvault"\n' >ring.yaml
    at_terminal 'my word' vmcrypt key list --keyring ring.yaml
    has 'The \x1b[31mvault: '
    has 'passphrase  The'
    run --separate-stderr vmcrypt key list --keyring ring.yaml </dev/null
    [ "$status" -eq 0 ]
    says 'no terminal to ask'
    [ -z "$output" ]
}

@test "10,000 keys are imported and listed in seconds" {
    /usr/bin/python3 - >big.yaml <<'EOF'
import base64
print("version: 1\nkeys:")
for i in range(10000):
    print(f"  - {{provider: K, id: '{i}', secret: {base64.b64encode(i.to_bytes(32, 'big')).decode()}}}")
EOF
    timeout 60 vmcrypt key import --to ring.yaml big.yaml >/dev/null
    timeout 60 vmcrypt key list --keyring ring.yaml >list
    [ "$(wc -l <list)" -eq 10000 ]
}
