# The commands of this repository: `make help` lists the main ones. They need GNU make 3.81 or newer, on Linux, macOS, or
# Windows with a POSIX shell. Each target installs the Rust targets and components that it needs through rustup, and does not
# call rustup if everything is installed.

CARGO ?= cargo
PYTHON ?= python3
# This path is absolute, because tests get the directories of the guests and run in the directory of their package.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
HARNESS := $(TARGET)/debug/wasm-tests$(EXE)
WASI := wasm32-wasip1 wasm32-wasip2
THREADS := wasm32-wasip1-threads
MEMORY := wasm32-unknown-unknown
WINDOWS := x86_64-pc-windows-gnu
# The directories of guests that import the functions of a host that maps files. They are separate, because cargo would rebuild
# everything for another feature.
HOSTED := $(TARGET)/hosted/wasm32-wasip1
WASIP2_HOSTED := $(TARGET)/hosted/wasm32-wasip2
WITH_HOST := --features host-mapping --target-dir "$(TARGET)/hosted"
# The version of a release has three numbers. `rust-version` in Cargo.toml has the first two.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml).0

# The file for `make demo`. The default is the program of the harness: about 80 MB of machine code and text.
FILE ?= $(HARNESS)

# Only one cargo build runs at a time. Parallel builds would wait for each other's locks, and the build of wasmtime alone keeps
# a small machine busy.
.NOTPARALLEL:
.DEFAULT_GOAL := help

# $(call ensure,TEST,COMMAND): runs `rustup COMMAND` unless TEST succeeds.
define ensure
@( $(1) ) >/dev/null 2>&1 || { \
	command -v rustup >/dev/null || \
		{ echo 'This needs `rustup $(2)`, and there is no rustup here: see https://rustup.rs' >&2; exit 1; }; \
	echo '== rustup $(2)'; rustup $(2); }
endef

.PHONY: help
help:
	@echo 'usage: make TARGET'
	@awk -F ':.*## ' '/^# --- .* ---$$/ { title = $$0; gsub(/^# --- | ---$$/, "", title) } \
		/^[a-z-]+:.*## / { if (title) print "\n" title; title = ""; printf "  %-18s  %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

# --- The main commands: demo, test and compare ---

# Runs one example on a file of this repository if the harness is not built yet. A new user sees this result within the first
# minute.
FIRST := Cargo.lock
.PHONY: demo-first
demo-first: rust
	@test -f "$(HARNESS)" || { \
		echo '== a first result: grep maps $(FIRST) and searches it, on this machine' && \
		$(CARGO) build --release -p portable-mmap --example grep && \
		"$(TARGET)/release/examples/grep" 'name = "mem' $(FIRST) && \
		$(MAKE) --no-print-directory demo-node && \
		echo '== next: the examples, then wasmtime, which is built once, and then the examples in sandboxes'; }

.PHONY: demo-node
demo-node: wasi
	@if command -v node >/dev/null; then \
		echo '== the same program for wasm32-wasip1, with the emulation, in Node: it prints the same' && \
		$(with_vectors) --release -p portable-mmap --example grep --target wasm32-wasip1 && \
		node wasm-tests/hosts/node-wasi.mjs --dir .::/ "$(VECTORS)/wasm32-wasip1/release/examples/grep.wasm" \
			'name = "mem' /$(FIRST); \
	else echo 'NOT RUN in Node: there is no node here'; fi

.PHONY: demo
demo: demo-first examples harness ## runs three programs on a file, natively and in wasmtime [FILE=path]
	@echo '== hello, grep and replace, natively and in wasmtime, on $(FILE)'
	@"$(HARNESS)" demo --file "$(FILE)" --native-dir "$(TARGET)/release/examples" \
		--wasip1-dir "$(VECTORS)/wasm32-wasip1/release/examples" \
		--wasip2-dir "$(VECTORS)/wasm32-wasip2/release/examples"

SUITE = "$(HARNESS)" suite --native "$(TARGET)/debug/suite$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/suite.wasm" \
	--wasip2 "$(TARGET)/wasm32-wasip2/debug/suite.wasm" --wasip2-hosted "$(WASIP2_HOSTED)/debug/suite.wasm"

.PHONY: test
test: test-native test-release test-threads test-memory guests harness test-wasi test-harness ## runs all tests, and the suite in six columns
	@echo '== the suite, in six columns'
	@$(SUITE)
	@echo '== 60 kills: `make crash` has more'
	@$(CRASH) --kills 60
	@echo '== 100 power failures: `make power` has more'
	@$(POWER) --points 100

# The harness builds what each column needs. It ignores a number in COLUMNS, because some shells export the width of the
# terminal there.
.PHONY: compare
compare: wasi harness ## compares all targets that can run here [COLUMNS='ci'] [FILTER=text]
	@CARGO='$(CARGO)' CHROMIUM='$(CHROMIUM)' "$(HARNESS)" compare --columns '$(COLUMNS)' --filter '$(FILTER)' --target-dir "$(TARGET)"

# --- More for the comparison ---

# The report must be that of a comparison of all columns.
.PHONY: hosts
hosts: ## writes docs/hosts.md from the report of the last `make compare`
	@"$(HARNESS)" hosts "$(TARGET)/compare/report.json" >"$(TARGET)/compare/hosts.md"
	@cp "$(TARGET)/compare/hosts.md" docs/hosts.md

