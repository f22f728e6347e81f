//! What a frame between peer shards costs without disk and network: written, read where it lies, and taken by the
//! followers that it is for; by the number of its entries, each of a partition of its own with 1 KiB of records.

use std::hint::black_box;

use corelane::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use corelane::log::snapshot::EpochStart;
use corelane::partition::EpochHistory;
use corelane::replication::{
    Action, Address, Entry, FRAME_HEADER_BYTES, Follower, FollowerEffect, FollowerLog, FrameHeader,
    PeerShard, Push, PushView, Reconcile, Stream, encode_push,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rkyv::util::AlignedVec;

const TOPIC: [u8; 16] = [9; 16];
const RECORDS: [u8; 1024] = [7; 1024];
const END: i64 = 10;

fn address() -> Address {
    let peer = |node| PeerShard { node: NodeId(node), shard: ShardId(0) };
    let (from, to, stream) = (peer(1), peer(2), Stream::Live);
    Address { cluster: [7; 16], from, to, stream, session: 1, incarnation: 1, sequence: 1 }
}

fn push(entries: i32) -> Push {
    let entry = |index| Entry {
        topic: TOPIC,
        index,
        leader_epoch: 5,
        records_epoch: 5,
        previous_epoch: 5,
        bytes: RECORDS.len() as u32,
        checksum: crc32fast::hash(&RECORDS),
        base_offset: END,
        end_offset: END + 1,
    };
    Push { entries: (0..entries).map(entry).collect(), ..Push::default() }
}

fn history() -> EpochHistory {
    EpochHistory::restore(&[EpochStart { leader_epoch: 5, start_offset: 0 }]).expect("one term")
}

/// A follower whose log agrees with the leader's.
fn follower(index: i32, history: &EpochHistory) -> Follower {
    let log =
        FollowerLog { log_start: 0, durable_start: 0, high_watermark: END, durable_end: END, log_end: END };
    let mut effects = Vec::new();
    let mut follower = Follower::new(
        PartitionId { topic: TopicId::from_bytes(TOPIC), index },
        5,
        log,
        1,
        history,
        &mut effects,
    );
    let action = Action::Follow.code();
    let told = Reconcile { topic: TOPIC, index, leader_epoch: 5, round: 1, action, epoch: 5, offset: END };
    follower.reconcile(&told, history, &mut effects).expect("an answer");
    follower
}

fn read(frame: &[u8]) -> PushView<'_> {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
    let header = FrameHeader::decode(header).expect("a header");
    PushView::open(&header, body).expect("a push")
}

/// What is journaled and what is acknowledged.
fn apply(
    view: PushView<'_>,
    followers: &mut [Follower],
    history: &EpochHistory,
    effects: &mut Vec<FollowerEffect>,
) {
    for ((entry, records), follower) in view.entries().zip(followers) {
        black_box(records);
        follower.pushed(&entry, history, effects).expect("a leader's");
        follower.synced(1, effects);
    }
}

fn frames(criterion: &mut Criterion) {
    let history = history();
    for entries in [1, 16, 256, 4096] {
        let mut group = criterion.benchmark_group(format!("replication frame, {entries} entries of 1 KiB"));
        group.throughput(Throughput::Elements(entries as u64));
        let push = push(entries);
        let mut buffer = AlignedVec::new();
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                buffer = encode_push(address(), black_box(&push), std::mem::take(&mut buffer));
            });
        });
        let mut frame = encode_push(address(), &push, AlignedVec::new());
        push.entries.iter().for_each(|_| frame.extend_from_slice(&RECORDS));
        group.bench_function("validate, with the records' checksums", |bencher| {
            bencher.iter(|| read(black_box(&frame)));
        });
        let view = read(&frame);
        let followers: Vec<Follower> = (0..entries).map(|index| follower(index, &history)).collect();
        group.bench_function("apply", |bencher| {
            bencher.iter_batched_ref(
                || (followers.clone(), Vec::with_capacity(2 * entries as usize)),
                |(followers, effects)| apply(view, followers, &history, effects),
                BatchSize::LargeInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
