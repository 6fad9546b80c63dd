//! Scripts: operations on several mappings of one file, while other writers write to it and truncate it. They run over
//! OS mappings, over buffers, and over both at once, and are compared with one model.
//!
//! `rows` lists the allowed differences of the backends. `file`, `window` and `memory` model the bytes, and `view` the
//! calls. `input` and `call` define the steps of a script, and `play` runs it and compares.

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

/// Runs the script over each backend, and over both.
pub fn run(input: &Input) {
    play::play([Buffered; input::SLOTS], input);
    play::play([Mapped; input::SLOTS], input);
    play::play([Mapped, Buffered, Buffered], input);
}
