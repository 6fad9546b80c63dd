//! The command that runs one test again, with the arguments of the whole run.

use std::ffi::OsString;

/// The options of the run that the command does not repeat: it selects one test, and must not replace the reports.
const LEFT_OUT: [&str; 2] = ["--filter", "--out"];

/// The command for a test, where `args` are the arguments of `wasm-tests crate`. Each of its options has a value.
pub(super) fn command(args: &[OsString], test: &str) -> String {
    let mut words = vec!["wasm-tests".to_owned(), "crate".to_owned()];
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let mut own = args[..end].iter();
    while let Some(arg) = own.next() {
        let (name, joined) = arg.split_once('=').map_or((arg.as_str(), false), |(name, _)| (name, true));
        let value = if joined { None } else { own.next() };
        if !LEFT_OUT.contains(&name) {
            words.extend([Some(arg), value].into_iter().flatten().map(|word| quoted(word)));
        }
    }
    words.push(format!("--filter '{test}'"));
    words.extend(args[end..].iter().map(|word| quoted(word)));
    words.join(" ")
}

/// A word for a shell, with quotation marks if it needs them.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./,:=@%+-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_arguments_of_the_run_are_repeated_with_another_filter() {
        let again = |args: &[&str]| command(&args.iter().map(Into::into).collect::<Vec<_>>(), "a::b");
        assert_eq!(again(&[]), "wasm-tests crate --filter 'a::b'");
        let args =
            ["--package", "my dir", "--filter", "old", "--host=node,deno", "--out=x", "--out", "y", "--jobs", "1"];
        let words = "wasm-tests crate --package 'my dir' --host=node,deno --jobs 1 --filter 'a::b'";
        assert_eq!(again(&args), words);
        let args = [&args[..], &["--", "--filter", "f"]].concat();
        assert_eq!(again(&args), format!("{words} -- --filter f"));
    }
}
