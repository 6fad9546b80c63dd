//! Scripts: operations on several mappings of one file, with others who write to it and cut it in between, played over
//! both backends and over a model of what each promises.

mod buffered;
mod call;
mod file;
mod input;
mod mapped;
mod play;
mod promise;
mod view;

pub use input::Input;

/// Plays the script over each backend.
pub fn run(input: &Input) {
    play::play::<portable_mmap::Buffered, buffered::Buffered>(input);
    play::play::<portable_mmap::Mapped, mapped::Mapped>(input);
}
