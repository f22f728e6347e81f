//! Bugs that a test can plant, to prove that the simulation would notice them. Without the feature
//! `planted-bugs`, which only tests turn on, none of this exists in the program.

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A journal group counts as durable when it is submitted.
    AcknowledgeEarly,
    /// A journal file is freed although records in it are in no segment yet.
    RecycleEarly,
    /// Recovery accepts a group by its sequence alone, not by its chain and recovery count.
    IgnoreChain,
    /// Segments below a log start are removed before its move is durable.
    RemoveEarly,
    /// The files that compaction has written anew are removed before a checkpoint knows of the new ones.
    DiscardEarly,
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
