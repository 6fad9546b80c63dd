# The one door to everything: `make help` lists it. GNU make 3.81 and newer, on Linux, macOS, and Windows with a POSIX shell.
# Each target does its own set-up through rustup; where what it needs is there already, rustup is not called.

CARGO ?= cargo
PYTHON ?= python3
# Absolute, for the guests' directories are handed to tests that run in the directory of their package.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
HARNESS := $(TARGET)/debug/wasm-tests$(EXE)
WASI := wasm32-wasip1 wasm32-wasip2
THREADS := wasm32-wasip1-threads
MEMORY := wasm32-unknown-unknown
WINDOWS := x86_64-pc-windows-gnu
# The guest that imports the functions of a host that maps files, in a folder of its own: another feature would have everything
# built again.
HOSTED := $(TARGET)/hosted/wasm32-wasip1
WASIP2_HOSTED := $(TARGET)/hosted/wasm32-wasip2
WITH_HOST := --features host-mapping --target-dir "$(TARGET)/hosted"
# A release of 1.85 has three numbers; Cargo.toml needs two.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml).0

# What `make demo` works on: the harness's own program, some 50 MB of machine code and text.
FILE ?= $(HARNESS)

# One cargo build at a time: they would wait for each other's locks, and wasmtime alone fills a small machine.
.NOTPARALLEL:
.DEFAULT_GOAL := help

# $(call ensure,TEST,COMMAND): `rustup COMMAND`, unless the test succeeds as it is.
define ensure
@( $(1) ) >/dev/null 2>&1 || { \
	command -v rustup >/dev/null || \
		{ echo 'This needs `rustup $(2)`, and there is no rustup here: see https://rustup.rs' >&2; exit 1; }; \
	echo '== rustup $(2)'; rustup $(2); }
endef

.PHONY: help
help: ## lists the targets
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z-]*\):.*## /  \1	/p' $(firstword $(MAKEFILE_LIST))

# --- The three commands ---

# What a newcomer sees within the first minute, while the harness is not built yet: one example on a file of this repository.
FIRST := Cargo.lock
.PHONY: demo-first
demo-first: rust
	@test -f "$(HARNESS)" || { \
		echo '== a first result: grep maps $(FIRST) and searches it, on this machine' && \
		$(CARGO) build --release -p portable-mmap --example grep && \
		"$(TARGET)/release/examples/grep" 'name = "mem' $(FIRST) && \
		$(MAKE) --no-print-directory demo-node && \
		echo '== next: wasmtime, for the three sandboxes; it is built once, in 5 to 20 minutes'; }

.PHONY: demo-node
demo-node: wasi
	@if command -v node >/dev/null; then \
		echo '== the same program for wasm32-wasip1, in Node' && \
		$(with_vectors) --release -p portable-mmap --example grep --target wasm32-wasip1 && \
		node wasm-tests/hosts/node-wasi.mjs --dir .::/ "$(VECTORS)/wasm32-wasip1/release/examples/grep.wasm" \
			'name = "mem' /$(FIRST); \
	else echo 'NOT RUN in Node: there is no node here'; fi

.PHONY: demo
demo: demo-first examples harness ## runs the examples on a copy of a file, natively and in wasmtime, also with mappings of the host: make demo [FILE=...]
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

# The harness builds what each column needs. A shell that exports its width as COLUMNS demands nothing.
.PHONY: compare
compare: wasi harness ## compares all targets that can run here, and writes target/compare/: make compare [COLUMNS='ci'] [FILTER=...]
	@CARGO='$(CARGO)' CHROMIUM='$(CHROMIUM)' "$(HARNESS)" compare --columns '$(COLUMNS)' --filter '$(FILTER)' --target-dir "$(TARGET)"

# From the report of a comparison of all columns.
.PHONY: hosts
hosts: ## writes docs/hosts.md, a page about WASI hosts, from the report of the last `make compare`
	@"$(HARNESS)" hosts "$(TARGET)/compare/report.json" >"$(TARGET)/compare/hosts.md"
	@cp "$(TARGET)/compare/hosts.md" docs/hosts.md

