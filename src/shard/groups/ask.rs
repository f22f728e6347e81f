//! Requests to groups, wherever on the node they are coordinated.

use std::sync::Arc;

use crate::base::ids::{PartitionId, ShardId};
use crate::cluster::{Image, PartitionRecord, Topic};
use crate::config::Advertise;
use crate::coordinator::{ListFilter, Listing, Request, Response};
use crate::protocol::ErrorCode;
use crate::shard::budget::Charge;
use crate::shard::mailbox::Query;
use crate::shard::shard::Shard;

/// The topic in which groups are kept.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

impl Shard {
    /// The partition that keeps a group; `None` as long as there is no topic for groups.
    pub fn group_partition(image: &Image, group_id: &str) -> Option<PartitionRecord> {
        let topic: &Arc<Topic> = image.topic_named(OFFSETS_TOPIC)?;
        let count = i32::try_from(topic.partitions.len()).ok().filter(|count| *count > 0)?;
        // As Kafka's clients and tools reckon it: Utils.abs(groupId.hashCode()) % partitions.
        topic.partition((java_hash(group_id) & i32::MAX) % count).cloned()
    }

    /// Puts a request to the shard of this node that coordinates the group.
    pub async fn ask_group(&self, request: Request) -> Response {
        self.ask_group_charged(request, None).await
    }

    /// The same for a request that may wait there for long. The memory that is counted for it is given back when the
    /// coordinator has it: until then it is bytes in a mailbox.
    pub async fn ask_group_charged(&self, request: Request, charge: Option<Charge>) -> Response {
        let refusal = Response::refusal(&request, ErrorCode::NotCoordinator);
        let partition = Self::group_partition(&self.image(), request.group_id());
        let owned = partition.and_then(|partition| Some((partition.id(), partition.owner()?)));
        let Some((PartitionId { index, .. }, owner)) = owned else { return refusal };
        if owner.node != self.config.node_id {
            return refusal;
        }
        let shard = owner.shard;
        let asked = if shard == self.id {
            self.groups.ask(index, request)
        } else {
            let Ok(mailbox) = self.mailbox_of(shard) else { return refusal };
            let query = |reply| Query::Group { partition: index, request: Box::new(request), reply };
            let Ok(asked) = self.ask(mailbox, query).await else { return refusal };
            asked
        };
        drop(charge);
        asked.await.unwrap_or(refusal)
    }

    /// The groups that this broker coordinates, which in node mode is all shards.
    pub async fn list_groups(&self, filter: &ListFilter) -> Listing {
        if self.config.advertise == Advertise::Shard {
            return self.groups.list(filter);
        }
        let mut all = Listing::default();
        for shard in self.config.shard_ids() {
            match self.list_groups_of(shard, filter).await {
                Some(Listing { groups, is_partial }) => {
                    all.groups.extend(groups);
                    all.is_partial |= is_partial;
                }
                None => all.is_partial = true,
            }
        }
        all
    }

    async fn list_groups_of(&self, shard: ShardId, filter: &ListFilter) -> Option<Listing> {
        if shard == self.id {
            return Some(self.groups.list(filter));
        }
        let mailbox = self.mailbox_of(shard).ok()?;
        self.ask(mailbox, |reply| Query::ListGroups { filter: filter.clone(), reply }).await.ok()
    }
}

/// Java's `String.hashCode`.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_hash("é😀"), (233 * 31 + 0xd83d) * 31 + 0xde00);
    }
}