# Each host has a fixed version and its own directory. wasmtime's Python package has had all functions that the harness calls
# since the oldest of these versions.
TOOLS := $(TARGET)/compare-tools
OLDEST := 0.30.0
NEWEST := 50.0.1
.PHONY: compare-wasmtimes
compare-wasmtimes: ## installs the oldest and the newest wasmtime of PyPI, in seconds
	@echo '== wasmtime $(OLDEST) and $(NEWEST) for Python'
	@mkdir -p "$(TOOLS)"
	@for host in oldest=$(OLDEST) newest=$(NEWEST); do venv="$(TOOLS)/wasmtime-$${host%%=*}"; \
		$(PYTHON) -m venv "$$venv" && "$$venv/bin/pip" install --quiet --disable-pip-version-check \
			"wasmtime==$${host#*=}" || exit 1; done

# wasm-tests/hosts/package.json has the versions of the hosts of npm.
.PHONY: compare-hosts
compare-hosts: compare-wasmtimes rust ## installs both wasmtimes, and the WASI hosts of npm
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(THREADS))",target add $(THREADS))
	@echo '== Deno, Bun, jco, and a host for browsers'
	@cp wasm-tests/hosts/package.json "$(TOOLS)/package.json"
	@cd "$(TOOLS)" && npm install --no-audit --no-fund --no-package-lock --loglevel=error

# The targets of Rust and the Debian packages for other processors, another system and a browser. The other columns need only
# Rust, Node and other hosts.
CROSS := x86_64-unknown-linux-musl aarch64-unknown-linux-gnu s390x-unknown-linux-gnu i686-unknown-linux-gnu $(WINDOWS)
CROSS_PACKAGES := qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross \
	gcc-i686-linux-gnu libc6-dev-i386-cross gcc-mingw-w64-x86-64 wine64 chromium
.PHONY: compare-tools
compare-tools: compare-hosts ## installs all other hosts, emulators and a browser, on Debian
	@echo '== wasmi, a host of WASI'
	@$(CARGO) build --release --quiet --locked --manifest-path wasm-tests/hosts/wasmi/Cargo.toml --target-dir "$(TOOLS)/wasmi"
	@command -v apt-get >/dev/null || { echo 'These are Debian packages: $(CROSS_PACKAGES)' >&2; exit 1; }
	$(call ensure,for target in $(CROSS); do test -d "$$(rustc --print target-libdir --target $$target)" || exit 1; done,target add $(CROSS))
	@sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
		$$sudo apt-get update && $$sudo apt-get install --yes --no-install-recommends $(CROSS_PACKAGES)

# --- Parts of the tests, and the page in a browser ---

# Programs for WASI that use 128-bit vectors, like the native programs. They have their own target directory, because cargo
# would rebuild everything for other flags.
VECTORS := $(TARGET)/simd128
with_vectors = CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS='-C target-feature=+simd128' \
	CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS='-C target-feature=+simd128' $(CARGO) build --target-dir "$(VECTORS)"

.PHONY: examples
examples: wasi
	@echo '== the examples, for this machine and for WASI'
	@$(CARGO) build --release -p portable-mmap --examples
	@for target in $(WASI); do \
		$(with_vectors) --release -p portable-mmap --examples --target $$target || exit 1; done

.PHONY: harness
harness: rust ## builds the test harness
	@if test -f "$(HARNESS)"; then echo '== the harness'; \
	else echo '== the harness: the first build, with wasmtime, takes 5 to 20 minutes'; fi
	@$(CARGO) build -p wasm-tests

# The programs that the harness runs: the suite, and those that its own tests need.
.PHONY: guests
guests: wasi
	@echo '== the programs of the suite, for this machine and for WASI'
	@$(CARGO) build -p native-tests --bins
	@for target in $(WASI); do $(CARGO) build -p native-tests --bins --target $$target || exit 1; done
	@$(CARGO) build -p native-tests --bin hosted --bin image $(WITH_HOST) --target wasm32-wasip1
	@$(CARGO) build -p native-tests --bin hosted --bin suite --bin hostile $(WITH_HOST) --target wasm32-wasip2

.PHONY: test-native
test-native: rust
	@echo '== unit tests, the native suite, the examples and the documentation'
	@$(CARGO) test

# An optimising compiler can remove a store that changes no byte. So this test also runs in an optimised build.
.PHONY: test-release
test-release: rust
	@echo '== pages that are made dirty again, in an optimised build'
	@$(CARGO) test --release -p native-tests --test rejected_calls -- failed_sync

# The unit tests, with a usize of 32 bits, and the examples of the documentation. The cases of the suite run in the guest
# programs.
.PHONY: test-wasi
test-wasi: wasi harness
	@echo '== unit tests and the documentation in wasmtime'
	@export CARGO_TARGET_WASM32_WASIP1_RUNNER='$(HARNESS) run --dir .' \
		CARGO_TARGET_WASM32_WASIP2_RUNNER='$(HARNESS) run --dir .'; \
		for target in $(WASI); do \
		$(CARGO) test -p portable-mmap --lib --target $$target && \
		$(CARGO) test -p portable-mmap --doc --target $$target || exit 1; done

NODE_20 := node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null

# The wasmtime of the harness runs no threads of guests. In Node each thread is a worker.
.PHONY: test-threads
test-threads: rust
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(THREADS))",target add $(THREADS))
	@echo '== threads that read one file, natively and in Node'
	@mkdir -p "$(TARGET)/threads"
	@$(CARGO) build -p native-tests --bin threaded
	@"$(TARGET)/debug/threaded$(EXE)" "$(TARGET)/threads"
	@$(CARGO) build -p native-tests --bin threaded --target $(THREADS)
	@if $(NODE_20); then \
		node --no-warnings wasm-tests/hosts/threads.mjs --dir "$(TARGET)/threads::/threads" \
			"$(TARGET)/$(THREADS)/debug/threaded.wasm" /threads; \
	else echo 'NOT RUN: threads on WASI, which needs Node 20'; fi

