//! A compacted partition through its lives: produced to, compacted, read, moved at its start and cut at its end, all at
//! once, until a crash.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::Offset;
use corelane::base::limits::BLOCK_BYTES;
use corelane::base::planted::{Bug, plant};
use corelane::cluster::TopicSettings;
use corelane::offline::plan_checkpoint;
use corelane::protocol::batch::{BatchHeader, Batches};
use corelane::runtime::sim::CrashPoint;
use corelane::runtime::{OpenMode, Runtime};
use corelane::shard::{PassError, Replica, Storage, StorageError};

use super::compaction::{
    Sent, batches_from, boot, bounds, compacted, fill, random_batch, records_from, records_of, seal,
};
use super::files::orphans;
use super::lost_records::site;
use super::node::{Node, SMALL, paths};

/// What every life of a partition shares.
struct Life {
    sent: RefCell<Sent>,
    acknowledged_end: Cell<Offset>,
    /// The last offset of each key.
    last: RefCell<BTreeMap<Option<Vec<u8>>, Offset>>,
    /// Records that a later one with their key has followed, at any time.
    may_be_gone: RefCell<BTreeSet<Offset>>,
    /// Tombstones may be gone.
    forgets: bool,
    log_start_attempt: Cell<Offset>,
    passes: Cell<u32>,
    /// Between lives both checkpoints are made anew.
    loses_checkpoints: bool,
    /// What repairs have listed as lost.
    left_out: Cell<u32>,
}

impl Life {
    fn note(&self, batch: &[u8], base_offset: Offset) {
        let mut sent = self.sent.borrow_mut();
        for (offset, seen) in records_of(batch) {
            let before = self.last.borrow_mut().insert(seen.key.clone(), base_offset + offset);
            self.may_be_gone.borrow_mut().extend(before);
            let is_gone_later = self.forgets && seen.is_tombstone;
            match is_gone_later {
                true => self.may_be_gone.borrow_mut().insert(base_offset + offset),
                false => self.may_be_gone.borrow_mut().remove(&(base_offset + offset)),
            };
            sent.insert(base_offset + offset, seen);
        }
    }

    fn cut(&self, end: Offset) {
        self.sent.borrow_mut().retain(|offset, _| *offset < end);
        self.last.borrow_mut().retain(|_, offset| *offset < end);
        self.acknowledged_end.set(self.acknowledged_end.get().min(end));
    }

    /// What is read was sent, and what is missing may be.
    async fn check(&self, storage: &Storage, replica: &Rc<Replica>) {
        let (log_start, end) = bounds(replica);
        assert!(end >= self.acknowledged_end.get(), "{end} of {}", self.acknowledged_end.get());
        let attempt = self.log_start_attempt.get();
        if self.loses_checkpoints {
            // A log begins where its first file does then: compaction may have left nothing of what was before.
            let (sent, may_be_gone) = (self.sent.borrow(), self.may_be_gone.borrow());
            let skipped = sent.keys().filter(|offset| (attempt..log_start).contains(offset));
            skipped.for_each(|offset| assert!(may_be_gone.contains(offset), "{offset} is skipped"));
        } else {
            assert!(log_start <= attempt);
        }
        self.cut(end);
        self.acknowledged_end.set(end);
        let found = records_from(storage, replica, log_start).await;
        assert!(found.is_sorted_by(|a, b| a.0 < b.0));
        let sent = self.sent.borrow();
        for (offset, seen) in &found {
            assert!(sent.get(offset) == Some(seen), "at {offset}");
        }
        let found: BTreeMap<_, _> = found.into_iter().collect();
        let may_be_gone = self.may_be_gone.borrow();
        for offset in sent.range(log_start..).map(|(offset, _)| offset) {
            assert!(may_be_gone.contains(offset) || found.contains_key(offset), "{offset} is missing");
        }
    }
}

async fn produce_on(
    node: Rc<dyn Runtime>,
    storage: Rc<Storage>,
    replica: Rc<Replica>,
    life: Rc<Life>,
    producer: i64,
) {
    let mut sequence = 0;
    loop {
        let batch = random_batch(&*node, (producer > 0).then_some((producer, sequence)));
        let header = BatchHeader::parse(&batch).expect("built here");
        match storage.append(&replica, &header, &batch).await {
            Ok(appended) => {
                life.note(&batch, appended.base_offset);
                sequence += header.record_count;
                if let Some(committed) = replica.commit_waiter(appended.last_offset)
                    && committed.await.is_err()
                {
                    return;
                }
                if replica.state.borrow().progress().log_end() > appended.last_offset {
                    life.acknowledged_end.set(life.acknowledged_end.get().max(appended.last_offset + 1));
                }
            }
            // Nobody leads it while it is cut.
            Err(StorageError::Append(_)) => {}
            Err(_) => return,
        }
        node.sleep(Duration::from_micros(node.random_u64() % 800)).await;
    }
}