# Each host of one version, in a directory of its own. Python's package of wasmtime has had the calls that are used since the
# oldest of these.
TOOLS := $(TARGET)/compare-tools
OLDEST := 0.30.0
NEWEST := 50.0.1
.PHONY: compare-wasmtimes
compare-wasmtimes: ## installs the oldest and the newest wasmtime of PyPI for `make compare`, in seconds
	@echo '== wasmtime $(OLDEST) and $(NEWEST) for Python'
	@mkdir -p "$(TOOLS)"
	@for host in oldest=$(OLDEST) newest=$(NEWEST); do venv="$(TOOLS)/wasmtime-$${host%%=*}"; \
		$(PYTHON) -m venv "$$venv" && "$$venv/bin/pip" install --quiet --disable-pip-version-check \
			"wasmtime==$${host#*=}" || exit 1; done

# Their versions are in package.json.
.PHONY: compare-hosts
compare-hosts: compare-wasmtimes rust ## installs these, and the WASI hosts of npm
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(THREADS))",target add $(THREADS))
	@echo '== Deno, Bun, jco, and a host for browsers'
	@cp wasm-tests/hosts/package.json "$(TOOLS)/package.json"
	@cd "$(TOOLS)" && npm install --no-audit --no-fund --no-package-lock --loglevel=error

# Other processors, another system and a browser; everything else that `make compare` needs is there with Rust and Node.
CROSS := x86_64-unknown-linux-musl aarch64-unknown-linux-gnu s390x-unknown-linux-gnu i686-unknown-linux-gnu $(WINDOWS)
CROSS_PACKAGES := qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross \
	gcc-i686-linux-gnu libc6-dev-i386-cross gcc-mingw-w64-x86-64 wine64 chromium
.PHONY: compare-tools
compare-tools: compare-hosts ## installs everything that the columns of `make compare` need, other hosts, emulators and a browser, on Debian
	@echo '== wasmi, a host of WASI'
	@$(CARGO) build --release --quiet --locked --manifest-path wasm-tests/hosts/wasmi/Cargo.toml --target-dir "$(TOOLS)/wasmi"
	@command -v apt-get >/dev/null || { echo 'These are Debian packages: $(CROSS_PACKAGES)' >&2; exit 1; }
	$(call ensure,for target in $(CROSS); do test -d "$$(rustc --print target-libdir --target $$target)" || exit 1; done,target add $(CROSS))
	@sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
		$$sudo apt-get update && $$sudo apt-get install --yes --no-install-recommends $(CROSS_PACKAGES)

# --- What they are made of ---

# Programs of WASI with vectors of 128 bits, as this machine's programs have them. In a directory of its own: other flags would
# have everything built again.
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
harness: rust
	@echo '== the harness: the first build, with wasmtime, takes 5 to 20 minutes'
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

# What a compiler leaves out because it changes nothing shows in an optimised build.
.PHONY: test-release
test-release: rust
	@echo '== pages that are made dirty again, in an optimised build'
	@$(CARGO) test --release -p native-tests --test refused_calls -- failed_sync

# The suite's cases run in the guest programs; these are the unit tests, where usize has 32 bits.
.PHONY: test-wasi
test-wasi: wasi harness
	@echo '== unit tests in wasmtime'
	@CARGO_TARGET_WASM32_WASIP1_RUNNER='$(HARNESS) run' $(CARGO) test -p portable-mmap --lib --target wasm32-wasip1
	@CARGO_TARGET_WASM32_WASIP2_RUNNER='$(HARNESS) run' $(CARGO) test -p portable-mmap --lib --target wasm32-wasip2

NODE_20 := node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null

# The harness's wasmtime runs no threads; Node's workers are threads.
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

# The library by itself, and the example by rustc: cargo would build what other examples need, which takes ten times as long.
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

# Packages from npm, each in one release: none is in the repository.
NODE_PACKAGES := $(TARGET)/node
# $(call npm,PACKAGE,VERSION): has npm put it there, unless it is there.
define npm
@test "$$(node -p 'require("$(NODE_PACKAGES)/node_modules/$(1)/package.json").version' 2>/dev/null)" = '$(2)' || { \
	$(NODE_20) || { echo 'This needs Node 20 or newer: see https://nodejs.org' >&2; exit 1; }; \
	npm install --silent --no-audit --no-fund --prefix "$(NODE_PACKAGES)" '$(1)@$(2)'; }
endef

.PHONY: action-tools test-action
action-tools:
	$(call npm,yaml,2.9.1)

test-action: action-tools wasi harness ## runs the steps of the GitHub Action (action.yml) on this machine, for a crate outside of the repository
	@echo '== the action'
	@NODE_PACKAGES='$(NODE_PACKAGES)' node --test action/test.mjs

