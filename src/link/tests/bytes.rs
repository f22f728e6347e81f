//! The handshake's bytes.

use std::fmt::Write;

use proptest::prelude::*;
use uuid::Uuid;

use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{LINK_GREETING_BYTES_MAX, LINK_REFUSAL_TEXT_BYTES_MAX};
use crate::link::{
    Answer, GREETING_PREFIX_BYTES, GreetingError, Hello, Refusal, RefusalCode, Start, StreamKind, Versions,
};

fn start() -> impl Strategy<Value = Start> {
    (any::<u32>(), any::<u128>(), any::<u64>()).prop_map(|(node, disk, incarnation)| Start {
        node: NodeId(node),
        disk: Uuid::from_u128(disk),
        incarnation,
    })
}

fn hello() -> impl Strategy<Value = Hello> {
    let kind = prop::sample::select(StreamKind::ALL.to_vec());
    let ends = (start(), any::<u32>(), any::<u16>(), any::<u16>());
    (any::<[u8; 16]>(), ends, kind, any::<u64>()).prop_map(
        |(cluster, (from, to, from_shard, to_shard), kind, session)| {
            let (from_shard, to_shard) = (ShardId(from_shard), ShardId(to_shard));
            Hello { cluster, from, to: NodeId(to), kind, from_shard, to_shard, session }
        },
    )
}

fn answer() -> impl Strategy<Value = Answer> {
    let refusal = (1..=u16::MAX, "[ -~äß€]{0,200}");
    (start(), prop::option::of(refusal)).prop_map(|(by, refusal)| {
        let code = |number| match number {
            1 => RefusalCode::Unsupported,
            4 => RefusalCode::NodeIdTaken,
            9 => RefusalCode::Busy,
            10 => RefusalCode::NoClusterYet,
            number => RefusalCode::Other(number + 1_000 * u16::from(number < 10)),
        };
        Answer { by, refusal: refusal.map(|(number, text)| Refusal::new(code(number), &text)) }
    })
}

/// The same message with other bytes at some place, and a checksum that is right again.
fn forged(mut message: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    message[at..at + bytes.len()].copy_from_slice(bytes);
    let content = message.len() - 4;
    let checksum = crc32fast::hash(&message[..content]);
    message[content..].copy_from_slice(&checksum.to_le_bytes());
    message
}

/// What a later version adds.
fn extended(mut message: Vec<u8>, added: &[u8]) -> Vec<u8> {
    let content = message.len() - 4;
    message.splice(content..content, added.iter().copied());
    let length = message.len() as u16;
    let message = forged(message, 8, &length.to_le_bytes());
    forged(message, 6, &7_u16.to_le_bytes())
}

proptest! {
    #[test]
    fn a_handshake_comes_back_as_it_was(hello in hello(), answer in answer()) {
        prop_assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer.clone()));
        let bytes = answer.encode();
        prop_assert_eq!(Answer::message_bytes(bytes.first_chunk().expect("12 bytes")), Ok(bytes.len()));
    }

    #[test]
    fn what_a_later_version_adds_does_no_harm(hello in hello(), answer in answer(), added in prop::collection::vec(any::<u8>(), 0..99)) {
        prop_assert_eq!(Hello::decode(&extended(hello.encode(), &added)), Ok(hello));
        prop_assert_eq!(Answer::decode(&extended(answer.encode(), &added)), Ok(answer.clone()));
    }

    #[test]
    fn any_change_and_any_cut_is_noticed(
        hello in hello(), answer in answer(), at in any::<prop::sample::Index>(), bit in 0..8
    ) {
        for mut message in [hello.encode(), answer.encode()] {
            let at = at.index(message.len());
            prop_assert!(Hello::decode(&message[..at]).is_err() && Answer::decode(&message[..at]).is_err());
            message[at] ^= 1_u8 << bit;
            prop_assert!(Hello::decode(&message).is_err() && Answer::decode(&message).is_err());
        }
    }

    #[test]
    fn any_bytes_are_a_handshake_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Hello::decode(&bytes), Answer::decode(&bytes));
        if let Some(prefix) = bytes.first_chunk::<GREETING_PREFIX_BYTES>() {
            let length = Hello::message_bytes(prefix);
            prop_assert!(length.is_err() || length.is_ok_and(|bytes| bytes <= LINK_GREETING_BYTES_MAX));
        }
    }

    #[test]
    fn a_forged_handshake_is_one_or_refused(
        hello in hello(), answer in answer(), at in 0..40_usize, byte in any::<u8>()
    ) {
        let _ = Hello::decode(&forged(hello.encode(), at, &[byte]));
        if let Ok(answer) = Answer::decode(&forged(answer.encode(), at, &[byte])) {
            prop_assert!(answer.refusal.is_none_or(|refusal| refusal.text.len() <= LINK_REFUSAL_TEXT_BYTES_MAX));
        }
    }
}

