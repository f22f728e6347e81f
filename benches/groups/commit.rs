//! Commits of offsets by who is no member, one group for each request.

use bytes::Bytes;
use corelane::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use corelane::protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use corelane::protocol::{ErrorCode, decode_response};

use crate::load::Work;
use crate::random::Random;
use crate::wire;

pub const TOPIC: &str = "consumed";
// The last versions before the flexible ones.
const COMMIT_VERSION: i16 = 7;
pub const FETCH_OFFSETS_VERSION: i16 = 5;

enum Order {
    Random(Random),
    /// Each one once, from this one on.
    Once(u64),
}

/// Requests of groups, of which each has offsets in some partitions of [`TOPIC`].
pub struct Commits {
    groups: u64,
    offsets: i32,
    order: Order,
}

impl Commits {
    /// One of each group.
    pub fn of_each(groups: u64, offsets: i32) -> Self {
        Commits { groups, offsets, order: Order::Once(0) }
    }

    /// Of random groups without end.
    pub fn at_random(groups: u64, offsets: i32) -> Self {
        Commits { groups, offsets, order: Order::Random(Random::new(1)) }
    }

    fn next(&mut self) -> Option<u64> {
        match &mut self.order {
            Order::Random(random) => Some(random.below(self.groups)),
            Order::Once(next) if *next == self.groups => None,
            Order::Once(next) => {
                *next += 1;
                Some(*next - 1)
            }
        }
    }
}

impl Work for Commits {
    fn request(&mut self, frame: &mut Vec<u8>) -> bool {
        let Some(group) = self.next() else { return false };
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 1,
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: TOPIC.to_owned(),
            partitions: (0..self.offsets).map(partition).collect(),
            ..Default::default()
        };
        let request =
            OffsetCommitRequest { group_id: group_id(group), topics: vec![topic], ..Default::default() };
        frame.extend_from_slice(&wire::frame(&request, COMMIT_VERSION));
        true
    }

    fn response(&mut self, frame: Bytes) {
        let (_, response) =
            decode_response::<OffsetCommitResponse>(frame, COMMIT_VERSION).expect("a commit response");
        let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        let refused = partitions.find(|partition| partition.error_code != ErrorCode::None);
        assert!(refused.is_none(), "a commit was refused: {refused:?}");
    }
}

/// The name of a group.
pub fn group_id(number: u64) -> String {
    format!("group-{number:06}")
}

/// Asks for the group's offset in partition 0.
pub fn fetch_request(group: u64) -> OffsetFetchRequest {
    let topic = OffsetFetchRequestTopic { name: TOPIC.to_owned(), partition_indexes: vec![0] };
    OffsetFetchRequest { group_id: group_id(group), topics: Some(vec![topic]), ..Default::default() }
}
