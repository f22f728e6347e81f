//! A producer that does nothing but send and wait.

use std::io::{Read, Write};
use std::net::TcpStream;

use corelane::protocol::batch::BatchBuilder;
use corelane::protocol::messages::produce::ProduceResponse;
use corelane::protocol::{ErrorCode, LENGTH_BYTES, decode_response};

use crate::broker::Broker;
use crate::wire::{self, PRODUCE_VERSION};

const TOPIC: &str = "round-trip";

pub struct Producer {
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Producer {
    pub fn connect(broker: &Broker, record_bytes: usize) -> Self {
        let mut stream = wire::connect(&broker.address);
        wire::create_topic(&mut stream, TOPIC, 1, &[]);
        let batch = BatchBuilder::new().record(0, None, Some(&vec![7; record_bytes])).build();
        let request = wire::produce_request(TOPIC, 0, batch.into());
        let produced: ProduceResponse = wire::call(&mut stream, &request, PRODUCE_VERSION);
        let error = produced.responses[0].partition_responses[0].error_code;
        assert_eq!(error, ErrorCode::None, "the topic was made just now");
        let request = wire::frame(&request, PRODUCE_VERSION);
        stream.write_all(&request).expect("the broker lives");
        let response = wire::receive(&mut stream);
        decode_response::<ProduceResponse>(response.clone(), PRODUCE_VERSION).expect("a produce response");
        Producer { stream, request, response: vec![0; LENGTH_BYTES + response.len()] }
    }

    pub fn request_bytes(&self) -> usize {
        self.request.len()
    }

    pub fn response_bytes(&self) -> usize {
        self.response.len()
    }

    /// One request and its response, which has the length of the first one's.
    pub fn produce(&mut self) {
        self.stream.write_all(&self.request).expect("the broker lives");
        self.stream.read_exact(&mut self.response).expect("the broker answers");
    }
}
