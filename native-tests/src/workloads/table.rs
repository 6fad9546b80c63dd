//! The list of workloads and their goals.

use super::loading::{READ_LOOP, SUM, WHOLE};
use super::pages::{MAPPED, SLICE};
use super::python::CPYTHON;
use super::search::{MEMMEM, OUR_FIND};
use super::{Against, Goal, Limit, OURS, On, Workload, bytes, copies, growth, lines, loading, making, pages, search};
use Limit::{Faster, FewerBytes, Times};

const NOISE: &str = "both sides run the same instructions, as callgrind counts them, or both are one copy: two measurements \
    of the same work differ by more than the goal allows, and in some runs the other side is slower";
const MEMORY: &str = "a pass takes 10 ms, 26 GB a second: the speed of the memory, and of a sum of words; \
    CPython's takes 37 ms for this needle, and 50 to 220 for others";
const CALLS: &str = "perf: half of our time is pwrite(2), and most of that one function of ext4, which on Linux 6.18 \
    walks all buffers of a large folio for the few bytes of an edit; over tmpfs the same takes a quarter, and is more \
    than 100 times as fast as the other way";
const LINES: &str = "each call starts where the last one has stored the position, so no two of the 7 million searches \
    overlap; the same loop over a slice, with memchr, takes 83 ms natively, 136 on wasip1 and 74 with vectors, and readline \
    takes 63, 136 and 63; lines_with_terminator, which searches a block at a time, takes two thirds of that or less";
/// The cost of mapped memory: the same search of the same mapped bytes without this crate takes as long.
const PAGES: &str = "memmem takes as long over the same mapped pages, with any caller: 11.7 ms over one copy of the file \
    and 8.3 over another, depending on the memory in which the system's cache holds it; over a vector it takes 9 to 10";
const ALLOCATOR: &str = "up to 1 MiB a buffer is the allocator's memory, which is freed in under a microsecond; a \
    longer one costs two calls of the system, as an OS mapping does";

const COPY: &[Goal] = &[Goal::new("copy_within", Times(1.05), On::All).missed_because(NOISE)];
const VEC: &[Goal] = &[Goal::new("to_vec", Times(1.05), On::All).missed_because(NOISE)];
/// Equal within the noise of two measurements of the same work.
const EQUAL: &[Goal] = &[
    Goal::new(MAPPED, Times(1.05), On::Native).missed_because(NOISE),
    Goal::new(SLICE, Times(1.05), On::Sandbox).missed_because(NOISE),
];
const EDITS: &[Goal] = &[
    Goal::new(WHOLE, FewerBytes(500.0), On::Sandbox),
    Goal::new(WHOLE, Faster(50.0), On::Sandbox).missed_because(CALLS),
];
const READLINE: &[Goal] = &[
    Goal::new(CPYTHON, Faster(6.0), On::Native).missed_because(LINES),
    Goal::new(lines::READ_UNTIL, Faster(1.0), On::Native),
    Goal::new(lines::READ_UNTIL, Faster(4.0), On::Sandbox).missed_because(LINES),
];
const ITERATOR: &[Goal] = &[
    Goal::new(CPYTHON, Faster(6.0), On::Native),
    Goal::new(lines::READ_UNTIL, Faster(1.0), On::Native),
    Goal::new(lines::READ_UNTIL, Faster(4.0), On::Sandbox).missed_because("two runs gave 3.96 and 4.30"),
];

/// Single bytes of the platform's default mapping, against a slice of a vector.
const OWN: &[Goal] = &[Goal::new(SLICE, Times(1.5), On::Sandbox).missed_because(
    "the compiler unrolls the loop over a slice to four bytes a turn; a turn that may have to load a page is not \
    unrolled, and takes one comparison and one load for m.iter(), two loads more for m[i]; a loop over a slice with one \
    check for each byte takes 55 to 81 ms, and m.iter() takes 55",
)];

