//! A runtime that counts what its disk does: operations, bytes, time and failures by kind of operation, and which of them
//! have not ended.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use super::api::{DiskSpace, File, OpenMode, Runtime};
use super::outstanding::{Begun, Outstanding};
use crate::base::buffer::AlignedBuf;
use crate::base::meter::{Counter, Durations};

type Answer<T> = LocalBoxFuture<'static, io::Result<T>>;

/// A kind of disk operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskOperation {
    /// Bytes from a file.
    Read,
    /// Bytes to a file.
    Write,
    /// A file's bytes made durable.
    Sync,
    /// Space for a file, or its length.
    Space,
    /// Everything about names: open, remove, rename, directories.
    Name,
}

impl DiskOperation {
    /// All kinds, in the order of their numbers.
    pub const ALL: [DiskOperation; 5] = [
        DiskOperation::Read,
        DiskOperation::Write,
        DiskOperation::Sync,
        DiskOperation::Space,
        DiskOperation::Name,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            DiskOperation::Read => "read",
            DiskOperation::Write => "write",
            DiskOperation::Sync => "sync",
            DiskOperation::Space => "space",
            DiskOperation::Name => "name",
        }
    }
}

/// What is counted of one kind of operation.
#[derive(Default, Debug)]
pub struct OperationMeters {
    /// How long operations took, also failed ones.
    pub durations: Durations,
    /// Bytes read or written.
    pub bytes: Counter,
    /// Operations that failed. That a file is not there is an answer, not a failure.
    pub errors: Counter,
    /// Operations under way.
    pub outstanding: Outstanding,
}

/// What is counted of a shard's disk.
#[derive(Default, Debug)]
pub struct DiskMeters([OperationMeters; 5]);

impl DiskMeters {
    /// What is counted of a kind of operation.
    pub fn of(&self, operation: DiskOperation) -> &OperationMeters {
        &self.0[operation as usize]
    }

    /// The operation that has been under way for longest.
    pub fn oldest(&self) -> Option<(DiskOperation, Begun)> {
        let oldest =
            DiskOperation::ALL.into_iter().filter_map(|it| Some((it, self.of(it).outstanding.oldest()?)));
        oldest.min_by_key(|(_, begun)| begun.at)
    }
}

/// `runtime`, counted in `meters`.
pub fn metered(runtime: Rc<dyn Runtime>, meters: Rc<DiskMeters>) -> Rc<dyn Runtime> {
    Rc::new(Metered { runtime, meters })
}

struct Metered {
    runtime: Rc<dyn Runtime>,
    meters: Rc<DiskMeters>,
}

/// An operation under way.
struct Started {
    runtime: Rc<dyn Runtime>,
    meters: Rc<DiskMeters>,
    operation: DiskOperation,
    at: Duration,
    /// Its number among those under way.
    slot: usize,
}

impl Started {
    fn new(
        runtime: &Rc<dyn Runtime>,
        meters: &Rc<DiskMeters>,
        operation: DiskOperation,
        path: Rc<Path>,
    ) -> Self {
        let (runtime, meters, at) = (Rc::clone(runtime), Rc::clone(meters), runtime.now());
        let slot = meters.of(operation).outstanding.begin(Begun { at, path });
        Started { runtime, meters, operation, at, slot }
    }

    fn ended<T>(self, outcome: io::Result<T>, bytes: impl Fn(&T) -> usize) -> io::Result<T> {
        let meters = self.meters.of(self.operation);
        meters.durations.record_duration(self.runtime.now().saturating_sub(self.at));
        match &outcome {
            Ok(value) => meters.bytes.add(bytes(value) as u64),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => meters.errors.increment(),
        }
        outcome
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.meters.of(self.operation).outstanding.end(self.slot);
    }
}

impl Metered {
    /// Operations are begun by the call, not by the first poll, so `answer` is under way already.
    fn names<T: 'static>(&self, path: &Path, answer: Answer<T>) -> Answer<T> {
        let started = Started::new(&self.runtime, &self.meters, DiskOperation::Name, path.into());
        Box::pin(async move { started.ended(answer.await, |_| 0) })
    }
}

impl Runtime for Metered {
    fn open(&self, path: &Path, mode: OpenMode) -> Answer<Rc<dyn File>> {
        let opened = self.names(path, self.runtime.open(path, mode));
        let (runtime, meters) = (Rc::clone(&self.runtime), Rc::clone(&self.meters));
        let path = path.into();
        Box::pin(async move {
            let file: Rc<dyn File> = Rc::new(MeteredFile { file: opened.await?, path, runtime, meters });
            Ok(file)
        })
    }

