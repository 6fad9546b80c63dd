# The one door to everything: `make help` lists it. GNU make 3.81 and newer, on Linux, macOS, and Windows with a POSIX shell.
# Each target does its own set-up through rustup; where what it needs is there already, rustup is not called.

CARGO ?= cargo
# Absolute, for the guests' directories are handed to tests that run in the directory of their package.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
HARNESS := $(TARGET)/debug/wasm-tests$(EXE)
WASI := wasm32-wasip1 wasm32-wasip2
WINDOWS := x86_64-pc-windows-gnu
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
	@sed -n 's/^\([a-z]*\):.*## /  \1	/p' $(firstword $(MAKEFILE_LIST))

# --- The two commands ---

.PHONY: demo
demo: examples harness ## runs the examples on a copy of a file, natively and in wasmtime: make demo [FILE=...]
	@echo '== hello, grep and replace, natively and in wasmtime, on $(FILE)'
	@"$(HARNESS)" demo --file "$(FILE)" --native-dir "$(TARGET)/release/examples" \
		--wasip1-dir "$(TARGET)/wasm32-wasip1/release/examples" \
		--wasip2-dir "$(TARGET)/wasm32-wasip2/release/examples"

.PHONY: test
test: test-native guests harness test-wasi test-harness ## runs all tests, and the suite in four columns
	@echo '== the suite, in four columns'
	@"$(HARNESS)" suite --native "$(TARGET)/debug/suite$(EXE)" --wasip1 "$(TARGET)/wasm32-wasip1/debug/suite.wasm" \
		--wasip2 "$(TARGET)/wasm32-wasip2/debug/suite.wasm"

# --- What they are made of ---

.PHONY: examples
examples: wasi
	@echo '== the examples, for this machine and for WASI'
	@$(CARGO) build --release -p portable-mmap --examples
	@for target in $(WASI); do \
		$(CARGO) build --release -p portable-mmap --examples --target $$target || exit 1; done

.PHONY: harness
harness: rust
	@echo '== the harness: with wasmtime in it, it takes some minutes the first time'
	@$(CARGO) build -p wasm-tests

# The programs that the harness runs: the suite, and those that its own tests need.
.PHONY: guests
guests: wasi
	@echo '== the programs of the suite, for this machine and for WASI'
	@$(CARGO) build -p native-tests --bins
	@for target in $(WASI); do $(CARGO) build -p native-tests --bins --target $$target || exit 1; done

.PHONY: test-native
test-native: rust
	@echo '== unit tests, the native suite, the examples and the documentation'
	@$(CARGO) test

# The suite's cases run in the guest programs; these are the unit tests, where usize has 32 bits.
.PHONY: test-wasi
test-wasi: wasi harness
	@echo '== unit tests in wasmtime'
	@CARGO_TARGET_WASM32_WASIP1_RUNNER='$(HARNESS) run' $(CARGO) test -p portable-mmap --lib --target wasm32-wasip1
	@CARGO_TARGET_WASM32_WASIP2_RUNNER='$(HARNESS) run' $(CARGO) test -p portable-mmap --lib --target wasm32-wasip2

.PHONY: test-harness
test-harness: guests harness
	@echo '== the tests of the harness'
	@GUESTS_NATIVE='$(TARGET)/debug' GUESTS_WASIP1='$(TARGET)/wasm32-wasip1/debug' \
		GUESTS_WASIP2='$(TARGET)/wasm32-wasip2/debug' $(CARGO) test -p wasm-tests

# --- Checks ---

.PHONY: check
check: format lint doc msrv deny ## formatting, lints on every target, documentation, oldest Rust, licences

.PHONY: format
format: rust
	$(call ensure,$(CARGO) fmt --version,component add rustfmt)
	@echo '== formatting'
	@$(CARGO) fmt --all --check

# All of the workspace on this machine; what is compiled for them on Windows and WASI. The tests of native-tests are
# drivers for native columns, which WASI has not.
.PHONY: lint
lint: wasi
	$(call ensure,$(CARGO) clippy --version,component add clippy)
	$(call ensure,test -d "$$(rustc --print target-libdir --target $(WINDOWS))",target add $(WINDOWS))
	@echo '== lints, on this machine'
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@echo '== lints, on Windows'
	@$(CARGO) clippy -p portable-mmap -p native-tests --all-targets --target $(WINDOWS) -- -D warnings
	@echo '== lints, on WASI'
	@for target in $(WASI); do \
		$(CARGO) clippy -p portable-mmap --all-targets --target $$target -- -D warnings && \
		$(CARGO) clippy -p native-tests --lib --bins --target $$target -- -D warnings || exit 1; done

