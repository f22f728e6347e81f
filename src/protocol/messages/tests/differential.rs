//! Our codec against the `kafka-protocol` crate, which is generated from Kafka's schemas.
//!
//! Every message goes ours -> bytes -> theirs -> bytes. Equal bytes show that both put the same things in the same
//! places; equal `Debug` output shows that both call them by the same names. Then theirs, as of the last version,
//! goes -> bytes of every version that can express it -> ours, which shows that we read what we would not write. They do not know in which versions null is
//! allowed; that is checked by hand below.

use std::fmt::Debug;

use bytes::BytesMut;
use kafka_protocol::protocol::{Decodable, Encodable, Message as TheirMessage};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::sample::{Dice, Sample};
use super::super::super::{DecodeError, ErrorCode, Message};
use super::super::delete_topics::{DeletableTopicResult, DeleteTopicsResponse};
use super::super::list_offsets::ListOffsetsRequest;
use super::super::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use super::super::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use super::super::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use super::super::{SERVED, find};
use super::{Counterpart, decode, encode};
use crate::base::ids::TopicId;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn both_codecs_agree_on_every_message_at_every_version(choices in choices()) {
        for_every_message!(check_our_bytes(&choices));
    }

    #[test]
    fn whatever_they_can_express_in_a_version_is_read(choices in choices()) {
        for_every_message!(check_their_bytes(&choices));
    }
}

/// Few choices make messages of few elements with little in them, which most versions can express.
fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..16), vec(any::<u8>(), 0..500)]
}

fn check_our_bytes<Ours>(choices: &[u8])
where
    Ours: Message + Sample + Debug + PartialEq + Counterpart,
    Ours::Theirs: TheirMessage + Encodable + Decodable + Debug,
{
    for version in Ours::API.versions.iter() {
        let sample = Ours::sample(&mut Dice::new(choices.to_vec()));
        let bytes = encode(&sample, version);
        // What comes back is the sample without the fields that the version lacks.
        let (ours, left) = decode::<Ours>(&bytes, version).expect("our own bytes");
        assert_eq!(left, 0, "version {version} of {sample:?}");
        assert_eq!(encode(&ours, version), bytes, "version {version} of {sample:?}");

        let Some(their_version) = their_version::<Ours, Ours::Theirs>(version) else { continue };
        let mut rest = bytes.clone();
        let theirs = Ours::Theirs::decode(&mut rest, their_version).expect("they read our bytes");
        assert!(rest.is_empty(), "version {version}: they leave {} bytes of {ours:?}", rest.len());
        assert_eq!(plain(format!("{ours:?}")), in_our_words(format!("{theirs:?}")), "version {version}");
        let mut their_bytes = BytesMut::new();
        theirs.encode(&mut their_bytes, their_version).expect("they write what they read");
        assert_eq!(their_bytes, bytes, "version {version} of {ours:?}");
    }
}

fn check_their_bytes<Ours>(choices: &[u8])
where
    Ours: Message + Sample + Debug + PartialEq + Counterpart,
    Ours::Theirs: TheirMessage + Encodable + Decodable + Debug,
{
    let last =
        Ours::API.versions.iter().rev().find(|last| their_version::<Ours, Ours::Theirs>(*last).is_some());
    let last = last.expect("a version that both have");
    let sample = Ours::sample(&mut Dice::new(choices.to_vec()));
    let their_last = their_version::<Ours, Ours::Theirs>(last).expect("just found");
    let theirs = Ours::Theirs::decode(&mut encode(&sample, last), their_last).expect("they read our bytes");
    for version in Ours::API.versions.iter() {
        let Some(their_version) = their_version::<Ours, Ours::Theirs>(version) else { continue };
        let mut bytes = BytesMut::new();
        if theirs.encode(&mut bytes, their_version).is_err() {
            continue;
        }
        let (ours, left) = match decode::<Ours>(&bytes.clone().freeze(), version) {
            // They write null also where the version has none.
            Err(DecodeError::Null) => continue,
            read => read.unwrap_or_else(|error| panic!("version {version} of {theirs:?}: {error}")),
        };
        assert_eq!((left, &encode(&ours, version)[..]), (0, &bytes[..]), "version {version} of {theirs:?}");
    }
}

/// The version of theirs that has the same body as `version` of ours, if they have it.
fn their_version<Ours: Message, Theirs: TheirMessage>(version: i16) -> Option<i16> {
    // They do not know Produce 0 to 2.
    if version < Theirs::VERSIONS.min {
        return None;
    }
    // They do not know ListOffsets 11 yet, which adds no field to 10 (KIP-1023), nor committed offsets by topic id,
    // which are checked by hand below.
    if version > Theirs::VERSIONS.max {
        let is_list_offsets = Ours::API.key == ListOffsetsRequest::API.key;
        assert_eq!(version, if is_list_offsets { 11 } else { 10 });
        let by_id = [OffsetCommitRequest::API.key, OffsetFetchRequest::API.key];
        assert!(is_list_offsets || by_id.contains(&Ours::API.key), "{:?}", Ours::API.key);
        return is_list_offsets.then_some(10);
    }
    Some(version)
}

