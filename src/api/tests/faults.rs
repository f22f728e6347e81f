//! What clients are told when the disk fails or fills, and when the clock steps.

use std::path::Path;
use std::time::Duration;

use super::fetch::{offsets, request};
use super::groups;
use super::*;
use crate::base::limits::{DISK_SPACE_CHECK_MS, DISK_STALL_CHECK_MS, DISK_STALL_MS, GROUP_RELOAD_PAUSE_MS};
use crate::protocol::ErrorCode;
use crate::protocol::batch::BatchHeader;
use crate::protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use crate::runtime::sim::{DiskFault, DiskOp, Plan};
use crate::shard::testing::owner_and_other;

/// Runs a test on a node of two shards, in a world that the test may harm.
fn in_world<F: Future<Output = ()>>(test: impl FnOnce(Rc<SimWorld>, Rc<TestNode>) -> F) {
    let world = Rc::new(SimWorld::new(1));
    let runtime = world.runtime();
    let ended = world.block_on(async {
        let node = TestNode::start(&runtime, "/data".into(), test_config(2, &[])).await;
        test(Rc::clone(&world), Rc::new(node)).await;
    });
    assert_eq!(ended, Some(()));
}

/// The error and the offsets of the batches that a fetch from the beginning gives.
async fn fetched(caller: &Caller, index: i32) -> (ErrorCode, Vec<i64>) {
    let response = call(caller, &request(&[(index, 0)]), 12).await;
    let data = &response.responses[0].partitions[0];
    (data.error_code, offsets(data))
}

async fn delete_records(caller: &Caller, offset: i64) -> ErrorCode {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: "t".to_owned(), partitions }];
    let response = call(caller, &DeleteRecordsRequest { topics, timeout_ms: 1000 }, 2).await;
    response.topics[0].partitions[0].error_code
}

async fn checks_of_space(shard: &Shard) {
    shard.runtime.sleep(Duration::from_millis(2 * DISK_SPACE_CHECK_MS)).await;
}

#[test]
fn a_nearly_full_disk_refuses_produce_and_nothing_else() {
    in_world(async |world, node| {
        // The records are as old as their timestamps say, and retention is applied when the disk is nearly full.
        let topic = create_topic_with(&caller(&node.shards[0]), "t", &[("retention.ms", "-1")]).await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        for _ in 0..3 {
            let answer = produce(&caller(&owner), "t", 0, batch(&[b"a"])).await;
            assert_eq!(answer.error_code, ErrorCode::None);
        }
        let disk = Path::new("/");
        world.limit_space(disk, Some(world.used_bytes(disk) + (1 << 30) - 1));
        checks_of_space(&owner).await;
        for shard in [&owner, &other] {
            let answer = produce(&caller(shard), "t", 0, batch(&[b"b"])).await;
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::KafkaStorageError, -1));
            let message = answer.error_message.expect("why");
            assert!(message.contains("nearly full") && message.contains("disk.free.min"), "{message}");
            let unacknowledged = ProduceRequest { acks: 0, ..produce_request("t", 0, batch(&[b"b"])) };
            assert!(matches!(reply_to(&caller(shard), &unacknowledged, 9).await, Reply::Close(_)));
            assert_eq!(fetched(&caller(shard), 0).await, (ErrorCode::None, vec![0, 1, 2]));
            assert_eq!(shard.budgets.undurable.used(), 0);
            assert!(shard.report().disk_full.is_some());
        }
        assert_eq!(delete_records(&caller(&owner), 1).await, ErrorCode::None);
        node.create_topic("u").await;
        world.limit_space(disk, None);
        checks_of_space(&owner).await;
        let answer = produce(&caller(&other), "t", 0, batch(&[b"c"])).await;
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 3));
        assert_eq!(owner.report().disk_full, None);
        node.stop().await;
    });
}

/// Nobody has to start the broker again for them.
#[test]
fn groups_that_could_not_be_read_are_served_when_the_disk_reads_again() {
    in_world(async |world, node| {
        node.create_topic("t").await;
        let at = groups::coordinator(&node, "g").await;
        while groups::commit(&at, "g", None, 5).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        // So much behind it that it is not in memory any more. Nobody knows such records, and they are passed over.
        let log = Shard::group_partition(&at.shard.image(), "g").expect("it was made").id();
        let filler = BatchBuilder::new().record(0, Some(&[0, 99]), Some(&[7; 100 << 10])).build();
        let filler = Bytes::from(filler);
        let header = BatchHeader::parse(&filler).expect("our own batch");
        for _ in 0..120 {
            at.shard.append(log, &header, filler.clone()).await.await.expect("stored");
        }
        world.plan(Plan::new(DiskFault::Io).of(DiskOp::Read).for_ever());
        node.shards.iter().for_each(|shard| shard.reload_groups());
        while groups::commit(&at, "g", None, 6).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        for _ in 0..3 {
            assert_eq!(groups::commit(&at, "g", None, 6).await, ErrorCode::NotCoordinator);
            let [damage] = &at.shard.report().damage[..] else { panic!("one partition cannot be read") };
            assert!(damage.contains("__consumer_offsets"), "{damage}");
            at.shard.runtime.sleep(Duration::from_millis(GROUP_RELOAD_PAUSE_MS)).await;
        }
        world.forget_plans();
        // By then it has been read for the fourth time.
        at.shard.runtime.sleep(Duration::from_millis(8 * GROUP_RELOAD_PAUSE_MS)).await;
        assert_eq!(groups::fetch(&at, "g").await.0, 5);
        assert!(at.shard.report().damage.is_empty());
        assert_eq!(groups::commit(&at, "g", None, 7).await, ErrorCode::None);
        node.stop().await;
    });
}

#[test]
fn after_a_failed_write_the_shard_is_read_and_the_other_shard_goes_on() {
    in_world(async |world, node| {
        let (owner, other) = owner_and_other(&node, node.create_topic("t").await, 0);
        for index in [0, 1] {
            let answer = produce(&caller(&owner), "t", index, batch(&[b"a"])).await;
            assert_eq!(answer.error_code, ErrorCode::None);
        }
        world.fail(DiskOp::Write, 1, DiskFault::Io);
        for shard in [&owner, &owner, &other] {
            let answer = produce(&caller(shard), "t", 0, batch(&[b"b"])).await;
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::KafkaStorageError, -1));
        }
        assert_eq!(delete_records(&caller(&owner), 1).await, ErrorCode::KafkaStorageError);
        assert_eq!(fetched(&caller(&owner), 0).await, (ErrorCode::None, vec![0]), "what was acknowledged");
        let answer = produce(&caller(&owner), "t", 1, batch(&[b"b"])).await;
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 1), "of the other shard");
        let failures = [&owner, &other].map(|shard| shard.report().writer_failure.is_some());
        assert_eq!(failures, [true, false]);
    });
}

#[test]
fn a_disk_that_does_not_answer_is_told_for_as_long_as_it_does_not() {
    in_world(async |world, node| {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        let answer = produce(&caller(&owner), "t", 0, batch(&[b"a"])).await;
        assert_eq!(answer.error_code, ErrorCode::None);
        // The next write of the journal hangs; what begins later is as fast as ever.
        let journal = format!("/data/shard-{}/journal", owner.id);
        world.slow_down(Path::new(&journal), Duration::from_millis(1), Duration::from_secs(3600));
        let began = owner.runtime.now();
        let records = batch(&[b"b"]);
        let header = crate::protocol::batch::BatchHeader::parse(&records).expect("our own");
        let id = crate::base::ids::PartitionId { topic, index: 0 };
        let committed = owner.append(id, &header, records).await;
        let hung = async {
            while owner.report().stall.is_none() {
                owner.runtime.sleep(Duration::from_millis(DISK_STALL_CHECK_MS)).await;
            }
        };
        let futures_util::future::Either::Right(((), committed)) =
            futures_util::future::select(committed, Box::pin(hung)).await
        else {
            panic!("with this seed it takes longer than that")
        };
        let waited_ms = (owner.runtime.now() - began).as_millis() as u64;
        assert!(
            (DISK_STALL_MS..=DISK_STALL_MS + 2 * DISK_STALL_CHECK_MS).contains(&waited_ms),
            "{waited_ms}"
        );
        let report = owner.report();
        let reason = report.stall.expect("just seen");
        assert!(reason.contains("a write operation on ") && reason.contains(&journal), "{reason}");
        let oldest = report.disk.iter().map(|disk| disk.oldest).max().expect("there are kinds");
        assert!(oldest.as_millis() as u64 >= DISK_STALL_MS, "{oldest:?}");
        assert_eq!((other.report().stall, report.writer_failure), (None, None), "nothing has failed");

        assert!(committed.await.is_ok(), "it waited, and lost nothing");
        assert_eq!(owner.report().stall, None);
        assert_eq!(fetched(&caller(&owner), 0).await, (ErrorCode::None, vec![0, 1]));
        node.stop().await;
    });
}

#[test]
fn a_clock_that_steps_neither_wakes_nor_holds_up_who_waits() {
    in_world(async |world, node| {
        let (owner, _) = owner_and_other(&node, node.create_topic("t").await, 0);
        const YEAR_MS: i64 = 365 * 24 * 3_600_000;
        for by_ms in [YEAR_MS, -2 * YEAR_MS] {
            let began = owner.runtime.now();
            let step = async {
                owner.runtime.sleep(Duration::from_millis(100)).await;
                world.step_wall_clock(by_ms);
            };
            let caller = caller(&owner);
            let (found, ()) = futures_util::future::join(fetched(&caller, 0), step).await;
            assert_eq!(found, (ErrorCode::None, vec![]));
            let waited = owner.runtime.now() - began;
            assert!((500..600).contains(&waited.as_millis()), "{waited:?}");
        }
        node.stop().await;
    });
}
