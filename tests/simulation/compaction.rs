//! Compaction on the simulated disk: what stays is what Kafka's rules keep, whatever codec it came in and wherever a crash
//! cuts it off; and it takes no more memory, time and disk than it may.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::Offset;
use corelane::base::limits::{CODEC_STEP_BYTES, COMPACTION_BYTES_PER_TURN};
use corelane::cluster::{CleanupPolicy, TopicSettings};
use corelane::log::segment::path;
use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches, Compression, HEADER_BYTES, RecordWalk};
use corelane::protocol::codec::{Packer, unpack};
use corelane::runtime::Runtime;
use corelane::runtime::sim::{CrashPoint, DiskFault, DiskOp};
use corelane::shard::{PartitionSpec, PassEnd, PassError, Replica, Storage, StorageError};

use super::files::orphans;
use super::node::{Node, SMALL, id, topic_settings};

const KEYS: u64 = 12;
const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
/// The longest batch that is sent, unpacked.
const BATCH_BYTES_MAX: usize = 80_000;

pub fn compacted(node: &Node) -> TopicSettings {
    let cleanup = CleanupPolicy { delete: false, compact: true };
    let settings = topic_settings(node.config.segment_bytes);
    TopicSettings { cleanup, cleanable_dirty_millionths_min: 0, ..settings }
}

fn set(storage: &Storage, settings: TopicSettings) {
    let leader_epoch = storage.replica(id(0)).expect("open").state.borrow().leader_epoch().expect("led");
    let spec = PartitionSpec { id: id(0), topic_name: "t".to_owned(), leader_epoch, settings };
    storage.change(&spec).expect("changed");
}

pub async fn boot(node: &Node, settings: TopicSettings) -> (Rc<Storage>, Rc<Replica>) {
    let storage = node.boot().await;
    assert!(storage.damage(id(0)).is_none(), "{:?}", storage.damage(id(0)));
    set(&storage, settings);
    let replica = storage.replica(id(0)).expect("open");
    // Leftover files are looked for before anything is compacted.
    node.runtime.sleep(Duration::from_millis(50)).await;
    (storage, replica)
}

/// A record as consumers see it: all of it but its offset and time.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub is_tombstone: bool,
    pub bytes: Vec<u8>,
}

pub fn records_of(batch: &[u8]) -> Vec<(Offset, Seen)> {
    let header = BatchHeader::parse(batch).expect("whole");
    let codec = header.attributes.compression().expect("known");
    let packed = &batch[HEADER_BYTES..];
    let records = match codec {
        Compression::None => packed.to_vec(),
        _ if header.record_count == 0 => Vec::new(),
        codec => unpack(codec, packed, BATCH_BYTES_MAX).expect("packed here"),
    };
    let seen = |record: corelane::protocol::batch::StoredRecord<'_>| {
        let mut bytes = Vec::new();
        record.put_at(0, &mut bytes);
        let key = record.key.map(<[u8]>::to_vec);
        let timestamp = header.base_timestamp + record.timestamp_delta;
        let offset = header.base_offset + i64::from(record.offset_delta);
        (offset, Seen { timestamp, key, is_tombstone: record.is_tombstone, bytes })
    };
    RecordWalk::new(&records, &header).map(|record| seen(record.expect("well-formed"))).collect()
}

/// A batch of some records under a random codec.
pub fn random_batch(random: &dyn Runtime, producer: Option<(i64, i32)>) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    if let Some((producer_id, sequence)) = producer {
        builder = builder.producer(producer_id, 0, sequence);
    }
    for _ in 0..1 + random.random_u64() % 6 {
        let key = [(random.random_u64() % KEYS) as u8];
        let length = if random.random_u64().is_multiple_of(8) { 9_000 } else { random.random_u64() % 300 };
        let value = random.random_u64().to_le_bytes().repeat(length as usize / 8 + 1);
        let value = (!random.random_u64().is_multiple_of(6)).then_some(&value[..]);
        let timestamp = (random.random_u64() % 1_000_000) as i64;
        let headers = [("same", Some(&b"1"[..])), ("same", None), ("", value)];
        let headers = &headers[..random.random_u64() as usize % 4];
        builder = builder.record_with_headers(timestamp, Some(&key), value, headers);
    }
    packed(&builder.build(), CODECS[random.random_u64() as usize % CODECS.len()])
}

