//! An array of the crate `ndarray` in a NumPy file, changed in place through a mapping.

use std::fs::{self, OpenOptions};

use memmap2::MmapMut;
use ndarray::{ArrayViewMut2, Axis};
use ndarray_npy::ViewMutNpyExt;

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        let path = dir.join("array.npy");
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        // SAFETY: nobody else changes the file.
        let mut map = unsafe { MmapMut::map_mut(&file) }?;
        let mut array = ArrayViewMut2::<f64>::view_mut_npy(&mut map)?;
        println!("{:?}, {}", array.dim(), array.sum());
        array.row_mut(500).fill(0.5);
        array.column_mut(7).mapv_inplace(|value| -value);
        println!("{}", array.sum_axis(Axis(0)).iter().take(8).map(f64::to_string).collect::<Vec<_>>().join(" "));
        map.flush()?;
        println!("{}", blake3::hash(&fs::read(&path)?));
        Ok(())
    })
}
