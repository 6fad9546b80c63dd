//! The results of all power failures of a column.

use native_tests::crash::Findings;

/// The results of all power failures of a column.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The name of the column.
    pub name: &'static str,
    /// The number of power failures.
    pub points: usize,
    /// Flushes to the disk that had returned, and closes with a sync.
    pub flushes: usize,
    /// Unsynced writes and lengths that did not reach the disk, or not as a whole.
    pub thrown_away: usize,
    /// Failures that left a part of the changes of a call that had not returned.
    pub midway: usize,
    /// Bytes of files that were checked.
    pub bytes: usize,
    /// Bytes that a returned call guarantees and that are missing.
    pub lost: usize,
    /// Bytes that the program did not write.
    pub foreign: usize,
    /// Descriptions of the losses, one for each failure with a loss.
    pub losses: Vec<String>,
    /// Descriptions of runs that did not complete.
    pub problems: Vec<String>,
}

impl Tally {
    /// Whether this column has shown that nothing is lost: nothing was lost, and there was something that could be
    /// lost.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.losses.is_empty() && self.problems.is_empty() && self.flushes > 0 && self.thrown_away > 0
    }

    /// Adds the result of one failure.
    pub(super) fn add(&mut self, found: &Findings, thrown_away: usize, place: impl FnOnce() -> String) {
        self.points += 1;
        self.thrown_away += thrown_away;
        self.midway += usize::from(found.newer > 0);
        self.bytes += found.bytes;
        self.lost += found.lost;
        self.foreign += found.foreign;
        if let Some(wrong) = &found.first_wrong {
            self.losses.push(format!("{}: {} lost, {} foreign; {wrong}", place(), found.lost, found.foreign));
        }
    }

    /// Adds the results of another run of the same column.
    pub(super) fn join(&mut self, other: Self) {
        self.points += other.points;
        self.flushes += other.flushes;
        self.thrown_away += other.thrown_away;
        self.midway += other.midway;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.foreign += other.foreign;
        self.losses.extend(other.losses);
        self.problems.extend(other.problems);
    }
}
