//! What a program of a hostile guest is made of, and how one is chosen by a seed.

use std::ops::Range;

use fastrand::Rng;
use portable_mmap_wasmtime::OnFault;

use crate::common::{BLOCK, PAGE, SHARED};
use crate::places::{address, file_len, file_offset, handle, len, map_len, map_offset, map_place, part, read_place};

/// So many stores there are at most.
pub(crate) const STORES: usize = 4;
/// So many files. The first ones are changed by guests and by others.
pub(crate) const FILES: usize = 5;
/// This one is sealed: nobody can change it.
pub(crate) const SEALED: usize = 3;
/// This one nobody changes, and guests open it for reading alone. So a read without a copy shows what a copy shows.
pub(crate) const FIXED: usize = 4;
/// So many blocks a memory begins with, which belong to its module.
pub(crate) const INITIAL: usize = 2;
/// So many it has when its program begins, and so many at most.
pub(crate) const BLOCKS: usize = 12;
pub(crate) const MOST_BLOCKS: usize = 18;
/// A file has so many bytes at most.
pub(crate) const MOST_BYTES: usize = 5 * BLOCK;

/// Which files a guest may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The default one.
    Immutable,
    /// The operator's own: all files, but not to change them.
    Private,
    Trusted,
}

/// What a store's guest may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) policy: Policy,
    pub(crate) is_read_only: bool,
    pub(crate) holds_sealed: bool,
    pub(crate) max_mappings: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_process_mappings: usize,
    /// What a load or a store of what is gone does.
    pub(crate) on_fault: OnFault,
    /// Whether whole pages of [`FIXED`] are mapped where the guest reads them.
    pub(crate) is_zero_copy: bool,
}

/// How a store ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Drop,
    DropOnAnotherThread,
    DropAfterTrap,
    /// Detached, and its data is kept to the program's end.
    GiveDataUp,
}

/// A handle, by what it is when the step is played.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handle {
    /// One of the store's own, if it has one.
    Own(usize),
    /// One that it has given back.
    GivenBack(usize),
    /// One of another store.
    Of(usize, usize),
    Number(i32),
}

/// A file as a guest names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    File(usize),
    Directory,
    Inode(u64),
}

/// One step of a program. Those of a store that is not there do nothing.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    New {
        kind: Kind,
    },
    End {
        how: End,
    },
    Attach,
    Detach,
    Open {
        file: usize,
        reads: bool,
        writes: bool,
    },
    Close {
        nth: usize,
    },
    Map {
        file: Name,
        offset: u64,
        at: usize,
        len: usize,
        flags: u32,
    },
    Unmap {
        handle: Handle,
    },
    Sync {
        handle: Handle,
        offset: usize,
        len: usize,
        how: u32,
    },
    Advise {
        handle: Handle,
        offset: usize,
        len: usize,
        advice: u32,
    },
    Refresh {
        handle: Handle,
        offset: usize,
        len: usize,
    },
    Fault {
        handle: Handle,
    },
    Lost {
        handle: Handle,
        offset: usize,
    },
    Load {
        at: usize,
    },
    Store {
        at: usize,
        byte: u8,
    },
    Fill {
        at: usize,
        len: usize,
        byte: u8,
    },
    Copy {
        to: usize,
        from: usize,
        len: usize,
    },
    Grow {
        blocks: usize,
    },
    /// By WASI: the file's bytes into memory.
    Read {
        nth: usize,
        offset: usize,
        at: usize,
        len: usize,
    },
    /// By WASI: many bytes of [`FIXED`] into memory, from a page on, if the guest has it open.
    ReadFixed {
        offset: usize,
        at: usize,
        len: usize,
    },
    /// By WASI: memory's bytes into the file.
    Write {
        nth: usize,
        offset: usize,
        at: usize,
        len: usize,
    },
    SetLen {
        nth: usize,
        len: usize,
    },
    Trap,
    Interrupt,
    /// The host looks at the guest's memory.
    Look {
        range: Range<usize>,
    },
    /// The host stores in the guest's memory.
    HostStore {
        at: usize,
        len: usize,
        byte: u8,
    },
    /// Somebody else changes a file.
    HostSetLen {
        file: usize,
        len: usize,
    },
    HostWrite {
        file: usize,
        offset: usize,
        len: usize,
        byte: u8,
    },
}