fn packed(batch: &[u8], codec: Compression) -> Vec<u8> {
    if codec == Compression::None {
        return batch.to_vec();
    }
    let (header, records) = (BatchHeader::parse(batch).expect("built here"), &batch[HEADER_BYTES..]);
    let mut packer = Packer::new(codec, records.len(), Vec::new(), usize::MAX).expect("no bound");
    packer.step(records).expect("no bound");
    let packed = packer.finish().expect("no bound");
    let mut header = header.with_records_of(packed.len());
    header.attributes = header.attributes.with_compression(codec);
    [&header.with_crc_over(&packed).encode()[..], &packed].concat()
}

/// Appends and waits for the acknowledgement; the offset of the first record.
async fn send(storage: &Storage, replica: &Rc<Replica>, batch: &[u8]) -> Result<Offset, StorageError> {
    let header = BatchHeader::parse(batch).expect("built here");
    let appended = storage.append(replica, &header, batch).await?;
    if let Some(committed) = replica.commit_waiter(appended.last_offset) {
        committed.await.map_err(|_| storage.check_in_service().expect_err("or it is committed"))?;
    }
    Ok(appended.base_offset)
}

pub fn bounds(replica: &Replica) -> (Offset, Offset) {
    let state = replica.state.borrow();
    (state.progress().log_start(), state.progress().high_watermark())
}

/// All batches that can be read from `from` on; each read begins where the one before ended.
pub async fn batches_from(
    storage: &Storage,
    replica: &Rc<Replica>,
    from: Offset,
    max_bytes: usize,
) -> Vec<Vec<u8>> {
    let (mut offset, end) = (from, bounds(replica).1);
    let mut found = Vec::new();
    while offset < end {
        let bytes = match storage.read(replica, offset, max_bytes).await {
            Ok(pieces) => pieces.concat(),
            Err(StorageError::Fetch(_)) => break,
            Err(error) => panic!("read at {offset}: {error}"),
        };
        if bytes.is_empty() {
            // Compaction has left nothing up to where the log was cut.
            break;
        }
        for batch in Batches::new(&bytes).check_crc() {
            let batch = batch.expect("whole").batch;
            let header = batch.header();
            assert!(header.last_offset() >= offset, "{} is before {offset}", header.last_offset());
            offset = header.last_offset() + 1;
            found.push(batch.bytes().to_vec());
        }
    }
    found
}

pub async fn records_from(storage: &Storage, replica: &Rc<Replica>, from: Offset) -> Vec<(Offset, Seen)> {
    batches_from(storage, replica, from, 30_000).await.iter().flat_map(|batch| records_of(batch)).collect()
}

/// Seals what is being filled, so that all of it can be compacted.
pub async fn seal(storage: &Storage, replica: &Rc<Replica>) {
    let settings = replica.settings();
    set(storage, TopicSettings { segment_ms: -1, ..settings });
    storage.retain(replica).await.expect("sealed");
    set(storage, settings);
    assert!(replica.log.borrow().last_segment().is_none_or(|last| last.sealed));
}

/// What was sent, by offset.
pub type Sent = BTreeMap<Offset, Seen>;

fn note(sent: &mut Sent, batch: &[u8], base_offset: Offset) {
    for (offset, seen) in records_of(batch) {
        sent.insert(base_offset + offset, seen);
    }
}

/// The last record of each key, in order.
fn last_of_each(sent: &Sent) -> Vec<(Offset, Seen)> {
    let last: BTreeMap<_, _> = sent.iter().map(|(offset, seen)| (&seen.key, *offset)).collect();
    sent.iter().filter(|(offset, seen)| last[&seen.key] == **offset).map(|(o, s)| (*o, s.clone())).collect()
}

/// Some segments' worth of records, all of them in complete segments but for the last ones.
pub async fn fill(node: &Node, storage: &Storage, replica: &Rc<Replica>, batches: usize) -> Sent {
    let mut sent = Sent::new();
    for _ in 0..batches {
        let batch = random_batch(&*node.runtime, None);
        let base_offset = send(storage, replica, &batch).await.expect("acknowledged");
        note(&mut sent, &batch, base_offset);
    }
    sent
}

