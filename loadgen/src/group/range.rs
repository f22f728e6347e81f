//! The `range` assignor of Kafka's consumers, and the bytes in which members and leader speak of it: version 0 of
//! `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`, which every later one begins with.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The assignor's name.
pub const RANGE: &str = "range";
/// The family of protocols that assignors belong to.
pub const CONSUMER: &str = "consumer";

/// Partitions by topic.
pub type Partitions = BTreeMap<String, Vec<i32>>;

/// What a member tells of itself: the topics that it wants.
pub fn subscription(topics: &[String]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    topics.iter().for_each(|topic| put_string(&mut bytes, topic));
    bytes.put_i32(-1);
    bytes.freeze()
}

/// The topics of a member, which may be another program; `None` if the bytes are no subscription.
pub fn topics_of(mut subscription: &[u8]) -> Option<Vec<String>> {
    let _version = subscription.try_get_i16().ok()?;
    let count = subscription.try_get_i32().ok()?;
    (0..count).map(|_| get_string(&mut subscription)).collect()
}

/// What the leader tells a member: its share.
pub fn assignment(share: &Partitions) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(share.len() as i32);
    for (topic, partitions) in share {
        put_string(&mut bytes, topic);
        bytes.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

/// The share that a leader assigned; `None` if the bytes are none. No bytes are a share of nothing.
pub fn share_of(mut assignment: &[u8]) -> Option<Partitions> {
    if assignment.is_empty() {
        return Some(Partitions::new());
    }
    let _version = assignment.try_get_i16().ok()?;
    let count = assignment.try_get_i32().ok()?;
    let topic = |bytes: &mut &[u8]| {
        let topic = get_string(bytes)?;
        let count = bytes.try_get_i32().ok()?;
        let partitions = (0..count).map(|_| bytes.try_get_i32().ok()).collect::<Option<_>>()?;
        Some((topic, partitions))
    };
    (0..count).map(|_| topic(&mut assignment)).collect()
}

fn put_string(bytes: &mut BytesMut, text: &str) {
    bytes.put_i16(text.len() as i16);
    bytes.put_slice(text.as_bytes());
}

fn get_string(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
    let text = bytes.get(..length)?;
    *bytes = &bytes[length..];
    String::from_utf8(text.to_vec()).ok()
}

/// Deals each topic's partitions out to those who want it, in one stretch each, the first ones one longer where it does
/// not come out even. `members` are ids and the topics wanted, `counts` the topics' numbers of partitions.
pub fn assign(
    members: &BTreeMap<String, Vec<String>>,
    counts: &BTreeMap<String, i32>,
) -> Vec<(String, Partitions)> {
    let mut shares: BTreeMap<&String, Partitions> =
        members.keys().map(|member| (member, Partitions::new())).collect();
    for (topic, count) in counts {
        let takers: Vec<&String> =
            members.iter().filter(|(_, topics)| topics.contains(topic)).map(|(member, _)| member).collect();
        let takers_count = takers.len() as i32;
        let mut next = 0;
        for (at, member) in takers.into_iter().enumerate() {
            let length = count / takers_count + i32::from((at as i32) < count % takers_count);
            if length > 0 {
                let share = shares.get_mut(member).expect("every member has one");
                share.insert(topic.clone(), (next..next + length).collect());
            }
            next += length;
        }
    }
    shares.into_iter().map(|(member, share)| (member.clone(), share)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_kafkas() {
        assert_eq!(&subscription(&["ab".to_owned()])[..], b"\0\0\0\0\0\x01\0\x02ab\xff\xff\xff\xff");
        let share = Partitions::from([("t".to_owned(), vec![0, 7])]);
        let bytes = assignment(&share);
        assert_eq!(&bytes[..], b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x07\xff\xff\xff\xff");
        assert_eq!(share_of(&bytes), Some(share));
        assert_eq!(share_of(b""), Some(Partitions::new()));
        // A later version has more behind.
        let mut newer = subscription(&["ab".to_owned()]).to_vec();
        newer[1] = 3;
        newer.extend([0; 9]);
        assert_eq!(topics_of(&newer), Some(vec!["ab".to_owned()]));
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_and_shares_are_even(members in 1usize..9, counts in proptest::collection::vec(0i32..40, 1..4)) {
            let topics: Vec<String> = (0..counts.len()).map(|topic| format!("t{topic}")).collect();
            let members: BTreeMap<_, _> = (0..members).map(|it| (format!("m{it}"), topics.clone())).collect();
            let counts: BTreeMap<_, _> = topics.iter().cloned().zip(counts).collect();
            let shares = assign(&members, &counts);
            prop_assert_eq!(shares.len(), members.len());
            for (topic, count) in counts {
                let lengths: Vec<_> = shares.iter().map(|(_, share)| share.get(&topic).map_or(0, Vec::len)).collect();
                prop_assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1);
                let all: Vec<i32> = shares.iter().filter_map(|(_, share)| share.get(&topic)).flatten().copied().collect();
                prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
            }
        }

        #[test]
        fn strange_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            topics_of(&bytes);
            share_of(&bytes);
        }
    }
}
