//! Mappings that the host places in a guest's memory: when a guest gets them, and that they have the bytes of the file.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Target, guest};
use tempfile::TempDir;
use wasm_tests::child;
use wasm_tests::hosts;
use wasm_tests::outcome::{End, Report};
use wasm_tests::sandbox::{Run, Sandbox};
use wasm_tests::served::Guest;

/// The length from which `HostMapping::Auto` requests a mapping of the host.
const THRESHOLD: usize = 512 << 10;

const MIB: u64 = 1 << 20;

/// Creates a directory with a file of `len` dots.
fn directory(len: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), vec![b'.'; len]).unwrap();
    dir
}

/// The program `hosted` in a host that maps files: without the import, with the import, and as a component.
fn hosting() -> [Sandbox; 3] {
    HOSTED.map(|target| Sandbox::load_with_host_mapping(&guest(target, "hosted")).unwrap())
}

const HOSTED: [Target; 3] = [Target::Wasip1, Target::Hosted, Target::Wasip2Hosted];

fn run(sandbox: &Sandbox, args: &[&str], given: impl FnOnce(Run) -> Run) -> (String, Report) {
    let report = sandbox.run(&given(Run::new("hosted").args(args.iter().copied()).memory(64 * MIB))).unwrap();
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    (String::from_utf8(report.stdout.clone()).unwrap(), report)
}

