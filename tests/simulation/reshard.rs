//! What a change of the number of shards leaves behind must bear as much as what it came from.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use corelane::base::ids::ShardId;
use corelane::control::Layout;
use corelane::runtime::Runtime;
use corelane::server::{Assigned, Ground};
use corelane::shard::{PartitionSpec, Storage};

use super::node::{Node, SMALL, batch_of, fills, id, produce, topic_settings};

async fn open(runtime: &Rc<dyn Runtime>, ground: &Ground, layout: Layout, leader_epoch: i32) -> Rc<Storage> {
    let (config, paths) = (ground.storage_of(layout, ShardId(0)), ground.paths(layout, ShardId(0)));
    let opened =
        Storage::open(Rc::clone(runtime), config, &paths, ground.disk_id, &[spec(leader_epoch)]).await;
    opened.unwrap_or_else(|error| panic!("recovery failed: {error}"))
}

fn spec(leader_epoch: i32) -> PartitionSpec {
    PartitionSpec { id: id(0), topic_name: "t".to_owned(), leader_epoch, settings: topic_settings(96 << 10) }
}

/// The checkpoint that a new shard is made with knows of no partition. Were it what is read when the one with the
/// partitions is damaged, those of which the new journal holds nothing would come back empty, and their files would be
/// removed as belonging to nobody.
#[test]
fn a_rotten_checkpoint_after_a_move_empties_no_partition() {
    for slot in 0..2 {
        let node = Node::uncreated(1, 1);
        let ground = Ground {
            data_directory: PathBuf::from("/data"),
            journal_directory: PathBuf::from("/data"),
            disk_id: [0xd1; 16],
            shape: SMALL,
            storage: node.config.clone(),
        };
        let old = Layout { generation: 1, shards: 1 };
        let new = old.next(1);
        let sent: Vec<u8> = (0..30).collect();
        node.run(async {
            node.runtime.create_dir("/data".as_ref()).await.expect("created");
            node.runtime.sync_dir("/".as_ref()).await.expect("synced");
            ground.create(&node.runtime, old).await.expect("created");
            let storage = open(&node.runtime, &ground, old, 1).await;
            node.runtime.spawn(Box::pin(Rc::clone(&storage).maintain()));
            let replica = storage.replica(id(0)).expect("open");
            for &fill in &sent {
                produce(&storage, &replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
            }
            storage.stop().await.expect("stopped");
            let assigned = [Assigned { shard: ShardId(0), spec: spec(2) }];
            ground.rebuild(&node.runtime, old, new, &assigned).await.expect("moved");
        });
        node.world.crash();
        let checkpoint = Path::new("/data/layout-2/shard-0").join(format!("checkpoint.{slot}"));
        node.world.rot(&checkpoint, 10);
        node.run(async {
            let storage = open(&node.runtime, &ground, new, 3).await;
            node.runtime.spawn(Box::pin(Rc::clone(&storage).reclaim()));
            node.runtime.sleep(std::time::Duration::from_secs(1)).await;
            let replica = storage.replica(id(0)).expect("it is not damaged");
            assert_eq!(fills(&storage, &replica).await, sent, "without checkpoint {slot}");
        });
    }
}
