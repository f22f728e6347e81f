//! What goes from shard to shard, as the bytes of replication's frames.

use corelane::base::ids::{LeaderEpoch, PartitionId, TopicId};
use corelane::replication::{
    Ack, Address, Answers, AnswersView, Entry, FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind, Mark,
    Push, PushView, Reconcile, Replica, Resume, encode_answers, encode_push,
};
use rkyv::util::AlignedVec;

const RECORD_BYTES: usize = 24;

/// A record that a client has produced: a value of its own, and for an idempotent producer its place in the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    pub epoch: LeaderEpoch,
    pub sequence: i32,
    /// 0 where the producer is not idempotent.
    pub producer: u64,
    pub value: u64,
}

/// What a follower has to say.
#[derive(Default)]
pub struct Words {
    pub acks: Vec<Ack>,
    pub resumes: Vec<Resume>,
}

impl Words {
    pub fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.resumes.is_empty()
    }

    pub fn append(&mut self, mut more: Words) {
        self.acks.append(&mut more.acks);
        self.resumes.append(&mut more.resumes);
    }
}

/// What a frame says.
pub enum Heard {
    Push { entries: Vec<(Entry, Vec<Record>)>, reconciles: Vec<Reconcile>, marks: Vec<Mark> },
    Answers { replica: Replica, has_failed: bool, through_sequence: u64, words: Words },
}

/// Which partition something in a frame is about.
pub fn partition(topic: [u8; 16], index: i32) -> PartitionId {
    PartitionId { topic: TopicId::from_bytes(topic), index }
}

/// Records of one term, as the leader of `leader_epoch` sends them.
pub fn entry(
    id: PartitionId,
    leader_epoch: LeaderEpoch,
    previous_epoch: LeaderEpoch,
    base_offset: i64,
    records: &[Record],
) -> Entry {
    let bytes = bytes_of(records);
    Entry {
        topic: id.topic.to_bytes(),
        index: id.index,
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
    let mut bytes = Vec::with_capacity(records.len() * RECORD_BYTES);
    for record in records {
        bytes.extend_from_slice(&record.epoch.to_le_bytes());
        bytes.extend_from_slice(&record.sequence.to_le_bytes());
        bytes.extend_from_slice(&record.producer.to_le_bytes());
        bytes.extend_from_slice(&record.value.to_le_bytes());
    }
    bytes
}

fn records_of(bytes: &[u8]) -> Vec<Record> {
    let i32_at = |bytes: &[u8], at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let record = |bytes: &[u8]| Record {
        epoch: i32_at(bytes, 0),
        sequence: i32_at(bytes, 4),
        producer: u64_at(bytes, 8),
        value: u64_at(bytes, 16),
    };
    bytes.chunks_exact(RECORD_BYTES).map(record).collect()
}

/// The frame of a push, with its records behind it.
pub fn push_frame(address: Address, push: &Push, records: &[Record]) -> AlignedVec {
    let mut frame = encode_push(address, push, AlignedVec::new());
    frame.extend_from_slice(&bytes_of(records));
    frame
}

/// The frame of a follower's words.
pub fn answers_frame(
    address: Address,
    replica: Replica,
    writer_failed: bool,
    through_sequence: u64,
    words: Words,
) -> AlignedVec {
    let answers = Answers {
        disk: *replica.disk.0.as_bytes(),
        incarnation: replica.incarnation,
        through_sequence,
        writer_failed,
        acks: words.acks,
        resumes: words.resumes,
    };
    encode_answers(address, &answers, AlignedVec::new())
}

/// What a frame says, and whose it is.
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
            let (replica, has_failed) = (archive.replica(header.address.from), archive.writer_failed);
            Heard::Answers { replica, has_failed, through_sequence, words }
        }
    };
    Ok((header.address, heard))
}