# The page of demo/ with what it needs: files that any server can serve, from loopback or from elsewhere.
SITE := $(TARGET)/demo
SHIM := node_modules/@bjorn3/browser_wasi_shim
# The release that `make compare` runs the suite in too.
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
demo-browser: demo-site ## serves a page in which grep and replace run on a file in the browser: make demo-browser [PORT=8080]
	@node demo/serve.mjs "$(SITE)" '$(PORT)'

CHROMIUM ?= chromium
.PHONY: test-browser
test-browser: demo-site ## tests that page in headless Chromium, against the native programs, and the page of `make compare`
	@command -v '$(CHROMIUM)' >/dev/null || \
		{ echo 'This needs Chromium: `apt-get install chromium` on Debian, or CHROMIUM=PROGRAM' >&2; exit 1; }
	@$(CARGO) build --release -p portable-mmap --example grep --example replace
	@mkdir -p "$(TARGET)/screenshots"
	@CHROMIUM='$(CHROMIUM)' SITE='$(SITE)' NATIVE='$(TARGET)/release/examples' SCREENSHOTS='$(TARGET)/screenshots' \
		node --test --test-concurrency=1 demo/test.mjs wasm-tests/page.test.mjs

# --- Checks ---

.PHONY: check
check: format lint lint-facade check-targets doc api-check types-check msrv deny ## checks formatting, lints on every target, documentation, interface, oldest Rust and licences

.PHONY: format
format: rust
	$(call ensure,$(CARGO) fmt --version,component add rustfmt)
	@echo '== formatting'
	@$(CARGO) fmt --all --check
	@for place in fuzz wasm-tests/hosts/wasmi; do $(CARGO) fmt --manifest-path $$place/Cargo.toml --check || exit 1; done

# All of the workspace and the fuzz targets on this machine; what is compiled for them on Windows and WASI. The tests of
# native-tests are drivers for native columns, which WASI has not. What is not linked needs no libFuzzer, which is C++.
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
	@echo '== lints and formatting of the façade, of its programs, and of the tests that it is held to'
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
# What src/lib.rs names, and the tables of Cargo.toml in the same form.
NAMED = sed -n '/if \#\[cfg(any($$/,/^    ))/p' src/lib.rs | tr -d ' \n' | sed 's/,)/)/g; s/^if\#.cfg(any(//; s/))[^)]*$$//'
TABLES = sed -n "s/^\[target\.'cfg(\(.*\))'\.dependencies\]/\1/p" Cargo.toml | tr -d ' ' | tr '\n' ','
# $(call on,TARGETS,COMMAND): the command on each of them, as $$target.
define on
@for target in $(1); do \
	test -d "$$(rustc --print target-libdir --target $$target 2>/dev/null)" || rustup target add $$target >/dev/null 2>&1 || \
		{ echo "NOT CHECKED: $$target, which rustup has no std for"; continue; }; \
	echo "$$target"; \
	$(2); done
endef

.PHONY: check-targets
check-targets: rust ## checks the library on many more targets, and that unsupported targets give one clear error
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	@echo '== the targets of src/lib.rs and those of Cargo.toml'
	@named=$$($(NAMED)); tables=$$($(TABLES)); test "$$named" = "$${tables}all(target_arch=\"wasm32\",target_os=\"unknown\")" || \
		{ printf 'they differ:\n%s\n%s\n' "$$named" "$$tables" >&2; exit 1; }
	@echo '== the library, on targets that it supports'
	$(call on,$(SUPPORTED),$(CARGO) clippy -q -p portable-mmap --target $$target -- -D warnings || exit 1)
	@echo '== and on others: one error'
	$(call on,$(UNSUPPORTED),log=$$($(CARGO) check -q -p portable-mmap --target $$target --message-format short 2>&1); \
		test "$$(echo "$$log" | sed '/^error: could not compile/d; s/.*: error: \(.* target\)\..*/\1/')" = \
			'portable-mmap does not support this target' || { echo "$$log" >&2; exit 1; })

.PHONY: doc
doc: rust ## builds the documentation, and fails on a warning
	@echo '== documentation'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc -p portable-mmap -p portable-mmap-wasmtime -p native-tests --no-deps

# The interface of the library, an item a line: on one target, so that the file is the same on every machine. It is read from
# the JSON of rustdoc, which only nightly Rust writes, and each release in its own form.
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
		{ echo '`make api-keep` keeps what has changed; say it in CHANGELOG.md' >&2; exit 1; }; fi

