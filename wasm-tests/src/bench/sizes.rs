//! Measures the size that the crate adds to a release build: a program that maps its file, compared with one that reads
//! it.

use std::path::Path;

use wasmtime::error::Context as _;

use super::measured::Size;
use super::plan::{COLUMNS, Plan};

pub(super) fn measure(plan: &Plan) -> wasmtime::Result<Vec<Size>> {
    // The first column is native.
    COLUMNS[1..]
        .iter()
        .zip(&plan.sizes)
        .map(|(&column, (maps, reads))| Ok(Size { column, reads: size(reads)?, maps: size(maps)? }))
        .collect()
}

fn size(path: &Path) -> wasmtime::Result<u64> {
    let data = std::fs::metadata(path).with_context(|| format!("cannot read the size of {}", path.display()))?;
    Ok(data.len())
}
