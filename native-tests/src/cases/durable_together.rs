//! Several mappings of one storage. Only one of them gets the error of a failed sync, but the writes of the others may
//! be lost too.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use portable_mmap::{BufferedMmap, Error, Metadata, MmapOptions, Storage};

use super::durable::fail_syncs;
use crate::others::{PAGE, pattern};
use crate::storages::{Emulated, Memory, Op, Rigged};
use crate::{FileBackend, Scene, cases};

cases!("durable_together":
    a_failed_sync_of_another_mapping_is_not_forgotten,
    a_failed_sync_of_another_mapping_does_not_affect_later_changes,
    a_sync_of_another_mapping_that_fails_in_between_is_detected
);

/// A second mapping of the same memory under the same rig.
fn beside(e: &Emulated) -> BufferedMmap<Rigged<Memory>> {
    MmapOptions::new().map_storage(e.rig.around(e.memory.clone())).unwrap()
}

/// The disk has lost the writes of both, but only one gets the error.
fn a_failed_sync_of_another_mapping_is_not_forgotten<B: FileBackend>(scene: &mut Scene<B>) {
    type Act = fn(&mut BufferedMmap<Rigged<Memory>>) -> Result<(), Error>;
    let acts: [(&str, Act); 4] = [
        ("flush", |map| map.flush()),
        ("flush_range", |map| map.flush_range(0, PAGE)),
        ("flush_async", |map| map.flush_async()),
        ("close", |map| map.close()),
    ];
    for (name, act) in acts {
        let mut e = Emulated::new(pattern(3 * PAGE));
        let mut other = beside(&e);
        e.map[5] = 0;
        e.map.flush_async().unwrap();
        other[2 * PAGE] = 0;
        fail_syncs(&e, 1);
        other.flush().unwrap_err();
        scene.eq("on the disk", e.memory.durable()[5], pattern(6)[5]);
        act(&mut e.map).unwrap();
        scene.eq(name, e.memory.durable()[5], 0);
        other.close().unwrap();
        scene.eq("the other's", e.memory.durable()[2 * PAGE], 0);
    }
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    e.map.flush_async().unwrap();
    fail_syncs(&e, 1);
    let mut other = beside(&e);
    other[7] = 0;
    other.flush().unwrap_err();
    drop(e.map);
    scene.eq("drop", e.memory.durable()[5], 0);
}

fn a_failed_sync_of_another_mapping_does_not_affect_later_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    let mut other = beside(&e);
    e.map[5] = 0;
    e.map.flush().unwrap();
    other[7] = 0;
    fail_syncs(&e, 1);
    other.flush().unwrap_err();
    let _ = e.rig.take();
    e.map.flush().unwrap();
    scene.eq("no bytes are in doubt here", e.rig.take(), []);
    e.map[9] = 0;
    e.map.flush_async().unwrap();
    scene.eq("a write and no sync", (e.rig.count(Op::Write), e.rig.count(Op::Sync).0), ((1, 1), 0));
}

/// A storage in which the sync of another mapping fails just before its own sync.
#[derive(Debug)]
struct FailingSyncBefore(Rigged<Memory>, AtomicBool);

impl Storage for FailingSyncBefore {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.swap(false, Ordering::Relaxed) {
            let _ = self.0.sync();
        }
        self.0.sync()
    }

    fn failed_syncs(&self) -> usize {
        self.0.failed_syncs()
    }
}

fn a_sync_of_another_mapping_that_fails_in_between_is_detected<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(PAGE));
    let storage = FailingSyncBefore(e.rig.around(e.memory.clone()), AtomicBool::new(true));
    let mut map = MmapOptions::new().map_storage(storage).unwrap();
    map[5] = 0;
    fail_syncs(&e, 1);
    map.flush().unwrap();
    scene.eq("on the disk", e.memory.durable()[5], 0);
    scene.eq("written twice", e.rig.count(Op::Write).0, 2);
}
