//! What each value starts with when it is read again.
//!
//! ```text
//!  byte 0       4        8          12         20          28         32
//!       +-------+--------+----------+----------+-----------+----------+--------
//!       | magic | run    | producer | sequence | intended  | CRC-32C  | payload
//!       | CLG1  | u32    | u32      | u64      | send time | of all   | ...
//!       |       |        |          |          | ns, u64   | the rest |
//!       +-------+--------+----------+----------+-----------+----------+--------
//! ```
//!
//! Numbers are big-endian. The sequence counts a producer's records of one partition. The time counts from the
//! start of the run, on the clock of the process that sent it. The checksum covers bytes 0 to 27 and the payload.

/// Length of a stamp.
pub const STAMP_BYTES: usize = 32;

const MAGIC: [u8; 4] = *b"CLG1";
const CRC_AT: usize = 28;

/// Who sent a record, and when it was meant to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The run, to tell its records from those of others in the same topic.
    pub run: u32,
    /// The producer.
    pub producer: u32,
    /// The producer's number for the record within its partition, from 0.
    pub sequence: u64,
    /// Intended send time, in ns since the start of the run.
    pub intended_ns: u64,
}

impl Stamp {
    /// Writes the stamp over the first bytes of a value, which has at least [`STAMP_BYTES`].
    pub fn write(&self, value: &mut [u8]) {
        value[..4].copy_from_slice(&MAGIC);
        value[4..8].copy_from_slice(&self.run.to_be_bytes());
        value[8..12].copy_from_slice(&self.producer.to_be_bytes());
        value[12..20].copy_from_slice(&self.sequence.to_be_bytes());
        value[20..28].copy_from_slice(&self.intended_ns.to_be_bytes());
        let crc = checksum(value);
        value[CRC_AT..STAMP_BYTES].copy_from_slice(&crc.to_be_bytes());
    }

    /// The stamp of a value, or `None` if it has none. Whether the value is whole is [`is_intact`](Self::is_intact).
    pub fn read(value: &[u8]) -> Option<Stamp> {
        if value.len() < STAMP_BYTES || value[..4] != MAGIC {
            return None;
        }
        Some(Stamp {
            run: u32::from_be_bytes(field(value, 4)),
            producer: u32::from_be_bytes(field(value, 8)),
            sequence: u64::from_be_bytes(field(value, 12)),
            intended_ns: u64::from_be_bytes(field(value, 20)),
        })
    }

    /// Whether a value that has a stamp is as it was sent.
    pub fn is_intact(value: &[u8]) -> bool {
        value.len() >= STAMP_BYTES && u32::from_be_bytes(field(value, CRC_AT)) == checksum(value)
    }
}

fn checksum(value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&value[..CRC_AT]), &value[STAMP_BYTES..])
}

fn field<const N: usize>(value: &[u8], at: usize) -> [u8; N] {
    value[at..at + N].try_into().expect("a slice of N bytes is N bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_comes_back_and_any_flipped_bit_is_seen(
            run: u32, producer: u32, sequence: u64, intended_ns: u64,
            mut value in proptest::collection::vec(any::<u8>(), STAMP_BYTES..200), bit in any::<prop::sample::Index>(),
        ) {
            let stamp = Stamp { run, producer, sequence, intended_ns };
            stamp.write(&mut value);
            prop_assert_eq!(Stamp::read(&value), Some(stamp));
            prop_assert!(Stamp::is_intact(&value));
            let bit = bit.index(value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!Stamp::is_intact(&value));
        }

        #[test]
        fn foreign_values_have_no_stamp(value in proptest::collection::vec(any::<u8>(), 0..STAMP_BYTES)) {
            prop_assert_eq!(Stamp::read(&value), None);
            prop_assert!(!Stamp::is_intact(&value));
        }
    }
}