api-keep: interface ## writes the interface of the library to docs/public-api.txt
	@cp $(INTERFACE) docs/public-api.txt

# The types that a component of wasm32-wasip2 embeds for the import of the host's functions: wit-component writes them from
# the text of the interface. That text is held to the host by a test of the host's crate.
WIT := portable-mmap-wasmtime/wit/host.wit
EMBEDDED := src/region/host/component-type.bin
.PHONY: types-check types-keep
types-check: rust ## compares the types that components embed with the interface of the host
	@echo '== the types of the host for components'
	@$(CARGO) run $(COMPAT) --quiet -p component-type -- $(WIT) guest "$(TARGET)/compat/component-type.bin"
	@cmp $(EMBEDDED) "$(TARGET)/compat/component-type.bin" || { echo '`make types-keep` writes them anew' >&2; exit 1; }

types-keep: rust ## writes the types that components embed from the interface of the host
	@$(CARGO) run $(COMPAT) --quiet -p component-type -- $(WIT) guest $(EMBEDDED)

# Where it maps nothing, and where it is not run. wasmtime has a little C in it, which a check does not need: no compiler for
# it has to be there. It takes some minutes.
.PHONY: check-host-targets
check-host-targets: rust ## checks the host crate for macOS and Windows, without a C compiler for them
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	$(call on,aarch64-apple-darwin $(WINDOWS),name=$$(echo "$$target" | tr - _); export "CC_$$name=true" "AR_$$name=true"; \
		$(CARGO) clippy -q -p portable-mmap-wasmtime --target $$target -- -D warnings || exit 1)

# Before a release: see docs/releasing.md.
RELEASE = $(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)
.PHONY: semver
semver: rust ## compares the interface of the library with that of the last release, by the rules of semantic versioning
	@if test -z '$(RELEASE)'; then echo 'NOTHING TO COMPARE: no tag of a release (v1.2.3) is here'; \
	elif ! $(CARGO) semver-checks --version >/dev/null 2>&1; then \
		echo 'This needs `cargo install --locked cargo-semver-checks`' >&2; exit 1; \
	else $(CARGO) semver-checks -p portable-mmap --baseline-rev '$(RELEASE)'; fi

# The library alone: the harness wants a newer Rust, because wasmtime does.
.PHONY: msrv
msrv: rust
	$(call ensure,rustup run $(MSRV) rustc --version,toolchain install $(MSRV) --profile minimal --no-self-update)
	@echo '== Rust $(MSRV), the oldest that the library is for'
	@rustup run $(MSRV) cargo check -p portable-mmap

# Not advisories: their database cannot be reached from every place.
.PHONY: deny
deny: rust
	@echo '== licences, bans and sources of all dependencies'
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		for place in . compat; do \
			$(CARGO) deny --workspace --manifest-path $$place/Cargo.toml --config $$place/deny.toml \
				check bans licenses sources || exit 1; done; \
		cd compat/consumers/wasi && $(CARGO) deny --config ../../deny.toml check bans licenses sources; \
	else echo 'NOT CHECKED: `cargo install --locked cargo-deny` makes this check possible'; fi

NIGHTLY := rustup run nightly cargo
# $(call nightly,TEST,COMPONENTS): nightly Rust with its own sources, which Miri and the sanitizers build std from.
nightly = $(call ensure,$(1) && test -d "$$(rustup run nightly rustc --print sysroot)/lib/rustlib/src/rust",toolchain install nightly --profile minimal --no-self-update --component rust-src $(2))

# Every case that is not large over the emulation, and over OS mappings as memory of the allocator, under both models of
# what a reference may be used for: each finds what the other lets pass. Buffers behind a pointer too, and of the façade that
# is made of them the tests of memory without a file and of references: for Miri, which cannot tell for what a file was
# opened, the façade takes it for one that is open for reading and writing. Addresses that are made from numbers are errors
# under both. The unit tests of the search, of errors, of slice notation and of unsynced runs take minutes there, and these
# have no unsafe code.
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

# In a directory of its own, since the flag would have everything built again. Only tests whose names contain `loom` are
# models; the others make atomics and locks outside of one, which loom refuses. Optimised, for they are many orders.
.PHONY: loom
loom: rust ## runs the loom models of threads and signal handlers, in every order of their steps
	@echo '== loom: every interleaving of the models'
	@RUSTFLAGS='--cfg loom' $(CARGO) test -p portable-mmap --lib --release --target-dir "$(TARGET)/loom" -- loom

