//! Makes a program that shows a finding short.

use crate::batch::{Finding, run};
use crate::child::Order;

/// So many shorter programs are tried.
const MOST_TRIES: usize = 300;

/// The text of the shortest program that still shows a finding: whichever of its steps can be left out are. `None`:
/// the program by itself shows none.
pub(crate) fn shrink(seed: u64) -> Option<String> {
    let finding = run(&Order::one(seed, None)).0.finding?;
    let mut kept: Vec<usize> = (0..=finding.last_step?).collect();
    let mut tries = 0;
    let mut shows = |steps: &[usize]| -> Option<Finding> {
        tries += 1;
        if tries > MOST_TRIES { None } else { run(&Order::one(seed, Some(steps.to_vec()))).0.finding }
    };
    // What the steps before have done may show at the end of the program alone.
    if shows(&kept).is_none() {
        return Some(text(seed, None));
    }
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < kept.len() {
            let end = (start + size).min(kept.len());
            let without = [&kept[..start], &kept[end..]].concat();
            if shows(&without).is_some() {
                kept = without;
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    Some(text(seed, Some(kept)))
}

/// The steps as text, and what the last one shows.
fn text(seed: u64, kept: Option<Vec<usize>>) -> String {
    let (batch, steps) = run(&Order::one(seed, kept));
    let what = batch.finding.map_or_else(|| "no finding any more".into(), |finding| finding.what);
    format!("{steps}{what}")
}
