//! Steps through stored batches that lie one after the other: for fetches, recovery and dumps.

use super::header::{BatchView, HeaderError};

/// What is wrong with a stored batch.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Corruption {
    /// The length is less than a header.
    #[error("batch length {0} is less than a header")]
    Length(i32),
    /// Not the format that is stored.
    #[error("magic {0} is not 2")]
    Magic(i8),
    /// The offsets are negative, go backwards or beyond the largest.
    #[error("base offset {base_offset} with last offset delta {last_offset_delta}")]
    Offsets {
        /// The header's base offset.
        base_offset: i64,
        /// The header's last offset delta.
        last_offset_delta: i32,
    },
    /// The bytes are not those that were stored.
    #[error("CRC-32C is {computed:#010x}, the header says {stored:#010x}")]
    Crc {
        /// The header's.
        stored: u32,
        /// That of the bytes.
        computed: u32,
    },
}

/// A batch that is not as it was stored. Nothing after it can be found.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("batch at byte {position}: {reason}")]
pub struct CorruptBatch {
    /// The batch's first byte in the slice.
    pub position: usize,
    /// What is wrong with it.
    pub reason: Corruption,
}

/// A batch and where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchAt<'a> {
    /// The batch's first byte in the slice.
    pub position: usize,
    /// The batch.
    pub batch: BatchView<'a>,
}

/// The whole batches in a slice. Ends before a batch that is cut off, which is not an error, and after an error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    checks_crc: bool,
    is_over: bool,
}

impl<'a> Batches<'a> {
    /// Walks `bytes`, which start with a batch, believing what the batches hold.
    pub fn new(bytes: &'a [u8]) -> Self {
        Batches { bytes, position: 0, checks_crc: false, is_over: false }
    }

    /// Checks each batch's CRC on the way.
    pub fn check_crc(mut self) -> Self {
        self.checks_crc = true;
        self
    }

    /// End of the whole batches seen so far: once the walk is over, what lies beyond is cut off or corrupt.
    pub fn position(&self) -> usize {
        self.position
    }

    fn parse(&self) -> Result<Option<BatchView<'a>>, Corruption> {
        let batch = match BatchView::parse(&self.bytes[self.position..]) {
            Ok(batch) => batch,
            Err(HeaderError::Truncated { .. }) => return Ok(None),
            Err(HeaderError::Length(length)) => return Err(Corruption::Length(length)),
            Err(HeaderError::Magic(magic)) => return Err(Corruption::Magic(magic)),
        };
        let header = batch.header();
        let (base_offset, last_offset_delta) = (header.base_offset, header.last_offset_delta);
        if base_offset < 0 || last_offset_delta < 0 || header.last_offset() == i64::MAX {
            return Err(Corruption::Offsets { base_offset, last_offset_delta });
        }
        if self.checks_crc {
            let (stored, computed) = (header.crc, batch.computed_crc());
            if stored != computed {
                return Err(Corruption::Crc { stored, computed });
            }
        }
        Ok(Some(batch))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchAt<'a>, CorruptBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let position = self.position;
        match self.parse() {
            Ok(Some(batch)) => {
                self.position += batch.bytes().len();
                Some(Ok(BatchAt { position, batch }))
            }
            Ok(None) => {
                self.is_over = true;
                None
            }
            Err(reason) => {
                self.is_over = true;
                Some(Err(CorruptBatch { position, reason }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::batch::BatchBuilder;

    fn stored(base_offset: i64, value: &[u8]) -> Vec<u8> {
        BatchBuilder::new().placed_at(base_offset, 3).record(1, None, Some(value)).build()
    }

    #[test]
    fn walks_whole_batches_and_stops_before_a_cut_one() {
        let (first, second) = (stored(10, b"first"), stored(11, b"the second"));
        let log = [&first[..], &second[..]].concat();
        for end in 0..=log.len() {
            let mut batches = Batches::new(&log[..end]).check_crc();
            let walked: Vec<_> = batches.by_ref().map(|batch| batch.unwrap()).collect();
            let expected = usize::from(end >= first.len()) + usize::from(end == log.len());
            assert_eq!(walked.len(), expected, "cut at {end}");
            assert_eq!(batches.position(), [0, first.len(), log.len()][expected]);
            if let Some(last) = walked.last() {
                assert_eq!(last.batch.header().base_offset, 9 + expected as i64);
                assert_eq!(last.position + last.batch.bytes().len(), batches.position());
            }
        }
    }

    #[test]
    fn corruption_is_reported_once_and_ends_the_walk() {
        let (first, second) = (stored(10, b"first"), stored(11, b"second"));
        let walk = |forge: fn(&mut [u8]), checks_crc: bool| {
            let mut log = [&first[..], &second[..], &second[..]].concat();
            forge(&mut log[first.len()..]);
            let batches = Batches::new(&log);
            let mut batches = if checks_crc { batches.check_crc() } else { batches };
            assert!(batches.next().unwrap().is_ok());
            let error = batches.next().unwrap().err();
            if let Some(error) = error {
                assert_eq!(error.position, first.len());
                assert_eq!(batches.next(), None);
                assert_eq!(batches.position(), first.len());
            }
            error.map(|error| error.reason)
        };
        assert_eq!(walk(|batch| batch[8..12].fill(0), false), Some(Corruption::Length(0)));
        assert_eq!(walk(|batch| batch[16] = 0, false), Some(Corruption::Magic(0)));
        assert!(matches!(walk(|batch| batch[0] = 0x80, false), Some(Corruption::Offsets { .. })));
        assert!(matches!(walk(|batch| batch[23] = 0x80, false), Some(Corruption::Offsets { .. })));
        let largest = |batch: &mut [u8]| batch[..8].copy_from_slice(&i64::MAX.to_be_bytes());
        assert!(matches!(walk(largest, false), Some(Corruption::Offsets { .. })));
        assert!(matches!(walk(|batch| batch[64] ^= 1, true), Some(Corruption::Crc { .. })));
        assert_eq!(walk(|batch| batch[64] ^= 1, false), None);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
            if magic && bytes.len() > 16 {
                bytes[16] = 2;
                bytes[8..11].fill(0);
            }
            prop_assert!(Batches::new(&bytes).check_crc().count() <= bytes.len() / 61 + 1);
        }
    }
}
