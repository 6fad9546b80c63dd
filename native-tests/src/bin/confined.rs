//! A guest that tries to access files outside of its directory, or maps a file in every way. The harness's tests run it
//! with different permissions and check its output.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use portable_mmap::{Access, MmapOptions};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["escape", dir, absolute] => escape(Path::new(dir), Path::new(absolute)),
        ["modes", file] => modes(Path::new(file)),
        _ => {
            eprintln!("confined: unknown command {args:?}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Tries every way out of `dir`, and prints for each whether it succeeded. Beside `dir` the host has put a folder,
/// whose absolute path is `absolute`, with a file `secret` in it. `dir` has links to both.
fn escape(dir: &Path, absolute: &Path) {
    let routes = [
        ("by ..", dir.join("../outside/secret")),
        ("by an absolute path", absolute.join("secret")),
        ("by a relative link", dir.join("link")),
        ("by an absolute link", dir.join("absolute-link")),
        ("by a link to the folder", dir.join("folder-link/secret")),
    ];
    for (number, (route, path)) in routes.iter().enumerate() {
        tell(route, "map to read", map_to_read(path));
        tell(route, "map to write", map_to_write(path));
        tell(route, "read", fs::read(path).map(drop));
        tell(route, "append", append(path));
        tell(route, "hard link", hard_link(path, &dir.join(format!("stolen-{number}"))));
    }
    let folders = [
        ("by ..", dir.join("../outside")),
        ("by an absolute path", absolute.to_path_buf()),
        ("by a link to the folder", dir.join("folder-link")),
    ];
    for (number, (route, folder)) in folders.iter().enumerate() {
        tell(route, "list", fs::read_dir(folder).map(drop));
        tell(route, "create", fs::write(folder.join(format!("created-{number}")), "new"));
        tell(route, "rename into", fs::rename(dir.join("own"), folder.join(format!("own-{number}"))));
        // Restore the file for the next round.
        fs::write(dir.join("own"), "own").expect("the own directory can be written");
    }
}

fn tell(route: &str, action: &str, result: io::Result<()>) {
    match result {
        Ok(()) => println!("{action} {route}: succeeded"),
        Err(error) => println!("{action} {route}: failed, {:?}", error.kind()),
    }
}

fn map_to_read(path: &Path) -> io::Result<()> {
    // SAFETY: nobody else has the file open.
    let map = unsafe { MmapOptions::new().access(Access::Read).open(path) }?;
    assert!(map.starts_with(b"secret"), "this is another file");
    Ok(())
}

fn map_to_write(path: &Path) -> io::Result<()> {
    // SAFETY: nobody else has the file open.
    let mut map = unsafe { MmapOptions::new().access(Access::Write).open(path) }?;
    map[0] = b'S';
    map[0] = b's';
    Ok(map.flush()?)
}

fn append(path: &Path) -> io::Result<()> {
    // Without `create`, because a new file inside the directory would count as a way out.
    OpenOptions::new().append(true).open(path)?.write_all(b"!")
}

/// A hard link to a symbolic link may succeed. It is a way out only if the secret can then be read.
fn hard_link(path: &Path, to: &PathBuf) -> io::Result<()> {
    fs::hard_link(path, to)?;
    fs::read(to).map(drop)
}

/// Maps a file with each access, through a file opened to read and one opened to write if that is allowed, and prints
/// the results.
fn modes(path: &Path) {
    for access in [Access::Read, Access::Copy, Access::Default, Access::Write] {
        let mut options = MmapOptions::new();
        options.access(access);
        // SAFETY: nobody else has the file open.
        report("opened by the mapping", access, unsafe { options.open(path) });
        let file = File::open(path).expect("the file can be read");
        // SAFETY: nobody else has the file open.
        report("opened to read", access, unsafe { options.map(file) });
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        // SAFETY: nobody else has the file open.
        Ok(file) => report("opened to write", Access::Write, unsafe { MmapOptions::new().map(file) }),
        Err(error) => println!("opened to write: {:?}", error.kind()),
    }
}

fn report(how: &str, access: Access, map: Result<portable_mmap::Mmap, portable_mmap::Error>) {
    let mut map = match map {
        Ok(map) => map,
        Err(error) => {
            println!("{how}, {access:?}: {:?}", io::Error::from(error).kind());
            return;
        }
    };
    let before = map[..4].escape_ascii().to_string();
    if access == Access::Read {
        println!("{how}, {access:?}: reads {before}");
        return;
    }
    // Each mapping that reaches the file increments the first letter, so that every one of them is visible.
    map[0] += 1;
    let flushed = map.flush().map_err(|error| io::Error::from(error).kind());
    println!("{how}, {access:?}: changes {before} to {}, flush: {flushed:?}", map[..4].escape_ascii());
}
