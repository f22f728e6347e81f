//! What is to go back to a leader's shard by one of its two connections. Bounded by the number of partitions: the newest
//! word on each counts.

use std::collections::BTreeMap;

use rkyv::util::AlignedVec;

use super::host::Identity;
use super::links::OutFrame;
use crate::base::ids::PartitionId;
use crate::base::limits::{REPLICATION_ENTRIES_MAX, REPLICATION_WINDOW_BYTES, REPLICATION_WINDOW_FRAMES_MAX};
use crate::replication::{Ack, Answers, Resume, Session, encode_answers};

/// Frames that were looked at and not answered, after which that is said although there is nothing else to say.
const UNANSWERED_FRAMES_MAX: u64 = REPLICATION_WINDOW_FRAMES_MAX as u64 / 16;
/// The same in bytes.
const UNANSWERED_BYTES_MAX: usize = REPLICATION_WINDOW_BYTES / 16;

/// See the module.
#[derive(Default)]
pub(super) struct AnswerLane {
    session: Option<Session>,
    acks: BTreeMap<PartitionId, Ack>,
    resumes: BTreeMap<PartitionId, Resume>,
    /// The last frame that was looked at, and the last that the leader knows of.
    through_sequence: u64,
    answered_sequence: u64,
    unanswered_bytes: usize,
    /// Whether the writer is out of service and the leader has not been told.
    tells_of_failure: bool,
    /// Whether all that there is to say is to be said now.
    is_due: bool,
    answers: Answers,
    spare: Option<AlignedVec>,
}

impl AnswerLane {
    /// A session begins. What waited was of an older one.
    pub(super) fn begin(&mut self, session: Session, writer_failed: bool) {
        *self =
            AnswerLane { session: Some(session), tells_of_failure: writer_failed, ..AnswerLane::default() };
    }

    /// There is no session any more.
    pub(super) fn end(&mut self) {
        *self = AnswerLane::default();
    }

    /// Whether there is a session.
    pub(super) fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// A log is synced up to some offset. Later words hold all older ones of the same term.
    pub(super) fn acknowledge(&mut self, ack: Ack) {
        if self.is_up() {
            self.acks.insert(ack.partition(), ack);
        }
    }

    /// Where a log ends. What it acknowledged before that counts no more.
    pub(super) fn resume(&mut self, resume: Resume) {
        if self.is_up() {
            self.acks.remove(&resume.partition());
            self.resumes.insert(resume.partition(), resume);
        }
    }

    /// A frame was looked at.
    pub(super) fn looked_at(&mut self, sequence: u64, bytes: usize) {
        self.through_sequence = sequence;
        self.unanswered_bytes += bytes;
    }

    /// The writer is out of service.
    pub(super) fn fail(&mut self) {
        self.tells_of_failure = true;
    }

    /// Time has passed: whether something is to go now.
    pub(super) fn tick(&mut self) -> bool {
        self.is_due = self.is_up() && self.through_sequence > self.answered_sequence;
        self.is_due
    }

    /// Whether something is to go now.
    pub(super) fn is_urgent(&self) -> bool {
        let has_words = !self.acks.is_empty() || !self.resumes.is_empty() || self.tells_of_failure;
        has_words
            || self.is_due
            || self.unanswered_bytes >= UNANSWERED_BYTES_MAX
            || self.through_sequence - self.answered_sequence >= UNANSWERED_FRAMES_MAX
    }

    /// The next frame, if there is anything to be said now.
    pub(super) fn next(&mut self, identity: &Identity, writer_failed: bool) -> Option<OutFrame> {
        let has_news = self.is_urgent();
        let session = self.session.as_mut().filter(|_| has_news)?;
        let address = session.word();
        let answers = &mut self.answers;
        (answers.disk, answers.incarnation) = (*identity.start.disk.as_bytes(), identity.start.incarnation);
        (answers.through_sequence, answers.writer_failed) = (self.through_sequence, writer_failed);
        answers.acks.clear();
        answers.resumes.clear();
        while answers.acks.len() < REPLICATION_ENTRIES_MAX
            && let Some((_, ack)) = self.acks.pop_first()
        {
            answers.acks.push(ack);
        }
        while answers.resumes.len() < REPLICATION_ENTRIES_MAX
            && let Some((_, resume)) = self.resumes.pop_first()
        {
            answers.resumes.push(resume);
        }
        (self.answered_sequence, self.unanswered_bytes) = (self.through_sequence, 0);
        (self.tells_of_failure, self.is_due) = (false, false);
        let head = encode_answers(address, answers, self.spare.take().unwrap_or_default());
        Some(OutFrame { head, records: Vec::new() })
    }

    /// A frame is sent: its memory is used again.
    pub(super) fn give_back(&mut self, head: AlignedVec) {
        self.spare = Some(head);
    }
}
