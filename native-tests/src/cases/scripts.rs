//! Random scripts with fixed seeds: thousands of operations on a mapping and on the model, compared after each step.

use std::io::SeekFrom;

use portable_mmap::{Access, Advice, Error, Mapping, MmapOptions, Slice};

use crate::model::{Model, Outcome, View};
use crate::random::Random;
use crate::{FileBackend, Scene, cases};

cases!("scripts":
    seed_1, seed_2, seed_3, seed_4, seed_5, seed_6, seed_7, seed_8
);

/// The number of operations of a script; Miri is a thousand times slower.
const STEPS: usize = if cfg!(miri) { 30 } else { 2500 };
/// The initial length of the file, in bytes: several pages of any size, more than one step of loading or searching, and
/// not a multiple of a page.
const LENGTH: usize = if cfg!(miri) { 12_301 } else { 400_001 };
/// A multiple of the page size and of the granularity of every platform, in bytes; Miri only runs the emulation.
const GRANULARITY: usize = if cfg!(miri) { 4 << 10 } else { 64 << 10 };

macro_rules! seeds {
    ($($case:ident $seed:literal)*) => {$(
        fn $case<B: FileBackend>(scene: &mut Scene<B>) {
            script(scene, $seed);
        }
    )*};
}

seeds!(seed_1 1 seed_2 2 seed_3 3 seed_4 4 seed_5 5 seed_6 6 seed_7 7 seed_8 8);

/// The mapping and the model, side by side.
struct Pair<'s, B: FileBackend> {
    scene: &'s mut Scene<B>,
    random: Random,
    map: Option<Mapping<B>>,
    model: Model,
}

fn script<B: FileBackend>(scene: &mut Scene<B>, seed: u64) {
    scene.note("seed", seed);
    let mut random = Random::new(seed);
    let file = random.text(LENGTH);
    drop(scene.file("f", &file));
    let mut pair = Pair { scene, random, map: None, model: Model { file, view: None } };
    for step in 0..STEPS {
        let (operation, got, want) = pair.step();
        pair.scene.note(&format!("{step} {operation}"), &got);
        assert!(got == want, "seed {seed}, step {step}, {operation}: got {got:?}, want {want:?}");
        let positions =
            (pair.map.as_ref().map(Mapping::tell), pair.model.view.as_ref().map(|view| view.position as u64));
        assert!(positions.0 == positions.1, "seed {seed}, step {step}, {operation}: positions {positions:?}");
    }
    pair.map = None;
    pair.scene.file_is("f", &pair.model.file);
}

/// Shows bytes in a line. Long ones are added up by words, because Miri is slow at single bytes.
fn shown(bytes: &[u8]) -> String {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    let sum = bytes.chunks(8).fold(17_u64, |sum, chunk| sum.wrapping_mul(31).wrapping_add(word(chunk)));
    format!("{} bytes {sum:x}", bytes.len())
}

fn outcome<T>(result: Result<T, Error>, show: impl FnOnce(T) -> String) -> Outcome {
    result.map(show).map_err(|error| error.name())
}

