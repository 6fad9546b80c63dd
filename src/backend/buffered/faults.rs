//! The guard of a buffer: the lost pages, and the errors that caused the loss.

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use super::PAGE;
use crate::error::{Operation, Reason};
use crate::guard::FaultKind;
use crate::guard::lost::Lost;
use crate::{Error, Result};

/// The lost pages of a guarded buffer.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) lost: Lost,
    /// The errors of pages that could not be read, in the order in which they were noted.
    causes: Mutex<Vec<(Range<usize>, Cause)>>,
}

impl Guard {
    /// A guard of `pages` pages, none of them lost.
    pub(super) fn new(pages: usize) -> Result<Self> {
        Ok(Self { lost: Lost::new(pages)?, causes: Mutex::default() })
    }

    /// Notes that the pages of `failed`, which were requested, could not be loaded. The storage has `reach` bytes from
    /// the start of the mapping on. `of_absent` takes a range of pages and a function. It calls the function with each
    /// run of pages in the range that can be lost, because they are not loaded and nobody is loading them.
    pub(super) fn note(
        &self,
        failure: Error,
        failed: &Range<usize>,
        reach: u64,
        of_absent: impl FnOnce(Range<usize>, &mut dyn FnMut(Range<usize>)),
    ) {
        let gone = if let Error::Io { operation, source, .. } = failure {
            let mut causes = self.causes();
            if causes.try_reserve(1).is_ok() {
                causes.push((failed.clone(), Cause::new(operation, source)));
            }
            drop(causes);
            self.lost.note(failed, FaultKind::Io);
            failed.clone()
        } else {
            self.lost.note(&(failed.start..failed.start + 1), FaultKind::Truncated);
            let behind = self.lost.behind(reach, PAGE);
            behind.start.min(failed.start)..behind.end
        };
        of_absent(gone, &mut |run| {
            self.lost.lose(&run, |_| true);
        });
    }

    /// Clears the faults in `pages`, and calls `restore` with each run of pages that are no longer lost.
    pub(super) fn refresh(&mut self, pages: &Range<usize>, mut restore: impl FnMut(Range<usize>)) -> Result<()> {
        self.lost.refresh(pages, |run| {
            restore(run);
            Ok(())
        })?;
        let lost = &self.lost;
        let causes = self.causes.get_mut().unwrap_or_else(PoisonError::into_inner);
        causes.retain(|(pages, _)| !lost.set().first_present(pages).is_empty());
        Ok(())
    }

    /// The error of a page that could not be read, for `len` bytes from `offset`.
    pub(super) fn cause(&self, page: usize, offset: u64, len: u64) -> Error {
        match self.causes().iter().find(|(pages, _)| pages.contains(&page)) {
            Some((_, cause)) => Error::io(cause.operation, offset, len, cause.again()),
            None => Error::io(Operation::Read, offset, len, Reason::Touch),
        }
    }

    fn causes(&self) -> MutexGuard<'_, Vec<(Range<usize>, Cause)>> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error of a storage that is returned more than once.
#[derive(Debug)]
struct Cause {
    operation: Operation,
    error: Arc<io::Error>,
}

impl Cause {
    fn new(operation: Operation, error: io::Error) -> Self {
        Self { operation, error: Arc::new(error) }
    }

    /// A copy of the error, with the same kind, number and text.
    fn again(&self) -> io::Error {
        match self.error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None if self.error.get_ref().is_none() => self.error.kind().into(),
            None => Reason::of(&self.error)
                .map_or_else(|| io::Error::new(self.error.kind(), SharedError(self.error.clone())), io::Error::from),
        }
    }
}

/// An error that several errors share.
#[derive(Debug)]
struct SharedError(Arc<io::Error>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for SharedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_returned_again_with_kind_number_and_text() {
        let errors = [
            io::Error::from_raw_os_error(5),
            io::ErrorKind::TimedOut.into(),
            io::Error::new(io::ErrorKind::ConnectionReset, "the far end is gone"),
        ];
        for error in errors {
            let (kind, number, text) = (error.kind(), error.raw_os_error(), error.to_string());
            let cause = Cause::new(Operation::Read, error);
            for _ in 0..2 {
                let again = cause.again();
                assert_eq!((again.kind(), again.raw_os_error(), again.to_string()), (kind, number, text.clone()));
            }
        }
    }
}