    fn remove_file(&self, path: &Path) -> Answer<()> {
        self.names(path, self.runtime.remove_file(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Answer<()> {
        self.names(from, self.runtime.rename(from, to))
    }

    fn create_dir(&self, path: &Path) -> Answer<()> {
        self.names(path, self.runtime.create_dir(path))
    }

    fn remove_dir_all(&self, path: &Path) -> Answer<()> {
        self.names(path, self.runtime.remove_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> Answer<()> {
        self.names(path, self.runtime.sync_dir(path))
    }

    fn list_dir(&self, path: &Path) -> Answer<Vec<PathBuf>> {
        self.names(path, self.runtime.list_dir(path))
    }

    fn disk_space(&self, path: &Path) -> Answer<DiskSpace> {
        self.names(path, self.runtime.disk_space(path))
    }

    fn now(&self) -> Duration {
        self.runtime.now()
    }

    fn wall_clock_ms(&self) -> i64 {
        self.runtime.wall_clock_ms()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        self.runtime.sleep(duration)
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        self.runtime.yield_now()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn random_u64(&self) -> u64 {
        self.runtime.random_u64()
    }
}

struct MeteredFile {
    file: Rc<dyn File>,
    /// As it was opened.
    path: Rc<Path>,
    runtime: Rc<dyn Runtime>,
    meters: Rc<DiskMeters>,
}

impl MeteredFile {
    fn counted<T: 'static>(
        &self,
        operation: DiskOperation,
        answer: Answer<T>,
        bytes: impl Fn(&T) -> usize + 'static,
    ) -> Answer<T> {
        let started = Started::new(&self.runtime, &self.meters, operation, Rc::clone(&self.path));
        Box::pin(async move { started.ended(answer.await, bytes) })
    }
}

impl File for MeteredFile {
    fn write_at(&self, position: u64, bytes: Bytes) -> Answer<()> {
        let length = bytes.len();
        self.counted(DiskOperation::Write, self.file.write_at(position, bytes), move |()| length)
    }

    fn read_at(&self, position: u64, length: usize) -> Answer<AlignedBuf> {
        self.counted(DiskOperation::Read, self.file.read_at(position, length), |read| read.len())
    }

    fn sync(&self) -> Answer<()> {
        self.counted(DiskOperation::Sync, self.file.sync(), |()| 0)
    }

    fn allocate(&self, length: u64) -> Answer<()> {
        self.counted(DiskOperation::Space, self.file.allocate(length), |()| 0)
    }

    fn set_length(&self, length: u64) -> Answer<()> {
        self.counted(DiskOperation::Space, self.file.set_length(length), |()| 0)
    }

    fn length(&self) -> Answer<u64> {
        self.counted(DiskOperation::Name, self.file.length(), |_| 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::BLOCK_BYTES;
    use crate::runtime::sim::{DiskFault, DiskOp, SimWorld};

    #[test]
    fn what_the_disk_does_and_refuses_is_counted() {
        let world = SimWorld::new(1);
        let meters = Rc::new(DiskMeters::default());
        let runtime = metered(world.runtime(), Rc::clone(&meters));
        let path = Path::new("/file");
        world
            .block_on(async {
                assert!(runtime.open(path, OpenMode::Read).await.is_err());
                let file = runtime.open(path, OpenMode::Write).await.expect("made");
                let mut block = AlignedBuf::copy_of(&[1; BLOCK_BYTES]);
                block.pad_to_block();
                let writing = file.write_at(0, block.view(0..BLOCK_BYTES));
                let (operation, begun) = meters.oldest().expect("begun by the call");
                assert_eq!((operation, &*begun.path), (DiskOperation::Write, path));
                writing.await.expect("written");
                assert_eq!(meters.oldest(), None);
                world.fail(DiskOp::Write, 1, DiskFault::Io);
                assert!(file.write_at(0, block.view(0..BLOCK_BYTES)).await.is_err());
                assert_eq!(file.read_at(0, BLOCK_BYTES).await.expect("read").len(), BLOCK_BYTES);
            })
            .expect("nothing crashes");
        let write = meters.of(DiskOperation::Write);
        assert_eq!(
            (write.bytes.get(), write.errors.get(), write.outstanding.count()),
            (BLOCK_BYTES as u64, 1, 0)
        );
        assert_eq!(write.durations.copy().count(), 2);
        assert_eq!(meters.of(DiskOperation::Read).bytes.get(), BLOCK_BYTES as u64);
        assert_eq!(meters.of(DiskOperation::Name).errors.get(), 0, "a missing file is an answer");
    }
}