impl<B: FileBackend> Pair<'_, B> {
    fn len(&self) -> usize {
        self.model.view.as_ref().map_or(0, |view| view.bytes.len())
    }

    /// An index, usually inside the mapping and sometimes outside.
    fn place(&mut self) -> usize {
        let len = self.len();
        self.random.below(len + len / 16 + 1)
    }

    /// A length, usually short and sometimes over several pages.
    fn length(&mut self) -> usize {
        if self.random.chance(8) { self.random.below(20_000) } else { self.random.below(40) }
    }

    /// Runs one operation on both. Returns its description and both results.
    fn step(&mut self) -> (String, Outcome, Outcome) {
        if self.map.is_none() {
            return self.open();
        }
        match self.random.below(34) {
            0..=3 => self.read(),
            4..=6 => self.write(),
            7..=9 => self.seek(),
            10..=13 => self.search(),
            14..=15 => self.move_within(),
            16..=19 => self.slice(),
            20..=22 => self.item(),
            23..=25 => self.borrow(),
            26..=28 => self.flush(),
            29..=30 => self.resize(),
            31..=32 => self.hint(),
            _ => self.close(),
        }
    }

    fn open(&mut self) -> (String, Outcome, Outcome) {
        let offset = self.random.below(3) * GRANULARITY;
        let len = if self.random.chance(2) { 0 } else { 1 + self.random.below(LENGTH) };
        let access = [Access::Write, Access::Write, Access::Default, Access::Copy, Access::Read][self.random.below(5)];
        let file = self.scene.open("f", std::fs::OpenOptions::new().read(true).write(true));
        let got = self.scene.map(MmapOptions::new().offset(offset as u64).len(len).access(access), &file);
        let got = outcome(got, |map| {
            let len = map.len().to_string();
            self.map = Some(map);
            len
        });
        (format!("map {offset} {len} {access:?}"), got, self.model.map(offset, len, access))
    }

    fn close(&mut self) -> (String, Outcome, Outcome) {
        let got = self.map.as_mut().map_or(Err("Closed"), |map| outcome(map.close(), |()| String::new()));
        self.map = None;
        self.model.close();
        // The current bytes of the file, read through another descriptor.
        let want = Ok(shown(&self.model.file));
        (String::from("close"), got.map(|_| shown(&self.scene.content("f"))), want)
    }

    /// Runs the same operation on both.
    fn both(
        &mut self,
        operation: String,
        map: impl FnOnce(&mut Mapping<B>) -> Outcome,
        model: impl FnOnce(&mut View) -> Outcome,
    ) -> (String, Outcome, Outcome) {
        let got = self.map.as_mut().map_or(Err("Closed"), map);
        (operation, got, self.model.act(model))
    }

    fn read(&mut self) -> (String, Outcome, Outcome) {
        let n = self.length();
        match self.random.below(3) {
            0 => {
                self.both(format!("read {n}"), |map| outcome(map.read_bytes(n), shown), |view| Ok(shown(&view.read(n))))
            }
            1 => self.both("readline".into(), |map| outcome(map.readline(), shown), |view| Ok(shown(&view.readline()))),
            _ => self.both(
                "read_byte".into(),
                |map| outcome(map.read_byte(), |byte| byte.to_string()),
                |view| view.read(1).first().map(ToString::to_string).ok_or("OutOfRange"),
            ),
        }
    }

    fn write(&mut self) -> (String, Outcome, Outcome) {
        let len = self.length();
        let data = self.random.text(len);
        self.both(
            format!("write {len}"),
            |map| outcome(map.write_bytes(&data), |n| n.to_string()),
            |view| view.write(&data),
        )
    }

    fn seek(&mut self) -> (String, Outcome, Outcome) {
        let place = self.place();
        let distance = self.random.around_zero(place + 1) as i64;
        let to = match self.random.below(3) {
            0 => SeekFrom::Start(place as u64),
            1 => SeekFrom::Current(distance),
            _ => SeekFrom::End(distance),
        };
        self.both(format!("seek {to:?}"), |map| outcome(map.seek(to), |n| n.to_string()), |view| view.seek(to))
    }

    fn search(&mut self) -> (String, Outcome, Outcome) {
        let len = self.random.below(9);
        let needle = self.random.text(len);
        let (start, end) = (self.place(), self.place());
        let found = |at: Option<usize>| Ok(format!("{at:?}"));
        let within = start.cast_signed()..end.cast_signed();
        let bounds = move |view: &View| (start, end.min(view.bytes.len()));
        let operation = |name: &str| format!("{name} {:?} {start} {end}", String::from_utf8_lossy(&needle));
        match self.random.below(4) {
            0 => self.both(
                operation("find"),
                |map| outcome(map.find(&needle), |at| format!("{at:?}")),
                |view| found(view.matches(&needle, view.position, view.bytes.len()).first().copied()),
            ),
            1 => self.both(
                operation("rfind"),
                |map| outcome(map.rfind(&needle), |at| format!("{at:?}")),
                |view| found(view.matches(&needle, view.position, view.bytes.len()).last().copied()),
            ),
            2 => self.both(
                operation("find_in"),
                |map| outcome(map.find_in(&needle, within), |at| format!("{at:?}")),
                |view| found(view.matches(&needle, bounds(view).0, bounds(view).1).first().copied()),
            ),
            _ => self.both(
                operation("rfind_in"),
                |map| outcome(map.rfind_in(&needle, within), |at| format!("{at:?}")),
                |view| found(view.matches(&needle, bounds(view).0, bounds(view).1).last().copied()),
            ),
        }
    }

    fn move_within(&mut self) -> (String, Outcome, Outcome) {
        let (dest, src, count) = (self.place(), self.place(), self.length());
        self.both(
            format!("move {dest} {src} {count}"),
            |map| outcome(map.move_within(dest, src, count), |()| String::new()),
            |view| {
                view.writable()?;
                if dest.max(src) + count > view.bytes.len() {
                    return Err("OutOfRange");
                }
                view.bytes.copy_within(src..src + count, dest);
                Ok(String::new())
            },
        )
    }

    #[expect(clippy::similar_names, reason = "Python's names")]
    fn slice(&mut self) -> (String, Outcome, Outcome) {
        let len = self.len();
        let bound = |random: &mut Random| (!random.chance(5)).then(|| random.around_zero(len + 9));
        let (start, stop) = (bound(&mut self.random), bound(&mut self.random));
        let step = match self.random.below(6) {
            0..=2 => 1,
            3 => -1,
            4 => self.random.around_zero(50),
            _ => self.random.around_zero(9000),
        };
        let step = if step == 0 { 7 } else { step };
        let slice = Slice::new(start, stop, step);
        let operation = format!("{start:?}:{stop:?}:{step}");
        if self.random.chance(2) {
            return self.both(
                format!("get_slice {operation}"),
                |map| outcome(map.get_slice(slice), |bytes| shown(&bytes)),
                |view| Ok(shown(&view.picked(start, stop, step).iter().map(|&at| view.bytes[at]).collect::<Vec<_>>())),
            );
        }
        let count = self.model.view.as_ref().map_or(0, |view| view.picked(start, stop, step).len());
        let given = if self.random.chance(9) { count + 1 } else { count };
        let data = self.random.text(given);
        self.both(
            format!("set_slice {operation} {}", data.len()),
            |map| outcome(map.set_slice(slice, &data), |()| String::new()),
            |view| {
                view.writable()?;
                let picked = view.picked(start, stop, step);
                if picked.len() != data.len() {
                    return Err("SizeMismatch");
                }
                picked.iter().zip(&data).for_each(|(&at, &byte)| view.bytes[at] = byte);
                Ok(String::new())
            },
        )
    }

    fn item(&mut self) -> (String, Outcome, Outcome) {
        let index = self.random.around_zero(self.len() + 2);
        let byte = self.random.text(1)[0];
        let resolve = move |view: &View| {
            let len = view.bytes.len().cast_signed();
            let at = if index < 0 { index + len } else { index };
            if (0..len).contains(&at) { Ok(at.unsigned_abs()) } else { Err("IndexOutOfRange") }
        };
        if self.random.chance(2) {
            self.both(
                format!("get_item {index}"),
                |map| outcome(map.get_item(index), |byte| byte.to_string()),
                |view| Ok(view.bytes[resolve(view)?].to_string()),
            )
        } else {
            self.both(
                format!("set_item {index} {byte}"),
                |map| outcome(map.set_item(index, byte), |()| String::new()),
                |view| {
                    view.writable()?;
                    let at = resolve(view)?;
                    view.bytes[at] = byte;
                    Ok(String::new())
                },
            )
        }
    }

    /// Borrows a range mutably and changes some bytes of it, or none.
    fn borrow(&mut self) -> (String, Outcome, Outcome) {
        let (start, len) = (self.place(), self.length());
        let (stride, byte) = (1 + self.random.below(70), self.random.text(1)[0]);
        let change = move |bytes: &mut [u8]| bytes.iter_mut().step_by(stride).for_each(|old| *old = byte);
        self.both(
            format!("range_mut {start} {len} by {stride}"),
            |map| {
                outcome(map.range_mut(start..start + len), |bytes| {
                    change(bytes);
                    shown(bytes)
                })
            },
            |view| {
                view.writable()?;
                let bytes = view.bytes.get_mut(start..start + len).ok_or("OutOfRange")?;
                change(bytes);
                Ok(shown(bytes))
            },
        )
    }

    fn flush(&mut self) -> (String, Outcome, Outcome) {
        let (page, len) = (self.random.below(LENGTH / GRANULARITY + 2) * GRANULARITY, self.length());
        let kind = self.random.below(4);
        let reaches = |view: &View| !matches!(view.access, Access::Read | Access::Copy);
        let (operation, got, want) = self.both(
            format!("flush {kind} {page} {len}"),
            |map| {
                let done = match kind {
                    0 => map.flush(),
                    1 => map.flush_async(),
                    2 => map.flush_range(page, len),
                    _ => map.flush_async_range(page, len),
                };
                outcome(done, |()| String::new())
            },
            |view| {
                let outside = kind >= 2 && page + len > view.bytes.len();
                if outside { Err("OutOfRange") } else { Ok(String::new()) }
            },
        );
        if kind < 2 && self.model.view.as_ref().is_some_and(reaches) {
            // Now the file has all changes.
            return (operation, got.map(|_| shown(&self.scene.content("f"))), Ok(shown(&self.model.file)));
        }
        (operation, got, want)
    }

    fn resize(&mut self) -> (String, Outcome, Outcome) {
        let len = if self.random.chance(12) { 0 } else { self.random.below(LENGTH + LENGTH / 8) };
        let got = self.map.as_mut().map_or(Err("Closed"), |map| outcome(map.resize(len), |()| String::new()));
        let want = self.model.resize(len);
        let after = |outcome: Outcome, size: Option<u64>, all: Option<Vec<u8>>| {
            outcome.map(|_| format!("{size:?} {}", shown(&all.unwrap_or_default())))
        };
        let size = self.map.as_ref().and_then(|map| map.size().ok());
        // All bytes are compared only sometimes, so that some pages stay unloaded.
        let look = self.random.chance(3);
        let all = self.map.as_ref().filter(|_| look).and_then(|map| map.get_slice(..).ok());
        let model_all = self.model.view.as_ref().filter(|_| look).map(|view| view.bytes.clone());
        let model_size = Some(self.model.file.len() as u64);
        (format!("resize {len}"), after(got, size, all), after(want, model_size, model_all))
    }

    /// Operations that change nothing.
    fn hint(&mut self) -> (String, Outcome, Outcome) {
        let (page, len) = (self.random.below(LENGTH / GRANULARITY + 2) * GRANULARITY, self.length());
        let advice = Advice::ALL[self.random.below(Advice::ALL.len())];
        if self.random.chance(2) {
            let fits =
                move |view: &View| if page + len > view.bytes.len() { Err("OutOfRange") } else { Ok(String::new()) };
            return self.both(
                format!("refresh_range {page} {len}"),
                |map| outcome(map.refresh_range(page, len), |()| String::new()),
                |view| fits(view),
            );
        }
        self.both(
            format!("advise_range {advice:?} {page} {len}"),
            |map| outcome(map.advise_range(advice, page, len), |()| String::new()),
            |view| if page < view.bytes.len() { Ok(String::new()) } else { Err("OutOfRange") },
        )
    }
}
