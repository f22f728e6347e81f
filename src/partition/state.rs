//! A partition's state: made from a checkpoint and the journal's batches beyond it, led, truncated, kept again.

use super::epochs::{EpochHistory, EpochWentBack};
use super::producers::{InvalidProducerState, ProducerTable};
use super::progress::Progress;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::PRODUCERS_PER_PARTITION_MAX;
use crate::base::planted::{Bug, is_planted};
use crate::log::snapshot::StateSnapshot;
use crate::protocol::batch::BatchHeader;

/// A checkpoint's state that cannot be.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreError {
    /// The offsets are negative or out of order.
    #[error(
        "log start {log_start}, high watermark {high_watermark} and log end {log_end} contradict each other"
    )]
    Offsets {
        /// The first offset that may be read.
        log_start: Offset,
        /// The offset below which records are committed.
        high_watermark: Offset,
        /// The offset that the next record gets.
        log_end: Offset,
    },
    /// The terms are out of order.
    #[error(transparent)]
    Epochs(#[from] EpochWentBack),
    /// A term starts beyond the log's end.
    #[error("leader epoch {leader_epoch} starts at {start_offset}, beyond the log's end at {log_end}")]
    EpochBeyondEnd {
        /// The term.
        leader_epoch: LeaderEpoch,
        /// Its start.
        start_offset: Offset,
        /// The log's end.
        log_end: Offset,
    },
    /// A producer's state is out of order.
    #[error(transparent)]
    Producer(#[from] InvalidProducerState),
}

/// Why a batch of the journal cannot be the next of the log.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// Records are missing before it, or it is there already.
    #[error("the log ends at {expected}, the batch starts at {found}")]
    Gap {
        /// The log's end.
        expected: Offset,
        /// The batch's base offset.
        found: Offset,
    },
    /// Its term is older than the log's latest.
    #[error(transparent)]
    Epoch(#[from] EpochWentBack),
    /// It has no records, or a producer without epoch or sequence: no such batch is ever journaled.
    #[error("the batch at {base_offset} was never valid")]
    Invalid {
        /// The batch's base offset.
        base_offset: Offset,
    },
}

/// Why a log cannot be truncated.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("cannot truncate to {offset}: the log starts at {log_start}")]
pub struct TruncateError {
    /// The end that was asked for.
    pub offset: Offset,
    /// The first offset that may be read.
    pub log_start: Offset,
}

/// Why a log's start cannot move: OFFSET_OUT_OF_RANGE to a client.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("the log cannot start at {offset}: only what lies below {limit} may go")]
pub struct LogStartError {
    /// The start that was asked for.
    pub offset: Offset,
    /// How far it may go.
    pub limit: Offset,
}

/// A leader's term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Leadership {
    pub(super) leader_epoch: LeaderEpoch,
    /// The log's end when the term began.
    pub(super) start_offset: Offset,
    /// Whether what is synced here is committed by that alone: there is no other replica.
    pub(super) is_alone: bool,
}

/// What is known of one partition on this node.
#[derive(Clone, Debug)]
pub struct Partition {
    pub(super) progress: Progress,
    pub(super) epochs: EpochHistory,
    pub(super) producers: ProducerTable,
    pub(super) leadership: Option<Leadership>,
}

impl Default for Partition {
    fn default() -> Self {
        Self::new()
    }
}

impl Partition {
    /// An empty partition that nobody leads.
    pub fn new() -> Self {
        Partition {
            progress: Progress::default(),
            epochs: EpochHistory::default(),
            producers: ProducerTable::new(PRODUCERS_PER_PARTITION_MAX),
            leadership: None,
        }
    }

    /// The partition that a checkpoint kept, all of whose records are synced. Nobody leads it.
    pub fn restore(snapshot: &StateSnapshot) -> Result<Self, RestoreError> {
        let (log_start, log_end) = (snapshot.log_start_offset, snapshot.log_end_offset);
        let high_watermark = snapshot.high_watermark;
        let progress = Progress::recovered(log_start, high_watermark, log_end)
            .ok_or(RestoreError::Offsets { log_start, high_watermark, log_end })?;
        let epochs = EpochHistory::restore(&snapshot.epochs)?;
        if let Some(latest) = epochs.latest().filter(|latest| latest.start_offset > log_end) {
            let (leader_epoch, start_offset) = (latest.leader_epoch, latest.start_offset);
            return Err(RestoreError::EpochBeyondEnd { leader_epoch, start_offset, log_end });
        }
        let producers = ProducerTable::restore(&snapshot.producers, PRODUCERS_PER_PARTITION_MAX, log_end)?;
        Ok(Partition { progress, epochs, producers, leadership: None })
    }

    /// What a checkpoint keeps. It speaks of all that is appended: the checkpoint may count only once everything
    /// below the snapshot's log end is durable, or recovery would believe in records that are lost.
    pub fn snapshot(&self) -> StateSnapshot {
        StateSnapshot {
            log_start_offset: self.progress.log_start(),
            log_end_offset: self.progress.log_end(),
            high_watermark: self.progress.high_watermark(),
            epochs: self.epochs.starts().to_vec(),
            producers: self.producers.snapshot(),
        }
    }

    /// How far the log is appended, synced and committed.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The idempotent producers that are known.
    pub fn producers(&self) -> &ProducerTable {
        &self.producers
    }

    /// Forgets the producers that have been idle for longer than `expiration_ms` (`producer.id.expiration.ms`).
    pub fn expire_producers(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.expire(now_ms, expiration_ms);
    }

