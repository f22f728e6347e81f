//! Bugs that a test can plant, to prove that the simulation would notice them. Without the feature
//! `planted-bugs`, which only tests turn on, none of this exists in the program.

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A journal group counts as durable when it is submitted.
    AcknowledgeEarly,
    /// A journal group counts as durable when it is written, though one before it is not.
    AcknowledgeOutOfOrder,
    /// A failed write of the journal counts as done.
    AcknowledgeFailed,
    /// Offsets are given, and then the append fails.
    AssignThenFail,
    /// Recovery accepts a group by its sequence alone, not by its chain and recovery count.
    IgnoreChain,
    /// Recovery takes every end of the chain for a torn tail, whatever is known to have been durable.
    TakeRotForTear,
    /// Recovery does not ask the checkpoint how far the journal was durable.
    IgnoreCheckpoint,
    /// Recovery believes payloads whose checksum is wrong.
    TrustPayloads,
    /// A journal file is freed although records in it are in no segment yet.
    RecycleEarly,
    /// What is less than a block is not repeated in the journal before its file is freed.
    ForgetRemainder,
    /// A segment counts as durable when it is written, not when it is synced.
    SkipSegmentSync,
    /// A new segment file's entry in its directory is not synced.
    SkipDirectorySync,
    /// A checkpoint is written while what it reflects is not durable yet.
    CheckpointEarly,
    /// Checkpoints overwrite each other in one file.
    OneCheckpoint,
    /// A partition that has lost records is not marked as such when the journal goes on without them.
    ForgetDamage,
    /// Recovery does not ask how many recoveries the journal has begun.
    IgnoreRecoveries,
    /// Files behind a cut are removed before the cut is durable.
    TruncateEarly,
    /// A cut leaves the state of producers as it was.
    TruncateKeepsProducers,
    /// Segments below a log start are removed before its move is durable.
    RemoveEarly,
    /// The files that compaction has written anew are removed before a checkpoint knows of the new ones.
    DiscardEarly,
    /// An extent's entry is journaled before its bytes are synced.
    JournalExtentEarly,
    /// An extent's entry is journaled before the entry of its file in the directory is synced.
    ForgetExtentFile,
    /// Appends do not wait for the extent of their partition that is being written.
    OvertakeExtent,
    /// A log is cut while an extent is being written behind the cut.
    CutAmidExtent,
    /// Who moves a log start is answered before that is durable.
    AnswerLogStartEarly,
    /// What the journal holds of a deleted partition goes to the new one of its name.
    IdentifyByName,
    /// A shard's old files go before the new ones hold everything.
    DissolveEarly,
    /// A batch is journaled before its segment has space.
    SkipAllocation,
    /// After a restart a shard goes on in the term of its former incarnation.
    KeepTerm,
    /// Members get their shares before the assignment is durable.
    ShareEarly,
    /// A commit of offsets is answered before it is durable.
    CommitEarly,
    /// Members that fall silent are waited for, for ever.
    AwaitSilent,
    /// A member of the quorum speaks of what its disk does not have yet.
    QuorumSendEarly,
    /// A member of the quorum forgets its votes when it crashes.
    QuorumForgetVote,
    /// A proposal is answered when it is in the leader's log.
    QuorumAnswerEarly,
    /// Entries go from the log before the records that they led to are durable.
    QuorumTrimUnsaved,
    /// A snapshot's records come beside those that are there, not in their place.
    QuorumMergeSnapshot,
    /// A leader answers reads without asking whether it still leads.
    QuorumReadStale,
    /// Metadata of an earlier format goes before the quorum has it: two transactions instead of one.
    MigrateInTwo,
    /// The controller gives a partition another leader in the same term.
    ControllerKeepTerm,
    /// The controller lets any copy lead whose node is there.
    ControllerElectAny,
    /// The last member leaves an in-sync set.
    ControllerEmptySet,
    /// A node's copies stay what they were though it has another disk.
    ControllerTrustDisk,
    /// Whoever registers with another disk is recorded on it at once, unless it is in sync.
    ControllerForgetDisks,
    /// A node is fenced, and goes on leading.
    ControllerForgetFenced,
    /// A leader may name a fenced node as in sync.
    ControllerAdmitFenced,
    /// A leader may name a former start of a node as in sync.
    ControllerAdmitRestarted,
    /// A leader may ask for an in-sync set without knowing the present one.
    ControllerIgnoreEpoch,
    /// A disk that was put back to an older state is taken for what it was.
    ControllerTrustOldCopy,
    /// A copy leads or counts whose shard cannot write any more.
    ControllerElectFailed,
    /// A controller that begins its work does not complete what the one before it left.
    ControllerLeaveHalfDone,
    /// A node leads by an image that does not know of its present start, or has it as fenced.
    ControllerLeadUnknown,
    /// A follower acknowledges what is on its way to the disk.
    ReplicationAcknowledgeEarly,
    /// A follower cuts its log to the high watermark, not by terms.
    ReplicationTruncateByHighWatermark,
    /// Logs count as equal when their ends are: nobody compares the terms of their records.
    ReplicationSkipEpochCheck,
    /// A node that was started anew leads on in the term that its former start was granted.
    ReplicationKeepEpoch,
    /// A leader commits by the in-sync set that it proposes, before that holds.
    ReplicationShrunkSetOnly,
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug on this thread, or none.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether the bug is planted on this thread.
#[cfg(feature = "planted-bugs")]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Never.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub fn is_planted(_: Bug) -> bool {
    false
}
