# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Everything is built below $(BUILD); `make help` lists the targets.
#
#   make                                    build/gcc
#   make BUILD=build/clang CC=clang
#   make BUILD=build/asan SAN=address,undefined
#   make BUILD=build/tsan SAN=thread

BUILD	?= build/gcc
ifeq ($(origin CC),default)
CC	:= gcc
endif
SAN	?=
PREFIX	?= /usr/local
DESTDIR	?=

PKG_CONFIG	?= pkg-config
bindir		:= $(PREFIX)/bin
libdir		:= $(PREFIX)/lib
includedir	:= $(PREFIX)/include
mandir		:= $(PREFIX)/share/man
completiondir	:= $(PREFIX)/share/bash-completion/completions
unitdir		:= $(PREFIX)/lib/systemd/system
rulesdir	:= $(PREFIX)/lib/udev/rules.d
plugindir	 = $(shell $(PKG_CONFIG) --variable=plugindir nbdkit)
VERSION		:= $(shell sed -n 's/.*HS_VERSION_STRING[[:space:]]*"\(.*\)"/\1/p' include/hotset/hotset.h)
SONAME		:= libhotset.so.0

.DEFAULT_GOAL	:= all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS	+= --no-builtin-rules

# ---- sources -------------------------------------------------------------------------------------

