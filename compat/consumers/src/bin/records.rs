//! A vector of the crate `memvec` in a file: it grows by mapping the file again, and is written through the mapping.

use std::fs::{self, OpenOptions};

use memmap2::MmapOptions;
use memvec::{MemVec, MmapFile};

#[derive(Clone, Copy)]
#[repr(C)]
struct Record {
    number: u64,
    square: u64,
}

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        let path = dir.join("records.bin");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let mut len = 0;
        let memory = MmapFile::new(file, &mut len, MmapOptions::new())?;
        // SAFETY: every pattern of bits is a record.
        let mut records =
            unsafe { MemVec::<Record, _>::try_from_memory(memory) }.map_err(|_| "no vector can be made")?;
        for number in 0..5000 {
            records.push(Record { number, square: number * number });
        }
        records.swap_remove(17);
        records.retain(|record| record.number % 3 != 0);
        records.insert(2, Record { number: 1 << 40, square: 0 });
        records.shrink_to_fit();
        println!("{} records, {} in the middle", records.len(), records[records.len() / 2].square);
        drop(records);
        let bytes = fs::read(&path)?;
        println!("{} bytes, {}", bytes.len(), blake3::hash(&bytes));
        Ok(())
    })
}