# Cargo builds only the library, and rustc builds the example. Cargo would also build the dependencies of other examples, which
# takes ten times as long.
.PHONY: test-memory
test-memory: rust
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(MEMORY))",target add $(MEMORY))
	@echo '== memory and storages without an operating system, in Node'
	@$(CARGO) build -p portable-mmap --target $(MEMORY)
	@rustc --edition 2024 --crate-type cdylib --target $(MEMORY) -o "$(TARGET)/$(MEMORY)/debug/memory.wasm" \
		--extern "portable_mmap=$(TARGET)/$(MEMORY)/debug/libportable_mmap.rlib" \
		-L "dependency=$(TARGET)/$(MEMORY)/debug/deps" examples/memory.rs
	@if $(NODE_20); then node wasm-tests/node-memory.mjs "$(TARGET)/$(MEMORY)/debug/memory.wasm"; \
	else echo 'NOT RUN: the module for $(MEMORY), which needs Node 20'; fi

.PHONY: test-harness
test-harness: guests harness
	@echo '== the tests of the harness, and of the host that places mappings in guests'
	@GUESTS_NATIVE='$(TARGET)/debug' GUESTS_WASIP1='$(TARGET)/wasm32-wasip1/debug' \
		GUESTS_WASIP2='$(TARGET)/wasm32-wasip2/debug' GUESTS_HOSTED='$(HOSTED)/debug' \
		GUESTS_WASIP2_HOSTED='$(WASIP2_HOSTED)/debug' \
		$(CARGO) test -p wasm-tests -p portable-mmap-wasmtime

# Packages from npm, each in a fixed release. The repository does not contain them.
NODE_PACKAGES := $(TARGET)/node
# $(call npm,PACKAGE,VERSION): installs a package there with npm, unless it is installed.
define npm
@test "$$(node -p 'require("$(NODE_PACKAGES)/node_modules/$(1)/package.json").version' 2>/dev/null)" = '$(2)' || { \
	$(NODE_20) || { echo 'This needs Node 20 or newer: see https://nodejs.org' >&2; exit 1; }; \
	npm install --silent --no-audit --no-fund --prefix "$(NODE_PACKAGES)" '$(1)@$(2)'; }
endef

.PHONY: action-tools test-action
action-tools:
	$(call npm,yaml,2.9.1)

test-action: action-tools wasi harness ## runs the steps of the GitHub Action here, for a crate of its own
	@echo '== the action'
	@NODE_PACKAGES='$(NODE_PACKAGES)' node --test action/test.mjs

