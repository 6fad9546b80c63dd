//! A guest cannot access files outside its directory, or change a file in a read-only directory.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use common::{Target, guest};
use tempfile::TempDir;
use wasm_tests::child;
use wasm_tests::outcome::{End, Report};
use wasm_tests::sandbox::{Run, Sandbox};

fn main() -> ExitCode {
    common::run_on_both(
        "confined",
        &[
            ("no_path_leads_out_of_the_directory", no_path_leads_out_of_the_directory),
            ("the_same_paths_work_without_a_sandbox", the_same_paths_work_without_a_sandbox),
            ("a_grant_of_the_parent_permits_more_paths", a_grant_of_the_parent_permits_more_paths),
            ("a_hard_link_is_the_file_itself", a_hard_link_is_the_file_itself),
            ("a_read_only_directory_permits_no_writable_mappings", a_read_only_directory_permits_no_writable_mappings),
            ("a_writable_directory_permits_writable_mappings", a_writable_directory_permits_writable_mappings),
        ],
    )
}

const SECRET: &str = "secret";

/// Creates `inside`, which a guest gets, and `outside` beside it, with links from `inside` to `outside`.
fn directories() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let (inside, outside) = (root.path().join("inside"), root.path().join("outside"));
    fs::create_dir(&inside).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), SECRET).unwrap();
    fs::write(inside.join("own"), "own").unwrap();
    symlink("../outside/secret", &inside.join("link"));
    symlink("../outside", &inside.join("folder-link"));
    symlink(outside.join("secret").to_str().unwrap(), &inside.join("absolute-link"));
    root
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) {
    std::os::unix::fs::symlink(target, link).unwrap();
}

#[cfg(windows)]
fn symlink(target: &str, link: &Path) {
    let made = if target.ends_with("secret") {
        std::os::windows::fs::symlink_file(target, link)
    } else {
        std::os::windows::fs::symlink_dir(target, link)
    };
    made.expect("a symbolic link, which on Windows requires the developer mode");
}

