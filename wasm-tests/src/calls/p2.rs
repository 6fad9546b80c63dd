//! Preview 2: counts the calls of the interface `wasi:filesystem/types`, and passes them to wasmtime-wasi.
//!
//! Reads and writes through a stream of a file are counted at the calls of wasmtime-wasi's stream.

use bytes::Bytes;
use native_tests::counts::Group;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
    Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamResult};

use super::Counter;
use super::guest::Guest;

/// Replaces methods of the linker with methods that count.
pub(crate) fn shadow(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    types::add_to_linker::<Guest, Filesystem<'static>>(linker, |guest| {
        let calls = guest.calls.clone();
        Filesystem { calls, own: guest.wasi.filesystem() }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// wasmtime-wasi's own file system, and the counter.
struct Filesystem<'a> {
    calls: Counter,
    own: WasiFilesystemCtxView<'a>,
}

impl HasData for Filesystem<'static> {
    type Data<'a> = Filesystem<'a>;
}

impl Filesystem<'_> {
    /// Makes and counts a call. Every counted call goes through here; `moved` returns the number of bytes of a result.
    fn call<T, E>(
        &mut self,
        group: Group,
        name: &'static str,
        moved: impl FnOnce(&T) -> u64,
        method: impl FnOnce(&mut WasiFilesystemCtxView<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let result = method(&mut self.own);
        self.calls.add(group, name, result.as_ref().map_or(0, moved));
        result
    }
}

type Fd = Resource<Descriptor>;

/// Methods that move no bytes: group, name and parameters.
macro_rules! methods {
    ($($group:ident $name:literal $method:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        fn $method(&mut self, fd: Fd, $($arg: $type),*) -> $result {
            self.call(Group::$group, $name, |_| 0, |own| HostDescriptor::$method(own, fd, $($arg),*))
        }
    )*};
}

impl HostDescriptor for Filesystem<'_> {
    methods! {
        Sync "descriptor.sync" sync() -> FsResult<()>;
        Sync "descriptor.sync-data" sync_data() -> FsResult<()>;
        Stat "descriptor.stat" stat() -> FsResult<DescriptorStat>;
        Stat "descriptor.stat-at" stat_at(flags: PathFlags, path: String) -> FsResult<DescriptorStat>;
        Other "descriptor.metadata-hash" metadata_hash() -> FsResult<MetadataHashValue>;
        Other "descriptor.metadata-hash-at" metadata_hash_at(flags: PathFlags, path: String)
            -> FsResult<MetadataHashValue>;
        Other "descriptor.get-flags" get_flags() -> FsResult<DescriptorFlags>;
        Other "descriptor.get-type" get_type() -> FsResult<DescriptorType>;
        Other "descriptor.set-size" set_size(size: Filesize) -> FsResult<()>;
        Other "descriptor.set-times" set_times(access: NewTimestamp, modification: NewTimestamp) -> FsResult<()>;
        Other "descriptor.set-times-at" set_times_at(flags: PathFlags, path: String, access: NewTimestamp,
            modification: NewTimestamp) -> FsResult<()>;
        Other "descriptor.advise" advise(offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()>;
        Other "descriptor.open-at" open_at(path_flags: PathFlags, path: String, open_flags: OpenFlags,
            flags: DescriptorFlags) -> FsResult<Fd>;
        Other "descriptor.read-directory" read_directory() -> FsResult<Resource<DirectoryEntryStream>>;
        Other "descriptor.create-directory-at" create_directory_at(path: String) -> FsResult<()>;
        Other "descriptor.link-at" link_at(flags: PathFlags, path: String, new: Fd, new_path: String) -> FsResult<()>;
        Other "descriptor.readlink-at" readlink_at(path: String) -> FsResult<String>;
        Other "descriptor.remove-directory-at" remove_directory_at(path: String) -> FsResult<()>;
        Other "descriptor.rename-at" rename_at(path: String, new: Fd, new_path: String) -> FsResult<()>;
        Other "descriptor.symlink-at" symlink_at(old_path: String, new_path: String) -> FsResult<()>;
        Other "descriptor.unlink-file-at" unlink_file_at(path: String) -> FsResult<()>;
        Other "descriptor.is-same-object" is_same_object(other: Fd) -> Result<bool>;
        Other "descriptor.drop" drop() -> Result<()>;
    }

    fn read(&mut self, fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        let moved = |(bytes, _): &(Vec<u8>, bool)| bytes.len() as u64;
        self.call(Group::Read, "descriptor.read", moved, |own| HostDescriptor::read(own, fd, len, offset))
    }

    fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let moved = |&len: &Filesize| len;
        self.call(Group::Write, "descriptor.write", moved, |own| HostDescriptor::write(own, fd, bytes, offset))
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let method = |own: &mut WasiFilesystemCtxView<'_>| HostDescriptor::read_via_stream(own, fd, offset);
        let stream = self.call(Group::Other, "descriptor.read-via-stream", |_| 0, method)?;
        self.counted_input(stream).map_err(FsError::trap)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let method = |own: &mut WasiFilesystemCtxView<'_>| HostDescriptor::write_via_stream(own, fd, offset);
        let stream = self.call(Group::Other, "descriptor.write-via-stream", |_| 0, method)?;
        self.counted_output(stream).map_err(FsError::trap)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let method = |own: &mut WasiFilesystemCtxView<'_>| HostDescriptor::append_via_stream(own, fd);
        let stream = self.call(Group::Other, "descriptor.append-via-stream", |_| 0, method)?;
        self.counted_output(stream).map_err(FsError::trap)
    }
}