# The page of demo/ with all files that it needs. Any server can serve them, on loopback or elsewhere.
SITE := $(TARGET)/demo
SHIM := node_modules/@bjorn3/browser_wasi_shim
# `make compare` runs the suite in the same release.
SHIM_VERSION := $(shell sed -n 's/.*browser_wasi_shim": "\(.*\)".*/\1/p' wasm-tests/hosts/package.json)
PORT ?= 8080
.PHONY: demo-site
demo-site: wasi
	$(call npm,@bjorn3/browser_wasi_shim,$(SHIM_VERSION))
	@$(with_vectors) --release -p portable-mmap --example grep --example replace --target wasm32-wasip1
	@rm -rf "$(SITE)" && mkdir -p "$(SITE)/shim" "$(SITE)/programs"
	@cp demo/*.html demo/*.css demo/*.js "$(SITE)"
	@cp "$(NODE_PACKAGES)/$(SHIM)"/dist/*.js "$(NODE_PACKAGES)/$(SHIM)"/LICENSE-* "$(SITE)/shim"
	@for program in grep replace; do cp "$(VECTORS)/wasm32-wasip1/release/examples/$$program.wasm" "$(SITE)/programs"; done

.PHONY: demo-browser
demo-browser: demo-site ## serves a page that runs grep and replace on a file of yours [PORT=8080]
	@node demo/serve.mjs "$(SITE)" '$(PORT)'

CHROMIUM ?= chromium
.PHONY: test-browser
test-browser: demo-site ## tests that page and the page of `make compare`, in Chromium
	@command -v '$(CHROMIUM)' >/dev/null || \
		{ echo 'This needs Chromium: `apt-get install chromium` on Debian, or CHROMIUM=PROGRAM' >&2; exit 1; }
	@$(CARGO) build --release -p portable-mmap --example grep --example replace
	@mkdir -p "$(TARGET)/screenshots"
	@CHROMIUM='$(CHROMIUM)' SITE='$(SITE)' NATIVE='$(TARGET)/release/examples' SCREENSHOTS='$(TARGET)/screenshots' \
		node --test --test-concurrency=1 demo/test.mjs wasm-tests/page.test.mjs

# --- Checks ---

.PHONY: check
check: format lint lint-facade check-targets doc api-check types-check msrv deny ## checks formatting, lints, documentation, interface, oldest Rust and licences

.PHONY: format
format: rust
	$(call ensure,$(CARGO) fmt --version,component add rustfmt)
	@echo '== formatting'
	@$(CARGO) fmt --all --check
	@for place in fuzz wasm-tests/hosts/wasmi; do $(CARGO) fmt --manifest-path $$place/Cargo.toml --check || exit 1; done

# For this machine, clippy checks the whole workspace and the fuzz targets. For Windows and WASI it checks the packages that are
# compiled for them. The tests of native-tests drive native columns, so they are not compiled for WASI. Clippy does not link, so
# the fuzz targets do not need libFuzzer, which is C++.
.PHONY: lint
lint: wasi
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(WINDOWS))",target add $(WINDOWS))
	@echo '== lints, on this machine'
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@CUSTOM_LIBFUZZER_PATH=not/linked $(CARGO) clippy $(FUZZ) --all-targets -- -D warnings
	@echo '== lints, on Windows'
	@$(CARGO) clippy -p portable-mmap -p native-tests --all-targets --target $(WINDOWS) -- -D warnings
	@echo '== lints, on WASI'
	@for target in $(WASI); do \
		$(CARGO) clippy -p portable-mmap --all-targets --target $$target -- -D warnings && \
		$(CARGO) clippy -p native-tests --lib --bins --target $$target -- -D warnings || exit 1; done
	@for target in $(WASI); do \
		$(CARGO) clippy -p portable-mmap -p native-tests --lib --bins $(WITH_HOST) --target $$target -- -D warnings || exit 1; done

.PHONY: lint-facade
lint-facade: lint
	@echo '== lints and formatting of the façade, of its programs, and of the tests that it must pass'
	@cd compat && $(CARGO) fmt --check && cd consumers && $(CARGO) fmt --check
	@$(CARGO) clippy $(COMPAT) --workspace --exclude portable-mmap-emulation --all-targets --no-deps -- -D warnings
	@$(CARGO) clippy $(PUBLISHED) --all-targets --no-deps -- -D warnings
	@RUSTFLAGS='--cfg memmap2_emulated' \
		$(CARGO) clippy $(COMPAT)/emulated $(FACADE) --all-targets --no-deps -- -D warnings
	@for target in $(WINDOWS) $(WASI); do \
		$(CARGO) clippy $(COMPAT) $(FACADE) --all-targets --target $$target --no-deps -- -D warnings || exit 1; done
	@for target in $(WASI); do RUSTFLAGS='--cfg memmap2_host_mapping' \
		$(CARGO) clippy $(COMPAT)/hosted $(FACADE) --all-targets --target $$target --no-deps -- -D warnings || exit 1; done

# Targets that `lint` does not check. A target without a std from rustup is not checked here either.
SUPPORTED := x86_64-unknown-linux-musl armv7-unknown-linux-gnueabihf aarch64-linux-android aarch64-apple-darwin \
	aarch64-apple-ios x86_64-unknown-freebsd x86_64-unknown-netbsd x86_64-unknown-openbsd x86_64-unknown-dragonfly \
	$(THREADS) $(MEMORY)
UNSUPPORTED := wasm32-unknown-emscripten wasm32-wasip3 x86_64-unknown-illumos x86_64-unknown-redox x86_64-unknown-fuchsia \
	x86_64-fortanix-unknown-sgx
# The targets that src/lib.rs names, and those of the tables in Cargo.toml in the same form.
NAMED = sed -n '/if \#\[cfg(any($$/,/^    ))/p' src/lib.rs | tr -d ' \n' | sed 's/,)/)/g; s/^if\#.cfg(any(//; s/))[^)]*$$//'
TABLES = sed -n "s/^\[target\.'cfg(\(.*\))'\.dependencies\]/\1/p" Cargo.toml | tr -d ' ' | tr '\n' ','
# $(call on,TARGETS,COMMAND): runs COMMAND for each target, which it can use as $$target.
define on
@for target in $(1); do \
	test -d "$$(rustc --print target-libdir --target $$target 2>/dev/null)" || rustup target add $$target >/dev/null 2>&1 || \
		{ echo "NOT CHECKED: $$target, which rustup has no std for"; continue; }; \
	echo "$$target"; \
	$(2); done
endef

.PHONY: check-targets
check-targets: rust ## checks that the library compiles on each target, or fails with one clear error
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	@echo '== the targets of src/lib.rs and those of Cargo.toml'
	@named=$$($(NAMED)); tables=$$($(TABLES)); test "$$named" = "$${tables}all(target_arch=\"wasm32\",target_os=\"unknown\")" || \
		{ printf 'they differ:\n%s\n%s\n' "$$named" "$$tables" >&2; exit 1; }
	@echo '== the library, on targets that it supports'
	$(call on,$(SUPPORTED),$(CARGO) clippy -q -p portable-mmap --target $$target -- -D warnings || exit 1)
	@echo '== the library, on other targets: one error'
	$(call on,$(UNSUPPORTED),log=$$($(CARGO) check -q -p portable-mmap --target $$target --message-format short 2>&1); \
		test "$$(echo "$$log" | sed '/^error: could not compile/d; s/.*: error: \(.* target\)\..*/\1/')" = \
			'portable-mmap does not support this target' || { echo "$$log" >&2; exit 1; })

.PHONY: doc
doc: rust ## builds the documentation, and fails on a warning
	@echo '== documentation'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc -p portable-mmap -p portable-mmap-wasmtime -p native-tests --no-deps

