//! An ordered map of the crate `fst`, searched in a mapping of its file. (It is built once, because the result depends
//! on the size of a pointer.)

use std::fs::File;

use fst::{IntoStreamer, Map, Streamer};

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        // SAFETY: nobody changes the file. The `File` is closed after this statement.
        let map = Map::new(unsafe { memmap2::Mmap::map(&File::open(dir.join("words.fst"))?) }?)?;
        println!("{} keys in {} bytes", map.len(), map.as_fst().as_bytes().len());
        let mut found = map.range().ge("012340").lt("012344").into_stream();
        while let Some((key, value)) = found.next() {
            println!("{}: {value}", String::from_utf8_lossy(key));
        }
        Ok(())
    })
}
