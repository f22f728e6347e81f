//! Compression of batches.

use std::io::{Read, Write};

use corelane::protocol::batch::Compression as Wire;
use thiserror::Error;

use crate::settings::Compression;

/// Records that one batch may hold decompressed; a broker's bytes are not believed beyond it.
const DECOMPRESSED_BYTES_MAX: u64 = 512 << 20;

/// Java's framing of snappy, which its clients write: this, two version numbers, then blocks with their lengths.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;

/// Compressed records that cannot be read.
#[derive(Debug, Error)]
pub enum CodecError {
    /// Bytes that the codec refuses.
    #[error("compressed records: {0}")]
    Corrupt(String),
}

/// Appends `records`, compressed, to `out`.
pub fn compress(compression: Compression, records: &[u8], out: &mut Vec<u8>) {
    const MEMORY: &str = "writing to memory does not fail";
    match compression {
        Compression::None => out.extend_from_slice(records),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            encoder.write_all(records).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Compression::Snappy => {
            let start = out.len();
            out.resize(start + snap::raw::max_compress_len(records.len()), 0);
            let length =
                snap::raw::Encoder::new().compress(records, &mut out[start..]).expect("room was made");
            out.truncate(start + length);
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
            encoder.write_all(records).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Compression::Zstd => {
            // The only level that this encoder has; it is about zstd's level 1.
            ruzstd::encoding::compress(records, out, ruzstd::encoding::CompressionLevel::Fastest);
        }
    }
}

/// The records of a batch as they were before compression.
pub fn decompress(compression: Wire, records: &[u8]) -> Result<Vec<u8>, CodecError> {
    match compression {
        Wire::None => Ok(records.to_vec()),
        Wire::Gzip => read_all(flate2::read::GzDecoder::new(records)),
        Wire::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(records)),
        Wire::Snappy => snappy(records),
        Wire::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(records);
            read_all(decoder.map_err(|error| CodecError::Corrupt(error.to_string()))?)
        }
    }
}

fn read_all(decoder: impl Read) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decoder
        .take(DECOMPRESSED_BYTES_MAX)
        .read_to_end(&mut out)
        .map_err(|error| CodecError::Corrupt(error.to_string()))?;
    Ok(out)
}

fn snappy(records: &[u8]) -> Result<Vec<u8>, CodecError> {
    let Some(_) = records.strip_prefix(XERIAL_MAGIC) else { return snappy_block(records) };
    let mut rest = records.get(XERIAL_HEADER_BYTES..).unwrap_or_default();
    let mut out = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let block =
            after.get(..length).ok_or_else(|| CodecError::Corrupt("a snappy block is cut off".into()))?;
        out.extend_from_slice(&snappy_block(block)?);
        rest = &after[length..];
    }
    Ok(out)
}

fn snappy_block(block: &[u8]) -> Result<Vec<u8>, CodecError> {
    let corrupt = |error: snap::Error| CodecError::Corrupt(error.to_string());
    if snap::raw::decompress_len(block).map_err(corrupt)? as u64 > DECOMPRESSED_BYTES_MAX {
        return Err(CodecError::Corrupt("a snappy block claims to be longer than any batch".into()));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_comes_back() {
        let records: Vec<u8> = (0..100_000u32).flat_map(|number| (number / 3).to_be_bytes()).collect();
        for (ours, wire) in [
            (Compression::None, Wire::None),
            (Compression::Gzip, Wire::Gzip),
            (Compression::Snappy, Wire::Snappy),
            (Compression::Lz4, Wire::Lz4),
            (Compression::Zstd, Wire::Zstd),
        ] {
            assert_eq!(ours as i16, wire as i16);
            let mut out = vec![1, 2, 3];
            compress(ours, &records, &mut out);
            assert_eq!(out[..3], [1, 2, 3]);
            assert_eq!(decompress(wire, &out[3..]).unwrap(), records, "{ours:?}");
        }
    }

    #[test]
    fn javas_snappy_frames_are_read_and_cut_off_ones_refused() {
        let mut framed = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for part in [&b"one, "[..], b"two"] {
            let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
            framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
            framed.extend_from_slice(&block);
        }
        assert_eq!(decompress(Wire::Snappy, &framed).unwrap(), b"one, two");
        assert!(decompress(Wire::Snappy, &framed[..framed.len() - 1]).is_err());
        assert!(decompress(Wire::Lz4, b"nonsense").is_err());
        assert!(decompress(Wire::Gzip, b"nonsense").is_err());
        assert!(decompress(Wire::Zstd, b"nonsense").is_err());
    }
}