#[test]
fn of_each_key_the_last_record_stays_whatever_codec_it_came_in() {
    for seed in 0..8 {
        let node = Node::new(seed, SMALL, 1);
        let sent = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            let mut sent = fill(&node, &storage, &replica, 350).await;
            let before = segments(&replica);
            seal(&storage, &replica).await;
            assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
            sent.extend(fill(&node, &storage, &replica, 50).await);
            seal(&storage, &replica).await;
            assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
            assert_eq!(storage.dirt(&replica).dirty_bytes, 0);
            assert!(segments(&replica) < before, "small neighbours become one");
            check_all(&node, &storage, &replica, &sent).await;
            // Nothing is left to do.
            let is_same = records_from(&storage, &replica, 0).await;
            assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
            assert!(records_from(&storage, &replica, 0).await == is_same);
            let longest = storage.longest_compaction_turn_bytes() as usize;
            let most = COMPACTION_BYTES_PER_TURN + CODEC_STEP_BYTES + 9_100;
            assert!((1..=most).contains(&longest), "{longest} bytes in one turn");
            sent
        });
        // No checkpoint knows of it yet: it is undone, and done again.
        node.world.crash();
        node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            assert!(orphans(&node.runtime, &replica).await.is_empty(), "of neither side anything is left");
            seal(&storage, &replica).await;
            storage.compact_replica(&replica).await.expect("compacted");
            check_all(&node, &storage, &replica, &sent).await;
            storage.checkpoint_now().await;
            node.runtime.sleep(Duration::from_secs(1)).await;
            assert!(orphans(&node.runtime, &replica).await.is_empty(), "the old files are gone");
            storage.stop().await.expect("stopped");
        });
        node.world.crash();
        node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            assert_eq!(storage.dirt(&replica).dirty_bytes, 0, "how far it came is known");
            check_all(&node, &storage, &replica, &sent).await;
        });
    }
}

fn segments(replica: &Replica) -> usize {
    replica.log.borrow().segments().count()
}

fn offsets(records: &[(Offset, Seen)]) -> Vec<Offset> {
    records.iter().map(|(offset, _)| *offset).collect()
}

/// The last record of each key is there and no other, from wherever it is read and by whichever time.
pub async fn check_all(node: &Node, storage: &Storage, replica: &Rc<Replica>, sent: &Sent) {
    let expected = last_of_each(sent);
    let batches = batches_from(storage, replica, 0, 30_000).await;
    let found: Vec<_> = batches.iter().flat_map(|batch| records_of(batch)).collect();
    assert!(found == expected, "{:?} instead of {:?}", offsets(&found), offsets(&expected));
    let end = bounds(replica).1;
    for _ in 0..40 {
        let from = (node.runtime.random_u64() % end as u64) as Offset;
        let from_there: Vec<_> =
            batches_from(storage, replica, from, node.runtime.random_u64() as usize % 20_000).await;
        let is_later = |batch: &&Vec<u8>| BatchHeader::parse(batch).expect("whole").last_offset() >= from;
        assert!(from_there == batches.iter().filter(is_later).cloned().collect::<Vec<_>>(), "from {from}");

        let timestamp = (node.runtime.random_u64() % 1_001_000) as i64;
        let by_time = storage.batch_for_time(replica, timestamp).await.expect("looked up");
        let is_late = |batch: &&Vec<u8>| records_of(batch).iter().any(|(_, it)| it.timestamp >= timestamp);
        assert!(by_time.as_deref() == batches.iter().find(is_late).map(|it| &it[..]), "at {timestamp} ms");
    }
}

#[test]
fn what_does_not_fit_the_memory_waits_for_the_next_pass() {
    let mut node = Node::new(3, SMALL, 1);
    node.config.compaction.key_map_bytes_max = 5 * 24;
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        let sent = fill(&node, &storage, &replica, 100).await;
        seal(&storage, &replica).await;
        let mut passes = 1;
        while storage.compact_replica(&replica).await.expect("compacted") == PassEnd::MemoryFull {
            passes += 1;
        }
        assert!(passes > 3, "{passes} passes");
        check_all(&node, &storage, &replica, &sent).await;
    });
}

