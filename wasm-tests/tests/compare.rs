//! The comparison as a program: its exit status and its reports, with a suite whose cases fail in known ways.

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Target, guest};
use native_tests::ledger::Platform;
use serde_json::Value;
use tempfile::TempDir;

/// The three columns whose programs `make test` builds.
const COLUMNS: &str = "mapped wasip1 wasip2";

/// A comparison that has run.
struct Run {
    output: Output,
    out: TempDir,
}

/// Compares columns of the hostile suite, with more options.
fn compare(columns: &str, options: &[&str]) -> Run {
    let out = tempfile::tempdir().unwrap();
    let program = guest(Target::Native, "hostile");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-tests"));
    command.args(["compare", "--no-build", "--program", "hostile", "--time", "5", "--columns", columns]);
    command.arg("--out").arg(out.path()).arg("--target-dir").arg(program.parent().unwrap().parent().unwrap());
    // This directory has no programs, so columns that need a tool are absent.
    let output = command.args(options).env("PATH", out.path()).output().unwrap();
    Run { output, out }
}

impl Run {
    fn stdout(&self) -> &str {
        str::from_utf8(&self.output.stdout).unwrap()
    }

    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.path().join(name)).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text("report.json")).unwrap()
    }
}

/// The elements of a field in all sections of a report.
fn all<'r>(report: &'r Value, field: &str) -> Vec<&'r Value> {
    let sections = report["sections"].as_array().unwrap();
    sections.iter().flat_map(|section| section[field].as_array().unwrap()).collect()
}

/// The cell of a case on a column.
fn cell<'r>(report: &'r Value, case: &str, column: &str) -> &'r Value {
    &all(report, "cases").into_iter().find(|item| item["name"] == case).unwrap()["cells"][column]
}

#[test]
fn the_exit_status_is_0_only_if_everything_is_equal() {
    for (columns, filter, code, last) in [
        (COLUMNS, "good", 0, "3 passed, 0 failed"),
        ("mapped", "good", 0, "1 passed, 0 failed"),
        // A transcript differs; a case is not listed; a list has another end; files differ.
        (COLUMNS, "observes_otherwise", 1, "1 passed, 2 failed"),
        (COLUMNS, "missing_on_wasip1", 1, "2 passed, 1 failed"),
        (COLUMNS, "listed_otherwise", 1, "2 passed, 1 failed"),
        (COLUMNS, "leaves_otherwise", 1, "2 passed, 1 failed"),
        (COLUMNS, "loops", 1, "2 passed, 1 failed"),
        (COLUMNS, "no such case", 1, "0 passed, 1 failed"),
        // A required column that cannot run is a failure. Other columns that cannot run are not.
        ("mapped node", "good", 1, "1 passed, 1 failed"),
        ("mapped memmap2", "good", 1, "1 passed, 1 failed"),
    ] {
        let run = compare(columns, &["--filter", filter]);
        assert_eq!(run.code(), Some(code), "{columns}, {filter}: {}", run.stdout());
        assert!(run.stdout().contains(&format!("\n{last}\n")), "{columns}, {filter}: {}", run.stdout());
        assert_eq!(run.json()["passed"], code == 0);
    }
}

#[test]
fn a_column_that_cannot_run_is_absent_with_a_reason() {
    let run = compare("", &["--filter", "good"]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert!(
        run.stdout().contains("wasip1 Node (node) cannot run: there is no `node`: it has to be "),
        "{}",
        run.stdout()
    );
    let report = run.json();
    let node = all(&report, "columns").into_iter().find(|column| column["key"] == "node").unwrap();
    assert_eq!((&node["state"], &node["passed"]), (&"absent".into(), &Value::Null));
    assert!(cell(&report, "good", "node").is_null());
    assert!(run.text("junit.xml").contains("<testcase name=\"wasip1 Node\""));
    // The façade does not have the suite's case, and its columns cannot run here either.
    assert!(run.stdout().contains("memmap2 wasip2 (memmap2-wasip2) cannot run: "), "{}", run.stdout());
    assert_eq!(report["sections"][1]["cases"], Value::Array(Vec::new()));

    let run = compare("mapped node", &["--filter", "good"]);
    assert_eq!(
        all(&run.json(), "problems")[0].as_str().unwrap().split(':').next(),
        Some("wasip1 Node is required and cannot run")
    );
    assert_eq!(compare("mapped wasip3", &[]).code(), Some(2));
}

#[test]
fn if_no_required_column_can_run_only_the_reasons_are_printed() {
    let run = compare("node jco", &[]);
    assert_eq!(run.code(), Some(1), "{}", run.stdout());
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout());
    assert!(lines[0].starts_with("FAILED wasip1 Node is required and cannot run: there is no `node`: "), "{lines:?}");
    assert!(lines[1].starts_with("FAILED wasip2 jco is required and cannot run: "), "{lines:?}");
    // The reports have the same problems.
    assert_eq!((&run.json()["passed"], all(&run.json(), "problems").len()), (&false.into(), 2));
}

#[test]
fn a_difference_is_reported_with_both_sides_and_a_command() {
    let run = compare(COLUMNS, &["--filter", "observes"]);
    let message = "FAILED observes_otherwise, wasip1: transcript differs from that of native Mapped (-) at line 2:\n      \
                begins\n    - not on wasip2\n";
    assert!(run.stdout().contains(message), "{}", run.stdout());
    let again = "make compare COLUMNS='mapped wasip1' FILTER='observes_otherwise'";
    assert!(run.stdout().contains(&format!("\n    again: {again}\n")), "{}", run.stdout());
    let report = run.json();
    let failure = &cell(&report, "observes_otherwise", "wasip1")["failure"];
    assert_eq!(failure["again"], again);
    assert_eq!(failure["difference"]["reference"], "mapped");
    assert_eq!(failure["difference"]["line"], 2);
    assert_eq!(failure["difference"]["theirs"][0], "not on wasip2");
    assert_eq!(failure["difference"]["ours"][0], "on wasip1");
}

