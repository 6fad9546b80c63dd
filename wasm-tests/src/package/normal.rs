//! Normalizes the standard error of a test, so that it can be compared.
//!
//! Only parts that must differ are removed: the name and the number of the test's own thread, which is the only thread
//! of a guest on WASI; libtest's verdict, which it prints elsewhere natively; and the advice to request a backtrace.

/// The prefixes of the lines that libtest writes for an invoked test before it aborts.
const VERDICTS: [&str; 5] = [
    "test did not panic as expected",
    "panic did not contain expected string",
    "expected panic with string value,",
    "      panic message: ",
    " expected substring: ",
];

/// The verdict that has a second line between its first and its last.
const FOUND: &str = " found non-string value: ";
const LAST: &str = "     expected substring: ";

const BACKTRACE: &str = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";

/// The message of the panic of an invoked test that returned an error. Natively libtest prints nothing for it.
const RETURNED: &str = "the test returned a termination value with a non-zero status code";

/// Whether libtest reports that an invoked test did not panic as it should.
pub(super) fn has_verdict(stderr: &str) -> bool {
    stderr.lines().any(|line| VERDICTS[..3].iter().any(|verdict| line.starts_with(verdict)))
}

/// The normalized standard error of the test `name`.
pub(super) fn stderr(name: &str, text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with(RETURNED) {
            // Also removes the line before with the place of the panic, and an empty line.
            lines.pop();
            if lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
        } else if line != BACKTRACE && !is_verdict(line) {
            lines.push(panic_line(name, line).unwrap_or_else(|| line.to_owned()));
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn is_verdict(line: &str) -> bool {
    VERDICTS.iter().chain(&[FOUND, LAST]).any(|verdict| line.starts_with(verdict))
}

/// The first line of a panic, `thread 'NAME' (NUMBER) panicked at PLACE:`, with the same name for the test's own thread
/// everywhere.
fn panic_line(name: &str, line: &str) -> Option<String> {
    let (thread, place) = line.strip_prefix("thread '")?.split_once(" panicked at ")?;
    let (thread, _) = thread.rsplit_once('\'')?;
    let thread = if thread == name || thread == "main" { "of the test" } else { thread };
    Some(format!("thread {thread} panicked at {place}"))
}

#[cfg(test)]
mod tests {
    use super::{has_verdict, stderr};

    #[test]
    fn a_panic_is_the_same_in_the_thread_of_a_test_and_in_a_guest() {
        let native = "own\n\nthread 'a::b' (4711) panicked at src/lib.rs:2:44:\nboo\nnote: run with `RUST_BACKTRACE=1` \
                      environment variable to display a backtrace\n";
        let guest = "own\n\nthread 'main' (1) panicked at src/lib.rs:2:44:\nboo\n";
        assert_eq!(stderr("a::b", native), "own\n\nthread of the test panicked at src/lib.rs:2:44:\nboo\n");
        assert_eq!(stderr("a::b", native), stderr("a::b", guest));
        assert_ne!(stderr("a::b", native), stderr("a::b", &guest.replace("boo", "bo")));
        assert_ne!(stderr("a::b", native), stderr("a::b", &guest.replace(":44", ":43")));
        assert_eq!(stderr("a", "thread 'other' (7) panicked at x:"), "thread other panicked at x:\n");
    }

    #[test]
    fn the_verdicts_of_libtest_are_removed() {
        let verdict = "test did not panic as expected at src/lib.rs:6:28\n";
        assert!(has_verdict(verdict) && !has_verdict("panic message: none\n"));
        assert_eq!(stderr("a", &format!("own\n{verdict}")), "own\n");
        let wrong =
            "panic did not contain expected string\n      panic message: \"foo\"\n expected substring: \"bar\"\n";
        assert_eq!(stderr("a", &format!("{wrong}\nthread 'main' (1) panicked at x:\nfoo\n")), {
            "\nthread of the test panicked at x:\nfoo\n"
        });
    }

    #[test]
    fn a_returned_error_is_reported_once() {
        let guest = "Error: \"bad\"\n\nthread 'main' (1) panicked at /rustc/1/library/test/src/lib.rs:791:9:\n\
                     the test returned a termination value with a non-zero status code (1) which indicates a failure\n";
        assert_eq!(stderr("a", guest), stderr("a", "Error: \"bad\"\n"));
    }
}
