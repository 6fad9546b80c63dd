//! `report.html`: the report of [`json`](super::json) and a script that shows it, in one file.

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page that shows the report `json`.
///
/// Nothing in a report can end the element that it stands in, or begin another: it has no `<`. The script puts text
/// into the page as text.
#[must_use]
pub fn page(json: &str) -> String {
    // In JSON a `<` stands in strings alone, where it may be written so.
    let json = json.replace('<', "\\u003c");
    // The report last: it may hold what stands for the others.
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
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = page("{}");
        for part in ["http:", "https:", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(part), "{part}");
        }
    }
}
