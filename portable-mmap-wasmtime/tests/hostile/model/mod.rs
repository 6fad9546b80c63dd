//! The expected value of every byte, and the expected result of each call, from only the documentation of the host's
//! crate.

mod bytes;
mod file;
mod mapping;
mod store;

pub(crate) use bytes::Bytes;
pub(crate) use file::FileModel;
pub(crate) use mapping::{Mapping, pages_of};
pub(crate) use store::{MapRequest, Open, Place, StoreModel, Truncated, Usage, overlaps_itself};

use crate::steps::STORES;

/// All files and stores.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) files: Vec<FileModel>,
    pub(crate) stores: [Option<StoreModel>; STORES],
}

impl Model {
    pub(crate) fn new(files: Vec<FileModel>) -> Self {
        Self { files, stores: [const { None }; STORES] }
    }

    pub(crate) fn store(&self, slot: usize) -> &StoreModel {
        self.stores[slot].as_ref().expect("steps are for existing stores")
    }

    pub(crate) fn store_mut(&mut self, slot: usize) -> &mut StoreModel {
        self.stores[slot].as_mut().expect("steps are for existing stores")
    }

    /// How many mappings all stores have.
    pub(crate) fn mappings(&self) -> usize {
        self.stores.iter().flatten().map(|store| store.mappings.len()).sum()
    }

    pub(crate) fn set_len(&mut self, file: usize, len: usize) {
        self.files[file].set_len(len);
        for store in self.stores.iter_mut().flatten() {
            for mapping in store.mappings.values_mut().filter(|mapping| mapping.file == file) {
                mapping.truncated(&self.files[file]);
            }
        }
    }

    pub(crate) fn truncated(&self, slot: usize, ranges: &[std::ops::Range<usize>]) -> Vec<Truncated> {
        self.store(slot).truncated(ranges, &self.files)
    }

    /// A truncated page was accessed.
    pub(crate) fn lose(&mut self, slot: usize, handle: i64, page: usize) {
        let store = self.stores[slot].as_mut().expect("a store");
        let mapping = store.mappings.get_mut(&handle).expect("a mapping");
        mapping.lose(page, &self.files[mapping.file]);
    }

    pub(crate) fn show(&self, slot: usize, range: std::ops::Range<usize>) -> Bytes {
        self.store(slot).show(range, &self.files)
    }

    pub(crate) fn put(&mut self, slot: usize, at: usize, bytes: &Bytes) {
        let store = self.stores[slot].as_mut().expect("a store");
        store.store(at, bytes, &mut self.files);
    }
}
