//! BLAKE3 over a mapping. It reads the file where mapping fails, without a word.

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        for name in ["words.txt", "font.ttf"] {
            let mut hasher = blake3::Hasher::new();
            hasher.update_mmap(dir.join(name))?;
            println!("{}  {name}", hasher.finalize());
        }
        Ok(())
    })
}
