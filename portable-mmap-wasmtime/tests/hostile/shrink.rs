//! Shortens a program with a finding.

use crate::batch::{Finding, run};
use crate::child::Task;

/// The number of shorter programs that are tried.
const MOST_TRIES: usize = 300;

/// Leaves out as many steps of a program as possible so that it still has a finding. Returns the program as text, or
/// `None` if the program alone has no finding.
pub(crate) fn shrink(seed: u64) -> Option<String> {
    let finding = run(&Task::one(seed, None)).0.finding?;
    let mut kept: Vec<usize> = (0..=finding.last_step?).collect();
    let mut tries = 0;
    let mut finds = |steps: &[usize]| -> Option<Finding> {
        tries += 1;
        if tries > MOST_TRIES { None } else { run(&Task::one(seed, Some(steps.to_vec()))).0.finding }
    };
    // A finding may occur only at the end of the program.
    if finds(&kept).is_none() {
        return Some(text(seed, None));
    }
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < kept.len() {
            let end = (start + size).min(kept.len());
            let without = [&kept[..start], &kept[end..]].concat();
            if finds(&without).is_some() {
                kept = without;
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    Some(text(seed, Some(kept)))
}

/// The steps as text, and the finding.
fn text(seed: u64, kept: Option<Vec<usize>>) -> String {
    let (batch, steps) = run(&Task::one(seed, kept));
    let what = batch.finding.map_or_else(|| "there is no finding any more".into(), |finding| finding.what);
    format!("{steps}{what}")
}
