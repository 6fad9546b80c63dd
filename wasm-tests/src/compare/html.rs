//! `report.html`: the report of [`json`](super::json) and a script that shows it, in one file.

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page that shows the report `json`.
///
/// Nothing in a report can end the element that contains it, or begin another: the report has no `<`. The script
/// inserts text into the page as text.
#[must_use]
pub fn page(json: &str) -> String {
    // In JSON a `<` occurs only in strings, where it may be written as an escape.
    let json = json.replace('<', "\\u003c");
    // The report is inserted last, because it may contain the placeholders of the others.
    PAGE.replace("{{STYLE}}", STYLE).replace("{{SCRIPT}}", SCRIPT).replace("{{REPORT}}", &json)
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn a_report_cannot_leave_its_element() {
        let hostile = r#"{"name":"</script><script>alert(1)</script><!-- {{STYLE}} {{SCRIPT}} {{REPORT}}"}"#;
        let page = page(hostile);
        let (_, report) = page.split_once(r#"<script type="application/json" id="report">"#).unwrap();
        let (report, _) = report.split_once("</script>").unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(report).unwrap(),
            serde_json::from_str::<serde_json::Value>(hostile).unwrap()
        );
        assert!(!report.contains('<'));
    }

    #[test]
    fn the_page_loads_no_other_resources() {
        let page = page("{}");
        for part in ["http:", "https:", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(part), "{part}");
        }
    }
}
