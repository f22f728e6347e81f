//! Scrubbing: sealed segments are read again and again, slowly, so that rot is found while there may still be a copy to
//! mend it from, and not by the consumer who needs the records. Each batch's CRC is checked, and that each begins where
//! the one before it ends.
//!
//! One segment at a time, in small reads with pauses between them, beside the caches: nothing that consumers read is
//! evicted for it. A segment that is removed, cut or compacted meanwhile is left alone.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{SCRUB_DAMAGE_LOGGED_MAX, SCRUB_PASS_MS_MIN, SCRUB_READ_BYTES};
use crate::base::meter::Counter;
use crate::log::segment::{Segment, SegmentLease, SegmentShape, path};
use crate::log::walk::{BadRange, SegmentWalk, Step};
use crate::runtime::{File, OpenMode};

/// What scrubbing counts.
#[derive(Default, Debug)]
pub struct ScrubMeters {
    /// Times that all sealed segments were gone through.
    pub passes: Counter,
    /// Segments that were gone through.
    pub segments: Counter,
    /// Bytes that were read and checked.
    pub bytes: Counter,
    /// Stretches that were not as they had been written, each time that they were met.
    pub damaged_ranges: Counter,
}

/// What is scrubbed: a segment that is sealed.
fn sealed_shape(segment: &Segment) -> Option<SegmentShape> {
    segment.sealed.then(|| segment.shape())
}

impl Storage {
    /// Scrubs all partitions, one after the other, until the storage stops or fails; never, at 0 bytes per second.
    pub async fn scrub(self: Rc<Self>, bytes_per_second: u64) {
        if bytes_per_second == 0 {
            return;
        }
        loop {
            let begun = self.runtime.now();
            for replica in self.all_replicas() {
                self.scrub_partition(&replica, bytes_per_second).await;
                if self.has_ended() {
                    return;
                }
                self.runtime.yield_now().await;
            }
            self.meters.scrub.passes.increment();
            let took = self.runtime.now().saturating_sub(begun);
            if !self.pause(Duration::from_millis(SCRUB_PASS_MS_MIN).saturating_sub(took)).await {
                return;
            }
        }
    }

    /// What scrubbing has counted.
    pub fn scrub_meters(&self) -> &ScrubMeters {
        &self.meters.scrub
    }

    /// Goes through the sealed segments of a partition that can be read.
    pub async fn scrub_partition(&self, replica: &Rc<Replica>, bytes_per_second: u64) {
        let log_start = replica.durable_log_start.get();
        let subjects: Vec<SegmentShape> = {
            let log = replica.log.borrow();
            log.segments().filter_map(sealed_shape).filter(|it| it.next_offset > log_start).collect()
        };
        for subject in subjects {
            if self.has_ended() || self.lease_of(replica, subject).is_none() {
                continue;
            }
            let file = path::log_file(replica.log.borrow().directory(), subject.name);
            match self.runtime.open(&file, OpenMode::Read).await {
                Ok(open) => self.scrub_segment(replica, subject, &*open, file, bytes_per_second).await,
                // One that was removed meanwhile is not missed.
                Err(error) if self.lease_of(replica, subject).is_some() => {
                    self.report_unopened(replica, subject, &file, &error);
                }
                Err(_) => {}
            }
        }
    }

    /// Keeps the segment's file for a read, if it is still the same.
    fn lease_of(&self, replica: &Replica, subject: SegmentShape) -> Option<SegmentLease> {
        replica.check_online().ok()?;
        let log = replica.log.borrow();
        let segment = log.segments().find(|segment| segment.name() == subject.name)?;
        (sealed_shape(segment) == Some(subject)).then(|| segment.lease.clone())
    }

    async fn scrub_segment(
        &self,
        replica: &Rc<Replica>,
        subject: SegmentShape,
        open: &dyn File,
        file: PathBuf,
        bytes_per_second: u64,
    ) {
        // Only tells where to go on behind damage, and is not kept.
        let index = self.load_index(replica, &subject).await;
        let mut walk = SegmentWalk::new(subject, subject.end_position, index.as_ref());
        let (mut reached, mut found) = (0, 0);
        loop {
            // Held for one read only: whoever removes the segment waits for it.
            let Some(lease) = self.lease_of(replica, subject) else { return };
            let step = walk.step(open, SCRUB_READ_BYTES).await;
            drop(lease);
            let position = walk.next().position;
            let is_over = position >= subject.end_position || position == reached || walk.is_lost();
            let damage = match step {
                Some(Step::Bad(range)) => Some(range),
                _ if is_over => cut_short(&walk),
                _ => None,
            };
            // A segment that was cut or removed during the read has not rotted.
            if let Some(range) = damage.filter(|_| self.lease_of(replica, subject).is_some()) {
                if range.is_refused {
                    // As for a consumer's read: nobody knows that anything is lost.
                    return not_readable(replica, &file, &range.what);
                }
                found += 1;
                self.report_damage(replica, subject, &file, &range, found);
            }
            let bytes = position - reached;
            reached = position;
            self.meters.scrub.bytes.add(bytes);
            if is_over {
                self.meters.scrub.segments.increment();
                return;
            }
            if !self.pause(Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64)).await {
                return;
            }
        }
    }

    fn report_unopened(&self, replica: &Rc<Replica>, subject: SegmentShape, file: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            return not_readable(replica, file, error);
        }
        let range = BadRange {
            from: subject.name.base,
            until: None,
            position: 0,
            what: "its file is missing".to_owned(),
            is_refused: false,
        };
        self.report_damage(replica, subject, file, &range, 1);
    }

    fn report_damage(
        &self,
        replica: &Rc<Replica>,
        subject: SegmentShape,
        file: &Path,
        range: &BadRange,
        found: usize,
    ) {
        self.meters.scrub.damaged_ranges.increment();
        self.note_corruption(replica, subject.name.base, range.from, &range.what);
        // A segment that is damaged all over would fill the log.
        if found <= SCRUB_DAMAGE_LOGGED_MAX {
            let until = range.until.unwrap_or(subject.next_offset);
            tracing::error!(
                partition = replica.name(),
                file = %file.display(),
                position = range.position,
                from_offset = range.from,
                to_offset = until - 1,
                what = range.what,
                "scrub: acknowledged records are damaged on disk"
            );
        }
    }
}

fn not_readable(replica: &Replica, file: &Path, error: &dyn std::fmt::Display) {
    tracing::error!(partition = replica.name(), file = %file.display(), %error, "scrub: not readable");
}

/// What is wrong with a segment whose batches end before it does.
fn cut_short(walk: &SegmentWalk<'_>) -> Option<BadRange> {
    let next = walk.next();
    (!walk.is_complete() && !walk.is_lost()).then(|| BadRange {
        from: next.offset.value(),
        until: None,
        position: next.position,
        what: "the segment ends inside a batch, or before its last one".to_owned(),
        is_refused: false,
    })
}