fn sample_hello(kind: StreamKind) -> Hello {
    let disk = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    let from = Start { node: NodeId(1), disk, incarnation: 3 };
    let (from_shard, to_shard) = (ShardId(4), ShardId(5));
    Hello { cluster: [7; 16], from, to: NodeId(2), kind, from_shard, to_shard, session: 0x3_0000_0001 }
}

fn sample_answer(code: Option<RefusalCode>) -> Answer {
    let by = Start { node: NodeId(2), disk: Uuid::from_u128(0xff), incarnation: 9 };
    Answer { by, refusal: code.map(|code| Refusal::new(code, "do this")) }
}

/// Version 1 for ever: what an older node says, a newer one understands.
#[test]
fn version_1_stays_as_it_was() {
    let golden = include_str!("handshake-1.txt");
    let mut written = String::new();
    let mut write = |name: String, bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(written, "{name} {hex}").expect("memory");
    };
    for kind in StreamKind::ALL {
        write(format!("hello_{kind:?}"), &sample_hello(kind).encode());
    }
    write("accepted".to_owned(), &sample_answer(None).encode());
    let codes = (1..=11).map(RefusalCode::of_number);
    for code in codes.clone() {
        write(format!("refused_{code:?}"), &sample_answer(Some(code)).encode());
    }
    assert_eq!(written, golden, "what is written now:\n{written}");

    let messages: Vec<Vec<u8>> = golden.lines().map(bytes_of_line).collect();
    for (message, kind) in messages.iter().zip(StreamKind::ALL) {
        assert_eq!(Hello::decode(message), Ok(sample_hello(kind)));
    }
    for (message, code) in messages[4..].iter().zip([None].into_iter().chain(codes.map(Some))) {
        assert_eq!(Answer::decode(message), Ok(sample_answer(code)));
    }
}

fn bytes_of_line(line: &str) -> Vec<u8> {
    let hex = line.split_once(' ').expect("a name and bytes").1;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn what_is_not_ours_is_said() {
    let hello = sample_hello(StreamKind::Quorum).encode();
    let error = |message: Vec<u8>| Hello::decode(&message).expect_err("damaged");
    assert_eq!(error(b"GET / HTTP/1.1\r\n".to_vec()), GreetingError::NotOurs);
    assert_eq!(error(sample_answer(None).encode()), GreetingError::NotOurs);
    assert_eq!(error(forged(hello.clone(), 8, &[0, 0])), GreetingError::WrongLength(0));
    assert_eq!(error(forged(hello.clone(), 8, &[0xff, 0xff])), GreetingError::WrongLength(65_535));
    assert_eq!(error(forged(hello.clone(), 10, &[9, 0])), GreetingError::OtherKind(9));
    let versions = Versions { oldest: 2, newest: 5 };
    let newer = forged(hello, 4, &[2, 0, 5, 0]);
    assert_eq!(error(newer.clone()), GreetingError::OtherVersions(versions));
    assert!(error(newer).to_string().contains("versions 2 to 5"));

    let refused = sample_answer(Some(RefusalCode::Unsupported)).encode();
    assert!(Answer::decode(&forged(refused.clone(), 4, &[2, 0, 5, 0])).is_ok(), "a refusal is always read");
    let accepted = forged(sample_answer(None).encode(), 4, &[2, 0, 5, 0]);
    assert_eq!(Answer::decode(&accepted), Err(GreetingError::OtherVersions(versions)));
    assert_eq!(Answer::decode(&forged(refused.clone(), 42, b"\x1b[2J")), Err(GreetingError::Damaged));
    assert_eq!(Answer::decode(&forged(refused, 42, b"\xff")), Err(GreetingError::Damaged));
}

#[test]
fn the_newest_common_version_is_spoken() {
    let versions = |oldest, newest| Versions { oldest, newest };
    assert_eq!(versions(1, 3).common(versions(2, 9)), Some(3));
    assert_eq!(versions(2, 9).common(versions(1, 3)), Some(3));
    assert_eq!(versions(1, 1).common(versions(2, 3)), None);
    assert_eq!(versions(5, 1).common(versions(1, 5)), None, "a range that is none");
}

#[test]
fn the_end_of_a_long_refusal_is_left_out() {
    let refusal = Refusal::new(RefusalCode::Busy, &"€".repeat(300));
    assert_eq!(refusal.text.len(), 510);
    let answer = Answer { refusal: Some(refusal), ..sample_answer(None) };
    assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
}
