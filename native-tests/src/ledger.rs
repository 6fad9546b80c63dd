//! The cases that cannot hold somewhere, each with the property of the platform that is the reason. Drivers print it.

/// A case that does not hold in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The case's name.
    pub case: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The property of the platform that makes it impossible.
    pub reason: &'static str,
}

/// What decides which cases a column can hold: the backend, and the system or the host that serves its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Mappings of a unix.
    MappedUnix,
    /// Mappings of Windows.
    MappedWindows,
    /// The emulation, where the host tells how a file was opened.
    Buffered,
    /// The emulation in Node's WASI.
    BufferedNode,
}

impl Platform {
    /// The mappings of the system that this is compiled for.
    pub const MAPPED_HERE: Self = if cfg!(windows) { Self::MappedWindows } else { Self::MappedUnix };

    /// The exceptions of a column of this platform. One that does not occur any more is a failure too.
    pub fn exceptions(self, column: &'static str) -> impl Iterator<Item = Exception> {
        let entries = LEDGER.iter().filter(move |entry| entry.platform == self);
        entries.map(move |&Entry { case, reason, .. }| Exception { case, column, reason })
    }
}

/// A line of the ledger.
#[derive(Clone, Copy, Debug)]
struct Entry {
    case: &'static str,
    platform: Platform,
    reason: &'static str,
}

/// All of them.
const LEDGER: &[Entry] = &[
    Entry {
        case: "flush/cut_off_changes_reach_the_file_once_it_has_grown_again",
        platform: Platform::MappedUnix,
        reason: "an operating system takes mapped pages away when their file is cut: changes there are lost, not kept",
    },
    Entry {
        case: "modes/a_file_open_for_reading_and_append_takes_no_changes",
        platform: Platform::BufferedNode,
        reason: "Node's fd_fdstat_get does not tell that a file was opened for appending",
    },
    uncut("flush/cut_off_changes_reach_the_file_once_it_has_grown_again"),
    uncut("flush/a_change_behind_a_cut_is_truncated_and_stays"),
    uncut("flush/a_change_that_a_cut_divides_is_written_up_to_it"),
    uncut("flush/a_range_that_the_cut_left_is_flushed"),
    uncut("flush/a_file_cut_before_its_window_is_truncated"),
    uncut("flush/a_clean_mapping_of_a_cut_file_flushes"),
    uncut("resize/a_file_that_another_cut_grows_again"),
    uncut("close/a_failed_close_reports_and_stays_open"),
    uncut("close/a_close_that_failed_succeeds_once_the_file_is_long_enough"),
    uncut("close/dropping_over_a_cut_file_is_silent"),
    uncut("guard/the_slice_face_reads_zeros_and_the_fault_is_noted"),
    uncut("guard/the_first_fault_is_the_one_that_is_told"),
    uncut("guard/after_a_fault_every_fallible_call_is_truncated"),
    uncut("guard/a_fallible_call_is_truncated_without_a_slice_before"),
    uncut("guard/what_the_cut_left_is_read_without_a_fault"),
    uncut("guard/a_refresh_takes_a_fault_back"),
    uncut("guard/a_refresh_shows_what_the_file_holds_again"),
    uncut("guard/changes_before_the_cut_are_not_lost"),
    uncut("guard/a_copy_is_guarded_too"),
    uncut("guard/a_reader_is_guarded_too"),
    uncut("guard/hints_note_no_fault"),
    uncut("guard/a_refresh_of_another_range_does_not_take_the_fault_back"),
    uncut("guard/a_window_at_an_offset_counts_from_the_start_of_the_file"),
    uncut("guard/closing_and_dropping_after_a_fault_is_fine"),
];

/// A case that cuts a file beneath its mapping.
const fn uncut(case: &'static str) -> Entry {
    Entry { case, platform: Platform::MappedWindows, reason: "Windows refuses to cut a file that is mapped" }
}