async fn compact_on(node: Rc<dyn Runtime>, storage: Rc<Storage>, replica: Rc<Replica>, life: Rc<Life>) {
    loop {
        node.sleep(Duration::from_micros(node.random_u64() % 30_000)).await;
        match storage.compact_replica(&replica).await {
            Ok(_) => life.passes.set(life.passes.get() + 1),
            Err(PassError::Interrupted) => return,
            Err(error) => panic!("{error}"),
        }
        if node.random_u64().is_multiple_of(3) {
            storage.checkpoint_now().await;
        }
    }
}

async fn read_on(node: Rc<dyn Runtime>, storage: Rc<Storage>, replica: Rc<Replica>, life: Rc<Life>) {
    loop {
        node.sleep(Duration::from_micros(node.random_u64() % 5_000)).await;
        let (start, end) = bounds(&replica);
        if end > start && storage.check_in_service().is_ok() {
            let from = start + (node.random_u64() % (end - start) as u64) as Offset;
            let Ok(pieces) = storage.read(&replica, from, node.random_u64() as usize % 20_000).await else {
                continue;
            };
            let bytes = pieces.concat();
            for batch in Batches::new(&bytes).check_crc() {
                for (offset, seen) in records_of(batch.expect("whole").batch.bytes()) {
                    assert!(life.sent.borrow().get(&offset) == Some(&seen), "at {offset}");
                }
            }
        }
    }
}

async fn move_start_on(node: Rc<dyn Runtime>, storage: Rc<Storage>, replica: Rc<Replica>, life: Rc<Life>) {
    loop {
        node.sleep(Duration::from_micros(node.random_u64() % 120_000)).await;
        let (start, end) = bounds(&replica);
        if replica.settings().cleanup.delete {
            life.log_start_attempt.set(life.log_start_attempt.get().max(end));
            if storage.retain(&replica).await.is_err() {
                return;
            }
            continue;
        }
        let offset = start + (node.random_u64() % ((end - start) as u64 / 3 + 1)) as Offset;
        life.log_start_attempt.set(life.log_start_attempt.get().max(offset));
        if storage.advance_log_start(&replica, offset).await.is_err() {
            return;
        }
    }
}

async fn cut_on(node: Rc<dyn Runtime>, storage: Rc<Storage>, replica: Rc<Replica>, life: Rc<Life>) {
    let mut leader_epoch = replica.state.borrow().leader_epoch().expect("led");
    loop {
        node.sleep(Duration::from_micros(node.random_u64() % 60_000)).await;
        let (start, end) = bounds(&replica);
        let offset = end - (node.random_u64() % ((end - start) as u64 + 1)) as Offset;
        replica.state.borrow_mut().resign();
        // It may be cut before the batch that holds the offset.
        life.acknowledged_end.set(life.acknowledged_end.get().min(offset.saturating_sub(6)));
        match storage.truncate(&replica, offset).await {
            Ok(()) => life.cut(replica.state.borrow().progress().log_end()),
            Err(StorageError::OutsideLog(_)) => {}
            Err(_) => return,
        }
        leader_epoch += 1;
        replica.state.borrow_mut().become_leader(leader_epoch).expect("a later term");
    }
}

/// Loses both checkpoints between two lives, and has one made of what is in the files. What that leaves out is known to be.
fn lose_checkpoints(node: &Node, life: &Life) {
    for number in 0..2 {
        let path = paths().directory.join(format!("checkpoint.{number}"));
        if node.run(node.runtime.open(&path, OpenMode::Read)).is_ok() {
            node.world.rot(&path, node.world.random_below(80));
        }
    }
    let repair = node.run(async {
        let site = site(node).await;
        let plan = plan_checkpoint(&site, None).await.expect("planned");
        plan.carry_out(&site, &()).await.expect("the disk works")
    });
    node.world.crash();
    for lost in repair.lost {
        let is_lost =
            |offset: &Offset| lost.offsets.from <= *offset && (*offset < lost.offsets.until || lost.and_more);
        life.may_be_gone.borrow_mut().extend(life.sent.borrow().keys().filter(|offset| is_lost(offset)));
        if is_lost(&(life.acknowledged_end.get() - 1)) {
            life.acknowledged_end.set(life.acknowledged_end.get().min(lost.offsets.from));
        }
        // Where first segments are left out the log begins behind them.
        life.log_start_attempt.set(life.log_start_attempt.get().max(lost.offsets.until));
        life.left_out.set(life.left_out.get() + 1);
    }
}

fn lives(seed: u64) -> u32 {
    lives_of(seed, false).passes.get()
}

