//! Reads Kafka's primitive types from bytes that nobody vouches for.
//!
//! Two bounds hold for every read: a length is compared with the bytes that remain before it is believed, and
//! everything that is allocated is first charged to an allowance that follows from the length of the message.
//! So seven bytes cannot ask for gigabytes, nor can a megabyte of empty strings become a hundred.

use bytes::Bytes;

use crate::base::ids::TopicId;
use crate::base::limits::{DECODED_BYTES_MAX, DECODED_BYTES_MIN, DECODED_BYTES_PER_BYTE, STRING_BYTES_MAX};

use super::DecodeError;

/// Bytes of memory that decoding a message of `length` bytes may take, payloads aside.
pub fn decode_allowance(length: usize) -> usize {
    allowance(length, DECODED_BYTES_PER_BYTE)
}

fn allowance(length: usize, per_byte: usize) -> usize {
    length.saturating_mul(per_byte).clamp(DECODED_BYTES_MIN, DECODED_BYTES_MAX)
}

/// A position in a received message.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    position: usize,
    /// Where the message, or the tagged field being read, ends.
    end: usize,
    /// What may still be allocated, in bytes.
    allowance: usize,
    /// The same at the start.
    granted: usize,
}

impl Reader {
    /// Reads `bytes` from their start. Payloads that are read stay views of `bytes` and keep them alive.
    pub fn new(bytes: Bytes) -> Self {
        Reader::with_bytes_per_byte(bytes, DECODED_BYTES_PER_BYTE)
    }

    /// The same where decoding may take another number of bytes of memory for each byte, payloads aside.
    pub fn with_bytes_per_byte(bytes: Bytes, per_byte: usize) -> Self {
        let (end, granted) = (bytes.len(), allowance(bytes.len(), per_byte));
        Reader { bytes, position: 0, end, allowance: granted, granted }
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// Reads an int8.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// Reads an int16.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Reads an int32.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Reads an int64.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Reads a boolean; like Kafka, any byte but 0 is true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Reads a topic id.
    pub fn topic_id(&mut self) -> Result<TopicId, DecodeError> {
        Ok(TopicId::from_bytes(self.array()?))
    }

    /// Reads an unsigned variable-length integer of up to five bytes.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(DecodeError::Varint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    /// Reads a string, in the compact form if `flexible`; `None` is null.
    pub fn string(&mut self, flexible: bool) -> Result<Option<String>, DecodeError> {
        let length = if flexible { self.compact_length()? } else { plain_length(self.i16()?.into())? };
        let Some(length) = length else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::Length(length as i64));
        }
        self.charge(length.min(self.remaining()))?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Utf8)?;
        Ok(Some(text.to_owned()))
    }

    /// Reads bytes or records, in the compact form if `flexible`, without copying them; `None` is null.
    pub fn bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let Some(length) = self.long_length(flexible)? else { return Ok(None) };
        let start = self.position;
        self.take(length)?;
        Ok(Some(self.bytes.slice(start..self.position)))
    }

    /// Reads an array's element count and charges the memory for that many `T`; `None` is a null array. A count
    /// that was returned may be allocated at once.
    pub fn array_length<T>(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.long_length(flexible)? else { return Ok(None) };
        // No element is shorter than a byte.
        if count > self.remaining() {
            return Err(DecodeError::Truncated { wanted: count, remaining: self.remaining() });
        }
        self.charge(count.saturating_mul(size_of::<T>()))?;
        Ok(Some(count))
    }

    /// Reads a section of tagged fields. `known` is called for each with a reader that ends where the field
    /// ends, and says whether it read the value; values that it does not know are skipped.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(&mut Reader, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            self.expect(size)?;
            let outer_end = std::mem::replace(&mut self.end, self.position + size);
            if !known(self, tag)? {
                self.position = self.end;
            }
            let left = self.remaining();
            self.end = outer_end;
            if left != 0 {
                return Err(DecodeError::TaggedField { tag, left });
            }
        }
        Ok(())
    }

    /// Reads a section of tagged fields of which none is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        self.tagged_fields(|_, _| Ok(false))
    }

    fn long_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_length() } else { plain_length(self.i32()?) }
    }

    /// The compact forms send length + 1, and 0 for null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.uvarint()?.checked_sub(1).map(|length| length as usize))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        let left = self.allowance.checked_sub(bytes);
        self.allowance = left.ok_or(DecodeError::Memory { allowance: self.granted })?;
        Ok(())
    }

    fn expect(&self, wanted: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if wanted > remaining { Err(DecodeError::Truncated { wanted, remaining }) } else { Ok(()) }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        self.expect(count)?;
        let start = self.position;
        self.position += count;
        Ok(&self.bytes[start..self.position])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("took N bytes"))
    }
}

