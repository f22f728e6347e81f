//! Where partitions start and end.

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
    let mut offsets = Vec::new();
    for partition in partitions {
        let asked =
            ListOffsetsPartition { partition_index: partition.index, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: partition.topic.clone(), partitions: vec![asked] };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let response = client.call(&request, i16::MAX)?;
        let answer = response.topics.first().and_then(|topic| topic.partitions.first());
        match answer {
            Some(answer) if answer.error_code == ErrorCode::None => offsets.push(answer.offset),
            other => {
                let what = format!("asking for an offset of {}-{}", partition.topic, partition.index);
                let code = other.map_or(ErrorCode::UnknownServerError, |answer| answer.error_code);
                return Err(ClientError::Refused { what, code });
            }
        }
    }
    Ok(offsets)
}