# The interface of the library, with one item on each line. It is that of one target, so that the file is the same on every
# machine. It is read from the JSON of rustdoc. Only nightly Rust writes this JSON, and each release has its own format.
API := x86_64-unknown-linux-gnu
INTERFACE := "$(TARGET)/api/public-api.txt"
.PHONY: interface api-check api-keep
interface: rust
	$(call ensure,test -d "$$(rustup run nightly rustc --print target-libdir --target $(API))",target add $(API) --toolchain nightly)
	@rustup run nightly cargo rustdoc --quiet -p portable-mmap --lib --target $(API) --target-dir "$(TARGET)/api" -- \
		-Zunstable-options --output-format=json --cap-lints=allow
	@$(CARGO) build $(COMPAT) --quiet -p api
	@"$(TARGET)/compat/debug/api$(EXE)" "$(TARGET)/api/$(API)/doc/portable_mmap.json" >$(INTERFACE) || rm $(INTERFACE)

api-check: rust ## compares the interface of the library with docs/public-api.txt
	@echo '== the interface of the library'
	@if ! rustup run nightly rustc --version >/dev/null 2>&1; then \
		echo 'NOT CHECKED: `rustup toolchain install nightly` makes this check possible'; \
	elif ! $(MAKE) --no-print-directory interface; then exit 1; \
	elif ! test -f $(INTERFACE); then \
		echo 'NOT CHECKED: another nightly, or another public-api in compat/api, makes this check possible'; \
	else diff -u docs/public-api.txt $(INTERFACE) || \
		{ echo '`make api-keep` accepts these changes; describe them in CHANGELOG.md' >&2; exit 1; }; fi

api-keep: interface ## writes the interface of the library to docs/public-api.txt
	@cp $(INTERFACE) docs/public-api.txt

# The types that a component for wasm32-wasip2 embeds, because it imports the functions of the host. wit-component writes them
# from the text of the interface. A test of the host's crate checks that this text matches the host.
WIT := portable-mmap-wasmtime/wit/host.wit
EMBEDDED := src/region/host/component-type.bin
.PHONY: types-check types-keep
types-check: rust ## compares the types that components embed with the interface of the host
	@echo '== the types of the host for components'
	@$(CARGO) run $(COMPAT) --quiet -p component-type -- $(WIT) guest "$(TARGET)/compat/component-type.bin"
	@cmp $(EMBEDDED) "$(TARGET)/compat/component-type.bin" || { echo '`make types-keep` updates them' >&2; exit 1; }

types-keep: rust ## writes the types that components embed from the interface of the host
	@$(CARGO) run $(COMPAT) --quiet -p component-type -- $(WIT) guest $(EMBEDDED)

# Checks the host for systems where it maps nothing or is not run. wasmtime contains some C code. A check does not need it, so
# `true` replaces the C compiler. This takes some minutes.
.PHONY: check-host-targets
check-host-targets: rust ## checks the host crate for macOS and Windows, without a C compiler for them
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	$(call on,aarch64-apple-darwin $(WINDOWS),name=$$(echo "$$target" | tr - _); export "CC_$$name=true" "AR_$$name=true"; \
		$(CARGO) clippy -q -p portable-mmap-wasmtime --target $$target -- -D warnings || exit 1)

# Before a release: see docs/releasing.md.
RELEASE = $(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)
.PHONY: semver
semver: rust ## compares the interface with that of the last release, by semantic versioning
	@if test -z '$(RELEASE)'; then echo 'NOTHING TO COMPARE: no tag of a release (v1.2.3) is here'; \
	elif ! $(CARGO) semver-checks --version >/dev/null 2>&1; then \
		echo 'This needs `cargo install --locked cargo-semver-checks`' >&2; exit 1; \
	else $(CARGO) semver-checks -p portable-mmap --baseline-rev '$(RELEASE)'; fi

# Only the library is checked. The harness needs a newer Rust, because wasmtime does.
.PHONY: msrv
msrv: rust
	$(call ensure,rustup run $(MSRV) rustc --version,toolchain install $(MSRV) --profile minimal --no-self-update)
	@echo '== Rust $(MSRV), the oldest that the library supports'
	@rustup run $(MSRV) cargo check -p portable-mmap

# Advisories are not checked, because their database cannot be reached from every place.
.PHONY: deny
deny: rust
	@echo '== licences, bans and sources of all dependencies'
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		for place in . compat; do \
			$(CARGO) deny --workspace --manifest-path $$place/Cargo.toml --config $$place/deny.toml \
				check bans licenses sources || exit 1; done; \
		cd compat/consumers/wasi && $(CARGO) deny --config ../../deny.toml check bans licenses sources; \
	else echo 'NOT CHECKED: `cargo install --locked cargo-deny` makes this check possible'; fi

# --- The search for defects ---

NIGHTLY := rustup run nightly cargo
# $(call nightly,TEST,COMPONENTS): installs nightly Rust with its sources, from which Miri and the sanitizers build std.
nightly = $(call ensure,$(1) && test -d "$$(rustup run nightly rustc --print sysroot)/lib/rustlib/src/rust",toolchain install nightly --profile minimal --no-self-update --component rust-src $(2))

# Miri runs every case that is not large, over the emulation, and over OS mappings, which are memory of the allocator there. It
# runs them under both models of what a reference may be used for, because each finds errors that the other does not. It also
# runs the tests of buffers behind a pointer, and of the façade over such buffers the tests of memory without a file and of
# references. Miri cannot tell for what a file was opened, so the façade treats a file as open for reading and writing there.
# An address that is made from a number is an error under both models. The unit tests of the search, of errors, of slice
# notation and of unsynced runs are skipped: they would take minutes, and that code has no unsafe code.
.PHONY: miri miri-stacked miri-tree
miri: miri-stacked miri-tree ## looks for undefined behaviour in the emulation with Miri, on nightly Rust