# Over OS mappings and real files, where Miri cannot look: an access outside of what is mapped or allocated, and threads
# that race. std is built anew, to be watched too. The sanitizers leave signals to the guard and to Rust. Tests run one
# after the other: that an address was unmapped by one and mapped by the next escapes the thread sanitizer, which does not
# see rustix's calls. Threads within a test are what it is for.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
.PHONY: sanitize
sanitize: rust ## runs the native tests under AddressSanitizer and ThreadSanitizer, on nightly Rust
	$(call nightly,$(NIGHTLY) --version,)
	@export SANITIZED=1 ASAN_OPTIONS=handle_segv=0:handle_sigbus=0 TSAN_OPTIONS=handle_segv=0:handle_sigbus=0; \
		for sanitizer in address thread; do \
		echo "== $$sanitizer sanitizer"; \
		run="$(NIGHTLY) test -Zbuild-std --target $(HOST)"; \
		export RUSTFLAGS="-Zsanitizer=$$sanitizer" CARGO_TARGET_DIR="$(TARGET)/sanitize/$$sanitizer"; \
		$$run -p portable-mmap --lib && $$run -p native-tests --tests -- --test-threads=1 || exit 1; done

# Side by side, for as long each; what they find is not lost when they end. With ONLY=NAME one of them.
FUZZ := --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET)/fuzz"
FUZZ_TARGETS := script notation search
CARGO_FUZZ := 0.13.2
TIME ?= 60

.PHONY: fuzz
fuzz: rust ## looks for inputs that break the library: make fuzz [TIME=seconds] [ONLY=script|notation|search]
	$(call ensure,$(NIGHTLY) --version,toolchain install nightly --profile minimal --no-self-update)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo '== cargo install cargo-fuzz'; \
		$(CARGO) install --quiet --locked cargo-fuzz --version $(CARGO_FUZZ); }
	@echo '== the fuzz targets'
	@$(NIGHTLY) fuzz build --target-dir "$(TARGET)/fuzz"
	@fuzz/run "$(TARGET)" '$(TIME)' $(or $(ONLY),$(FUZZ_TARGETS))

# With what the harness is built of: cargo then builds wasmtime once for both. With AGAIN=NUMBER one program is played again, and
# its steps are printed.
.PHONY: hostile
hostile: rust ## runs random hostile guests against the host crate and a model: make hostile [TIME=seconds] [AGAIN=seed]
	@$(CARGO) test -p wasm-tests -p portable-mmap-wasmtime --test hostile -- \
		$(if $(AGAIN),--seed '$(AGAIN)',--time '$(TIME)')

# Times vary from run to run; the two of a ratio are taken in turns. The table is no test. What is measured: the programs of
# the workloads, and two small ones whose sizes are compared.
BENCH := $(TARGET)/bench
MEASURED := --release -p native-tests --bin bench --bin maps --bin reads
# A compiler of C for WASI: Debian's packages clang, lld, wasi-libc and libclang-rt-dev-wasm32 have one, and so has wasi-sdk.
WASI_CC ?= clang
# Nobody runs guests in a host that is not optimised: calls into that of the tests take several times as long. In a folder of
# its own, since what other packages ask of shared dependencies would have them built again.
RELEASED := $(TARGET)/bench-host/release/wasm-tests$(EXE)
.PHONY: released-harness
released-harness: rust
	@echo '== the harness, optimised: the first build takes 5 to 20 minutes'
	@$(CARGO) build --release -p wasm-tests --target-dir "$(TARGET)/bench-host"

# Files of Rust, for the text to work on: those of the dependencies that cargo has fetched.
SOURCES ?= $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
# $(call sizes,DIR): the two programs in it.
sizes = --size "$(1)/maps.wasm" "$(1)/reads.wasm"

.PHONY: bench
bench: wasi released-harness ## measures the workloads and whole jobs natively and in wasmtime, checks their goals, and writes target/bench/
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

