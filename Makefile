# vmcrypt: one non-recursive Makefile. `make`, `make check`, `make install DESTDIR= PREFIX=`.
# CC, CFLAGS, CPPFLAGS, LDFLAGS are yours; BUILD names the output folder (build).

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CFLAGS ?= -O2 -g

PACKAGES := libcrypto yaml-0.1 jansson zlib liburing sqlite3 expat tss2-esys tss2-mu tss2-tctildr tss2-rc \
            libarchive
ROOMS := base keywrap tpm vmx vmdk vmdk/xts vm
# Rooms that are not in the library, and what they alone need.
SERVERS := fuse nbdkit
FUSE_PACKAGES := fuse3 libseccomp
NBDKIT_PACKAGES := nbdkit
TOOLS := $(patsubst tools/%.c,%,$(wildcard tools/vmcrypt*.c))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings
own_cppflags := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_FORTIFY_SOURCE=2 -DVMCRYPT_VERSION='"$(VERSION)"'
own_cflags := -std=c11 $(WARNINGS) -fvisibility=hidden -fstack-protector-strong -fPIC
own_ldflags := -pie -Wl,-z,relro,-z,now -Wl,--as-needed

package_cflags := $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
package_libs := $(shell $(PKG_CONFIG) --libs $(PACKAGES))
# As system headers: libfuse's own do not pass our linters.
fuse_cflags := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(FUSE_PACKAGES))) -DFUSE_USE_VERSION=314
fuse_libs := $(shell $(PKG_CONFIG) --libs $(FUSE_PACKAGES))
nbdkit_cflags := $(shell $(PKG_CONFIG) --cflags $(NBDKIT_PACKAGES))

ifeq ($(and $(strip $(package_libs)),$(strip $(fuse_libs)),$(filter 0,$(shell $(PKG_CONFIG) --exists nbdkit; echo $$?))),)
ifeq ($(filter clean install-data,$(MAKECMDGOALS)),)
$(error $(PKG_CONFIG) does not find all of $(PACKAGES) $(FUSE_PACKAGES) $(NBDKIT_PACKAGES): run ./bootstrap build, \
        which installs them)
endif
endif

# Has no .pc file.
package_libs += -lunistring

