//! Scripts: operations on several mappings of one file, with others who write to it and truncate it in between. They
//! are played over OS mappings, over buffers, and over both at once, beside one model of what all of them promise.
//!
//! `rows` lists where the backends may differ. `file`, `window` and `memory` are the bytes, `view` has the rules of the
//! calls, `input` and `call` say what a script does, and `play` compares.

mod call;
mod file;
mod input;
mod memory;
mod play;
mod rows;
mod view;
mod window;

#[cfg(test)]
mod tests;

pub use input::Input;

use rows::Backend::{Buffered, Mapped};

/// Plays the script over each backend, and over both.
pub fn run(input: &Input) {
    play::play([Buffered; input::SLOTS], input);
    play::play([Mapped; input::SLOTS], input);
    play::play([Mapped, Buffered, Buffered], input);
}