impl Filesystem<'_> {
    fn counted_input(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynInputStream>> {
        let stream = self.own.table.delete(stream)?;
        let stream: DynInputStream = Box::new(Counted { calls: self.calls.clone(), stream });
        Ok(self.own.table.push(stream)?)
    }

    fn counted_output(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynOutputStream>> {
        let stream = self.own.table.delete(stream)?;
        let stream: DynOutputStream = Box::new(Counted { calls: self.calls.clone(), stream });
        Ok(self.own.table.push(stream)?)
    }
}

impl HostDirectoryEntryStream for Filesystem<'_> {
    fn read_directory_entry(&mut self, stream: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>> {
        HostDirectoryEntryStream::read_directory_entry(&mut self.own, stream)
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> Result<()> {
        HostDirectoryEntryStream::drop(&mut self.own, stream)
    }
}

impl Host for Filesystem<'_> {
    fn convert_error_code(&mut self, error: FsError) -> Result<ErrorCode> {
        self.own.convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> Result<Option<ErrorCode>> {
        self.own.filesystem_error_code(error)
    }
}

/// A stream of a file.
struct Counted<S> {
    calls: Counter,
    stream: S,
}

impl<S> Counted<S> {
    fn add<T>(&self, group: Group, name: &'static str, result: &StreamResult<T>, moved: impl FnOnce(&T) -> usize) {
        self.calls.add(group, name, result.as_ref().map_or(0, moved) as u64);
    }
}

#[async_trait]
impl<S: Pollable> Pollable for Counted<S> {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait]
impl InputStream for Counted<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let result = self.stream.read(size);
        self.add(Group::Read, "input-stream.read", &result, Bytes::len);
        result
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let result = self.stream.blocking_read(size).await;
        self.add(Group::Read, "input-stream.blocking-read", &result, Bytes::len);
        result
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[async_trait]
impl OutputStream for Counted<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let len = bytes.len();
        let result = self.stream.write(bytes);
        self.add(Group::Write, "output-stream.write", &result, |()| len);
        result
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let len = bytes.len();
        let result = self.stream.blocking_write_and_flush(bytes).await;
        self.add(Group::Write, "output-stream.blocking-write-and-flush", &result, |()| len);
        result
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.stream.write_ready().await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}
