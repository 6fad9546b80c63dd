//! The cases that cannot pass in some columns, each with the property of the platform that is the reason. Test drivers
//! print the reason.

use portable_mmap::Buffered;

use crate::Need;
use crate::cases::all;

/// A case that cannot pass in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The case's name. A name that ends with a slash means all cases whose names start with it.
    pub case: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The property of the platform that is the reason.
    pub reason: &'static str,
}

impl Exception {
    /// Whether it covers the case with this name.
    #[must_use]
    pub fn covers(&self, case: &str) -> bool {
        if self.case.ends_with('/') { case.starts_with(self.case) } else { case == self.case }
    }
}

/// A backend on a system or in a host. It decides which cases can pass in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Mappings of a unix with addresses of 64 bits.
    MappedUnix,
    /// Mappings of a unix for a program with addresses of 32 bits.
    MappedUnix32,
    /// Mappings of Linux in the emulator of s390x.
    MappedS390x,
    /// Mappings of Linux in the emulator of aarch64, with pages of 16 KiB on a machine with smaller ones.
    MappedQemu16K,
    /// The same with pages of 64 KiB.
    MappedQemu64K,
    /// Mappings of Windows.
    MappedWindows,
    /// Mappings of Windows in Wine.
    MappedWine,
    /// Mappings that the host of a guest on WASI places in its memory.
    Hosted,
    /// The emulation, on a system that reports how a file was opened.
    Buffered,
    /// The emulation in Wine.
    BufferedWine,
    /// The emulation on WASI.
    BufferedWasi,
    /// The emulation in Node's WASI.
    BufferedNode,
    /// The emulation in Bun's WASI.
    BufferedBun,
    /// The emulation in Deno's WASI.
    BufferedDeno,
    /// The emulation in jco's WASI.
    BufferedJco,
    /// The emulation in a browser, over `browser_wasi_shim`.
    BufferedBrowser,
    /// memmap2 itself, with its own tests and those of its façade.
    Memmap2,
    /// The façade's emulation on this machine.
    Memmap2Emulated,
    /// The façade's emulation on WASI Preview 1.
    Memmap2Wasip1,
    /// The façade's emulation on WASI Preview 2.
    Memmap2Wasip2,
    /// The façade on WASI Preview 1 in a host that maps files.
    Memmap2Wasip1Hosted,
    /// The façade on WASI Preview 2 in a host that maps files.
    Memmap2Wasip2Hosted,
}

impl Platform {
    /// The mappings of the system for which this is compiled.
    pub const MAPPED_HERE: Self = if cfg!(windows) {
        Self::MappedWindows
    } else if cfg!(target_pointer_width = "32") {
        Self::MappedUnix32
    } else {
        Self::MappedUnix
    };

    /// The exceptions of a column of this platform. If a listed case passes, that is a failure too.
    pub fn exceptions(self, column: &'static str) -> impl Iterator<Item = Exception> {
        let groups = LEDGER.iter().filter(move |group| group.platforms.contains(&self));
        groups.flat_map(move |group| {
            group.cases.names().into_iter().map(move |case| Exception { case, column, reason: group.reason })
        })
    }
}

/// Cases that cannot pass for the same reason.
#[derive(Clone, Copy, Debug)]
struct Group {
    platforms: &'static [Platform],
    reason: &'static str,
    cases: Cases,
}

/// The cases of a group.
#[derive(Clone, Copy, Debug)]
enum Cases {
    /// The cases with these names, or whose names start with them.
    Named(&'static [&'static str]),
    /// All cases that need this.
    Needing(Need),
}

impl Cases {
    fn names(self) -> Vec<&'static str> {
        match self {
            Self::Named(names) => names.to_vec(),
            Self::Needing(need) => {
                let cases = all::<Buffered>().into_iter().filter(|case| case.needs.contains(&need));
                cases.map(|case| case.name).collect()
            }
        }
    }
}

