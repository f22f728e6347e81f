//! Bodies that are cut short, damaged, or never were a message.

use std::fmt::Debug;

use bytes::Bytes;

use super::super::super::Message;
use super::super::super::sample::{Dice, Sample};
use super::super::metadata::{MetadataRequest, MetadataRequestTopic};
use super::{Random, decode, encode};

#[test]
fn no_message_is_complete_before_its_end() {
    for seed in 0..4 {
        for_every_message!(check_prefixes(seed));
    }
}

fn check_prefixes<M: Message + Sample>(seed: u64) {
    for version in M::API.versions.iter() {
        let choices = Random::new(seed).bytes(200);
        let bytes = encode(&M::sample(&mut Dice::new(choices)), version);
        for length in 0..bytes.len() {
            assert!(decode::<M>(&bytes.slice(..length), version).is_err());
        }
    }
}

#[test]
fn damaged_messages_are_refused_or_read_consistently() {
    for seed in 0..40 {
        for_every_message!(check_mutations(seed));
    }
}

fn check_mutations<M: Message + Sample + Debug + PartialEq>(seed: u64) {
    let mut random = Random::new(seed);
    for version in M::API.versions.iter() {
        let choices = random.bytes(100);
        let mut bytes = encode(&M::sample(&mut Dice::new(choices)), version).to_vec();
        for _ in 0..4 {
            random.mutate(&mut bytes);
            check_arbitrary::<M>(&bytes, version);
        }
    }
}

#[test]
fn noise_is_refused_or_read_consistently() {
    for seed in 0..40 {
        for_every_message!(check_noise(seed));
    }
}

fn check_noise<M: Message + Debug + PartialEq>(seed: u64) {
    let mut random = Random::new(seed);
    for version in M::API.versions.iter() {
        let length = random.below(100);
        check_arbitrary::<M>(&random.bytes(length), version);
        // Long runs of one byte: empty strings, lengths of -1, varints without an end.
        let fill = [0, 1, 2, 0x7f, 0x80, 0xff][random.below(6)];
        check_arbitrary::<M>(&vec![fill; 3000], version);
    }
}

/// Whatever can be read at all means the same after it was written and read again.
fn check_arbitrary<M: Message + Debug + PartialEq>(bytes: &[u8], version: i16) {
    if let Ok((message, _)) = decode::<M>(&Bytes::copy_from_slice(bytes), version) {
        let again = decode::<M>(&encode(&message, version), version);
        assert_eq!(again, Ok((message, 0)), "version {version} of {bytes:x?}");
    }
}

#[test]
fn versions_that_do_not_exist_are_refused() {
    for_every_message!(check_versions());
}

fn check_versions<M: Message>() {
    let versions = M::API.versions;
    for version in [i16::MIN, -1, versions.min - 1, versions.max + 1, i16::MAX] {
        assert!(decode::<M>(&Bytes::from_static(&[0; 100]), version).is_err());
    }
}

#[test]
fn long_lists_of_short_names_stay_within_the_allowance() {
    let topic = |index| MetadataRequestTopic { name: Some(format!("t{index}")), ..Default::default() };
    let request = MetadataRequest { topics: Some((0..50_000).map(topic).collect()), ..Default::default() };
    for version in MetadataRequest::API.versions.iter() {
        let read = decode::<MetadataRequest>(&encode(&request, version), version);
        assert_eq!(read, Ok((request.clone(), 0)));
    }
}
