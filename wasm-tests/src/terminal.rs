//! The harness's output in a terminal: tables, and the progress of a run.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

/// The progress of `count` runs. Prints nothing if the output is not a terminal.
pub(crate) fn progress(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {wide_msg}");
    ProgressBar::new(count as u64).with_style(style.expect("the template is valid"))
}

/// Aligns the columns from `first` on to the right, for numbers.
pub(crate) fn align_right(table: &mut Table, first: usize) {
    table.column_iter_mut().skip(first).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
}

/// The largest width of a table in characters. Longer cells continue on another line.
const WIDTH: u16 = 100;

/// A table in the style of the harness.
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
    fn no_table_is_wider_than_the_limit() {
        let mut table = new_table(&["Work", "Against"]);
        table.add_row(["a word ".repeat(30), "another ".repeat(30)]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH.into()), "{text}");
    }
}
