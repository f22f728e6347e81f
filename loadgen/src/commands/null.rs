//! `loadgen run --null`: complete Produce frames, CRC included, are made and thrown away. What is printed is the
//! most that this program can offer on this machine.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use corelane::base::ids::TopicId;
use corelane::protocol::encode_request;
use corelane::protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

use super::CommandError;
use crate::client::CLIENT_ID;
use crate::settings::{Workload, format_bytes, format_count};
use crate::workload::{BatchMaker, Supplies};

/// Partitions where there is no topic to have any.
const PARTITIONS: i32 = 16;
/// The version of Produce that is encoded.
const VERSION: i16 = 12;
/// Requests between two looks at the clock.
const STRIDE: u64 = 32;

/// What one thread made.
struct Made {
    seconds: f64,
    records: u64,
    bytes: u64,
}

/// Encodes for the workload's duration on each of its CPUs, as fast as it goes.
pub fn null(workload: Workload) -> Result<(), CommandError> {
    let partitions = workload.topics.partitions.unwrap_or(PARTITIONS) as usize;
    let supplies = Supplies::new(Arc::new(workload), 0, partitions);
    let threads: Vec<_> = supplies.workload.cpus.iter().map(|cpu| spawn(*cpu, supplies.clone())).collect();
    let mut all = Vec::new();
    for thread in threads {
        all.push(thread.join().map_err(|_| CommandError::Panicked)?);
    }
    let Workload { batch, size, .. } = &*supplies.workload;
    say!("complete Produce frames, made and thrown away: {batch} records of {size} bytes in each");
    let per_s = |value: fn(&Made) -> u64, made: &Made| value(made) as f64 / made.seconds;
    for (cpu, made) in supplies.workload.cpus.iter().zip(&all) {
        print_line(&format!("CPU {cpu}"), per_s(|it| it.records, made), per_s(|it| it.bytes, made));
    }
    let sum = |value: fn(&Made) -> u64| all.iter().map(|made| per_s(value, made)).sum::<f64>();
    print_line("all", sum(|it| it.records), sum(|it| it.bytes));
    Ok(())
}

fn print_line(name: &str, records_per_s: f64, bytes_per_s: f64) {
    say!("  {name:<8} {:>14} records/s {:>12}/s", format_count(records_per_s), format_bytes(bytes_per_s));
}

fn spawn(cpu: usize, supplies: Supplies) -> std::thread::JoinHandle<Made> {
    std::thread::spawn(move || {
        // A thread that cannot be pinned is measured wherever it runs.
        core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
        encode(cpu as u32, &supplies)
    })
}

fn encode(number: u32, supplies: &Supplies) -> Made {
    let workload = &supplies.workload;
    let mut maker = BatchMaker::new(supplies, number, None);
    let started = Instant::now();
    let (mut requests, mut bytes) = (0u64, 0);
    while !requests.is_multiple_of(STRIDE) || started.elapsed() < workload.duration {
        let partition = maker.next_partition();
        let made = maker.make(partition, workload.batch, |_| requests, 0);
        let partition_data =
            vec![PartitionProduceData { index: partition as i32, records: Some(made.bytes) }];
        let topic =
            TopicProduceData { name: workload.topics.name.clone(), topic_id: TopicId::ZERO, partition_data };
        let acks = workload.acks.wire();
        let request = ProduceRequest { acks, topic_data: vec![topic], ..Default::default() };
        let frame = black_box(encode_request(&request, VERSION, requests as i32, Some(CLIENT_ID)));
        bytes += frame.remaining() as u64;
        requests += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    Made { seconds, records: requests * u64::from(workload.batch), bytes }
}