lib_sources := $(foreach room,$(ROOMS),$(wildcard $(room)/*.c $(room)/*.S))
lib_objects := $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(lib_sources))))
mount_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/cli_mount*.c))
cli_objects := $(filter-out $(mount_objects),$(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/cli*.c)))
library := $(BUILD)/libvmcrypt.a
fuse_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard fuse/*.c))
plugin := $(BUILD)/nbdkit-vmcrypt-plugin.so
programs := $(addprefix $(BUILD)/,$(TOOLS))
compile = $(CC) $(own_cppflags) $(package_cflags) $(CPPFLAGS) $(own_cflags) $(CFLAGS)

.PHONY: all check check-unit check-e2e check-arm64 check-sanitized bench bench-disk bench-read bench-replay fuzz fuzz-smoke format
.PHONY: install clean FORCE check-crash bench-mount bench-first check-hammer
.PHONY: lint lint-format lint-shell lint-cppcheck lint-tidy
.DELETE_ON_ERROR:
.SECONDARY:

all: $(programs) $(plugin)

# Flags that change rebuild everything: a sanitizer build never links with plain objects.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(compile) $(LDFLAGS)' | cmp -s - $@ || echo '$(compile) $(LDFLAGS)' >$@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(compile) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(compile) -MMD -MP -c -o $@ $<

$(library): $(lib_objects)
	rm -f $@
	$(AR) rcs $@ $^

$(programs): $(BUILD)/%: $(BUILD)/tools/%.o $(cli_objects) $(library)
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(library) $(package_libs) \
	    $(more_libs) $(LDLIBS)

# The program that serves through FUSE, and the plugin for nbdkit.
serving := $(fuse_objects) $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuse/test_*.c))
$(serving): private own_cppflags += $(fuse_cflags)
$(BUILD)/vmcrypt-mount: $(mount_objects) $(fuse_objects)
$(BUILD)/vmcrypt-mount: private more_libs := $(fuse_libs)

plugin_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard nbdkit/*.c))
$(plugin_objects): private own_cppflags += $(nbdkit_cflags)
$(plugin): $(plugin_objects) $(library)
	$(CC) $(own_cflags) $(CFLAGS) -shared -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) -o $@ $^ $(package_libs) \
	    $(LDLIBS)

# Unit tests: one program for each tests/ROOM/test_NAME.c, with cmocka.
unit_tests := $(patsubst %.c,$(BUILD)/%,$(foreach room,$(ROOMS) $(SERVERS),$(wildcard tests/$(room)/test_*.c)))
fuse_tests := $(filter $(BUILD)/tests/fuse/%,$(unit_tests))

$(fuse_tests): $(fuse_objects)
$(fuse_tests): private more_libs := $(fuse_libs)
$(unit_tests): $(BUILD)/%: $(BUILD)/%.o $(library)
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(library) $(package_libs) $(more_libs) \
	    $$($(PKG_CONFIG) --libs cmocka) $(LDLIBS)

# End-to-end tests run the programs; the last is the fixture maker's own test.
crash_shim := $(BUILD)/tests/crash/shim.so
e2e_tests := $(wildcard tests/e2e/*.bats) $(wildcard tests/lab/selftest.py)

# The NEON kernel, cross-built; skipped without a cross compiler and qemu-user.
arm64_test := tests/vmdk/xts/check-arm64

check: all $(unit_tests) $(crash_shim) $(BUILD)/tests/bench/bench_read
	tests/run --build $(BUILD) $(unit_tests) $(arm64_test) $(e2e_tests)

check-unit: $(unit_tests)
	tests/run --build $(BUILD) $(unit_tests)

check-arm64:
	@mkdir -p $(BUILD)
	tests/run --build $(BUILD) $(arm64_test)

check-e2e: all $(crash_shim) $(BUILD)/tests/bench/bench_read
	tests/run --build $(BUILD) $(e2e_tests)

# A disk that loses what was not synced, to be preloaded; never sanitized. See tests/crash/README.md.
$(crash_shim): $(wildcard tests/crash/*.[ch]) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(own_cppflags) -std=c11 $(WARNINGS) -fvisibility=hidden -O2 -g -fPIC -shared -o $@ $(filter %.c,$^)

check-crash: all $(crash_shim)
	PATH="$(abspath $(BUILD)):$$PATH" /usr/bin/python3 tests/crash/run.py --full --shim $(crash_shim)

# The same under clang's address, leak and undefined behaviour sanitizers.
SANITIZE_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
check-sanitized:
	VMCRYPT_SANITIZED=1 ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(MAKE) BUILD=$(BUILD)/sanitized CC=clang CFLAGS='$(SANITIZE_FLAGS)' check

# `make bench` compares the AES-XTS kernels with the libraries that pkg-config finds
# (BENCH_ARGS='--json --repetitions 31').
bench_program := $(BUILD)/tests/bench/bench_xts
bench_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*xts*.c))
ifneq ($(filter bench $(bench_program),$(MAKECMDGOALS)),)
bench_peers := $(strip $(foreach peer,libgcrypt nettle libisal_crypto,\
                 $(shell $(PKG_CONFIG) --exists $(peer) && echo $(peer))))
ifneq ($(bench_peers),)
bench_peer_libs := $(shell $(PKG_CONFIG) --libs $(bench_peers))
$(bench_objects): private own_cppflags += $(shell $(PKG_CONFIG) --cflags $(bench_peers)) \
    $(addprefix -DHAVE_,$(shell echo $(bench_peers) | tr a-z A-Z))
endif
$(bench_objects): $(BUILD)/tests/bench/peers
$(BUILD)/tests/bench/peers: FORCE
	@mkdir -p $(@D)
	@echo '$(bench_peers)' | cmp -s - $@ || echo '$(bench_peers)' >$@
endif

$(bench_program): $(bench_objects) $(library)
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(package_libs) \
	    $(bench_peer_libs) $(LDLIBS)

bench: $(bench_program)
	$(bench_program) $(BENCH_ARGS)

# Reading extents of all kinds, against qemu-img and libvmdk; the end-to-end tests use its reader.
bench_read := $(BUILD)/tests/bench/bench_read
$(bench_read): $(BUILD)/tests/bench/bench_read.o $(library)
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $^ $(package_libs) $(LDLIBS)

bench-read: all $(bench_read)
	/usr/bin/python3 tests/bench/bench_read.py --build $(BUILD) $(BENCH_ARGS)

# Event logs: parsing and replay against hashing their digests alone.
bench_replay := $(BUILD)/tests/bench/bench_replay
$(bench_replay): $(BUILD)/tests/bench/bench_replay.o $(library)
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $^ $(package_libs) $(LDLIBS)

bench-replay: $(bench_replay)
	$(bench_replay) $(BENCH_ARGS)

# Reading through our mount and our nbdkit plugin, against all peers that are installed.
passthrough := $(BUILD)/tests/bench/passthrough
$(passthrough).o: private own_cppflags += $(fuse_cflags)
$(passthrough): $(passthrough).o
	$(CC) $(own_cflags) $(CFLAGS) $(own_ldflags) $(LDFLAGS) -o $@ $^ $(fuse_libs) $(LDLIBS)

bench-mount: all $(passthrough)
	/usr/bin/python3 tests/bench/bench_mount.py --build $(BUILD) $(BENCH_ARGS)

# From starting a mount to the first byte, and its memory, with many disks and snapshots.
bench-first: all
	/usr/bin/python3 tests/bench/bench_first.py --build $(BUILD) $(BENCH_ARGS)

# The copy path against cp and qemu-img, file to file.
bench-disk: all
	/usr/bin/python3 tests/bench/bench_disk.py --build $(BUILD) $(BENCH_ARGS)

# Many processes read a mount at random and compare, then it is taken away under load.
check-hammer: SECONDS ?= 300
check-hammer: all
	/usr/bin/python3 tests/hammer/run.py --build $(BUILD) --seconds $(SECONDS)

# Fuzz targets: one for each tests/fuzz/fuzz_NAME.c, with clang's libFuzzer.
FUZZ_CC ?= clang
FUZZ_BUILD ?= $(BUILD)/fuzz
FUZZ_SECONDS ?= 60
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_targets := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_programs := $(addprefix $(FUZZ_BUILD)/,$(fuzz_targets))

ifeq ($(IN_FUZZ_BUILD),)
fuzz:
	$(MAKE) IN_FUZZ_BUILD=1 BUILD=$(FUZZ_BUILD) FUZZ_BUILD=$(FUZZ_BUILD) CC=$(FUZZ_CC) CFLAGS='$(FUZZ_FLAGS)' fuzz
else
fuzz: $(fuzz_programs)
$(fuzz_programs): $(BUILD)/%: $(BUILD)/tests/fuzz/%.o $(library)
	$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(package_libs) $(LDLIBS)
endif

fuzz-smoke: fuzz
	tests/fuzz/smoke --build $(FUZZ_BUILD) --seconds $(FUZZ_SECONDS) $(fuzz_targets)

# Style and static analysis.
own_sources := $(foreach room,$(ROOMS) $(SERVERS) tools,$(wildcard $(room)/*.[ch])) \
               $(wildcard tests/*/*.[ch] tests/*/*/*.[ch])
lint: lint-format lint-shell lint-cppcheck lint-tidy

lint-format:
	clang-format --dry-run -Werror $(own_sources)

lint-shell:
	shellcheck bootstrap .ci/run tests/run tests/fuzz/smoke tests/vmdk/xts/check-arm64 docs/completion/vmcrypt.bash
	shellcheck --severity=warning --exclude=SC2154,SC2164 $(wildcard tests/e2e/*.bash tests/e2e/*.bats)

own_code := $(filter-out tests/%,$(filter %.c,$(own_sources)))
lint-cppcheck:
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
	    --suppress=normalCheckLevelMaxBranches --std=c11 -I. $(own_code)

tidy_checks := $(patsubst %.c,tidy-%,$(own_code))
.PHONY: $(tidy_checks)
lint-tidy: $(tidy_checks)
error_model := -include tests/lint/error_model.h
tidy-base/error: error_model :=
$(tidy_checks): tidy-%:
	clang-tidy --quiet $*.c -- -std=c11 $(own_cppflags) $(package_cflags) $(fuse_cflags) $(nbdkit_cflags) $(error_model)

format:
	clang-format -i $(own_sources)

bindir := $(DESTDIR)$(PREFIX)/bin
mandir := $(DESTDIR)$(PREFIX)/share/man/man1
plugindir := $(DESTDIR)$(PREFIX)/lib/nbdkit/plugins
completiondir := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all
	$(INSTALL) -d $(bindir) $(mandir) $(completiondir) $(plugindir)
	$(INSTALL) -m 755 $(programs) $(bindir)
	$(INSTALL) -m 755 $(plugin) $(plugindir)
	$(INSTALL) -m 644 docs/man/*.1 $(mandir)
	$(INSTALL) -m 644 docs/completion/vmcrypt.bash $(completiondir)/vmcrypt
	for name in $(filter-out vmcrypt,$(TOOLS)); do ln -sf vmcrypt $(completiondir)/$$name; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
