//! Writes Kafka's primitive types into a [`Chain`].
//!
//! Small values go into one growing buffer. A payload is only noted with the position where it belongs, and
//! becomes a part of its own when the chain is made: however large the records of a response, they are not
//! copied.

use bytes::{BufMut, Bytes, BytesMut};

use crate::base::ids::TopicId;
use crate::base::limits::STRING_BYTES_MAX;

use super::Chain;
use super::frame::LENGTH_BYTES;

/// Payloads shorter than this are copied: another part in a vectored write costs more than so few bytes.
const LINKED_BYTES_MIN: usize = 512;

/// A message being written.
#[derive(Debug, Default)]
pub struct Writer {
    head: BytesMut,
    /// Payloads and the positions in `head` before which they belong, ascending.
    links: Vec<(usize, Bytes)>,
    /// Bytes in `links`.
    linked: usize,
}

impl Writer {
    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.head.len() + self.linked
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A writer with the frame's length reserved in front; [`Writer::into_frame`] fills it in.
    pub fn frame() -> Self {
        let mut writer = Writer { head: BytesMut::with_capacity(256), ..Writer::default() };
        writer.head.put_bytes(0, LENGTH_BYTES);
        writer
    }

    /// The frame, complete with its length, of a writer made by [`Writer::frame`].
    pub fn into_frame(mut self) -> Chain {
        let length = i32::try_from(self.len() - LENGTH_BYTES).expect("a frame is shorter than 2 GiB");
        self.head[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        self.into_chain()
    }

    /// What was written.
    pub fn into_chain(self) -> Chain {
        let head = self.head.freeze();
        let mut chain = Chain::default();
        let mut position = 0;
        for (before, payload) in self.links {
            chain.push(head.slice(position..before));
            chain.push(payload);
            position = before;
        }
        chain.push(head.slice(position..));
        chain
    }

    /// Writes an int8.
    pub fn i8(&mut self, value: i8) {
        self.head.put_i8(value);
    }

    /// Writes an int16.
    pub fn i16(&mut self, value: i16) {
        self.head.put_i16(value);
    }

    /// Writes an int32.
    pub fn i32(&mut self, value: i32) {
        self.head.put_i32(value);
    }

    /// Writes an int64.
    pub fn i64(&mut self, value: i64) {
        self.head.put_i64(value);
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) {
        self.head.put_u8(value.into());
    }

    /// Writes a topic id.
    pub fn topic_id(&mut self, value: TopicId) {
        self.head.put_slice(&value.to_bytes());
    }

    /// Writes an unsigned variable-length integer.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.head.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.head.put_u8(value as u8);
    }

    /// Writes a string, in the compact form if `flexible`; `None` is null. Text beyond Kafka's limit for
    /// strings, which only an error message of our own could have, is cut.
    pub fn string(&mut self, value: Option<&str>, flexible: bool) {
        let text = value.map(|text| &text[..text.floor_char_boundary(STRING_BYTES_MAX)]);
        if flexible {
            self.compact_length(text.map(str::len));
        } else {
            self.i16(text.map_or(-1, |text| text.len() as i16));
        }
        self.head.put_slice(text.unwrap_or_default().as_bytes());
    }

    /// Writes bytes or records, in the compact form if `flexible`; `None` is null. Long ones are linked, not
    /// copied.
    pub fn bytes(&mut self, value: Option<&Bytes>, flexible: bool) {
        self.long_length(value.map(Bytes::len), flexible);
        if let Some(payload) = value {
            self.payload(payload);
        }
    }

    /// Writes bytes or records that lie in pieces as one value.
    pub fn pieces(&mut self, pieces: &[Bytes], flexible: bool) {
        self.long_length(Some(pieces.iter().map(Bytes::len).sum()), flexible);
        pieces.iter().for_each(|piece| self.payload(piece));
    }

    fn payload(&mut self, payload: &Bytes) {
        if payload.len() < LINKED_BYTES_MIN {
            self.head.put_slice(payload);
        } else {
            self.linked += payload.len();
            self.links.push((self.head.len(), payload.clone()));
        }
    }

