//! The start and the end of stores.

use portable_mmap_wasmtime::{Access, HostMapCtx, attach, detach, policy};
use wasmtime::Trap;
use wasmtime_wasi::{FsPerms, OpenMode};

use super::Runner;
use crate::common::BLOCK;
use crate::common::host::{add_open_file, inode};
use crate::model::{Open, StoreModel};
use crate::steps::{BLOCKS, End, FIXED, INITIAL, Kind, Policy, SEALED};

/// The data segment of the guests' module, at the start of the second block.
const SEGMENT: &[u8] = b"segment";

impl Runner<'_> {
    /// Creates a store. Its memory is zeros except for the data segment, whatever the last store has left.
    pub(super) fn begin(&mut self, slot: usize, kind: Kind) {
        if self.guests[slot].is_some() {
            self.finish(slot, End::Drop);
        }
        let ctx = HostMapCtx::builder()
            .max_mappings(kind.max_mappings)
            .max_bytes(kind.max_bytes as u64)
            .max_process_mappings(kind.max_process_mappings);
        let ctx = match kind.policy {
            Policy::Immutable => ctx,
            Policy::Private => ctx.policy(|_, access| access == Access::Private),
            Policy::Trusted => ctx.policy(policy::trusted),
        };
        let ctx = ctx.on_fault(kind.on_fault);
        let fixed = inode(&self.files[FIXED]);
        let ctx = if kind.is_zero_copy { ctx.zero_copy_reads(move |file| inode(file) == fixed) } else { ctx };
        let perms = if kind.is_read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        let mut store = self.host.store(&ctx, self.dir, perms);
        // SAFETY: the context stays in the data, and no file changes while memory is borrowed: there is one thread.
        unsafe { attach(&mut store) }.unwrap();
        let mut model = StoreModel::new(kind, BLOCKS, SEGMENT);
        if kind.has_sealed {
            add_open_file(&mut store, &self.files[SEALED], FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE);
            model.opened.push(Open { fd: None, file: SEALED, reads: true, writes: true });
        }
        let mut guest = self.host.instance(store).unwrap();
        let grown = guest.call("grow", &[(BLOCKS - INITIAL) as i64]);
        assert_eq!(grown, INITIAL as i64, "there is memory to grow into");
        self.guests[slot] = Some(guest);
        self.model.stores[slot] = Some(model);
        self.check(slot, 0..BLOCKS * BLOCK);
    }

    pub(super) fn finish(&mut self, slot: usize, how: End) {
        if matches!(how, End::DropAfterTrap) {
            self.trap(slot);
        }
        let mut guest = self.guests[slot].take().expect("a store");
        self.model.stores[slot] = None;
        match how {
            End::Drop | End::DropAfterTrap => drop(guest),
            End::DropOnAnotherThread => std::thread::spawn(move || drop(guest)).join().expect("a store can be dropped"),
            End::IntoData => {
                detach(&mut guest.store);
                self.kept.push(guest.store.into_data());
            }
        }
        self.counts.ended += 1;
    }

    pub(super) fn attach(&mut self, slot: usize) {
        let is_attached = self.model.store(slot).is_attached;
        // SAFETY: as in `begin`.
        let result = unsafe { attach(&mut self.guest(slot).store) };
        assert_eq!(result.is_err(), is_attached, "a store is attached once: {result:?}");
        self.model.store_mut(slot).is_attached = true;
    }

    pub(super) fn detach(&mut self, slot: usize) {
        detach(&mut self.guest(slot).store);
        self.model.store_mut(slot).detach();
    }

    pub(super) fn trap(&mut self, slot: usize) {
        let error = self.guest(slot).try_call("trap", &[]).expect_err("the guest traps");
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
    }

    /// Interrupts the guest by an epoch. It may run again.
    pub(super) fn interrupt(&mut self, slot: usize) {
        self.host.engine.increment_epoch();
        let error = self.guest(slot).try_call("spin", &[]).expect_err("the guest is interrupted");
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
        for guest in self.guests.iter_mut().flatten() {
            guest.store.set_epoch_deadline(1);
        }
    }
}