miri-tree: MODEL = -Zmiri-tree-borrows
miri-stacked miri-tree: rust
	$(call nightly,$(NIGHTLY) miri --version,--component miri)
	@echo '== Miri: $(@:miri-%=%) borrows'
	@flags='-Zmiri-disable-isolation -Zmiri-strict-provenance $(MODEL)'; export RUST_BACKTRACE=0; \
		MIRIFLAGS="$$flags" $(NIGHTLY) miri test -p portable-mmap --lib -- --skip search:: --skip error:: --skip notation:: --skip unsynced:: && \
		MIRIFLAGS="$$flags" $(NIGHTLY) miri test -p native-tests --test miri --test raw --test private_memory && \
		MIRIFLAGS="$$flags" RUSTFLAGS='--cfg memmap2_emulated' \
			$(NIGHTLY) miri test $(ONLY_FACADE)/miri --test anonymous --test references && \
		MIRIFLAGS="$$flags -Zmiri-many-seeds=0..16" $(NIGHTLY) miri test -p native-tests --test threads

# The build has its own directory, because cargo would rebuild everything for the flag. Only tests whose names contain `loom`
# are models. The others create atomics and locks outside of a model, which loom does not allow. The build is optimised, because
# a model runs in many orders.
.PHONY: loom
loom: rust ## runs the loom models of threads and signal handlers, in every order of steps
	@echo '== loom: every interleaving of the models'
	@RUSTFLAGS='--cfg loom' $(CARGO) test -p portable-mmap --lib --release --target-dir "$(TARGET)/loom" -- loom

# The sanitizers check OS mappings and real files, which Miri cannot check. They find accesses outside of mapped or allocated
# memory, and data races. std is rebuilt, so that they check it too. The guard and Rust handle signals, not the sanitizers. The
# tests run one after the other: ThreadSanitizer does not see the calls of rustix, and so does not know that one test unmapped
# an address before the next test mapped it. It checks the threads within a test.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
.PHONY: sanitize
sanitize: rust ## runs the native tests under two sanitizers, on nightly Rust
	$(call nightly,$(NIGHTLY) --version,)
	@export SANITIZED=1 ASAN_OPTIONS=handle_segv=0:handle_sigbus=0 TSAN_OPTIONS=handle_segv=0:handle_sigbus=0; \
		for sanitizer in address thread; do \
		echo "== $$sanitizer sanitizer"; \
		run="$(NIGHTLY) test -Zbuild-std --target $(HOST)"; \
		export RUSTFLAGS="-Zsanitizer=$$sanitizer" CARGO_TARGET_DIR="$(TARGET)/sanitize/$$sanitizer"; \
		$$run -p portable-mmap --lib && $$run -p native-tests --tests -- --test-threads=1 || exit 1; done

# The targets run at the same time, each for TIME seconds. The inputs that they find are kept. ONLY=NAME runs one target.
FUZZ := --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET)/fuzz"
FUZZ_TARGETS := script notation search
CARGO_FUZZ := 0.13.2
TIME ?= 60

.PHONY: fuzz
fuzz: rust ## looks for inputs that break the library [TIME=s] [ONLY=script|notation|search]
	$(call ensure,$(NIGHTLY) --version,toolchain install nightly --profile minimal --no-self-update)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo '== cargo install cargo-fuzz'; \
		$(CARGO) install --quiet --locked cargo-fuzz --version $(CARGO_FUZZ); }
	@echo '== the fuzz targets'
	@$(NIGHTLY) fuzz build --target-dir "$(TARGET)/fuzz"
	@fuzz/run "$(TARGET)" '$(TIME)' $(or $(ONLY),$(FUZZ_TARGETS))

# The harness is selected too, so that cargo builds wasmtime once for both packages. AGAIN=SEED runs one program again and
# prints its steps.
.PHONY: hostile
hostile: rust ## runs random hostile guests against the host crate [TIME=s] [AGAIN=seed]
	@$(CARGO) test -p wasm-tests -p portable-mmap-wasmtime --test hostile -- \
		$(if $(AGAIN),--seed '$(AGAIN)',--time '$(TIME)')

# The copy is in target/mutants, and is built there. Only the tests of the host are built in the target directory of the
# harness, because they use its dependencies. ONLY=TEXT selects the mutants whose names contain the text, SKIP=TEXT the others.
.PHONY: mutants
mutants: guests harness ## breaks the library in many ways; the tests must notice [ONLY=text] [SKIP=text]
	@echo '== the suite over libraries that are broken'
	@"$(HARNESS)" mutants --native "$(TARGET)/debug/suite$(EXE)" --scratch "$(TARGET)/mutants" --target-dir "$(TARGET)" \
		--only '$(ONLY)' --skip '$(SKIP)'

# The kills are divided among six columns. SEED is the seed of the first script of each column, and the next kill uses the next
# seed.
KILLS ?= 1000
SEED ?= 1
CRASH = "$(HARNESS)" crash --native "$(TARGET)/debug/crash$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/crash.wasm" \
	--wasip2 "$(TARGET)/wasm32-wasip2/debug/crash.wasm" --seed '$(SEED)'

.PHONY: crash
crash: guests harness ## kills programs while they edit a file [KILLS=1000] [SEED=1]
	@echo '== $(KILLS) kills'
	@$(CRASH) --kills '$(KILLS)'

