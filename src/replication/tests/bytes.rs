//! What peer shards send each other, byte for byte.

use proptest::prelude::*;
use rkyv::util::AlignedVec;

use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{
    REPLICATION_ARCHIVE_BYTES_MAX, REPLICATION_PEERS_MAX, REPLICATION_RECORDS_BYTES_MAX,
};
use crate::replication::{
    Ack, Action, Address, Answers, AnswersView, Entry, FRAME_HEADER_BYTES, FrameError, FrameHeader, Mark,
    NeverSent, PeerShard, Push, PushView, Reconcile, Resume, Session, Sessions, StaleFrame, Stream,
    encode_answers, encode_push,
};

const CLUSTER: [u8; 16] = [7; 16];
const TOPIC: [u8; 16] = [9; 16];

fn peer(node: u32, shard: u16) -> PeerShard {
    PeerShard { node: NodeId(node), shard: ShardId(shard) }
}

fn address() -> Address {
    let (from, to, stream) = (peer(1, 2), peer(3, 4), Stream::CatchUp);
    Address { cluster: CLUSTER, from, to, stream, session: 5, incarnation: 6, sequence: 7 }
}

fn entry(index: i32, base_offset: i64, records: &[u8]) -> Entry {
    Entry {
        topic: TOPIC,
        index,
        leader_epoch: 11,
        records_epoch: 10,
        previous_epoch: 8,
        bytes: records.len() as u32,
        checksum: crc32fast::hash(records),
        base_offset,
        end_offset: base_offset + 3,
    }
}

fn push(all_records: &[Vec<u8>]) -> Push {
    let entries =
        all_records.iter().enumerate().map(|(at, records)| entry(at as i32, at as i64 * 100, records));
    let reconcile = Reconcile {
        topic: TOPIC,
        index: 1,
        leader_epoch: 11,
        round: 2,
        action: Action::Truncate.code(),
        epoch: 9,
        offset: 40,
    };
    let mark = Mark { topic: TOPIC, index: 1, leader_epoch: 11, high_watermark: 30, log_start_offset: 20 };
    Push { entries: entries.collect(), reconciles: vec![reconcile], marks: vec![mark] }
}

fn answers() -> Answers {
    let ack = Ack { topic: TOPIC, index: 1, leader_epoch: 11, durable_end: 30, durable_start: 20 };
    let (round, last_epoch, log_end, durable_end) = (2, 9, 40, 35);
    let resume = Resume { topic: TOPIC, index: 1, leader_epoch: 11, round, last_epoch, log_end, durable_end };
    Answers {
        disk: [8; 16],
        incarnation: 4,
        through_sequence: 6,
        writer_failed: true,
        acks: vec![ack],
        resumes: vec![resume],
    }
}

/// A whole frame as a receiver has it: in one aligned buffer.
fn frame_of(push: &Push, all_records: &[Vec<u8>]) -> AlignedVec {
    let mut frame = encode_push(address(), push, AlignedVec::new());
    all_records.iter().for_each(|records| frame.extend_from_slice(records));
    frame
}

fn read(frame: &[u8]) -> Result<(FrameHeader, PushView<'_>), FrameError> {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
    let header = FrameHeader::decode(header)?;
    Ok((header, PushView::open(&header, body)?))
}

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..5)
}

proptest! {
    #[test]
    fn a_push_is_read_where_it_lies(records in records()) {
        let push = push(&records);
        let frame = frame_of(&push, &records);
        let (header, view) = read(&frame).expect("a frame");
        prop_assert_eq!(header.address, address());
        let found: Vec<_> = view.entries().collect();
        prop_assert_eq!(found.len(), records.len());
        for ((found, bytes), (entry, records)) in found.into_iter().zip(push.entries.iter().zip(&records)) {
            prop_assert_eq!(&found, entry);
            prop_assert_eq!(bytes, records.as_slice());
            prop_assert!(frame.as_ptr_range().contains(&bytes.as_ptr()), "not a copy");
        }
        let reconciles: Vec<_> = view.archive().reconciles.iter().map(|it| it.to_reconcile()).collect();
        let marks: Vec<_> = view.archive().marks.iter().map(|it| it.to_mark()).collect();
        prop_assert_eq!((reconciles, marks), (push.reconciles, push.marks));
    }

    #[test]
    fn any_change_of_a_frame_is_noticed(
        records in records(), at in any::<prop::sample::Index>(), bit in 0..8
    ) {
        let mut frame = frame_of(&push(&records), &records);
        let at = at.index(frame.len());
        frame[at] ^= 1_u8 << bit;
        prop_assert!(read(&frame).is_err());
    }

    #[test]
    fn a_changed_archive_behind_right_checksums_is_read_or_refused(
        records in records(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut frame = frame_of(&push(&records), &records);
        let archive_bytes = read(&frame).expect("a frame").0.archive_bytes;
        frame[FRAME_HEADER_BYTES + at.index(archive_bytes)] = byte;
        let archive = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + archive_bytes];
        let checksum = crc32fast::hash(archive);
        frame[72..76].copy_from_slice(&checksum.to_le_bytes());
        seal_header(&mut frame);
        if let Ok((_, view)) = read(&frame) {
            view.entries().for_each(|(entry, records)| assert_eq!(entry.bytes as usize, records.len()));
        }
    }
}

