//! Heartbeats: a node says how much it knows, which of its shards cannot write and whether it wants to stop, and hears
//! whether it takes part.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sessions::{StaleRegistration, check_registration, put_next};
use crate::base::ids::{NodeId, ShardId};
use crate::cluster::draft::Draft;
use crate::cluster::leadership::settle_copies_of;
use crate::cluster::records::NodeRecord;

/// What a node says from time to time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The node.
    pub node: NodeId,
    /// The epoch of its registration.
    pub registration_epoch: u64,
    /// The epoch of its own record in the image that it has applied. With the present one it knows that it was fenced,
    /// and so who leads in its place: it can take part again.
    pub applied_record_epoch: u64,
    /// Whether it wants to stop. Leadership is handed over first.
    pub wants_shutdown: bool,
    /// Its shards that cannot write any more, since this start. They hand over what they lead, and count no more, until the
    /// node is started anew.
    #[serde(default)]
    pub failed_shards: BTreeSet<ShardId>,
}

/// What it hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// Whether it is fenced.
    pub fenced: bool,
    /// Whether it leads nothing any more and was to stop.
    pub may_stop: bool,
}

/// Takes a heartbeat in, but for the lease.
pub(super) fn beat(draft: &mut Draft, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, StaleRegistration> {
    let &Heartbeat { node, registration_epoch, applied_record_epoch, wants_shutdown, ref failed_shards } =
        heartbeat;
    let record = check_registration(draft.image(), node, registration_epoch)?;
    let knows_its_record = applied_record_epoch == record.record_epoch;
    let is_news = |shard: &&ShardId| shard.0 < record.shards && !record.failed_shards.contains(*shard);
    let news: BTreeSet<ShardId> = failed_shards.iter().filter(is_news).copied().collect();
    if !news.is_empty() {
        let failed_shards = record.failed_shards.union(&news).copied().collect();
        let failed = NodeRecord { failed_shards, ..record.clone() };
        change(draft, failed);
    }
    let record = check_registration(draft.image(), node, registration_epoch)?.clone();
    if wants_shutdown && !record.shutting_down {
        change(draft, NodeRecord { shutting_down: true, ..record });
    } else if record.fenced && !record.shutting_down && knows_its_record {
        change(draft, NodeRecord { fenced: false, ..record });
    }
    let record = check_registration(draft.image(), node, registration_epoch)?;
    let leads = || draft.image().partitions().any(|partition| partition.leader == Some(node));
    Ok(HeartbeatAnswer { fenced: record.fenced, may_stop: record.shutting_down && !leads() })
}

fn change(draft: &mut Draft, record: NodeRecord) {
    let node = record.node;
    put_next(draft, record);
    settle_copies_of(draft, &BTreeSet::from([node]));
}
