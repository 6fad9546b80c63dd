//! A model of a mapping, as simple as possible: a file is a vector, and a mapping is a window of it.

use std::io::SeekFrom;

use portable_mmap::Access;

use crate::others::resize;

/// A file and at most one mapping of it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The bytes of the file after everything is written back.
    pub file: Vec<u8>,
    /// The mapping.
    pub view: Option<View>,
}

/// A mapping of the file, or a copy of it.
#[derive(Clone, Debug)]
pub struct View {
    /// The offset in the file.
    pub offset: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The access of the mapping.
    pub access: Access,
    /// The position.
    pub position: usize,
}

/// The result of a call: its value, or the name of its error.
pub type Outcome = Result<String, &'static str>;

impl Model {
    /// Maps `len` bytes from `offset`, or the whole rest if `len` is 0.
    ///
    /// # Errors
    /// The name of the error.
    pub fn map(&mut self, offset: usize, len: usize, access: Access) -> Outcome {
        let size = self.file.len();
        if len == 0 && size == 0 {
            return Err("EmptyFile");
        }
        if len == 0 && offset >= size {
            return Err("OffsetPastEnd");
        }
        if offset + len > size {
            return Err("LengthPastEnd");
        }
        let end = if len == 0 { size } else { offset + len };
        let bytes = self.file[offset..end].to_vec();
        self.view = Some(View { offset, bytes, access, position: 0 });
        Ok((end - offset).to_string())
    }

    /// Writes the changes of a mapping with write access to the file.
    fn write_back(&mut self) {
        if let Some(View { offset, bytes, access: Access::Write | Access::Default, .. }) = &self.view {
            self.file[*offset..*offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Changes the length of the mapping and of the file.
    ///
    /// # Errors
    /// The name of the error.
    pub fn resize(&mut self, len: usize) -> Outcome {
        let Some(view) = &mut self.view else { return Err("Closed") };
        if matches!(view.access, Access::Read | Access::Copy) {
            return Err("ReadOnly");
        }
        if len == 0 {
            return Err("OutOfRange");
        }
        // Bytes of the file after the old end of the mapping become visible.
        let behind = view.offset + view.bytes.len();
        let shown = self.file[behind..].to_vec();
        view.bytes.extend(shown);
        resize(&mut view.bytes, len, 0);
        let end = view.offset + len;
        resize(&mut self.file, end, 0);
        self.write_back();
        Ok(String::new())
    }

    /// Runs `act` on the mapping, and writes its changes to the file.
    ///
    /// # Errors
    /// The name of the error; the mapping is unchanged.
    pub fn act(&mut self, act: impl FnOnce(&mut View) -> Outcome) -> Outcome {
        let Some(view) = &mut self.view else { return Err("Closed") };
        let before = view.clone();
        let outcome = act(view);
        if outcome.is_err() {
            *view = before;
        } else {
            self.write_back();
        }
        outcome
    }

    /// Closes the mapping.
    pub fn close(&mut self) {
        self.view = None;
    }
}

impl View {
    /// Returns an error if the mapping is read-only.
    ///
    /// # Errors
    /// The name of the error.
    pub fn writable(&self) -> Result<(), &'static str> {
        if self.access == Access::Read { Err("ReadOnly") } else { Ok(()) }
    }

    /// `read_bytes`
    pub fn read(&mut self, n: usize) -> Vec<u8> {
        let start = self.position.min(self.bytes.len());
        let end = (start + n).min(self.bytes.len());
        if start < end {
            self.position = end;
        }
        self.bytes[start..end].to_vec()
    }

    /// `readline`
    pub fn readline(&mut self) -> Vec<u8> {
        let start = self.position.min(self.bytes.len());
        let newline = self.bytes[start..].iter().position(|&byte| byte == b'\n');
        self.read(newline.map_or(usize::MAX - start, |at| at + 1))
    }

    /// `write_bytes`
    ///
    /// # Errors
    /// The name of the error.
    pub fn write(&mut self, data: &[u8]) -> Outcome {
        self.writable()?;
        let end = self.position + data.len();
        self.bytes.get_mut(self.position..end).ok_or("OutOfRange")?.copy_from_slice(data);
        self.position = end;
        Ok(data.len().to_string())
    }

    /// `seek`
    ///
    /// # Errors
    /// The name of the error.
    pub fn seek(&mut self, to: SeekFrom) -> Outcome {
        let target = match to {
            SeekFrom::Start(n) => i128::from(n),
            SeekFrom::Current(n) => self.position as i128 + i128::from(n),
            SeekFrom::End(n) => self.bytes.len() as i128 + i128::from(n),
        };
        if target < 0 || target > self.bytes.len() as i128 {
            return Err("OutOfRange");
        }
        self.position = usize::try_from(target).map_err(|_| "OutOfRange")?;
        Ok(target.to_string())
    }

    /// The positions of `needle` in `start..end`, in order.
    #[must_use]
    pub fn matches(&self, needle: &[u8], start: usize, end: usize) -> Vec<usize> {
        let last = (end + 1).saturating_sub(needle.len());
        (start..last).filter(|&at| self.bytes[at..].starts_with(needle)).collect()
    }

    /// The indices that a slice selects, in order.
    #[must_use]
    #[expect(clippy::similar_names, reason = "Python's names")]
    pub fn picked(&self, start: Option<isize>, stop: Option<isize>, step: isize) -> Vec<usize> {
        let len = isize::try_from(self.bytes.len()).unwrap_or(isize::MAX);
        let resolve = |bound: isize| if bound < 0 { bound + len } else { bound };
        let mut at = match (start, step > 0) {
            (None, true) => 0,
            (None, false) => len - 1,
            (Some(start), true) => resolve(start).max(0),
            (Some(start), false) => resolve(start).min(len - 1),
        };
        let mut picked = Vec::new();
        while (0..len).contains(&at)
            && stop.is_none_or(|stop| if step > 0 { at < resolve(stop) } else { at > resolve(stop) })
        {
            picked.push(at.unsigned_abs());
            at += step;
        }
        picked
    }
}
