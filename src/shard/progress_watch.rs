//! Waiting for more to read in any of several partitions.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, oneshot};

use super::mailbox::Query;
use super::shard::Shard;
use crate::base::ids::{Offset, PartitionId, ShardId};

impl Shard {
    /// Waits until one of the partitions has a high watermark beyond the one that was seen, or cannot be read
    /// any more.
    pub async fn progress(&self, seen: &[(PartitionId, Offset)]) {
        let mut local = Vec::new();
        let mut remote: BTreeMap<ShardId, Vec<(PartitionId, Offset)>> = BTreeMap::new();
        for &(id, offset) in seen {
            let owner = match self.storage.replica(id) {
                Some(_) => self.id,
                None => match self.image.borrow().partition(id) {
                    Some(partition) => partition.owner().shard,
                    // Gone: whoever looks again is told so.
                    None => return,
                },
            };
            match owner == self.id {
                true => local.push((id, offset)),
                false => remote.entry(owner).or_default().push((id, offset)),
            }
        }
        let Ok(mut remote) = self.ask_for_progress(remote).await else { return };
        // A shard that stops drops its reply: it will report nothing, which is no news of progress.
        let reported = async {
            while !matches!(remote.next().await, Some(Ok(()))) {
                if remote.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let local = async {
            if local.is_empty() {
                std::future::pending::<()>().await;
            }
            self.local_progress(&local).await;
        };
        select(std::pin::pin!(local), std::pin::pin!(reported)).await;
    }

    async fn ask_for_progress(
        &self,
        remote: BTreeMap<ShardId, Vec<(PartitionId, Offset)>>,
    ) -> Result<FuturesUnordered<oneshot::Receiver<()>>, super::PartitionError> {
        let replies = FuturesUnordered::new();
        for (shard, seen) in remote {
            let (reply, receiver) = oneshot::channel();
            self.count_forwarded();
            let sent = self.mailbox_of(shard)?.queries.send(Query::AwaitProgress { seen, reply }).await;
            sent.map_err(|_| super::PartitionError::Stopping)?;
            replies.push(receiver);
        }
        Ok(replies)
    }

    /// The same for partitions of this shard.
    pub(super) async fn local_progress(&self, seen: &[(PartitionId, Offset)]) {
        let waiter = Rc::new(Notify::new());
        for &(id, offset) in seen {
            let Some(replica) = self.storage.replica(id) else { return };
            let high_watermark = replica.state.borrow().progress().high_watermark();
            if high_watermark > offset || replica.check_online().is_err() {
                return;
            }
            replica.wake_on_progress(&waiter);
        }
        waiter.notified().await;
    }
}
