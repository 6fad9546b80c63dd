//! Runs a case in this process.

use std::cell::RefCell;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use native_tests::{Case, Ends, FileBackend, Scene};

/// Runs a case in its own directory, with the scene that `prepare` returns. Returns the transcript, including the
/// files that the case leaves.
pub(crate) fn play<B: FileBackend>(
    case: &Case<B>,
    prepare: impl FnOnce(Scene<B>) -> Scene<B>,
) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().map_err(|e| format!("no directory for the case: {e}"))?;
    let transcript = Rc::new(RefCell::new(Vec::new()));
    let lines = transcript.clone();
    let mut scene = prepare(Scene::new(dir.path(), move |line| lines.borrow_mut().push(line.to_owned())));
    let ended = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut scene)));
    let message = ended.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => {
            panic.downcast::<&str>().map_or_else(|_| "a panic without a message".into(), |text| text.to_string())
        }
    });
    match (case.ends, message) {
        (Ends::Finishing, Ok(())) => {}
        (Ends::Finishing, Err(message)) => return Err(message),
        (Ends::Panicking(text), Ok(())) => return Err(format!("did not panic with {text:?}")),
        (Ends::Panicking(text), Err(message)) if message.contains(text) => {}
        (Ends::Panicking(text), Err(message)) => return Err(format!("panicked with {message:?}, not {text:?}")),
    }
    let mut lines = transcript.take();
    if lines.is_empty() {
        return Err("the transcript of the case is empty".into());
    }
    lines.extend(files(dir.path())?);
    Ok(lines)
}

/// Returns a line for each file that a case has left.
fn files(dir: &Path) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let len = path.metadata().map_err(|e| e.to_string())?.len();
        // Large sparse files are checked by the cases themselves. So are all files under Miri, which is slow for every
        // byte.
        let small = path.is_file() && len <= 1 << 30 && !cfg!(miri);
        let hash = if small { hash(&path).map_err(|e| e.to_string())? } else { 0 };
        lines.push(format!("{}: {len} bytes, {hash:016x}", path.file_name().unwrap_or_default().display()));
    }
    lines.sort();
    Ok(lines)
}

/// Hashes every block that is not all zeros, with its offset: most of a large file is a hole.
fn hash(path: &Path) -> io::Result<u64> {
    const ZEROS: &[u8] = &[0; 1 << 16];
    let (mut file, mut block, mut hasher) = (File::open(path)?, Vec::new(), DefaultHasher::new());
    for at in 0_u64.. {
        block.clear();
        let n = file.by_ref().take(ZEROS.len() as u64).read_to_end(&mut block)?;
        if n == 0 {
            break;
        }
        if block != ZEROS[..n] {
            hasher.write_u64(at);
            hasher.write(&block);
        }
    }
    Ok(hasher.finish())
}
