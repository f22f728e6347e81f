//! A partition of which the journal has lost records: what is whole of it is read, for ever, and nothing more is said of
//! it. The journal and the other partitions go on as though nothing was wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use corelane::base::ids::ShardId;
use corelane::base::planted::{Bug, plant};
use corelane::base::splitmix::SplitMix;
use corelane::offline::{Site, plan_truncate, verify};
use corelane::shard::{Storage, StorageError};

use super::journal_view;
use super::node::{DISK_ID, Node, SMALL, append, batch_of, fills, id, paths, produce};

/// As many batches of this length go several times round the journal.
const LONG_BATCH_BYTES: usize = 9_000;
const ROUNDS_OF_BATCHES: u8 = 250;
const LIVES: u64 = 8;

fn journal_file() -> PathBuf {
    paths().journal_directory.join("0000.journal")
}

/// A node whose two partitions got ten batches each, one after the other, before the power went; and where the journal
/// has the payload of that batch of the first.
fn written(seed: u64, fill: u64) -> (Node, u64) {
    let node = Node::new(seed, SMALL, 2);
    node.run(async {
        let storage = node.boot().await;
        for fill in 1..=10 {
            for index in 0..2 {
                let replica = storage.replica(id(index)).expect("open");
                produce(&storage, &replica, &batch_of(fill, 300)).await.expect("acknowledged");
            }
        }
    });
    node.world.crash();
    let groups = journal_view::groups(&node.run(node.bytes_of(&journal_file())));
    let groups: Vec<_> = groups.into_iter().filter(|group| !group.is_start).collect();
    let position = groups[(fill as usize - 1) * 2].position + 300;
    (node, position)
}

/// The first partition has lost its batches from that one on.
async fn check_lost_from(storage: &Rc<Storage>, fill: u8) {
    let damage = storage.damage(id(0)).expect("nobody forgets");
    assert!(matches!(damage, StorageError::Damaged(_)));
    let replica = storage.replica(id(0)).expect("what is whole is read");
    assert_eq!(fills(storage, &replica).await, (1..fill).collect::<Vec<u8>>());
    for offset in [i64::from(fill) - 1, i64::from(fill), 100] {
        let read = storage.read(&replica, offset, 1_000).await;
        assert!(matches!(read, Err(StorageError::Damaged(_))), "{offset}: {read:?}");
    }
    let refused = append(storage, &replica, &batch_of(99, 100)).await;
    assert!(matches!(refused, Err(StorageError::Damaged(_))), "{refused:?}");
}

#[test]
fn the_journal_goes_on_without_what_is_lost() {
    let (node, position) = written(1, 4);
    node.world.rot(&journal_file(), position);
    node.run(async {
        let storage = node.boot().await;
        check_lost_from(&storage, 4).await;
        let other = storage.replica(id(1)).expect("open");
        for fill in 0..ROUNDS_OF_BATCHES {
            produce(&storage, &other, &batch_of(fill, LONG_BATCH_BYTES))
                .await
                .expect("there is room for ever");
        }
        check_lost_from(&storage, 4).await;
    });
    node.world.crash();
    for _ in 0..2 {
        node.run(async {
            let storage = node.boot().await;
            check_lost_from(&storage, 4).await;
            let other = storage.replica(id(1)).expect("open");
            let all: Vec<u8> = (1..=10).chain(0..ROUNDS_OF_BATCHES).collect();
            assert_eq!(fills(&storage, &other).await, all);
            storage.stop().await.expect("stopped");
        });
        node.world.crash();
    }
    node.run(async {
        let storage = node.boot().await;
        storage.delete(id(0)).await.expect("deleted");
        assert!(storage.damage(id(0)).is_none() && storage.replica(id(0)).is_none());
        storage.checkpoint_now().await;
    });
}

/// As long as the journal has room, nothing is given up: the disk may only have failed to read.
#[test]
fn what_the_disk_did_not_read_once_is_there_when_it_does() {
    for stops in [false, true] {
        let (node, position) = written(2, 4);
        node.world.rot(&journal_file(), position);
        node.run(async {
            let storage = node.boot().await;
            check_lost_from(&storage, 4).await;
            let other = storage.replica(id(1)).expect("open");
            produce(&storage, &other, &batch_of(11, 300)).await.expect("served");
            storage.checkpoint_now().await;
            if stops {
                storage.stop().await.expect("stopped");
            }
        });
        node.world.crash();
        // The same bit again: it is right then.
        node.world.rot(&journal_file(), position);
        node.run(async {
            let storage = node.boot().await;
            assert!(storage.damage(id(0)).is_none());
            let replica = storage.replica(id(0)).expect("whole");
            assert_eq!(fills(&storage, &replica).await, (1..=10).collect::<Vec<u8>>());
            produce(&storage, &replica, &batch_of(11, 300)).await.expect("it takes records again");
        });
    }
}