    /// Forgets some of the producers that have not appended for longest, because the shard has no memory for more.
    /// None that has appended within `idle_ms_min` goes.
    pub fn crowd_out_producers(&mut self, now_ms: i64, idle_ms_min: i64) {
        self.producers.crowd_out(now_ms, idle_ms_min);
    }

    /// Applies a batch that the journal holds beyond the checkpoint, with the offset and the leader epoch that it
    /// was given then. It is synced; whether it is committed is for the next leader to say. `now_ms` is the time of
    /// recovery, from which idle producers expire.
    pub fn replay(&mut self, header: &BatchHeader, now_ms: i64) -> Result<(), ReplayError> {
        assert!(self.leadership.is_none(), "a leader appends");
        let log_end = self.check_next(header)?;
        self.epochs.assign(header.partition_leader_epoch, header.base_offset)?;
        self.producers.record(header, now_ms);
        self.progress.append_to(log_end);
        self.progress.sync_to(log_end);
        Ok(())
    }

    /// Whether a batch that somebody has given its place is the next of the log; the log's end behind it.
    pub(super) fn check_next(&self, header: &BatchHeader) -> Result<Offset, ReplayError> {
        let (expected, base_offset) = (self.progress.log_end(), header.base_offset);
        if base_offset != expected {
            return Err(ReplayError::Gap { expected, found: base_offset });
        }
        let lacks_sequence =
            header.has_producer_id() && (header.producer_epoch < 0 || header.base_sequence < 0);
        match (header.last_offset().checked_add(1), header.last_offset_delta, lacks_sequence) {
            (Some(log_end), 0.., false) => Ok(log_end),
            _ => Err(ReplayError::Invalid { base_offset }),
        }
    }

    /// Applies a move of the log's start that the journal holds beyond the checkpoint. Only what was committed
    /// was ever cut off, so the high watermark is known to be there at least.
    pub fn replay_log_start(&mut self, offset: Offset) -> Result<(), LogStartError> {
        assert!(self.leadership.is_none(), "a leader advances its log's start");
        let limit = self.progress.durable_end();
        if offset > limit {
            return Err(LogStartError { offset, limit });
        }
        self.progress.learn_high_watermark(offset);
        self.advance_log_start(offset)
    }

    /// Begins a term as leader; says how far the high watermark moved by it, if it did. The epoch must be newer
    /// than all that the log has seen: one that a former incarnation led in could stand for other records at the
    /// same offsets. Being told twice of the term that runs changes nothing.
    pub fn become_leader(&mut self, leader_epoch: LeaderEpoch) -> Result<Option<Offset>, EpochWentBack> {
        if self.leader_epoch() == Some(leader_epoch) {
            return Ok(None);
        }
        self.begin_term(leader_epoch, true)?;
        Ok(self.progress.commit())
    }

    /// The same where there are other replicas: what is committed is told with [`Partition::learn_high_watermark`].
    pub fn become_leader_of_replicas(&mut self, leader_epoch: LeaderEpoch) -> Result<(), EpochWentBack> {
        if self.leader_epoch() == Some(leader_epoch) {
            return Ok(());
        }
        self.begin_term(leader_epoch, false)
    }

    fn begin_term(&mut self, leader_epoch: LeaderEpoch, is_alone: bool) -> Result<(), EpochWentBack> {
        let start_offset = self.progress.log_end();
        let latest = self.epochs.latest();
        if latest.is_some_and(|latest| leader_epoch <= latest.leader_epoch) {
            return Err(EpochWentBack { leader_epoch, start_offset, latest });
        }
        self.epochs.assign(leader_epoch, start_offset)?;
        self.leadership = Some(Leadership { leader_epoch, start_offset, is_alone });
        Ok(())
    }

    /// Ends the term: nothing is appended until the next one.
    pub fn resign(&mut self) {
        self.leadership = None;
    }

    /// Ends the term, and forgets it if it has no records: another leader may write older ones at that offset.
    pub fn follow(&mut self) {
        self.resign();
        self.epochs.truncate_from_end(self.progress.log_end());
    }

    /// Records below `offset`, which are synced here, are committed: the replicas' leader says so. Whether that is news.
    pub fn learn_high_watermark(&mut self, offset: Offset) -> bool {
        let is_news = offset > self.progress.high_watermark();
        self.progress.learn_high_watermark(offset);
        is_news
    }

    /// The terms that the log holds.
    pub fn epochs(&self) -> &EpochHistory {
        &self.epochs
    }

    /// The term in which this node leads.
    pub fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.leadership.map(|leadership| leadership.leader_epoch)
    }

    /// Takes back everything from `offset` on, which is where a batch starts, from producers' and terms' state too.
    /// Nothing changes where the log ends before it. A leader's log is never truncated.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<(), TruncateError> {
        assert!(self.leadership.is_none(), "a leader's log is what others are truncated to");
        let log_start = self.progress.log_start();
        if offset < log_start {
            return Err(TruncateError { offset, log_start });
        }
        if offset < self.progress.log_end() {
            if !is_planted(Bug::TruncateKeepsProducers) {
                self.producers.truncate_to(offset);
            }
            self.epochs.truncate_from_end(offset);
            self.progress.truncate_to(offset);
        }
        Ok(())
    }

    /// Nothing before `offset` may be read any more. Only committed records may go; nothing changes where the log
    /// starts after it already. Producers stay known: what is deleted was appended all the same.
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<(), LogStartError> {
        let limit = self.progress.high_watermark();
        if offset > limit {
            return Err(LogStartError { offset, limit });
        }
        if offset > self.progress.log_start() {
            self.progress.start_at(offset);
            self.epochs.truncate_from_start(offset);
        }
        Ok(())
    }
}
