/*
 * scratch - a directory of its own for a group of tests, as the current directory:
 * cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down).
 */
#ifndef VMCRYPT_TESTS_SCRATCH_H
#define VMCRYPT_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_directory[] = "/tmp/vmcrypt-test-XXXXXX";

static int scratch_set_up(void **state)
{
    (void)state;
    return mkdtemp(scratch_directory) == NULL ? -1 : chdir(scratch_directory);
}

static int scratch_tear_down(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", scratch_directory);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

#endif