#[test]
fn a_batch_that_is_too_long_or_not_readable_stays_as_it_is() {
    let mut node = Node::new(4, SMALL, 1);
    node.config.compaction.batch_bytes_max = 5_000;
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        let long = BatchBuilder::new().record(1, Some(b"k"), Some(&[7; 6_000])).build();
        let (long_packed, mut garbage) = (packed(&long, Compression::Zstd), packed(&long, Compression::Gzip));
        garbage.truncate(HEADER_BYTES + 5);
        let header = BatchHeader::parse(&garbage).expect("built here");
        let header = header.with_records_of(5).with_crc_over(&garbage[HEADER_BYTES..]);
        garbage[..HEADER_BYTES].copy_from_slice(&header.encode());
        let short = BatchBuilder::new().record(2, Some(b"k"), Some(b"v")).build();
        for batch in [&short, &long, &long_packed, &garbage, &short] {
            send(&storage, &replica, batch).await.expect("acknowledged");
        }
        seal(&storage, &replica).await;
        assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
        let left: Vec<_> = batches_from(&storage, &replica, 0, 100_000).await;
        let offsets: Vec<_> =
            left.iter().map(|it| BatchHeader::parse(it).expect("whole").base_offset).collect();
        assert_eq!(offsets, [1, 2, 3, 4]);
        assert_eq!(left[2][HEADER_BYTES..], garbage[HEADER_BYTES..]);
    });
}

#[test]
fn it_takes_its_share_of_the_disk_and_no_more() {
    let mut node = Node::new(5, SMALL, 1);
    node.config.compaction.bytes_per_second = 50_000;
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        fill(&node, &storage, &replica, 200).await;
        seal(&storage, &replica).await;
        let bytes = storage.dirt(&replica).dirty_bytes;
        let began = node.runtime.now();
        storage.compact_replica(&replica).await.expect("compacted");
        let took = node.runtime.now() - began;
        assert!(took >= Duration::from_secs(2 * bytes / 50_000), "{bytes} bytes, read twice, in {took:?}");

        // It ends soon all the same when it must.
        set(&storage, TopicSettings { delete_retention_ms: 0, ..compacted(&node) });
        fill(&node, &storage, &replica, 200).await;
        seal(&storage, &replica).await;
        let (compacting, of) = (Rc::clone(&storage), Rc::clone(&replica));
        let ended = Rc::new(Cell::new(None));
        let told = Rc::clone(&ended);
        node.runtime.spawn(Box::pin(async move { told.set(Some(compacting.compact_replica(&of).await)) }));
        node.runtime.sleep(Duration::from_secs(1)).await;
        storage.delete(id(0)).await.expect("deleted");
        node.runtime.sleep(Duration::from_millis(500)).await;
        assert_eq!(ended.take(), Some(Err(PassError::Interrupted)));
        let directory = replica.log.borrow().directory().to_owned();
        assert!(node.runtime.list_dir(&directory).await.expect("listed").is_empty(), "nothing comes back");
    });
}

#[test]
fn damage_is_not_written_anew() {
    let node = Node::new(7, SMALL, 1);
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        fill(&node, &storage, &replica, 100).await;
        seal(&storage, &replica).await;
        let directory = replica.log.borrow().directory().to_owned();
        let files = node.runtime.list_dir(&directory).await.expect("listed");
        let log_file = files.iter().find(|path| path.extension().is_some_and(|it| it == "log"));
        node.world.rot(log_file.expect("there are some"), 700);
        let before = segments(&replica);
        assert_eq!(storage.compact_replica(&replica).await, Err(PassError::Corrupt));
        assert!(matches!(replica.check_intact(), Err(StorageError::Damaged(_))));
        assert_eq!(segments(&replica), before);
        assert_eq!(storage.compact_replica(&replica).await, Err(PassError::Interrupted), "it stays away");
        assert!(orphans(&node.runtime, &replica).await.is_empty());
    });
}