/// The output of the program, with a directory that it may write.
fn printed(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> String {
    run(sandbox, args, |run| run.dir(dir, "/")).0
}

/// The number of mappings that the guest has requested.
fn maps(report: &Report) -> u64 {
    report.calls.as_ref().unwrap().maps()
}

#[test]
fn a_long_file_is_mapped_by_the_host_and_a_short_one_is_a_buffer() {
    for sandbox in hosting() {
        let dir = directory(THRESHOLD);
        for access in ["read", "copy", "write"] {
            for (len, auto) in [(1, "buffered"), (THRESHOLD - 1, "buffered"), (THRESHOLD, "hosted")] {
                let (text, report) =
                    run(&sandbox, &["choose", "/file", access, &len.to_string()], |run| run.dir(dir.path(), "/"));
                assert_eq!(text, format!("Auto: {auto}\nRequire: hosted\nNever: buffered\n"), "{access}, {len}");
                assert_eq!(maps(&report), if auto == "hosted" { 2 } else { 1 }, "{access}, {len}");
            }
        }
    }
}

#[test]
fn without_such_a_host_every_choice_except_require_is_a_buffer() {
    let (dir, len) = (directory(THRESHOLD), THRESHOLD.to_string());
    for (target, handshakes) in [(Target::Wasip1, 1), (Target::Wasip2, 0)] {
        let sandbox = Sandbox::load(&guest(target, "hosted")).unwrap();
        let (text, report) = run(&sandbox, &["choose", "/file", "read", &len], |run| run.dir(dir.path(), "/"));
        let unsupported = "Unsupported: this host places no mappings in the memory of its guests; HostMapping::Auto falls \
                           back to a buffer";
        assert_eq!(text, format!("Auto: buffered\nRequire: {unsupported}\nNever: buffered\n"), "{target:?}");
        // Two mappings query the host, and the result is kept.
        assert_eq!(report.calls.unwrap().handshakes(), handshakes, "{target:?}");
    }
    // A component without the feature requests no mapping, whatever its host offers.
    let sandbox = Sandbox::load_with_host_mapping(&guest(Target::Wasip2, "hosted")).unwrap();
    let (text, report) = run(&sandbox, &["choose", "/file", "read", &len], |run| run.dir(dir.path(), "/"));
    assert!(text.starts_with("Auto: buffered\nRequire: Unsupported: "), "{text}");
    assert_eq!(maps(&report), 0);
}

#[test]
fn a_program_with_short_files_does_not_query_the_host() {
    let (dir, sandbox) = (directory(THRESHOLD), Sandbox::load(&guest(Target::Wasip1, "hosted")).unwrap());
    let resize = |len: usize| {
        fs::write(dir.path().join("file"), vec![b'.'; len]).unwrap();
        let (text, report) = run(&sandbox, &["resize", "/file"], |run| run.dir(dir.path(), "/"));
        assert_eq!(text, format!("{len} bytes, buffered\n"));
        report.calls.unwrap().handshakes()
    };
    assert_eq!((resize(THRESHOLD - 1), resize(THRESHOLD)), (0, 1));
}

/// The output for the call with which guests request mappings, in a host without mappings.
const UNDISTURBED: &str = "\
unused descriptor: reply None, everything else is unchanged: true
descriptor of the file: reply None, everything else is unchanged: true
";

#[test]
fn the_handshake_disturbs_nothing_in_wasmtime() {
    let (dir, program) = (directory(THRESHOLD), guest(Target::Wasip1, "hosted"));
    let handshake = |sandbox: Sandbox| printed(&sandbox, dir.path(), &["handshake", "/file"]);
    assert_eq!(handshake(Sandbox::load(&program).unwrap()), UNDISTURBED);
    // A host that replies ignores the descriptor.
    let replies = UNDISTURBED.replace("None", "Some(1)");
    assert_eq!(handshake(Sandbox::load_with_host_mapping(&program).unwrap()), replies);
}

#[test]
fn the_handshake_disturbs_nothing_in_other_hosts() {
    let (dir, program) = (directory(THRESHOLD), guest(Target::Wasip1, "hosted"));
    let tools = hosts::tools().unwrap();
    for host in hosts::ALL.iter().filter(|host| host.targets.contains(&"wasm32-wasip1")) {
        let path = match host.program(&tools) {
            Ok(path) => path,
            Err(missing) => {
                println!("NOT RUN in {}: {missing}", host.name);
                continue;
            }
        };
        if host.in_browser {
            println!("NOT RUN in {}: it has no files of this machine", host.name);
            continue;
        }
        let served = host.start(path, &tools).unwrap();
        let run = |args: &[&str]| {
            let args = ["hosted"].iter().chain(args).map(ToString::to_string).collect();
            let dirs = vec![(dir.path().to_path_buf(), "/".to_owned())];
            let guest = Guest { program: &program, args, env: Vec::new(), dirs };
            let report = served.run(&guest, Duration::from_mins(1)).unwrap();
            String::from_utf8([report.stdout, report.stderr].concat()).unwrap()
        };
        assert_eq!(run(&["handshake", "/file"]), UNDISTURBED, "{}", host.name);
        let text = run(&["choose", "/file", "write", &THRESHOLD.to_string()]);
        assert!(text.starts_with("Auto: buffered\nRequire: Unsupported: "), "{}: {text}", host.name);
    }
}

#[test]
fn natively_the_choice_has_no_effect() {
    let dir = directory(THRESHOLD);
    let file = dir.path().join("file");
    let args = ["choose", file.to_str().unwrap(), "write", "1"];
    let (report, _) = child::run(guest(Target::Native, "hosted").as_os_str(), &args, None).unwrap();
    assert_eq!(str::from_utf8(&report.stdout).unwrap(), "Auto: mapped\nRequire: mapped\nNever: mapped\n");
}

#[test]
fn a_program_that_imports_the_functions_of_the_host_does_not_load_without_them() {
    let component =
        "component imports instance `portable-mmap:host/mapping@0.1.0`, but a matching implementation was not found";
    for (target, text) in
        [(Target::Hosted, "unknown import: `portable-mmap:host/map@0.1.0"), (Target::Wasip2Hosted, component)]
    {
        let program = guest(target, "hosted");
        let error = format!("{:#}", Sandbox::load(&program).unwrap_err());
        assert!(error.contains(text), "{error}");
        // The command gives advice.
        let run = Command::new(env!("CARGO_BIN_EXE_wasm-tests")).arg("run").arg(&program).output().unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        let advice = "run it with `wasm-tests run --host-mapping`, or build it without the feature: ";
        assert!(run.status.code() == Some(2) && stderr.contains(advice) && stderr.contains(text), "{stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_mapped_to_read_and_to_copy() {
    for sandbox in hosting() {
        let (dir, len) = (directory(THRESHOLD), THRESHOLD.to_string());
        for access in ["read", "copy"] {
            let (text, _) = run(&sandbox, &["choose", "/file", access, &len], |run| run.read_only_dir(dir.path(), "/"));
            assert_eq!(text, "Auto: hosted\nRequire: hosted\nNever: buffered\n", "{access}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_host_maps_only_regular_files() {
    for sandbox in hosting() {
        let len = THRESHOLD.to_string();
        let (text, report) = run(&sandbox, &["choose", "/zero", "read", &len], |run| run.read_only_dir("/dev", "/"));
        let required = "Unsupported: a host places mappings of regular files only; a buffer may map this one";
        assert_eq!(text, format!("Auto: buffered\nRequire: {required}\nNever: buffered\n"));
        assert_eq!(maps(&report), 0);
    }
}

#[test]
fn a_mapping_of_the_host_and_the_file_are_the_same_bytes() {
    for sandbox in hosting() {
        let dir = directory(300_001);
        let text = printed(&sandbox, dir.path(), &["share", "/file"]);
        let expected = "a write is visible in the mapping: true\na store is visible in the file: true\n\
                        a store is visible in another mapping: true\n";
        assert_eq!(text, expected);
        // The file on the host has the same bytes.
        let file = fs::read(dir.path().join("file")).unwrap();
        assert_eq!((file.len(), file[0], file[300_000]), (300_001, b'/', b'/'));
    }
}

#[test]
fn changes_of_a_copy_stay_in_the_guest() {
    for sandbox in hosting() {
        let dir = directory(300_001);
        let text = printed(&sandbox, dir.path(), &["copy", "/file"]);
        assert_eq!(text, "hosted, the file is unchanged: true\nthe copy is changed: true\n");
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), vec![b'.'; 300_001]);
    }
}

#[test]
fn a_resize_does_not_change_the_kind_of_mapping() {
    for sandbox in hosting() {
        // Below the threshold, and above it.
        let dir = directory(600_000);
        let text = printed(&sandbox, dir.path(), &["resize", "/file", "1000000", "5000", "600000"]);
        let expected = "600000 bytes, hosted\n1000000 bytes, hosted, it ends with 0\n5000 bytes, hosted, it ends with 46\n\
                        600000 bytes, hosted, it ends with 0\n";
        assert_eq!(text, expected);
        let file = fs::read(dir.path().join("file")).unwrap();
        assert_eq!((file.len(), file[4999], file[5000], file[599_999]), (600_000, b'!', 0, b'!'));

        let dir = directory(5000);
        let text = printed(&sandbox, dir.path(), &["resize", "/file", "1000000"]);
        assert_eq!(text, "5000 bytes, buffered\n1000000 bytes, buffered, it ends with 0\n");
    }
}

#[test]
fn blocks_of_the_initial_memory_are_not_used_for_mappings() {
    let (dir, sandbox) =
        (directory(64 << 10), Sandbox::load_with_host_mapping(&guest(Target::Hosted, "image")).unwrap());
    for blocks in [0, 1, 5] {
        let (text, report) = run(&sandbox, &["/file", &blocks.to_string()], |run| run.dir(dir.path(), "/"));
        let mapped = "hosted, in the initial memory: false\nit starts with 46 and ends with 46\n";
        assert_eq!(text, format!("{blocks} blocks allocated, {blocks} freed\n{mapped}"));
        assert_eq!(maps(&report), 1, "the host accepts only the last block");
    }
}

#[test]
fn ten_thousand_mappings_one_after_the_other_fit_into_64_mib() {
    for sandbox in hosting() {
        let dir = directory(1 << 20);
        let (text, report) = run(&sandbox, &["drop", "/file", "10000"], |run| run.dir(dir.path(), "/"));
        assert_eq!(text, format!("{} bytes\n", 10_000_u64 << 20));
        assert_eq!((maps(&report), report.memory_over_limit), (10_000, None));
    }
}

#[test]
fn a_mapping_over_the_limit_of_the_host_is_a_buffer() {
    for sandbox in hosting() {
        let dir = directory(THRESHOLD);
        let (text, _) = run(&sandbox, &["hold", "/file", "3"], |run| run.dir(dir.path(), "/").mappings(2));
        assert_eq!(text, "hosted, hosted, buffered\none more: Io\nanother: hosted\n");
    }
}

#[test]
fn the_runner_maps_files_only_with_its_option() {
    let dir = directory(THRESHOLD);
    let (grant, len) = (format!("{}::/ground", dir.path().display()), THRESHOLD.to_string());
    let run = |target, options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-tests"));
        command.args(["run", "--dir", &grant]).args(options).arg(guest(target, "hosted"));
        let output = command.args(["choose", "/ground/file", "write", &len]).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    for target in HOSTED {
        let expected = "Auto: hosted\nRequire: hosted\nNever: buffered\n".to_owned();
        assert_eq!(run(target, &["--host-mapping"]), (Some(0), expected), "{target:?}");
    }
    for (target, status, text) in [
        (Target::Wasip1, 0, "Auto: buffered\nRequire: Unsupported: "),
        (Target::Hosted, 2, "unknown import"),
        (Target::Wasip2Hosted, 2, "matching implementation was not found"),
    ] {
        let (code, output) = run(target, &[]);
        assert!(code == Some(status) && output.contains(text), "{code:?} {output}");
    }
}
