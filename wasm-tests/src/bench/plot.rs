//! Plots the costs of work by file length: a panel for each kind of work, with a line for each backend and column.

use native_tests::workloads::SIZES;
use plotters::prelude::*;
use wasmtime::error::Context as _;

use super::measured::Measured;

/// The kinds of work, in the order of their names in [`SIZES`].
const WORK: [&str; 4] = ["map", "close", "an edit of one page, and flush", "scan all bytes"];

/// The lines: the label, the column, the workload, and the colour.
const LINES: [(&str, &str, &str, RGBColor); 4] = [
    ("Mapped", "native", "from 1 MiB to 1 GiB", RGBColor(31, 119, 180)),
    ("Buffered", "native", "from 1 MiB to 1 GiB, Buffered", RGBColor(255, 127, 14)),
    ("Buffered, wasip1", "wasip1", "from 1 MiB to 1 GiB", RGBColor(44, 160, 44)),
    ("Buffered, wasip2", "wasip2", "from 1 MiB to 1 GiB", RGBColor(148, 103, 189)),
];

/// The plot, as SVG.
pub(super) fn draw(measured: &[Measured]) -> wasmtime::Result<String> {
    let mut text = String::new();
    paint(measured, &mut text).map_err(|error| wasmtime::format_err!("{error}")).context("the plot cannot be drawn")?;
    Ok(text)
}

fn paint(measured: &[Measured], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, (960, 680)).into_drawing_area();
    area.fill(&WHITE)?;
    for (kind, panel) in area.split_evenly((2, 2)).into_iter().enumerate() {
        let mut chart = ChartBuilder::on(&panel)
            .caption(WORK[kind], ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d((1_f64..1024_f64).log_scale(), (1e-7_f64..4_f64).log_scale())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("file, MiB")
            .x_label_formatter(&|mib| format!("{mib:.0}"))
            .y_label_formatter(&|seconds| seconds_text(*seconds))
            .draw()?;
        for (label, column, workload, colour) in LINES {
            let points = points(measured, kind, column, workload);
            let line = LineSeries::new(points.clone(), colour.stroke_width(2));
            chart
                .draw_series(line)?
                .label(label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
        }
        if kind == 0 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .label_font(("sans-serif", 14))
                .draw()?;
        }
    }
    area.present()?;
    Ok(())
}

/// The length in MiB and the time in seconds, for each length that was measured.
fn points(measured: &[Measured], kind: usize, column: &str, workload: &str) -> Vec<(f64, f64)> {
    let time = |way: &str| {
        let of = measured.iter().find(|m| m.column == column && m.workload == workload && m.way == way)?;
        of.time.as_ref().ok().map(|nanoseconds| nanoseconds / 1e9)
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 1024")]
    let point = |(mib, ways): (usize, [&str; 4])| Some((mib as f64, time(ways[kind])?));
    SIZES.into_iter().filter_map(point).collect()
}

fn seconds_text(seconds: f64) -> String {
    match seconds {
        s if s < 0.999e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 0.999e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.999 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Measured, SIZES, draw};

    #[test]
    fn each_kind_of_work_has_a_line_of_each_backend() {
        let measured: Vec<Measured> = LINES
            .into_iter()
            .flat_map(|(_, column, workload, _)| {
                SIZES.into_iter().flat_map(|(_, ways)| ways).map(move |way| Measured {
                    column,
                    workload: workload.to_owned(),
                    way: way.to_owned(),
                    time: Ok(1000.0),
                    calls: None,
                    peak: None,
                })
            })
            .collect();
        let text = draw(&measured).unwrap();
        assert!(text.starts_with("<svg"), "{text}");
        assert_eq!(text.matches("<circle").count(), 4 * LINES.len() * SIZES.len());
    }
}
