//! The page of hosts, `docs/hosts.md`, from a report.

use std::fmt::Write as _;

use serde_json::Value;

use super::columns::Host;
use super::table::COLUMNS;

/// The text above the table.
const HEAD: &str = "\
# Hosts

`make hosts` writes this page from the report of the last `make compare`, which runs the suite on every host that is
installed. Each case has its own instance and directory, and the comparison is about what the cases observe. A case
passes if it observes the same as natively.

Start Node 20 with `--no-turbo-fast-api-calls`. Without this option Node can crash with SIGSEGV after the memory of a
guest has grown. This can happen to every guest, and edits that it has not flushed are lost. `make compare` and
[`node-wasi.mjs`](../wasm-tests/hosts/node-wasi.mjs) pass the option.

| host | what it is | version | cases passed | what it does not do |
|---|---|---|---|---|
";

/// The keys of the columns that a page has to have: those that run the suite.
fn all_columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().filter(|column| !matches!(column.host, Host::Facade { .. })).map(|column| column.key)
}

/// The page for the report of a comparison.
///
/// # Errors
///
/// Fails if the report has another schema, only some of the cases, or only some of the columns.
pub fn page(report: &Value) -> Result<String, String> {
    page_of(report, all_columns())
}

fn page_of(report: &Value, keys: impl IntoIterator<Item = &'static str>) -> Result<String, String> {
    if report["schema"] != "portable-mmap/compare" || report["version"] != super::json::VERSION {
        return Err("this is not a report of this version of `make compare`: run it first".to_owned());
    }
    if !report["filter"].is_null() {
        return Err("this report has only some of the cases: run `make compare` without a FILTER".to_owned());
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let sections = list(&report["sections"]);
    let section = sections.iter().find(|section| section["subject"] == "suite").ok_or("this report has no suite")?;
    let (ledger, cases, columns) = (list(&section["ledger"]), list(&section["cases"]), list(&section["columns"]));
    if let Some(key) = keys.into_iter().find(|&key| columns.iter().all(|column| column["key"] != key)) {
        return Err(format!("this report lacks the column `{key}`: run `make compare` without COLUMNS"));
    }
    let mut page = HEAD.to_owned();
    for column in columns {
        let text = |field: &str| column[field].as_str().unwrap_or_default().to_owned();
        let (name, what) = (text("name"), text("what"));
        if column["state"] == "absent" {
            _ = writeln!(page, "| {name} | {what} | | not tried | |");
            continue;
        }
        // The rows of the ledger are grouped by reason, in its order.
        let mut not: Vec<(String, usize)> = Vec::new();
        for exception in ledger.iter().filter(|exception| exception["column"] == column["key"]) {
            let reason = exception["reason"].as_str().unwrap_or_default();
            match not.iter_mut().find(|(other, _)| other == reason) {
                Some((_, count)) => *count += 1,
                None => not.push((reason.to_owned(), 1)),
            }
        }
        let failed =
            cases.iter().filter(|case| case["cells"][column["key"].as_str().unwrap_or_default()]["state"] == "failed");
        not.extend(failed.map(|case| (format!("`{}` fails", case["name"].as_str().unwrap_or_default()), 1)));
        let not: Vec<String> = not
            .into_iter()
            .map(|(reason, count)| if count == 1 { reason } else { format!("{reason} ({count} rows)") })
            .collect();
        let version = column["host_version"].as_str().unwrap_or_default();
        let (passed, all) = (&column["passed"], &column["cases"]);
        _ = writeln!(page, "| {name} | {what} | {version} | {passed} of {all} | {} |", not.join("; "));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{page, page_of};

    fn report() -> Value {
        json!({
            "schema": "portable-mmap/compare", "version": super::super::json::VERSION, "filter": null,
            "sections": [{
                "subject": "suite",
                "columns": [
                    { "key": "a", "name": "A", "what": "a host", "state": "ran", "host_version": "1.2", "cases": 4, "passed": 1 },
                    { "key": "b", "name": "B", "what": "another", "state": "absent", "reason": "there is no b" },
                ],
                "ledger": [
                    { "case": "x/", "column": "a", "reason": "it has no x" },
                    { "case": "y/z", "column": "a", "reason": "it has no x" },
                    { "case": "x/", "column": "c", "reason": "another" },
                ],
                "cases": [{ "name": "w/fails", "cells": { "a": { "state": "failed" } } }],
            }],
        })
    }

    #[test]
    fn the_page_lists_what_each_host_does_not_support() {
        let page = page_of(&report(), ["a", "b"]).unwrap();
        let rows: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("| A")).collect();
        assert_eq!(
            rows,
            [
                "| A | a host | 1.2 | 1 of 4 | it has no x (2 rows); `w/fails` fails |",
                "| B | another | | not tried | |"
            ]
        );
    }

    #[test]
    fn a_report_with_some_of_the_cases_is_an_error() {
        let mut some = report();
        some["filter"] = json!("slice");
        assert!(page(&some).unwrap_err().contains("FILTER"));
        assert!(page(&json!({})).is_err());
    }

    #[test]
    fn a_report_with_some_of_the_columns_is_an_error() {
        assert!(page_of(&report(), ["b", "c"]).unwrap_err().contains("`c`"));
        assert!(page(&report()).unwrap_err().contains("`mapped`"));
    }
}