.PHONY: doc
doc: rust ## builds the documentation, without a warning
	@echo '== documentation'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps

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
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --workspace check bans licenses sources; \
	else echo 'NOT CHECKED: `cargo install --locked cargo-deny` makes this check possible'; fi

# Every case that is not large over the emulation, under both models of what a reference may be used for: each finds what
# the other lets pass. The unit tests of the search take minutes there, and it has no unsafe code.
.PHONY: miri
miri: rust ## looks for undefined behaviour in the emulation, with the interpreter of nightly Rust
	$(call ensure,rustup run nightly cargo miri --version && test -d "$$(rustup run nightly rustc --print sysroot)/lib/rustlib/src/rust",toolchain install nightly --profile minimal --no-self-update --component miri --component rust-src)
	@for model in stacked tree; do \
		echo "== Miri, $$model borrows"; \
		flags=-Zmiri-disable-isolation; \
		if [ $$model = tree ]; then flags="$$flags -Zmiri-tree-borrows"; fi; \
		MIRIFLAGS="$$flags" rustup run nightly cargo miri test -p portable-mmap --lib -- --skip search:: && \
		MIRIFLAGS="$$flags" rustup run nightly cargo miri test -p native-tests --test miri && \
		MIRIFLAGS="$$flags -Zmiri-many-seeds=0..16" rustup run nightly cargo miri test -p native-tests --test threads || \
			exit 1; done

# Times vary from run to run; the two of a ratio are taken in turns. The table is no test. What is measured: the programs of
# the workloads, and two small ones whose sizes are compared. Vectors are enabled in a folder of their own: other flags
# would have everything built again.
BENCH := $(TARGET)/bench
MEASURED := --release -p native-tests --bin bench --bin maps --bin reads
# Files of Rust, for the text to work on: those of the dependencies that cargo has fetched.
SOURCES ?= $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
PYTHON ?= python3
# $(call sizes,DIR): the two programs in it.
sizes = --size "$(1)/maps.wasm" "$(1)/reads.wasm"

.PHONY: bench
bench: wasi harness ## measures the workloads natively and in wasmtime, and judges their goals: target/bench/
	@$(CARGO) build $(MEASURED)
	@for target in $(WASI); do $(CARGO) build $(MEASURED) --target $$target || exit 1; done
	@CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS='-C target-feature=+simd128' \
		$(CARGO) build $(MEASURED) --target wasm32-wasip1 --target-dir "$(TARGET)/simd128"
	@echo '== the workloads, natively and in wasmtime'
	@"$(HARNESS)" bench --native "$(TARGET)/release/bench$(EXE)" --dir "$(BENCH)" --sources "$(SOURCES)" \
		--wasip1 "$(TARGET)/wasm32-wasip1/release/bench.wasm" --wasip2 "$(TARGET)/wasm32-wasip2/release/bench.wasm" \
		--simd "$(TARGET)/simd128/wasm32-wasip1/release/bench.wasm" --python "$(PYTHON)" $(BENCHFLAGS) \
		$(call sizes,$(TARGET)/wasm32-wasip1/release) $(call sizes,$(TARGET)/simd128/wasm32-wasip1/release) \
		$(call sizes,$(TARGET)/wasm32-wasip2/release)

# Beside the ratios, natively: each way by itself, with the error of its time. make criterion [FILTER=...]
.PHONY: criterion
criterion: rust ## measures the workloads natively with Criterion, on the data of `make bench`
	@BENCH_DATA="$(BENCH)/data" $(CARGO) bench -p native-tests --features criterion --bench workloads -- $(FILTER)

.PHONY: keep
keep: ## puts table and plot of the last `make bench` into README.md and docs/
	@cp "$(BENCH)/growth.svg" docs/growth.svg
	@awk 'FNR == NR { table = table $$0 "\n"; next } /^\| work \| against/ { printf "%s", table; quoted = 1 } \
		!/^\|/ { quoted = 0 } !quoted' "$(BENCH)/table.md" README.md > "$(BENCH)/README.md"
	@cp "$(BENCH)/README.md" README.md

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
