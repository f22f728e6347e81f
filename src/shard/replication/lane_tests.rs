//! What waits for a connection, without one.

use bytes::Bytes;
use rkyv::util::AlignedVec;
use uuid::Uuid;

use super::answer_lane::AnswerLane;
use super::host::Identity;
use super::links::OutFrame;
use super::push_lane::PushLane;
use crate::base::ids::{NodeId, Offset, ShardId};
use crate::base::limits::REPLICATION_UNSENT_FRAMES_MAX;
use crate::link::Start;
use crate::replication::{
    Ack, Action, AnswersView, Entry, FRAME_HEADER_BYTES, FrameHeader, Mark, PeerShard, PushView, Reconcile,
    Resume, Session, Stream,
};

const CLUSTER: [u8; 16] = [1; 16];

fn peer(node: u32) -> PeerShard {
    PeerShard { node: NodeId(node), shard: ShardId(0) }
}

fn session() -> Session {
    Session::new(CLUSTER, peer(1), peer(2), Stream::Live, 1, 1)
}

fn lane() -> PushLane {
    let mut lane = PushLane::default();
    lane.begin(session());
    lane
}

fn entry(index: i32, records: &[u8]) -> Entry {
    Entry {
        topic: [7; 16],
        index,
        leader_epoch: 3,
        records_epoch: 3,
        previous_epoch: -1,
        bytes: records.len() as u32,
        checksum: crc32fast::hash(records),
        base_offset: 0,
        end_offset: 1,
    }
}

fn mark(index: i32, high_watermark: Offset) -> Mark {
    Mark { topic: [7; 16], index, leader_epoch: 3, high_watermark, log_start_offset: 0 }
}

/// Header and body, as they arrive.
fn arrived(frame: &OutFrame) -> (FrameHeader, AlignedVec) {
    let header = frame.head.first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
    let mut body = AlignedVec::new();
    body.extend_from_slice(&frame.head[FRAME_HEADER_BYTES..]);
    frame.records.iter().for_each(|records| body.extend_from_slice(records));
    (FrameHeader::decode(header).expect("our own"), body)
}

#[test]
fn neighbours_in_a_group_are_one_piece_and_arrive_apart() {
    let group = Bytes::from_static(b"....aabbb..cc..");
    let mut lane = lane();
    for (index, range) in [(0, 4..6), (1, 6..9), (2, 11..13)] {
        assert!(lane.has_room(range.len()));
        lane.add_of_group(entry(index, &group[range.clone()]), &group, range);
    }
    lane.flush();
    let frame = lane.next().expect("it was flushed");
    assert_eq!(frame.records, [&b"aabbb"[..], b"cc"]);
    let (header, body) = arrived(&frame);
    let view = PushView::open(&header, &body).expect("our own");
    let entries: Vec<_> = view.entries().map(|(entry, records)| (entry.index, records)).collect();
    assert_eq!(entries, [(0, &b"aa"[..]), (1, &b"bbb"[..]), (2, &b"cc"[..])]);
    assert!(lane.next().is_none());
}

#[test]
fn only_the_newest_word_on_a_partition_goes_and_with_records_if_there_are_any() {
    let mut lane = lane();
    let reconcile = |round| Reconcile {
        topic: [7; 16],
        index: 0,
        leader_epoch: 3,
        round,
        action: Action::Follow.code(),
        epoch: 0,
        offset: 0,
    };
    lane.reconcile(reconcile(1));
    lane.reconcile(reconcile(2));
    for (index, high_watermark) in [(0, 5), (1, 6), (0, 7)] {
        lane.mark(mark(index, high_watermark));
    }
    assert!(lane.has_room(1));
    lane.add(entry(0, b"x"), [Bytes::from_static(b"x")]);
    lane.flush();
    let (header, body) = arrived(&lane.next().expect("it was flushed"));
    let view = PushView::open(&header, &body).expect("our own");
    let marks: Vec<_> = view.archive().marks.iter().map(|it| it.to_mark().high_watermark).collect();
    let rounds: Vec<_> = view.archive().reconciles.iter().map(|it| it.to_reconcile().round).collect();
    assert_eq!((marks, rounds), (vec![7, 6], vec![2]));

    lane.mark(mark(1, 9));
    let (header, body) = arrived(&lane.next().expect("words go alone as well"));
    assert_eq!(header.address.sequence, 2);
    assert_eq!(PushView::open(&header, &body).expect("our own").entries().count(), 0);
}

#[test]
fn a_socket_that_takes_nothing_fills_the_lane_and_no_more() {
    let mut lane = lane();
    let mut frames = 0;
    while lane.has_room(100) {
        lane.add(entry(0, &[1; 100]), [Bytes::from_static(&[1; 100])]);
        lane.flush();
        frames += 1;
    }
    assert_eq!((frames, lane.unsent()), (REPLICATION_UNSENT_FRAMES_MAX, REPLICATION_UNSENT_FRAMES_MAX));
    let frame = lane.next().expect("they wait");
    assert!(lane.has_room(100), "the socket has taken one");
    lane.give_back(frame.head);
    let bytes = lane.window_bytes();
    lane.answered(1).expect("it was sent");
    assert!(lane.window_bytes() < bytes);
    assert!(lane.answered(1_000).is_err(), "that was never sent");
    lane.end();
    assert!(!lane.has_room(1) && lane.next().is_none(), "there is no session");
}

#[test]
fn answers_go_when_there_is_something_to_say_or_time_has_passed() {
    let start = Start { node: NodeId(1), disk: Uuid::from_u128(4), incarnation: 6 };
    let identity = Identity { cluster: CLUSTER, start, shard: ShardId(0) };
    let mut lane = AnswerLane::default();
    lane.begin(session(), false);
    lane.looked_at(1, 10);
    assert!(!lane.is_urgent() && lane.next(&identity, false).is_none());
    assert!(lane.tick());
    let frame = lane.next(&identity, false).expect("time has passed");
    let (header, body) = arrived(&frame);
    let view = AnswersView::open(&header, &body).expect("our own");
    assert_eq!((view.archive().through_sequence.to_native(), view.archive().acks.len()), (1, 0));
    assert!(!lane.tick() && lane.next(&identity, false).is_none(), "all is said");

    let ack = |durable_end| Ack { topic: [7; 16], index: 0, leader_epoch: 3, durable_end, durable_start: 0 };
    lane.acknowledge(ack(4));
    lane.acknowledge(ack(8));
    let (header, body) = arrived(&lane.next(&identity, false).expect("something is synced"));
    let view = AnswersView::open(&header, &body).expect("our own");
    let ends: Vec<_> = view.archive().acks.iter().map(|it| it.to_ack().durable_end).collect();
    assert_eq!((ends, view.archive().incarnation.to_native()), (vec![8], 6));

    lane.acknowledge(ack(9));
    let resume = Resume {
        topic: [7; 16],
        index: 0,
        leader_epoch: 3,
        round: 1,
        last_epoch: 3,
        log_end: 5,
        durable_end: 5,
    };
    lane.resume(resume);
    let (header, body) = arrived(&lane.next(&identity, false).expect("a question"));
    let view = AnswersView::open(&header, &body).expect("our own");
    assert_eq!(
        (view.archive().acks.len(), view.archive().resumes.len()),
        (0, 1),
        "the log is another one now"
    );
}
