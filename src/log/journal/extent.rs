//! The payload of an extent entry: what is needed of a batch that went straight to its segment.
//!
//! ```text
//! offset size
//!      0   61  the batch's header as it is stored
//!     61    n  the batch's bytes behind the segment's last whole block, 0 to 4095
//! ```
//! With the header the batch can be replayed without a look at its segment, and the CRC-32C in it is the checksum of the
//! bytes there. The blocks before the last bytes are durable in the segment before the entry is in a group.

use bytes::Bytes;

use super::entry::Entry;
use crate::base::limits::BLOCK_BYTES;
use crate::protocol::batch::{BatchHeader, HEADER_BYTES};

/// Length of the longest payload.
pub const EXTENT_PAYLOAD_BYTES_MAX: usize = HEADER_BYTES + BLOCK_BYTES - 1;

/// An extent entry's payload, checked.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The batch's header.
    pub header: BatchHeader,
    /// Position behind the batch in its segment, in bytes.
    pub end_position: u64,
    /// The bytes behind [`Extent::durable_to`].
    pub tail: Bytes,
}

impl Extent {
    /// Up to here the segment is durable, in whole blocks.
    pub fn durable_to(&self) -> u64 {
        whole_blocks(self.end_position)
    }
}

/// The position up to which whole blocks go.
pub fn whole_blocks(position: u64) -> u64 {
    position - position % BLOCK_BYTES as u64
}

/// Decodes a payload and checks it against its entry; why not, if it does not fit.
pub fn decode(entry: &Entry, payload: &Bytes) -> Result<Extent, String> {
    let header = BatchHeader::parse(payload).map_err(|error| error.to_string())?;
    if (header.base_offset, header.last_offset()) != (entry.base_offset, entry.last_offset) {
        return Err("the header in an extent's entry is of another batch".to_owned());
    }
    let length = header.total_bytes() as u64;
    let end_position = entry.position.checked_add(length).ok_or("an extent ends nowhere")?;
    let tail = payload.slice(HEADER_BYTES..);
    if tail.len() as u64 != end_position - whole_blocks(end_position) || tail.len() as u64 > length {
        return Err("the last bytes in an extent's entry are not those of its batch".to_owned());
    }
    Ok(Extent { header, end_position, tail })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids::{PartitionId, TopicId};
    use crate::log::journal::entry::EntryKind;
    use crate::protocol::batch::BatchBuilder;

    fn stored(base_offset: i64, length: usize) -> Vec<u8> {
        let batch = BatchBuilder::new().record(1, None, Some(&vec![7; length])).build();
        let header = BatchHeader::parse(&batch).expect("built here").placed_at(base_offset, 3);
        [&header.encode()[..], &batch[HEADER_BYTES..]].concat()
    }

    fn entry(batch: &[u8], position: u64) -> Entry {
        let header = BatchHeader::parse(batch).expect("built here");
        Entry {
            kind: EntryKind::Extent,
            partition: PartitionId { topic: TopicId::from_bytes([9; 16]), index: 1 },
            leader_epoch: 3,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            segment_base: 0,
            position,
            first_batch_position: position,
        }
    }

    fn payload(batch: &[u8], position: u64) -> Bytes {
        let end = position + batch.len() as u64;
        let tail = &batch[batch.len() - (end - whole_blocks(end)) as usize..];
        [&batch[..HEADER_BYTES], tail].concat().into()
    }

    proptest! {
        #[test]
        fn an_extent_comes_back(length in 2 * BLOCK_BYTES..50_000, position in 0u64..1 << 40, base in 0i64..1 << 50) {
            let batch = stored(base, length);
            let (entry, payload) = (entry(&batch, position), payload(&batch, position));
            prop_assert!(payload.len() <= EXTENT_PAYLOAD_BYTES_MAX);
            let extent = decode(&entry, &payload).expect("fits");
            prop_assert_eq!(extent.header, BatchHeader::parse(&batch).expect("built here"));
            prop_assert_eq!(extent.end_position, position + batch.len() as u64);
            prop_assert!(extent.end_position - extent.durable_to() < BLOCK_BYTES as u64);
            prop_assert!(batch.ends_with(&extent.tail));
        }

        #[test]
        fn what_does_not_fit_its_entry_is_refused(
            length in 2 * BLOCK_BYTES..20_000,
            position in 0u64..100_000,
            cut in any::<prop::sample::Index>(),
            moved in 1u64..BLOCK_BYTES as u64,
        ) {
            let batch = stored(5, length);
            let (entry, payload) = (entry(&batch, position), payload(&batch, position));
            prop_assert!(decode(&entry, &payload.slice(..cut.index(payload.len()))).is_err());
            let others = [
                Entry { position: position + moved, ..entry },
                Entry { position: u64::MAX, ..entry },
                Entry { base_offset: 6, ..entry },
            ];
            for other in others {
                prop_assert!(decode(&other, &payload).is_err());
            }
        }
    }
}
