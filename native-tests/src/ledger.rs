//! The cases that cannot hold somewhere, each with the property of the platform that is the reason. Drivers print it.

/// A case that does not hold in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The case's name; one that ends with a slash stands for all cases whose names begin so.
    pub case: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The property of the platform that makes it impossible.
    pub reason: &'static str,
}

impl Exception {
    /// Whether it is one for the case of this name.
    #[must_use]
    pub fn covers(&self, case: &str) -> bool {
        if self.case.ends_with('/') { case.starts_with(self.case) } else { case == self.case }
    }
}

/// What decides which cases a column can hold: the backend, and the system or the host that serves its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Mappings of a unix with addresses of 64 bits.
    MappedUnix,
    /// Mappings of a unix for a program with addresses of 32 bits.
    MappedUnix32,
    /// Mappings of Linux as the emulator of s390x hands them on.
    MappedS390x,
    /// Mappings of Windows.
    MappedWindows,
    /// Mappings that the host of a guest on WASI places in its memory.
    Hosted,
    /// The emulation, where the host tells how a file was opened.
    Buffered,
    /// The emulation on WASI.
    BufferedWasi,
    /// The emulation in Node's WASI.
    BufferedNode,
    /// memmap2 itself, with its own tests and those of its façade.
    Memmap2,
    /// The façade's emulation on this machine.
    Memmap2Emulated,
    /// The façade's emulation on WASI.
    Memmap2Wasi,
}

impl Platform {
    /// The mappings of the system that this is compiled for.
    pub const MAPPED_HERE: Self = if cfg!(windows) {
        Self::MappedWindows
    } else if cfg!(target_pointer_width = "32") {
        Self::MappedUnix32
    } else {
        Self::MappedUnix
    };

    /// The exceptions of a column of this platform. One that does not occur any more is a failure too.
    pub fn exceptions(self, column: &'static str) -> impl Iterator<Item = Exception> {
        let groups = LEDGER.iter().filter(move |group| group.platforms.contains(&self));
        groups
            .flat_map(move |group| group.cases.iter().map(move |case| Exception { case, column, reason: group.reason }))
    }
}

/// Cases that cannot hold for one reason.
#[derive(Clone, Copy, Debug)]
struct Group {
    platforms: &'static [Platform],
    reason: &'static str,
    cases: &'static [&'static str],
}