# The points are divided among four columns, and each control has as many as its column. The controls are made in the copy of
# the mutants.
POINTS ?= 1000
POWER = "$(HARNESS)" power --native "$(TARGET)/debug/power$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/power.wasm" \
	--wasip2 "$(TARGET)/wasm32-wasip2/debug/power.wasm" --seed '$(SEED)'

.PHONY: power
power: guests harness ## simulates power failures while programs edit a file [POINTS=1000] [SEED=1]
	@echo '== $(POINTS) power failures, and libraries that do not sync'
	@$(POWER) --points '$(POINTS)' --controls "$(TARGET)/mutants"

# Each call of an act on a mapping fails in two runs. In one run the mapping is read after the failure. In the other run it is
# not accessed before the act runs again.
.PHONY: faults
faults: guests harness ## counts the storage calls that the suite makes fail one by one
	@log="$(TARGET)/faults.log"; $(SUITE) --filter faults/ --show >"$$log" || { cat "$$log" >&2; exit 1; }; \
		awk '/^TRANSCRIPT / { column = $$0; sub(/.*, /, "", column) } \
			/ calls failed = / { acts[column]++; calls[column] += $$NF; most = most < $$NF ? $$NF : most } \
			END { for (c in acts) print c, acts[c] " acts, " calls[c] " failing calls"; print "most in one act: " most }' \
			"$$log" | sort

# --- Benchmarks ---

# Times vary from run to run, so the two times of a ratio are measured in turns. The table is not a test. MEASURED has the
# program of the workloads, and two small programs whose sizes are compared.
BENCH := $(TARGET)/bench
MEASURED := --release -p native-tests --bin bench --bin maps --bin reads
# A C compiler for WASI. Debian's packages clang, lld, wasi-libc and libclang-rt-dev-wasm32 provide one, and so does wasi-sdk.
WASI_CC ?= clang
# Benchmarks need an optimised host, like that of a user. Calls into the host of the tests, which is not optimised, take several
# times as long. This build has its own target directory, because other packages need shared dependencies with other features,
# and cargo would rebuild them.
RELEASED := $(TARGET)/bench-host/release/wasm-tests$(EXE)
.PHONY: released-harness
released-harness: rust
	@echo '== the harness, optimised: the first build takes 5 to 20 minutes'
	@$(CARGO) build --release -p wasm-tests --target-dir "$(TARGET)/bench-host"

# The Rust files from which the text for the workloads is made: those of the dependencies that cargo has fetched.
SOURCES ?= $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
# $(call sizes,DIR): the option for the two small programs in DIR.
sizes = --size "$(1)/maps.wasm" "$(1)/reads.wasm"

.PHONY: bench
bench: wasi released-harness ## measures workloads and jobs, and checks their goals; see target/bench/
	@$(CARGO) build $(MEASURED)
	@for target in $(WASI); do $(CARGO) build $(MEASURED) --target $$target || exit 1; done
	@$(with_vectors) $(MEASURED) --target wasm32-wasip1
	@echo '== the workloads, natively and in wasmtime'
	@"$(RELEASED)" bench --native "$(TARGET)/release/bench$(EXE)" --dir "$(BENCH)" --sources "$(SOURCES)" \
		--wasip1 "$(TARGET)/wasm32-wasip1/release/bench.wasm" --wasip2 "$(TARGET)/wasm32-wasip2/release/bench.wasm" \
		--simd "$(VECTORS)/wasm32-wasip1/release/bench.wasm" --python "$(PYTHON)" \
		--wasi-cc "$(WASI_CC)" $(BENCHFLAGS) \
		$(call sizes,$(TARGET)/wasm32-wasip1/release) $(call sizes,$(VECTORS)/wasm32-wasip1/release) \
		$(call sizes,$(TARGET)/wasm32-wasip2/release)

# The guests use 128-bit vectors, like the native programs.
PLACED := --release -p native-tests --bin placed
.PHONY: bench-hosted
bench-hosted: wasi released-harness ## measures hosted mappings, and the memory of 1 to 1,000 instances
	@$(CARGO) build $(PLACED)
	@$(with_vectors) $(PLACED) --target wasm32-wasip1
	@"$(RELEASED)" placed --native "$(TARGET)/release/placed$(EXE)" --dir "$(TARGET)/placed" \
		--guest "$(VECTORS)/wasm32-wasip1/release/placed.wasm"

# `make bench` measures ratios. This measures each way by itself, natively, with the error of its time. FILTER=... selects ways.
.PHONY: criterion
criterion: rust ## measures the workloads natively with Criterion [FILTER=text]
	@BENCH_DATA="$(BENCH)/data" $(CARGO) bench -p native-tests --features criterion --bench workloads -- $(FILTER)

# $(call quote,TABLE,FILE,WORDS): writes TABLE to FILE, in place of the table whose head begins with the two WORDS.
define quote
@awk 'FNR == NR { table = table $$0 "\n"; next } /^\| $(word 1,$(3)) \| $(word 2,$(3))/ { printf "%s", table; quoted = 1 } \
	!/^\|/ { quoted = 0 } !quoted' "$(BENCH)/$(1)" $(2) >"$(BENCH)/quoted.md"
@cp "$(BENCH)/quoted.md" $(2)
endef

.PHONY: keep
keep: ## copies the tables and plots of the last benchmarks to README.md and docs/
	@cp "$(BENCH)/growth.svg" docs/growth.svg
	@test ! -f "$(TARGET)/placed/fleets.svg" || cp "$(TARGET)/placed/fleets.svg" docs/fleets.svg
	$(call quote,machine.md,docs/performance.md,machine processors)
	$(call quote,table.md,docs/performance.md,work against)
	$(call quote,missed.md,docs/performance.md,missed against)
	$(call quote,jobs.md,docs/performance.md,job against)
	$(call quote,jobs-short.md,README.md,job the)
	$(call quote,jobs-details.md,docs/performance.md,job way)

