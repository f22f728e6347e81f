//! The real machine behind the traits that everything above codes against.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::disk::{self, Answer, blocking};
use super::ring::Ring;
use super::timers::Timers;
use crate::runtime::{DiskSpace, File, OpenMode, Runtime};

pub(super) struct GlommioRuntime {
    ring: Rc<Ring>,
    timers: Rc<Timers>,
}

impl GlommioRuntime {
    pub(super) fn new(ring: Rc<Ring>, timers: Rc<Timers>) -> Self {
        GlommioRuntime { ring, timers }
    }
}

/// [`Runtime::wall_clock_ms`] for threads that are no shards.
pub fn wall_clock_ms() -> i64 {
    // A clock before 1970 is one that was never set.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Milliseconds since the process first asked, by one clock for all threads, shards' or not, that never goes back: for what
/// one thread promises another.
pub fn process_clock_ms() -> u64 {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// Suspends the calling thread, which is no shard's.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// [`Runtime::random_u64`] for threads that are no shards.
pub fn random_u64() -> u64 {
    // SipHash of nothing under keys that the standard library takes from the operating system and changes each
    // time. Good for jitter and identities, not for secrets.
    RandomState::new().build_hasher().finish()
}

impl Runtime for GlommioRuntime {
    fn open(&self, path: &Path, mode: OpenMode) -> Answer<Rc<dyn File>> {
        disk::open(&self.ring, path, mode)
    }

    fn remove_file(&self, path: &Path) -> Answer<()> {
        blocking("remove", path, |path| fs::remove_file(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Answer<()> {
        let to = to.to_owned();
        blocking("rename", from, move |from| {
            fs::rename(from, &to)
                .map_err(|error| io::Error::new(error.kind(), format!("to {}: {error}", to.display())))
        })
    }

    fn create_dir(&self, path: &Path) -> Answer<()> {
        blocking("create_dir", path, |path| fs::create_dir_all(path))
    }

    fn remove_dir_all(&self, path: &Path) -> Answer<()> {
        blocking("remove", path, disk::remove_dir_all)
    }

    fn sync_dir(&self, path: &Path) -> Answer<()> {
        blocking("sync_dir", path, disk::sync_dir)
    }

    fn list_dir(&self, path: &Path) -> Answer<Vec<PathBuf>> {
        blocking("list", path, disk::list_dir)
    }

    fn disk_space(&self, path: &Path) -> Answer<DiskSpace> {
        blocking("statvfs", path, |path| {
            let stat = rustix::fs::statvfs(path)?;
            let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
            Ok(DiskSpace { total_bytes: bytes(stat.f_blocks), usable_bytes: bytes(stat.f_bavail) })
        })
    }

    fn now(&self) -> Duration {
        self.timers.now()
    }

    fn wall_clock_ms(&self) -> i64 {
        wall_clock_ms()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        self.timers.sleep(duration).boxed_local()
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        async { glommio::executor().yield_now().await }.boxed_local()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        // Not `spawn_local`, which polls the task at once: the journal's pump is to run behind all tasks that are
        // ready, so that their appends share its next group.
        let queue = glommio::executor().current_task_queue();
        glommio::spawn_local_into(task, queue).expect("the queue of the task that runs").detach();
    }

    fn random_u64(&self) -> u64 {
        random_u64()
    }
}
