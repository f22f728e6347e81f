use proptest::prelude::*;

use super::*;
use crate::base::limits::CODEC_STEP_BYTES;
use crate::protocol::batch::Compression;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// Packed behind three other bytes, which are cut off again.
fn pack(codec: Compression, bytes: &[u8], allowed_bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut packer = Packer::new(codec, bytes.len(), vec![7; 3], allowed_bytes + 3)?;
    for piece in bytes.chunks(CODEC_STEP_BYTES) {
        packer.step(piece)?;
    }
    let packed = packer.finish()?;
    assert_eq!(&packed[..3], [7; 3]);
    Ok(packed[3..].to_vec())
}

fn compressible(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at / 50) as u8).collect()
}

#[test]
fn what_is_packed_unpacks_up_to_exactly_what_is_allowed() {
    for length in [1, 100, CODEC_STEP_BYTES - 1, CODEC_STEP_BYTES, CODEC_STEP_BYTES + 1, 300_000] {
        let bytes = compressible(length);
        for codec in CODECS {
            let packed = pack(codec, &bytes, 1 << 20).unwrap();
            assert_eq!(unpack(codec, &packed, length).as_deref(), Ok(&bytes[..]), "{codec:?}");
            assert_eq!(
                unpack(codec, &packed, length - 1),
                Err(UnpackError::TooLong(length - 1)),
                "{codec:?}"
            );
            assert_eq!(pack(codec, &bytes, packed.len()).unwrap(), packed);
            assert!(pack(codec, &bytes, packed.len() - 1).is_err(), "{codec:?}");
        }
    }
}

#[test]
fn a_bomb_costs_what_is_allowed() {
    const ALLOWED_BYTES: usize = 100_000;
    let bytes = vec![0; 8 << 20];
    for codec in CODECS {
        let packed = pack(codec, &bytes, 9 << 20).unwrap();
        let mut unpacker = match Unpacker::new(codec, &packed, ALLOWED_BYTES) {
            Ok(unpacker) => unpacker,
            Err(error) => panic!("{codec:?}: {error}"),
        };
        let mut steps = 0;
        let outcome = loop {
            match unpacker.step() {
                Ok(true) => steps += 1,
                other => break other,
            }
        };
        assert_eq!(outcome, Err(UnpackError::TooLong(ALLOWED_BYTES)), "{codec:?}");
        assert!(steps <= 4 && unpacker.into_unpacked().capacity() <= 3 * ALLOWED_BYTES, "{codec:?}");
    }
}

#[test]
fn steps_are_bounded() {
    let bytes = compressible(1 << 20);
    for codec in CODECS {
        let packed = pack(codec, &bytes, 2 << 20).unwrap();
        let mut unpacker = Unpacker::new(codec, &packed, bytes.len()).unwrap();
        let mut before = 0;
        while unpacker.step().unwrap() {
            assert!(unpacker.unpacked_bytes() - before <= CODEC_STEP_BYTES, "{codec:?}");
            before = unpacker.unpacked_bytes();
        }
    }
}

#[test]
fn snappy_in_the_framing_of_java() {
    let packed = pack(Compression::Snappy, &compressible(40_000), 40_000).unwrap();
    assert_eq!(packed[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let cut = |length| unpack(Compression::Snappy, &packed[..length], 40_000);
    for length in [10, 18, packed.len() - 1] {
        assert_eq!(cut(length), Err(UnpackError::Damaged), "cut to {length}");
    }
    let single = snap::raw::Encoder::new().compress_vec(b"no framing").unwrap();
    assert_eq!(unpack(Compression::Snappy, &single, 10).as_deref(), Ok(&b"no framing"[..]));
}

#[test]
fn lz4_frames_are_such_as_java_reads() {
    let packed = pack(Compression::Lz4, &compressible(200_000), 200_000).unwrap();
    assert_eq!(packed[..4], [0x04, 0x22, 0x4d, 0x18]);
    // Version 1, independent blocks, no checksums, no size; blocks of 64 KiB.
    assert_eq!(packed[4..6], [0b0110_0000, 0b0100_0000]);
}

#[test]
fn frames_that_follow_one_another_are_one_text() {
    for codec in [Compression::Gzip, Compression::Zstd] {
        let twice = [pack(codec, b"one", 100).unwrap(), pack(codec, b" two", 100).unwrap()].concat();
        assert_eq!(unpack(codec, &twice, 100).as_deref(), Ok(&b"one two"[..]));
    }
}

proptest! {
    #[test]
    fn damage_is_found_or_harmless(flips in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let bytes: Vec<u8> = (0..5_000u32).map(|at| (at / 9) as u8).collect();
        for codec in CODECS {
            let mut packed = pack(codec, &bytes, 10_000).unwrap();
            for (at, bits) in &flips {
                let at = usize::from(*at) % packed.len();
                packed[at] ^= bits;
            }
            let unpacked = std::panic::catch_unwind(|| unpack(codec, &packed, 20_000));
            prop_assert!(!matches!(unpacked, Ok(Ok(unpacked)) if unpacked.len() > 20_000));
        }
    }

    #[test]
    fn anything_comes_back(bytes in prop::collection::vec(any::<u8>(), 1..10_000)) {
        for codec in CODECS {
            let packed = pack(codec, &bytes, 200_000).unwrap();
            prop_assert_eq!(unpack(codec, &packed, bytes.len()).unwrap(), &bytes[..]);
        }
    }
}