# --- Other crates, and memmap2's interface on WASI ---

# The table shows the tests that differ. Cargo builds in target/crates.
.PHONY: crate
crate: wasi harness ## compares a published crate's tests, natively and on WASI: CRATE=NAME[@VERSION]
	@test -n '$(CRATE)' || { echo 'usage: make crate CRATE=NAME[@VERSION] [ARGS=...]' >&2; exit 2; }
	@"$(HARNESS)" crate --published '$(CRATE)' --target-dir "$(TARGET)/crates" $(ARGS)

# A separate workspace, because two packages in it are called memmap2: the façade, and the package of crates.io.
COMPAT := --manifest-path compat/Cargo.toml --target-dir "$(TARGET)/compat"
ONLY_FACADE := --manifest-path compat/memmap2/Cargo.toml --target-dir "$(TARGET)/compat"
FACADE := --workspace --exclude api --exclude component-type --exclude portable-mmap-emulation

.PHONY: facade-tests
facade-tests: wasi harness ## compares memmap2's own tests and the façade's [FILTER=text]
	@CARGO='$(CARGO)' "$(HARNESS)" compare --columns facade --filter '$(FILTER)' --target-dir "$(TARGET)"
	@echo '== closed files on Preview 1: with fat link-time optimisation, and with the close of libc'
	@export CARGO_TARGET_WASM32_WASIP1_RUNNER='$(HARNESS) run'; \
		$(CARGO) test $(ONLY_FACADE)/lto --release $(FAT_LTO) --target wasm32-wasip1 --test close --test outlive && \
		CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS='--cfg memmap2_libc_close' \
		$(CARGO) test $(ONLY_FACADE)/libc-close --target wasm32-wasip1 --test closed

FAT_LTO := --config 'profile.release.lto="fat"' --config 'profile.release.codegen-units=1'

# A project like that of a user of the façade. It is built without the façade first, and these programs are copied to another
# directory, because cargo gives the programs with the façade the same names. Both builds share a target directory, so that
# cargo builds crates that do not depend on memmap2 only once.
PROGRAMS := --locked --release --bins --target-dir "$(TARGET)/compat"
PUBLISHED := --manifest-path compat/consumers/Cargo.toml $(PROGRAMS)
CONSUMERS := grep hash geoip font set records array tensors objects columns
# A component requests mappings from its host only if it is built for such a host.
HOSTED_PROGRAMS := --locked --release --bins --target-dir "$(TARGET)/compat/hosted" --target wasm32-wasip2

.PHONY: consumers
consumers: wasi harness ## runs programs that map files with other crates, with and without the façade
	@echo '== the programs with the memmap2 of crates.io'
	@$(CARGO) build $(PUBLISHED)
	@for target in $(WASI); do $(CARGO) build $(PUBLISHED) --target $$target || exit 1; done
	@for dir in release $(WASI:%=%/release); do mkdir -p "$(TARGET)/unpatched/$$dir"; for program in prepare $(CONSUMERS); do \
		case $$dir in release) file=$$program$(EXE);; *) file=$$program.wasm;; esac; \
		cp "$(TARGET)/compat/$$dir/$$file" "$(TARGET)/unpatched/$$dir/$$file" || exit 1; done; done
	@echo '== the same for WASI with the façade, as its page describes'
	@cd compat/consumers/wasi && for target in $(WASI); do $(CARGO) build $(PROGRAMS) --target $$target || exit 1; done && \
		CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS='--cfg memmap2_host_mapping' $(CARGO) build $(HOSTED_PROGRAMS)
	@"$(HARNESS)" consumers --without "$(TARGET)/unpatched" --with "$(TARGET)/compat" \
		--hosted "$(TARGET)/compat/hosted" $(CONSUMERS)

# This compares the JSON of rustdoc. Only nightly Rust writes this JSON, and each release has its own format. The façade has the
# interface of the memmap2 in compat/Cargo.lock. std is rebuilt for WASI, because not every nightly release includes it.
MEMMAP2 := 0.9.12
.PHONY: api
api: rust ## compares the façade's interface with memmap2's
	$(call nightly,$(NIGHTLY) --version,)
	@echo '== the interface, item by item'
	@json='-Zunstable-options --output-format=json --cap-lints=allow'; \
	$(NIGHTLY) rustdoc $(COMPAT)/api -p memmap2@$(MEMMAP2) --lib -- $$json && \
	$(NIGHTLY) rustdoc -Zbuild-std=std,panic_abort $(ONLY_FACADE)/api --features stable_deref_trait \
		--target wasm32-wasip1 --lib -- $$json && \
	$(CARGO) run $(COMPAT) -q -p api -- "$(TARGET)/compat/api/doc/memmap2.json" \
		"$(TARGET)/compat/api/wasm32-wasip1/doc/memmap2.json"

# --- Set-up ---

.PHONY: clean
clean: ## removes everything that was built
	@$(CARGO) clean

.PHONY: rust
rust:
	$(call ensure,$(CARGO) --version,default stable)

.PHONY: wasi
wasi: rust
	$(call ensure,for target in $(WASI); do test -d "$$(rustc --print target-libdir --target $$target)" || exit 1; done,target add $(WASI))