proptest! {
    /// What somebody may send who has read this code, checksums included.
    #[test]
    fn any_archive_behind_right_checksums_is_read_or_refused(
        archive in prop::collection::vec(any::<u8>(), 0..300),
        all_records in prop::collection::vec(any::<u8>(), 0..50),
        kind in 1_u16..3,
    ) {
        let mut frame = AlignedVec::<16>::new();
        frame.extend_from_slice(&frame_of(&push(&[]), &[])[..FRAME_HEADER_BYTES]);
        frame.extend_from_slice(&archive);
        frame.extend_from_slice(&all_records);
        frame[36..38].copy_from_slice(&kind.to_le_bytes());
        frame[64..68].copy_from_slice(&(archive.len() as u32).to_le_bytes());
        frame[68..72].copy_from_slice(&(all_records.len() as u32).to_le_bytes());
        frame[72..76].copy_from_slice(&crc32fast::hash(&archive).to_le_bytes());
        seal_header(&mut frame);
        let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
        let header = FrameHeader::decode(header).expect("a right header");
        if let Ok(view) = PushView::open(&header, body) {
            view.entries().for_each(|(entry, records)| assert_eq!(entry.bytes as usize, records.len()));
        }
        if let Ok(view) = AnswersView::open(&header, body) {
            assert!(view.archive().acks.len() <= archive.len());
        }
    }

    #[test]
    fn any_80_bytes_are_a_header_or_not(bytes in prop::collection::vec(any::<u8>(), FRAME_HEADER_BYTES)) {
        let mut header: [u8; FRAME_HEADER_BYTES] = bytes.try_into().expect("as many");
        prop_assert_eq!(FrameHeader::decode(&header).err(), Some(FrameError::NotOurs));
        header[..8].copy_from_slice(b"CLRF\x01\0\0\0");
        seal_header(&mut header);
        if let Ok(read) = FrameHeader::decode(&header) {
            prop_assert!(read.body_bytes() <= REPLICATION_ARCHIVE_BYTES_MAX + REPLICATION_RECORDS_BYTES_MAX);
            prop_assert_eq!(read.encode(), header);
        }
    }
}

