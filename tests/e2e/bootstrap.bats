#!/usr/bin/env bats
# ./bootstrap: what can be checked of it without changing the machine.

load helpers

# A PATH with programs that say what they would do, before the real ones.
setup()
{
    cd "$BATS_TEST_TMPDIR"
    mkdir bin
    PATH=$PWD/bin:$PATH
}

stand_in()
{
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}

@test "bootstrap without a known command explains itself" {
    run -0 "$top/bootstrap"
    has "check "
    run -2 "$top/bootstrap" frob
    run -2 "$top/bootstrap" check twice
}

@test "bootstrap installs nothing when all packages are there" {
    stand_in dpkg-query 'echo installed'
    stand_in apt-get 'echo called >>called; exit 1'
    run -0 "$top/bootstrap" packages --ci
    has "packages needed are installed"
    [ ! -e called ]
}

@test "bootstrap installs just what is missing, without questions" {
    stand_in dpkg-query 'case "$*" in *libyaml-dev) exit 1 ;; esac; echo installed'
    stand_in sudo 'exec "$@"'
    stand_in apt-get "echo \"\$DEBIAN_FRONTEND \$*\" >>$PWD/called"
    run -0 "$top/bootstrap" packages
    grep -q '^noninteractive .*update$' called
    grep -q '^noninteractive .*install --no-install-recommends libyaml-dev$' called
}

@test "bootstrap without a network says so in one line" {
    stand_in dpkg-query 'exit 1'
    stand_in sudo 'exec "$@"'
    stand_in apt-get 'echo "Err: Temporary failure resolving deb.debian.org"; echo "E: no" ; exit 100'
    run -1 --separate-stderr "$top/bootstrap" build
    [ "${#stderr_lines[@]}" -eq 1 ]
    says "is there a network? (E: no;"
}
