//! A storage that panics: the caller gets the panic, and the mapping can be used afterwards, as after an error.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use native_tests::others::{PAGE, pattern};
use native_tests::storages::Memory;
use portable_mmap::{BufferedMmap, Metadata, MmapOptions, Storage};

/// A storage in memory. One call panics: the call that finds the counter at 1.
struct Panicking {
    memory: Memory,
    countdown: Arc<AtomicUsize>,
}

impl Panicking {
    #[allow(deprecated, reason = "its new name is newer than Rust 1.95")]
    fn call(&self) {
        let before = self.countdown.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(before != Ok(1), "the storage panics");
    }
}

impl Storage for Panicking {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // Panics halfway: some bytes of the buffer are already changed.
        let half = buf.len() / 2;
        self.memory.read_at(&mut buf[..half], offset)?;
        self.call();
        self.memory.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.call();
        self.memory.write_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.call();
        self.memory.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call();
        self.memory.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        if self.countdown.load(Ordering::Relaxed) == 1 {
            self.memory.forget();
        }
        self.call();
        self.memory.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.memory.metadata()
    }
}

type Map = BufferedMmap<Panicking>;

/// Runs an act once for each of its storage calls, and lets that call panic. Afterwards the mapping is unchanged, the
/// act succeeds, and all changes reach the storage.
fn survives(name: &str, act: fn(&mut Map)) {
    for call in 1.. {
        let (memory, countdown) = (Memory::new(pattern(3 * PAGE)), Arc::new(AtomicUsize::new(0)));
        let storage = Panicking { memory: memory.clone(), countdown: countdown.clone() };
        let mut map = MmapOptions::new().map_storage(storage).unwrap();
        map[5] = 0;
        map[2 * PAGE..2 * PAGE + 3].fill(0);
        let mut want = pattern(3 * PAGE);
        want[5] = 0;
        want[2 * PAGE..2 * PAGE + 3].fill(0);

        countdown.store(call, Ordering::Relaxed);
        let ended = catch_unwind(AssertUnwindSafe(|| act(&mut map)));
        let left = countdown.swap(0, Ordering::Relaxed);
        if ended.is_ok() {
            assert!(left > 0 && call > 1, "{name}: each call panics in turn");
            return;
        }
        assert!(!map.is_closed(), "{name}, call {call}: the mapping is open");
        assert!(map.get_slice(..).unwrap() == want, "{name}, call {call}: the bytes are unchanged");
        act(&mut map);
        if !map.is_closed() {
            want = map.get_slice(..).unwrap();
            map.flush().unwrap();
            assert!(memory.durable() == want, "{name}, call {call}: the disk holds it too");
        }
        assert!(memory.content() == want, "{name}, call {call}: the storage has the bytes of the mapping");
    }
}

#[test]
fn a_panicking_read_leaves_the_mapping_usable() {
    survives("as_slice", |map| drop(map.as_slice().unwrap().to_vec()));
    survives("slice face", |map| drop(map.to_vec()));
    survives("range_mut", |map| map.range_mut(PAGE - 1..=PAGE).unwrap().fill(7));
    survives("read_bytes", |map| drop(map.read_bytes(None).unwrap().to_vec()));
    survives("find", |map| assert_eq!(map.find(b"no such bytes").unwrap(), None));
    survives("move_within", |map| map.move_within(PAGE, 0, 100).unwrap());
}

#[test]
fn a_panicking_write_keeps_every_change() {
    survives("flush", |map| map.flush().unwrap());
    survives("flush_async", |map| map.flush_async().unwrap());
    survives("close", |map| map.close().unwrap());
}

#[test]
fn a_panic_during_a_resize_leaves_the_old_mapping() {
    survives("grow", |map| map.resize(5 * PAGE + 1).unwrap());
    survives("shrink", |map| map.resize(PAGE + 1).unwrap());
    survives("refresh", |map| map.refresh().unwrap());
}
