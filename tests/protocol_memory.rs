//! What decoding allocates for hostile bytes, counted at the allocator. One test per binary: the count is of the
//! whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use corelane::protocol::messages::{
    alter_configs, api_versions, create_partitions, create_topics, delete_groups, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_topic_partitions, fetch, find_coordinator,
    heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group, list_groups,
    list_offsets, metadata, offset_commit, offset_fetch, produce, sync_group,
};
use corelane::protocol::{Message, Reader, Request, Writer, decode_allowance};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: delegates to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the test harness beside us, and of `Bytes` for its reference count.
const SLACK_BYTES: usize = 4 << 10;

/// Bytes that decoding `body` held at most, and whether it succeeded.
fn decode_peak<M: Message>(body: &Bytes, version: i16) -> (usize, bool) {
    let mut reader = Reader::new(body.clone());
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let decoded = M::decode(&mut reader, version);
    (PEAK.load(Relaxed) - before, decoded.is_ok())
}

/// Puts an array length at every position of an empty message and goes on with one byte for ever: empty strings,
/// empty arrays, or lengths that nothing follows.
fn check<M: Message>(largest: &mut usize) {
    let api = M::API;
    for version in [api.versions.min, api.flexible_from, api.versions.max] {
        let mut writer = Writer::default();
        M::default().encode(&mut writer, version);
        let empty = writer.into_chain().into_bytes();
        for position in 0..=empty.len() {
            for (length, fill) in
                [(1 << 10, 0), (20 << 10, 0), (20 << 10, 1), (20 << 10, 2), (20 << 10, 0xff)]
            {
                for count in [length as u32 / 4, length as u32 - 100, 1 << 30] {
                    for prefix in [&count.to_be_bytes()[..], &uvarint(count)] {
                        let mut body = empty[..position].to_vec();
                        body.extend_from_slice(prefix);
                        body.resize(length, fill);
                        let (peak, _) = decode_peak::<M>(&body.into(), version);
                        assert!(peak <= decode_allowance(length) + SLACK_BYTES, "{peak} bytes for {length}");
                        *largest = peak.max(*largest);
                    }
                }
            }
        }
    }
}

fn uvarint(value: u32) -> Bytes {
    let mut writer = Writer::default();
    writer.uvarint(value);
    writer.into_chain().into_bytes()
}

fn check_both<R: Request>(largest: &mut usize) {
    check::<R>(largest);
    check::<R::Response>(largest);
}

#[test]
fn hostile_bytes_cannot_make_decoding_allocate_more_than_a_small_multiple_of_them() {
    // Bodies that made another codec allocate 309 GB and 226 MB.
    let seven_bytes = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    let six_bytes = Bytes::from_static(&[0, 0x90, 0, 0, 0, 0]);
    for (body, version) in [(seven_bytes, 9), (six_bytes, 1)] {
        let (peak, succeeded) = decode_peak::<metadata::MetadataRequest>(&body, version);
        assert!(!succeeded && peak <= SLACK_BYTES, "{peak} bytes");
    }

    let mut largest = 0;
    check_both::<api_versions::ApiVersionsRequest>(&mut largest);
    check_both::<create_topics::CreateTopicsRequest>(&mut largest);
    check_both::<delete_topics::DeleteTopicsRequest>(&mut largest);
    check_both::<describe_cluster::DescribeClusterRequest>(&mut largest);
    check_both::<alter_configs::AlterConfigsRequest>(&mut largest);
    check_both::<create_partitions::CreatePartitionsRequest>(&mut largest);
    check_both::<incremental_alter_configs::IncrementalAlterConfigsRequest>(&mut largest);
    check_both::<describe_topic_partitions::DescribeTopicPartitionsRequest>(&mut largest);
    check_both::<describe_configs::DescribeConfigsRequest>(&mut largest);
    check_both::<fetch::FetchRequest>(&mut largest);
    check_both::<find_coordinator::FindCoordinatorRequest>(&mut largest);
    check_both::<init_producer_id::InitProducerIdRequest>(&mut largest);
    check_both::<list_offsets::ListOffsetsRequest>(&mut largest);
    check_both::<metadata::MetadataRequest>(&mut largest);
    check_both::<produce::ProduceRequest>(&mut largest);
    check_both::<delete_groups::DeleteGroupsRequest>(&mut largest);
    check_both::<describe_groups::DescribeGroupsRequest>(&mut largest);
    check_both::<heartbeat::HeartbeatRequest>(&mut largest);
    check_both::<join_group::JoinGroupRequest>(&mut largest);
    check_both::<leave_group::LeaveGroupRequest>(&mut largest);
    check_both::<list_groups::ListGroupsRequest>(&mut largest);
    check_both::<offset_commit::OffsetCommitRequest>(&mut largest);
    check_both::<offset_fetch::OffsetFetchRequest>(&mut largest);
    check_both::<sync_group::SyncGroupRequest>(&mut largest);
    // The attempts were good enough to come close to the bound.
    assert!(largest > decode_allowance(20 << 10) / 2, "{largest} bytes at most");
}
