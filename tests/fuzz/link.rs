//! Damaged bytes on the cluster port: whatever comes, it is a handshake or frames, or it is refused, and no more memory
//! is taken than what has arrived accounts for.

use corelane::base::ids::{NodeId, ShardId};
use corelane::link::{
    Answer, FrameReader, Framing, GREETING_PREFIX_BYTES, Gate, Hello, Own, Refusal, RefusalCode, Start,
    StreamKind, session_of,
};
use corelane::quorum::{
    Body, Entry, EntryKind, FRAME_HEADER_BYTES, FrameError, FrameHeader, Message, Outgoing, encode_frame,
};
use uuid::Uuid;

use super::random::Random;
use super::{allocation, seeds};

const SEEDS: u64 = 2_000;
const CLUSTER: [u8; 16] = [7; 16];
/// A stream that grows longer is cut.
const STREAM_BYTES_MAX: usize = 64 << 10;
/// What a stream may take: a step beyond what has arrived, and as much again for the messages that are made of it.
const MEMORY_MAX: usize = 1 << 20;

#[test]
fn link() {
    seeds::for_each("link", 0..SEEDS, run);
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let (mut hello, answer) = (hello(&mut random).encode(), answer(&mut random).encode());
    let mut answered = answer.clone();
    random.mutate(&mut hello, &answer, STREAM_BYTES_MAX);
    random.mutate(&mut answered, &hello, STREAM_BYTES_MAX);
    for message in [&mut hello, &mut answered] {
        if random.once_in(2) {
            seal(message);
        }
        check_handshake(message);
    }
    let (mut frames, other) = (frames(&mut random), frames(&mut random));
    random.mutate(&mut frames, &other, STREAM_BYTES_MAX);
    check_frames(&mut random, &frames);
}

fn start(random: &mut Random) -> Start {
    let disk = Uuid::from_u128(random.below(3) as u128);
    Start { node: NodeId(random.below(4) as u32), disk, incarnation: random.below(3) as u64 }
}

fn hello(random: &mut Random) -> Hello {
    let from = start(random);
    // Seldom one that no start has: these are turned away at once.
    let session = match random.once_in(8) {
        true => random.next(),
        false => session_of(from.incarnation, random.below(5) as u32),
    };
    Hello {
        cluster: CLUSTER,
        from,
        to: NodeId(random.below(3) as u32),
        kind: *random.pick(&StreamKind::ALL),
        from_shard: ShardId(random.below(3) as u16),
        to_shard: ShardId(random.below(3) as u16),
        session,
    }
}

fn answer(random: &mut Random) -> Answer {
    let text = "what to do ".repeat(random.below(60));
    let refusal = random.once_in(2).then(|| Refusal::new(RefusalCode::Busy, &text));
    Answer { by: start(random), refusal }
}

/// Makes length and checksum right again, if there is room for them.
fn seal(message: &mut [u8]) {
    if message.len() >= GREETING_PREFIX_BYTES + 4 {
        let length = message.len() as u16;
        message[8..10].copy_from_slice(&length.to_le_bytes());
        let content = message.len() - 4;
        let checksum = crc32fast::hash(&message[..content]);
        message[content..].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn check_handshake(message: &[u8]) {
    let mark = allocation::mark();
    if let Ok(hello) = Hello::decode(message) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        let own = Own {
            cluster: CLUSTER,
            start: Start { node: NodeId(1), disk: Uuid::nil(), incarnation: 1 },
            shards: 2,
            voters: vec![NodeId(1), NodeId(2)],
            kinds: StreamKind::ALL.to_vec(),
        };
        let mut gate = Gate::new(own);
        let verdict = gate.admit(&hello);
        let reply = gate.answer(&verdict);
        assert_eq!(Answer::decode(&reply.encode()), Ok(reply));
        if verdict.is_ok() {
            assert!(hello.cluster == CLUSTER && hello.to == NodeId(1) && hello.from.node != NodeId(1));
            assert!(gate.admit(&hello).is_err() || hello.kind == StreamKind::Control, "a session comes once");
        }
    }
    if let Ok(answer) = Answer::decode(message) {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    assert!(mark.peak_bytes() < MEMORY_MAX, "{} bytes of memory", mark.peak_bytes());
}

struct QuorumFrames;

impl Framing for QuorumFrames {
    type Header = FrameHeader;
    type Error = FrameError;
    const HEADER_BYTES: usize = FRAME_HEADER_BYTES;
    const BODY_BYTES_KEPT: usize = 1 << 10;

    fn decode_header(bytes: &[u8]) -> Result<FrameHeader, FrameError> {
        FrameHeader::decode(bytes.try_into().expect("a whole header"))
    }

    fn body_bytes(header: &FrameHeader) -> usize {
        header.body_bytes
    }
}

fn frames(random: &mut Random) -> Vec<u8> {
    let mut outgoing = Outgoing::new(CLUSTER, 1, 2, 3, 4);
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(4) {
        let length = random.below(2_000);
        let entries = vec![Entry { term: 1, kind: EntryKind::Command, data: random.bytes(length) }];
        let body = Body::Append { previous_index: 1, previous_term: 1, commit: 1, entries };
        let mut frame = encode_frame(&outgoing.address(), &Message { term: 1, body });
        if random.once_in(4) {
            // A length from far beyond, behind a right checksum.
            let body_bytes = random.below(20 << 20) as u32;
            frame[64..68].copy_from_slice(&body_bytes.to_le_bytes());
            let checksum = crc32fast::hash(&frame[..72]);
            frame[72..76].copy_from_slice(&checksum.to_le_bytes());
        }
        bytes.extend_from_slice(&frame);
    }
    bytes
}

fn check_frames(random: &mut Random, mut stream: &[u8]) {
    let mark = allocation::mark();
    let mut reader = FrameReader::<QuorumFrames>::new();
    while !stream.is_empty() {
        let most = 1 + random.below(3_000);
        let spare = reader.spare();
        let count = spare.len().min(most).min(stream.len());
        spare[..count].copy_from_slice(&stream[..count]);
        stream = &stream[count..];
        match reader.filled(count) {
            // The connection is closed.
            Err(_) => break,
            Ok(false) => {}
            Ok(true) => {
                let (header, body) = reader.frame().expect("whole");
                if header.decode_body(body).is_err() {
                    break;
                }
            }
        }
    }
    assert!(mark.peak_bytes() < MEMORY_MAX, "{} bytes of memory", mark.peak_bytes());
}
