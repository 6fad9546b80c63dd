//! Plots the costs of fleets by their size: a panel for memory and one for time, with a line for each way and file.

use plotters::prelude::*;
use wasmtime::Result;
use wasmtime::error::Context as _;

use super::fleets::{Cost, FILES, WAYS, mebibytes};

/// The panels: the caption, the range, the number that is shown for a fleet, and its format.
const PANELS: [(&str, f64, f64, Number, Format); 2] = [
    ("memory, with page tables", 0.5, 10_000.0, memory, memory_text),
    ("time to start all", 0.000_1, 20.0, time, time_text),
];

type Number = fn(&Cost) -> f64;
type Format = fn(f64) -> String;

/// A colour for each way, one shade for each file.
const COLOURS: [[RGBColor; 2]; 2] =
    [[RGBColor(255, 187, 120), RGBColor(255, 127, 14)], [RGBColor(120, 180, 225), RGBColor(31, 119, 180)]];

/// The plot, as SVG.
///
/// # Errors
/// Fails if drawing fails.
pub(super) fn draw(fleets: &[Cost]) -> Result<String> {
    let mut text = String::new();
    paint(fleets, &mut text).map_err(|error| wasmtime::format_err!("{error}")).context("the plot cannot be drawn")?;
    Ok(text)
}

fn paint(fleets: &[Cost], text: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, (960, 380)).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, (caption, least, most, number, format)) in area.split_evenly((1, 2)).into_iter().zip(PANELS) {
        let mut chart = ChartBuilder::on(&panel)
            .caption(caption, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(72)
            .build_cartesian_2d((1_f64..1000_f64).log_scale(), (least..most).log_scale())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("instances")
            .x_label_formatter(&|instances| format!("{instances:.0}"))
            .y_label_formatter(&|value| format(*value))
            .draw()?;
        for (way, colours) in WAYS.into_iter().zip(COLOURS) {
            for (mib, colour) in FILES.into_iter().zip(colours) {
                let is_of_line = |fleet: &&Cost| fleet.way == way && fleet.mib == mib && !fleet.pooling;
                #[expect(clippy::cast_precision_loss, reason = "at most 1,000")]
                let point = |fleet: &Cost| (fleet.instances as f64, number(fleet).clamp(least, most));
                let points: Vec<_> = fleets.iter().filter(is_of_line).map(point).collect();
                chart
                    .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
                    .label(format!("{way}, {mib} MiB"))
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
                chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
            }
        }
        if caption == PANELS[0].0 {
            let labels = &mut chart.configure_series_labels();
            labels.position(SeriesLabelPosition::UpperLeft).label_font(("sans-serif", 14)).draw()?;
        }
    }
    area.present()?;
    Ok(())
}

fn memory(fleet: &Cost) -> f64 {
    mebibytes(fleet.measured.pss + fleet.measured.page_tables)
}

fn memory_text(mebibytes: f64) -> String {
    format!("{mebibytes} MiB")
}

fn time(fleet: &Cost) -> f64 {
    fleet.measured.time.as_secs_f64()
}

fn time_text(seconds: f64) -> String {
    if seconds < 0.999 { format!("{} ms", seconds * 1e3) } else { format!("{seconds:.0} s") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fleets::INSTANCES;
    use super::*;
    use crate::placed::Measured;

    #[test]
    fn each_fleet_without_a_pool_is_a_point_in_each_panel() {
        let measured = Measured { pss: 5 << 20, page_tables: 1 << 20, time: Duration::from_millis(7) };
        let of_line = |mib, way| {
            let fleet = move |instances, pooling| Cost { mib, way, pooling, instances, measured };
            INSTANCES.into_iter().map(move |instances| fleet(instances, false)).chain([fleet(1000, true)])
        };
        let fleets: Vec<Cost> =
            FILES.into_iter().flat_map(|mib| WAYS.into_iter().flat_map(move |way| of_line(mib, way))).collect();
        let text = draw(&fleets).unwrap();
        assert_eq!(text.matches("<circle").count(), PANELS.len() * FILES.len() * WAYS.len() * INSTANCES.len());
        assert!(text.contains("emulated, 64 MiB") && text.contains("10 ms"), "{text}");
    }
}
