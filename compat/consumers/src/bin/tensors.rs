//! Weights of a model in the format of the crate `safetensors`, read from a mapping of their file.

use std::fs::File;

use memmap2::Mmap;
use safetensors::SafeTensors;

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        // SAFETY: nobody changes the file. The `File` is closed after this statement.
        let map = unsafe { Mmap::map(&File::open(dir.join("model.safetensors"))?) }?;
        let tensors = SafeTensors::deserialize(&map)?;
        let mut names = tensors.names();
        names.sort_unstable();
        for name in names {
            let tensor = tensors.tensor(name)?;
            let (numbers, _) = tensor.data().as_chunks();
            let sum: f64 = numbers.iter().map(|&number| f64::from(f32::from_le_bytes(number))).sum();
            println!("{name} {:?} {:?} {sum}", tensor.dtype(), tensor.shape());
        }
        Ok(())
    })
}
