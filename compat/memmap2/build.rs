//! Cargo requires a build script for a package with `links`. It has nothing to build.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
