//! Who is to be a member of the quorum.

use corelane::quorum::{MemberChange, RaftId, Status};

/// What an operator does next so that exactly `wanted` vote.
pub fn next_change(status: &Status, wanted: &[RaftId]) -> Option<MemberChange> {
    let members = &status.members;
    let all = || members.voters.iter().chain(&members.learners);
    if let Some(gone) = all().find(|id| !wanted.contains(id)) {
        return Some(MemberChange::Remove(*gone));
    }
    if let Some(new) = wanted.iter().find(|id| !all().any(|member| member == *id)) {
        return Some(MemberChange::AddLearner(*new));
    }
    let has_caught_up =
        |id: &&RaftId| status.matched.get(id).is_some_and(|matched| matched + 10 >= status.commit);
    members.learners.iter().find(has_caught_up).map(|id| MemberChange::AddVoter(*id))
}
