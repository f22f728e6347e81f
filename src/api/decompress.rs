//! Unpacks compressed records, for look-ups by time only: everything else passes them through as they are.

use std::io::Read;

use crate::protocol::batch::Compression;

/// Begins snappy in the framing that Java's producers use (xerial): this, two versions of four bytes, then blocks,
/// each with its length in front.
const XERIAL_MAGIC: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;

/// The unpacked bytes; `None` if they are damaged or more than `allowed`. Memory is bounded by about twice
/// `allowed`.
pub(super) fn decompress(codec: Compression, packed: &[u8], allowed: usize) -> Option<Vec<u8>> {
    match codec {
        Compression::None => (packed.len() <= allowed).then(|| packed.to_vec()),
        Compression::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(packed), allowed),
        Compression::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(packed), allowed),
        Compression::Zstd => read_bounded(ruzstd::decoding::StreamingDecoder::new(packed).ok()?, allowed),
        Compression::Snappy => match packed.strip_prefix(XERIAL_MAGIC) {
            Some(_) => unpack_xerial(packed.get(XERIAL_HEADER_BYTES..)?, allowed),
            None => unpack_snappy(packed, allowed),
        },
    }
}

fn read_bounded(decoder: impl Read, allowed: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    decoder.take(allowed as u64 + 1).read_to_end(&mut unpacked).ok()?;
    (unpacked.len() <= allowed).then_some(unpacked)
}

fn unpack_snappy(packed: &[u8], allowed: usize) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(packed).ok().filter(|length| *length <= allowed)?;
    let mut unpacked = vec![0; length];
    let written = snap::raw::Decoder::new().decompress(packed, &mut unpacked).ok()?;
    unpacked.truncate(written);
    Some(unpacked)
}

fn unpack_xerial(mut blocks: &[u8], allowed: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    while !blocks.is_empty() {
        let (length, rest) = blocks.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
        unpacked.append(&mut unpack_snappy(block, allowed - unpacked.len())?);
        blocks = rest;
    }
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const CODECS: [Compression; 4] =
        [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    fn compress(codec: Compression, bytes: &[u8]) -> Vec<u8> {
        match codec {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => {
                ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
            }
        }
    }

    #[test]
    fn every_codec_unpacks_up_to_what_is_allowed() {
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at / 50) as u8).collect();
        for codec in CODECS {
            let packed = compress(codec, &bytes);
            assert_eq!(decompress(codec, &packed, bytes.len()).as_deref(), Some(&bytes[..]), "{codec:?}");
            assert_eq!(decompress(codec, &packed, bytes.len() - 1), None, "{codec:?}");
        }
    }

    #[test]
    fn snappy_in_the_framing_of_java() {
        let mut framed = [XERIAL_MAGIC, &1u32.to_be_bytes(), &1u32.to_be_bytes()].concat();
        for part in [&b"first block"[..], b"second"] {
            let block = compress(Compression::Snappy, part);
            framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
            framed.extend_from_slice(&block);
        }
        let unpacked = decompress(Compression::Snappy, &framed, 100);
        assert_eq!(unpacked.as_deref(), Some(&b"first blocksecond"[..]));
        assert_eq!(decompress(Compression::Snappy, &framed, 16), None);
        assert_eq!(decompress(Compression::Snappy, &framed[..framed.len() - 1], 100), None);
        assert_eq!(decompress(Compression::Snappy, &framed[..10], 100), None);
    }

    proptest! {
        #[test]
        fn damage_is_found_or_harmless(flips in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
            let bytes: Vec<u8> = (0..5_000u32).map(|at| (at / 9) as u8).collect();
            for codec in CODECS {
                let mut packed = compress(codec, &bytes);
                for (at, bits) in &flips {
                    let at = usize::from(*at) % packed.len();
                    packed[at] ^= bits;
                }
                let unpacked = crate::api::guard::guarded(|| decompress(codec, &packed, 20_000)).flatten();
                prop_assert!(unpacked.is_none_or(|unpacked| unpacked.len() <= 20_000));
            }
        }
    }
}