/// `find`: against CPython, and in the sandbox against itself natively.
const FIND: &[Goal] = &[
    Goal::new(CPYTHON, Faster(5.0), On::Native).missed_because(MEMORY),
    Goal::new(MEMMEM, Times(1.05), On::All).missed_because(PAGES),
    Goal { ours: OURS, against: Against::Native, limit: Times(2.0), on: On::Simd, why: "" }
        .missed_because("memchr's own search takes as long there: see the row above"),
];

/// `rfind`: against CPython, and against `find`. The goal of 3 times as fast as CPython on most needles is checked over
/// all of them.
const RFIND: &[Goal] = &[Goal::new(CPYTHON, Faster(1.0), On::Native), Goal::new(OUR_FIND, Times(2.0), On::All)];

/// One byte at a time.
const BYTES: &[Goal] = &[Goal::new(bytes::INDEX, Times(3.0), On::All).missed_because(
    "the position is kept in memory: the next byte waits until the position is stored; see the instructions",
)];

const STEPPED: &[Goal] = &[Goal::new("a plain iterator", Times(1.2), On::All).missed_because(
    "callgrind counts as many instructions for both; two runs on an idle machine gave 1.00 and 1.66: the difference is \
    the memory that the system gives each new vector, in small pages or in large ones",
)];

/// Work that has to cost the same for a file of 1 MiB and one of 1 GiB, and a scan, which grows with the length:
/// compared from 64 MiB, where constant costs do not matter, to 16 times that.
const GROWTH: &[Goal] = &[
    constant("map 1024", "map 1"),
    constant("close 1024", "close 1"),
    constant("edit 1024", "edit 1"),
    Goal { ours: "scan 1024", against: Against::Way("scan 64"), limit: Times(16.0 * 1.5), on: On::All, why: "" },
];

/// A goal of constant cost: any part that grew with the length would exceed a factor of 1.5.
const fn constant(long: &'static str, short: &'static str) -> Goal {
    Goal { ours: long, against: Against::Way(short), limit: Times(1.5), on: On::All, why: "" }.missed_because(ALLOCATOR)
}

macro_rules! workload {
    ($group:literal / $name:literal, $on:expr, $goals:expr, $ready:path) => {
        Workload { name: $name, group: $group, on: $on, goals: $goals, ready: $ready, hot: false }
    };
    ($name:literal, $on:expr, $goals:expr, $ready:path) => {
        workload!($name / $name, $on, $goals, $ready)
    };
    ($group:literal / $name:literal, $on:expr, $goals:expr, $ready:path, hot) => {
        Workload { hot: true, ..workload!($group / $name, $on, $goals, $ready) }
    };
    ($name:literal, $on:expr, $goals:expr, $ready:path, hot) => {
        workload!($name / $name, $on, $goals, $ready, hot)
    };
}

/// Goals that have to hold for most workloads of a group.
#[must_use]
pub fn most() -> &'static [(&'static str, Goal)] {
    const { &[("rfind, ten needles", Goal::new(CPYTHON, Faster(3.0), On::Native).missed_because(MEMORY))] }
}

/// All workloads, in the order of the report.
#[must_use]
pub fn all() -> &'static [Workload] {
    const { ALL }
}

