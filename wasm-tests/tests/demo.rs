//! The demo with programs that do something else than they should, or are not there. `make demo` runs the right ones.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Target, guest};
use tempfile::TempDir;
use wasm_tests::sandbox::HAS_HOST_MAPPING;

const TARGETS: [(&str, Target); 3] =
    [("native", Target::Native), ("wasip1", Target::Wasip1), ("wasip2", Target::Wasip2)];

/// A file, and a folder of programs for each target: all of them the hostile guest, which knows none of their commands.
fn ground() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "an error").unwrap();
    for (name, target) in TARGETS {
        let folder = root.path().join(name);
        fs::create_dir(&folder).unwrap();
        let program = guest(target, "hostile");
        for name in ["hello", "grep", "replace"] {
            let copy = folder.join(name).with_extension(program.extension().unwrap_or_default());
            fs::copy(&program, copy).unwrap();
        }
    }
    root
}

fn demo(root: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-tests"));
    command.arg("demo").arg("--file").arg(root.join("file")).args(args);
    for (name, _) in TARGETS {
        command.arg(format!("--{name}-dir")).arg(root.join(name));
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn programs_that_do_something_else_are_told() {
    let (code, text) = demo(ground().path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    // wasip1 with mappings of the host is one more.
    let columns = TARGETS.len() + usize::from(HAS_HOST_MAPPING);
    assert!(text.ends_with(&format!("\n0 passed, {} failed\n", 3 * columns)), "{text}");
    assert!(text.contains("8 B, 1 times \"error\", to be replaced by \"ERROR\"\n"), "{text}");
    assert!(text.contains("FAILED replace, wasip1: the file has not changed\n"), "{text}");
    assert!(text.contains("FAILED grep, wasip1: it ended with Exited(2): hostile: unknown command"), "{text}");
    assert!(text.lines().filter(|line| line.starts_with(['┌', '│'])).all(|line| line.chars().count() <= 100));
}

#[test]
fn what_is_missing_is_told() {
    let root = ground();
    let (code, text) = demo(root.path(), &["--pattern", "absent"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the file does not contain \"absent\""), "{text}");

    fs::remove_file(root.path().join("wasip2/grep.wasm")).unwrap();
    let (code, text) = demo(root.path(), &[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("grep.wasm"), "{text}");

    fs::remove_file(root.path().join("file")).unwrap();
    let (code, text) = demo(root.path(), &[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("cannot read "), "{text}");
}
