//! Where a partition's leader is, for clients that asked another broker (KIP-951): they follow the hint without
//! asking for metadata first.

use crate::base::ids::{BrokerId, LeaderEpoch, PartitionId};
use crate::protocol::ErrorCode;

use super::brokers::brokers;
use super::router::Caller;

/// A leader and its term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hint {
    pub(super) leader_id: BrokerId,
    pub(super) leader_epoch: LeaderEpoch,
}

/// Who leads the partition, if that is what the error is about.
pub(super) fn hint(caller: &Caller, id: PartitionId, error: ErrorCode) -> Option<Hint> {
    let is_about_leader = matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
    let image = is_about_leader.then(|| caller.shard.image())?;
    let partition = image.partition(id)?;
    Some(Hint {
        leader_id: caller.shard.broker_id_of(partition.owner()?),
        leader_epoch: partition.leader_epoch,
    })
}

/// Where the hinted leaders are, each once: broker id, host, port, rack.
pub(super) fn endpoints(
    caller: &Caller,
    hints: impl Iterator<Item = BrokerId>,
) -> Vec<(BrokerId, String, i32, Option<String>)> {
    let hinted: std::collections::BTreeSet<BrokerId> = hints.filter(|id| *id >= 0).collect();
    if hinted.is_empty() {
        return Vec::new();
    }
    brokers(&caller.shard, caller.listener)
        .filter(|broker| hinted.contains(&broker.id))
        .map(|broker| {
            let address = broker.address;
            (broker.id, address.host, address.port.into(), Some(broker.rack))
        })
        .collect()
}
