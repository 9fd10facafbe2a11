#!/usr/bin/env bats
# tests/run must notice every way in which a suite can fail.

load helpers

setup()
{
    cd "$BATS_TEST_TMPDIR"
    mkdir build
}

# A suite that prints the lines given and then ends as the last argument says.
suite()
{
    local name=$1 end=${*: -1}
    {
        echo '#!/bin/sh'
        printf "echo '%s'\n" "${@:2:$#-2}"
        echo "$end"
    } >"$name"
    chmod +x "$name"
}

runner()
{
    run "$1" "$top/tests/run" --build build "${@:2}"
}

last_is()
{
    [ "${lines[-1]}" = "$1" ] || fail "the last line is: ${lines[-1]}"
}

@test "results of several suites are summed up" {
    suite one '1..2' 'ok 1 - a' 'not ok 2 # SKIP b' 'exit 0'
    suite two '1..1' 'ok 1 - a' '1..2' 'ok 1 - b' 'ok 2 c # skip why' 'exit 0'
    runner -0 ./one ./two
    last_is "3 passed, 0 failed, 2 skipped"
}

@test "a failed test fails the run and shows the log" {
    suite one '1..2' 'ok 1 - a' 'not ok 2 - b' '# 1 != 2' 'exit 1'
    runner -1 ./one
    has "# 1 != 2"
    last_is "1 passed, 1 failed, 0 skipped"
}

@test "a crash half-way is a failure" {
    suite one '1..3' 'ok 1 - a' 'kill -SEGV $$'
    runner -1 ./one
    has "ended early: 1 of 3"
    last_is "1 passed, 1 failed, 0 skipped"
}

@test "a crash after the last test is a failure" {
    suite one '1..1' 'ok 1 - a' 'kill -ABRT $$'
    runner -1 ./one
    has "though no test failed"
    last_is "1 passed, 1 failed, 0 skipped"
}

@test "an early exit with status 0 is a failure" {
    suite one '1..2' 'ok 1 - a' 'exit 0'
    runner -1 ./one
    last_is "1 passed, 1 failed, 0 skipped"
}

@test "a suite without tests or without a program is a failure" {
    suite one 'nothing here' 'exit 0'
    runner -1 ./one ./missing
    has "one: reports no test"
    has "missing: reports no test"
    last_is "0 passed, 2 failed, 0 skipped"
}

@test "a suite that hangs is stopped and is a failure" {
    suite one '1..1' 'ok 1 - a' 'sleep 60'
    runner -1 --timeout 1 ./one
    has "stopped after 1 seconds"
    last_is "1 passed, 1 failed, 0 skipped"
}

@test "bats files and scripts with a summary are counted too" {
    printf '@test "%s" { %s; }\n' a true b false c 'skip "no reason"' >one.bats
    echo 'print("4 passed, 0 failed, 1 skipped")' >two.py
    runner -1 one.bats two.py
    last_is "5 passed, 1 failed, 2 skipped"
}

@test "suites find the programs of the build first" {
    echo 'echo mine' >build/vmcrypt
    chmod +x build/vmcrypt
    suite one '1..1' '[ "$(vmcrypt)" = mine ] && echo "ok 1 - a"'
    runner -0 ./one
}
