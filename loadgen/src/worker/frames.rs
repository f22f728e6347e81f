//! Cuts a stream of bytes into frames.

use bytes::{Bytes, BytesMut};
use corelane::protocol::{LENGTH_BYTES, RESPONSE_BYTES_MIN, frame_length};

use crate::client::{ClientError, RESPONSE_BYTES_MAX, Stream};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// The frames of one connection.
pub struct Frames {
    received: BytesMut,
    scratch: Vec<u8>,
}

impl Frames {
    /// Nothing received yet.
    pub fn new() -> Self {
        Frames { received: BytesMut::new(), scratch: vec![0; READ_BYTES] }
    }

    /// The next frame, without its length.
    pub async fn next(&mut self, stream: &Stream, address: &str) -> Result<Bytes, ClientError> {
        loop {
            if let Some(frame) = self.take(address)? {
                return Ok(frame);
            }
            let broken = |source| ClientError::Broken { address: address.to_owned(), source };
            let count = stream.read(&mut self.scratch).await.map_err(broken)?;
            if count == 0 {
                return Err(broken(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the broker closed it",
                )));
            }
            self.received.extend_from_slice(&self.scratch[..count]);
        }
    }

    fn take(&mut self, address: &str) -> Result<Option<Bytes>, ClientError> {
        let Some(prefix) = self.received.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = frame_length(*prefix, RESPONSE_BYTES_MIN, RESPONSE_BYTES_MAX)
            .map_err(|source| ClientError::Frame { address: address.to_owned(), source })?;
        let whole = LENGTH_BYTES + length;
        if self.received.len() < whole {
            self.received.reserve(whole - self.received.len());
            return Ok(None);
        }
        let mut frame = self.received.split_to(whole);
        Ok(Some(frame.split_off(LENGTH_BYTES).freeze()))
    }
}
