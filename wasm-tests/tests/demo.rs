//! The demo with wrong or missing programs. `make demo` runs the right programs.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Target, guest};
use tempfile::TempDir;
use wasm_tests::sandbox::HAS_HOST_MAPPING;

const TARGETS: [(&str, Target); 3] =
    [("native", Target::Native), ("wasip1", Target::Wasip1), ("wasip2", Target::Wasip2)];

/// Creates a file, and a directory of programs for each target. All programs are the hostile guest, which has none of
/// their commands.
fn directories() -> TempDir {
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
fn wrong_programs_are_reported() {
    let (code, text) = demo(directories().path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    // wasip1 with mappings of the host is one more column.
    let columns = TARGETS.len() + usize::from(HAS_HOST_MAPPING);
    assert!(text.ends_with(&format!("\n0 passed, {} failed\n", 3 * columns)), "{text}");
    assert!(text.contains("8 B, 1 times \"error\", to be replaced by \"ERROR\"\n"), "{text}");
    assert!(text.contains("FAILED replace, wasip1: the file has not changed\n"), "{text}");
    assert!(text.contains("FAILED grep, wasip1: it ended with Exited(2): hostile: unknown command"), "{text}");
    assert!(text.lines().filter(|line| line.starts_with(['┌', '│'])).all(|line| line.chars().count() <= 100));
}

#[test]
fn missing_files_and_programs_are_reported() {
    let root = directories();
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
