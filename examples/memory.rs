//! A module without imports from its host: it maps bytes in memory, and uses them as a slice and as a file.
//!
//! Built for `wasm32-unknown-unknown`, where there are no files, it maps bytes that the program holds, and anonymous
//! memory. `make test-memory` runs it in Node.

use std::io::{self, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portable_mmap::{Metadata, Mmap, MmapOptions, OpenMode, Storage};

/// Bytes that the program can still read while they are mapped.
#[derive(Clone)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Converts an offset to an index, or returns an error if it is larger than any index.
fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl Storage for Bytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.lock();
        let rest = bytes.get(index(offset)?..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.lock()[index(offset)?..][..buf.len()].copy_from_slice(buf);
        Ok(buf.len())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Ok(Metadata::new(self.lock().len() as u64, OpenMode::READ_WRITE))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().resize(index(len)?, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Maps 10,000 bytes (the byte at `i` is `i % 251`), changes some and resizes them to 10,010; then writes two words to
/// 100 bytes of anonymous memory. Returns a checksum of both.
fn edit() -> portable_mmap::Result<u32> {
    let bytes = Bytes(Arc::new(Mutex::new((0..10_000_u32).map(|i| (i % 251) as u8).collect())));
    let mut map = MmapOptions::new().map_storage(bytes.clone())?;
    map.set_slice(5000..5006, b"Hello ")?;
    map[9999] = b'!';
    map.flush()?;
    map.resize(10_010)?;
    map.seek(SeekFrom::Start(10_000))?;
    map.write_bytes(b"0123456789")?;
    map.close()?;

    let mut anonymous = Mmap::anonymous(100)?;
    anonymous.write_bytes(b"Hello world")?;
    let at = anonymous.find_in(b"world", 0..100)?.unwrap_or(0);
    anonymous.move_within(at + 10, at, 5)?;
    Ok(checksum(&anonymous, checksum(&bytes.lock(), 0)))
}

fn checksum(bytes: &[u8], start: u32) -> u32 {
    bytes.iter().fold(start, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// Returns the checksum of [`edit`] to the host; 0 if something fails, or if a file can be opened.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u32 {
    // SAFETY: nobody else uses the file, which does not exist.
    if unsafe { MmapOptions::new().open("no such file") }.is_ok() {
        return 0;
    }
    edit().unwrap_or(0)
}