fn seal_header(frame: &mut [u8]) {
    let checksum = crc32fast::hash(&frame[..76]);
    frame[76..80].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn answers_are_read_where_they_lie() {
    let frame = encode_answers(address(), &answers(), AlignedVec::new());
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
    let header = FrameHeader::decode(header).expect("a header");
    let archive = AnswersView::open(&header, body).expect("answers").archive();
    assert_eq!((archive.disk, archive.incarnation.to_native()), ([8; 16], 4));
    assert_eq!((archive.through_sequence.to_native(), archive.writer_failed), (6, true));
    let replica = archive.replica(header.address.from);
    assert_eq!((replica.node, replica.shard, replica.incarnation), (NodeId(1), ShardId(2), 4));
    assert_eq!(replica.disk.0.as_bytes(), &[8; 16]);
    assert_eq!(archive.acks.iter().map(|it| it.to_ack()).collect::<Vec<_>>(), answers().acks);
    assert_eq!(archive.resumes.iter().map(|it| it.to_resume()).collect::<Vec<_>>(), answers().resumes);
    assert_eq!(PushView::open(&header, body).err(), Some(FrameError::OtherKind(2)));
}

#[test]
fn a_buffer_is_used_again() {
    let first = encode_answers(address(), &answers(), AlignedVec::new());
    let bytes = first.to_vec();
    let again = encode_answers(address(), &answers(), first);
    assert_eq!(again.as_slice(), bytes);
}

#[test]
fn a_frame_that_lies_askew_is_refused_not_misread() {
    let records = [b"records".to_vec()];
    let frame = frame_of(&push(&records), &records);
    for askew in 1..16 {
        let mut moved = AlignedVec::<16>::new();
        moved.resize(askew, 0);
        moved.extend_from_slice(&frame);
        assert_eq!(read(&moved[askew..]).err(), Some(FrameError::Misaligned), "by {askew}");
    }
}

#[test]
fn what_is_not_ours_is_said() {
    let frame = frame_of(&push(&[]), &[]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut header: [u8; FRAME_HEADER_BYTES] = frame[..FRAME_HEADER_BYTES].try_into().expect("a header");
        header[at..at + bytes.len()].copy_from_slice(bytes);
        seal_header(&mut header);
        FrameHeader::decode(&header).err()
    };
    assert_eq!(changed(0, b"X"), Some(FrameError::NotOurs));
    assert_eq!(changed(4, &[2]), Some(FrameError::OtherVersion(2)));
    assert_eq!(changed(36, &[3]), Some(FrameError::OtherKind(3)));
    assert_eq!(changed(38, &[0]), Some(FrameError::OtherStream(0)));
    let too_long = |archive_bytes, records_bytes| Some(FrameError::TooLong { archive_bytes, records_bytes });
    let archive_bytes = frame.len() - FRAME_HEADER_BYTES;
    assert_eq!(changed(68, &[0xff; 4]), too_long(archive_bytes, u32::MAX as usize));
    assert_eq!(changed(64, &[0xff; 4]), too_long(u32::MAX as usize, 0));
}

/// Version 1 for ever: what an older peer sends, a newer one reads. The file was not written by this code: its bytes
/// were put together from the description of the format.
#[test]
fn version_1_stays_as_it_was() {
    let records = [b"records".to_vec()];
    let hex = |frame: &[u8]| frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written = format!(
        "push {}\nanswers {}\n",
        hex(&frame_of(&push(&records), &records)),
        hex(&encode_answers(address(), &answers(), AlignedVec::new()))
    );
    assert_eq!(written, include_str!("frames-1.txt"), "what is written now:\n{written}");
}

fn session(from: PeerShard, stream: Stream, session: u64) -> Session {
    Session::new(CLUSTER, from, peer(2, 0), stream, session, 4)
}

#[test]
fn only_the_newest_session_counts_and_no_frame_is_missing() {
    let mut sessions = Sessions::new(CLUSTER, peer(2, 0), 4);
    let mut old = session(peer(1, 0), Stream::Live, 3);
    let (first, second, third) = (old.word(), old.word(), old.word());
    assert_eq!(sessions.admit(&first), Err(StaleFrame::OtherSession), "it has not begun");
    assert_eq!(sessions.begin(peer(1, 0), 3), Ok(()));
    let out_of_order = |found, expected| Err(StaleFrame::OutOfOrder { found, expected });
    assert_eq!(sessions.admit(&second), out_of_order(2, 1));
    assert_eq!(sessions.admit(&first), Ok(()));
    assert_eq!(sessions.admit(&first), out_of_order(1, 2), "again");
    assert_eq!(sessions.admit(&third), out_of_order(3, 2), "one is missing");
    assert_eq!(sessions.admit(&second), Ok(()));
    assert_eq!(sessions.begin(peer(1, 0), 3), Err(StaleFrame::OtherSession), "twice");
    assert_eq!(sessions.begin(peer(1, 0), 4), Ok(()));
    assert_eq!(sessions.admit(&third), Err(StaleFrame::OtherSession));
    let mut new = session(peer(1, 0), Stream::Live, 4);
    let next = new.word();
    assert_eq!(sessions.admit(&Address { cluster: [8; 16], ..next }), Err(StaleFrame::OtherCluster));
    assert_eq!(sessions.admit(&Address { to: peer(2, 1), ..next }), Err(StaleFrame::OtherReceiver));
    assert_eq!(sessions.admit(&Address { from: peer(2, 1), ..next }), Err(StaleFrame::OtherReceiver));
    assert_eq!(sessions.admit(&Address { incarnation: 3, ..next }), Err(StaleFrame::OtherIncarnation));
    assert_eq!(sessions.admit(&next), Ok(()));
}

#[test]
fn both_streams_of_a_session_end_together() {
    let mut sessions = Sessions::new(CLUSTER, peer(2, 0), 4);
    sessions.begin(peer(1, 0), 3).expect("a new session");
    let streams = [Stream::Live, Stream::CatchUp];
    let mut old = streams.map(|stream| session(peer(1, 0), stream, 3));
    old.iter_mut().for_each(|stream| assert_eq!(sessions.admit(&stream.word()), Ok(()), "its own sequence"));
    sessions.begin(peer(1, 0), 4).expect("a new session");
    for stream in &mut old {
        assert_eq!(sessions.admit(&stream.word()), Err(StaleFrame::OtherSession));
    }
}

#[test]
fn peers_are_bounded() {
    let mut sessions = Sessions::new(CLUSTER, peer(2, 0), 4);
    let peers = REPLICATION_PEERS_MAX as u32;
    (0..peers).for_each(|node| sessions.begin(peer(10 + node, 0), 1).expect("there is room"));
    assert_eq!(sessions.begin(peer(1, 0), 1), Err(StaleFrame::TooManyPeers));
    assert_eq!(sessions.begin(peer(10, 0), 2), Ok(()), "who is known may go on");
}

#[test]
fn a_window_fills_and_empties_and_words_never_wait() {
    let mut session = session(peer(1, 0), Stream::Live, 3);
    let quarter = crate::base::limits::REPLICATION_WINDOW_BYTES / 4;
    (1..=4).for_each(|sequence| assert_eq!(session.push(quarter).sequence, sequence));
    assert!(!session.has_room(1));
    assert_eq!(session.word().sequence, 5);
    assert_eq!(session.answered(2), Ok(()));
    assert!(session.has_room(2 * quarter) && !session.has_room(2 * quarter + 1));
    assert_eq!(session.answered(2), Ok(()));
    assert_eq!(session.answered(6), Err(NeverSent { found: 6, sent: 5 }));
    assert!(!session.has_room(2 * quarter + 1), "nothing changes");
    assert_eq!(session.answered(5), Ok(()));
    assert!(session.has_room(4 * quarter));
}