# The guests are compiled for vectors of 128 bits, as this machine's programs are.
PLACED := --release -p native-tests --bin placed
.PHONY: bench-hosted
bench-hosted: wasi released-harness ## measures mappings of the host, of the system and of the emulation: times, and the memory of 1 to 1,000 instances
	@$(CARGO) build $(PLACED)
	@$(with_vectors) $(PLACED) --target wasm32-wasip1
	@"$(RELEASED)" placed --native "$(TARGET)/release/placed$(EXE)" --dir "$(TARGET)/placed" \
		--guest "$(VECTORS)/wasm32-wasip1/release/placed.wasm"

# Beside the ratios, natively: each way by itself, with the error of its time. make criterion [FILTER=...]
.PHONY: criterion
criterion: rust ## measures the workloads natively with Criterion, on the data of `make bench`
	@BENCH_DATA="$(BENCH)/data" $(CARGO) bench -p native-tests --features criterion --bench workloads -- $(FILTER)

# $(call quote,TABLE,FILE,WORDS): the table in a file whose head begins with these two words is this one.
define quote
@awk 'FNR == NR { table = table $$0 "\n"; next } /^\| $(word 1,$(3)) \| $(word 2,$(3))/ { printf "%s", table; quoted = 1 } \
	!/^\|/ { quoted = 0 } !quoted' "$(BENCH)/$(1)" $(2) >"$(BENCH)/quoted.md"
@cp "$(BENCH)/quoted.md" $(2)
endef

.PHONY: keep
keep: ## copies tables and plots of the last `make bench` and `make bench-hosted` to README.md and docs/
	@cp "$(BENCH)/growth.svg" docs/growth.svg
	@test ! -f "$(TARGET)/placed/fleets.svg" || cp "$(TARGET)/placed/fleets.svg" docs/fleets.svg
	$(call quote,machine.md,docs/performance.md,machine processors)
	$(call quote,table.md,docs/performance.md,work against)
	$(call quote,missed.md,docs/performance.md,missed against)
	$(call quote,jobs.md,docs/performance.md,job against)
	$(call quote,jobs-short.md,README.md,job the)
	$(call quote,jobs-details.md,docs/performance.md,job way)

# The copy and what is built from it lie in target/mutants, but for the tests of the host, which want what the harness is
# built of. With ONLY=TEXT, those whose names contain it; with SKIP=TEXT, the others.
.PHONY: mutants
mutants: guests harness ## breaks a copy of the library in many ways, and checks that the suite notices each
	@echo '== the suite over libraries that are broken'
	@"$(HARNESS)" mutants --native "$(TARGET)/debug/suite$(EXE)" --scratch "$(TARGET)/mutants" --target-dir "$(TARGET)" \
		--only '$(ONLY)' --skip '$(SKIP)'

# Six columns share them. A seed is that of the first script, and the next kill takes the next.
KILLS ?= 1000
SEED ?= 1
CRASH = "$(HARNESS)" crash --native "$(TARGET)/debug/crash$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/crash.wasm" \
	--wasip2 "$(TARGET)/wasm32-wasip2/debug/crash.wasm" --seed '$(SEED)'

.PHONY: crash
crash: guests harness ## kills programs while they edit a file, and checks the file: make crash [KILLS=1000] [SEED=1]
	@echo '== $(KILLS) kills'
	@$(CRASH) --kills '$(KILLS)'

# Four columns share them, and each control has as many as its column. The copy in which they are made is that of the mutants.
POINTS ?= 1000
POWER = "$(HARNESS)" power --native "$(TARGET)/debug/power$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/power.wasm" \
	--wasip2 "$(TARGET)/wasm32-wasip2/debug/power.wasm" --seed '$(SEED)'

.PHONY: power
power: guests harness ## simulates power failures while programs edit a file: make power [POINTS=1000] [SEED=1]
	@echo '== $(POINTS) power failures, and libraries that do not sync'
	@$(POWER) --points '$(POINTS)' --controls "$(TARGET)/mutants"

# Each is failed in two runs: in one what is left is looked at, in the other nothing touches it before the call is made
# again.
.PHONY: faults
faults: guests harness ## counts the storage calls that the suite makes fail one by one
	@log="$(TARGET)/faults.log"; $(SUITE) --filter faults/ --show >"$$log" || { cat "$$log" >&2; exit 1; }; \
		awk '/^TRANSCRIPT / { column = $$0; sub(/.*, /, "", column) } \
			/ calls failed = / { acts[column]++; calls[column] += $$NF; most = most < $$NF ? $$NF : most } \
			END { for (c in acts) print c, acts[c] " acts, " calls[c] " failing calls"; print "most in one act: " most }' \
			"$$log" | sort

