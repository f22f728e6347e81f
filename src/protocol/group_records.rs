//! The records of `__consumer_offsets`, in Kafka's formats (OffsetCommitKey.json and its siblings in
//! group-coordinator/src/main/resources/common/message), so that Kafka's own tools can read the topic.
//!
//! ```text
//! key:   version i16 | 0, 1: group, topic, partition    -> a committed offset
//!                    | 2:    group                      -> a group's members and their shares
//! value: version i16 | fields of that version; no value forgets what has the key
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::wire::{Format, Wire};
use super::{DecodeError, Reader, Writer};
use crate::base::ids::{LeaderEpoch, Offset, TopicId};

/// Versions of keys: each kind of record has its own.
const OFFSET_KEY_VERSIONS: [i16; 2] = [0, 1];
const GROUP_KEY_VERSION: i16 = 2;

/// The version that values of offsets are written in: the newest that all Kafkas since 2.1 read. One that has an
/// expiration of its own is written in version 1, the only one that has a place for it.
const OFFSET_VALUE_VERSION: i16 = 3;
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;
const OFFSET_VALUE_VERSION_MAX: i16 = 4;
/// The same for values of groups: Kafka 2.3.
const GROUP_VALUE_VERSION: i16 = 3;
const GROUP_VALUE_VERSION_MAX: i16 = 4;
/// Both kinds of values are flexible (KIP-482) from here on.
const FLEXIBLE_FROM: i16 = 4;
const NEVER_FLEXIBLE: i16 = i16::MAX;

wire_struct! {
    /// Whose offset of which partition.
    pub struct OffsetCommitKey {
        /// The group's id.
        group: String [0..],
        /// The topic's name.
        topic: String [0..],
        /// The partition's index.
        partition: i32 [0..],
    }
}

wire_struct! {
    /// A committed offset.
    pub struct OffsetCommitValue {
        /// The offset to go on from.
        offset: Offset [0..],
        /// The term of the record before it, -1 if unknown.
        leader_epoch: LeaderEpoch [3..] = -1,
        /// What the group remembers with it.
        metadata: String [0..],
        /// When it was committed, in ms since 1970.
        commit_timestamp: i64 [0..],
        /// When it is to be forgotten, in ms since 1970; -1 if the broker says when.
        expire_timestamp: i64 [1..=1] = -1,
        /// The topic's id.
        topic_id: TopicId [4.., tag 0],
    }
}

wire_struct! {
    /// Which group.
    pub struct GroupMetadataKey {
        /// The group's id.
        group: String [0..],
    }
}

wire_struct! {
    /// A group as of a generation.
    pub struct GroupMetadataValue {
        /// The family of protocols.
        protocol_type: String [0..],
        /// The generation.
        generation: i32 [0..],
        /// The protocol that all members speak.
        protocol: Option<String> [0.., null 0..],
        /// The member that assigns.
        leader: Option<String> [0.., null 0..],
        /// Since when the group is in its state, in ms since 1970.
        current_state_timestamp: i64 [2..] = -1,
        /// The members.
        members: Vec<MemberMetadata> [0..],
    }
}

wire_struct! {
    /// A member as of a generation.
    pub struct MemberMetadata {
        /// Its id.
        member_id: String [0..],
        /// The id that the user gave it.
        group_instance_id: Option<String> [3.., null 3..],
        /// The client's name for itself.
        client_id: String [0..],
        /// Where it connects from.
        client_host: String [0..],
        /// How long a rebalance waits for it, in ms.
        rebalance_timeout: i32 [1..] = -1,
        /// Silence after which it counts as gone, in ms.
        session_timeout: i32 [0..],
        /// Its metadata for the protocol.
        subscription: Bytes [0..],
        /// Its share.
        assignment: Bytes [0..],
    }
}

/// A record of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRecord {
    /// An offset is committed, or without a value forgotten.
    Offset(OffsetCommitKey, Option<OffsetCommitValue>),
    /// A group has a new generation, or without a value is forgotten.
    Group(GroupMetadataKey, Option<GroupMetadataValue>),
}

/// The bytes of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedRecord {
    /// Its key.
    pub key: Bytes,
    /// Its value; none forgets what has the key.
    pub value: Option<Bytes>,
}

impl GroupRecord {
    /// Reads a record; `None` if its key is of a kind that came later.
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Option<Self>, DecodeError> {
        let mut key = Reader::new(key);
        let version = key.i16()?;
        if OFFSET_KEY_VERSIONS.contains(&version) {
            let key = OffsetCommitKey::read(&mut key, Format::new(version, NEVER_FLEXIBLE))?;
            let value = value.map(|value| decode_value(value, OFFSET_VALUE_VERSION_MAX)).transpose()?;
            return Ok(Some(GroupRecord::Offset(key, value)));
        }
        if version == GROUP_KEY_VERSION {
            let key = GroupMetadataKey::read(&mut key, Format::new(version, NEVER_FLEXIBLE))?;
            let value = value.map(|value| decode_value(value, GROUP_VALUE_VERSION_MAX)).transpose()?;
            return Ok(Some(GroupRecord::Group(key, value)));
        }
        Ok(None)
    }

    /// The record's bytes.
    pub fn encode(&self) -> EncodedRecord {
        match self {
            GroupRecord::Offset(key, value) => EncodedRecord {
                key: encode(key, OFFSET_KEY_VERSIONS[1]),
                value: value.as_ref().map(|value| {
                    let expires = value.expire_timestamp >= 0;
                    encode(value, if expires { EXPIRING_OFFSET_VALUE_VERSION } else { OFFSET_VALUE_VERSION })
                }),
            },
            GroupRecord::Group(key, value) => EncodedRecord {
                key: encode(key, GROUP_KEY_VERSION),
                value: value.as_ref().map(|value| encode(value, GROUP_VALUE_VERSION)),
            },
        }
    }
}

