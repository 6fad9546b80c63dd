//! The list of cases that the suite's program prints: `suite list`.

/// A case of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, which `suite run` takes.
    pub name: String,
    /// How it has to end.
    pub expects: Expects,
}

/// How a case has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expects {
    /// With its last line.
    Finishes,
    /// With a panic whose message contains this text.
    Panics(String),
}

impl Case {
    /// The last line of the case's transcript, which shows that it ran to its end.
    #[must_use]
    pub fn end_line(&self) -> String {
        format!("end of {}", self.name)
    }
}

/// Reads the output of `suite list`: a line for each case, with its name, a tab, and either `finishes` or
/// `panics: TEXT`.
///
/// # Errors
///
/// Fails if a line has another form, a name occurs twice, or there is no line; the text describes which.
pub fn parse_list(text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let wrong = || format!("cannot read {line:?} as a line of the list of cases");
        let (name, expects) = line.split_once('\t').ok_or_else(wrong)?;
        let expects = match expects.strip_prefix("panics: ") {
            Some("") => return Err(wrong()),
            Some(text) => Expects::Panics(text.to_owned()),
            None if expects == "finishes" => Expects::Finishes,
            None => return Err(wrong()),
        };
        if name.is_empty() {
            return Err(wrong());
        }
        if cases.iter().any(|case| case.name == name) {
            return Err(format!("the case {name} is listed twice"));
        }
        cases.push(Case { name: name.to_owned(), expects });
    }
    if cases.is_empty() {
        return Err("the list of cases is empty".to_owned());
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::{Case, Expects, parse_list};

    #[test]
    fn a_list_has_names_and_expected_ends() {
        let cases = parse_list("one\tfinishes\ntwo\tpanics: out of range\n").unwrap();
        assert_eq!(
            cases,
            [
                Case { name: "one".into(), expects: Expects::Finishes },
                Case { name: "two".into(), expects: Expects::Panics("out of range".into()) },
            ]
        );
        assert_eq!(cases[0].end_line(), "end of one");
    }

    #[test]
    fn a_malformed_list_is_an_error() {
        for text in ["", "one", "one\t", "one\tpanics: ", "one\tpanics", "\tfinishes", "a\tfinishes\na\tfinishes"] {
            assert!(parse_list(text).is_err(), "{text:?}");
        }
    }
}