/// The platforms, if the tests exist on this machine, otherwise none: a test that does not exist needs no exception.
const fn only(here: bool, platforms: &'static [Platform]) -> &'static [Platform] {
    if here { platforms } else { &[] }
}

const LINUX: bool = cfg!(target_os = "linux");
/// The façade on WASI in a host that maps files.
const MEMMAP2_HOSTED: &[Platform] = &[Platform::Memmap2Wasip1Hosted, Platform::Memmap2Wasip2Hosted];
/// The façade on WASI.
const MEMMAP2_WASI: &[Platform] =
    &[Platform::Memmap2Wasip1, Platform::Memmap2Wasip2, Platform::Memmap2Wasip1Hosted, Platform::Memmap2Wasip2Hosted];
/// The reason of the columns with large pages in qemu-user.
const QEMU_PAGES: &str = "qemu-aarch64 7.2 with pages larger than the machine's maps nothing past the end of a file";
const X86: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

/// All exceptions.
const LEDGER: &[Group] = &[
    Group {
        platforms: &[
            Platform::MappedUnix,
            Platform::MappedUnix32,
            Platform::MappedS390x,
            Platform::MappedQemu16K,
            Platform::MappedQemu64K,
            Platform::Hosted,
        ],
        reason: "an operating system drops mapped pages when their file is truncated, so changes in them are lost",
        cases: Cases::Named(&["flush/truncated_changes_reach_the_file_once_it_has_grown_again"]),
    },
    Group {
        platforms: &[Platform::MappedUnix32],
        reason: "a program with 32-bit addresses can map half of them at most, and a disk can have that much room",
        cases: Cases::Named(&["extend/a_length_longer_than_the_disk_leaves_the_file_as_it_was"]),
    },
    Group {
        platforms: &[Platform::MappedS390x],
        reason: "qemu-s390x 7.2 passes an address with swapped halves to a handler of SIGBUS",
        cases: Cases::Needing(Need::FaultAddress),
    },
    Group {
        platforms: &[Platform::MappedWindows, Platform::MappedWine],
        reason: "Windows cannot truncate a mapped file",
        cases: Cases::Needing(Need::Truncation),
    },
    Group {
        platforms: &[
            Platform::BufferedWasi,
            Platform::BufferedNode,
            Platform::BufferedBun,
            Platform::BufferedDeno,
            Platform::BufferedJco,
            Platform::BufferedBrowser,
            Platform::Hosted,
        ],
        reason: "WASI has no call that reserves disk space: hosts do not support fd_allocate, or write zeros instead",
        cases: Cases::Named(&["extend/allocated_blocks_are_zeros_too", "resize/allocating_grows_the_same_way"]),
    },
    Group {
        platforms: &[Platform::BufferedNode],
        reason: "Node's fd_fdstat_get does not report that a file was opened for appending",
        cases: Cases::Named(&["modes/a_file_open_for_reading_and_append_takes_no_changes"]),
    },
    // A program without this library that opens a file for appending and calls fd_fdstat_get gets no flag in Bun 1.4.5.
    Group {
        platforms: &[Platform::BufferedBun],
        reason: "Bun's fd_fdstat_get does not report that a file was opened for appending",
        cases: Cases::Named(&["modes/a_file_open_for_reading_and_append_takes_no_changes"]),
    },
    // A module without this library that writes five bytes from the address 2^31 gets errno 21 in Deno 2.9.6. The case
    // prints from such an address after its memory is used up.
    Group {
        platforms: &[Platform::BufferedDeno],
        reason: "Deno's fd_write fails with EFAULT for a buffer that lies above 2 GiB of the guest's memory",
        cases: Cases::Named(&["large/memory_that_runs_out_is_an_error_and_not_an_abort"]),
    },
    // A component without this library that writes six bytes from an address above 2^31 writes six zeros in jco-transpile
    // 0.15.0. The case prints from there, once its memory is used up.
    Group {
        platforms: &[Platform::BufferedJco],
        reason: "jco writes zeros instead of bytes that lie above 2 GiB of the guest's memory",
        cases: Cases::Named(&["large/memory_that_runs_out_is_an_error_and_not_an_abort"]),
    },
    // SetFileInformationByHandle with FileAllocationInfo fails with ERROR_CALL_NOT_IMPLEMENTED in Wine 8.0.
    Group {
        platforms: &[Platform::MappedWine, Platform::BufferedWine],
        reason: "Wine has no call that reserves disk space",
        cases: Cases::Named(&["extend/allocated_blocks_are_zeros_too", "resize/allocating_grows_the_same_way"]),
    },
    // A C program that maps a file of 100 bytes, extends it and writes at 4,500 reads 0 there in qemu-aarch64 7.2 with
    // `-p 16384` or `-p 65536` on a machine with pages of 4 KiB, and the written byte with `-p 4096`. With the larger pages
    // a mapping that starts at the end of the file fails too, and a store past the end that the file had when it was
    // mapped ends the process with SIGSEGV. The cases map pages in which a file ends, or past its end.
    Group {
        platforms: &[Platform::MappedQemu16K, Platform::MappedQemu64K],
        reason: QEMU_PAGES,
        cases: Cases::Named(&[
            "guard/a_call_that_returns_truncated_changes_nothing",
            "guard/a_copy_is_guarded_too",
            "guard/a_reader_is_guarded_too",
            "guard/a_refresh_clears_a_fault",
            "guard/a_refresh_of_another_range_does_not_clear_the_fault",
            "guard/changes_before_a_truncated_end_are_not_lost",
            "lost/a_call_that_fails_moves_and_changes_nothing",
            "lost/a_page_that_is_still_missing_after_a_refresh_is_a_fault_again",
            "lost/a_second_truncation_keeps_bytes_stored_in_lost_pages",
            "lost/faults_are_cleared_page_by_page",
            "lost/flush_and_close_report_a_change_from_before_the_loss",
            "resize/a_script_of_lengths_matches_the_model",
            "resize/every_pair_of_lengths_around_a_page_border",
            "resize/growing_into_a_changed_page_keeps_the_change",
            "scripts/seed_7",
        ]),
    },
    Group {
        platforms: &[Platform::MappedQemu64K],
        reason: QEMU_PAGES,
        cases: Cases::Named(&[
            "resize/growing_into_a_page_shows_what_the_file_holds_there",
            "scripts/seed_1",
            "scripts/seed_3",
            "scripts/seed_5",
            "scripts/seed_6",
        ]),
    },
    // In browser_wasi_shim 0.4.2, without this library: fd_fdstat_get returns neither rights nor flags of a file that
    // path_open has opened. fd_pwrite changes a file that was opened only for reading, fd_pread reads a file that was
    // opened only for writing, and fd_write does not append to a file that was opened for appending.
    Group {
        platforms: &[Platform::BufferedBrowser],
        reason: "browser_wasi_shim lets a guest read and change every file that it has opened, and does not report how it was \
                 opened",
        cases: Cases::Named(&[
            "errors/every_variant_is_returned_by_a_call",
            "errors/messages_say_what_to_do",
            "errors/numbers_are_the_system_s",
            "extend/a_file_that_is_not_open_for_writing_is_an_error",
            "modes/a_file_open_for_append_alone_cannot_be_mapped",
            "modes/a_file_open_for_reading_and_append_takes_no_changes",
            "modes/a_file_open_for_reading_takes_no_changes",
            "modes/a_file_open_for_writing_alone_cannot_be_mapped",
            "modes/open_opens_with_the_mode_that_the_access_needs",
            "modes/the_mode_is_that_of_this_descriptor",
            "order/each_mistake_has_its_error",
            "order/of_two_mistakes_the_first_is_reported",
            "ways/every_way_to_map_returns_the_same_errors",
        ]),
    },
    Group {
        platforms: &[Platform::Memmap2],
        reason: "these tests are about the emulation, and this column uses mappings of the operating system",
        cases: Cases::Named(&["emulation/"]),
    },
    Group {
        platforms: &[Platform::Memmap2, Platform::Memmap2Wasip1],
        reason: "these tests close a file that a mapping needs, and here such a file stays open",
        cases: Cases::Named(&["closed/"]),
    },
    Group {
        platforms: MEMMAP2_HOSTED,
        reason: "these tests are about mappings that need an open file, and a mapping of the host does not",
        cases: Cases::Named(&["closed/"]),
    },
    Group {
        platforms: &[Platform::Memmap2Emulated, Platform::Memmap2Wasip1, Platform::Memmap2Wasip2],
        reason: "these tests are about mappings whose bytes are those of the file, and the emulation has a copy",
        cases: Cases::Named(&["hosted/"]),
    },
    Group {
        platforms: &[Platform::Memmap2],
        reason: "an operating system kills a process that accesses bytes that its file has lost, and has no buffers beside mappings",
        cases: Cases::Named(&[
            "hosted/guest::a_mapping_keeps_no_descriptor_open",
            "hosted/guest::a_mapping_past_the_end_of_the_file_is_a_buffer",
            "hosted/guest::in_strict_mode_flushing_a_hosted_mapping_succeeds",
            "hosted/guest::lost_pages_read_as_zeros_and_flushing_them_fails",
        ]),
    },
    Group {
        platforms: MEMMAP2_HOSTED,
        reason: "all users of a file that the host maps share one copy of its bytes, so no store waits for a flush, and no flush \
                 overwrites bytes of another writer",
        cases: Cases::Named(&[
            "emulation/a_raw_mapping_shows_what_others_have_flushed",
            "emulation/in_strict_mode_pages_without_a_conflict_can_be_flushed",
            "emulation/in_strict_mode_a_flush_that_would_overwrite_a_change_fails",
            "emulation/in_strict_mode_changes_of_different_bytes_are_no_conflict",
            "emulation/without_strict_mode_the_last_flush_wins",
        ]),
    },
    Group {
        platforms: MEMMAP2_HOSTED,
        reason: "the host has no call that changes the length of a mapping: the file is mapped again, so it must be open",
        cases: Cases::Named(&["outlive/a_mapping_can_be_remapped_after_the_file_is_closed"]),
    },
    Group {
        platforms: &[Platform::Memmap2Wasip1Hosted],
        reason: "a mapping of the host needs no descriptor, so it keeps none open",
        cases: Cases::Named(&[
            "close/the_last_mapping_that_needs_a_descriptor_closes_it",
            "close/a_held_descriptor_is_not_renumbered",
            "close/reopening_a_mapped_stream_fails_and_loses_no_changes",
        ]),
    },
    Group {
        platforms: &[Platform::Memmap2Emulated, Platform::Memmap2Wasip2],
        reason: "here a file is closed when the program closes it; the tests of `closed` cover the changes",
        cases: Cases::Named(&["outlive/"]),
    },
    Group {
        platforms: &[
            Platform::Memmap2,
            Platform::Memmap2Emulated,
            Platform::Memmap2Wasip2,
            Platform::Memmap2Wasip2Hosted,
        ],
        reason: "these tests are about the façade's own `close`, which exists only on Preview 1",
        cases: Cases::Named(&["close/"]),
    },
    Group {
        platforms: only(cfg!(target_pointer_width = "64"), &[Platform::Memmap2, Platform::Memmap2Emulated]),
        reason: "the length in this test overflows 32 bits, but not 64",
        cases: Cases::Named(&["upstream/map::map_anon_len_overflow"]),
    },
    Group {
        platforms: only(cfg!(windows), &[Platform::Memmap2]),
        reason: "Windows does not open directories",
        cases: Cases::Named(&["interface/a_directory_is_not_mapped"]),
    },
    Group {
        platforms: only(X86, &[Platform::Memmap2Emulated]),
        reason: "a buffer is not executable",
        cases: Cases::Named(&["upstream/map::jit_x86_anon", "upstream/map::jit_x86_file"]),
    },
    Group {
        platforms: &[Platform::Memmap2Emulated],
        reason: "a buffer cannot be locked in memory",
        cases: Cases::Named(&["upstream/map::lock"]),
    },
    Group {
        platforms: only(LINUX, &[Platform::Memmap2Emulated]),
        reason: "the kernel guarantees nothing about the bytes of a buffer, or about its file while it is loaded",
        cases: Cases::Named(&[
            "upstream/map::map_if_safe_regular_file",
            "upstream/map::map_if_safe_sealed_memfd",
            "upstream/map::map_if_safe_with_offset",
        ]),
    },
    Group {
        platforms: only(X86, MEMMAP2_WASI),
        reason: "WebAssembly cannot execute machine code of x86",
        cases: Cases::Named(&["upstream/map::jit_x86_anon", "upstream/map::jit_x86_file"]),
    },
    Group {
        platforms: only(cfg!(unix), MEMMAP2_WASI),
        reason: "memmap2 compiles these tests only for unix, because they call its C library",
        cases: Cases::Named(&["upstream/map::advise", "upstream/map::lock", "upstream/map::map_fd"]),
    },
    Group {
        platforms: only(LINUX, MEMMAP2_WASI),
        reason: "memmap2 compiles these tests only for Linux, because they use its calls or its C library",
        cases: Cases::Named(&[
            "upstream/map::advise_writes_unsafely",
            "upstream/map::advise_writes_unsafely_to_part_of_map",
            "upstream/map::map_if_safe_regular_file",
            "upstream/map::map_if_safe_sealed_memfd",
            "upstream/map::map_if_safe_verity",
            "upstream/map::map_if_safe_with_offset",
            "upstream/map::remap_grow",
            "upstream/map::remap_shrink",
            "upstream/map::remap_with_offset",
        ]),
    },
    Group {
        platforms: &[
            Platform::Memmap2Emulated,
            Platform::Memmap2Wasip1,
            Platform::Memmap2Wasip2,
            Platform::Memmap2Wasip1Hosted,
            Platform::Memmap2Wasip2Hosted,
        ],
        reason: "these tests are about build scripts, in which the façade cannot map",
        cases: Cases::Named(&["absent/"]),
    },
];