const ALL: &[Workload] = &[
    workload!(
        "map and close 256 MiB, 1,000 times",
        On::All,
        &[Goal::new("memmap2", Times(1.1), On::Native)],
        making::map_and_close
    ),
    workload!("find, five needles" / "find, rare bytes, absent", On::All, FIND, search::find_rare),
    workload!("find, five needles" / "find, common bytes, absent", On::All, FIND, search::find_common),
    workload!("find, five needles" / "find, a late hit", On::All, FIND, search::find_late),
    workload!("find, five needles" / "find, two absent bytes", On::All, FIND, search::find_two),
    workload!("find, five needles" / "find, one letter repeated", On::All, FIND, search::find_repeated),
    workload!("rfind, ten needles" / "rfind, rare bytes, absent", On::All, RFIND, search::rfind_rare),
    workload!("rfind, ten needles" / "rfind, the same mirrored", On::All, RFIND, search::rfind_rare_mirrored),
    workload!("rfind, ten needles" / "rfind, common bytes, absent", On::All, RFIND, search::rfind_common),
    workload!("rfind, ten needles" / "rfind, common bytes, mirrored", On::All, RFIND, search::rfind_common_mirrored),
    workload!("rfind, ten needles" / "rfind, a hit near the end", On::All, RFIND, search::rfind_late),
    workload!("rfind, ten needles" / "rfind, a hit near the start", On::All, RFIND, search::rfind_late_mirrored),
    workload!("rfind, ten needles" / "rfind, two absent bytes", On::All, RFIND, search::rfind_two),
    workload!("rfind, ten needles" / "rfind, two bytes, mirrored", On::All, RFIND, search::rfind_two_mirrored),
    workload!("rfind, ten needles" / "rfind, one letter repeated", On::All, RFIND, search::rfind_repeated),
    workload!("rfind, ten needles" / "rfind, one letter, mirrored", On::All, RFIND, search::rfind_repeated_mirrored),
    workload!("readline, all lines of 256 MiB", On::All, READLINE, lines::readline, hot),
    workload!("lines_with_terminator, 256 MiB", On::All, ITERATOR, lines::iterator, hot),
    workload!("read_byte, write_byte, seek" / "read_byte, 16 MiB", On::All, BYTES, bytes::read_byte, hot),
    workload!("read_byte, write_byte, seek" / "write_byte, 16 MiB", On::All, BYTES, bytes::write_byte, hot),
    workload!(
        "read_byte, write_byte, seek" / "write_byte, Buffered",
        On::Native,
        BYTES,
        bytes::write_byte_buffered,
        hot
    ),
    workload!("read_byte, write_byte, seek" / "seek, 16 Mi times", On::All, BYTES, bytes::seek, hot),
    workload!("move_within, 32 MiB", On::All, COPY, copies::move_within),
    workload!("get_slice, step 1, 64 MiB", On::All, VEC, copies::get_slice),
    workload!("get_slice, stepped" / "get_slice, step 3", On::All, STEPPED, copies::every_third, hot),
    workload!("get_slice, stepped" / "get_slice, step -1", On::All, STEPPED, copies::backwards, hot),
    workload!("m[i], shuffled, Buffered", On::All, &[Goal::new(MAPPED, Times(1.5), On::Native)], pages::index, hot),
    workload!("m[i], m.iter()" / "m[i], shuffled", On::Sandbox, OWN, pages::own_index),
    workload!("m[i], m.iter()" / "m[i], in order", On::Sandbox, OWN, pages::own_index_in_order),
    workload!("m[i], m.iter()" / "m.iter()", On::Sandbox, OWN, pages::own_iter),
    workload!("one range, shuffled, Buffered", On::All, EQUAL, pages::range_once, hot),
    workload!(
        "load all of 256 MiB",
        On::All,
        &[Goal { ours: OURS, against: Against::Fastest(READ_LOOP), limit: Times(1.05), on: On::Sandbox, why: NOISE }],
        loading::full_load
    ),
    workload!("small edits in 256 MiB" / "100 edits in 256 MiB, flush_async", On::All, EDITS, loading::small_edits),
    workload!(
        "small edits in 256 MiB" / "100 edits in 256 MiB, flush",
        On::All,
        &[Goal::new(WHOLE, Faster(50.0), On::Sandbox).missed_because(CALLS)],
        loading::small_edits_synced
    ),
    workload!(
        "borrow 256 MiB mutably, 1 change",
        On::Sandbox,
        &[Goal::new(SUM, Times(4.0), On::Sandbox).missed_because(
            "the bytes are read, and their copies written, for which the processor reads that memory first; then both are read \
            again: five passes over memory at 26 GB a second, and the sum is one pass",
        )],
        loading::one_change_in_all
    ),
    workload!("growth from 1 MiB to 1 GiB" / "from 1 MiB to 1 GiB", On::All, GROWTH, growth::platform),
    workload!("growth from 1 MiB to 1 GiB" / "from 1 MiB to 1 GiB, Buffered", On::Native, GROWTH, growth::buffered),
];
