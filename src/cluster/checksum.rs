//! A checksum over all records of an image, for nodes to find out that they do not know the same.

use std::hash::Hasher;

use serde::Serialize;
use siphasher::sip::SipHasher13;

use super::image::Image;

impl Image {
    /// SipHash-1-3 of all records as they are stored, in the order of their keys but for topics, which come in order of
    /// their names. How many transactions led to the image does not matter. Takes as long as writing all records would.
    pub fn checksum(&self) -> u64 {
        let mut sum = SipHasher13::new();
        add(&mut sum, self.cluster());
        self.nodes().for_each(|node| add(&mut sum, node));
        for topic in self.topics() {
            add(&mut sum, &topic.record);
            topic.partitions.iter().for_each(|partition| add(&mut sum, partition));
        }
        add(&mut sum, &self.next_producer_id());
        self.all_broker_configs().for_each(|(broker, configs)| add(&mut sum, &(broker, &**configs)));
        sum.finish()
    }
}

fn add(sum: &mut SipHasher13, record: &impl Serialize) {
    let json = serde_json::to_vec(record).expect("plain data");
    // Its length too, so that the same bytes in other records are not the same.
    sum.write_u64(json.len() as u64);
    sum.write(&json);
}
