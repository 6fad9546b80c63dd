//! The panics of a mapping that is used as a slice, of a file that was opened by path and then truncated: each contains
//! the path and what to do, and has the location of the caller.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use portable_mmap::{BufferedMmap, MmapOptions};

const LEN: usize = 100_000;

/// A use of the mapping as a slice, and its name.
type Use = (&'static str, fn(&mut BufferedMmap));

const USES: [Use; 11] = [
    ("m[i]", |map| _ = black_box(map[90_000])),
    ("m[i] = b", |map| map[90_000] = 1),
    ("m[a..b]", |map| drop(black_box(map[90_000..].to_vec()))),
    ("m[a..b] = b", |map| map[90_000..].fill(1)),
    ("deref", |map| drop(black_box(map.to_vec()))),
    ("deref_mut", |map| map.fill(1)),
    ("get", |map| _ = black_box(map.get(90_000))),
    ("get_mut", |map| _ = black_box(map.get_mut(90_000))),
    ("contains", |map| _ = black_box(map.contains(&2))),
    ("ends_with", |map| _ = black_box(map.ends_with(b"x"))),
    ("iter", |map| map.iter().for_each(drop)),
];

/// One test, because the hook that finds the location of a panic is the process's.
#[test]
fn a_panic_contains_the_path_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let file_of_panic = Arc::new(Mutex::new(String::new()));
    let noted = file_of_panic.clone();
    panic::set_hook(Box::new(move |info| {
        *noted.lock().unwrap() = info.location().unwrap().file().to_owned();
    }));
    let mut failed = Vec::new();
    for (name, act) in USES {
        std::fs::write(&path, vec![1; LEN]).unwrap();
        let mut map = MmapOptions::new().open_buffered(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap();
        let ended = panic::catch_unwind(AssertUnwindSafe(|| act(&mut map)));
        let message = *ended.unwrap_err().downcast::<String>().unwrap();
        let shown = format!("are gone: `{}` was truncated and has 10 bytes; ", path.display());
        let is_right = message.contains(&shown) && message.contains("call refresh") && message.contains("guard(true)");
        let file = file_of_panic.lock().unwrap().clone();
        if !is_right || (name != "iter" && !file.ends_with("panics.rs")) {
            failed.push(format!("{name}: {message}, in {file}"));
        }
    }
    drop(panic::take_hook());
    assert!(failed.is_empty(), "{failed:#?}");
}
