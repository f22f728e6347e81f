//! Record batches as Kafka's documentation describes them (message format v2), read the plain way: nothing here is
//! shared with the broker's own reader, so that the two can be held against each other.

/// What a batch says of itself, and its records.
#[derive(Debug, PartialEq)]
pub struct PlainBatch {
    pub base_offset: i64,
    pub last_offset_delta: i32,
    pub attributes: i16,
    pub producer: (i64, i16, i32),
    pub record_count: i32,
    /// The offset delta of each record; empty if they are compressed.
    pub offset_deltas: Vec<i64>,
}

const UNCOUNTED_BYTES: usize = 12;

/// Takes numbers off the front of a slice.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: i64) -> Result<&'a [u8], String> {
        let count = usize::try_from(count).map_err(|_| format!("a length of {count}"))?;
        if count > self.0.len() {
            return Err(format!("{count} bytes wanted, {} there", self.0.len()));
        }
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    /// A big-endian number of this many bytes, sign extended.
    fn number(&mut self, bytes: i64) -> Result<i64, String> {
        let taken = self.take(bytes)?;
        let first = i64::from(taken[0] as i8);
        Ok(taken[1..].iter().fold(first, |value, &byte| (value << 8) | i64::from(byte)))
    }

    /// A zigzag varint of up to `bits` bits.
    fn varint(&mut self, bits: u32) -> Result<i64, String> {
        let mut value: u128 = 0;
        for at in 0..bits.div_ceil(7) {
            let byte = self.take(1)?[0];
            value |= u128::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                if value >> bits != 0 {
                    return Err("a varint that does not fit its type".to_owned());
                }
                let half = (value >> 1) as i128;
                return Ok(if value & 1 == 0 { half } else { -half - 1 } as i64);
            }
        }
        Err("a varint without an end".to_owned())
    }

    /// Bytes behind a varint length, of which -1 means null.
    fn nullable(&mut self) -> Result<(), String> {
        match self.varint(32)? {
            -1 => Ok(()),
            length => self.take(length).map(drop),
        }
    }
}

/// Reads what should be exactly one whole batch with intact bytes.
pub fn read(bytes: &[u8]) -> Result<PlainBatch, String> {
    let mut cursor = Cursor(bytes);
    let base_offset = cursor.number(8)?;
    let length = cursor.number(4)?;
    if length != cursor.0.len() as i64 {
        return Err(format!("length {length}, but {} bytes follow", cursor.0.len()));
    }
    cursor.number(4)?; // the leader's epoch
    let magic = cursor.number(1)?;
    if magic != 2 {
        return Err(format!("magic {magic}"));
    }
    let crc = cursor.number(4)? as u32;
    if crc != crc32c_bit_by_bit(cursor.0) {
        return Err("CRC-32C".to_owned());
    }
    let attributes = cursor.number(2)? as i16;
    let last_offset_delta = cursor.number(4)? as i32;
    cursor.take(16)?; // timestamps
    let producer = (cursor.number(8)?, cursor.number(2)? as i16, cursor.number(4)? as i32);
    let record_count = cursor.number(4)? as i32;
    let mut offset_deltas = Vec::new();
    if attributes & 7 == 0 {
        for _ in 0..record_count {
            offset_deltas.push(record(&mut cursor)?);
        }
        if !cursor.0.is_empty() {
            return Err(format!("{} bytes behind the last record", cursor.0.len()));
        }
    }
    Ok(PlainBatch { base_offset, last_offset_delta, attributes, producer, record_count, offset_deltas })
}

fn record(batch: &mut Cursor<'_>) -> Result<i64, String> {
    let length = batch.varint(32)?;
    let mut record = Cursor(batch.take(length)?);
    record.take(1)?; // attributes
    record.varint(64)?; // timestamp delta
    let offset_delta = record.varint(32)?;
    record.nullable()?;
    record.nullable()?;
    let headers = record.varint(32)?;
    if headers < 0 {
        return Err(format!("{headers} headers"));
    }
    for _ in 0..headers {
        let key_length = record.varint(32)?;
        record.take(key_length)?;
        record.nullable()?;
    }
    if record.0.is_empty() { Ok(offset_delta) } else { Err("bytes are left over in a record".to_owned()) }
}

/// Whether a broker may take the batch from a producer: what Kafka's LogValidator demands.
pub fn is_acceptable(bytes: &[u8], bytes_max: usize) -> Result<PlainBatch, String> {
    let batch = read(bytes)?;
    let (producer_id, producer_epoch, base_sequence) = batch.producer;
    let demands = [
        ("length", bytes.len() <= bytes_max),
        ("base offset", batch.base_offset == 0),
        ("record count", batch.record_count > 0),
        ("last offset delta", i64::from(batch.last_offset_delta) == i64::from(batch.record_count) - 1),
        ("compression", batch.attributes & 7 <= 4),
        ("timestamp type, control, delete horizon", batch.attributes & 0b110_1000 == 0),
        ("producer", producer_id < 0 || (producer_epoch >= 0 && base_sequence >= 0)),
        ("offset deltas", batch.offset_deltas.iter().enumerate().all(|(at, &delta)| at as i64 == delta)),
    ];
    match demands.iter().find(|(_, is_met)| !is_met) {
        Some((what, _)) => Err((*what).to_owned()),
        None => Ok(batch),
    }
}

/// CRC-32C (RFC 3720) by its definition.
pub fn crc32c_bit_by_bit(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// The whole batches in stored bytes, one after the other; panics where they are not whole.
pub fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let length = i32::from_be_bytes(bytes[8..12].try_into().expect("4 bytes"));
        let (batch, rest) = bytes.split_at(UNCOUNTED_BYTES + usize::try_from(length).expect("a length"));
        batches.push(batch);
        bytes = rest;
    }
    batches
}
