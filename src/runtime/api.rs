//! What the layers above may ask of the outside world.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use crate::base::buffer::AlignedBuf;

/// How a file is opened. All I/O is direct; positions, lengths and memory are multiples of
/// [`BLOCK_BYTES`](crate::base::limits::BLOCK_BYTES).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OpenMode {
    /// An existing file, for reading only.
    Read,
    /// Reading and writing; created if absent. A write is durable only after [`File::sync`].
    Write,
    /// Reading and writing; created if absent. Every write is durable when it completes (O_DSYNC).
    WriteDurable,
}

/// Room on a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSpace {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What a process without privileges may still write.
    pub usable_bytes: u64,
}

/// An open file with direct I/O.
///
/// An operation, once called, is carried out even if its future is dropped; its memory stays alive until the
/// device is done with it. Operations may complete in any order; the caller orders what must be ordered.
pub trait File {
    /// Writes all of `bytes` at `position`. A short write is an error. After an error nothing is known about
    /// the range.
    fn write_at(&self, position: u64, bytes: Bytes) -> LocalBoxFuture<'static, io::Result<()>>;

    /// Reads `length` bytes at `position`; the result is shorter only if the file ends inside the range.
    fn read_at(&self, position: u64, length: usize) -> LocalBoxFuture<'static, io::Result<AlignedBuf>>;

    /// Makes completed writes durable, with the file's size (fdatasync).
    fn sync(&self) -> LocalBoxFuture<'static, io::Result<()>>;

    /// Reserves space for the whole file up to `length` bytes and grows the file to it if shorter (fallocate).
    /// The new bytes read as zeros.
    fn allocate(&self, length: u64) -> LocalBoxFuture<'static, io::Result<()>>;

    /// Cuts or extends the file to exactly `length` bytes, not necessarily whole blocks (ftruncate).
    fn set_length(&self, length: u64) -> LocalBoxFuture<'static, io::Result<()>>;

    /// The file's length in bytes.
    fn length(&self) -> LocalBoxFuture<'static, io::Result<u64>>;
}

/// One shard's world. Single-threaded; held as `Rc<dyn Runtime>`.
///
/// Changes to directories (create, remove, rename) are durable only after [`Runtime::sync_dir`] of the parent.
pub trait Runtime {
    /// Opens a file, see [`OpenMode`].
    fn open(&self, path: &Path, mode: OpenMode) -> LocalBoxFuture<'static, io::Result<Rc<dyn File>>>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>>;
    /// Renames a file or directory; replaces an existing file.
    fn rename(&self, from: &Path, to: &Path) -> LocalBoxFuture<'static, io::Result<()>>;
    /// Creates a directory and its missing parents; succeeds if it exists.
    fn create_dir(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>>;
    /// Removes a directory with all that is in it; succeeds if it does not exist.
    fn remove_dir_all(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>>;
    /// Makes the entries of a directory durable (fsync of the directory).
    fn sync_dir(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>>;
    /// The paths of a directory's entries, sorted; empty if it does not exist.
    fn list_dir(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<Vec<PathBuf>>>;

    /// Room on the file system of a file or directory.
    fn disk_space(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<DiskSpace>>;

    /// Time since an arbitrary start; never goes back.
    fn now(&self) -> Duration;
    /// Milliseconds since 1970 UTC by the wall clock; may jump.
    fn wall_clock_ms(&self) -> i64;
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()>;
    /// Lets other ready tasks run, then goes on.
    fn yield_now(&self) -> LocalBoxFuture<'static, ()>;
    /// Runs a task to its end on this shard. Whether it is polled before the call returns is open: callers bear
    /// both, and the simulator tries both.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
    /// Unpredictable bits (in the simulator: of the seed).
    fn random_u64(&self) -> u64;
}
