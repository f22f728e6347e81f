//! Bytes to send, in pieces: headers of our own making between payloads that nobody copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// A sequence of byte views, sent by vectored writes and consumed from the front through [`Buf`].
///
/// Invariant: no view is empty.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    parts: VecDeque<Bytes>,
    remaining: usize,
}

impl Chain {
    /// Adds a view at the end.
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.remaining += part.len();
            self.parts.push_back(part);
        }
    }

    /// Moves all of `other` to the end, so that several responses can leave in one send.
    pub fn append(&mut self, mut other: Chain) {
        self.remaining += other.remaining;
        self.parts.append(&mut other.parts);
    }

    /// The views in order.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.parts.iter()
    }

    /// All bytes in one piece; a copy unless the chain has at most one view.
    pub fn into_bytes(mut self) -> Bytes {
        self.copy_to_bytes(self.remaining)
    }
}

impl Buf for Chain {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = self.parts.len().min(slices.len());
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining, "advance beyond the chain's end");
        self.remaining -= count;
        let mut left = count;
        while left > 0 {
            let front = self.parts.front_mut().expect("views cover what remains");
            if front.len() > left {
                front.advance(left);
                return;
            }
            left -= front.len();
            self.parts.pop_front();
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.remaining, "copy beyond the chain's end");
        if self.chunk().len() >= count {
            let bytes = self.parts.front().map_or_else(Bytes::new, |part| part.slice(..count));
            self.advance(count);
            return bytes;
        }
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let chunk = self.chunk();
            let taken = chunk.len().min(count - bytes.len());
            bytes.extend_from_slice(&chunk[..taken]);
            self.advance(taken);
        }
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        let mut chain = Chain::default();
        for part in [&b"head"[..], b"", b"payload", b"tail"] {
            chain.push(Bytes::from_static(part));
        }
        chain
    }

    #[test]
    fn partial_sends_consume_from_the_front() {
        let whole = b"headpayloadtail";
        for sent in 0..=whole.len() {
            let mut chain = chain();
            chain.advance(sent);
            assert_eq!(chain.remaining(), whole.len() - sent);
            assert!(chain.parts().all(|part| !part.is_empty()));
            assert_eq!(&chain.into_bytes()[..], &whole[sent..]);
        }
    }

    #[test]
    fn a_vectored_send_sees_every_part() {
        let mut chain = chain();
        chain.append(self::chain());
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(chain.chunks_vectored(&mut slices), 4);
        assert_eq!(&*slices[3], b"head");
        assert_eq!(chain.remaining(), 30);
        assert_eq!(&chain.copy_to_bytes(6)[..], b"headpa");
        assert_eq!(chain.chunk(), b"yload");
    }

    #[test]
    #[should_panic(expected = "beyond the chain's end")]
    fn nothing_is_sent_twice() {
        chain().advance(16);
    }
}
