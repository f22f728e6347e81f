//! A runtime whose disk is memory and whose operations complete at once: what remains is the code's own cost.
//! Segment files keep nothing, so that a long run does not measure the growth of memory.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::base::buffer::AlignedBuf;
use corelane::runtime::{DiskSpace, File, OpenMode, Runtime};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, ready};

type Content = Rc<RefCell<Vec<u8>>>;

/// See the module. Tasks run when [`MemoryRuntime::run`] is called.
pub struct MemoryRuntime {
    files: RefCell<HashMap<PathBuf, Content>>,
    tasks: RefCell<VecDeque<LocalBoxFuture<'static, ()>>>,
    started: Instant,
    random: Cell<u64>,
}

impl MemoryRuntime {
    pub fn new() -> Rc<Self> {
        Rc::new(MemoryRuntime {
            files: RefCell::default(),
            tasks: RefCell::default(),
            started: Instant::now(),
            random: Cell::new(1),
        })
    }

    /// Polls every task that there is once; those that are not ready stay.
    fn turn(&self) {
        let mut context = Context::from_waker(Waker::noop());
        let count = self.tasks.borrow().len();
        for _ in 0..count {
            let next = self.tasks.borrow_mut().pop_front();
            let Some(mut task) = next else { return };
            if task.as_mut().poll(&mut context).is_pending() {
                self.tasks.borrow_mut().push_back(task);
            }
        }
    }

    /// Runs a future to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.turn();
        }
    }
}

struct MemoryFile(Content);

/// A file that nobody reads back.
struct NullFile;

impl File for NullFile {
    fn write_at(&self, _: u64, _: Bytes) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn read_at(&self, _: u64, _: usize) -> LocalBoxFuture<'static, io::Result<AlignedBuf>> {
        ready(Err(io::ErrorKind::Unsupported.into())).boxed_local()
    }

    fn sync(&self) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn allocate(&self, _: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn set_length(&self, _: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn length(&self) -> LocalBoxFuture<'static, io::Result<u64>> {
        done(0)
    }
}

fn done<T: 'static>(value: T) -> LocalBoxFuture<'static, io::Result<T>> {
    ready(Ok(value)).boxed_local()
}

impl File for MemoryFile {
    fn write_at(&self, position: u64, bytes: Bytes) -> LocalBoxFuture<'static, io::Result<()>> {
        let mut content = self.0.borrow_mut();
        let end = position as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[position as usize..end].copy_from_slice(&bytes);
        done(())
    }

    fn read_at(&self, position: u64, length: usize) -> LocalBoxFuture<'static, io::Result<AlignedBuf>> {
        let content = self.0.borrow();
        let start = content.len().min(position as usize);
        done(AlignedBuf::copy_of(&content[start..content.len().min(start + length)]))
    }

    fn sync(&self) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn allocate(&self, length: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        let mut content = self.0.borrow_mut();
        if content.len() < length as usize {
            content.resize(length as usize, 0);
        }
        done(())
    }

    fn set_length(&self, length: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        self.0.borrow_mut().resize(length as usize, 0);
        done(())
    }

    fn length(&self) -> LocalBoxFuture<'static, io::Result<u64>> {
        done(self.0.borrow().len() as u64)
    }
}

impl Runtime for MemoryRuntime {
    fn open(&self, path: &Path, mode: OpenMode) -> LocalBoxFuture<'static, io::Result<Rc<dyn File>>> {
        if path.extension().is_some_and(|extension| extension == "log") {
            return done(Rc::new(NullFile) as Rc<dyn File>);
        }
        let mut files = self.files.borrow_mut();
        if mode == OpenMode::Read && !files.contains_key(path) {
            return ready(Err(io::ErrorKind::NotFound.into())).boxed_local();
        }
        let content = Rc::clone(files.entry(path.to_owned()).or_default());
        done(Rc::new(MemoryFile(content)) as Rc<dyn File>)
    }

    fn remove_file(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>> {
        self.files.borrow_mut().remove(path);
        done(())
    }

    fn rename(&self, from: &Path, to: &Path) -> LocalBoxFuture<'static, io::Result<()>> {
        let moved = self.files.borrow_mut().remove(from);
        if let Some(content) = moved {
            self.files.borrow_mut().insert(to.to_owned(), content);
        }
        done(())
    }

    fn create_dir(&self, _: &Path) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn remove_dir_all(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<()>> {
        self.files.borrow_mut().retain(|file, _| !file.starts_with(path));
        done(())
    }

    fn sync_dir(&self, _: &Path) -> LocalBoxFuture<'static, io::Result<()>> {
        done(())
    }

    fn list_dir(&self, path: &Path) -> LocalBoxFuture<'static, io::Result<Vec<PathBuf>>> {
        let files = self.files.borrow();
        let mut found: Vec<_> = files.keys().filter(|file| file.parent() == Some(path)).cloned().collect();
        found.sort();
        done(found)
    }

    fn disk_space(&self, _: &Path) -> LocalBoxFuture<'static, io::Result<DiskSpace>> {
        done(DiskSpace { total_bytes: 0, usable_bytes: 0 })
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall_clock_ms(&self) -> i64 {
        1_700_000_000_000
    }

    fn sleep(&self, _: Duration) -> LocalBoxFuture<'static, ()> {
        self.yield_now()
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        let mut yielded = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .boxed_local()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.tasks.borrow_mut().push_back(task);
    }

    fn random_u64(&self) -> u64 {
        self.random.set(self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        self.random.get()
    }
}
