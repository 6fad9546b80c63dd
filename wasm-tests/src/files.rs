//! Describes the files that a case has left in its directory, as the host reads them: the last lines of its transcript.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::Hasher as _;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Files up to this many bytes are shown whole.
const SHOWN: u64 = 256;

/// The unit of the hash. A block of zeros has the same hash whether it is stored or a hole.
const BLOCK: usize = 64 << 10;

/// A line for each file, directory and symbolic link under `dir`, in the order of their names.
///
/// The line of a file has its length and a hash of its content, and the content if that is short. The hash covers every
/// byte, but holes are not read, and a hole is the same as zeros. So sparse files of many gigabytes are fast, and the
/// hash does not depend on how they were written.
///
/// # Errors
///
/// Fails if a file or directory cannot be read.
pub fn describe(dir: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    describe_into(dir, "", &mut lines)?;
    Ok(lines)
}

fn describe_into(dir: &Path, prefix: &str, lines: &mut Vec<String>) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().display());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            lines.push(format!("directory {name}"));
            describe_into(&entry.path(), &format!("{name}/"), lines)?;
        } else if kind.is_symlink() {
            lines.push(format!("link {name} to {}", fs::read_link(entry.path())?.display()));
        } else {
            lines.push(format!("file {name}: {}", describe_file(&entry.path())?));
        }
    }
    Ok(())
}

fn describe_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let hash = hash(&mut file, len)?;
    let mut line = format!("{len} bytes, {hash:016x}");
    if len <= SHOWN {
        file.rewind()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        _ = write!(line, ", \"{}\"", bytes.escape_ascii());
    }
    Ok(line)
}

/// A hash of every block that is not zeros, with its position.
///
/// The hash is std's, whose algorithm may change between releases of Rust, so compare hashes only within a run.
fn hash(file: &mut File, len: u64) -> io::Result<u64> {
    let mut hasher = std::hash::DefaultHasher::new();
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    while let Some(start) = next_data(file, at, len)? {
        // Extents of data begin anywhere; blocks do not.
        at = start - start % BLOCK as u64;
        let wanted = usize::try_from(len - at).map_or(BLOCK, |left| left.min(BLOCK));
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut block[..wanted])?;
        if block[..wanted].iter().any(|&byte| byte != 0) {
            hasher.write_u64(at);
            hasher.write(&block[..wanted]);
        }
        at += wanted as u64;
    }
    Ok(hasher.finish())
}

/// The next position, from `at`, that is not in a hole, or `None` if there are only holes.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
fn next_data(file: &File, at: u64, len: u64) -> io::Result<Option<u64>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    if at >= len {
        return Ok(None);
    }
    match seek(file, SeekFrom::Data(at)) {
        Ok(start) if start < len => Ok(Some(start)),
        Ok(_) | Err(Errno::NXIO) => Ok(None),
        // The file system does not report holes.
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(Some(at)),
        Err(error) => Err(error.into()),
    }
}

/// The same for systems that do not report holes: everything is read.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
#[expect(clippy::unnecessary_wraps, reason = "one signature on every system")]
fn next_data(_file: &File, at: u64, len: u64) -> io::Result<Option<u64>> {
    Ok((at < len).then_some(at))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::path::Path;

    use super::describe;

    fn line_of(dir: &Path, make: impl FnOnce(&mut File)) -> String {
        let path = dir.join("file");
        make(&mut File::create(&path).unwrap());
        let lines = describe(dir).unwrap();
        assert_eq!(lines.len(), 1);
        lines.into_iter().next().unwrap()
    }

    #[test]
    fn names_are_in_order_and_short_files_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b"), b"a\n\xff").unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/c"), b"").unwrap();
        let lines = describe(dir.path()).unwrap();
        assert_eq!(lines[0], "directory a");
        assert!(lines[1].starts_with("file a/c: 0 bytes, "), "{}", lines[1]);
        assert!(lines[2].starts_with("file b: 3 bytes, "), "{}", lines[2]);
        assert!(lines[2].ends_with(r#", "a\n\xff""#), "{}", lines[2]);
    }

    #[test]
    fn a_hole_is_the_same_as_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let len = 1_000_000;
        let stored = line_of(dir.path(), |file| {
            let mut bytes = vec![0; len];
            bytes[500_000] = 1;
            file.write_all(&bytes).unwrap();
        });
        let sparse = line_of(dir.path(), |file| {
            file.set_len(len as u64).unwrap();
            file.seek(SeekFrom::Start(500_000)).unwrap();
            file.write_all(&[1]).unwrap();
        });
        assert_eq!(stored, sparse);
    }

    #[test]
    fn every_byte_and_the_length_change_the_description() {
        let dir = tempfile::tempdir().unwrap();
        let file = |len: usize, at: usize| {
            line_of(dir.path(), |file| {
                file.set_len(len as u64).unwrap();
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.write_all(&[1]).unwrap();
            })
        };
        let base = file(300_000, 299_999);
        for other in [file(300_000, 299_998), file(300_000, 0), file(300_001, 299_999), file(300_000, 65_536)] {
            assert_ne!(base, other);
        }
        assert_eq!(base, file(300_000, 299_999));
        // The same block at another position.
        assert_ne!(file(1 << 20, 100), file(1 << 20, 65_636));
    }

    #[test]
    fn a_large_sparse_file_is_described_quickly() {
        let dir = tempfile::tempdir().unwrap();
        let start = std::time::Instant::now();
        line_of(dir.path(), |file| {
            file.seek(SeekFrom::Start(64 << 30)).unwrap();
            file.write_all(b"the end").unwrap();
        });
        // Reading 64 GiB takes a minute or more.
        assert!(!cfg!(target_os = "linux") || start.elapsed().as_secs() < 10);
    }
}
