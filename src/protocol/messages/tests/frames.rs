//! Whole frames, as a connection sees them.

use std::fmt::Debug;

use bytes::{Buf, Bytes};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::super::super::sample::{Dice, Sample};
use super::super::super::{
    ApiKey, DecodeError, LENGTH_BYTES, Message, REQUEST_BYTES_MIN, RESPONSE_BYTES_MIN, Reader, Request,
    RequestHeader, ResponseHeader, decode_response, encode_request, encode_response, frame_length,
};
use super::super::{
    api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
    metadata::MetadataRequest,
    produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
};
use super::Random;

const MAX_BYTES: usize = 1 << 20;

/// Takes the frame's length off, as a connection's reader does.
fn unframe(mut frame: Bytes, min: usize) -> Option<Bytes> {
    let mut prefix = [0; LENGTH_BYTES];
    (frame.len() >= LENGTH_BYTES).then(|| frame.copy_to_slice(&mut prefix))?;
    let length = frame_length(prefix, min, MAX_BYTES).ok()?;
    (length <= frame.len()).then(|| frame.split_to(length))
}

/// Reads a request down to its body, as the router does.
fn route(frame: Bytes) -> Result<RequestHeader, DecodeError> {
    type DecodeBody = fn(&mut Reader, i16) -> Result<(), DecodeError>;
    fn entry<R: Request>() -> (ApiKey, DecodeBody) {
        (R::API.key, |reader, version| R::decode(reader, version).map(drop))
    }
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)?;
    let mut entries = every_request!(entry).into_iter().map(|entry| entry());
    let (_, decode) = entries.find(|(key, _)| *key == header.api.key).expect("what is served is listed");
    decode(&mut reader, header.version).map(|()| header)
}

/// A frame of an arbitrary API and version, with a response to it.
fn arbitrary_request(random: &mut Random) -> Bytes {
    fn frame<R: Request + Sample>(random: &mut Random) -> Bytes
    where
        R::Response: Sample + PartialEq + Debug,
    {
        let versions = R::API.versions;
        let version = versions.min + random.below((versions.max - versions.min + 1) as usize) as i16;
        let choices = random.bytes(300);
        let response = R::Response::sample(&mut Dice::new(choices.clone()));
        check_response(&response, version);
        let request = R::sample(&mut Dice::new(choices));
        encode_request(&request, version, random.next() as i32, Some("client")).into_bytes()
    }
    let frames = every_request!(frame);
    frames[random.below(frames.len())](random)
}

fn check_response<M: Message + PartialEq + Debug>(response: &M, version: i16) {
    let frame = encode_response(response, version, 77).into_bytes();
    let frame = unframe(frame, RESPONSE_BYTES_MIN).expect("our own frame");
    let (header, read) = decode_response::<M>(frame.clone(), version).expect("our own response");
    assert_eq!(header, ResponseHeader { correlation_id: 77 });
    let again = unframe(encode_response(&read, version, 77).into_bytes(), RESPONSE_BYTES_MIN);
    assert_eq!(again, Some(frame));
}

#[test]
fn damaged_frames_never_do_worse_than_fail() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let frame = arbitrary_request(&mut random);
        let header = route(unframe(frame.clone(), REQUEST_BYTES_MIN).expect("our own frame"));
        assert_eq!(header.expect("our own request").client_id.as_deref(), Some("client"));

        let mut damaged = frame.to_vec();
        for _ in 0..8 {
            random.mutate(&mut damaged);
            if let Some(frame) = unframe(Bytes::from(damaged.clone()), REQUEST_BYTES_MIN) {
                // Whether it is refused depends on what was damaged; that it returns is the point.
                let _ = route(frame);
            }
            let _ = route(Bytes::from(damaged.clone()));
        }
    }
}

