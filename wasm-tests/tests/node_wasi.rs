//! The script that runs a program in Node's own WASI: its usage, and its messages for programs that it cannot run.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// An empty module with a function `_start` that returns.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
    \x07\x13\x02\x06_start\0\0\x06memory\x02\0\x0a\x04\x01\x02\0\x0b";

/// A module that imports the function `f` of the host that maps files.
const HOSTED: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\
    \x02\x22\x01\x1cportable-mmap:host/map@0.1.0\x01f\0\0";

/// A module that imports the function `f` of a module `x`.
const LINKED: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01x\x01f\0\0";

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Runs the script in a directory. If there is no Node, prints what is not checked.
fn node(dir: &Path, args: &[&str]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hosts/node-wasi.mjs");
    let output = Command::new("node").arg(script).args(args).current_dir(dir).output().ok();
    if output.is_none() {
        // Not with a macro, because the test harness captures its output.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "NOT CHECKED: node-wasi.mjs, because there is no `node`").unwrap();
    }
    output
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn help_prints_the_usage() {
    let dir = tempfile::tempdir().unwrap();
    let Some(output) = node(dir.path(), &["--help"]) else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(text(&output.stdout).starts_with("usage: node node-wasi.mjs [--dir HOST[::GUEST]]... PROGRAM"));
    let output = node(dir.path(), &[]).unwrap();
    assert!(output.status.code() == Some(2) && text(&output.stderr).starts_with("usage: "), "{output:?}");
}

#[test]
fn a_program_that_cannot_run_is_reported_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let modules = [("module.wasm", MODULE), ("hosted.wasm", HOSTED), ("linked.wasm", LINKED)];
    for (name, bytes) in modules.into_iter().chain([("component.wasm", COMPONENT), ("text", b"(module)")]) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let Some(output) = node(dir.path(), &["--dir", ".", "module.wasm"]) else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for (args, message) in [
        (&["no-such.wasm"][..], "cannot read no-such.wasm: ENOENT"),
        (&["component.wasm"], "component.wasm is a component of wasip2, and Node runs wasip1 only\n"),
        (&["text"], "cannot load text: "),
        (&["hosted.wasm"], "hosted.wasm is built with the feature host-mapping, so its host must map files, "),
        (&["linked.wasm"], "cannot run linked.wasm: "),
        (&["--dir", "no-such-dir", "module.wasm"], "cannot open no-such-dir: "),
    ] {
        let output = node(dir.path(), args).unwrap();
        let stderr = text(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.lines().count() == 1, "{args:?}: {stderr}");
        assert!(stderr.starts_with(&format!("node-wasi.mjs: {message}")), "{args:?}: {stderr}");
    }
}
