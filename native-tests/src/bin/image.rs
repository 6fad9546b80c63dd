//! A guest whose allocator has blocks in the initial memory of the program, where a host must not map.
//!
//! `image FILE BLOCKS` has this many blocks for mappings, maps the file, and prints how often a block was allocated and
//! how often one was freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::fs::File;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use portable_mmap::{Access, HostMapping, MmapOptions};

/// The size of a mapping, in bytes.
const BLOCK: usize = 64 << 10;

/// The largest allocation for a mapping, which is aligned by hand.
const ROOM: usize = 2 * BLOCK;

/// The largest number of blocks.
const MOST: usize = 8;

/// The largest number of allocations from the blocks: code that frees a block and allocates again gets the same one.
const MAX_ALLOCATIONS: usize = 100;

/// The blocks, in static memory. A program whose initial memory is larger than it needs has allocator memory there too.
#[repr(align(65536))]
struct Blocks(UnsafeCell<[[u8; ROOM]; MOST]>);

// SAFETY: each block belongs to the caller that allocated it.
unsafe impl Sync for Blocks {}

static BLOCKS: Blocks = Blocks(UnsafeCell::new([[0; ROOM]; MOST]));

/// The number of blocks that may be used, and a bit for each one that is in use.
static ALLOWED_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// How many times a block was allocated and freed.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static FREES: AtomicUsize = AtomicUsize::new(0);

/// An allocator that uses the blocks first, and then the system's allocator.
struct BlocksFirst;

#[global_allocator]
static ALLOCATOR: BlocksFirst = BlocksFirst;

// SAFETY: a block is long enough and aligned as requested, and nobody else has it; all else is done by the system's
// allocator.
unsafe impl GlobalAlloc for BlocksFirst {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let is_for_a_mapping = (BLOCK..=ROOM).contains(&layout.size()) && layout.align() <= BLOCK;
        let free = TAKEN.load(Ordering::Relaxed).trailing_ones() as usize;
        if is_for_a_mapping
            && free < ALLOWED_BLOCKS.load(Ordering::Relaxed)
            && ALLOCATIONS.load(Ordering::Relaxed) < MAX_ALLOCATIONS
        {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            TAKEN.fetch_or(1 << free, Ordering::Relaxed);
            return BLOCKS.0.get().cast::<u8>().wrapping_add(free * ROOM);
        }
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let offset = start.addr().wrapping_sub(BLOCKS.0.get().addr());
        if offset < MOST * ROOM {
            TAKEN.fetch_and(!(1 << (offset / ROOM)), Ordering::Relaxed);
            FREES.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // SAFETY: the caller keeps the contract, and the memory is from the system's allocator.
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
    ALLOWED_BLOCKS.store(blocks, Ordering::Relaxed);
    // SAFETY: nobody changes the file meanwhile.
    let mapped = unsafe { options.map(file) };
    // From now on the allocator uses the system's memory.
    ALLOWED_BLOCKS.store(0, Ordering::Relaxed);
    let [allocated, freed] = [&ALLOCATIONS, &FREES].map(|count| count.load(Ordering::Relaxed));
    println!("{allocated} blocks allocated, {freed} freed");
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
