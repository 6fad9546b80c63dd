//! The guard of a buffer: what is lost, and why.

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use super::PAGE;
use crate::error::{Operation, Reason};
use crate::guard::FaultKind;
use crate::guard::lost::Lost;
use crate::{Error, Result};

/// What a guarded buffer has lost.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) lost: Lost,
    /// Why pages could not be read, in the order in which that was noted.
    causes: Mutex<Vec<(Range<usize>, Cause)>>,
}

impl Guard {
    /// Nothing of `pages` pages.
    pub(super) fn new(pages: usize) -> Result<Self> {
        Ok(Self { lost: Lost::new(pages)?, causes: Mutex::default() })
    }

    /// Notes that the pages of `failed`, which were asked for, could not be had. The storage has `reach` bytes from the start
    /// of the mapping on. `of_absent` calls its second argument with the runs of pages within its first that can be lost,
    /// because nobody has their bytes.
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

    /// Takes the faults in `pages` back, and calls `restore` with each run of pages that are not lost any more.
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

    /// The error of a page that could not be read, of `len` bytes from `offset`.
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

/// An error of a storage, to be returned more than once.
#[derive(Debug)]
struct Cause {
    operation: Operation,
    error: Arc<io::Error>,
}

impl Cause {
    fn new(operation: Operation, error: io::Error) -> Self {
        Self { operation, error: Arc::new(error) }
    }

    /// The error once more: with its kind, its number if it has one, and its text.
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
