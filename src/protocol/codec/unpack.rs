//! Unpacks compressed records. The bytes are a client's: nothing about them is believed.

use std::io::Read;

use crate::base::limits::CODEC_STEP_BYTES;
use crate::protocol::batch::Compression;

use super::xerial;

/// Why bytes cannot be unpacked.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnpackError {
    /// They are not what the codec makes.
    #[error("the compressed records are damaged")]
    Damaged,
    /// There is more in them than is allowed.
    #[error("the compressed records unpack to more than {0} bytes")]
    TooLong(usize),
}

/// Unpacks in steps. Memory is bounded by about twice what is allowed.
pub struct Unpacker<'a> {
    source: Source<'a>,
    unpacked: Vec<u8>,
    allowed_bytes: usize,
}

enum Source<'a> {
    Stream(Box<dyn Read + 'a>),
    /// A single block of snappy, which can only be unpacked at once.
    SnappyBlock(&'a [u8]),
    /// Blocks in the framing of Java's clients.
    SnappyBlocks(&'a [u8]),
}

impl<'a> Unpacker<'a> {
    /// Will unpack `packed` to at most `allowed_bytes`.
    pub fn new(codec: Compression, packed: &'a [u8], allowed_bytes: usize) -> Result<Self, UnpackError> {
        let source = match codec {
            Compression::None => Source::Stream(Box::new(packed)),
            Compression::Gzip => Source::Stream(Box::new(flate2::read::MultiGzDecoder::new(packed))),
            Compression::Lz4 => Source::Stream(Box::new(lz4_flex::frame::FrameDecoder::new(packed))),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(packed);
                Source::Stream(Box::new(decoder.map_err(|_| UnpackError::Damaged)?))
            }
            Compression::Snappy if packed.starts_with(xerial::MAGIC) => {
                Source::SnappyBlocks(packed.get(xerial::HEADER_BYTES..).ok_or(UnpackError::Damaged)?)
            }
            Compression::Snappy => Source::SnappyBlock(packed),
        };
        Ok(Unpacker { source, unpacked: Vec::new(), allowed_bytes })
    }

    /// Unpacks some more: [`CODEC_STEP_BYTES`], or a block of snappy. `false` at the end.
    pub fn step(&mut self) -> Result<bool, UnpackError> {
        let left_bytes = self.allowed_bytes - self.unpacked.len();
        match &mut self.source {
            Source::Stream(stream) => {
                let wanted_bytes = CODEC_STEP_BYTES.min(left_bytes + 1);
                let mut step = stream.take(wanted_bytes as u64);
                let read_bytes = step.read_to_end(&mut self.unpacked).map_err(|_| UnpackError::Damaged)?;
                if read_bytes > left_bytes {
                    return Err(UnpackError::TooLong(self.allowed_bytes));
                }
                Ok(read_bytes == wanted_bytes)
            }
            Source::SnappyBlock(block) => {
                unpack_block(block, left_bytes, &mut self.unpacked, self.allowed_bytes)?;
                Ok(false)
            }
            Source::SnappyBlocks(blocks) => {
                if blocks.is_empty() {
                    return Ok(false);
                }
                let block = next_block(blocks).ok_or(UnpackError::Damaged)?;
                unpack_block(block, left_bytes, &mut self.unpacked, self.allowed_bytes)?;
                Ok(!blocks.is_empty())
            }
        }
    }

    /// Bytes that are unpacked so far.
    pub fn unpacked_bytes(&self) -> usize {
        self.unpacked.len()
    }

    /// What is unpacked so far.
    pub fn into_unpacked(self) -> Vec<u8> {
        self.unpacked
    }
}

/// Unpacks all at once: for who may take the time.
pub fn unpack(codec: Compression, packed: &[u8], allowed_bytes: usize) -> Result<Vec<u8>, UnpackError> {
    let mut unpacker = Unpacker::new(codec, packed, allowed_bytes)?;
    while unpacker.step()? {}
    Ok(unpacker.into_unpacked())
}

fn next_block<'a>(blocks: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = blocks.split_first_chunk::<4>()?;
    let (block, rest) = rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    *blocks = rest;
    Some(block)
}

fn unpack_block(
    block: &[u8],
    left_bytes: usize,
    unpacked: &mut Vec<u8>,
    allowed_bytes: usize,
) -> Result<(), UnpackError> {
    let length = snap::raw::decompress_len(block).map_err(|_| UnpackError::Damaged)?;
    if length > left_bytes {
        return Err(UnpackError::TooLong(allowed_bytes));
    }
    let start = unpacked.len();
    unpacked.resize(start + length, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut unpacked[start..]);
    if written != Ok(length) {
        return Err(UnpackError::Damaged);
    }
    Ok(())
}
