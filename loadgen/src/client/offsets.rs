//! Where partitions start and end.

use std::collections::BTreeMap;

use corelane::protocol::ErrorCode;
use corelane::protocol::messages::list_offsets::{
    LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

use super::{BlockingClient, ClientError, Partition};

/// The log's end.
pub const LATEST: i64 = LATEST_TIMESTAMP;

/// The offsets of a time such as [`LATEST`], in the order of the partitions. All are led by the client's broker.
pub fn list_offsets(
    client: &mut BlockingClient,
    partitions: &[&Partition],
    timestamp: i64,
) -> Result<Vec<i64>, ClientError> {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for partition in partitions {
        let asked =
            ListOffsetsPartition { partition_index: partition.index, timestamp, ..Default::default() };
        match topics.last_mut().filter(|topic| topic.name == partition.topic) {
            Some(topic) => topic.partitions.push(asked),
            None => topics.push(ListOffsetsTopic { name: partition.topic.clone(), partitions: vec![asked] }),
        }
    }
    let response =
        client.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, i16::MAX)?;
    let mut answers = BTreeMap::new();
    for topic in &response.topics {
        let own =
            topic.partitions.iter().map(|answer| ((topic.name.as_str(), answer.partition_index), answer));
        answers.extend(own);
    }
    let offset = |partition: &&Partition| {
        let answer = answers.get(&(partition.topic.as_str(), partition.index));
        match answer.map_or(ErrorCode::UnknownServerError, |answer| answer.error_code) {
            ErrorCode::None => Ok(answer.map_or(0, |answer| answer.offset)),
            code => {
                let what = format!("asking for an offset of {}-{}", partition.topic, partition.index);
                Err(ClientError::Refused { what, code })
            }
        }
    };
    partitions.iter().map(offset).collect()
}
