//! A producer that puts up with restarts: batches that were not answered are sent again, in order, under the same
//! sequence numbers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::protocol::ErrorCode;
use corelane::protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

use super::{Ledger, Stream};
use crate::client::{BlockingClient, ClientError, Cluster, Patience, init_producer_id, prepare};
use crate::schedule::Schedule;
use crate::settings::{Offered, Topics, Workload};
use crate::workload::{BatchMaker, Supplies};

/// Batches outstanding at most: brokers recognise duplicates among a producer's last five of a partition.
const IN_FLIGHT_MAX: usize = 5;
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// The last version of Produce that names topics.
const PRODUCE_WITH_NAMES: i16 = 12;

/// What a producer did.
#[derive(Debug)]
pub struct Produced {
    /// What it sent and what was acknowledged.
    pub ledger: Ledger,
    /// How often it had to connect again.
    pub reconnects: u64,
    /// Why it ended early.
    pub failure: Option<ClientError>,
}

/// A batch without an answer.
struct Pending {
    partition: usize,
    first: u64,
    bytes: Bytes,
}

struct Producer<'a> {
    number: u32,
    supplies: &'a Supplies,
    cluster: Cluster,
    connections: BTreeMap<i32, BlockingClient>,
    pending: VecDeque<Pending>,
    /// Records made so far, by partition.
    made: Vec<u64>,
    patience: Patience,
    reconnects: u64,
    ledger: Ledger,
}

/// Produces for the workload's duration. `patience`: how long brokers may be away.
pub fn produce(number: u32, supplies: &Supplies, cluster: Cluster, patience: Duration) -> Produced {
    let mut producer = Producer {
        number,
        supplies,
        made: vec![0; cluster.partitions.len()],
        cluster,
        connections: BTreeMap::new(),
        pending: VecDeque::new(),
        patience: Patience::new(patience),
        reconnects: 0,
        ledger: Ledger::default(),
    };
    let failure = producer.run().err();
    Produced { ledger: producer.ledger, reconnects: producer.reconnects, failure }
}

impl Producer<'_> {
    fn run(&mut self) -> Result<(), ClientError> {
        let workload = &*self.supplies.workload;
        let identity = loop {
            let leader = self.cluster.partitions[0].leader;
            match self.connection(leader).and_then(init_producer_id) {
                Ok(identity) => break identity,
                Err(error) => self.recover(error)?,
            }
        };
        let mut maker = BatchMaker::new(self.supplies, self.number, Some(identity));
        let mut schedule = schedule(workload, self.number);
        let started = Instant::now();
        while started.elapsed() < workload.duration {
            let due = schedule.as_mut().map(|schedule| Duration::from_nanos(schedule.next_ns()));
            if let Some(due) = due {
                if due >= workload.duration {
                    break;
                }
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
            let partition = maker.next_partition();
            let sent_ns = started.elapsed().as_nanos() as u64;
            let made = maker.make(partition, workload.batch, |_| sent_ns, now_ms());
            let count = u64::from(workload.batch);
            self.ledger.sent(Stream { producer: self.number, partition }, count);
            self.pending.push_back(Pending { partition, first: self.made[partition], bytes: made.bytes });
            self.made[partition] += count;
            self.send_last()?;
            while self.pending.len() >= IN_FLIGHT_MAX {
                self.take_answer()?;
            }
        }
        while !self.pending.is_empty() {
            self.take_answer()?;
        }
        Ok(())
    }

    /// Sends the newest pending batch.
    fn send_last(&mut self) -> Result<(), ClientError> {
        match self.send(self.pending.len() - 1) {
            Ok(()) => Ok(()),
            Err(error) => self.recover_and_resend(error),
        }
    }

    /// Takes the answer to the oldest pending batch, which is the oldest of its connection too.
    fn take_answer(&mut self) -> Result<(), ClientError> {
        let Pending { partition, first, .. } = self.pending[0];
        match self.answer(partition) {
            Ok(()) => {
                self.pending.pop_front();
                let stream = Stream { producer: self.number, partition };
                self.ledger.acknowledged(stream, first, u64::from(self.supplies.workload.batch));
                self.patience.renew();
                Ok(())
            }
            Err(error) => self.recover_and_resend(error),
        }
    }

    fn answer(&mut self, partition: usize) -> Result<(), ClientError> {
        let leader = self.cluster.partitions[partition].leader;
        let connection = self.connections.get_mut(&leader).expect("the batch was sent through it");
        let response = connection.receive::<ProduceRequest>()?;
        let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
        match answer.map_or(ErrorCode::UnknownServerError, |answer| answer.error_code) {
            // A duplicate of a batch that the broker remembers only by its number: it is there.
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Ok(()),
            code => {
                Err(ClientError::Refused { what: format!("producing to {}", connection.address()), code })
            }
        }
    }

    /// Connects anew after a failure and sends everything again that was not answered.
    fn recover_and_resend(&mut self, error: ClientError) -> Result<(), ClientError> {
        let mut error = Some(error);
        while let Some(failure) = error.take() {
            self.recover(failure)?;
            error = (0..self.pending.len()).find_map(|at| self.send(at).err());
        }
        Ok(())
    }

    /// Waits until the cluster can be described again.
    fn recover(&mut self, mut error: ClientError) -> Result<(), ClientError> {
        self.connections.clear();
        self.reconnects += 1;
        let workload = &self.supplies.workload;
        // What is there is used; nothing is created after a restart.
        let topics = Topics { partitions: None, ..workload.topics.clone() };
        loop {
            self.patience.pause(error)?;
            match prepare(&workload.brokers, &topics) {
                Ok((_, cluster)) => {
                    self.cluster = cluster;
                    return Ok(());
                }
                Err(failure) => error = failure,
            }
        }
    }

    fn send(&mut self, at: usize) -> Result<(), ClientError> {
        let Pending { partition, ref bytes, .. } = self.pending[at];
        let target = self.cluster.partitions[partition].clone();
        let partition_data = vec![PartitionProduceData { index: target.index, records: Some(bytes.clone()) }];
        let request = ProduceRequest {
            transactional_id: None,
            acks: self.supplies.workload.acks.wire(),
            timeout_ms: PRODUCE_TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: target.topic,
                topic_id: target.topic_id,
                partition_data,
            }],
        };
        let version_max = if self.cluster.has_topic_ids { i16::MAX } else { PRODUCE_WITH_NAMES };
        self.connection(target.leader)?.send(&request, version_max)
    }

    fn connection(&mut self, leader: i32) -> Result<&mut BlockingClient, ClientError> {
        if !self.connections.contains_key(&leader) {
            let address = &self.cluster.brokers[&leader];
            let client = BlockingClient::connect(address).map_err(|error| error.of_advertised(leader))?;
            self.connections.insert(leader, client);
        }
        Ok(self.connections.get_mut(&leader).expect("just inserted"))
    }
}

fn schedule(workload: &Workload, number: u32) -> Option<Schedule> {
    let Offered::Open { requests_per_s, schedule, burst } = workload.offered else { return None };
    Some(Schedule::new(schedule, requests_per_s, burst, number, workload.producers, workload.seed))
}

fn now_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.unwrap_or_default().as_millis() as i64
}
