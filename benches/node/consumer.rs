//! A consumer that reads one partition after the other as fast as it is answered.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use corelane::protocol::batch::Batches;
use corelane::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use corelane::protocol::{ErrorCode, LENGTH_BYTES, decode_response};

use crate::wire;

/// Without sessions and topic ids.
pub const FETCH_VERSION: i16 = 11;

/// A fetch of one partition.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_bytes: usize) -> FetchRequest {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: max_bytes as i32,
        ..Default::default()
    };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..Default::default() };
    FetchRequest { max_wait_ms: 0, min_bytes: 0, topics: vec![topic], ..Default::default() }
}

pub struct Consumer {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Consumer {
    pub fn connect(address: &str) -> Self {
        Consumer { stream: wire::connect(address), buffer: BytesMut::new() }
    }

    /// Reads a partition from its start to the high watermark; the number of bytes.
    pub fn read_all(&mut self, topic: &str, partition: i32, max_bytes: usize) -> u64 {
        let (mut offset, mut total) = (0, 0);
        loop {
            let request = fetch_request(topic, partition, offset, max_bytes);
            let (bytes, next) = self.fetch(&request, offset);
            total += bytes as u64;
            if next == offset {
                return total;
            }
            offset = next;
        }
    }

    /// Bytes of records, and the offset behind the last.
    pub fn fetch(&mut self, request: &FetchRequest, offset: i64) -> (usize, i64) {
        self.stream.write_all(&wire::frame(request, FETCH_VERSION)).expect("the broker lives");
        let mut length = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut length).expect("the broker answers");
        self.buffer.resize(u32::from_be_bytes(length) as usize, 0);
        self.stream.read_exact(&mut self.buffer).expect("the broker answers");
        let frame = self.buffer.split().freeze();
        let (_, response) = decode_response::<FetchResponse>(frame, FETCH_VERSION).expect("a fetch response");
        let found = &response.responses[0].partitions[0];
        assert_eq!(found.error_code, ErrorCode::None, "fetch was refused");
        let pieces = found.records.as_ref().map_or(&[][..], |pieces| &pieces.0);
        let mut next = offset;
        for batch in pieces.iter().flat_map(|piece| Batches::new(piece)) {
            let header = *batch.expect("whole batches").batch.header();
            assert!(header.base_offset <= next, "no offset is left out");
            next = header.last_offset() + 1;
        }
        (pieces.iter().map(bytes::Bytes::len).sum(), next)
    }
}
