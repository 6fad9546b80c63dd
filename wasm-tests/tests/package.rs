//! `wasm-tests crate`, on a package with a test of every outcome.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const HARNESS: &str = env!("CARGO_BIN_EXE_wasm-tests");

/// A copy of the fixture, in which cargo may write its lock file.
fn fixture(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let package = dir.path().join(name);
    copy(&source, &package);
    (dir, package)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &to) } else { drop(fs::copy(entry.path(), to)) }
    }
}

fn harness(package: &Path) -> Command {
    let mut command = Command::new(HARNESS);
    command.args(["crate", "--package"]).arg(package);
    // The caller's settings of libtest must not have an effect.
    command.env("RUST_TEST_THREADS", "3").env("RUST_BACKTRACE", "1").env_remove("RUSTFLAGS");
    command
}

fn stdout(output: &Output) -> String {
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The rows of the tables, with a space between the cells.
fn rows(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with('│'));
    rows.map(|row| row.trim_matches(['│', ' ']).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The totals without the time.
fn totals(text: &str) -> Vec<String> {
    let rows = rows(text);
    let header = rows.iter().position(|row| row.starts_with("Column ")).unwrap();
    rows[header + 1..].iter().map(|row| row.trim_end_matches(|c| c != ' ').trim_end_matches(" s").into()).collect()
}

#[test]
fn every_outcome_is_reported() {
    let (_dir, package) = fixture("outcomes");
    let output = harness(&package).output().unwrap();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");

    let differing = [
        "lib tests::catches_a_panic passed FAILED FAILED",
        "lib tests::is_ignored_on_wasi passed ignored ignored",
        "lib tests::is_there…h_wide_pointers passed absent absent",
        "lib tests::needs_wide_pointers passed FAILED FAILED",
        "lib tests::prints_t…th_of_a_pointer passed differs differs",
        "lib tests::should_p…o_natively_only passed FAILED FAILED",
    ];
    let rows = rows(&text);
    assert_eq!(rows[0], "Program Test native wasip1 wasip2");
    assert_eq!(rows[1..=differing.len()], differing, "{text}");
    // The numbers are: tests, passed, passed by panic, failed, ignored, not run, unequal.
    for (row, numbers) in
        totals(&text).iter().zip(["native 19 12 3 6 1 0 0", "wasip1 18 7 2 9 2 0 6", "wasip2 18 7 2 9 2 0 6"])
    {
        assert!(row.starts_with(numbers), "{row:?} is not {numbers:?}");
    }
    assert_eq!(totals(&text).len(), 3);
    for alike in [
        "lib, tests::aborts: ABORTED in every column",
        "lib, tests::exits_with_success: EXITED 0 in every column",
        "lib, tests::fails_alike: FAILED in every column",
        "lib, tests::panics_with_other_words: FAILED in every column",
        "lib, tests::returns_an_error: FAILED in every column",
        "lib, tests::should_panic_and_does_not: FAILED in every column",
        "13 tests equal in 3 columns, 6 not",
        "Equal tests that fail in every column, and do not count as differences: 6",
    ] {
        assert!(text.lines().any(|line| line == alike), "{alike:?} is not in:\n{text}");
    }
    let difference = "UNEQUAL lib, tests::prints_the_width_of_a_pointer, wasip1 and wasip2: standard output differs from \
                      that of native (-) at line 2:\n      the same\n    - 64 bits\n    + 32 bits\n";
    assert!(text.contains(difference), "{text}");
    let failed = "UNEQUAL lib, tests::needs_wide_pointers, wasip1 and wasip2: FAILED here, passed in native\n  \
                  standard error here:\n    thread of the test panicked at src/lib.rs:70:9:\n    assertion \
                  `left == right` failed\n      left: 32\n     right: 64\n\n";
    assert!(text.contains(failed), "{text}");
}

#[test]
fn success_requires_tests_that_ran_and_are_equal() {
    let (_dir, package) = fixture("outcomes");
    let run = |args: &[&str]| {
        let output = harness(&package).args(["--target", "native,wasm32-wasip1"]).args(args).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (_, text) = run(&["--filter", "fails_alike"]);
    let one = "Equal tests that fail in every column, and do not count as differences: 1\n";
    assert!(text.ends_with(one), "{text}");
    // Features are passed to cargo, and add a test.
    let (code, text) = run(&["--filter", "is_there", "--skip", "pointers", "--", "--features", "more"]);
    assert_eq!((code, totals(&text).len()), (Some(0), 2), "{text}");
    assert!(text.contains("\n19 tests were left out.\n1 tests equal in 2 columns, 0 not\n"), "{text}");
    let (code, text) = run(&["--filter", "panics_", "--skip", "other_words"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(totals(&text)[1].starts_with("wasip1 2 2 2 0 0 0 0"), "{text}");
    // A run of no tests is not a success.
    let (code, text) = run(&["--filter", "is_ignored", "--skip", "wasi"]);
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = run(&["--filter", "there is no such test"]);
    assert!(code == Some(1) && text.contains("FAILED there is no test to run"), "{text}");
}

#[test]
fn reports_have_the_result_of_each_test_in_each_column() {
    let (dir, package) = fixture("outcomes");
    let out = dir.path().join("reports");
    let output = harness(&package).args(["--target", "native,wasm32-wasip1", "--out"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(1));

    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["passed"], false);
    let section = &report["sections"][0];
    let counts = |column: &Value| ["cases", "passed", "failed", "excepted"].map(|name| column[name].as_u64().unwrap());
    // A test that is ignored, or fails in the same way everywhere, is neither a success nor a difference.
    assert_eq!(counts(&section["columns"][0]), [19, 12, 0, 7]);
    assert_eq!(counts(&section["columns"][1]), [19, 6, 6, 7]);
    let cell = |test: &str, column: &str| {
        let name = format!("lib/tests::{test}");
        section["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()["cells"][column].clone()
    };
    assert_eq!(cell("fails_alike", "wasip1")["reason"], "FAILED in every column");
    assert_eq!(cell("is_ignored", "native")["reason"], "ignored");
    let failure = |test: &str| cell(test, "wasip1")["failure"].clone();
    assert_eq!(failure("needs_wide_pointers")["kind"], "FAILED here, passed in native");
    let again = format!(
        "wasm-tests crate --package {} --target native,wasm32-wasip1 --filter 'tests::needs_wide_pointers'",
        package.display()
    );
    assert_eq!(failure("needs_wide_pointers")["again"], again);
    assert_eq!(failure("is_there_with_wide_pointers")["kind"], "absent here, passed in native");
    let printed = failure("prints_the_width_of_a_pointer");
    assert_eq!((&printed["kind"], &printed["difference"]["line"]), (&"other output than native".into(), &4.into()));

    let junit = read("junit.xml");
    assert!(junit.contains(r#"<testsuite name="wasip1" tests="19" skipped="7" errors="0" failures="6""#), "{junit}");
    assert!(junit.contains("+ 32 bits"), "{junit}");
    assert!(read("report.html").contains("Tests compared across targets"));

    // An old report is removed even if there is no new one.
    let output = harness(&package).args(["--out"]).arg(&out).args(["--", "--no-such-option"]).output().unwrap();
    assert!(output.status.code() == Some(2) && fs::read_dir(&out).unwrap().next().is_none());
}

#[test]
fn a_test_that_exceeds_its_time_is_reported_and_fails() {
    let (_dir, package) = fixture("endless");
    let args = ["--target", "native,wasm32-wasip1", "--time", "1"];
    let output = harness(&package).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(rows(&stdout(&output)).contains(&"lib spins TIMED OUT TIMED OUT".to_owned()), "{output:?}");
}

#[test]
fn a_harness_that_is_not_libtest_is_reported() {
    let (_dir, package) = fixture("endless");
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let own = "\n[lib]\ntest = false\n[[test]]\nname = \"own\"\nharness = false\n";
    fs::write(package.join("Cargo.toml"), manifest + own).unwrap();
    fs::create_dir(package.join("tests")).unwrap();
    // Natively its output looks like that of libtest.
    let own = r#"fn main() { println!("{}", if cfg!(target_os = "wasi") { "all is well" } else { "one: test" }); }"#;
    fs::write(package.join("tests/own.rs"), own).unwrap();
    let output = harness(&package).args(["--target", "native,wasm32-wasip1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("FAILED test own, wasip1: its list has the line \"all is well\": its harness is not"),
        "{text}"
    );
    assert!(rows(&text).contains(&"test own one ignored NOT RUN".to_owned()), "{text}");
}

#[test]
fn node_is_a_host_or_is_reported_as_missing() {
    let (_dir, package) = fixture("outcomes");
    let args = ["--target", "native,wasm32-wasip1", "--host", "node", "--filter", "panic", "--skip", "catches"];
    let is_there = Command::new("node").arg("--version").output().is_ok();
    if is_there {
        let output = harness(&package).args(args).output().unwrap();
        let text = stdout(&output);
        assert!(totals(&text)[1].starts_with("wasip1 Node 5 2 2 3 0 0 1"), "{text}");
    }
    // This path has only cargo and rustc.
    let cargo = Path::new(env!("CARGO")).parent().unwrap();
    let output = harness(&package).args(args).env("PATH", cargo).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--host node: there is no `node`: ") && stderr.contains("https://nodejs.org"), "{stderr}");
}

#[test]
#[cfg(unix)]
fn a_host_that_maps_files_is_a_column_beside_wasmtime() {
    let (_dir, package) = fixture("outcomes");
    let args = ["--target", "native,wasm32-wasip1", "--host", "wasmtime,hosted", "--filter", "passes"];
    let output = harness(&package).args(args).output().unwrap();
    let text = stdout(&output);
    assert!(output.status.success() && totals(&text)[2].starts_with("wasip1 hosted 1 1 0 0 0 0 0"), "{text}");
}

#[test]
fn missing_tools_and_wrong_arguments_are_reported() {
    let (_dir, package) = fixture("endless");
    let fails = |args: &[&str], env: &[(&str, &Path)], text: &str| {
        let output = harness(&package).args(args).envs(env.iter().copied()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(text), "{args:?}: {stderr}");
    };
    fails(&["--target", "wasm32-unknown-unknown"], &[], "is none of native, wasm32-wasip1 and wasm32-wasip2");
    fails(&["--target", "native"], &[], "a comparison needs two");
    fails(&["--host", "wasmer"], &[], "\"wasmer\" is none of the hosts wasmtime, node, ");
    fails(&["--package", "/no/such/package"], &[], "there is no package");
    fails(&["--wasi-dir", "/no/such/dir"], &[], "--wasi-dir: there is no file /no/such/dir/Cargo.toml");
    fails(&["--wasi-dir", ".", "--published", "hex"], &[], "--wasi-dir belongs to a local package");
    fails(&["--", "--no-such-option"], &[], "cargo test --no-run failed");
    // A missing compiler is reported like a missing target.
    fails(&[], &[("PATH", &package)], "`rustup target add wasm32-wasip1`");
}

/// A package whose tests map its files through memmap2, and print the name of its directory.
#[cfg(unix)]
const MAPS_FILES: [(&str, &str); 4] = [
    ("Cargo.toml", "[package]\nname = \"lookup\"\nedition = \"2024\"\n[dependencies]\nmemmap2 = \"0.9\"\n"),
    ("words.txt", "one two\n"),
    ("src/lib.rs", ""),
    (
        "tests/files.rs",
        r#"fn map(path: &str) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    unsafe { memmap2::Mmap::map(&file) }.unwrap().to_vec()
}

#[test]
fn a_file_beside_the_manifest_is_mapped() {
    assert_eq!(map("words.txt"), b"one two\n");
    assert!(map("Cargo.toml").starts_with(b"[package]"));
}

#[test]
fn its_absolute_name_is_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/words.txt");
    println!("{path} in {}", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    assert_eq!(map(path), b"one two\n");
}

#[test]
fn a_temporary_file_is_mapped() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/file");
    println!("{path}");
    std::fs::write(path, "bytes").unwrap();
    assert_eq!(map(path), b"bytes");
}
"#,
    ),
];

#[cfg(unix)]
fn cargo(dir: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO")).args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates the package, and its directory for WASI with the façade, as the façade's page describes it.
#[cfg(unix)]
fn package_with_wasi_dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("lookup");
    for (name, text) in MAPS_FILES {
        let path = package.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    cargo(&package, &["generate-lockfile"]);
    let wasi = package.join("wasi");
    fs::create_dir_all(wasi.join(".cargo")).unwrap();
    for name in ["Cargo.toml", "src", "tests"] {
        std::os::unix::fs::symlink(Path::new("..").join(name), wasi.join(name)).unwrap();
    }
    fs::copy(package.join("Cargo.lock"), wasi.join("Cargo.lock")).unwrap();
    let facade = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("compat/memmap2");
    let patch = format!("[patch.crates-io]\nmemmap2 = {{ path = \"{}\" }}\n", facade.display());
    fs::write(wasi.join(".cargo/config.toml"), format!("[build]\ntarget = \"wasm32-wasip1\"\n{patch}")).unwrap();
    cargo(&wasi, &["update", "memmap2"]);
    (dir, package)
}

#[test]
#[cfg(unix)]
fn a_directory_for_wasi_has_its_own_configuration_and_the_files_of_the_package() {
    let (_dir, package) = package_with_wasi_dir();
    let run = |package: &Path, args: &[&str]| {
        let output = harness(package).args(["--target", "native,wasm32-wasip1"]).args(args).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let lock = fs::read(package.join("Cargo.lock")).unwrap();
    let wasi = package.join("wasi");
    let (code, text) = run(&package, &["--wasi-dir", wasi.to_str().unwrap()]);
    assert!(code == Some(0) && text.contains("\n3 tests equal in 2 columns, 0 not\n"), "{text}");
    assert!(totals(&text)[1].starts_with("wasip1 3 3 0 0 0 0 0 "), "{text}");
    assert_eq!(fs::read(package.join("Cargo.lock")).unwrap(), lock);

    // Without the option all columns have the published memmap2, which maps no files on WASI.
    let (code, text) = run(&package, &["--filter", "temporary"]);
    assert!(code == Some(1) && rows(&text)[1].ends_with(" passed FAILED"), "{text}");
    // The native column is built for this machine, whatever cargo is configured to build.
    let args = ["--target", "native,wasm32-wasip1", "--filter", "temporary", "--wasi-dir", wasi.to_str().unwrap()];
    let output = harness(&package).args(args).env("CARGO_BUILD_TARGET", "wasm32-wasip1").output().unwrap();
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("\n1 tests equal in 2 columns, 0 not\n"), "{text}");
    // That is so in the directory for WASI, too. Its memmap2 maps files only on WASI.
    let (code, text) = run(&wasi, &["--filter", "temporary"]);
    assert!(code == Some(1) && rows(&text)[1].ends_with(" FAILED passed"), "{text}");
}
