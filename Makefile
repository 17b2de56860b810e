# The one Makefile of pindrop: `make help` says what it can do.
#
#   make BUILD=build/clang CC=clang          another compiler, beside the first build
#   make BUILD=build/asan SANITIZE=address,undefined test
#   make WERROR=1                            a warning is an error, as in CI
#   make OPTIMIZE='-O0 -g3'                  for a debugger

BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
STATEDIR ?= /var/lib/pindrop
PLUGIN_DIR = $(PREFIX)/lib/pindrop
COLLECTOR_DIR = $(PREFIX)/share/pindrop/collectors

ifeq ($(origin CC),default)
CC := gcc
endif

.DEFAULT_GOAL := all

# All processors build, unless it is said how many. A sub-make is given what its caller has.
ifeq ($(MAKELEVEL)$(findstring -j,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
.DELETE_ON_ERROR:
.SUFFIXES:
FORCE:

##@ Use

all: program plugins collectors ## build the agent and its plugins, to build/

# --- what must be installed -------------------------------------------------------------------------------------
#
# Before anything is read that needs a compiler or pkg-config: goals that promise to work on a bare machine install
# what is missing, the others say what is missing. A sub-make and `make -n` rely on their caller.

GOALS := $(or $(MAKECMDGOALS),all)
INSTALLING := $(if $(filter run,$(GOALS)),build) $(if $(filter test sanitize unit soak,$(GOALS)),test) \
              $(if $(filter lint lint-%,$(GOALS)),lint) $(if $(filter bench,$(GOALS)),bench) \
              $(if $(filter fuzz fuzz-keep,$(GOALS)),fuzz)
WITHOUT := clean help uninstall deps FORCE $(BUILD)
COMPILING := $(filter-out $(WITHOUT),$(GOALS))

ifeq ($(MAKELEVEL)$(findstring n,$(firstword -$(MAKEFLAGS))),0)
ifneq ($(COMPILING),)
$(shell scripts/install-deps $(or $(strip $(INSTALLING)),--check build) >&2)
ifneq ($(.SHELLSTATUS),0)
$(error Something that pindrop is built with is missing, see above)
endif
endif
endif

deps: ## install everything that building, testing, linting and measuring need (apt)
	scripts/install-deps --all

# --- flags ------------------------------------------------------------------------------------------------------

# Beyond -Wall -Wextra: a local that hides another (-Wshadow), functions without prototype, or public without one in
# a header, arithmetic on void *, arrays whose size the stack cannot know (-Wvla), formats that are not literals or do
# not fit (-Wformat=2), misspelt macros in #if (-Wundef), literals that are written to (-Wwrite-strings).
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 \
            -Wundef -Wwrite-strings $(if $(WERROR),-Werror)

# What makes a bug harder to exploit: canaries, checked libc calls, a probed stack, and (below, for the linker)
# position-independent code whose tables are read-only before main() runs. -fcf-protection exists on x86 only.
HARDENING := -fstack-protector-strong -fstack-clash-protection \
             $(if $(filter x86_64 i%86,$(shell uname -m)),-fcf-protection)

ifdef SANITIZE
# A sanitizer wants its own checks in place of libc's, and frames that it can walk.
OPTIMIZE ?= -O1 -g
HARDENING := -U_FORTIFY_SOURCE -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
else
OPTIMIZE ?= -O2 -g
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

packages = $(shell pkg-config $1 $2 2>/dev/null)
ifneq ($(COMPILING),)
AGENT_PACKAGES := lua5.4 libmicrohttpd jansson librrd zlib
AGENT_LIBS := $(call packages,--libs,$(AGENT_PACKAGES)) -ldl -lm -pthread
TOP_PACKAGES := libcurl ncursesw jansson
TOP_LIBS := $(call packages,--libs,$(TOP_PACKAGES)) -lm -pthread
TEST_LIBS := $(AGENT_LIBS) $(call packages,--libs,cmocka)
HELPER_LIBS := $(AGENT_LIBS) $(call packages,--libs,fuse3)
# -isystem: warnings in the headers of others are theirs.
# Of ncursesw without what it defines: -D_GNU_SOURCE is all of that, and more.
INCLUDES := $(patsubst -I%,-isystem %,$(call packages,--cflags,$(AGENT_PACKAGES)) \
              $(call packages,--cflags-only-I,$(TOP_PACKAGES)))
HELPER_INCLUDES := $(INCLUDES) $(patsubst -I%,-isystem %,$(call packages,--cflags,fuse3))
endif

# Everything is hidden but what says PINDROP_EXPORT; -rdynamic then offers exactly that to plugins.
COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE $(OPTIMIZE) $(WARNINGS) $(HARDENING) -fvisibility=hidden -pthread \
          -MMD -MP $(CPPFLAGS) $(CFLAGS)
LINKING = -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
AS_PROGRAM = -pie -rdynamic $(LINKING)
AS_PLUGIN = -shared -fPIC $(LINKING)
LINK = $(CC) $(OPTIMIZE) $(HARDENING) $(AS_PROGRAM)

# --- sources ----------------------------------------------------------------------------------------------------

# `pindrop top` is a program of its own: the agent carries none of its libraries.
TOP := $(wildcard agent/top/*.c) agent/base/clock.c agent/base/error.c agent/base/memory.c agent/base/text.c
AGENT := $(filter-out agent/top/%,$(wildcard agent/main.c agent/*/*.c))
PLUGINS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard plugins/*.c))
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_PLUGINS := $(patsubst tests/fixtures/plugins/%.c,$(BUILD)/tests/plugins/%.so,$(wildcard tests/fixtures/plugins/*.c))
PRELOADS := $(patsubst tests/preload/%.c,$(BUILD)/tests/preload/%.so,$(wildcard tests/preload/*.c))
HELPERS := $(patsubst tests/system/%.c,$(BUILD)/tests/%,$(wildcard tests/system/*.c))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

program: $(BUILD)/pindrop $(BUILD)/pindrop-top
plugins: $(PLUGINS)
# Beside the program, as the plugins are: where `require` looks.
collectors: | program
	@ln -sfn $(abspath scripts/collectors) $(BUILD)/collectors
.PHONY: all program plugins collectors deps

# --- stamps: files that change when a flag, or the list of sources, does ----------------------------------------

# $(call stamp,text): writes the target only when its text differs, so that what depends on it is rebuilt only then.
stamp = @mkdir -p $(@D); text='$(subst ','\'',$(strip $1))'; [ "$$text" = "$$(cat $@ 2>/dev/null)" ] || echo "$$text" >$@

$(BUILD)/flags: FORCE
	$(call stamp,$(COMPILE) $(INCLUDES) $(AS_PROGRAM) $(HELPER_LIBS) $(TEST_LIBS) $(TOP_LIBS))
$(BUILD)/sources: FORCE
	$(call stamp,$(AGENT) $(TOP))

# --- rules ------------------------------------------------------------------------------------------------------

# Quiet by default; V=1 shows every command.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $1	$(patsubst $(BUILD)/%,%,$@)")

$(BUILD)/%.o: %.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -fPIE -Iagent -Iinclude $(INCLUDES) -c -o $@ $<

# The dashboard is in the program, compressed: assets.c takes it in. The chart library comes from its package.
DYGRAPHS ?= /usr/share/javascript/dygraphs
ASSETS := $(notdir $(wildcard agent/http/dashboard/*)) dygraph.min.js dygraph.css
ASSET_FILES := $(ASSETS:%=$(BUILD)/dashboard/%.gz)
$(BUILD)/dashboard/%.gz: agent/http/dashboard/%
	@mkdir -p $(@D)
	$(Q)gzip -9nc $< >$@
$(BUILD)/dashboard/%.gz: $(DYGRAPHS)/%
	@mkdir -p $(@D)
	$(Q)gzip -9nc $< >$@
$(BUILD)/agent/http/assets.o: CFLAGS += -Wa,-I$(BUILD)/dashboard
$(BUILD)/agent/http/assets.o: $(ASSET_FILES)

$(BUILD)/pindrop: $(AGENT:%.c=$(BUILD)/%.o) $(BUILD)/sources
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(AGENT_LIBS)

$(BUILD)/pindrop-top: $(TOP:%.c=$(BUILD)/%.o) $(BUILD)/sources
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(TOP_LIBS)

$(BUILD)/plugins/%.so: plugins/%.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,PLUGIN)
	$(Q)$(COMPILE) -MF $(@:.so=.so.d) -Iinclude $(AS_PLUGIN) -o $@ $< -lm

$(BUILD)/tests/plugins/%.so: tests/fixtures/plugins/%.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,PLUGIN)
	$(Q)$(COMPILE) -MF $(@:.so=.so.d) -Iinclude $(AS_PLUGIN) -o $@ $< -lm

# What a test puts between the agent and the C library: without sanitizers, as it may be called before they are up.
$(BUILD)/tests/preload/%.so: tests/preload/%.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,PRELOAD)
	$(Q)$(COMPILE) -fno-sanitize=all -U_FORTIFY_SOURCE -fvisibility=default -MF $(@:.so=.so.d) $(AS_PLUGIN) -o $@ $<

# A unit test names the sources that it links with in its first comment: /* links: agent/base/text.c … */. Each line
# of awk's output becomes one word, "test_text|agent/base/text.c|…".
links_of = $(if $1,$(shell awk 'FNR == 1 { open = /^\/\* links:/; name = FILENAME; sub(/.*\//, "", name); \
	sub(/\.c$$/, "", name); printf "\n%s", name } \
	open { n = split($$0, word, /[ \t]+/); for (i = 1; i <= n; i++) if (word[i] ~ /\.c$$/) printf "|%s", word[i] } \
	/\*\// { open = 0 }' $1))
UNIT_LINKS := $(call links_of,$(wildcard tests/unit/test_*.c))
FUZZER_LINKS := $(call links_of,$(wildcard tests/fuzz/fuzz_*.c))

define unit
$(BUILD)/tests/$(firstword $1): $(patsubst %.c,$(BUILD)/%.o,tests/unit/$(firstword $1).c $(wordlist 2,$(words $1),$1))
endef
$(foreach links,$(UNIT_LINKS),$(eval $(call unit,$(subst |, ,$(links)))))

$(UNITS):
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(TEST_LIBS)

# A fuzzer is built anew as a whole, by clang, with what it links with: each line of it is watched.
FUZZ_CC ?= clang
COMPILE_FUZZER = $(FUZZ_CC) -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined \
                 -fno-sanitize-recover=undefined -fno-omit-frame-pointer -pthread

define fuzzer
$(BUILD)/fuzz/$(firstword $1): tests/fuzz/$(firstword $1).c $(wordlist 2,$(words $1),$1)
endef
$(foreach links,$(FUZZER_LINKS),$(eval $(call fuzzer,$(subst |, ,$(links)))))

$(FUZZERS): Makefile $(wildcard agent/*/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZER)
	$(Q)$(COMPILE_FUZZER) -Iagent -Iinclude $(INCLUDES) -o $@ $(filter %.c,$^) $(AGENT_LIBS)

# What system tests and benchmarks need beside the agent: one file, one program, linked with nothing of the agent.
$(BUILD)/tests/%: tests/system/%.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,HELPER)
	$(Q)$(COMPILE) -MF $@.d -fPIE -Iagent -Iinclude $(HELPER_INCLUDES) -o $@ $< $(AS_PROGRAM) $(HELPER_LIBS)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(call say,BENCH)
	$(Q)$(COMPILE) -MF $@.d -fPIE -Iagent -Iinclude $(HELPER_INCLUDES) -o $@ $< $(AS_PROGRAM) $(HELPER_LIBS)

-include $(sort $(AGENT:%.c=$(BUILD)/%.d) $(TOP:%.c=$(BUILD)/%.d)) $(PLUGINS:=.d) $(TEST_PLUGINS:=.d) $(PRELOADS:=.d) $(HELPERS:=.d) $(BENCHES:=.d)
-include $(wildcard $(BUILD)/tests/unit/*.d $(BUILD)/plugins/*.d)

# --- what people type -------------------------------------------------------------------------------------------

run: all ## run it here with pindrop.lua, until Ctrl-C (installs what is missing first)
	$(BUILD)/pindrop -c pindrop.lua

meta: all ## write anew what editors know of pindrop.lua: scripts/pindrop-meta.lua
	PINDROP_PLUGIN_PATH= $(BUILD)/pindrop describe --lua >scripts/pindrop-meta.lua

##@ Test

unit: all $(UNITS) $(TEST_PLUGINS) ## only the unit tests
	BUILD=$(BUILD) SANITIZE=$(SANITIZE) CC=$(CC) $(RUNNER) tests/run --unit $(TESTS)

test: all $(UNITS) $(TEST_PLUGINS) $(PRELOADS) $(HELPERS) ## every test; TESTS='cpu stats' runs those whose names hold a word
	BUILD=$(BUILD) SANITIZE=$(SANITIZE) CC=$(CC) $(RUNNER) tests/run $(TESTS)

# ThreadSanitizer of gcc 12 wants the memory layout that kernels had before they randomised 32 bits of it: setarch -R
# switches that off for the tests and all that they start.
RUNNER := $(if $(findstring thread,$(SANITIZE)),setarch -R)

sanitize: ## every test under AddressSanitizer + UBSan, then under ThreadSanitizer
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined test
	$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread test

# About two seconds a kill.
SOAK_KILLS ?= 300
SOAK_SECONDS ?= 0
# Some ten a second.
SOAK_SAVES ?= 10000

soak: all $(TEST_PLUGINS) ## kill the agent SOAK_KILLS=300 times, save its file SOAK_SAVES=10000 times; look for what is lost or leaks
	BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(RUNNER) tests/system/crash --kills $(SOAK_KILLS) --seconds $(SOAK_SECONDS)
	BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(RUNNER) tests/system/reload --reloads $(SOAK_SAVES)

# What they find out on the way stays in $(BUILD)/fuzz/corpus; `make fuzz-keep` takes what is new of it into the tree.
FUZZ_SECONDS ?= 60

fuzz: $(FUZZERS) ## feed damaged files to what reads them, FUZZ_SECONDS=60 for each reader; FUZZ='record' for some
	BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ)

fuzz-keep: $(FUZZERS)
	BUILD=$(BUILD) tests/fuzz/run --keep $(FUZZ)

bench: all $(BENCHES) $(TEST_PLUGINS) ## measure: each figure beside its floor
	BUILD=$(BUILD) tests/bench/run $(BENCH)

# --- lint -------------------------------------------------------------------------------------------------------

C_FILES := $(wildcard agent/*.[ch] agent/*/*.[ch] plugins/*.[ch] include/pindrop/*.h tests/*/*.[ch] tests/fixtures/plugins/*.c)
SCRIPTS := $(shell grep -rlE '^\#!.*\b(ba)?sh$$' scripts tests .ci --include='*' --exclude-dir=fixtures --exclude-dir=node_modules 2>/dev/null)
LUA_FILES := $(wildcard pindrop.lua scripts/*.lua scripts/collectors/*.lua tests/*.lua tests/*/*.lua)
PARALLEL := xargs -P $(shell nproc) -n 1

lint: lint-includes lint-format lint-shell lint-lua lint-cppcheck lint-compile lint-tidy ## every check below

lint-includes: ## includes run one way through the house, foreign libraries have one door each
	tests/lint-includes

lint-format: ## clang-format; `make format` applies it
	clang-format --dry-run -Werror $(C_FILES)

lint-shell: ## shellcheck
	shellcheck -S warning $(SCRIPTS)

lint-lua: ## luacheck
	luacheck --no-color -q $(LUA_FILES)

# cppcheck is told the one macro that it cannot find for itself; unusedStructMember is blind to tables.
lint-cppcheck: ## cppcheck
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		--suppress=missingIncludeSystem -j $(shell nproc) -D_GNU_SOURCE \
		-Iagent -Iinclude agent plugins

lint-compile: ## every program with gcc and with clang, where a warning is an error
	$(MAKE) BUILD=$(BUILD)/lint-gcc CC=gcc WERROR=1 everything
	$(MAKE) BUILD=$(BUILD)/lint-clang CC=clang WERROR=1 everything

# How far the static analyzer follows a function: to clang's own bound, 225000, all takes three minutes, and found no more.
TIDY_NODES ?= 60000

lint-tidy: ## clang-tidy (its checks and the reasons: .clang-tidy)
	printf '%s\n' $(filter %.c,$(filter-out tests/%,$(C_FILES))) | $(PARALLEL) sh -c \
		'clang-tidy --quiet "$$0" -- -std=gnu17 -D_GNU_SOURCE -Iagent -Iinclude $(INCLUDES) \
		-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES) 2>/dev/null'

everything: all $(UNITS) $(TEST_PLUGINS) $(PRELOADS) $(HELPERS) $(BENCHES)

format: ## let clang-format rewrite the sources
	clang-format -i $(C_FILES)

##@ Install

# The files of /etc are the user's: they are not overwritten, and stay when pindrop goes.
CONFIG := $(DESTDIR)$(SYSCONFDIR)/pindrop/pindrop.lua

install: all ## to DESTDIR, PREFIX=/usr/local: program, plugins, header, systemd unit, /etc/pindrop/pindrop.lua
	install -D -m 755 $(BUILD)/pindrop $(DESTDIR)$(PREFIX)/bin/pindrop
	install -d $(DESTDIR)$(PLUGIN_DIR)
	install -m 755 $(PLUGINS) $(BUILD)/pindrop-top $(DESTDIR)$(PLUGIN_DIR)
	install -d $(DESTDIR)$(COLLECTOR_DIR)
	install -m 644 scripts/collectors/*.lua $(DESTDIR)$(COLLECTOR_DIR)
	install -D -m 644 include/pindrop/plugin.h $(DESTDIR)$(PREFIX)/include/pindrop/plugin.h
	install -D -m 644 scripts/pindrop-meta.lua $(DESTDIR)$(PREFIX)/share/pindrop/pindrop-meta.lua
	install -d $(DESTDIR)$(UNITDIR) $(dir $(CONFIG))
	sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' scripts/pindrop.service \
		>$(DESTDIR)$(UNITDIR)/pindrop.service
	chmod 644 $(DESTDIR)$(UNITDIR)/pindrop.service
	@if [ -e $(CONFIG) ]; then \
		echo "$(CONFIG) is yours and stays as it is"; \
	else \
		echo "sed … pindrop.lua >$(CONFIG)"; \
		sed 's|data_dir = "data"|data_dir = "$(STATEDIR)"|' pindrop.lua >$(CONFIG) && chmod 644 $(CONFIG); \
	fi

uninstall: ## remove what install put there; leaves /etc/pindrop and the history
	rm -f $(DESTDIR)$(PREFIX)/bin/pindrop $(DESTDIR)$(PREFIX)/include/pindrop/plugin.h
	rm -f $(DESTDIR)$(PREFIX)/share/pindrop/pindrop-meta.lua
	rm -f $(DESTDIR)$(UNITDIR)/pindrop.service
	rm -f $(DESTDIR)$(PLUGIN_DIR)/pindrop-top
	rm -f $(patsubst plugins/%.c,$(DESTDIR)$(PLUGIN_DIR)/%.so,$(wildcard plugins/*.c))
	rm -f $(patsubst scripts/collectors/%,$(DESTDIR)$(COLLECTOR_DIR)/%,$(wildcard scripts/collectors/*.lua))
	-rmdir $(DESTDIR)$(PLUGIN_DIR) $(DESTDIR)$(PREFIX)/include/pindrop $(DESTDIR)$(COLLECTOR_DIR) \
		$(DESTDIR)$(PREFIX)/share/pindrop 2>/dev/null
	@echo "left alone: $(CONFIG) and the history in $(STATEDIR)"

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: run meta unit test sanitize soak fuzz fuzz-keep bench lint lint-includes lint-format lint-shell lint-lua \
        lint-cppcheck lint-compile lint-tidy everything format install uninstall clean help
# Objects of tests are kept: they are not "intermediate".
.SECONDARY:
