//! Guests that fail or do not end: the report describes what they did, and the sandbox can be used again.

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::Target;
use wasm_tests::outcome::{End, OUTPUT_LIMIT, Report};
use wasm_tests::sandbox::{Run, Sandbox};

fn main() -> ExitCode {
    common::run_on_both(
        "hostile",
        &[
            ("an_exit_code_is_reported", an_exit_code_is_reported),
            ("a_trap_is_not_an_exit", a_trap_is_not_an_exit),
            ("a_panic_is_a_trap_with_its_message", a_panic_is_a_trap_with_its_message),
            ("a_loop_is_ended", a_loop_is_ended),
            ("a_sleep_in_the_host_is_abandoned", a_sleep_in_the_host_is_abandoned),
            ("memory_ends_at_the_limit", memory_ends_at_the_limit),
            ("megabytes_of_output_are_captured", megabytes_of_output_are_captured),
            ("output_ends_at_the_limit", output_ends_at_the_limit),
            ("arguments_and_environment_are_those_given", arguments_and_environment_are_those_given),
        ],
    )
}

fn run(sandbox: &Sandbox, args: &[&str]) -> Report {
    sandbox.run(&Run::new("hostile").args(args.iter().copied())).unwrap()
}

/// Checks that the next run works, whatever the last guest did.
fn still_works(sandbox: &Sandbox) {
    let report = run(sandbox, &["args"]);
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    assert_eq!(report.stdout, b"[\"args\"]\n");
}

fn an_exit_code_is_reported(target: Target, sandbox: &Sandbox) {
    // A component reports only that it failed.
    let expected = if target == Target::Wasip1 { 3 } else { 1 };
    assert_eq!(run(sandbox, &["exit", "3"]).end, End::Exited(expected));
    assert_eq!(run(sandbox, &["exit", "0"]).end, End::Exited(0));
    still_works(sandbox);
}

fn a_trap_is_not_an_exit(_: Target, sandbox: &Sandbox) {
    let report = run(sandbox, &["trap"]);
    assert!(matches!(&report.end, End::Trapped(what) if what.contains("unreachable")), "{:?}", report.end);
    still_works(sandbox);
}

fn a_panic_is_a_trap_with_its_message(_: Target, sandbox: &Sandbox) {
    let report = run(sandbox, &["panic", "index out of range"]);
    assert!(matches!(report.end, End::Trapped(_)), "{:?}", report.end);
    let stderr = String::from_utf8(report.stderr).unwrap();
    assert!(stderr.contains("panicked at") && stderr.contains("index out of range"), "{stderr}");
    still_works(sandbox);
}

fn a_loop_is_ended(_: Target, sandbox: &Sandbox) {
    let start = Instant::now();
    let report = sandbox.run(&Run::new("hostile").args(["spin"]).time(Duration::from_millis(300))).unwrap();
    assert_eq!(report.end, End::TimedOut);
    assert!(report.time >= Duration::from_millis(300), "{:?}", report.time);
    // Much less than the grace period of a call into the host.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    still_works(sandbox);
}

fn a_sleep_in_the_host_is_abandoned(_: Target, sandbox: &Sandbox) {
    let start = Instant::now();
    let report = sandbox.run(&Run::new("hostile").args(["sleep"]).time(Duration::from_millis(300))).unwrap();
    assert_eq!(report.end, End::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    still_works(sandbox);
}

fn memory_ends_at_the_limit(_: Target, sandbox: &Sandbox) {
    let limit = 200 << 20;
    let report = sandbox.run(&Run::new("hostile").args(["allocate"]).memory(limit)).unwrap();
    assert!(matches!(report.end, End::Trapped(_)), "{:?}", report.end);
    assert!(report.memory <= limit && report.memory > limit / 2, "{}", report.memory);
    assert!(report.memory_over_limit.is_some_and(|wanted| wanted > limit), "{:?}", report.memory_over_limit);
    // The pieces have 16 MiB, and the guest has a little more memory than them.
    let pieces = String::from_utf8(report.stdout).unwrap();
    assert!([11, 12].map(|count| format!("an allocation failed after {count} pieces\n")).contains(&pieces), "{pieces}");
    still_works(sandbox);
}

fn megabytes_of_output_are_captured(_: Target, sandbox: &Sandbox) {
    let report = run(sandbox, &["print", "8"]);
    assert_eq!(report.end, End::Exited(0));
    assert_eq!(report.stdout.len(), 8 << 20);
    assert!(report.stdout.chunks(1024).all(|line| line.ends_with(b".\n")));
}

fn output_ends_at_the_limit(_: Target, sandbox: &Sandbox) {
    let report = run(sandbox, &["print", "80"]);
    assert_ne!(report.end, End::Exited(0));
    assert_eq!(report.stdout.len(), OUTPUT_LIMIT);
    still_works(sandbox);
}

fn arguments_and_environment_are_those_given(_: Target, sandbox: &Sandbox) {
    assert_eq!(
        run(sandbox, &["args", "", "a b", "ü"]).stdout,
        r#"["args", "", "a b", "ü"]"#.to_owned().into_bytes().into_iter().chain(*b"\n").collect::<Vec<_>>()
    );
    assert_eq!(run(sandbox, &["env"]).stdout, b"");
    let report = sandbox.run(&Run::new("hostile").args(["env"]).env("A", "1").env("B", "")).unwrap();
    assert_eq!(report.stdout, b"A=1\nB=\n");
}
