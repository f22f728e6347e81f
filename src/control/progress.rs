//! How far the shards have followed the published images, and which of them have failed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::base::ids::ShardId;

/// What the shards and the owner of the control thread tell it.
#[derive(Debug)]
pub struct Progress {
    /// By shard, the version of the image that it has applied.
    applied: Box<[AtomicU64]>,
    /// By shard, whether it cannot write any more.
    failed: Box<[AtomicBool]>,
    stopping: AtomicBool,
    /// Control is the only one who waits.
    news: Notify,
}

impl Progress {
    pub fn new(shards: u16) -> Self {
        let applied = (0..shards).map(|_| AtomicU64::new(0)).collect();
        let failed = (0..shards).map(|_| AtomicBool::new(false)).collect();
        Progress { applied, failed, stopping: AtomicBool::new(false), news: Notify::new() }
    }

    /// The version that every shard has applied.
    pub fn applied_by_all(&self) -> u64 {
        let versions = self.applied.iter().map(|version| version.load(Ordering::Acquire));
        versions.min().expect("a node has a shard")
    }

    /// The shards that cannot write any more.
    pub fn failed_shards(&self) -> BTreeSet<ShardId> {
        let has_failed = |shard: &usize| self.failed[*shard].load(Ordering::Acquire);
        (0..self.failed.len()).filter(has_failed).map(|shard| ShardId(shard as u16)).collect()
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.news.notify_one();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits until something was told since the last wait.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}

/// A shard's way to say that it follows an image, or that it has failed.
#[derive(Clone, Debug)]
pub struct AppliedReporter {
    progress: Arc<Progress>,
    shard: ShardId,
}

impl AppliedReporter {
    pub(super) fn new(progress: Arc<Progress>, shard: ShardId) -> Self {
        assert!(usize::from(shard.0) < progress.applied.len(), "a shard that does not exist");
        AppliedReporter { progress, shard }
    }

    /// The shard has opened, changed and closed its partitions as the image of this version says. Replies to
    /// commands wait for this, so it is called for the first image too.
    pub fn report(&self, version: u64) {
        self.progress.applied[usize::from(self.shard.0)].fetch_max(version, Ordering::AcqRel);
        self.progress.news.notify_one();
    }

    /// The shard cannot write any more.
    pub fn report_failure(&self) {
        self.progress.failed[usize::from(self.shard.0)].store(true, Ordering::Release);
        self.progress.news.notify_one();
    }
}