/// The forms of fixed width send -1 for null.
fn plain_length(length: i32) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length).map(Some).map_err(|_| DecodeError::Length(length.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes))
    }

    #[test]
    fn variable_length_integers_end_at_32_bits() {
        assert_eq!(reader(&[0x00]).uvarint(), Ok(0));
        assert_eq!(reader(&[0xac, 0x02]).uvarint(), Ok(300));
        assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint(), Ok(u32::MAX));
        assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), Err(DecodeError::Varint));
        assert_eq!(reader(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).uvarint(), Err(DecodeError::Varint));
        assert_eq!(reader(&[0x80]).uvarint(), Err(DecodeError::Truncated { wanted: 1, remaining: 0 }));
    }

    #[test]
    fn lengths_are_checked_before_they_are_believed() {
        assert_eq!(reader(&[0xff, 0xff]).string(false), Ok(None));
        assert_eq!(reader(&[0]).string(true), Ok(None));
        assert_eq!(reader(&[0xff, 0xfe]).string(false), Err(DecodeError::Length(-2)));
        assert_eq!(reader(&[0, 1, 0xc0]).string(false), Err(DecodeError::Utf8));
        assert_eq!(
            reader(&[0x7f, 0xff, 1]).string(false),
            Err(DecodeError::Truncated { wanted: 0x7fff, remaining: 1 })
        );
        assert_eq!(reader(&[0x81, 0x80, 0x02]).string(true), Err(DecodeError::Length(0x8000)));
        assert_eq!(reader(&[0x80, 0, 0, 0]).bytes(false), Err(DecodeError::Length(i32::MIN.into())));
        assert!(matches!(reader(&[0x7f, 0xff, 0xff, 0xff]).bytes(false), Err(DecodeError::Truncated { .. })));
        assert_eq!(
            reader(&[0, 0, 0, 3, 0, 0]).array_length::<u8>(false),
            Err(DecodeError::Truncated { wanted: 3, remaining: 2 })
        );
    }

    #[test]
    fn an_array_that_would_outgrow_the_allowance_is_refused() {
        // 64 KiB are always granted: 2,000 elements of 32 bytes fit, 4,000 do not.
        let mut body = vec![0; 4004];
        body[2..4].copy_from_slice(&2000u16.to_be_bytes());
        assert_eq!(Reader::new(body.clone().into()).array_length::<[u64; 4]>(false), Ok(Some(2000)));
        body[2..4].copy_from_slice(&4000u16.to_be_bytes());
        assert_eq!(
            Reader::new(body.into()).array_length::<[u64; 4]>(false),
            Err(DecodeError::Memory { allowance: DECODED_BYTES_MIN })
        );
        assert_eq!(decode_allowance(usize::MAX), DECODED_BYTES_MAX);
    }

    #[test]
    fn payloads_are_views_of_the_message() {
        let message = Bytes::from(vec![4, 1, 2, 3]);
        let payload = Reader::new(message.clone()).bytes(true).unwrap().unwrap();
        assert_eq!(payload.as_ptr(), message[1..].as_ptr());
    }

    #[test]
    fn tagged_fields_stay_inside_their_sizes() {
        // Two fields: tag 7 of two bytes, which nobody knows, and tag 1 of four.
        let fields: &'static [u8] = &[2, 7, 2, 0xaa, 0xbb, 1, 4, 0, 0, 0, 9];
        let mut seen = None;
        let mut all = reader(fields);
        all.tagged_fields(|reader, tag| {
            if tag == 1 {
                seen = Some(reader.i32()?);
            }
            Ok(tag == 1)
        })
        .unwrap();
        assert_eq!((seen, all.remaining()), (Some(9), 0));

        // A value may not reach beyond its field, nor stop short of its end.
        let beyond = reader(&[1, 1, 2, 0, 0, 0, 9]).tagged_fields(|reader, _| reader.i32().map(|_| true));
        assert_eq!(beyond, Err(DecodeError::Truncated { wanted: 4, remaining: 2 }));
        let short = reader(&[1, 1, 2, 0, 0]).tagged_fields(|reader, _| reader.i8().map(|_| true));
        assert_eq!(short, Err(DecodeError::TaggedField { tag: 1, left: 1 }));
        let truncated = reader(&[1, 1, 9, 0]).skip_tagged_fields();
        assert_eq!(truncated, Err(DecodeError::Truncated { wanted: 9, remaining: 1 }));
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f]).skip_tagged_fields().is_err());
    }
}