CORE_SRC	:= $(addprefix core/,$(shell cat core/SOURCES 2>/dev/null))
ENGINE_SRC	:= $(sort $(wildcard engine/*.c))
CLI_SRC		:= $(sort $(wildcard cli/*.c))
NBD_SRC		:= $(sort $(wildcard nbd/*.c))
TESTLIB_SRC	:= $(sort $(wildcard tests/lib/*.c))
UNIT_SRC	:= $(sort $(wildcard tests/unit/test-*.c))
TOOL_SRC	:= $(sort $(wildcard tests/tools/*.c))
BENCH_SRC	:= $(sort $(wildcard bench/*.c))
SIM_SRC		:= $(sort $(wildcard sim/*.c))
MAN_SRC		:= $(sort $(wildcard docs/man/*.scd))
LIB_SRC		:= $(strip $(CORE_SRC) $(ENGINE_SRC))
CHECKED_SRC	:= $(LIB_SRC) $(CLI_SRC) $(NBD_SRC)
ALL_SRC		:= $(CHECKED_SRC) $(TESTLIB_SRC) $(UNIT_SRC) $(TOOL_SRC) $(BENCH_SRC) $(SIM_SRC)

objects		 = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB		:= $(if $(LIB_SRC),$(BUILD)/libhotset.a $(BUILD)/$(SONAME) $(BUILD)/libhotset.so)
CLI		:= $(if $(CLI_SRC),$(BUILD)/hotset)
PLUGIN		:= $(if $(NBD_SRC),$(BUILD)/nbdkit-hotset-plugin.so)
UNIT		:= $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
TOOLS		:= $(TOOL_SRC:tests/tools/%.c=$(BUILD)/tools/%)
BENCH		:= $(BENCH_SRC:%.c=$(BUILD)/%)
SIM		:= $(if $(SIM_SRC),$(BUILD)/hotset-sim)
MAN		:= $(MAN_SRC:docs/man/%.scd=$(BUILD)/man/%)

# ---- flags ---------------------------------------------------------------------------------------

WARN		:= -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wno-unused-parameter
OPT		:= $(if $(SAN),-O1 -fno-omit-frame-pointer -fsanitize=$(SAN),-O2)
OPT		+= $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=all)
# TSan does not model fences; the two that there are only order what is atomic anyway.
OPT		+= $(if $(findstring thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
# libhotset.so exports by a list (below), so calls inside it need no indirection.
PIC		:= -fPIC -fno-semantic-interposition
HS_CPPFLAGS	:= -Iinclude -I. -D_GNU_SOURCE= $(CPPFLAGS)
HS_CFLAGS	:= -std=gnu11 $(OPT) -g $(WARN) $(PIC) -pthread $(CFLAGS)
HS_LDFLAGS	:= -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,--as-needed $(LDFLAGS)
# Kernel limits. Sanitizers enlarge stack frames, so theirs are not measured.
CORE_CFLAGS	:= -Wvla -Wdeclaration-after-statement $(if $(SAN),,-Wframe-larger-than=1024)

PACKAGES	:= libnbd blkid uuid json-c libsystemd devmapper ncurses nbdkit cmocka
# Asked for only once something is compiled: `make help` and `make setup` work without them.
pkg		 = $(or $(shell $(PKG_CONFIG) $(1) 2>/dev/null),$(if $(shell $(PKG_CONFIG) --exists $(PACKAGES) || echo no),\
		   $(error development packages are missing ($(PACKAGES)): run `make setup` as root)))
PKG_CFLAGS	 = $(eval PKG_CFLAGS := $$(call pkg,--cflags $(PACKAGES)))$(PKG_CFLAGS)
LIB_LIBS	 = $(eval LIB_LIBS := $$(call pkg,--libs libnbd blkid uuid))$(LIB_LIBS)
APP_LIBS	 = $(eval APP_LIBS := $$(call pkg,--libs libnbd blkid uuid json-c libsystemd))$(APP_LIBS)
CLI_LIBS	 = $(eval CLI_LIBS := $$(call pkg,--libs devmapper ncurses))$(CLI_LIBS)

# One short line a file; V=1 shows the commands.
ifeq ($(V),)
Q = @echo '  $(1)' $(patsubst $(BUILD)/%,%,$@);
endif

# ---- build ---------------------------------------------------------------------------------------

.PHONY: all programs
programs: $(LIB) $(CLI) $(PLUGIN) $(MAN) ## Build only what is installed
all: $(LIB) $(CLI) $(PLUGIN) $(UNIT) $(TOOLS) $(BENCH) $(SIM) $(MAN) ## Build everything into $(BUILD)

# Rebuilds what was compiled with other flags.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(HS_CPPFLAGS) $(HS_CFLAGS) $(CORE_CFLAGS) $(HS_LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(HS_CPPFLAGS) $(HS_CFLAGS) $(CORE_CFLAGS) $(HS_LDFLAGS)' >$@

$(BUILD)/obj/core/%.o: DIR_CFLAGS := $(CORE_CFLAGS)
$(BUILD)/obj/core/%.o: PKG_CFLAGS :=
$(BUILD)/obj/cli/serve.o: DIR_CFLAGS = -DHS_PLUGIN_DIR='"$(plugindir)"'
# nbdkit's macro defines plugin_init without a prototype.
$(BUILD)/obj/nbd/%.o: DIR_CFLAGS := $(if $(findstring clang,$(CC)),-Wno-missing-prototypes)
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(HS_CPPFLAGS) $(HS_CFLAGS) $(PKG_CFLAGS) $(DIR_CFLAGS) -MMD -MP -c $< -o $@

-include $(patsubst %.o,%.d,$(call objects,$(ALL_SRC)))

$(BUILD)/libhotset.a: $(call objects,$(LIB_SRC)) $(if $(wildcard core/SOURCES),core/SOURCES)
	$(call Q,AR)rm -f $@ && ar rcs $@ $(filter %.o,$^)

# The public header is the list of what the library exports.
$(BUILD)/libhotset.map: include/hotset/hotset.h $(BUILD)/flags
	$(call Q,GEN){ echo '{ global:'; $(CC) -E -P $(HS_CPPFLAGS) $< | grep -oE '\bhs_[a-z0-9_]+ *\(' | tr -d ' (' | \
		sort -u | sed 's/$$/;/'; echo 'local: *; };'; } >$@

$(BUILD)/$(SONAME): $(call objects,$(LIB_SRC)) $(BUILD)/libhotset.map
	$(call Q,LD)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(BUILD)/libhotset.map $(HS_LDFLAGS) -o $@ \
		$(filter %.o,$^) $(LIB_LIBS)

$(BUILD)/libhotset.so: $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $@

# The words of statistics are the plugin's.
$(BUILD)/hotset: $(call objects,$(CLI_SRC) nbd/stats.c) $(BUILD)/libhotset.a
	$(call Q,LD)$(CC) $(HS_LDFLAGS) -o $@ $^ $(APP_LIBS) $(CLI_LIBS)

$(BUILD)/plugin.map: $(BUILD)/flags
	@echo '{ global: plugin_init; local: *; };' >$@

# nodelete: libraries that we bring register things to do when a thread or the process ends, and must then
# still be there.
$(BUILD)/nbdkit-hotset-plugin.so: $(call objects,$(NBD_SRC)) $(BUILD)/libhotset.a $(BUILD)/plugin.map
	$(call Q,LD)$(CC) -shared -Wl,-z,nodelete -Wl,--version-script=$(BUILD)/plugin.map $(HS_LDFLAGS) -o $@ $(filter-out %.map,$^) $(APP_LIBS)

# tests/lib/simdev.c puts the simulator's disks under the engine.
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(call objects,$(TESTLIB_SRC) sim/disk.c sim/inside.c) $(BUILD)/libhotset.a
	@mkdir -p $(@D)
	$(call Q,LD)$(CC) $(HS_LDFLAGS) -Wl,--wrap=hs_target_open -o $@ $^ $(APP_LIBS) -lcmocka

$(BUILD)/tools/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/libhotset.a
	@mkdir -p $(@D)
	$(call Q,LD)$(CC) $(HS_LDFLAGS) -o $@ $^ $(APP_LIBS)

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(BUILD)/libhotset.a
	@mkdir -p $(@D)
	$(call Q,LD)$(CC) $(HS_LDFLAGS) -o $@ $^ $(APP_LIBS)

# The engine's CRC; the simulator has an end of its own for failed assertions.
$(BUILD)/obj/sim/crc32c.o: engine/crc32c.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(HS_CPPFLAGS) $(HS_CFLAGS) -Dhs_assert_failed=hs_engine_assert_failed -c $< -o $@

$(BUILD)/obj/sim/%.o: PKG_CFLAGS :=
$(BUILD)/obj/sim/%.o: DIR_CFLAGS := $(if $(SAN),,-O3)
$(BUILD)/hotset-sim: $(call objects,$(SIM_SRC) $(CORE_SRC)) $(BUILD)/obj/sim/crc32c.o
	$(call Q,LD)$(CC) $(HS_LDFLAGS) -o $@ $^

$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(call Q,MAN)scdoc <$< >$@

# ---- set-up, checks, benchmarks: see the scripts -------------------------------------------------

.PHONY: help setup quickstart check check-unit check-e2e check-asan check-tsan check-static tidy format
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][-a-z0-9 ]*:.*## / { n = split($$1, t, " "); \
		for (i = 1; i <= n; i++) printf "%-14s %s\n", t[i], $$2 }' Makefile

setup: ## Install the Debian packages that building and testing take (root)
	tools/setup.sh

quickstart: setup ## Set up, build, and see a slow disk become fast (2 minutes)
	+$(MAKE) all
	HOTSET_BUILD=$(abspath $(BUILD)) tools/quickstart.sh

check: ## Set up, build and run every test there is; the last line counts them
	@tools/check.sh all
check-unit: ## Unit tests
	@tools/check.sh unit $(TEST)
check-e2e: ## End-to-end tests; TEST=name runs one
	@tools/check.sh e2e $(TEST)
check-asan: ## Unit tests and marked e2e tests under address and undefined-behaviour sanitizers
	@tools/check.sh asan $(TEST)
check-tsan: ## Unit tests and marked e2e tests under the thread sanitizer
	@tools/check.sh tsan $(TEST)
check-static: ## clang-tidy, sparse, kernel compile, symbol and style tests
	@tools/check.sh static $(TEST)

# ---- the kernel module: Kbuild; tests/vm ----------------------------------------------------------

KDIR	?= /lib/modules/$(shell uname -r)/build
.PHONY: modules modules_install modules_clean check-vm check-vm-full vm-shell
modules: ## Build dm-hotset.ko for the running kernel, or for the headers in KDIR
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
modules_install: modules ## Install it (INSTALL_MOD_PATH: below another root)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
modules_clean: ## Remove what `make modules` left in the tree
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

VM	= BUILD=$(abspath $(BUILD))/vm HOTSET=$(abspath $(BUILD))/hotset tests/vm/check.sh
check-vm: all ## The module in virtual machines, short (in `make check` too); KERNEL=6.1 or 6.12, TEST=name runs one
	@tools/setup.sh && $(VM) short '$(KERNEL)' $(TEST)
check-vm-full: all ## ... and in full
	@tools/setup.sh && $(VM) full '$(KERNEL)' $(TEST)
check-vm-debug: all ## ... and in full, with a kernel that looks for memory errors, wrong locking and leaks
	@tools/setup.sh && $(VM) full debug $(TEST)
vm-shell: all ## A shell in such a machine, with the module at /dm-hotset.ko
	@tools/setup.sh && $(VM) shell $(KERNEL)

# A file is looked at again when its object was made anew.
tidy: $(CHECKED_SRC:%.c=$(BUILD)/tidy/%.ok)
$(BUILD)/tidy/%.ok: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet --warnings-as-errors='*' $*.c -- $(HS_CPPFLAGS) -std=gnu11 -Wall -Wextra \
		-Wno-unused-parameter $(PKG_CFLAGS) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

format: ## Show what clang-format would change (advice, not a rule)
	@for f in $(ALL_SRC) $(wildcard core/*.h engine/*.h cli/*.h nbd/*.h include/hotset/*.h); do \
		clang-format $$f | diff -u --label $$f --label $$f.formatted $$f -; done; true

# The simulator: worlds from new seeds, and those that once failed.
.PHONY: sim sim-long sim-coverage sim-mutants
sim: $(SIM) ## Simulated worlds: seeds that once failed, a fixed range, and as many new ones
	tests/build/sim.sh $(BUILD)

sim-long: $(SIM) ## Simulated worlds until stopped (Ctrl-C)
	$(BUILD)/hotset-sim run --seconds 1000000000 --jobs $(or $(JOBS),2)

sim-mutants: ## Break the core in some fifty ways: the simulator must notice each
	sim/mutants.sh $(MUTANT)

sim-coverage: ## Which lines of core/ the simulator reaches (gcov)
	sim/coverage.sh $(BUILD)-coverage

# bench/NAME.sh, else the program made of bench/NAME.c; each writes bench/out/NAME.json.
.PHONY: bench-core bench-nbd bench-open bench-vm
bench-core: ## Instructions and ns a request in the core alone
bench-nbd: ## Served over NBD, as ratios to nbdkit file and its cache filter
bench-open: ## Time to open a cache of 16 Mi slots, after a clean stop and after kill -9
bench-core bench-nbd bench-open: bench-%: all
	@mkdir -p bench/out
	HOTSET_BUILD=$(abspath $(BUILD)) HOTSET=$(abspath $(BUILD))/hotset \
		$(firstword $(wildcard bench/$*.sh bench/bench-$*.sh) $(filter %/$* %/bench-$*,$(BENCH)) bench/$*.sh)

bench-vm: ## The kernel target beside its peers, in a virtual machine that counts instructions (some ten minutes)
	BUILD=$(abspath $(BUILD))/vm bench/vm.sh

# ---- install -------------------------------------------------------------------------------------

# The simulator is for the tree; its page stays there too.
PAGES		:= $(filter-out %/hotset-sim.1,$(MAN))
MODULE_FILES	:= Kbuild core/SOURCES $(CORE_SRC) $(wildcard core/*.h kernel/*.[ch]) include/hotset/enums.h
dkmsdir		:= /usr/src/hotset-$(VERSION)

INSTALLED = $(bindir)/hotset $(libdir)/libhotset.a $(libdir)/$(SONAME) $(libdir)/libhotset.so \
	$(libdir)/pkgconfig/hotset.pc $(patsubst include/%,$(includedir)/%,$(wildcard include/hotset/*.h)) \
	$(plugindir)/nbdkit-hotset-plugin.so $(completiondir)/hotset $(unitdir)/hotset@.service \
	$(rulesdir)/90-hotset.rules \
	$(foreach m,$(notdir $(PAGES)),$(mandir)/man$(patsubst .%,%,$(suffix $(m)))/$(m))

.PHONY: install uninstall install-dkms deb clean FORCE
install: programs ## Install into $(DESTDIR)$(PREFIX), the plugin into nbdkit's directory
	install -D $(BUILD)/hotset $(DESTDIR)$(bindir)/hotset
	install -D -m 644 $(BUILD)/libhotset.a $(DESTDIR)$(libdir)/libhotset.a
	install -D -m 644 $(BUILD)/$(SONAME) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libhotset.so
	install -D -m 644 -t $(DESTDIR)$(includedir)/hotset include/hotset/*.h
	install -D -m 644 $(BUILD)/nbdkit-hotset-plugin.so $(DESTDIR)$(plugindir)/nbdkit-hotset-plugin.so
	install -D -m 644 cli/hotset.bash-completion $(DESTDIR)$(completiondir)/hotset
	for m in $(PAGES); do install -D -m 644 -t $(DESTDIR)$(mandir)/man$${m##*.} $$m || exit 1; done
	mkdir -p $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(unitdir) $(DESTDIR)$(rulesdir)
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@LIBDIR@,$(libdir),' -e 's,@VERSION@,$(VERSION),' hotset.pc.in \
		>$(DESTDIR)$(libdir)/pkgconfig/hotset.pc
	sed 's,/usr/bin/hotset,$(bindir)/hotset,' 'systemd/hotset@.service' >'$(DESTDIR)$(unitdir)/hotset@.service'
	sed 's,/usr/bin/hotset,$(bindir)/hotset,' systemd/90-hotset.rules >$(DESTDIR)$(rulesdir)/90-hotset.rules

uninstall: ## Remove what install put there
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(DESTDIR)$(includedir)/hotset

install-dkms: ## Install the module's sources for DKMS: then `dkms add hotset/VERSION`
	for f in $(MODULE_FILES); do install -D -m 644 $$f $(DESTDIR)$(dkmsdir)/$$f || exit 1; done
	sed 's/#MODULE_VERSION#/$(VERSION)/' dkms.conf >$(DESTDIR)$(dkmsdir)/dkms.conf

deb: ## Debian packages, into build/deb
	tools/deb.sh build/deb

clean: ## Remove everything that was built
	rm -rf build bench/out

FORCE:
