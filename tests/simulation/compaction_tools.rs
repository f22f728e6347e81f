//! The offline tools and the scrub on compacted logs: they find nothing where nothing is wrong, whatever a crash or a stop
//! has left of the segments before, and find what has rotted; and a log can be cut amid what compaction has written.

use std::path::PathBuf;
use std::rc::Rc;

use corelane::base::ids::{Offset, ShardId};
use corelane::log::segment::path;
use corelane::offline::{DumpOptions, FindingKind, Row, Site, Verified, dump, plan_truncate, stat, verify};
use corelane::protocol::batch::BatchHeader;
use corelane::runtime::sim::CrashPoint;
use corelane::shard::{PassEnd, Replica, Storage};

use super::compaction::{batches_from, boot, bounds, compacted, fill, seal};
use super::node::{DISK_ID, Node, SMALL, id, paths};

const SEEDS: u64 = 24;
const NO_HURRY: u64 = u64::MAX;

async fn site(node: &Node) -> Site {
    let shards = vec![(ShardId(0), paths())];
    Site::new(Rc::clone(&node.runtime), PathBuf::from("/data"), DISK_ID, shards).await.expect("listed")
}

/// A log that was compacted twice and went on, and its batches. How its life ended depends on the seed: whether a
/// checkpoint knows of what compaction has done, and whether the files of before are still there.
fn written(node: &Node, seed: u64) -> Vec<Vec<u8>> {
    let batches = node.run(async {
        let (storage, replica) = boot(node, compacted(node)).await;
        for count in [150, 60] {
            fill(node, &storage, &replica, count).await;
            seal(&storage, &replica).await;
            assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
        }
        if seed.is_multiple_of(2) {
            fill(node, &storage, &replica, 30).await;
        }
        let batches = batches_from(&storage, &replica, 0, 30_000).await;
        match seed % 4 {
            0 => {}
            1 => storage.checkpoint_now().await,
            2 => storage.stop().await.expect("stopped"),
            _ => {
                storage.checkpoint_now().await;
                node.runtime.sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        batches
    });
    node.world.crash();
    batches
}

/// Whether a checkpoint knows of what compaction has done.
fn is_known(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

async fn look(node: &Node) -> Verified {
    let site = site(node).await;
    stat(&site, None).await.expect("the disk reads");
    let options =
        DumpOptions { partition: None, journal: true, records: true, from: 0, batches_max: u64::MAX };
    let mut damaged = 0;
    let mut count = |row: Row| {
        // A torn checkpoint beside a whole one is told, and does no harm.
        damaged +=
            usize::from(matches!(row, Row::Damage(finding) if finding.kind == FindingKind::Corruption));
        Ok(())
    };
    dump(&site, &options, &mut count).await.expect("the disk reads").expect("rows are taken");
    let verified = verify(&site, None, &()).await.expect("the disk reads");
    assert_eq!(damaged > 0, !verified.is_sound(), "{:?}", verified.findings);
    verified
}

async fn scrub(storage: &Storage, replica: &Rc<Replica>) -> u64 {
    let before = storage.scrub_meters().damaged_ranges.get();
    storage.scrub_partition(replica, NO_HURRY).await;
    assert!(storage.scrub_meters().segments.get() > 0);
    storage.scrub_meters().damaged_ranges.get() - before
}

/// A file that compaction has written, and its length.
fn longest_compacted(replica: &Replica) -> (PathBuf, u64) {
    let log = replica.log.borrow();
    let compacted = log.segments().filter(|segment| segment.generation > 0);
    let longest = compacted.max_by_key(|segment| segment.end_position).expect("there is one");
    (path::log_file(log.directory(), longest.name()), longest.end_position)
}

#[test]
fn what_compaction_writes_is_sound_until_it_rots() {
    for seed in 0..SEEDS {
        let node = Node::new(seed, SMALL, 1);
        let batches = written(&node, seed);
        let verified = node.run(look(&node));
        assert!(verified.is_sound(), "seed {seed}: {:?}", verified.findings);
        if is_known(seed) {
            assert_eq!(verified.totals.batches, batches.len() as u64, "seed {seed}");
        }
        let rotten = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            assert_eq!(scrub(&storage, &replica).await, 0, "seed {seed}");
            seal(&storage, &replica).await;
            storage.compact_replica(&replica).await.expect("compacted");
            storage.checkpoint_now().await;
            assert_eq!(scrub(&storage, &replica).await, 0, "seed {seed}");
            let (file, end) = longest_compacted(&replica);
            node.world.rot(&file, end - 1);
            assert_eq!(scrub(&storage, &replica).await, 1, "seed {seed}");
            file
        });
        node.world.crash();
        let verified = node.run(look(&node));
        let listed = &verified.findings.listed;
        assert!(!verified.is_sound());
        assert!(listed.iter().any(|finding| finding.file == rotten), "seed {seed}: {listed:?}");
    }
}

fn last_offset(batch: &[u8]) -> Offset {
    BatchHeader::parse(batch).expect("whole").last_offset()
}

/// Cuts anywhere, now and then with a loss of power amid it; then the log goes on, and is there after another crash.
#[test]
fn a_compacted_log_can_be_cut_by_hand() {
    let mut amid = 0;
    for seed in 0..4 * SEEDS {
        let node = Node::new(seed, SMALL, 1);
        written(&node, seed);
        // What a start makes of it: a pass of which no checkpoint knew is undone.
        let batches = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            batches_from(&storage, &replica, 0, 30_000).await
        });
        node.world.crash();
        let asked = node.world.random_below(last_offset(&batches[batches.len() - 1]) as u64) as Offset;
        let kept = batches.iter().filter(|batch| last_offset(batch) < asked).count();
        let plan = node.run(async { plan_truncate(&site(&node).await, id(0), asked).await });
        let plan = plan.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(plan.offset <= asked);
        let power_goes = seed.is_multiple_of(3);
        if power_goes {
            node.world.crash_at(CrashPoint::DiskEvents(1 + node.world.random_below(80)));
        }
        let ended = node.world.block_on(async { plan.carry_out(&site(&node).await, &()).await });
        assert!(ended.is_some() || power_goes);
        let is_done = ended.is_some();
        if let Some(outcome) = ended {
            outcome.expect("the disk works");
        }
        node.world.crash();
        let verified = node.run(look(&node));
        assert!(verified.is_sound(), "seed {seed}: {:?}", verified.findings);
        let mut log = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            let found = batches_from(&storage, &replica, 0, 30_000).await;
            let is_cut = found == batches[..kept];
            assert!(is_cut || (!is_done && found == batches), "seed {seed}: cut at {asked}");
            amid += usize::from(replica.log.borrow().segments().last().is_some_and(|last| {
                let is_filled = last.next_offset > last.base_offset;
                last.generation > 0 && is_filled && !last.may_grow()
            }));
            fill(&node, &storage, &replica, 20).await;
            batches_from(&storage, &replica, 0, 30_000).await
        });
        node.world.crash();
        assert!(log.starts_with(&batches[..kept]));
        for compacts in [false, true] {
            log = node.run(async {
                let (storage, replica) = boot(&node, compacted(&node)).await;
                let found = batches_from(&storage, &replica, 0, 30_000).await;
                assert!(found == log, "seed {seed}");
                let (_, end) = bounds(&replica);
                assert_eq!(end, last_offset(&log[log.len() - 1]) + 1);
                if compacts {
                    seal(&storage, &replica).await;
                    assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
                }
                storage.stop().await.expect("stopped");
                batches_from(&storage, &replica, 0, 30_000).await
            });
            node.world.crash();
            let verified = node.run(look(&node));
            assert!(verified.is_sound(), "seed {seed}: {:?}", verified.findings);
        }
    }
    assert!(amid > SEEDS as usize / 2, "{amid} cuts went through what compaction has written");
}