/// The files in `outside`, which must not change.
fn outside(root: &TempDir) -> BTreeMap<String, String> {
    fs::read_dir(root.path().join("outside"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The attempts that succeeded, and the number of attempts.
fn attempts(report: &Report) -> (Vec<String>, usize) {
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    let stdout = str::from_utf8(&report.stdout).unwrap();
    let succeeded = stdout.lines().filter_map(|line| line.strip_suffix(": succeeded").map(str::to_owned));
    assert!(stdout.lines().all(|line| line.ends_with(": succeeded") || line.contains(": failed, ")), "{stdout}");
    (succeeded.collect(), stdout.lines().count())
}

/// Five paths to a file with five operations each, and three paths to a directory with three operations each.
const ATTEMPTS: usize = 5 * 5 + 3 * 3;

fn no_path_leads_out_of_the_directory(_: Target, sandbox: &Sandbox) {
    // The name of the guest's directory does not matter.
    for name in ["/", ".", "/inside", "inside"] {
        let root = directories();
        let before = outside(&root);
        let absolute = root.path().join("outside");
        let run = Run::new("confined")
            .args(["escape", name, absolute.to_str().unwrap()])
            .dir(root.path().join("inside"), name);
        assert_eq!(attempts(&sandbox.run(&run).unwrap()), (Vec::new(), ATTEMPTS), "{name}");
        assert_eq!(outside(&root), before, "{name}");
    }
}

/// The attempts are real: without a sandbox each of them succeeds.
fn the_same_paths_work_without_a_sandbox(_: Target, _: &Sandbox) {
    let root = directories();
    let inside = root.path().join("inside");
    let outside_dir = root.path().join("outside");
    let program = guest(Target::Native, "confined");
    let args = ["escape".as_ref(), inside.as_os_str(), outside_dir.as_os_str()];
    let (report, _) = child::run(program.as_os_str(), &args, Some(Duration::from_mins(1))).unwrap();
    let (succeeded, all) = attempts(&report);
    assert_eq!((succeeded.len(), all), (ATTEMPTS, ATTEMPTS), "{succeeded:?}");
    let after = outside(&root);
    // Five attempts append to the file, three create files, and three move files there.
    assert_eq!((after["secret"].as_str(), after.len()), ("secret!!!!!", 7));
}

/// In a sandbox they succeed if the granted directory contains both.
fn a_grant_of_the_parent_permits_more_paths(_: Target, sandbox: &Sandbox) {
    let root = directories();
    let run = Run::new("confined").args(["escape", "/inside", "/outside"]).dir(root.path(), "/");
    let (succeeded, all) = attempts(&sandbox.run(&run).unwrap());
    assert_eq!(all, ATTEMPTS);
    for way in ["map to read by ..", "map to write by ..", "map to write by a relative link", "create by .."] {
        assert!(succeeded.iter().any(|succeeded| succeeded == way), "{way} is not in {succeeded:?}");
    }
    // An absolute link contains a path of the host, which the guest does not have.
    assert!(!succeeded.iter().any(|way| way.ends_with("by an absolute link")), "{succeeded:?}");
    assert!(outside(&root)["secret"].starts_with("secret!"));
}

/// A hard link that the host has created in the directory is not a way out: the file is in the directory too. The guest
/// cannot create one itself; that is one of the attempts above.
fn a_hard_link_is_the_file_itself(_: Target, sandbox: &Sandbox) {
    let root = directories();
    let inside = root.path().join("inside");
    fs::hard_link(root.path().join("outside/secret"), inside.join("hard")).unwrap();
    let run = Run::new("confined").args(["modes", "/hard"]).read_only_dir(&inside, "/");
    assert!(sandbox.run(&run).unwrap().stdout.starts_with(b"opened by the mapping, Read: reads secr\n"));
    assert_eq!(outside(&root)["secret"], SECRET);
}

fn modes(sandbox: &Sandbox, root: &TempDir, run: Run) -> (String, String) {
    fs::write(root.path().join("file"), "A123456789").unwrap();
    let report = sandbox.run(&run.args(["modes", "/file"])).unwrap();
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    (String::from_utf8(report.stdout).unwrap(), fs::read_to_string(root.path().join("file")).unwrap())
}

fn a_read_only_directory_permits_no_writable_mappings(_: Target, sandbox: &Sandbox) {
    let root = tempfile::tempdir().unwrap();
    let (lines, file) = modes(sandbox, &root, Run::new("confined").read_only_dir(root.path(), "/"));
    assert_eq!(
        lines,
        "\
opened by the mapping, Read: reads A123
opened to read, Read: reads A123
opened by the mapping, Copy: changes A123 to B123, flush: Ok(())
opened to read, Copy: changes A123 to B123, flush: Ok(())
opened by the mapping, Default: PermissionDenied
opened to read, Default: PermissionDenied
opened by the mapping, Write: PermissionDenied
opened to read, Write: PermissionDenied
opened to write: PermissionDenied
"
    );
    assert_eq!(file, "A123456789");
}

fn a_writable_directory_permits_writable_mappings(_: Target, sandbox: &Sandbox) {
    let root = tempfile::tempdir().unwrap();
    let (lines, file) = modes(sandbox, &root, Run::new("confined").dir(root.path(), "/"));
    assert_eq!(
        lines,
        "\
opened by the mapping, Read: reads A123
opened to read, Read: reads A123
opened by the mapping, Copy: changes A123 to B123, flush: Ok(())
opened to read, Copy: changes A123 to B123, flush: Ok(())
opened by the mapping, Default: changes A123 to B123, flush: Ok(())
opened to read, Default: PermissionDenied
opened by the mapping, Write: changes B123 to C123, flush: Ok(())
opened to read, Write: PermissionDenied
opened to write, Write: changes C123 to D123, flush: Ok(())
"
    );
    assert_eq!(file, "D123456789");
}