# In the table are the tests that differ; what cargo builds lies in target/crates.
.PHONY: crate
crate: wasi harness ## compares the tests of a published crate, natively and on WASI: make crate CRATE=NAME[@VERSION]
	@test -n '$(CRATE)' || { echo 'usage: make crate CRATE=NAME[@VERSION] [ARGS=...]' >&2; exit 2; }
	@"$(HARNESS)" crate --published '$(CRATE)' --target-dir "$(TARGET)/crates" $(ARGS)

# --- memmap2's interface on WASI ---

# A workspace of its own: two packages in it are called memmap2, the façade and the one of crates.io.
COMPAT := --manifest-path compat/Cargo.toml --target-dir "$(TARGET)/compat"
ONLY_FACADE := --manifest-path compat/memmap2/Cargo.toml --target-dir "$(TARGET)/compat"
FACADE := --workspace --exclude api --exclude component-type --exclude portable-mmap-emulation

.PHONY: facade-tests
facade-tests: wasi harness ## compares memmap2's own tests and the façade's: make facade-tests [FILTER=...]
	@CARGO='$(CARGO)' "$(HARNESS)" compare --columns facade --filter '$(FILTER)' --target-dir "$(TARGET)"
	@echo '== closed files on Preview 1: with fat link-time optimisation, and with the close of libc'
	@export CARGO_TARGET_WASM32_WASIP1_RUNNER='$(HARNESS) run'; \
		$(CARGO) test $(ONLY_FACADE)/lto --release $(FAT_LTO) --target wasm32-wasip1 --test close --test outlive && \
		CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS='--cfg memmap2_libc_close' \
		$(CARGO) test $(ONLY_FACADE)/libc-close --target wasm32-wasip1 --test closed

FAT_LTO := --config 'profile.release.lto="fat"' --config 'profile.release.codegen-units=1'

# The project of somebody who uses the façade. Without it first, and kept in another place: cargo gives both programs the same
# name, in one directory, where it builds what does not depend on memmap2 once for both.
PROGRAMS := --locked --release --bins --target-dir "$(TARGET)/compat"
PUBLISHED := --manifest-path compat/consumers/Cargo.toml $(PROGRAMS)
CONSUMERS := grep hash geoip font set records array tensors objects columns
# A component has its host map files only if it is told that such a host runs it.
HOSTED_PROGRAMS := --locked --release --bins --target-dir "$(TARGET)/compat/hosted" --target wasm32-wasip2

.PHONY: consumers
consumers: wasi harness ## runs programs that map files through other crates, on WASI without the façade, with it, and with mappings of the host
	@echo '== the programs with the memmap2 of crates.io'
	@$(CARGO) build $(PUBLISHED)
	@for target in $(WASI); do $(CARGO) build $(PUBLISHED) --target $$target || exit 1; done
	@for dir in release $(WASI:%=%/release); do mkdir -p "$(TARGET)/unpatched/$$dir"; for program in prepare $(CONSUMERS); do \
		case $$dir in release) file=$$program$(EXE);; *) file=$$program.wasm;; esac; \
		cp "$(TARGET)/compat/$$dir/$$file" "$(TARGET)/unpatched/$$dir/$$file" || exit 1; done; done
	@echo '== the same for WASI with the façade, as its page says'
	@cd compat/consumers/wasi && for target in $(WASI); do $(CARGO) build $(PROGRAMS) --target $$target || exit 1; done && \
		CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS='--cfg memmap2_host_mapping' $(CARGO) build $(HOSTED_PROGRAMS)
	@"$(HARNESS)" consumers --without "$(TARGET)/unpatched" --with "$(TARGET)/compat" \
		--hosted "$(TARGET)/compat/hosted" $(CONSUMERS)

# rustdoc's JSON, which only nightly Rust writes, and of which each release has its own form. The memmap2 whose interface the
# façade has is the one of compat/Cargo.lock. std is built anew for WASI: not every nightly has it ready.
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

.PHONY: clean
clean: ## removes everything that was built
	@$(CARGO) clean

# --- Set-up ---

.PHONY: rust
rust:
	$(call ensure,$(CARGO) --version,default stable)

.PHONY: wasi
wasi: rust
	$(call ensure,for target in $(WASI); do test -d "$$(rustc --print target-libdir --target $$target)" || exit 1; done,target add $(WASI))
