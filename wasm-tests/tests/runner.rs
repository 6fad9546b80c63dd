//! The cargo runner, called like cargo calls it, and by cargo.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Target, guest};

const RUNNER: &str = env!("CARGO_BIN_EXE_wasm-tests");

fn run(target: Target, before: &[&str], args: &[&str]) -> Output {
    let mut command = Command::new(RUNNER);
    command.arg("run").args(before).arg(guest(target, "hostile")).args(args);
    command.env("RUST_BACKTRACE", "0").env("SECRET", "1").env("RUST_LOG", "passed");
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    str::from_utf8(&output.stdout).unwrap()
}

const BOTH: [Target; 2] = [Target::Wasip1, Target::Wasip2];

#[test]
fn it_exits_with_the_code_of_the_guest() {
    for target in BOTH {
        assert_eq!(run(target, &[], &["exit", "0"]).status.code(), Some(0));
        // A component reports only that it failed.
        let failed = if target == Target::Wasip1 { 101 } else { 1 };
        assert_eq!(run(target, &[], &["exit", "101"]).status.code(), Some(failed));
        // A code that does not fit into eight bits must not become success.
        assert!(!run(target, &[], &["exit", "256"]).status.success());
        assert_eq!(run(target, &[], &["trap"]).status.code(), Some(134));
        assert_eq!(run(target, &["--time", "1"], &["spin"]).status.code(), Some(124));
    }
}

#[test]
fn a_panic_and_an_exceeded_memory_limit_are_on_standard_error() {
    for target in BOTH {
        let output = run(target, &[], &["panic", "index out of range"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(134));
        assert!(
            stderr.contains("\nindex out of range\n") && stderr.contains("the guest trapped: wasm trap:"),
            "{stderr}"
        );

        let stderr = String::from_utf8(run(target, &["--memory", "64"], &["allocate"]).stderr).unwrap();
        assert!(stderr.contains("bytes of memory, and its limit is 67108864"), "{stderr}");
    }
}

#[test]
fn arguments_after_the_program_belong_to_the_guest() {
    for target in BOTH {
        let output = run(target, &[], &["args", "--help", "--dir", "a b"]);
        assert_eq!(stdout(&output), "[\"args\", \"--help\", \"--dir\", \"a b\"]\n");
    }
}

#[test]
fn only_the_environment_of_cargo_is_passed() {
    for target in BOTH {
        let output = run(target, &["--env", "GIVEN=1"], &["env"]);
        let env: Vec<&str> = stdout(&output).lines().collect();
        for wanted in ["RUST_LOG=passed", "GIVEN=1", concat!("CARGO_MANIFEST_DIR=", env!("CARGO_MANIFEST_DIR"))] {
            assert!(env.contains(&wanted), "{wanted} is not in {env:?}");
        }
        assert!(!env.iter().any(|line| line.starts_with("SECRET=") || line.starts_with("PATH=")), "{env:?}");
        assert!(stdout(&run(target, &["--env", "SECRET"], &["env"])).contains("SECRET=1\n"));
    }
}

#[test]
fn only_granted_directories_are_accessible() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "content").unwrap();
    let path = dir.path().to_str().unwrap();
    let (file, renamed) = (format!("{path}/file"), format!("{path}::/renamed"));
    for target in BOTH {
        // The directory of the package, in which cargo runs tests.
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(stdout(&run(target, &[], &["cat", "Cargo.toml"])), fs::read_to_string(manifest).unwrap());
        assert_eq!(stdout(&run(target, &[], &["cat", manifest])), fs::read_to_string(manifest).unwrap());

        assert!(!run(target, &[], &["cat", &file]).status.success());
        assert_eq!(stdout(&run(target, &["--dir", path], &["cat", &file])), "content");
        assert_eq!(stdout(&run(target, &["--dir", &renamed], &["cat", "/renamed/file"])), "content");
        assert!(!run(target, &["--read-only-dir", path], &["write", &file, "new"]).status.success());
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert!(run(target, &["--dir", path], &["write", &file, "content"]).status.success());
    }
}

#[test]
fn wrong_arguments_are_reported() {
    let fails = |args: &[&str], text: &str| {
        let output = Command::new(RUNNER).args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr.contains(text), "{args:?}: {stderr}");
    };
    fails(&[], "a command is missing");
    fails(&["run"], "a WebAssembly file to run is missing");
    fails(&["run", "no-such.wasm"], "cannot read no-such.wasm");
    fails(&["run", "Cargo.toml"], "neither a WebAssembly module nor a component");
    fails(&["run", "--dir", "/no/such/dir", "Cargo.toml"], "");
    fails(&["suite", "--native", "x"], "--wasip1 is missing");
}

/// Creates an example crate with a unit test, an integration test with files, and a doctest.
fn example_crate(dir: &Path, addition: &str) {
    for folder in ["src", "tests"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let manifest = "[package]\nname = \"example\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    let doctest = "//! ```\n//! assert!(cfg!(target_os = \"wasi\"));\n//! ```\n";
    let unit = "#[test] fn adds_up() { assert_eq!(std::hint::black_box(1) + 1, ";
    fs::write(dir.join("src/lib.rs"), format!("{doctest}{unit}{addition}); }}\n")).unwrap();
    fs::write(
        dir.join("tests/files.rs"),
        r#"use std::{fs, path::Path};

#[test]
fn reads_its_package() {
    let relative = fs::read_to_string("Cargo.toml").unwrap();
    assert!(relative.contains("example"));
    assert_eq!(relative, fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap());
}

#[test]
fn writes_temporary_files() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("file");
    fs::write(&path, "content").unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "content");
}
"#,
    )
    .unwrap();
}

fn cargo_test(dir: &Path, built: &Path, target: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--offline", "--target", target]).current_dir(dir);
    command.env("CARGO_TARGET_DIR", built);
    let runner = format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace('-', "_"));
    command.env(runner, format!("{RUNNER} run")).env_remove("RUSTFLAGS");
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn cargo_test_works_for_another_crate() {
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        // A separate target directory, so that the directory for tests' files is outside the package.
        let (dir, built) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        example_crate(dir.path(), "2");
        let (success, output) = cargo_test(dir.path(), built.path(), target);
        assert!(success, "{output}");
        for line in [
            "test adds_up ... ok",
            "test reads_its_package ... ok",
            "test writes_temporary_files ... ok",
            "test src/lib.rs - (line 1) ... ok",
        ] {
            assert!(output.contains(line), "{line:?} is not in:\n{output}");
        }
        example_crate(dir.path(), "3");
        let (success, output) = cargo_test(dir.path(), built.path(), target);
        assert!(!success && output.contains("assertion `left == right` failed"), "{output}");
    }
}
