//! Questions to partitions that need nothing but a look at their state, wherever on the node they are.

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::oneshot;

use super::mailbox::Query;
use super::partition_error::PartitionError;
use super::partition_ops::Place;
use super::replica::Replica;
use super::shard::Shard;
use crate::base::ids::{LeaderEpoch, Offset, PartitionId, ShardId};
use crate::base::limits::PARTITIONS_PER_TURN;
use crate::partition::{ActiveProducer, EpochEnd};

/// A look at a partition of another shard, which sends what it sees.
pub(super) type Look = Box<dyn FnOnce(Result<Rc<Replica>, PartitionError>) + Send>;

/// Partitions with the lengths of their logs in bytes.
pub type LogSizes = BTreeMap<PartitionId, u64>;

impl Shard {
    /// Where a term ended: the offset behind the last record of the newest term that has records and is not newer.
    /// `None` where the term is newer than all known ones. `current_leader_epoch` is the term that who asks
    /// believes in, -1 for any.
    pub async fn end_of_epoch(
        &self,
        id: PartitionId,
        current_leader_epoch: LeaderEpoch,
        leader_epoch: LeaderEpoch,
    ) -> Result<Option<EpochEnd>, PartitionError> {
        let look = move |replica: &Replica| {
            let state = replica.state.borrow();
            state.check_leader_epoch(current_leader_epoch)?;
            replica.check_end_known(Offset::MAX)?;
            Ok(state.end_offset_for_epoch(leader_epoch))
        };
        self.inspect(id, look).await
    }

    /// The idempotent producers that a partition knows, by their ids; none if they are more than `max`.
    pub async fn producers(
        &self,
        id: PartitionId,
        max: usize,
    ) -> Result<Option<Vec<ActiveProducer>>, PartitionError> {
        let look = move |replica: &Replica| {
            let state = replica.state.borrow();
            let producers = state.producers();
            Ok((producers.len() <= max).then(|| producers.active()))
        };
        self.inspect(id, look).await
    }

    async fn inspect<T: Send + 'static>(
        &self,
        id: PartitionId,
        look: impl FnOnce(&Replica) -> Result<T, PartitionError> + Send + 'static,
    ) -> Result<T, PartitionError> {
        let look = move |replica: Rc<Replica>| {
            replica.check_online()?;
            look(&replica)
        };
        match self.place(id)? {
            Place::Here(replica) => look(replica),
            Place::There(mailbox) => {
                let query = |reply: oneshot::Sender<_>| Query::Inspect {
                    id,
                    // Who asked may have left with its connection.
                    look: Box::new(move |replica| drop(reply.send(replica.and_then(look)))),
                };
                self.ask(mailbox, query).await?
            }
        }
    }

    /// The lengths of the logs that a shard of this node keeps: all its segments, on disk or not yet.
    pub async fn log_sizes(&self, shard: ShardId) -> Result<LogSizes, PartitionError> {
        match shard == self.id {
            true => Ok(self.log_sizes_here().await),
            false => self.ask(self.mailbox_of(shard)?, |reply| Query::LogSizes { reply }).await,
        }
    }

    pub(super) async fn log_sizes_here(&self) -> LogSizes {
        let mut sizes = LogSizes::new();
        for some in self.storage.all_replicas().chunks(PARTITIONS_PER_TURN) {
            let size = |replica: &Rc<Replica>| {
                let segments = replica.log.borrow();
                (replica.id, segments.segments().map(|segment| segment.end_position).sum())
            };
            sizes.extend(some.iter().map(size));
            self.runtime.yield_now().await;
        }
        sizes
    }
}
