//! Watching partitions, wherever on the node they are: they mark in a watch what has changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::fetch::{Offsets, Watch, Watched};
use super::mailbox::Query;
use super::replica::Replica;
use super::shard::Shard;
use crate::base::ids::ShardId;
use crate::base::limits::PARTITIONS_PER_TURN;

impl Shard {
    /// Has changes of the partitions marked in the watch for as long as it lives, beginning with what has changed
    /// since they were seen. A partition that cannot be watched is marked: whoever looks is told why.
    pub async fn watch(&self, watch: &Arc<Watch>, partitions: Vec<Watched>) {
        let weak = Arc::downgrade(watch);
        let mut local = Vec::new();
        let mut remote: BTreeMap<ShardId, Vec<Watched>> = BTreeMap::new();
        for watched in partitions {
            watch.add(watched.slot);
            match self.shard_of(watched) {
                Some(shard) if shard == self.id => local.push(watched),
                Some(shard) => remote.entry(shard).or_default().push(watched),
                None => drop(watch.mark(watched.slot)),
            }
        }
        self.watch_here(&weak, &local).await;
        for (shard, partitions) in remote {
            let Ok(mailbox) = self.mailbox_of(shard) else { continue };
            self.count_forwarded();
            // A shard that stops has no news any more.
            let _ = mailbox.queries.send(Query::Watch { watch: Weak::clone(&weak), partitions }).await;
        }
    }

    fn shard_of(&self, watched: Watched) -> Option<ShardId> {
        match self.storage.replica(watched.id) {
            Some(_) => Some(self.id),
            None => {
                let owner = self.image.borrow().partition(watched.id)?.owner();
                // Other nodes' clients ask there.
                owner.filter(|owner| owner.node == self.config.node_id).map(|owner| owner.shard)
            }
        }
    }

    /// The same for partitions of this shard.
    pub(super) async fn watch_here(&self, watch: &Weak<Watch>, partitions: &[Watched]) {
        for some in partitions.chunks(PARTITIONS_PER_TURN) {
            for watched in some {
                let replica = self.storage.replica(watched.id);
                if let Some(replica) = &replica {
                    replica.watchers.borrow_mut().add(watch, watched.slot);
                }
                if replica.is_none_or(|replica| is_changed(&replica, watched.seen))
                    && let Some(watch) = watch.upgrade()
                {
                    watch.mark(watched.slot);
                }
            }
            if partitions.len() > PARTITIONS_PER_TURN {
                self.runtime.yield_now().await;
            }
        }
    }
}

fn is_changed(replica: &Replica, seen: Offsets) -> bool {
    let state = replica.state.borrow();
    let (high_watermark, log_start) = (state.progress().high_watermark(), state.progress().log_start());
    Offsets { high_watermark, log_start } != seen || replica.check_online().is_err()
}
