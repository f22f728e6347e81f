//! Packs records with the codec that a topic wants, at its default level, as all clients can read them: the framing of
//! Java's clients around snappy, independent blocks of 64 KiB in LZ4 frames.

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use crate::protocol::batch::Compression;

use super::xerial;

/// Packs in steps: as much in each as its caller gives.
pub struct Packer(Encoder);

enum Encoder {
    None(Output),
    Gzip(flate2::write::GzEncoder<Output>),
    Snappy(Box<SnappyEncoder>),
    Lz4(Box<FrameEncoder<Output>>),
    Zstd(zstd::stream::write::Encoder<'static, Output>),
}

impl Packer {
    /// Will pack `unpacked_bytes` behind the bytes that are in `out`. Fails when `out` would become longer than
    /// `allowed_bytes`.
    pub fn new(
        codec: Compression,
        unpacked_bytes: usize,
        out: Vec<u8>,
        allowed_bytes: usize,
    ) -> io::Result<Self> {
        let mut output = Output { bytes: out, allowed_bytes };
        Ok(Packer(match codec {
            Compression::None => Encoder::None(output),
            Compression::Gzip => {
                Encoder::Gzip(flate2::write::GzEncoder::new(output, flate2::Compression::default()))
            }
            Compression::Snappy => {
                output.write_all(&xerial::header())?;
                Encoder::Snappy(Box::new(SnappyEncoder { output, snappy: snap::raw::Encoder::new() }))
            }
            Compression::Lz4 => {
                // Java's clients read independent blocks only.
                let frame =
                    FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
                Encoder::Lz4(Box::new(FrameEncoder::with_frame_info(frame, output)))
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(output, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                // Its memory follows from this, and some decoders want to know it beforehand.
                encoder.set_pledged_src_size(Some(unpacked_bytes as u64))?;
                Encoder::Zstd(encoder)
            }
        }))
    }

    /// Packs `piece`, which follows the pieces before it. An error means that the result is longer than allowed.
    pub fn step(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Encoder::None(output) => output.write_all(piece),
            Encoder::Gzip(encoder) => encoder.write_all(piece),
            Encoder::Snappy(encoder) => encoder.pack(piece),
            Encoder::Lz4(encoder) => encoder.write_all(piece),
            Encoder::Zstd(encoder) => encoder.write_all(piece),
        }
    }

    /// Everything: what was in `out`, and the packed pieces.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let output = match self.0 {
            Encoder::None(output) => output,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Snappy(encoder) => encoder.output,
            Encoder::Lz4(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        Ok(output.bytes)
    }
}

/// Memory that does not grow beyond what is allowed.
struct Output {
    bytes: Vec<u8>,
    allowed_bytes: usize,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.allowed_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct SnappyEncoder {
    output: Output,
    snappy: snap::raw::Encoder,
}

impl SnappyEncoder {
    fn pack(&mut self, piece: &[u8]) -> io::Result<()> {
        for block in piece.chunks(xerial::BLOCK_BYTES) {
            let packed = self.snappy.compress_vec(block).map_err(io::Error::other)?;
            let length = u32::try_from(packed.len()).expect("a block is far below 4 GiB");
            self.output.write_all(&length.to_be_bytes())?;
            self.output.write_all(&packed)?;
        }
        Ok(())
    }
}
