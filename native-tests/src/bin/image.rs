//! A guest whose allocator has blocks in the memory that the program starts with, where a host maps nothing.
//!
//! `image FILE BLOCKS` has so many of them for mappings, maps the file, and prints what became of each.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::fs::File;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use portable_mmap::{Access, HostMapping, MmapOptions};

/// What is mapped, in bytes.
const BLOCK: usize = 64 << 10;

/// What is asked of the allocator for it, at most: it is aligned by hand.
const ROOM: usize = 2 * BLOCK;

/// How many blocks there are at most.
const MOST: usize = 8;

/// So often they are handed out at most: who gives one back at once, and asks again, has it again.
const OFTEN: usize = 100;

/// The blocks: static memory, as the first memory of an allocator is in a program that starts with more than it needs.
#[repr(align(65536))]
struct Blocks(UnsafeCell<[[u8; ROOM]; MOST]>);

// SAFETY: each block belongs to whom it was handed out to.
unsafe impl Sync for Blocks {}

static BLOCKS: Blocks = Blocks(UnsafeCell::new([[0; ROOM]; MOST]));

/// How many blocks may be handed out, and a bit for each that somebody has.
static MAY: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// How often one was handed out, and came back.
static GIVEN: AtomicUsize = AtomicUsize::new(0);
static BACK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with the blocks before it.
struct BlocksFirst;

#[global_allocator]
static ALLOCATOR: BlocksFirst = BlocksFirst;

// SAFETY: a block is at least as long and as aligned as is asked for, and nobody else has it; all else is the system's.
unsafe impl GlobalAlloc for BlocksFirst {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let is_for_a_mapping = (BLOCK..=ROOM).contains(&layout.size()) && layout.align() <= BLOCK;
        let free = TAKEN.load(Ordering::Relaxed).trailing_ones() as usize;
        if is_for_a_mapping && free < MAY.load(Ordering::Relaxed) && GIVEN.load(Ordering::Relaxed) < OFTEN {
            GIVEN.fetch_add(1, Ordering::Relaxed);
            TAKEN.fetch_or(1 << free, Ordering::Relaxed);
            return BLOCKS.0.get().cast::<u8>().wrapping_add(free * ROOM);
        }
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let offset = start.addr().wrapping_sub(BLOCKS.0.get().addr());
        if offset < MOST * ROOM {
            TAKEN.fetch_and(!(1 << (offset / ROOM)), Ordering::Relaxed);
            BACK.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // SAFETY: as the caller says, and the system's.
        unsafe { System.dealloc(start, layout) }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, blocks] = &args[..] else {
        eprintln!("usage: image FILE BLOCKS");
        return ExitCode::from(2);
    };
    let blocks: usize = blocks.parse().expect("a number");
    assert!(blocks <= MOST, "there are {MOST} blocks");
    let file = File::open(path).expect("the file can be read");
    let mut options = MmapOptions::new();
    options.access(Access::Read).len(BLOCK).host_mapping(HostMapping::Require);
    MAY.store(blocks, Ordering::Relaxed);
    // SAFETY: nobody changes the file meanwhile.
    let mapped = unsafe { options.map(file) };
    // The allocator gives out its own memory again.
    MAY.store(0, Ordering::Relaxed);
    let [given, back] = [&GIVEN, &BACK].map(|count| count.load(Ordering::Relaxed));
    println!("{given} blocks given, {back} came back");
    let map = match mapped {
        Ok(map) => map,
        Err(error) => {
            println!("{}: {error:#}", error.name());
            return ExitCode::SUCCESS;
        }
    };
    let lies_in_image = map.as_ptr().addr().wrapping_sub(BLOCKS.0.get().addr()) < MOST * ROOM;
    println!("{}, in the initial memory: {lies_in_image}", map.backend_name());
    println!("it starts with {} and ends with {}", map[0], map[BLOCK - 1]);
    ExitCode::SUCCESS
}
