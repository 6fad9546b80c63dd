//! What all power failures of a column have left.

use native_tests::crash::Findings;

/// What all power failures of a column have left.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What had edited the file.
    pub name: &'static str,
    /// How often the power failed.
    pub points: usize,
    /// Flushes to the disk that had returned, and closes with a sync.
    pub flushes: usize,
    /// Writes and lengths that were not synced and did not reach the disk, or not as a whole.
    pub thrown_away: usize,
    /// Failures that left a part of what was not promised yet.
    pub midway: usize,
    /// Bytes of files that were looked at.
    pub bytes: usize,
    /// Bytes that were promised and are not there.
    pub lost: usize,
    /// Bytes that nobody wrote.
    pub foreign: usize,
    /// What each of them has lost, a text each.
    pub losses: Vec<String>,
    /// Runs that did not come to their end, a text each.
    pub problems: Vec<String>,
}

impl Tally {
    /// Whether this column has shown that nothing is lost: nothing was, and there was something to lose.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.losses.is_empty() && self.problems.is_empty() && self.flushes > 0 && self.thrown_away > 0
    }

    /// Adds what one failure has left.
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

    /// Adds what another run of the same column has left.
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