fn lives_of(seed: u64, loses_checkpoints: bool) -> Rc<Life> {
    let mut node = Node::new(seed, SMALL, 1);
    node.config.compaction.bytes_per_second = 64 << 20;
    // Now and then many batches go past the journal.
    node.config.extent_bytes_min = [1, 3][node.world.random_below(2) as usize] * BLOCK_BYTES;
    if node.world.random_below(3) == 0 {
        node.config.compaction.key_map_bytes_max = 8 * 24;
    }
    // What was cut off may come back from a segment's file without a checkpoint.
    let is_cut = node.world.random_below(2) == 0 && !loses_checkpoints;
    let forgets = node.world.random_below(2) == 0;
    let delete_retention_ms = if forgets { 0 } else { i64::MAX };
    let mut settings = TopicSettings { delete_retention_ms, ..compacted(&node) };
    if node.world.random_below(3) == 0 {
        settings.cleanup.delete = true;
        (settings.retention_bytes, settings.retention_ms) = (Some(150_000), None);
    }
    let life = Rc::new(Life {
        sent: RefCell::default(),
        acknowledged_end: Cell::new(0),
        last: RefCell::default(),
        may_be_gone: RefCell::default(),
        forgets,
        log_start_attempt: Cell::new(0),
        passes: Cell::new(0),
        loses_checkpoints,
        left_out: Cell::new(0),
    });
    for number in 1..=5 {
        match node.world.random_below(3) {
            0 => node.world.crash_at(CrashPoint::DiskEvents(node.world.random_below(2_000))),
            1 => node
                .world
                .crash_at(CrashPoint::After(Duration::from_micros(node.world.random_below(400_000)))),
            _ => {}
        }
        let alive = node.world.block_on(async {
            let (storage, replica) = boot(&node, settings).await;
            life.check(&storage, &replica).await;
            let runtime = &node.runtime;
            let parts = || (Rc::clone(runtime), Rc::clone(&storage), Rc::clone(&replica), Rc::clone(&life));
            let (a, b, c, d) = parts();
            runtime.spawn(Box::pin(produce_on(a, b, c, d, if is_cut { 0 } else { number })));
            let (a, b, c, d) = parts();
            runtime.spawn(Box::pin(compact_on(a, b, c, d)));
            let (a, b, c, d) = parts();
            runtime.spawn(Box::pin(move_start_on(a, b, c, d)));
            let (a, b, c, d) = parts();
            match is_cut {
                true => runtime.spawn(Box::pin(cut_on(a, b, c, d))),
                false => runtime.spawn(Box::pin(read_on(a, b, c, d))),
            }
            runtime.sleep(Duration::from_millis(100 + runtime.random_u64() % 400)).await;
            (storage, replica)
        });
        if let Some((storage, replica)) = alive
            && node.world.random_below(3) == 0
        {
            let stopped = node.world.block_on(async {
                replica.state.borrow_mut().resign();
                node.runtime.sleep(Duration::from_millis(20)).await;
                storage.stop().await.expect("stopped");
            });
            assert!(stopped.is_some() || number > 0);
        }
        node.world.crash();
        if loses_checkpoints && node.world.random_below(2) == 0 {
            lose_checkpoints(&node, &life);
        }
    }
    node.run(async {
        let (storage, replica) = boot(&node, settings).await;
        life.check(&storage, &replica).await;
        assert!(orphans(&node.runtime, &replica).await.is_empty(), "seed {seed}");
    });
    life
}

#[test]
fn compaction_loses_nothing_wherever_it_is_cut_off() {
    let seeds = super::seeds::seeds(0..16);
    let passes: u32 = seeds.clone().map(lives).sum();
    assert!(u64::from(passes) > seeds.end - seeds.start, "{passes} passes");
}

/// Files of segments before and after compaction are told apart without any checkpoint.
#[test]
fn compaction_loses_nothing_without_checkpoints() {
    let lives: Vec<_> = (0..24).map(|seed| lives_of(seed, true)).collect();
    let passes: u32 = lives.iter().map(|life| life.passes.get()).sum();
    let left_out: u32 = lives.iter().map(|life| life.left_out.get()).sum();
    assert!(passes > 24 && left_out <= 24, "{passes} passes, {left_out} times something was left out");
}

#[test]
fn a_planted_bug_is_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    plant(Some(Bug::DiscardEarly));
    let noticed = (0..100).find(|&seed| catch_unwind(AssertUnwindSafe(|| lives(seed))).is_err());
    plant(None);
    let _ = std::panic::take_hook();
    let seed = noticed.expect("noticed");
    println!("discard compacted segments before a checkpoint: noticed after {} seeds", seed + 1);
}

/// The journal still holds records of the segments that compaction has put one in the place of, under that one's base
/// offset and elsewhere in it.
#[test]
fn what_the_journal_holds_of_a_segment_before_is_not_mixed_into_the_one_that_is_cut() {
    for seed in 0..60 {
        let node = Node::new(seed, SMALL, 1);
        let kept = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            fill(&node, &storage, &replica, 5 + node.world.random_below(30) as usize).await;
            seal(&storage, &replica).await;
            storage.compact_replica(&replica).await.expect("compacted");
            storage.checkpoint_now().await;
            let before = batches_from(&storage, &replica, 0, 30_000).await;
            let end = bounds(&replica).1;
            replica.state.borrow_mut().resign();
            let offset = node.world.random_below(end as u64) as Offset;
            storage.truncate(&replica, offset).await.expect("cut");
            let is_below = |batch: &Vec<u8>| BatchHeader::parse(batch).expect("whole").last_offset() < offset;
            before.into_iter().filter(is_below).collect::<Vec<_>>()
        });
        node.world.crash();
        node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            assert!(batches_from(&storage, &replica, 0, 30_000).await == kept, "seed {seed}");
        });
    }
}
