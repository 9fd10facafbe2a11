#!/usr/bin/env bats
# docs/completion/vmcrypt.bash, asked as readline asks it.

load helpers

setup()
{
    # shellcheck source=docs/completion/vmcrypt.bash
    source "$top/docs/completion/vmcrypt.bash"
    cd "$BATS_TEST_TMPDIR"
    mkdir "disks"
    touch web01.vmx "Test VM.vmx" web01.vmdk notes.txt
}

# What TAB offers after the words; the last one is the word at hand.
offers()
{
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _vmcrypt
    output=$(printf '%s\n' "${COMPREPLY[@]}")
}

offered()
{
    grep -qxF -e "$1" <<<"$output" || fail "no '$1' in: $output"
}

not_offered()
{
    ! grep -qxF -e "$1" <<<"$output" || fail "'$1' in: $output"
}

@test "commands, then their verbs" {
    offers vmcrypt ''
    offered vmx
    offered disk
    offers vmcrypt vmx de
    [ "$output" = decrypt ]
    offers vmcrypt-vmx de
    [ "$output" = decrypt ]
}

@test "options of the verb, in both forms" {
    offers vmcrypt vmx decrypt -
    offered --passphrase-file
    offered -h
    offered --help
    offers vmcrypt-vmx decrypt --keyr
    offered --keyring
    not_offered --passphrase-file
}

@test "operands are VM files first, and all files when no VM file fits" {
    offers vmcrypt vmx info ''
    offered web01.vmx
    offered "Test VM.vmx"
    offered web01.vmdk
    offered disks
    not_offered notes.txt
    offers vmcrypt vmx info no
    [ "$output" = notes.txt ]
}

@test "arguments of options" {
    offers vmcrypt vmx info --keyring no
    [ "$output" = notes.txt ]
    offers vmcrypt vmx info --keyring = no
    [ "$output" = notes.txt ]
    offers vmcrypt vmx info --key KMS/1 = no
    [ "$output" = notes.txt ]
    offers vmcrypt vmx info --progress = al
    [ "$output" = always ]
    offers vmcrypt vmx info --json web01.vmx ''
    offered web01.vmx
}

@test "a file name with a space and a command path with a tilde" {
    offers vmcrypt vmx info 'Test\ V'
    [ "$output" = "Test VM.vmx" ]
    offers vmcrypt vmx info '"Test V'
    [ "$output" = "Test VM.vmx" ]
    ln -s "$VMCRYPT_BUILD" here
    # shellcheck disable=SC2088 # readline leaves the tilde as typed
    HOME=$PWD offers '~/here/vmcrypt' vmx in
    [ "$output" = info ]
}