/// Records that were deleted behind the damage do not come back.
#[test]
fn what_was_deleted_stays_deleted() {
    let (node, position) = written(3, 6);
    node.world.rot(&journal_file(), position);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("what is whole");
        storage.advance_log_start(&replica, 3).await.expect("deleted");
    });
    for _ in 0..2 {
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("what is whole");
            assert_eq!(fills(&storage, &replica).await, [4, 5]);
            let other = storage.replica(id(1)).expect("open");
            for fill in 0..ROUNDS_OF_BATCHES {
                produce(&storage, &other, &batch_of(fill, LONG_BATCH_BYTES)).await.expect("there is room");
            }
        });
    }
}

pub async fn site(node: &Node) -> Site {
    let shards = vec![(ShardId(0), paths())];
    Site::new(Rc::clone(&node.runtime), PathBuf::from("/data"), DISK_ID, shards).await.expect("listed")
}

/// Before and after the journal has gone on, somebody decides to lose what is lost.
#[test]
fn a_cut_ends_it() {
    for goes_on in [false, true] {
        let (node, position) = written(4, 4);
        node.world.rot(&journal_file(), position);
        node.run(async {
            let storage = node.boot().await;
            let other = storage.replica(id(1)).expect("open");
            for fill in 0..if goes_on { ROUNDS_OF_BATCHES } else { 1 } {
                produce(&storage, &other, &batch_of(fill, LONG_BATCH_BYTES)).await.expect("there is room");
            }
        });
        node.world.crash();
        node.run(async {
            let site = site(&node).await;
            let verified = verify(&site, Some(id(0)), &()).await.expect("the disk reads");
            assert!(!verified.is_sound(), "a tool sees what a start says");
            let plan = plan_truncate(&site, id(0), 3).await.expect("it can be cut there");
            plan.carry_out(&site, &()).await.expect("the disk works");
            assert!(verify(&site, Some(id(0)), &()).await.expect("the disk reads").is_sound());
        });
        for fill in [50, 51] {
            node.world.crash();
            node.run(async {
                let storage = node.boot().await;
                assert!(storage.damage(id(0)).is_none());
                let replica = storage.replica(id(0)).expect("whole");
                produce(&storage, &replica, &batch_of(fill, 300)).await.expect("it takes records again");
                let all: Vec<u8> = (1..=3).chain(50..=fill).collect();
                assert_eq!(fills(&storage, &replica).await, all);
            });
        }
    }
}

/// Lives with crashes and clean stops at any time, before and after the partition is marked.
fn live(seed: u64) {
    let mut random = SplitMix::new(seed ^ 0x1057);
    let lost_from = 1 + random.next_u64() % 8;
    let (node, position) = written(seed, lost_from);
    node.world.rot(&journal_file(), position);
    let mut sent: Vec<u8> = (1..=10).collect();
    for _ in 0..LIVES {
        let (count, stops) = (random.next_u64() % 60, random.next_u64().is_multiple_of(3));
        node.run(async {
            let storage = node.boot().await;
            check_lost_from(&storage, lost_from as u8).await;
            let other = storage.replica(id(1)).expect("open");
            assert_eq!(fills(&storage, &other).await, sent);
            for fill in 0..count {
                produce(&storage, &other, &batch_of(fill as u8, LONG_BATCH_BYTES)).await.expect("room");
                sent.push(fill as u8);
            }
            check_lost_from(&storage, lost_from as u8).await;
            if stops {
                storage.stop().await.expect("stopped");
            }
        });
        node.world.crash();
    }
}

#[test]
fn lost_records_stay_lost_and_cost_nobody_else() {
    (0..30).for_each(live);
}

#[test]
fn a_forgotten_mark_is_noticed() {
    let fails = |seed: &u64| {
        plant(Some(Bug::ForgetDamage));
        let life = catch_unwind(AssertUnwindSafe(|| live(*seed)));
        plant(None);
        life.is_err()
    };
    assert!((0..20).any(|seed| fails(&seed)), "a start may take what is left for everything");
}
