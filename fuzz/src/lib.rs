//! What the fuzz targets do with an input: each module has an `Input` and a `run` that panics at a finding.

use arbitrary::{Arbitrary, Result, Unstructured};

pub mod notation;
pub mod script;
pub mod search;

/// What the rest of the bytes mean, `most` values at the most. A `Vec` would end at every other byte.
fn all_of<'a, T: Arbitrary<'a>>(bytes: &mut Unstructured<'a>, most: usize) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while !bytes.is_empty() && all.len() < most {
        all.push(bytes.arbitrary()?);
    }
    Ok(all)
}
