//! Cargo wants a build script of a package that says what it `links`. There is nothing to build.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
