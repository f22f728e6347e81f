//! Frames as they arrive: a header of a fixed length that tells how long the body is, then the body. The body lies where
//! an rkyv archive can be read in place, in memory that is used again for the next frame.
//!
//! A header is decoded, with its bounds, before memory is taken for the body; and then it is taken as the bytes arrive,
//! so that a long length alone costs nothing.

use std::marker::PhantomData;

use rkyv::util::AlignedVec;

use crate::base::limits::LINK_BODY_STEP_BYTES;

/// The frames of a kind of stream.
pub trait Framing {
    /// A header that was read.
    type Header;
    /// Why bytes are no header.
    type Error;
    /// Length of a header.
    const HEADER_BYTES: usize;
    /// Memory for bodies that is kept from one frame to the next. What a longer frame took is given back.
    const BODY_BYTES_KEPT: usize;

    /// Reads a header, whose bytes these are. Lengths beyond the kind's bound are refused.
    fn decode_header(bytes: &[u8]) -> Result<Self::Header, Self::Error>;

    /// Length of the body that follows.
    fn body_bytes(header: &Self::Header) -> usize;
}

/// Cuts a connection's bytes into frames. Whoever reads the connection reads into [`FrameReader::spare`].
pub struct FrameReader<F: Framing> {
    header_bytes: Vec<u8>,
    header: Option<F::Header>,
    /// Its length is what was in use once; the present body fills a part of it.
    body: AlignedVec<16>,
    /// Bytes of the header, or behind it of the body.
    filled: usize,
    framing: PhantomData<F>,
}

impl<F: Framing> FrameReader<F> {
    /// Before the first frame.
    pub fn new() -> Self {
        FrameReader {
            header_bytes: vec![0; F::HEADER_BYTES],
            header: None,
            body: no_body(),
            filled: 0,
            framing: PhantomData,
        }
    }

    /// Where the next bytes go; never empty, and never longer than what is missing of a header or a body. Ends the life
    /// of a whole frame.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.is_whole() {
            self.header = None;
            self.filled = 0;
            if self.body.len() > F::BODY_BYTES_KEPT {
                self.body = no_body();
            }
        }
        let Some(header) = &self.header else { return &mut self.header_bytes[self.filled..] };
        let body_bytes = F::body_bytes(header);
        if self.filled == self.body.len() {
            let step = self.filled.max(LINK_BODY_STEP_BYTES);
            self.body.resize(body_bytes.min(self.filled + step), 0);
        }
        let end = self.body.len().min(body_bytes);
        &mut self.body[self.filled..end]
    }

    /// The first `bytes` of the spare ones are there. Whether a frame is whole then.
    pub fn filled(&mut self, bytes: usize) -> Result<bool, F::Error> {
        self.filled += bytes;
        if self.header.is_none() {
            assert!(self.filled <= F::HEADER_BYTES, "no more than there was room for");
            if self.filled < F::HEADER_BYTES {
                return Ok(false);
            }
            self.header = Some(F::decode_header(&self.header_bytes)?);
            self.filled = 0;
        }
        Ok(self.is_whole())
    }

    /// The frame, if it is whole. Its body is aligned to 16 bytes.
    pub fn frame(&self) -> Option<(&F::Header, &[u8])> {
        let header = self.header.as_ref().filter(|_| self.is_whole())?;
        Some((header, &self.body[..self.filled]))
    }

    /// Whether the connection may end here: no frame has begun that is not whole.
    pub fn is_between_frames(&self) -> bool {
        self.is_whole() || (self.header.is_none() && self.filled == 0)
    }

    fn is_whole(&self) -> bool {
        self.header.as_ref().is_some_and(|header| F::body_bytes(header) == self.filled)
    }
}

/// Not without memory at all: an empty body, too, is to lie where it can be read in place.
fn no_body() -> AlignedVec<16> {
    AlignedVec::with_capacity(1)
}

impl<F: Framing> Default for FrameReader<F> {
    fn default() -> Self {
        Self::new()
    }
}
