//! What becomes of a follower's log that the leader has heard of.

use super::leader::LeaderLog;
use super::wire::{Action, Resume};
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::planted::{Bug, is_planted};
use crate::partition::EpochHistory;

/// What a follower whose log ends like that is to do; with the term and the offset that go with it. `is_in_sync` says
/// whether it is in the committed in-sync set, and so has everything that is committed.
pub(super) fn verdict(
    log: LeaderLog,
    resume: &Resume,
    history: &EpochHistory,
    is_in_sync: bool,
) -> (Action, LeaderEpoch, Offset) {
    let LeaderLog { log_start, log_end, .. } = log;
    // Everything before the log start was committed, and whose it was is forgotten here: where all was deleted, and the
    // follower does not know yet, its log would seem to have nothing in common with this one.
    if is_in_sync && resume.log_end == log_start {
        return (Action::Follow, resume.last_epoch.max(-1), log_start);
    }
    // A log whose last term is unknown proves nothing.
    if resume.log_end < log_start || resume.last_epoch < -1 {
        return (Action::Restart, -1, log_start);
    }
    if resume.last_epoch == -1 {
        // An empty log, which agrees with any that reaches it.
        let fits = resume.log_end <= log_end;
        return if fits { (Action::Follow, -1, resume.log_end) } else { (Action::Restart, -1, log_start) };
    }
    // A term has one leader, and its log only grows: who has the same term at the same offset has the same log.
    let own_epoch = history.epoch_at(resume.log_end - 1);
    let agrees = own_epoch == Some(resume.last_epoch) || is_planted(Bug::ReplicationSkipEpochCheck);
    if agrees && resume.log_end <= log_end {
        return (Action::Follow, resume.last_epoch, resume.log_end);
    }
    match history.end_offset_for(resume.last_epoch, log_end) {
        // Whose records were there is forgotten here, as at the start of the log.
        _ if own_epoch.is_none() => (Action::Restart, -1, log_start),
        Some(end) => (Action::Truncate, end.leader_epoch, end.end_offset),
        // A term that this log never saw: its records are not here.
        None => (Action::Truncate, history.latest().map_or(-1, |it| it.leader_epoch), log_end),
    }
}
