#!/usr/bin/env bats
# A short run of tests/hammer.
load helpers

setup()
{
    need fusermount3
    [ -c /dev/fuse ] && [ -w /dev/fuse ] || skip "no /dev/fuse here"
}

@test "hammer: random reads equal the model, and a mount goes away under load" {
    run /usr/bin/python3 "$top/tests/hammer/run.py" --seconds 5 --dir "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "$status" -ne 77 ] || skip "no FUSE here"
    [ "$status" -eq 0 ]
    has "6 passed, 0 failed"
}

@test "hammer: a difference is found" {
    cd "$BATS_TEST_TMPDIR"
    mkdir mount
    head -c 3000320 /dev/urandom >shown.raw
    cp shown.raw model.raw
    # Another byte, whatever it was.
    dd if=shown.raw bs=1 skip=1234567 count=1 status=none | tr '\000-\377' '\001-\377\000' |
        dd of=model.raw bs=1 seek=1234567 conv=notrunc status=none
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 vmcrypt-mount -q shown.raw mount
    printf '[{"file": "%s", "model": "%s", "start": 0, "size": 3000320}]' \
        "$PWD/mount/disk.raw" "$PWD/model.raw" >views.json
    run /usr/bin/python3 "$top/tests/hammer/hammer.py" views.json 60 1
    fusermount3 -u -z mount
    echo "$output"
    [ "$status" -eq 1 ]
    has "byte 1234567 differs"
}
