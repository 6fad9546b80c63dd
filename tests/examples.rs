//! Tests what the example programs print, and the errors that they report.
#![cfg(not(any(target_os = "wasi", miri)))] // Neither a guest on WASI nor Miri can start programs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The path of an example. `cargo test` builds the examples beside the directory of this test program.
fn example(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path =
        here.ancestors().nth(2).unwrap().join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.is_file(), "there is no {}: `cargo build --examples` makes it", path.display());
    path
}

fn run(name: &str, args: &[&dyn AsRef<OsStr>]) -> Output {
    Command::new(example(name)).args(args.iter().map(AsRef::as_ref)).output().unwrap()
}

/// The output of a program that succeeds.
fn printed(name: &str, args: &[&dyn AsRef<OsStr>]) -> String {
    let output = run(name, args);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The error output of a program that fails.
fn failed(name: &str, args: &[&dyn AsRef<OsStr>]) -> String {
    let output = run(name, args);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// An empty directory for a test.
fn dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// A file with this content.
fn file(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn hello_prints_what_python_prints() {
    let dir = dir("hello");
    assert_eq!(printed("hello", &[&dir]), "b'Hello Python!\\n'\nb'Hello'\nb'Hello  world!\\n'\n");
    assert_eq!(fs::read(dir.join("hello.txt")).unwrap(), b"Hello  world!\n");
    assert!(failed("hello", &[&dir.join("none")]).starts_with("hello: "));
    assert!(failed("hello", &[]).starts_with("usage: "));
}

#[test]
fn grep_prints_the_lines_that_match() {
    let dir = dir("grep");
    let text = file(&dir, "text", b"one two\nthree\n\ntwo two\nlast \xff two");
    let grep = |pattern: &str, path: &Path| printed("grep", &[&pattern, &path]);
    assert_eq!(grep("^t", &text), "2:three\n4:two two\n2 matching lines, 2 matches\n");
    assert_eq!(grep("e", &text), "1:one two\n2:three\n2 matching lines, 3 matches\n");
    assert_eq!(grep("^$", &text), "3:\n1 matching lines, 1 matches\n");
    assert_eq!(grep("four", &text), "0 matching lines, 0 matches\n");
    // Bytes that are not UTF-8 are printed as they are.
    let output = run("grep", &[&"last", &text]);
    assert_eq!(output.stdout, b"5:last \xff two\n1 matching lines, 1 matches\n");
    // There is no line after the last newline, and none in an empty file.
    let newline = file(&dir, "newline", b"a\nb\n");
    assert_eq!(grep("$", &newline), "1:a\n2:b\n2 matching lines, 2 matches\n");
    assert_eq!(grep("", &file(&dir, "empty", b"")), "0 matching lines, 0 matches\n");
}

#[test]
fn grep_counts_the_lines_that_it_does_not_print() {
    let path = file(&dir("grep-many"), "many", "yes\nno\n".repeat(30).as_bytes());
    let output = printed("grep", &[&"yes", &path]);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[19]), (21, "1:yes", "39:yes"));
    assert_eq!(lines[20], "30 matching lines, 30 matches");
}

#[test]
fn grep_reports_why_it_cannot_search() {
    let dir = dir("grep-errors");
    assert!(failed("grep", &[&"(", &dir.join("any")]).contains("regex parse error"));
    let none = dir.join("none");
    let message = failed("grep", &[&"a", &none]);
    assert!(message.starts_with(&format!("grep: cannot open `{}`: ", none.display())), "{message}");
    assert!(failed("grep", &[&"a", &dir]).starts_with("grep: "));
    assert!(failed("grep", &[&"a"]).starts_with("usage: "));
}

#[test]
fn replace_changes_the_file_in_place() {
    let path = file(&dir("replace"), "text", b"cats, cat; dog, ccat");
    assert_eq!(printed("replace", &[&"cat", &"cow", &path]), "3 replaced\n");
    assert_eq!(fs::read(&path).unwrap(), b"cows, cow; dog, ccow");
    assert_eq!(printed("replace", &[&"cat", &"cow", &path]), "0 replaced\n");
    // Replaced bytes are not searched again.
    let path = file(&dir("replace-again"), "text", b"aaaaa");
    assert_eq!(printed("replace", &[&"aa", &"ba", &path]), "2 replaced\n");
    assert_eq!(fs::read(&path).unwrap(), b"babaa");
    let empty = file(&dir("replace-empty"), "empty", b"");
    assert_eq!(printed("replace", &[&"a", &"b", &empty]), "0 replaced\n");
}

#[test]
fn replace_fails_for_another_length_and_leaves_the_file() {
    let path = file(&dir("replace-errors"), "text", b"cats");
    let message = failed("replace", &[&"cat", &"bird", &path]);
    assert_eq!(message.trim_end(), "replace: FROM has 3 bytes and TO has 4: they must be equally long, and not empty");
    assert!(failed("replace", &[&"", &"", &path]).contains("FROM has 0 bytes"));
    assert!(failed("replace", &[&"cat", &"cow", &path.join("none")]).starts_with("replace: cannot open `"));
    assert!(failed("replace", &[&"cat", &path]).starts_with("usage: "));
    assert_eq!(fs::read(&path).unwrap(), b"cats");
}
