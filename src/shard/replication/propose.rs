//! Changes of in-sync sets on their way to the controller.
//!
//! A change whose outcome is unknown is asked for again as it was: carried out twice it changes nothing, since the first
//! time makes the partition's epoch old. One command is under way at a time, and an outcome is of the newest copy: an
//! older one that the quorum has not carried out before it never will be.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Notify;

use super::host::Replication;
use crate::base::ids::PartitionId;
use crate::base::limits::{REPLICATION_PROPOSALS_MAX, REPLICATION_PROPOSE_AGAIN_MS};
use crate::cluster::{AlterPartition, AlterPartitionError, AlterPartitions, InSyncReplica};
use crate::replication::{Proposal, Replica};
use crate::shard::phase::Phase;
use crate::shard::shard::Shard;

/// The newest proposal of each partition that has no outcome yet.
#[derive(Default)]
pub(super) struct Proposals {
    open: RefCell<BTreeMap<PartitionId, Proposal>>,
    added: Notify,
}

impl Proposals {
    pub(super) fn add(&self, proposal: Proposal) {
        self.open.borrow_mut().insert(proposal.partition, proposal);
        self.added.notify_one();
    }

    /// Some to be asked for now.
    fn some(&self) -> Vec<AlterPartition> {
        self.open.borrow().values().take(REPLICATION_PROPOSALS_MAX).map(command).collect()
    }

    /// There is an outcome. Whether nothing else has been proposed since.
    fn close(&self, asked: &AlterPartition) -> bool {
        let mut open = self.open.borrow_mut();
        let is_same = |it: &Proposal| {
            (it.leader_epoch, it.partition_epoch) == (asked.leader_epoch, asked.partition_epoch)
        };
        let is_newest = open.get(&asked.partition).is_some_and(is_same);
        if is_newest {
            open.remove(&asked.partition);
        }
        is_newest
    }
}

fn command(proposal: &Proposal) -> AlterPartition {
    let member = |it: &Replica| InSyncReplica { node: it.node, disk: it.disk, incarnation: it.incarnation };
    AlterPartition {
        partition: proposal.partition,
        leader_epoch: proposal.leader_epoch,
        partition_epoch: proposal.partition_epoch,
        in_sync_replicas: proposal.in_sync.iter().map(member).collect(),
    }
}

impl Shard {
    /// Has the controller change in-sync sets as leaders want, one command at a time.
    pub(in crate::shard) async fn propose_in_sync(self: Rc<Self>) {
        let replication = Rc::clone(&self.replication);
        loop {
            let added = replication.proposals.added.notified();
            let asked = replication.proposals.some();
            if asked.is_empty() {
                if !self.until(added).await {
                    return;
                }
                continue;
            }
            let leader = self.config.node_id;
            let registration_epoch = self.image().node(leader).map_or(0, |record| record.registration_epoch);
            let command = AlterPartitions { leader, registration_epoch, alterations: asked.clone() };
            // The answer waits for this shard to apply it, which it does not do any more when it stops.
            let answer = self.unless_stopped(self.metadata.alter_partitions(command)).await;
            let Some(answer) = answer else { return };
            match answer {
                Ok(outcomes) => {
                    for (asked, outcome) in asked.iter().zip(outcomes) {
                        replication.heard_outcome(asked, outcome.map(drop));
                    }
                }
                Err(error) => {
                    tracing::warn!(shard = self.id.0, %error, "in-sync sets cannot be changed; it is tried again");
                    let pause = Duration::from_millis(REPLICATION_PROPOSE_AGAIN_MS);
                    if !self.until(self.runtime.sleep(pause)).await {
                        return;
                    }
                }
            }
        }
    }

    /// `false` when the shard stops before something has come to pass.
    pub(in crate::shard) async fn until(&self, event: impl Future<Output = ()>) -> bool {
        self.unless_stopped(event).await.is_some()
    }

    /// What comes of it; `None` when the shard stops before.
    pub(in crate::shard) async fn unless_stopped<T>(&self, event: impl Future<Output = T>) -> Option<T> {
        let stopped = std::pin::pin!(self.phases.reached(Phase::Stopped));
        match select(std::pin::pin!(event), stopped).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        }
    }
}

impl Replication {
    fn heard_outcome(&self, asked: &AlterPartition, outcome: Result<(), AlterPartitionError>) {
        let is_newest = self.proposals.close(asked);
        let Err(error) = outcome else { return };
        tracing::info!(partition = %asked.partition, %error, "an in-sync set stays as it is");
        let is_of_present_epoch = matches!(
            error,
            AlterPartitionError::IneligibleReplica(_) | AlterPartitionError::InvalidRequest(_)
        );
        if !is_of_present_epoch {
            // The metadata will say what holds instead.
            return;
        }
        if let Some(replica) = self.storage.replica(asked.partition)
            && is_newest
        {
            self.with_leader(&replica, |leading, effects| {
                if leading.leader_epoch == asked.leader_epoch {
                    leading.leader.refused(asked.partition_epoch, effects);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TopicId;

    fn proposal(partition_epoch: i32) -> Proposal {
        let partition = PartitionId { topic: TopicId::ZERO, index: 1 };
        Proposal { partition, leader_epoch: 3, partition_epoch, in_sync: Vec::new() }
    }

    #[test]
    fn what_was_replaced_has_no_outcome() {
        let proposals = Proposals::default();
        proposals.add(proposal(1));
        let (asked, again) = (proposals.some(), proposals.some());
        assert_eq!(asked, again, "it has no outcome yet");
        assert!(proposals.close(&asked[0]) && proposals.some().is_empty());

        proposals.add(proposal(3));
        let asked = proposals.some();
        proposals.add(proposal(4));
        assert!(!proposals.close(&asked[0]), "another one has taken its place");
        assert_eq!(proposals.some()[0].partition_epoch, 4);
    }
}