    /// Writes the element count of an array; `None` is a null array.
    pub fn array_length(&mut self, count: Option<usize>, flexible: bool) {
        self.long_length(count, flexible);
    }

    /// Writes a section of tagged fields.
    pub fn tagged_fields(&mut self, fields: TaggedFields) {
        self.uvarint(fields.count);
        self.append(fields.body);
    }

    fn long_length(&mut self, length: Option<usize>, flexible: bool) {
        if flexible {
            self.compact_length(length);
        } else {
            self.i32(length.map_or(-1, |length| i32::try_from(length).expect("lengths fit 31 bits")));
        }
    }

    fn compact_length(&mut self, length: Option<usize>) {
        let sent = length.map_or(0, |length| length + 1);
        self.uvarint(u32::try_from(sent).expect("lengths fit 31 bits"));
    }

    fn append(&mut self, other: Writer) {
        let start = self.head.len();
        self.links.extend(other.links.into_iter().map(|(before, payload)| (start + before, payload)));
        self.linked += other.linked;
        self.head.put_slice(&other.head);
    }
}

/// Tagged fields being collected; their number stands in front of them and is known only at the end.
#[derive(Debug, Default)]
pub struct TaggedFields {
    count: u32,
    body: Writer,
}

impl TaggedFields {
    /// Adds a field whose value `write` writes. Tags must ascend.
    pub fn push(&mut self, tag: u32, write: impl FnOnce(&mut Writer)) {
        let mut value = Writer::default();
        write(&mut value);
        self.count += 1;
        self.body.uvarint(tag);
        self.body.uvarint(u32::try_from(value.len()).expect("lengths fit 31 bits"));
        self.body.append(value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    #[test]
    fn payloads_are_linked_in_order_and_not_copied() {
        let long = Bytes::from(vec![7; LINKED_BYTES_MIN]);
        let mut writer = Writer::frame();
        writer.i16(1);
        writer.bytes(Some(&long), false);
        writer.bytes(Some(&Bytes::from_static(b"short")), true);
        writer.bytes(Some(&long), true);
        let chain = writer.into_frame();

        let linked: Vec<_> = chain.parts().filter(|part| part.as_ptr() == long.as_ptr()).collect();
        assert_eq!((chain.parts().len(), linked.len()), (4, 2));
        let mut reader = Reader::new(chain.into_bytes());
        assert_eq!(reader.i32().unwrap() as usize, reader.remaining());
        assert_eq!(reader.i16(), Ok(1));
        assert_eq!(reader.bytes(false), Ok(Some(long.clone())));
        assert_eq!(reader.bytes(true).unwrap().as_deref(), Some(&b"short"[..]));
        assert_eq!(reader.bytes(true), Ok(Some(long)));
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn tagged_fields_carry_their_sizes() {
        let long = Bytes::from(vec![7; LINKED_BYTES_MIN]);
        let mut fields = TaggedFields::default();
        fields.push(0, |value| value.i32(9));
        fields.push(300, |value| value.bytes(Some(&long), true));
        let mut writer = Writer::default();
        writer.i8(1);
        writer.tagged_fields(fields);
        let mut reader = Reader::new(writer.into_chain().into_bytes());
        reader.i8().unwrap();
        let mut seen = Vec::new();
        reader
            .tagged_fields(|reader, tag| {
                seen.push((tag, reader.remaining()));
                Ok(false)
            })
            .unwrap();
        assert_eq!(seen, [(0, 4), (300, LINKED_BYTES_MIN + 2)]);
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn text_beyond_the_limit_is_cut_between_characters() {
        let text = "é".repeat(STRING_BYTES_MAX);
        for flexible in [false, true] {
            let mut writer = Writer::default();
            writer.string(Some(&text), flexible);
            let read = Reader::new(writer.into_chain().into_bytes()).string(flexible).unwrap().unwrap();
            assert_eq!(read.len(), STRING_BYTES_MAX - 1);
        }
    }
}
