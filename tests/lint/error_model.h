/*
 * error_model - what the functions of base/error.h return, for clang-tidy.
 *
 * The analyzer looks at one file at a time and so believes that error_set could return true. With
 * this file included before all others it knows better. base/error.c itself is looked at without.
 */
#ifndef VMCRYPT_TESTS_LINT_ERROR_MODEL_H
#define VMCRYPT_TESTS_LINT_ERROR_MODEL_H

#include "base/error.h"

#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_system(...) (error_system(__VA_ARGS__), false)
#define error_in_file(...) (error_in_file(__VA_ARGS__), false)
#define error_at(...) (error_at(__VA_ARGS__), false)
#define error_prefix(...) (error_prefix(__VA_ARGS__), false)
#define error_memory(...) (error_memory(__VA_ARGS__), false)

#endif
