//! The order of the checks: if there are two mistakes, the error is always that of the same one.

use std::fs::OpenOptions;
use std::sync::Arc;

use portable_mmap::{Flags, MmapOptions, Prot};

use super::modes::open_directory;
use super::{STEP, expect_error};
use crate::{FileBackend, Scene, cases};

cases!("order":
    each_mistake_has_its_error,
    of_two_mistakes_the_first_is_reported
);

/// Mistakes in the order of the checks. Mistakes of the same rank exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    Conflict,
    Directory,
    Empty,
    Offset,
    Length,
    Misaligned,
    WriteOnly,
    ReadOnly,
    HugePages,
    WritableAndExecutable,
}

use Mistake::{
    Conflict, Directory, Empty, HugePages, Length, Misaligned, Offset, ReadOnly, WritableAndExecutable, WriteOnly,
};

const ALL: [Mistake; 10] =
    [Conflict, Directory, Empty, Offset, Length, Misaligned, WriteOnly, ReadOnly, HugePages, WritableAndExecutable];

impl Mistake {
    fn rank(self) -> u8 {
        match self {
            Conflict => 0,
            Directory => 1,
            Empty | Offset | Length => 2,
            Misaligned => 3,
            WriteOnly | ReadOnly => 4,
            HugePages | WritableAndExecutable => 5,
        }
    }

    fn error(self) -> &'static str {
        match self {
            Conflict => "Conflict",
            Directory | WriteOnly | ReadOnly => "Io",
            Empty => "EmptyFile",
            Offset => "OffsetPastEnd",
            Length => "LengthPastEnd",
            Misaligned => "Misaligned",
            HugePages | WritableAndExecutable => "Unsupported",
        }
    }

    /// Whether both can be made in one call. A directory has only one mode and no length, and executable memory does
    /// not need a file open for writing.
    fn goes_with(self, later: Self) -> bool {
        self.rank() < later.rank()
            && !(self == Directory && matches!(later, Empty | WriteOnly))
            && !(self == ReadOnly && later == WritableAndExecutable)
    }
}

/// Maps a file of 5 bytes with these mistakes, and requires the error of the first.
fn try_with<B: FileBackend>(scene: &mut Scene<B>, mistakes: &[Mistake]) {
    let (mut options, mut flags, mut offset) = (MmapOptions::new(), Flags::empty(), 0);
    let (mut name, mut opened) = ("f", OpenOptions::new());
    opened.read(true).write(true);
    for mistake in mistakes {
        match mistake {
            Conflict => flags |= Flags::SHARED | Flags::PRIVATE,
            Directory => name = "d",
            Empty => name = "empty",
            Offset => offset += STEP,
            Length => drop(options.len(6)),
            Misaligned => offset += 1,
            WriteOnly => drop(opened.read(false)),
            ReadOnly => drop(opened.write(false)),
            HugePages => flags |= Flags::HUGETLB,
            WritableAndExecutable => drop(options.prot(Prot::WRITE | Prot::EXEC)),
        }
    }
    let file = if name == "d" { Arc::new(open_directory(&scene.path("d"))) } else { scene.open(name, &opened) };
    let result = scene.map(options.flags(flags).offset(offset), &file);
    let error = expect_error(scene, &format!("{mistakes:?}"), result, mistakes[0].error());
    if error.name() == "Io" {
        scene.eq("of kind", error.kind() == std::io::ErrorKind::IsADirectory, mistakes[0] == Directory);
    }
}

fn files<B: FileBackend>(scene: &Scene<B>) {
    drop((scene.file("f", b"hello"), scene.file("empty", b"")));
    std::fs::create_dir(scene.path("d")).unwrap();
}

fn each_mistake_has_its_error<B: FileBackend>(scene: &mut Scene<B>) {
    files(scene);
    for mistake in ALL {
        try_with(scene, &[mistake]);
    }
    scene.file_is("f", b"hello");
}

fn of_two_mistakes_the_first_is_reported<B: FileBackend>(scene: &mut Scene<B>) {
    files(scene);
    let mut pairs = 0;
    for first in ALL {
        for later in ALL.into_iter().filter(|&later| first.goes_with(later)) {
            try_with(scene, &[first, later]);
            pairs += 1;
        }
    }
    scene.eq("pairs", pairs, 37);
    scene.file_is("f", b"hello");
    scene.eq("empty", scene.file_len("empty"), 0);
}