#[test]
fn request_headers_are_those_of_other_implementations() {
    for (version, header_version) in [(8, 1), (9, 2)] {
        for client_id in [None, Some("kcat")] {
            let request = MetadataRequest::default();
            let frame = encode_request(&request, version, 5, client_id).into_bytes();
            let mut rest = frame.slice(LENGTH_BYTES..);
            let header = theirs::RequestHeader::decode(&mut rest, header_version).expect("a header");
            assert_eq!((header.request_api_key, header.request_api_version), (3, version));
            assert_eq!((header.correlation_id, header.client_id.as_deref()), (5, client_id));

            let mut bytes = bytes::BytesMut::new();
            let written = theirs::RequestHeader::default()
                .with_request_api_key(3)
                .with_request_api_version(version)
                .with_correlation_id(5)
                .with_client_id(client_id.map(StrBytes::from_static_str));
            written.encode(&mut bytes, header_version).expect("a header");
            let ours = RequestHeader::decode(&mut Reader::new(bytes.freeze())).expect("a header");
            assert_eq!((ours.api, ours.version), (MetadataRequest::API, version));
            assert_eq!((ours.correlation_id, ours.client_id.as_deref()), (5, client_id));
        }
    }
}

#[test]
fn every_prefix_of_a_header_is_refused() {
    let frame = encode_request(&MetadataRequest::default(), 12, 5, Some("kcat")).into_bytes();
    let header_bytes = LENGTH_BYTES + 2 + 2 + 4 + 2 + 4 + 1;
    for end in LENGTH_BYTES..header_bytes {
        assert!(RequestHeader::decode(&mut Reader::new(frame.slice(LENGTH_BYTES..end))).is_err());
    }
}

#[test]
fn headers_of_what_is_not_served_are_told_apart() {
    let header = |bytes: &'static [u8]| RequestHeader::decode(&mut Reader::new(Bytes::from_static(bytes)));
    // LeaderAndIsr, which no client sends.
    assert_eq!(header(&[0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), Err(DecodeError::ApiKey(4)));
    // ApiVersions of a version to come: readable, so that it can be answered.
    let future = header(&[0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0]).expect("a header");
    assert!(!future.is_version_supported());
    assert_eq!((future.version, future.correlation_id), (99, 1));
}

#[test]
fn an_api_versions_response_never_has_tagged_fields_in_its_header() {
    let response = ApiVersionsResponse::default();
    for version in ApiVersionsRequest::API.versions.iter() {
        let frame = encode_response(&response, version, 0x0102_0304).into_bytes();
        assert_eq!(frame[4..10], [1, 2, 3, 4, 0, 0], "correlation id, then the error code");
    }
}

/// Bytes written by hand after the schemas of Kafka 0.9 and 0.10, for want of another implementation.
#[test]
fn the_oldest_produce_requests_can_be_read_and_answered() {
    let body: &[u8] = &[
        0, 1, // acks
        0, 0, 0, 9, // timeout
        0, 0, 0, 1, 0, 1, b't', // one topic
        0, 0, 0, 1, 0, 0, 0, 7, // one partition
        0, 0, 0, 3, 1, 2, 3, // its records
    ];
    let request = ProduceRequest {
        transactional_id: None,
        acks: 1,
        timeout_ms: 9,
        topic_data: vec![TopicProduceData {
            name: "t".into(),
            partition_data: vec![PartitionProduceData {
                index: 7,
                records: Some(Bytes::from_static(&[1, 2, 3])),
            }],
            ..Default::default()
        }],
    };
    for version in 0..=2 {
        let read = ProduceRequest::decode(&mut Reader::new(Bytes::from_static(body)), version);
        assert_eq!(read, Ok(request.clone()));
        let response = super::encode(&super::super::produce::ProduceResponse::default(), version);
        // No topics; from version 1 on the throttle time.
        assert_eq!(response.len(), if version == 0 { 4 } else { 8 });
    }
}

#[test]
fn fetched_records_are_sent_without_a_copy() {
    let batch = Bytes::from(vec![9; 16 << 10]);
    let partition = |index| PartitionData {
        partition_index: index,
        records: Some(batch.clone().into()),
        ..Default::default()
    };
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: (0..16).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    for version in FetchRequest::API.versions.iter() {
        let chain = encode_response(&response, version, 1);
        assert_eq!(chain.parts().filter(|part| part.as_ptr() == batch.as_ptr()).count(), 16);
        let own: usize =
            chain.parts().filter(|part| part.as_ptr() != batch.as_ptr()).map(|part| part.len()).sum();
        assert!(own < 16 * 64, "{own} bytes around the records");
    }
}