#[test]
fn the_three_reports_have_the_same_results() {
    let run = compare(COLUMNS, &[]);
    let report = run.json();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for case in all(&report, "cases") {
        for column in ["mapped", "wasip1", "wasip2"] {
            *states.entry(case["cells"][column]["state"].as_str().unwrap()).or_default() += 1;
        }
    }
    assert_eq!((states["passed"], states["failed"]), (32, 19));
    // The ledger belongs to another suite. Each exception for these columns is a failure, because its case does not
    // exist here.
    let excepted = [Platform::MAPPED_HERE, Platform::BufferedWasi, Platform::BufferedWasi];
    let excepted: usize = excepted.into_iter().map(|platform| platform.exceptions("").count()).sum();
    assert_eq!(all(&report, "problems").len(), excepted);
    assert_eq!(report["counts"]["passed"], 32);
    assert_eq!(report["counts"]["failed"], 19 + excepted);
    assert!(run.stdout().contains(&format!("\n32 passed, {} failed\n", 19 + excepted)));
    let sum =
        |field: &str| -> u64 { all(&report, "columns").iter().map(|column| column[field].as_u64().unwrap()).sum() };
    assert_eq!((sum("cases"), sum("passed"), sum("failed")), (51, 32, 19));

    let junit = run.text("junit.xml");
    assert_eq!(junit.matches("<testcase ").count(), 51 + excepted);
    assert_eq!(junit.matches("<error ").count(), excepted);
    assert_eq!(junit.matches("<failure ").count(), 19);

    // Equal transcripts are stored once: the first case has one transcript, the second case has several.
    let transcript = |case, column| cell(&report, case, column)["transcript"].as_u64().unwrap();
    assert_eq!(transcript("good", "mapped"), transcript("good", "wasip2"));
    assert_ne!(transcript("observes_otherwise", "mapped"), transcript("observes_otherwise", "wasip1"));
    assert!(cell(&report, "reads_twice", "wasip1")["calls"]["fd_pread"].is_array());
    assert!(cell(&report, "reads_twice", "mapped")["calls"].is_null());
}

#[test]
fn the_page_shows_the_numbers_of_the_report() {
    let Some(browser) = browser() else { return };
    for options in [&[][..], &["--filter", "good"]] {
        let run = compare(COLUMNS, options);
        let report = run.json();
        let page = dom(&browser, run.out.path(), "");
        for column in all(&report, "columns") {
            let key = column["key"].as_str().unwrap();
            for field in ["cases", "passed", "failed", "excepted"] {
                assert_eq!(shown(&page, key, field), column[field].to_string(), "{key}, {field}");
            }
            if let Some(calls) = column["calls"].as_object() {
                for field in ["reads", "writes", "syncs", "stats"] {
                    assert_eq!(shown(&page, key, field), calls[field].to_string(), "{key}, {field}");
                }
            }
        }
        let cases = all(&report, "cases");
        assert_eq!(page.matches("data-case=").count(), cases.len());
        let cells = |case: &Value| case["cells"].as_object().unwrap().clone().into_iter();
        for state in ["passed", "failed"] {
            let count = cases.iter().copied().flat_map(cells).filter(|(_, cell)| cell["state"] == state).count();
            assert_eq!(page.matches(&format!("data-state=\"{state}\"")).count(), count, "{state}");
        }
        assert!(page.contains(&format!("data-passed=\"{}\"", report["passed"])));
    }
}

#[test]
fn the_page_can_show_only_the_failures() {
    let Some(browser) = browser() else { return };
    let run = compare(COLUMNS, &[]);
    let page = dom(&browser, run.out.path(), "#failed");
    let report = run.json();
    for case in all(&report, "cases") {
        let name = case["name"].as_str().unwrap();
        let row = page.split("<tr ").find(|row| row.contains(&format!("data-case=\"{name}\""))).unwrap();
        let failed = case["cells"].as_object().unwrap().values().any(|cell| cell["state"] == "failed");
        assert_eq!(!row.split('>').next().unwrap().contains("hidden"), failed, "{name}");
    }
}

/// The browser. If there is none, prints what is not checked.
fn browser() -> Option<PathBuf> {
    let found = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| which::which(name).ok());
    if found.is_none() {
        // Not with a macro, because the test harness captures its output.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "NOT CHECKED: report.html, because there is no `chromium`").unwrap();
    }
    found
}

/// The page after its script has run.
fn dom(browser: &Path, dir: &Path, fragment: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let page: PathBuf = dir.join("report.html");
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en"]);
    command.arg("--dump-dom").arg(format!("--user-data-dir={}", profile.path().display()));
    let output = command.arg(format!("file://{}{fragment}", page.display())).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("</html>"), "{}", String::from_utf8_lossy(&output.stderr));
    page
}

/// The number that the page shows for a column.
fn shown(page: &str, column: &str, field: &str) -> String {
    let (_, rest) = page.split_once(&format!("data-column=\"{column}\" data-count=\"{field}\"")).unwrap();
    let (text, _) = rest.split_once('>').unwrap().1.split_once('<').unwrap();
    text.replace(',', "")
}