#[test]
fn a_disk_that_refuses_puts_a_pass_off() {
    let ops = [DiskOp::Allocate, DiskOp::Write, DiskOp::SetLength, DiskOp::Sync, DiskOp::SyncDir];
    for (seed, op) in ops.into_iter().enumerate() {
        let node = Node::new(seed as u64, SMALL, 1);
        let sent = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            let sent = fill(&node, &storage, &replica, 100).await;
            seal(&storage, &replica).await;
            node.runtime.sleep(Duration::from_millis(100)).await;
            node.world.fail(op, 1, DiskFault::Io);
            let outcome = storage.compact_replica(&replica).await;
            assert!(matches!(outcome, Err(PassError::Disk(_))), "{op:?}: {outcome:?}");
            // What a group of segments before has replaced waits for a checkpoint.
            let is_new = |path: &PathBuf| path::segment_of(path).is_some_and(|name| name.generation > 0);
            assert!(!orphans(&node.runtime, &replica).await.iter().any(is_new), "{op:?}");
            let is_in_service = storage.check_in_service().is_ok();
            assert_eq!(is_in_service, op != DiskOp::SyncDir, "{op:?}");
            if is_in_service {
                assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
                check_all(&node, &storage, &replica, &sent).await;
            }
            sent
        });
        node.world.crash();
        node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            seal(&storage, &replica).await;
            storage.compact_replica(&replica).await.expect("compacted");
            check_all(&node, &storage, &replica, &sent).await;
        });
    }
}

#[test]
fn tombstones_go_when_their_time_is_up() {
    let node = Node::new(6, SMALL, 1);
    node.run(async {
        let settings = TopicSettings { delete_retention_ms: 60_000, ..compacted(&node) };
        let (storage, replica) = boot(&node, settings).await;
        let batch = |value: Option<&[u8]>| BatchBuilder::new().record(5, Some(b"gone"), value).build();
        send(&storage, &replica, &batch(Some(b"1"))).await.expect("acknowledged");
        send(&storage, &replica, &batch(None)).await.expect("acknowledged");
        let stays = BatchBuilder::new().record(6, Some(b"stays"), Some(b"1")).build();
        send(&storage, &replica, &stays).await.expect("acknowledged");
        let pass = || async {
            seal(&storage, &replica).await;
            storage.compact_replica(&replica).await.expect("compacted");
            let found = records_from(&storage, &replica, 0).await;
            found.iter().map(|(offset, it)| (*offset, it.timestamp)).collect::<Vec<_>>()
        };
        assert_eq!(pass().await, [(1, 5), (2, 6)]);
        node.runtime.sleep(Duration::from_secs(30)).await;
        send(&storage, &replica, &stays).await.expect("acknowledged");
        assert_eq!(pass().await, [(1, 5), (3, 6)]);
        node.runtime.sleep(Duration::from_secs(31)).await;
        send(&storage, &replica, &stays).await.expect("acknowledged");
        assert_eq!(pass().await, [(4, 6)]);
        assert_eq!(storage.read(&replica, 0, 1_000).await.expect("read").concat().len(), stays.len());
    });
}

/// A crash at each of the disk's events from the begin of a pass to the removal of the last old file.
#[test]
fn a_pass_that_was_cut_off_is_finished_or_undone_by_the_next_start() {
    let (mut undone, mut finished) = (0, 0);
    for events in 0..150 {
        let node = Node::new(events, SMALL, 1);
        let sent = node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            let sent = fill(&node, &storage, &replica, 120).await;
            seal(&storage, &replica).await;
            storage.stop().await.expect("stopped");
            sent
        });
        node.world.crash();
        let alive = node.run(boot(&node, compacted(&node)));
        node.world.crash_at(CrashPoint::DiskEvents(events));
        let (storage, replica) = alive;
        let ended = node.world.block_on(async {
            storage.compact_replica(&replica).await.expect("compacted");
            storage.checkpoint_now().await;
            node.runtime.sleep(Duration::from_secs(1)).await;
        });
        drop((storage, replica));
        node.world.crash();
        node.run(async {
            let (storage, replica) = boot(&node, compacted(&node)).await;
            let left = orphans(&node.runtime, &replica).await;
            assert!(left.is_empty(), "{events} events: {left:?}");
            let is_done = storage.dirt(&replica).dirty_bytes == 0;
            assert!(is_done || ended.is_none(), "{events} events");
            (undone, finished) = (undone + u32::from(!is_done), finished + u32::from(is_done));
            let found = records_from(&storage, &replica, 0).await;
            let expected = if is_done { last_of_each(&sent) } else { sent.into_iter().collect() };
            assert!(found == expected, "{events} events: {:?}", offsets(&found));
        });
    }
    assert!(undone > 10 && finished > 10, "{undone} were undone, {finished} finished");
}
