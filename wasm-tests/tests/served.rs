//! Hosts of WASI in their own processes, and how the harness handles their errors.

#![cfg(unix)]

use std::path::Path;
use std::thread;
use std::time::Duration;

use wasm_tests::outcome::{End, OUTPUT_LIMIT, Report};
use wasm_tests::served::{Guest, Served};

/// A host that does what the first argument of its guest requests.
const HOST: &str = r#"
echo '{"version": "1.2"}'
while read -r line; do
    written=${line##*\"stdout\":\"}
    written=${written%%\"*}
    case $line in
        *'["print"]'*) echo text >"$written"; echo '{"exit": 7}';;
        *'["trap"]'*) echo '{"trap": "unreachable"}';;
        *'["die"]'*) echo 'it has no more memory' >&2; exit 3;;
        *'["die later"]'*) echo '{"exit": 0}'; exit 4;;
        *'["sleep"]'*) exec sleep 60;;
        # The pipe of the replies stays open, as in a host that continues.
        *'["flood"]'*) exec yes 3>&1 >"$written";;
        *) echo 'hello';;
    esac
done"#;

fn host() -> Served {
    let command = ["sh", "-c", HOST].map(Into::into).to_vec();
    Served::start(command, tempfile::tempdir().unwrap()).unwrap()
}

fn run(host: &Served, what: &str) -> Result<Report, String> {
    let guest = Guest { program: Path::new("p.wasm"), args: vec![what.to_owned()], env: Vec::new(), dirs: Vec::new() };
    host.run(&guest, Duration::from_secs(if what == "sleep" { 1 } else { 60 }))
}

fn end(host: &Served, what: &str) -> End {
    run(host, what).unwrap().end
}

#[test]
fn a_host_reports_its_version_and_how_each_guest_ends() {
    let host = host();
    assert_eq!(host.version(), "1.2");
    let report = run(&host, "print").unwrap();
    assert_eq!((report.end, report.stdout), (End::Exited(7), b"text\n".to_vec()));
    let report = run(&host, "trap").unwrap();
    assert_eq!((report.end, report.stdout), (End::Trapped("unreachable".into()), Vec::new()));
    assert_eq!(run(&host, "else").unwrap_err(), "the reply of the host has neither an exit code nor a trap: \"hello\"");
    assert_eq!(host.take_exits(), Vec::<String>::new());
}

#[test]
fn a_process_that_ends_fails_only_its_own_guest() {
    let host = host();
    assert_eq!(end(&host, "print"), End::Exited(7));
    let message = "the host's process ended with exit status: 3, after it had run \"print\": it has no more memory";
    assert_eq!(run(&host, "die").unwrap_err(), message);
    assert_eq!(end(&host, "print"), End::Exited(7));
    assert_eq!(end(&host, "sleep"), End::TimedOut);
    assert_eq!(end(&host, "print"), End::Exited(7));
    assert_eq!(host.take_exits(), Vec::<String>::new());
}

#[test]
fn a_process_that_ends_after_its_guest_is_reported_and_fails_no_guest() {
    let host = host();
    assert_eq!(end(&host, "die later"), End::Exited(0));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(end(&host, "print"), End::Exited(7));
    let message = "the host's process ended with exit status: 4, after it had run \"die later\": ";
    assert_eq!(host.take_exits(), [message]);
}

#[test]
fn a_guest_that_writes_too_much_is_ended() {
    let report = run(&host(), "flood").unwrap();
    assert_eq!(report.stdout.len(), OUTPUT_LIMIT);
    assert!(matches!(report.end, End::Trapped(_)));
}

#[test]
fn a_program_that_is_no_host_is_reported() {
    let start = |script: &str| {
        Served::start(["sh", "-c", script].map(Into::into).to_vec(), tempfile::tempdir().unwrap()).unwrap_err()
    };
    assert_eq!(
        start("echo no >&2"),
        "sh does not report its version: the host's process ended with exit status: 0: no"
    );
    assert!(start("echo hello").starts_with("sh does not report its version: "));
}