/// Their `Debug` output as ours would be.
fn in_our_words(mut text: String) -> String {
    // Fields of later versions, and what we do not keep.
    for dropped in [
        ", unknown_tagged_fields: {}",
        ", enable_2_pc: false, keep_prepared_txn: false",
        ", ongoing_txn_producer_id: -1, ongoing_txn_producer_epoch: -1",
    ] {
        text = text.replace(dropped, "");
    }
    // Where request and response call two things alike, and a word that is Rust's.
    text =
        text.replace("EntryData { error_code", "EntryResponse { error_code").replace("_match: ", "match: ");
    named_error_codes(&plain(text))
}

/// Two fields default to null with us and to an empty value with them in versions that lack the fields; where
/// they exist, the comparison of the bytes tells null from empty.
fn plain(text: String) -> String {
    text.replace("configs: Some([])", "configs: None")
        .replace("documentation: Some(\"\")", "documentation: None")
}

fn named_error_codes(text: &str) -> String {
    let mut pieces = text.split("error_code: ");
    let mut named = pieces.next().expect("split yields a piece").to_owned();
    for piece in pieces {
        let end = piece.find([',', ' ']).expect("a field is followed by another or by a brace");
        let code: i16 = piece[..end].parse().expect("an error code");
        named += &format!("error_code: {:?}{}", ErrorCode::from(code), &piece[end..]);
    }
    named
}

/// The fields of which Kafka's schemas say that they may be null only from some version on.
#[test]
fn null_is_refused_before_the_version_that_allows_it() {
    let topics = Some(vec![MetadataRequestTopic::default()]);
    check_null_from(1, MetadataRequest { topics: None, ..Default::default() });
    check_null_from(10, MetadataRequest { topics, ..Default::default() });
    let topics = vec![MetadataResponseTopic::default()];
    check_null_from(12, MetadataResponse { topics, ..Default::default() });
    let responses = vec![DeletableTopicResult::default()];
    check_null_from(6, DeleteTopicsResponse { responses, ..Default::default() });
}

fn check_null_from<Ours>(first: i16, message: Ours)
where
    Ours: Message + Counterpart,
    Ours::Theirs: TheirMessage + Encodable + Decodable,
{
    let versions = Ours::API.versions;
    let mut last = encode(&message, versions.max);
    let theirs = Ours::Theirs::decode(&mut last, versions.max).expect("they read our bytes");
    for version in versions.iter() {
        let mut bytes = BytesMut::new();
        theirs.encode(&mut bytes, version).expect("they write null in any version");
        let read = decode::<Ours>(&bytes.freeze(), version).map(drop);
        assert_eq!(read, if version < first { Err(DecodeError::Null) } else { Ok(()) }, "version {version}");
        // We never write such a null: it becomes an empty value.
        assert!(decode::<Ours>(&encode(&message, version), version).is_ok());
    }
}

/// Bytes by hand, after the schemas of Kafka 4.1.
#[test]
fn offsets_are_committed_and_fetched_by_topic_id_in_version_10() {
    let topic_id = TopicId::from_bytes([7; 16]);
    let partition = OffsetCommitRequestPartition {
        partition_index: 3,
        committed_offset: 5,
        committed_leader_epoch: 2,
        committed_metadata: None,
    };
    let name = "not on the wire".to_owned();
    let topic = OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] };
    let request = OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
    let head = [2, b'g', 0xff, 0xff, 0xff, 0xff, 1, 0, 2];
    let offset = [2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0];
    assert_eq!(encode(&request, 10), [&head[..], &[7; 16], &offset].concat());
    let topics =
        vec![OffsetFetchRequestTopics { topic_id, partition_indexes: vec![3], ..Default::default() }];
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(topics), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
    let head = [2, 2, b'g', 0, 0xff, 0xff, 0xff, 0xff, 2];
    assert_eq!(encode(&request, 10), [&head[..], &[7; 16], &[2, 0, 0, 0, 3, 0, 0, 1, 0]].concat());
}

#[test]
fn header_versions_are_kafkas() {
    use kafka_protocol::messages::ApiKey;
    for api in SERVED {
        let theirs = ApiKey::try_from(api.key as i16).expect("they know the API");
        for version in api.versions.iter() {
            // ListOffsets 11, offsets by topic id, and Produce 0 to 2, see above.
            if version < theirs.valid_versions().min || version > theirs.valid_versions().max {
                continue;
            }
            assert_eq!(api.request_header_version(version), theirs.request_header_version(version));
            assert_eq!(api.response_header_version(version), theirs.response_header_version(version));
        }
    }
}

#[test]
fn served_apis_are_found_by_their_keys() {
    assert!(SERVED.is_sorted_by_key(|api| api.key));
    for api in SERVED {
        assert_eq!(find(api.key as i16), Some(*api));
    }
    assert_eq!(find(-1), None);
}
