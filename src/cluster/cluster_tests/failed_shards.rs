//! Placement around shards that cannot write.

use super::*;

#[test]
fn new_copies_go_to_shards_that_can_write() {
    let (mut draft, mut membership) = cluster(&[(2, None), (1, None), (1, None)]);
    let mut fail = |draft: &mut Draft, node: u32, shard: u16| {
        let failed_shards = BTreeSet::from([ShardId(shard)]);
        let told = Heartbeat { failed_shards, ..heartbeat(draft.image(), node) };
        membership.heartbeat(draft, &told, 1).unwrap();
    };
    fail(&mut draft, 1, 0);
    create(&mut draft, replicated("t", 6, 3)).unwrap();
    for partition in draft.image().partitions() {
        assert_eq!(partition.replica(NodeId(1)).unwrap().shard, ShardId(1));
        assert_eq!(partition.in_sync_replicas.len(), 3, "all can write");
    }
    // Where the shards are named, those that cannot do not count.
    let named = |ids: &[i32]| NewTopic { name: "u".to_owned(), ..assigned(&[ids]) };
    create(&mut draft, named(&[1000, 2000])).unwrap();
    let partition = draft.image().topic_named("u").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, partition.in_sync_replicas.len()), (Some(NodeId(2)), 1));
    fail(&mut draft, 1, 1);
    let refused = create(&mut draft, replicated("v", 1, 3));
    assert!(matches!(refused, Err(ClusterError::InvalidReplicationFactor(_))), "{refused:?}");
    assert!(create(&mut draft, NewTopic { name: "w".to_owned(), ..assigned(&[&[1001]]) }).is_err());
}
