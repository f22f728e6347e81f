//! What goes from node to node, as the bytes of frames.

use corelane::base::ids::LeaderEpoch;
use corelane::replication::{
    Ack, Address, Answers, AnswersView, Entry, FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind, Mark,
    Push, PushView, Reconcile, Replica, Resume, encode_answers, encode_push,
};
use rkyv::util::AlignedVec;

use super::node::PARTITION;

pub const CLUSTER: [u8; 16] = [7; 16];
const RECORD_BYTES: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    pub epoch: LeaderEpoch,
    pub value: u64,
}

/// What a follower has to say.
#[derive(Default)]
pub struct Words {
    pub acks: Vec<Ack>,
    pub resumes: Vec<Resume>,
}

/// What a frame says.
pub enum Heard {
    Push { entries: Vec<(Entry, Vec<Record>)>, reconciles: Vec<Reconcile>, marks: Vec<Mark> },
    Answers { replica: Replica, through_sequence: u64, words: Words },
}

pub fn entry(leader_epoch: LeaderEpoch, previous_epoch: i32, base_offset: i64, records: &[Record]) -> Entry {
    let bytes = bytes_of(records);
    Entry {
        topic: PARTITION.topic.to_bytes(),
        index: PARTITION.index,
        leader_epoch,
        records_epoch: records[0].epoch,
        previous_epoch,
        bytes: bytes.len() as u32,
        checksum: crc32fast::hash(&bytes),
        base_offset,
        end_offset: base_offset + records.len() as i64,
    }
}

fn bytes_of(records: &[Record]) -> Vec<u8> {
    let bytes = |it: &Record| [it.epoch.to_le_bytes().as_slice(), &it.value.to_le_bytes()].concat();
    records.iter().flat_map(bytes).collect()
}

fn records_of(bytes: &[u8]) -> Vec<Record> {
    let record = |bytes: &[u8]| Record {
        epoch: i32::from_le_bytes(bytes[..4].try_into().expect("4 bytes")),
        value: u64::from_le_bytes(bytes[4..].try_into().expect("8 bytes")),
    };
    bytes.chunks_exact(RECORD_BYTES).map(record).collect()
}

pub fn push_frame(address: Address, push: &Push, records: &[Record]) -> AlignedVec {
    let mut frame = encode_push(address, push, AlignedVec::new());
    frame.extend_from_slice(&bytes_of(records));
    frame
}

pub fn answers_frame(address: Address, replica: Replica, through_sequence: u64, words: Words) -> AlignedVec {
    let answers = Answers {
        disk: *replica.disk.0.as_bytes(),
        incarnation: replica.incarnation,
        through_sequence,
        writer_failed: false,
        acks: words.acks,
        resumes: words.resumes,
    };
    encode_answers(address, &answers, AlignedVec::new())
}

pub fn read(frame: &[u8]) -> Result<(Address, Heard), FrameError> {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a header");
    let header = FrameHeader::decode(header)?;
    let heard = match header.kind {
        FrameKind::Push => {
            let view = PushView::open(&header, body)?;
            Heard::Push {
                entries: view.entries().map(|(entry, bytes)| (entry, records_of(bytes))).collect(),
                reconciles: view.archive().reconciles.iter().map(|it| it.to_reconcile()).collect(),
                marks: view.archive().marks.iter().map(|it| it.to_mark()).collect(),
            }
        }
        FrameKind::Answers => {
            let archive = AnswersView::open(&header, body)?.archive();
            let acks = archive.acks.iter().map(|it| it.to_ack()).collect();
            let resumes = archive.resumes.iter().map(|it| it.to_resume()).collect();
            let through_sequence = archive.through_sequence.to_native();
            let words = Words { acks, resumes };
            Heard::Answers { replica: archive.replica(header.address.from), through_sequence, words }
        }
    };
    Ok((header.address, heard))
}
