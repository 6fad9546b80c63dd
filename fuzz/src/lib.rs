//! The code of the fuzz targets: each module has an `Input` and a function `run` that panics at a finding.

use arbitrary::{Arbitrary, Result, Unstructured};

pub mod notation;
pub mod script;
pub mod search;

/// Makes values of the remaining bytes, at most `most`. A `Vec` would end after a random number of values.
fn all_of<'a, T: Arbitrary<'a>>(bytes: &mut Unstructured<'a>, most: usize) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while !bytes.is_empty() && all.len() < most {
        all.push(bytes.arbitrary()?);
    }
    Ok(all)
}
