//! Groups that are read from the log anew while they are being read.

use super::*;
use crate::protocol::ErrorCode;

/// Who was let go of while it read must not say that all is there: what it has told went with the groups.
#[test]
fn of_two_who_read_a_partition_only_the_newest_counts() {
    on_node(&[("offsets.topic.num.partitions", "1")], |node| async move {
        node.create_topic("t").await;
        let at = groups::coordinator(&node, "g").await;
        while groups::commit(&at, "g", None, 5).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        let loads = || at.shard.report().groups.load_durations.count();
        let before = loads();
        at.shard.reload_groups();
        at.shard.reload_groups();
        while loads() == before {
            at.shard.runtime.yield_now().await;
        }
        for _ in 0..100 {
            at.shard.runtime.yield_now().await;
        }
        assert_eq!(loads(), before + 1, "the older one has said nothing");
        assert_eq!(groups::commit(&at, "g", None, 6).await, ErrorCode::None);
    });
}
