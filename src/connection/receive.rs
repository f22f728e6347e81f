//! Cuts what a socket sends into frames. Small frames come out of one buffer that many of them arrive in at once;
//! a longer frame gets memory of its own, which grows as its bytes arrive, not as its length announces.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};

use super::error::Closed;
use super::turn::Turn;
use crate::base::limits::{
    RECEIVE_BUFFER_BYTES, RECEIVE_STEP_BYTES, REFUSED_HEAD_BYTES, REQUEST_STALL_MS, REQUEST_STALL_WANTED_MS,
};
use crate::protocol::{LENGTH_BYTES, REQUEST_BYTES_MIN, frame_length};
use crate::runtime::Runtime;
use crate::runtime::glommio::Stream;
use crate::shard::Budget;

/// Received bytes that were not taken yet.
pub(super) struct Receiver {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Receiver { buffer: vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0 }
    }

    /// The length of the next frame, which may be a long time coming. `Closed::ByClient` at the end, between
    /// frames or not.
    pub(super) async fn frame_length(&mut self, stream: &Stream, max: usize) -> Result<usize, Closed> {
        self.receive(stream, LENGTH_BYTES).await?;
        let prefix = self.buffer[self.start..][..LENGTH_BYTES].try_into().expect("four bytes");
        let length = frame_length(prefix, REQUEST_BYTES_MIN, max)?;
        self.start += LENGTH_BYTES;
        Ok(length)
    }

    /// The API key that the frame begins with; it stays to be taken.
    pub(super) async fn api_key(&mut self, stream: &Stream) -> Result<i16, Closed> {
        self.receive(stream, size_of::<i16>()).await?;
        let key = self.buffer[self.start..].first_chunk().expect("a short piece of the buffer");
        Ok(i16::from_be_bytes(*key))
    }

    /// The beginning of a frame that memory does not hold. The rest is read, and dropped.
    pub(super) async fn head(
        &mut self,
        stream: &Stream,
        runtime: &dyn Runtime,
        memory: &Budget,
        length: usize,
    ) -> Result<Bytes, Closed> {
        let head = self.frame(stream, runtime, memory, length.min(REFUSED_HEAD_BYTES)).await?;
        let mut left = length - head.len();
        let there = left.min(self.end - self.start);
        self.start += there;
        left -= there;
        let mut dropped = vec![0; left.min(RECEIVE_STEP_BYTES)];
        let mut turn = Turn::new(runtime);
        while left > 0 {
            let step = left.min(dropped.len());
            fill(stream, runtime, memory, &mut dropped[..step]).await?;
            left -= step;
            turn.spend(step).await;
        }
        Ok(head)
    }

    /// Waits until `count` bytes are there, which are few.
    async fn receive(&mut self, stream: &Stream, count: usize) -> Result<(), Closed> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            match stream.read(&mut self.buffer[self.end..]).await? {
                0 => return Err(Closed::ByClient),
                received => self.end += received,
            }
        }
        Ok(())
    }

    /// The frame's bytes behind its length. The client must go on sending it, and sooner when others wait for
    /// `memory`.
    pub(super) async fn frame(
        &mut self,
        stream: &Stream,
        runtime: &dyn Runtime,
        memory: &Budget,
        length: usize,
    ) -> Result<Bytes, Closed> {
        let there = length.min(self.end - self.start);
        let head = &self.buffer[self.start..][..there];
        self.start += there;
        if there == length {
            return Ok(Bytes::copy_from_slice(head));
        }
        let mut frame = BytesMut::with_capacity(length.min(there + RECEIVE_STEP_BYTES));
        frame.extend_from_slice(head);
        let mut turn = Turn::new(runtime);
        while frame.len() < length {
            // What was received doubles, so that a frame costs no more than twice what arrived of it.
            let step = (length - frame.len()).min(frame.len().max(RECEIVE_STEP_BYTES));
            let filled = frame.len();
            frame.resize(filled + step, 0);
            fill(stream, runtime, memory, &mut frame[filled..]).await?;
            turn.spend(step).await;
        }
        Ok(frame.freeze())
    }
}

/// Fills `buffer`; at least [`RECEIVE_STEP_BYTES`], or the rest, must arrive in each period of
/// [`REQUEST_STALL_MS`], or of [`REQUEST_STALL_WANTED_MS`] while others wait for the memory.
async fn fill(
    stream: &Stream,
    runtime: &dyn Runtime,
    memory: &Budget,
    buffer: &mut [u8],
) -> Result<(), Closed> {
    for part in buffer.chunks_mut(RECEIVE_STEP_BYTES) {
        let mut read = std::pin::pin!(read_exactly(stream, part));
        if let std::task::Poll::Ready(outcome) = futures_util::poll!(read.as_mut()) {
            outcome?;
            continue;
        }
        let began = runtime.now();
        loop {
            let look = runtime.sleep(Duration::from_millis(REQUEST_STALL_WANTED_MS));
            match select(read.as_mut(), look).await {
                Either::Left((outcome, _)) => break outcome?,
                Either::Right(_) => {
                    let is_late = runtime.now() - began >= Duration::from_millis(REQUEST_STALL_MS);
                    if is_late || memory.is_exhausted() {
                        return Err(Closed::RequestStalled);
                    }
                }
            }
        }
    }
    Ok(())
}

async fn read_exactly(stream: &Stream, mut buffer: &mut [u8]) -> Result<(), Closed> {
    while !buffer.is_empty() {
        match stream.read(buffer).await? {
            0 => return Err(Closed::ByClient),
            count => buffer = &mut buffer[count..],
        }
    }
    Ok(())
}
