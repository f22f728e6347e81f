//! Frames out of a connection's bytes.

use proptest::prelude::*;

use crate::base::limits::LINK_BODY_STEP_BYTES;
use crate::link::{FrameReader, Framing};

const BODY_BYTES_MAX: usize = 1 << 20;

/// Frames of which the header is the body's length, and five more bytes so that nothing is aligned by itself.
struct Plain;

impl Framing for Plain {
    type Header = usize;
    type Error = &'static str;
    const HEADER_BYTES: usize = 9;
    const BODY_BYTES_KEPT: usize = 100_000;

    fn decode_header(bytes: &[u8]) -> Result<usize, &'static str> {
        let length = u32::from_le_bytes(bytes[..4].try_into().expect("4 bytes")) as usize;
        if length > BODY_BYTES_MAX { Err("too long") } else { Ok(length) }
    }

    fn body_bytes(header: &usize) -> usize {
        *header
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(b"later");
    frame.extend_from_slice(body);
    frame
}

/// Reads all of `bytes`, at most as many at once as `reads` says in turn.
fn read_all(bytes: &[u8], reads: &[usize]) -> (Vec<Vec<u8>>, bool) {
    let mut reader = FrameReader::<Plain>::new();
    let (mut bodies, mut rest, mut reads) = (Vec::new(), bytes, reads.iter().cycle());
    while !rest.is_empty() {
        let most = *reads.next().expect("they go round");
        let spare = reader.spare();
        assert!(!spare.is_empty(), "who reads nothing takes it for the connection's end");
        let count = spare.len().min(most).min(rest.len());
        spare[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        let is_whole = reader.filled(count).expect("a header");
        assert_eq!(is_whole, reader.frame().is_some());
        if let Some((_, body)) = reader.frame() {
            assert_eq!(body.as_ptr().addr() % 16, 0);
            bodies.push(body.to_vec());
        }
    }
    (bodies, reader.is_between_frames())
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in(
        lengths in prop::collection::vec(prop_oneof![Just(0), 0..300_usize, 0..300_000_usize], 1..6),
        reads in prop::collection::vec(prop_oneof![1..20_usize, 1..200_000_usize], 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let reads = if lengths.iter().sum::<usize>() > 2_000 { vec![70_000] } else { reads };
        let bodies: Vec<Vec<u8>> =
            lengths.iter().enumerate().map(|(at, length)| vec![at as u8 + 1; *length]).collect();
        let bytes: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
        prop_assert_eq!(read_all(&bytes, &reads), (bodies.clone(), true));

        let cut = cut.index(bytes.len());
        let (found, is_between) = read_all(&bytes[..cut], &reads);
        prop_assert_eq!(&found[..], &bodies[..found.len()]);
        let whole: usize = found.iter().map(|body| frame(body).len()).sum();
        prop_assert_eq!(is_between, whole == cut);
    }
}

#[test]
fn a_long_length_alone_costs_nothing() {
    let mut reader = FrameReader::<Plain>::new();
    let header = &frame(&vec![0; BODY_BYTES_MAX])[..9];
    reader.spare().copy_from_slice(header);
    assert_eq!(reader.filled(9), Ok(false));
    let mut taken = 0;
    while taken < BODY_BYTES_MAX {
        let spare = reader.spare().len();
        assert!(spare <= taken.max(LINK_BODY_STEP_BYTES), "no more than has arrived, or one step");
        taken += spare;
        assert_eq!(reader.filled(spare), Ok(taken == BODY_BYTES_MAX));
    }
    reader.spare();
    assert!(reader.is_between_frames());

    reader.spare().copy_from_slice(&[0xff; 9]);
    assert_eq!(reader.filled(9), Err("too long"));
}

#[test]
fn memory_is_used_again() {
    let mut reader = FrameReader::<Plain>::new();
    let mut places = std::collections::BTreeSet::new();
    for length in [500, 200, 500, 1, 499] {
        reader.spare().copy_from_slice(&frame(&vec![0; length])[..9]);
        reader.filled(9).expect("a header");
        let spare = reader.spare();
        assert_eq!(spare.len(), length);
        assert_eq!(reader.filled(length), Ok(true));
        places.insert(reader.frame().expect("whole").1.as_ptr().addr());
    }
    assert_eq!(places.len(), 1);
}
