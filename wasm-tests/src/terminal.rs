//! What all of the harness shows in a terminal: tables, and how far a run has come.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

/// The progress of so many runs, silent where the output is not a terminal.
pub(crate) fn progress(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {wide_msg}");
    ProgressBar::new(count as u64).with_style(style.expect("the template is one"))
}

/// Aligns the columns from `first` on as numbers are.
pub(crate) fn align_right(table: &mut Table, first: usize) {
    table.column_iter_mut().skip(first).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
}

/// No table is wider than this, in characters: longer cells go on in a further line.
const WIDTH: u16 = 100;

/// A table as all of the harness's are.
pub(crate) fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, new_table};

    #[test]
    fn no_table_is_wider_than_a_page() {
        let mut table = new_table(&["Work", "Against"]);
        table.add_row(["a word ".repeat(30), "another ".repeat(30)]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH.into()), "{text}");
    }
}
