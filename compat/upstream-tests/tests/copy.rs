//! The memmap2 that the façade hands through to is the one that was published.

#![cfg(not(target_os = "wasi"))]

use std::fs;
use std::path::Path;

#[test]
fn the_copy_of_memmap2_is_as_it_was_published() {
    let published = Path::new(env!("PUBLISHED"));
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../upstream");
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&copy.join("src")), names(&published.join("src")));
    let sources = names(&copy.join("src")).into_iter().map(|name| Path::new("src").join(name));
    for name in sources.chain(["LICENSE-APACHE".into(), "LICENSE-MIT".into()]) {
        // Not of interest is how a checkout ends its lines.
        let read = |dir: &Path| fs::read_to_string(dir.join(&name)).unwrap().replace("\r\n", "\n");
        assert!(read(&copy) == read(published), "{} is not as it was published", name.display());
    }
}