fn decode_value<T: Wire>(value: Bytes, version_max: i16) -> Result<T, DecodeError> {
    let mut reader = Reader::new(value);
    let version = reader.i16()?;
    if !(0..=version_max).contains(&version) {
        return Err(DecodeError::RecordVersion(version));
    }
    T::read(&mut reader, Format::new(version, FLEXIBLE_FROM))
}

fn encode<T: Wire>(value: &T, version: i16) -> Bytes {
    let mut writer = Writer::default();
    // No version that is written is flexible.
    value.write(&mut writer, Format::new(version, NEVER_FLEXIBLE));
    let body = writer.into_chain().into_bytes();
    let mut bytes = BytesMut::with_capacity(size_of::<i16>() + body.len());
    bytes.put_i16(version);
    bytes.put_slice(&body);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::sample::{Dice, Sample};
    use super::*;

    /// A value in any version, as another broker may have written it.
    fn encode_at<T: Wire>(value: &T, version: i16) -> Bytes {
        let mut writer = Writer::default();
        writer.i16(version);
        value.write(&mut writer, Format::new(version, FLEXIBLE_FROM));
        writer.into_chain().into_bytes()
    }

    fn decoded(record: &GroupRecord) -> GroupRecord {
        let EncodedRecord { key, value } = record.encode();
        GroupRecord::decode(key, value).expect("our own").expect("of a known kind")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(choices in vec(any::<u8>(), 0..300), is_tombstone: bool) {
            let mut dice = Dice::new(choices);
            let key = OffsetCommitKey::sample(&mut dice);
            let mut value = OffsetCommitValue::sample(&mut dice);
            value.topic_id = TopicId::ZERO;
            // Either an expiration or a term has a place.
            if value.expire_timestamp >= 0 { value.leader_epoch = -1 } else { value.expire_timestamp = -1 }
            let record = GroupRecord::Offset(key, (!is_tombstone).then_some(value));
            prop_assert_eq!(decoded(&record), record);

            let key = GroupMetadataKey::sample(&mut dice);
            let value = GroupMetadataValue::sample(&mut dice);
            let record = GroupRecord::Group(key, (!is_tombstone).then_some(value));
            prop_assert_eq!(decoded(&record), record);
        }

        #[test]
        fn every_version_of_a_value_is_read(choices in vec(any::<u8>(), 0..300)) {
            let mut dice = Dice::new(choices);
            let (offset, group) = (OffsetCommitValue::sample(&mut dice), GroupMetadataValue::sample(&mut dice));
            let (offset_key, group_key) = (encode(&OffsetCommitKey::default(), 0), encode(&GroupMetadataKey::default(), 2));
            for version in 0..=4 {
                let read = GroupRecord::decode(offset_key.clone(), Some(encode_at(&offset, version)));
                let Ok(Some(GroupRecord::Offset(_, Some(read)))) = read else { panic!("{read:?}") };
                prop_assert_eq!((read.offset, read.metadata), (offset.offset, offset.metadata.clone()));
                let read = GroupRecord::decode(group_key.clone(), Some(encode_at(&group, version)));
                let Ok(Some(GroupRecord::Group(_, Some(read)))) = read else { panic!("{read:?}") };
                prop_assert_eq!((read.generation, read.members.len()), (group.generation, group.members.len()));
            }
        }

        #[test]
        fn damaged_records_are_refused_or_read(key in vec(any::<u8>(), 0..40), value in vec(any::<u8>(), 0..80), kind in 0..4u8) {
            let mut key = key;
            if key.len() > 1 { key[..2].copy_from_slice(&[0, kind]); }
            let mut versioned = value.clone();
            if versioned.len() > 1 { versioned[..2].copy_from_slice(&[0, kind]); }
            // That it returns is the point.
            let _ = GroupRecord::decode(key.clone().into(), Some(versioned.into()));
            let _ = GroupRecord::decode(key.into(), None);
        }
    }

    /// Bytes as Kafka 3.9 writes them, by hand after its schemas.
    #[test]
    fn bytes_are_kafkas() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 7 };
        let value = OffsetCommitValue {
            offset: 5,
            leader_epoch: 2,
            metadata: "m".into(),
            commit_timestamp: 9,
            ..Default::default()
        };
        let EncodedRecord { key, value } = GroupRecord::Offset(key, Some(value)).encode();
        assert_eq!(&key[..], [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 7]);
        let expected = [0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(value.as_deref(), Some(&expected[..]));
        let key = GroupMetadataKey { group: "g".into() };
        let tombstone = GroupRecord::Group(key, None).encode();
        assert_eq!((&tombstone.key[..], tombstone.value), (&[0, 2, 0, 1, b'g'][..], None));
    }

    #[test]
    fn kinds_of_later_times_are_passed_over() {
        assert_eq!(GroupRecord::decode(Bytes::from_static(&[0, 3, 0, 1, b'g']), None), Ok(None));
        let value = Some(Bytes::from_static(&[0, 5, 0]));
        let key = encode(&GroupMetadataKey::default(), GROUP_KEY_VERSION);
        assert_eq!(GroupRecord::decode(key, value), Err(DecodeError::RecordVersion(5)));
    }
}
