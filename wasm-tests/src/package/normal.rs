//! What a test wrote to standard error, in a form that can be compared.
//!
//! Taken out is what must differ, and nothing else: the name and the number of the test's own thread, which is the
//! guest's only one on WASI; libtest's verdict, which it prints elsewhere natively; and the advice to ask for a backtrace.

/// Lines that an invoked test's libtest writes before it aborts, by how they begin.
const VERDICTS: [&str; 5] = [
    "test did not panic as expected",
    "panic did not contain expected string",
    "expected panic with string value,",
    "      panic message: ",
    " expected substring: ",
];

/// The verdict with a second line between its first and its last.
const FOUND: &str = " found non-string value: ";
const LAST: &str = "     expected substring: ";

const BACKTRACE: &str = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";

/// What a test that returned an error panics with when it is invoked; natively libtest says nothing more.
const RETURNED: &str = "the test returned a termination value with a non-zero status code";

/// Whether libtest has judged an invoked test that did not panic as it should.
pub(super) fn has_verdict(stderr: &str) -> bool {
    stderr.lines().any(|line| VERDICTS[..3].iter().any(|verdict| line.starts_with(verdict)))
}

/// Standard error of the test `name`.
pub(super) fn stderr(name: &str, text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with(RETURNED) {
            // With the lines before: where it is said, and an empty one.
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

/// `thread 'NAME' (NUMBER) panicked at PLACE:`, the same for the test's own thread everywhere.
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
    fn the_verdicts_of_libtest_are_not_the_tests_words() {
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
    fn a_returned_error_is_told_once() {
        let guest = "Error: \"bad\"\n\nthread 'main' (1) panicked at /rustc/1/library/test/src/lib.rs:791:9:\n\
                     the test returned a termination value with a non-zero status code (1) which indicates a failure\n";
        assert_eq!(stderr("a", guest), stderr("a", "Error: \"bad\"\n"));
    }
}
