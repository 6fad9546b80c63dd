//! Tests of the model. Each test is a simple example of one rule.

use portable_mmap::Access;

use super::call::{Call, Change, Outcome, Value};
use super::file::{File, PAGE};
use super::rows::Backend::{self, Buffered, Mapped};
use super::view::View;
use super::window::Window;

mod changes;
mod faces;
mod guard;

const BOTH: [Backend; 2] = [Mapped, Buffered];
const TRUNCATED: Outcome = Err("Truncated");
const DONE: Outcome = Ok(Value::Nothing);

/// A file and mappings of it. Calls use the last mapping if none is given.
struct Scene {
    file: File,
    views: Vec<View>,
}

impl Scene {
    /// A file of this many pages, whose bytes are 1 in the first page, 2 in the second, and so on.
    fn of_file(pages: u8) -> Self {
        let content: Vec<u8> = (1..=pages).flat_map(|byte| [byte; PAGE]).collect();
        Self { file: File::new(&content), views: Vec::new() }
    }

    /// The whole file, mapped with a guard.
    fn guarded(backend: Backend, access: Access, pages: u8) -> Self {
        let mut scene = Self::of_file(pages);
        scene.map(backend, access, true);
        scene
    }

    /// Maps the whole file.
    fn map(&mut self, backend: Backend, access: Access, guard: bool) {
        let window = Window { offset: 0, len: self.file.size(), access };
        self.views.push(View::new(backend, window, guard));
    }

    fn set_len(&mut self, len: usize) {
        self.file.set_len(len);
        self.views.iter_mut().for_each(|view| view.bytes.truncate(&self.file));
    }

    fn call_of(&mut self, view: usize, call: &Call) -> Outcome {
        self.views[view].expect(&mut self.file, call, None)
    }

    fn call(&mut self, call: &Call) -> Outcome {
        self.call_of(self.views.len() - 1, call)
    }

    /// Returns `m[at]`.
    fn byte(&mut self, at: usize) -> u8 {
        match self.call(&Call::Index { start: at, len: 1, change: None }) {
            Ok(Value::Bytes(bytes)) => bytes[0],
            other => panic!("`m[at]` returned {other:?}"),
        }
    }

    /// `m[at] = byte`
    fn store(&mut self, at: usize, byte: u8) {
        let stored = self.call(&Call::Index { start: at, len: 1, change: Some(Change { stride: 1, byte }) });
        assert_eq!(stored, bytes([byte]));
    }

    fn get_item(&mut self, at: usize) -> Outcome {
        self.call(&Call::GetItem(at.cast_signed()))
    }

    fn flush(&mut self) -> Outcome {
        self.call(&Call::Flush { is_sync: true, range: None })
    }

    fn flush_page(&mut self, page: usize) -> Outcome {
        self.call(&Call::Flush { is_sync: true, range: Some((page * PAGE, PAGE)) })
    }

    fn refresh(&mut self) {
        assert_eq!(self.call(&Call::Refresh(None)), DONE);
    }

    fn refresh_page(&mut self, page: usize) {
        assert_eq!(self.call(&Call::Refresh(Some((page * PAGE, PAGE)))), DONE);
    }

    fn fault(&self) -> Option<usize> {
        self.views.last().and_then(|view| view.bytes.fault())
    }

    /// A byte of the file.
    fn in_file(&self, at: usize) -> u8 {
        self.file.held(at..at + 1)[0]
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with results of calls")]
fn bytes<const N: usize>(bytes: [u8; N]) -> Outcome {
    Ok(Value::Bytes(bytes.to_vec()))
}
