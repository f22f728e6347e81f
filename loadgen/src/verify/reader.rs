//! Reads everything back that lies between two ends of the partitions.

use std::time::Duration;

use bytes::Bytes;
use corelane::protocol::ErrorCode;
use corelane::protocol::batch::Batches;
use corelane::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};

use super::Ledger;
use crate::client::{BlockingClient, ClientError, LATEST, Partition, Patience, list_offsets, prepare};
use crate::settings::{Topics, Workload};
use crate::workload::{Stamp, records};

const FETCH_WAIT_MS: i32 = 500;
const FETCH_BYTES_MAX: i32 = 16 << 20;
/// The last version of Fetch that names topics.
const FETCH_WITH_NAMES: i16 = 12;

/// Where every partition ends now.
pub fn ends(workload: &Workload, patience: Duration) -> Result<Vec<i64>, ClientError> {
    with_partitions(workload, patience, |at, client, partition, ends: &mut Vec<i64>| {
        ends.truncate(at);
        ends.extend(list_offsets(client, &[partition], LATEST)?);
        Ok(())
    })
}

/// Gives the ledger every record of run `run` from `starts` to `ends`.
pub fn read_back(
    workload: &Workload,
    run: u32,
    starts: &[i64],
    ends: &[i64],
    ledger: &mut Ledger,
    patience: Duration,
) -> Result<(), ClientError> {
    let mut positions = starts.to_vec();
    with_partitions(workload, patience, |at, client, partition, _: &mut ()| {
        while positions[at] < ends[at] {
            let data = fetch(client, partition, positions[at])?;
            positions[at] = take(data, at, positions[at], ends[at], run, ledger)?;
        }
        ledger.is_complete(at);
        Ok(())
    })
}

/// Does something with each partition and a connection to its leader, again from the partition on where a broker's
/// restart got in between.
fn with_partitions<T: Default>(
    workload: &Workload,
    limit: Duration,
    mut act: impl FnMut(usize, &mut BlockingClient, &Partition, &mut T) -> Result<(), ClientError>,
) -> Result<T, ClientError> {
    let topics = Topics { partitions: None, ..workload.topics.clone() };
    let (mut patience, mut done, mut output) = (Patience::new(limit), 0, T::default());
    loop {
        let mut attempt = || {
            let (_, cluster) = prepare(&workload.brokers, &topics)?;
            let mut connection: Option<(i32, BlockingClient)> = None;
            while let Some(partition) = cluster.partitions.get(done) {
                let leader = partition.leader;
                let mut client = match connection.take() {
                    Some((id, client)) if id == leader => client,
                    _ => BlockingClient::connect(&cluster.brokers[&leader])
                        .map_err(|error| error.of_advertised(leader))?,
                };
                act(done, &mut client, partition, &mut output)?;
                connection = Some((leader, client));
                done += 1;
                patience.renew();
            }
            Ok(())
        };
        match attempt() {
            Ok(()) => return Ok(output),
            Err(error) => patience.pause(error)?,
        }
    }
}

fn fetch(
    client: &mut BlockingClient,
    partition: &Partition,
    offset: i64,
) -> Result<PartitionData, ClientError> {
    let asked = FetchPartition {
        partition: partition.index,
        fetch_offset: offset,
        partition_max_bytes: FETCH_BYTES_MAX,
        ..Default::default()
    };
    let topic =
        FetchTopic { topic: partition.topic.clone(), topic_id: partition.topic_id, partitions: vec![asked] };
    let request = FetchRequest {
        max_wait_ms: FETCH_WAIT_MS,
        min_bytes: 1,
        max_bytes: FETCH_BYTES_MAX,
        topics: vec![topic],
        ..Default::default()
    };
    let has_id = partition.topic_id != corelane::base::ids::TopicId::ZERO;
    let response = client.call(&request, if has_id { i16::MAX } else { FETCH_WITH_NAMES })?;
    let what = || format!("reading {}-{} from offset {offset}", partition.topic, partition.index);
    let data = response.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
    match data {
        Some(data) if data.error_code == ErrorCode::None && response.error_code == ErrorCode::None => {
            Ok(data)
        }
        Some(data) if data.error_code != ErrorCode::None => {
            Err(ClientError::Refused { what: what(), code: data.error_code })
        }
        _ if response.error_code != ErrorCode::None => {
            Err(ClientError::Refused { what: what(), code: response.error_code })
        }
        _ => Err(ClientError::Refused { what: what(), code: ErrorCode::UnknownServerError }),
    }
}

/// Takes one response and returns where to go on.
fn take(
    data: PartitionData,
    partition: usize,
    mut position: i64,
    end: i64,
    run: u32,
    ledger: &mut Ledger,
) -> Result<i64, ClientError> {
    let bytes = data.records.map(|pieces| Bytes::from(pieces.0.concat())).unwrap_or_default();
    let corrupt = |position: i64| ClientError::Refused {
        what: format!("reading partition {partition} at offset {position}: the batch there is damaged"),
        code: ErrorCode::CorruptMessage,
    };
    for batch in Batches::new(&bytes).check_crc() {
        let batch = batch.map_err(|_| corrupt(position))?.batch;
        let base = batch.header().base_offset;
        if base >= end {
            return Ok(end);
        }
        let is_new = |delta: i32| (position..end).contains(&(base + i64::from(delta)));
        records(&batch, |record| {
            let Some(value) = record.value.filter(|_| is_new(record.offset_delta)) else { return };
            if let Some(stamp) = Stamp::read(value).filter(|stamp| stamp.run == run) {
                ledger.read(partition, stamp, Stamp::is_intact(value));
            }
        })
        .map_err(|_| corrupt(position))?;
        position = batch.header().last_offset() + 1;
    }
    Ok(position)
}