/// A step, and the store that it is for.
pub(crate) type Placed = (usize, Step);

/// The steps of the program with this number.
pub(crate) fn program(seed: u64) -> Vec<Placed> {
    let mut chooser = Chooser { rng: Rng::with_seed(seed), lives: [false; STORES], steps: Vec::new() };
    let steps = chooser.rng.usize(40..400);
    while chooser.steps.len() < steps {
        chooser.choose();
    }
    chooser.steps
}

struct Chooser {
    rng: Rng,
    lives: [bool; STORES],
    steps: Vec<Placed>,
}

impl Chooser {
    fn choose(&mut self) {
        let slot = self.rng.usize(..STORES);
        if !self.lives[slot] {
            return self.begin(slot);
        }
        match self.rng.u32(..1000) {
            0..6 => {
                let ends = [End::Drop, End::DropOnAnotherThread, End::DropAfterTrap, End::GiveDataUp];
                self.steps.push((slot, Step::End { how: ends[self.rng.usize(..ends.len())] }));
                self.lives[slot] = false;
            }
            6..14 => self.lose_here_and_there(slot),
            14..19 => {
                self.steps.push((slot, Step::Detach));
                self.steps.push((slot, Step::Attach));
            }
            number => {
                let step = step(&mut self.rng, number);
                let changes_len = matches!(step, Step::SetLen { .. } | Step::HostSetLen { .. });
                self.steps.push((slot, step));
                if changes_len {
                    self.touch(slot);
                }
            }
        }
    }

    /// What a guest does to find out what is left of a file.
    fn touch(&mut self, slot: usize) {
        for _ in 0..self.rng.usize(2..8) {
            let number = self.rng.u32(TOUCHING);
            let step = step(&mut self.rng, number);
            self.steps.push((slot, step));
        }
    }

    /// A new store, whose guest opens files and maps one.
    fn begin(&mut self, slot: usize) {
        let kind = kind(&mut self.rng);
        self.lives[slot] = true;
        self.steps.push((slot, Step::New { kind }));
        for file in 0..SEALED {
            if self.rng.u32(..8) > 0 {
                let (reads, writes) = rights(&mut self.rng);
                let writes = writes && !kind.is_read_only;
                let reads = reads || !writes;
                self.steps.push((slot, Step::Open { file, reads, writes }));
            }
        }
        if kind.is_zero_copy {
            self.steps.push((slot, Step::Open { file: FIXED, reads: true, writes: false }));
        }
        let step = map(&mut self.rng);
        self.steps.push((slot, step));
    }

    /// Pages of one file are lost one by one, and the file is there again: they stay lost in many pieces.
    fn lose_here_and_there(&mut self, slot: usize) {
        let (file, at, own) =
            (self.rng.usize(..SEALED), 2 * self.rng.usize(1..5) * BLOCK, Handle::Own(self.rng.usize(..4)));
        self.steps.push((slot, Step::HostSetLen { file, len: MOST_BYTES }));
        let (offset, flags) = (0, self.rng.u32(..2));
        self.steps.push((slot, Step::Map { file: Name::File(file), offset, at, len: MOST_BYTES, flags }));
        for i in 0..self.rng.usize(2..12) {
            let page = 3 * i + 1;
            self.steps.push((slot, Step::HostSetLen { file, len: page * PAGE }));
            self.steps.push((slot, Step::Load { at: at + page * PAGE }));
            self.steps.push((slot, Step::HostSetLen { file, len: MOST_BYTES }));
            self.steps.push((slot, Step::Refresh { handle: own, offset: 0, len: PAGE }));
        }
    }
}