/// Platforms of exceptions that are there only on some machines: a test that no column has needs none.
const fn only(here: bool, platforms: &'static [Platform]) -> &'static [Platform] {
    if here { platforms } else { &[] }
}

const LINUX: bool = cfg!(target_os = "linux");
const X86: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

/// All of them.
const LEDGER: &[Group] = &[
    Group {
        platforms: &[Platform::MappedUnix, Platform::MappedUnix32, Platform::MappedS390x, Platform::Hosted],
        reason: "an operating system takes mapped pages away when their file is cut: changes there are lost, not kept",
        cases: &["flush/cut_off_changes_reach_the_file_once_it_has_grown_again"],
    },
    Group {
        platforms: &[Platform::MappedUnix32],
        reason: "half of a program's 32-bit addresses can be mapped at once, and a disk has as much",
        cases: &["extend/a_length_that_no_disk_has_leaves_the_file_as_it_was"],
    },
    Group {
        platforms: &[Platform::MappedS390x],
        reason: "qemu-s390x 7.2 tells the handler of a SIGBUS the address with its two halves interchanged",
        cases: &[
            "guard/the_slice_face_reads_zeros_and_the_fault_is_noted",
            "guard/the_first_fault_is_the_one_that_is_told",
            "guard/after_a_fault_every_fallible_call_is_truncated",
            "guard/a_fallible_call_is_truncated_without_a_slice_before",
            "guard/a_refresh_takes_a_fault_back",
            "guard/a_refresh_shows_what_the_file_holds_again",
            "guard/changes_before_the_cut_are_not_lost",
            "guard/a_copy_is_guarded_too",
            "guard/a_reader_is_guarded_too",
            "guard/a_refresh_of_another_range_does_not_take_the_fault_back",
            "guard/a_window_at_an_offset_counts_from_the_start_of_the_file",
            "guard/closing_and_dropping_after_a_fault_is_fine",
            "guard/a_call_that_is_truncated_has_changed_nothing",
            "guard/a_search_that_passes_over_what_is_gone_is_truncated",
            "lost/a_byte_that_is_asked_for_and_not_used_is_touched",
            "lost/a_store_to_a_lost_page_reaches_no_file",
            "lost/what_was_stored_in_a_lost_page_is_gone_after_a_refresh",
            "lost/a_change_from_before_the_loss_is_missed_by_flush_and_close",
            "lost/a_page_that_is_still_gone_after_a_refresh_is_a_fault_again",
            "lost/a_page_that_was_lost_and_not_touched_shows_the_file_again",
            "lost/faults_are_taken_back_page_by_page",
            "lost/a_call_that_fails_moves_and_changes_nothing",
            "lost/each_of_many_mappings_knows_its_own_faults",
            "lost/a_second_truncation_leaves_what_was_stored_in_lost_pages",
        ],
    },
    Group {
        platforms: &[Platform::MappedWindows],
        reason: "Windows refuses to cut a file that is mapped",
        cases: &[
            "flush/cut_off_changes_reach_the_file_once_it_has_grown_again",
            "flush/a_change_behind_a_cut_is_truncated_and_stays",
            "flush/a_change_that_a_cut_divides_is_written_up_to_it",
            "flush/a_range_that_the_cut_left_is_flushed",
            "flush/a_file_cut_before_its_window_is_truncated",
            "flush/a_clean_mapping_of_a_cut_file_flushes",
            "resize/a_file_that_another_cut_grows_again",
            "close/a_failed_close_reports_and_stays_open",
            "close/a_close_that_failed_succeeds_once_the_file_is_long_enough",
            "close/dropping_over_a_cut_file_is_silent",
            "guard/the_slice_face_reads_zeros_and_the_fault_is_noted",
            "guard/the_first_fault_is_the_one_that_is_told",
            "guard/after_a_fault_every_fallible_call_is_truncated",
            "guard/a_fallible_call_is_truncated_without_a_slice_before",
            "guard/what_the_cut_left_is_read_without_a_fault",
            "guard/a_refresh_takes_a_fault_back",
            "guard/a_refresh_shows_what_the_file_holds_again",
            "guard/changes_before_the_cut_are_not_lost",
            "guard/a_copy_is_guarded_too",
            "guard/a_reader_is_guarded_too",
            "guard/hints_note_no_fault",
            "guard/a_refresh_of_another_range_does_not_take_the_fault_back",
            "guard/a_window_at_an_offset_counts_from_the_start_of_the_file",
            "guard/closing_and_dropping_after_a_fault_is_fine",
            "guard/a_call_that_is_truncated_has_changed_nothing",
            "guard/a_search_that_passes_over_what_is_gone_is_truncated",
            "lost/a_byte_that_is_asked_for_and_not_used_is_touched",
            "lost/a_store_to_a_lost_page_reaches_no_file",
            "lost/what_was_stored_in_a_lost_page_is_gone_after_a_refresh",
            "lost/a_change_from_before_the_loss_is_missed_by_flush_and_close",
            "lost/a_page_that_is_still_gone_after_a_refresh_is_a_fault_again",
            "lost/a_page_that_was_lost_and_not_touched_shows_the_file_again",
            "lost/faults_are_taken_back_page_by_page",
            "lost/a_call_that_fails_moves_and_changes_nothing",
            "lost/each_of_many_mappings_knows_its_own_faults",
            "lost/a_second_truncation_leaves_what_was_stored_in_lost_pages",
            "pages/flushing_and_closing_page_by_page_is_exact",
            "pages/what_was_flushed_page_by_page_is_missed_by_no_close",
        ],
    },
    Group {
        platforms: &[Platform::BufferedWasi, Platform::BufferedNode, Platform::Hosted],
        reason: "WASI has no call that reserves room on a disk: hosts do not support fd_allocate, or write zeros for it",
        cases: &["extend/allocated_blocks_are_zeros_too", "resize/allocating_grows_the_same_way"],
    },
    Group {
        platforms: &[Platform::BufferedNode],
        reason: "Node's fd_fdstat_get does not tell that a file was opened for appending",
        cases: &["modes/a_file_open_for_reading_and_append_takes_no_changes"],
    },
    Group {
        platforms: &[Platform::Memmap2],
        reason: "these tests are about the emulation, and an operating system's mappings are none",
        cases: &["emulation/"],
    },
    Group {
        platforms: only(cfg!(target_pointer_width = "64"), &[Platform::Memmap2, Platform::Memmap2Emulated]),
        reason: "the length of this test is too long for 32 bits, and not for 64",
        cases: &["upstream/map::map_anon_len_overflow"],
    },
    Group {
        platforms: only(cfg!(windows), &[Platform::Memmap2]),
        reason: "Windows opens no directory",
        cases: &["interface/a_directory_is_not_mapped"],
    },
    Group {
        platforms: only(X86, &[Platform::Memmap2Emulated]),
        reason: "a buffer is no executable memory",
        cases: &["upstream/map::jit_x86_anon", "upstream/map::jit_x86_file"],
    },
    Group {
        platforms: &[Platform::Memmap2Emulated],
        reason: "nothing locks a buffer into memory",
        cases: &["upstream/map::lock"],
    },
    Group {
        platforms: only(LINUX, &[Platform::Memmap2Emulated]),
        reason: "no kernel vouches for the bytes of a buffer, nor for its file while it is loaded",
        cases: &[
            "upstream/map::map_if_safe_regular_file",
            "upstream/map::map_if_safe_sealed_memfd",
            "upstream/map::map_if_safe_with_offset",
        ],
    },
    Group {
        platforms: only(X86, &[Platform::Memmap2Wasi]),
        reason: "machine code of x86 is not executed in WebAssembly",
        cases: &["upstream/map::jit_x86_anon", "upstream/map::jit_x86_file"],
    },
    Group {
        platforms: only(cfg!(unix), &[Platform::Memmap2Wasi]),
        reason: "memmap2 compiles these tests for unix alone: they call its C library",
        cases: &["upstream/map::advise", "upstream/map::lock", "upstream/map::map_fd"],
    },
    Group {
        platforms: only(LINUX, &[Platform::Memmap2Wasi]),
        reason: "memmap2 compiles these tests for Linux alone: its calls, or its C library, are in them",
        cases: &[
            "upstream/map::advise_writes_unsafely",
            "upstream/map::advise_writes_unsafely_to_part_of_map",
            "upstream/map::map_if_safe_regular_file",
            "upstream/map::map_if_safe_sealed_memfd",
            "upstream/map::map_if_safe_verity",
            "upstream/map::map_if_safe_with_offset",
            "upstream/map::remap_grow",
            "upstream/map::remap_shrink",
            "upstream/map::remap_with_offset",
        ],
    },
    Group {
        platforms: &[Platform::Memmap2Wasi],
        reason: "a guest sees no files of other packages, whose sources are compared here",
        cases: &["copy/"],
    },
];
