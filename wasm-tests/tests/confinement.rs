//! What a guest cannot do: leave its directory, or change a file under a read-only one.

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
            ("no_way_leads_out", no_way_leads_out),
            ("the_same_ways_lead_somewhere_without_a_sandbox", the_same_ways_lead_somewhere_without_a_sandbox),
            ("a_wider_grant_reaches_what_lies_in_it", a_wider_grant_reaches_what_lies_in_it),
            ("a_hard_link_is_the_file_itself", a_hard_link_is_the_file_itself),
            ("a_read_only_directory_refuses_mappings_that_write", a_read_only_directory_refuses_mappings_that_write),
            ("a_writable_directory_takes_what_they_write", a_writable_directory_takes_what_they_write),
        ],
    )
}

const SECRET: &str = "secret";

/// `inside`, which a guest is given, and `outside` beside it, with links from the one into the other.
fn ground() -> TempDir {
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
    made.expect("a symbolic link: on Windows this takes the developer mode");
}

/// What is outside, and has to stay as it is.
fn outside(root: &TempDir) -> BTreeMap<String, String> {
    fs::read_dir(root.path().join("outside"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// Which attempts succeeded, and how many there were.
fn attempts(report: &Report) -> (Vec<String>, usize) {
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    let stdout = str::from_utf8(&report.stdout).unwrap();
    let succeeded = stdout.lines().filter_map(|line| line.strip_suffix(": succeeded").map(str::to_owned));
    assert!(stdout.lines().all(|line| line.ends_with(": succeeded") || line.contains(": failed, ")), "{stdout}");
    (succeeded.collect(), stdout.lines().count())
}

/// Five ways to a file with five things to do there, and three ways to a folder with three.
const ATTEMPTS: usize = 5 * 5 + 3 * 3;

fn no_way_leads_out(_: Target, sandbox: &Sandbox) {
    // However the guest's directory is called.
    for name in ["/", ".", "/inside", "inside"] {
        let root = ground();
        let before = outside(&root);
        let absolute = root.path().join("outside");
        let run = Run::new("confined")
            .args(["escape", name, absolute.to_str().unwrap()])
            .dir(root.path().join("inside"), name);
        assert_eq!(attempts(&sandbox.run(&run).unwrap()), (Vec::new(), ATTEMPTS), "{name}");
        assert_eq!(outside(&root), before, "{name}");
    }
}

/// The attempts are real ones: outside a sandbox each of them gets through.
fn the_same_ways_lead_somewhere_without_a_sandbox(_: Target, _: &Sandbox) {
    let root = ground();
    let inside = root.path().join("inside");
    let outside_dir = root.path().join("outside");
    let program = guest(Target::Native, "confined");
    let args = ["escape".as_ref(), inside.as_os_str(), outside_dir.as_os_str()];
    let (report, _) = child::run(program.as_os_str(), &args, Some(Duration::from_mins(1))).unwrap();
    let (succeeded, all) = attempts(&report);
    assert_eq!((succeeded.len(), all), (ATTEMPTS, ATTEMPTS), "{succeeded:?}");
    let after = outside(&root);
    // Appended to by five ways; three files created, three moved there.
    assert_eq!((after["secret"].as_str(), after.len()), ("secret!!!!!", 7));
}

/// And inside one they get through where the sandbox's directory is wide enough.
fn a_wider_grant_reaches_what_lies_in_it(_: Target, sandbox: &Sandbox) {
    let root = ground();
    let run = Run::new("confined").args(["escape", "/inside", "/outside"]).dir(root.path(), "/");
    let (succeeded, all) = attempts(&sandbox.run(&run).unwrap());
    assert_eq!(all, ATTEMPTS);
    for way in ["map to read by ..", "map to write by ..", "map to write by a relative link", "create by .."] {
        assert!(succeeded.iter().any(|succeeded| succeeded == way), "{way} is not in {succeeded:?}");
    }
    // An absolute link names a place of the host, and leads nowhere.
    assert!(!succeeded.iter().any(|way| way.ends_with("by an absolute link")), "{succeeded:?}");
    assert!(outside(&root)["secret"].starts_with("secret!"));
}

/// A hard link that the host has put into the directory is no way out: the file is in the directory as much as elsewhere.
/// The guest cannot make one itself; that is among the attempts above.
fn a_hard_link_is_the_file_itself(_: Target, sandbox: &Sandbox) {
    let root = ground();
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

fn a_read_only_directory_refuses_mappings_that_write(_: Target, sandbox: &Sandbox) {
    let root = tempfile::tempdir().unwrap();
    let (lines, file) = modes(sandbox, &root, Run::new("confined").read_only_dir(root.path(), "/"));
    assert_eq!(
        lines,
        "\
opened by the mapping, Read: reads A123
opened to read, Read: reads A123
opened by the mapping, Copy: makes B123 of A123, flush: Ok(())
opened to read, Copy: makes B123 of A123, flush: Ok(())
opened by the mapping, Default: PermissionDenied
opened to read, Default: PermissionDenied
opened by the mapping, Write: PermissionDenied
opened to read, Write: PermissionDenied
opened to write: PermissionDenied
"
    );
    assert_eq!(file, "A123456789");
}

fn a_writable_directory_takes_what_they_write(_: Target, sandbox: &Sandbox) {
    let root = tempfile::tempdir().unwrap();
    let (lines, file) = modes(sandbox, &root, Run::new("confined").dir(root.path(), "/"));
    assert_eq!(
        lines,
        "\
opened by the mapping, Read: reads A123
opened to read, Read: reads A123
opened by the mapping, Copy: makes B123 of A123, flush: Ok(())
opened to read, Copy: makes B123 of A123, flush: Ok(())
opened by the mapping, Default: makes B123 of A123, flush: Ok(())
opened to read, Default: PermissionDenied
opened by the mapping, Write: makes C123 of B123, flush: Ok(())
opened to read, Write: PermissionDenied
opened to write, Write: makes D123 of C123, flush: Ok(())
"
    );
    assert_eq!(file, "D123456789");
}