fn kind(rng: &mut Rng) -> Kind {
    let mut limit = |small: Range<usize>, all: usize| if rng.u32(..6) == 0 { rng.usize(small) } else { all };
    let max_mappings = limit(0..5, 64);
    let max_bytes = limit(0..4 * BLOCK / PAGE, 1 << 20) * PAGE;
    let max_process_mappings = limit(1..10, 2048);
    Kind {
        policy: match rng.u32(..8) {
            0 => Policy::Immutable,
            1 => Policy::Private,
            _ => Policy::Trusted,
        },
        is_read_only: rng.u32(..8) == 0,
        holds_sealed: rng.u32(..8) > 0,
        max_mappings,
        max_bytes,
        max_process_mappings,
        // Elsewhere a trap is not possible, and zeros are read.
        on_fault: if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && rng.u32(..4) == 0 {
            OnFault::Trap
        } else {
            OnFault::Zeros
        },
        is_zero_copy: rng.u32(..4) == 0,
    }
}

fn rights(rng: &mut Rng) -> (bool, bool) {
    match rng.u32(..12) {
        0 => (true, false),
        1 => (false, true),
        _ => (true, true),
    }
}

fn map(rng: &mut Rng) -> Step {
    let file = match rng.u32(..40) {
        0 => Name::Directory,
        1 => Name::Inode(rng.u64(..)),
        _ => Name::File(rng.usize(..FILES)),
    };
    let flags = if rng.u32(..40) == 0 { 1 << rng.u32(1..32) } else { SHARED * rng.u32(..2) };
    Step::Map { file, offset: map_offset(rng), at: map_place(rng), len: map_len(rng), flags }
}

/// The numbers of steps for parts of mappings and for bytes of memory.
const TOUCHING: Range<u32> = 250..700;

/// Any step but those that make and end stores.
fn step(rng: &mut Rng, number: u32) -> Step {
    let byte = rng.u8(1..);
    let nth = rng.usize(..4);
    match number {
        ..190 => map(rng),
        190..250 => Step::Unmap { handle: handle(rng) },
        250..310 => {
            let (offset, len) = part(rng);
            Step::Sync { handle: handle(rng), offset, len, how: number_below(rng, 3) }
        }
        310..350 => {
            let (offset, len) = part(rng);
            Step::Advise { handle: handle(rng), offset, len, advice: number_below(rng, 5) }
        }
        350..420 => {
            let (offset, len) = part(rng);
            Step::Refresh { handle: handle(rng), offset, len }
        }
        420..450 => Step::Fault { handle: handle(rng) },
        450..490 => Step::Lost { handle: handle(rng), offset: part(rng).0 },
        490..540 => Step::Load { at: address(rng) },
        540..600 => Step::Store { at: address(rng), byte },
        600..640 => Step::Fill { at: address(rng), len: len(rng), byte },
        640..700 => Step::Copy { to: address(rng), from: address(rng), len: len(rng) },
        700..715 => Step::Grow { blocks: if rng.u32(..8) == 0 { 70_000 } else { rng.usize(..3) } },
        715..730 => {
            let len = rng.usize(1..=5) * BLOCK + if rng.bool() { rng.usize(..BLOCK) } else { 0 };
            Step::ReadFixed { offset: rng.usize(..3 * BLOCK / PAGE) * PAGE, at: read_place(rng), len }
        }
        730..765 => Step::Read { nth, offset: file_offset(rng), at: address(rng), len: len(rng) },
        765..800 => Step::Write { nth, offset: file_offset(rng), at: address(rng), len: len(rng) },
        800..850 => Step::SetLen { nth, len: file_len(rng) },
        850..880 => {
            let (reads, writes) = rights(rng);
            Step::Open { file: rng.usize(..SEALED), reads, writes }
        }
        880..890 => Step::Close { nth },
        890..900 => Step::Trap,
        900..904 => Step::Interrupt,
        904..925 => {
            let start = address(rng);
            Step::Look { range: start..start + 3 * len(rng) }
        }
        925..930 => Step::Look { range: 0..usize::MAX },
        930..950 => Step::HostStore { at: address(rng), len: len(rng), byte },
        950..975 => Step::HostSetLen { file: rng.usize(..SEALED), len: file_len(rng) },
        _ => Step::HostWrite { file: rng.usize(..SEALED), offset: file_offset(rng), len: len(rng), byte },
    }
}

/// Seldom one that means nothing.
fn number_below(rng: &mut Rng, end: u32) -> u32 {
    if rng.u32(..20) == 0 { rng.u32(end..) } else { rng.u32(..end) }
}
