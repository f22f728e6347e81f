//! The storage's own cost, without a disk: group assembly, append to acknowledgement, fetch slices.

#[path = "support/memory_disk.rs"]
mod memory_disk;

use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;

use corelane::base::buffer::AlignedBuf;
use corelane::base::ids::{PartitionId, TopicId};
use corelane::cluster::TopicSettings;
use corelane::log::journal::entry::{Entry, EntryKind};
use corelane::log::journal::group::{GroupBuilder, GroupHeader};
use corelane::log::journal::ring::RingShape;
use corelane::log::recovery::{self, ShardPaths};
use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches};
use corelane::runtime::Runtime;
use corelane::shard::{CompactionConfig, PartitionSpec, ProducersConfig, Replica, Storage, StorageConfig};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memory_disk::MemoryRuntime;

fn partition(index: i32) -> PartitionId {
    PartitionId { topic: TopicId::from_bytes([1; 16]), index }
}

fn group_assembly(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("group_assembly");
    for (name, length, count) in [("64x1KiB", 1 << 10, 64), ("4x16KiB", 16 << 10, 4)] {
        let payload = vec![7; length];
        let entry = Entry {
            kind: EntryKind::Append,
            partition: partition(0),
            leader_epoch: 1,
            base_offset: 0,
            last_offset: 0,
            segment_base: 0,
            position: 0,
            first_batch_position: 0,
        };
        let header = GroupHeader {
            journal_id: [0; 16],
            recovery_count: 1,
            sequence: 1,
            durable_through: 0,
            previous_checksum: 0,
            is_start: false,
        };
        let mut memory = Some(AlignedBuf::with_capacity(1 << 20));
        group.throughput(Throughput::Bytes((length * count) as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut builder = GroupBuilder::new(memory.take().expect("put back below"));
                for _ in 0..count {
                    builder.push(&entry, &[black_box(&payload)]);
                }
                let (buffer, checksum) = builder.finish(&header);
                black_box(checksum);
                memory = Some(buffer);
            });
        });
    }
    group.finish();
}

struct Shard {
    runtime: Rc<MemoryRuntime>,
    storage: Rc<Storage>,
    replica: Rc<Replica>,
}

fn shard() -> Shard {
    let runtime = MemoryRuntime::new();
    let dynamic: Rc<dyn Runtime> = runtime.clone();
    let data = PathBuf::from("/data");
    let paths = ShardPaths { directory: data.join("shard-0"), journal_directory: data.join("journal") };
    let shape = RingShape { file_count: 4, file_bytes: 16 << 20, group_bytes_max: 2 << 20 };
    let config = StorageConfig {
        data_directory: data,
        shard_directory: paths.directory.clone(),
        group_bytes: 1 << 20,
        segment_bytes: 256 << 20,
        dirty_bytes_max: 16 << 20,
        tail_bytes_max: 32 << 20,
        cold_bytes_max: 32 << 20,
        open_segments_max: 64,
        retention_check_interval: std::time::Duration::from_secs(300),
        reclaim_step_bytes: 64 << 20,
        compaction: CompactionConfig::default(),
        producers: ProducersConfig::default(),
        extent_bytes_min: usize::MAX,
        disk_free_bytes_min: 0,
    };
    let spec = PartitionSpec {
        id: partition(0),
        topic_name: "bench".to_owned(),
        leader_epoch: 1,
        settings: TopicSettings { segment_bytes: 256 << 20, ..TopicSettings::default() },
    };
    let storage = runtime.run(async {
        recovery::create(&dynamic, &paths, [0; 16], shape).await.expect("created");
        Storage::open(Rc::clone(&dynamic), config, &paths, [0; 16], &[spec]).await.expect("opened")
    });
    runtime.spawn(Box::pin(Rc::clone(&storage).maintain()));
    let replica = storage.replica(partition(0)).expect("open");
    Shard { runtime, storage, replica }
}

async fn append(storage: &Storage, replica: &Rc<Replica>, batch: &[u8]) {
    let header = BatchHeader::parse(batch).expect("built here");
    let appended = storage.append(replica, &header, batch).await.expect("accepted");
    if let Some(committed) = replica.commit_waiter(appended.last_offset) {
        committed.await.expect("committed");
    }
}

fn append_to_acknowledgement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append_to_acknowledgement");
    for (name, length) in [("1KiB", 1 << 10), ("16KiB", 16 << 10)] {
        let batch = BatchBuilder::new().record(0, None, Some(&vec![7; length])).build();
        let shard = shard();
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| shard.runtime.run(append(&shard.storage, &shard.replica, &batch)));
        });
    }
    group.finish();
}

fn fetch_slices(criterion: &mut Criterion) {
    let shard = shard();
    let batch = BatchBuilder::new().record(0, None, Some(&[7; 1 << 10])).build();
    let count = 2_000;
    for _ in 0..count {
        shard.runtime.run(append(&shard.storage, &shard.replica, &batch));
    }
    let mut group = criterion.benchmark_group("fetch_slices");
    for (name, max_bytes) in [("one_batch", 1), ("1MiB", 1 << 20)] {
        let read = || shard.runtime.run(shard.storage.read(&shard.replica, count / 4, max_bytes));
        let length: usize = read().expect("readable").iter().map(|piece| piece.len()).sum();
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(read()).expect("readable").len()));
    }
    group.finish();
}

/// What it costs to look at batches that were read from disk, and to check their CRCs, which is done once for each
/// read.
fn run_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run_check");
    for (name, length) in [("1KiB", 1 << 10), ("16KiB", 16 << 10)] {
        let batch = BatchBuilder::new().record(0, None, Some(&vec![7; length])).build();
        let run = batch.repeat((512 << 10) / batch.len());
        group.throughput(Throughput::Bytes(run.len() as u64));
        let unchecked = || Batches::new(black_box(&run)).flatten().count();
        group.bench_function(format!("{name}/unchecked"), |bencher| bencher.iter(unchecked));
        let checked = || Batches::new(black_box(&run)).check_crc().flatten().count();
        assert_eq!(checked(), run.len() / batch.len());
        group.bench_function(format!("{name}/checked"), |bencher| bencher.iter(checked));
    }
    group.finish();
}

criterion_group!(benches, group_assembly, append_to_acknowledgement, fetch_slices, run_check);
criterion_main!(benches);
