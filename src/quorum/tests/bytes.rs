//! What members send each other, byte for byte.

use std::fmt::Write;

use proptest::prelude::*;

use super::samples;
use crate::quorum::convert;
use crate::quorum::session::{Incoming, Outgoing, StaleFrame};
use crate::quorum::{
    Address, Body, Chunk, Entry, EntryKind, FRAME_HEADER_BYTES, FrameError, FrameHeader, Members, Message,
    decode_frame, encode_frame,
};

const CLUSTER: [u8; 16] = [7; 16];

fn address() -> Address {
    Address { cluster: CLUSTER, from: 1, to: 2, session: 3, incarnation: 4, sequence: 5 }
}

proptest! {
    #[test]
    fn a_frame_is_read_as_it_was_written(message in samples::message()) {
        let frame = encode_frame(&address(), &message);
        prop_assert_eq!(decode_frame(&frame), Ok((address(), message)));
    }

    #[test]
    fn the_crate_is_told_what_was_said(message in samples::message()) {
        let is_chunk = matches!(message.body, Body::Chunk(_) | Body::ChunkReply { .. });
        let there = convert::to_raft(1, 2, &message);
        prop_assert_eq!(there.is_none(), is_chunk);
        if let Some(there) = there {
            let term = if matches!(message.body, Body::ReadIndex { .. }) { 0 } else { message.term };
            prop_assert_eq!(convert::of_raft(&there), Some(Message { term, body: message.body }));
        }
    }

    #[test]
    fn any_change_of_a_frame_is_noticed(message in samples::message(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut frame = encode_frame(&address(), &message);
        let at = at.index(frame.len());
        frame[at] ^= 1_u8 << bit;
        prop_assert!(decode_frame(&frame).is_err());
    }

    #[test]
    fn any_bytes_behind_a_right_checksum_are_a_message_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let header = header_of(&body);
        let _ = FrameHeader::decode(&header).expect("a header").decode_body(&body);
    }

    #[test]
    fn a_changed_archive_is_a_message_or_refused(
        message in samples::message(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut body = encode_frame(&address(), &message).split_off(FRAME_HEADER_BYTES);
        let at = at.index(body.len());
        body[at] = byte;
        let _ = FrameHeader::decode(&header_of(&body)).expect("a header").decode_body(&body);
    }
}

/// The header of a frame with any body.
fn header_of(body: &[u8]) -> [u8; FRAME_HEADER_BYTES] {
    let frame = encode_frame(&address(), &Message { term: 1, body: Body::TakeOver });
    let mut header: [u8; FRAME_HEADER_BYTES] = frame[..FRAME_HEADER_BYTES].try_into().expect("a header");
    header[64..68].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[68..72].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let checksum = crc32fast::hash(&header[..72]);
    header[72..].copy_from_slice(&checksum.to_le_bytes());
    header
}

#[test]
fn what_is_not_ours_is_said() {
    let mut header = header_of(&[]);
    header[0] = b'X';
    assert_eq!(FrameHeader::decode(&header), Err(FrameError::NotOurs));
    let mut header = header_of(&[]);
    header[4] = 2;
    assert_eq!(FrameHeader::decode(&header), Err(FrameError::OtherVersion(2)));
    let mut header = header_of(&[]);
    header[64..68].copy_from_slice(&u32::MAX.to_le_bytes());
    let checksum = crc32fast::hash(&header[..72]);
    header[72..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(FrameHeader::decode(&header), Err(FrameError::TooLong(u32::MAX as usize)));
}

/// Version 1 for ever: what an older member sends, a newer one reads.
#[test]
fn version_1_stays_as_it_was() {
    let golden = include_str!("frames-1.txt");
    let mut written = String::new();
    for (name, message) in messages() {
        let frame = encode_frame(&address(), &message);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(written, "{name} {hex}").expect("memory");
    }
    assert_eq!(written, golden, "what is written now:\n{written}");
    for (line, (_, message)) in golden.lines().zip(messages()) {
        let hex = line.split_once(' ').expect("a name and bytes").1;
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
        let frame: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        assert_eq!(decode_frame(&frame), Ok((address(), message)));
    }
}

fn messages() -> Vec<(&'static str, Message)> {
    let message = |body| Message { term: 9, body };
    let entries = vec![
        Entry { term: 7, kind: EntryKind::Command, data: b"data".to_vec() },
        Entry { term: 9, kind: EntryKind::Members, data: b"x".to_vec() },
    ];
    let members = Members { voters: vec![1, 2, 3], learners: vec![4] };
    let records = vec![("key".to_owned(), b"value".to_vec())];
    let chunk = Chunk { index: 5, entry_term: 7, members, checksum: 11, number: 2, is_last: true, records };
    let (last_index, last_term, commit, commit_term) = (5, 7, 4, 6);
    let vote = Body::Vote { trial: true, transfer: false, last_index, last_term, commit, commit_term };
    vec![
        ("append", message(Body::Append { previous_index: 5, previous_term: 7, commit: 4, entries })),
        ("appended", message(Body::Appended { index: 6, commit: 5 })),
        ("refused", message(Body::Refused { index: 6, hint_index: 3, hint_term: 2, commit: 1 })),
        ("vote", message(vote)),
        ("voted", message(Body::Voted { trial: false, granted: true, commit: 0, commit_term: 0 })),
        ("heartbeat", message(Body::Heartbeat { commit: 5, read: 99 })),
        ("heartbeat_reply", message(Body::HeartbeatReply { commit: 5, read: 99 })),
        ("read_index", Message { term: 0, body: Body::ReadIndex { read: 99 } }),
        ("read_index_reply", message(Body::ReadIndexReply { read: 99, index: 5 })),
        ("take_over", message(Body::TakeOver)),
        ("chunk", message(Body::Chunk(chunk))),
        ("chunk_reply", message(Body::ChunkReply { index: 5, next: 3 })),
    ]
}

#[test]
fn only_the_newest_session_counts_and_each_frame_once() {
    let mut incoming = Incoming::new(CLUSTER, 2, 4);
    let mut old = Outgoing::new(CLUSTER, 1, 2, 3, 4);
    let (first, second, third) = (old.address(), old.address(), old.address());
    assert_eq!(incoming.admit(&second), Ok(()));
    assert_eq!(incoming.admit(&first), Err(StaleFrame::Repeated), "it comes late");
    assert_eq!(incoming.admit(&second), Err(StaleFrame::Repeated));
    let mut new = Outgoing::new(CLUSTER, 1, 2, 4, 4);
    assert_eq!(incoming.admit(&new.address()), Ok(()));
    assert_eq!(incoming.admit(&third), Err(StaleFrame::OldSession));
    assert_eq!(incoming.admit(&Address { cluster: [8; 16], ..new.address() }), Err(StaleFrame::OtherCluster));
    assert_eq!(incoming.admit(&Address { to: 3, ..new.address() }), Err(StaleFrame::OtherReceiver));
    assert_eq!(
        incoming.admit(&Address { incarnation: 3, ..new.address() }),
        Err(StaleFrame::OtherIncarnation)
    );
    for from in 3..=65 {
        assert_eq!(incoming.admit(&Address { from, ..new.address() }), Ok(()));
    }
    assert_eq!(incoming.admit(&Address { from: 66, ..new.address() }), Err(StaleFrame::TooManyPeers));
}
