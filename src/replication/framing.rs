//! Frames between peer shards as a connection's bytes are cut into them.

use super::frame::{FRAME_HEADER_BYTES, FrameError, FrameHeader};
use crate::base::limits::REPLICATION_BODY_BYTES_KEPT;
use crate::link::Framing;

/// See the module.
#[derive(Debug)]
pub enum ReplicationFrames {}

impl Framing for ReplicationFrames {
    type Header = FrameHeader;
    type Error = FrameError;
    const HEADER_BYTES: usize = FRAME_HEADER_BYTES;
    const BODY_BYTES_KEPT: usize = REPLICATION_BODY_BYTES_KEPT;

    fn decode_header(bytes: &[u8]) -> Result<FrameHeader, FrameError> {
        FrameHeader::decode(bytes.first_chunk().expect("as many bytes as a header has"))
    }

    fn body_bytes(header: &FrameHeader) -> usize {
        header.body_bytes()
    }
}

#[cfg(test)]
mod tests {
    use rkyv::util::AlignedVec;

    use super::*;
    use crate::base::ids::{NodeId, ShardId};
    use crate::link::FrameReader;
    use crate::replication::{Address, Answers, AnswersView, PeerShard, Stream, encode_answers};

    #[test]
    fn frames_come_out_whole_however_their_bytes_arrive() {
        let peer = |node| PeerShard { node: NodeId(node), shard: ShardId(3) };
        let address = |sequence| Address {
            cluster: [7; 16],
            from: peer(1),
            to: peer(2),
            stream: Stream::Live,
            session: 5,
            incarnation: 9,
            sequence,
        };
        let answers = |sequence| Answers { through_sequence: sequence, ..Answers::default() };
        let mut bytes = Vec::new();
        for sequence in 1..=3 {
            bytes.extend_from_slice(&encode_answers(
                address(sequence),
                &answers(sequence),
                AlignedVec::new(),
            ));
        }
        for step in [1, 7, 80, 4096] {
            let (mut reader, mut rest, mut seen) =
                (FrameReader::<ReplicationFrames>::new(), &bytes[..], Vec::new());
            while !rest.is_empty() {
                let spare = reader.spare();
                let taken = spare.len().min(step).min(rest.len());
                spare[..taken].copy_from_slice(&rest[..taken]);
                rest = &rest[taken..];
                if reader.filled(taken).expect("our own frames") {
                    let (header, body) = reader.frame().expect("it is whole");
                    let view = AnswersView::open(header, body).expect("our own frame");
                    seen.push((header.address.sequence, view.archive().through_sequence.to_native()));
                }
            }
            assert_eq!(seen, [(1, 1), (2, 2), (3, 3)], "in steps of {step}");
            assert!(reader.is_between_frames());
        }
    }
}
