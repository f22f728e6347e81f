//! What is counted of consumer groups besides what their coordinator counts, and a copy of both for other threads.

use crate::base::meter::{Counter, Distribution, Durations, LongDurations};
use crate::coordinator::{Coordinator, Forgetting, State};

/// What the coordinator cannot know, which has no clock and does not know the log.
#[derive(Default, Debug)]
pub struct GroupHostMeters {
    /// From when a commit was asked of the coordinator until it was answered, in ns.
    pub commits: Durations,
    /// How long it took to read a partition of `__consumer_offsets`, in ns.
    pub loads: LongDurations,
    /// The records that were read.
    pub loaded_records: Counter,
}

/// Consumer groups, their members and offsets.
#[derive(Clone, Debug)]
pub struct GroupReport {
    /// Groups by state.
    pub groups: Vec<(&'static str, u64)>,
    /// Their members.
    pub members: u64,
    /// Offsets that are kept.
    pub offsets: u64,
    /// Partitions of `__consumer_offsets`, by whether they have been read.
    pub partitions: [(&'static str, u64); 2],
    /// Rebalances that have begun.
    pub rebalances: u64,
    /// How long members were without shares, in ns.
    pub rebalance_durations: Distribution,
    /// How long commits took, in ns.
    pub commit_durations: Distribution,
    /// Offsets that were committed.
    pub committed_offsets: u64,
    /// Offsets that were forgotten, by why.
    pub forgotten_offsets: Vec<(&'static str, u64)>,
    /// How long it took to read partitions, in ns.
    pub load_durations: Distribution,
    /// The records that were read.
    pub loaded_records: u64,
}

impl GroupReport {
    /// Of a coordinator and its host as they are now.
    pub fn of(coordinator: &Coordinator, host: &GroupHostMeters) -> Self {
        let (census, meters) = (coordinator.census(), coordinator.meters());
        let complete = coordinator.partitions_complete();
        let loading = coordinator.partitions().len() - complete;
        let groups = State::ALL.map(|state| (state.name(), census.groups(state) as u64));
        let forgotten = Forgetting::ALL.map(|reason| (reason.name(), meters.forgotten_offsets(reason).get()));
        GroupReport {
            groups: groups.to_vec(),
            members: census.members as u64,
            offsets: census.offsets as u64,
            partitions: [("complete", complete as u64), ("loading", loading as u64)],
            rebalances: meters.rebalances.get(),
            rebalance_durations: meters.rebalance_durations.copy(),
            commit_durations: host.commits.copy(),
            committed_offsets: meters.committed_offsets.get(),
            forgotten_offsets: forgotten.to_vec(),
            load_durations: host.loads.copy(),
            loaded_records: host.loaded_records.get(),
        }
    }
}
