//! Finds the published memmap2, and copies its tests to the output directory.
//!
//! The tests are not in this repository: cargo downloads them, because this package depends on memmap2 on native
//! targets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let source = source();
    let tests = fs::read_to_string(source.join("test/map.rs"))
        .unwrap_or_else(|e| panic!("{} has no test/map.rs: {e}", source.display()));
    let count = tests.matches("#[test]").count();
    assert!(count > 20, "only {count} tests in {}", source.display());
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("map.rs"), tests).expect("the tests can be written");
}

/// Returns the folder of the published memmap2's source. `cargo metadata` lists the dependencies of all platforms, so
/// it works for WASI too.
fn source() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version=1", "--manifest-path", "Cargo.toml"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let real = packages.iter().find(|package| package["name"] == "memmap2" && !package["source"].is_null());
    let manifest =
        real.and_then(|package| package["manifest_path"].as_str()).expect("the published memmap2 is among them");
    Path::new(manifest).parent().expect("a manifest is in a folder").to_path_buf()
}
