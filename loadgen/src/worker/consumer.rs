//! A consumer: one connection to each leader of its partitions, and one Fetch outstanding on each.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes};
use corelane::protocol::batch::Batches;
use corelane::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use corelane::protocol::{ApiKey, Chain, ErrorCode, Message, decode_response, encode_request};

use super::context::Context;
use super::frames::Frames;
use crate::client::{BlockingClient, CLIENT_ID, ClientError, Cluster, Partition, Stream};
use crate::group::Share;
use crate::settings::{ConsumerMode, Offered, Workload};
use crate::workload::{Stamp, records};

/// How long brokers may wait for records.
const FETCH_WAIT_MS: i32 = 500;
/// Bytes of one response, and of one partition in it.
const FETCH_BYTES_MAX: i32 = 50 << 20;
const PARTITION_BYTES_MAX: i32 = 1 << 20;
/// The longest sleep of a consumer that holds back.
const NAP_MAX: Duration = Duration::from_millis(50);
/// The last version of Fetch that names topics.
const FETCH_WITH_NAMES: i16 = 12;

/// Some partitions that one broker leads, and how far they were read.
pub struct Reader {
    leader: i32,
    address: String,
    stream: Stream,
    version: i16,
    /// Partitions by their place in the cluster's list, with the next offset.
    positions: RefCell<Vec<(usize, i64)>>,
    /// What a group gives its consumer, and the version of it that `positions` are from.
    share: Option<Arc<Share>>,
    share_version: Cell<u64>,
    is_closing: Cell<bool>,
    fetched_bytes: Cell<u64>,
}

impl Reader {
    /// Connects to the leader of all `positions`, blocking. With a `share` it reads what of that the leader leads.
    pub fn connect(
        leader: i32,
        cluster: &Cluster,
        positions: Vec<(usize, i64)>,
        share: Option<Arc<Share>>,
    ) -> Result<Reader, ClientError> {
        let address = &cluster.brokers[&leader];
        let client = BlockingClient::connect(address)?;
        let version_max = if cluster.has_topic_ids { i16::MAX } else { FETCH_WITH_NAMES };
        let version = client.versions().pick(FetchRequest::API, version_max, address)?;
        let stream = Stream::new(client.into_stream())
            .map_err(|source| ClientError::Broken { address: address.to_owned(), source })?;
        Ok(Reader {
            leader,
            address: address.to_owned(),
            stream,
            version,
            positions: RefCell::new(positions),
            share,
            share_version: Cell::new(0),
            is_closing: Cell::new(false),
            fetched_bytes: Cell::new(0),
        })
    }

    /// Ends the task.
    pub fn close(&self) {
        self.is_closing.set(true);
        self.stream.shutdown();
    }

    /// Fetches until it is closed.
    pub async fn run(self: Rc<Self>, context: Rc<Context>) {
        let mut frames = Frames::new();
        let mut correlation_id = 0;
        let workload = &context.shared.supplies.workload;
        if workload.consumer_mode == ConsumerMode::Backlog {
            self.wait_until(overload(workload).1, &context).await;
        }
        while !self.is_closing.get() {
            self.follow_share(&context);
            if self.positions.borrow().is_empty() {
                glommio::timer::sleep(NAP_MAX).await;
                continue;
            }
            correlation_id += 1;
            if let Err(error) = self.fetch(&mut frames, correlation_id, &context).await {
                if !self.is_closing.get() {
                    context.fail(error);
                }
                return;
            }
            if let Some(share) = &self.share {
                share.reached(self.share_version.get(), &self.positions.borrow());
            }
        }
    }

    /// Reads what the group gives the consumer now.
    fn follow_share(&self, context: &Context) {
        let Some(share) = self.share.as_ref().filter(|share| share.version() != self.share_version.get())
        else {
            return;
        };
        let (version, positions) = share.read();
        self.share_version.set(version);
        let is_led = |(at, _): &(usize, i64)| context.shared.cluster.partitions[*at].leader == self.leader;
        *self.positions.borrow_mut() = positions.into_iter().filter(is_led).collect();
    }

    async fn fetch(
        &self,
        frames: &mut Frames,
        correlation_id: i32,
        context: &Context,
    ) -> Result<(), ClientError> {
        let request = self.request(context);
        let mut chain = encode_request(&request, self.version, correlation_id, Some(CLIENT_ID));
        self.write(&mut chain).await?;
        self.hold_back(context).await;
        let frame = frames.next(&self.stream, &self.address).await?;
        self.fetched_bytes.set(self.fetched_bytes.get() + frame.len() as u64);
        let (header, response) = decode_response::<FetchResponse>(frame, self.version).map_err(|source| {
            ClientError::Response { address: self.address.clone(), api: ApiKey::Fetch, source }
        })?;
        if header.correlation_id != correlation_id {
            let (address, got) = (self.address.clone(), header.correlation_id);
            return Err(ClientError::OutOfOrder { address, expected: correlation_id, got });
        }
        self.check(response.error_code, "fetching")?;
        let throttle_ms = response.throttle_time_ms.max(0) as u64;
        context.recorder.count(|tally| tally.counts.throttle_ms += throttle_ms);
        for topic in response.responses {
            for data in topic.partitions {
                let index = data.partition_index;
                let is_it = |partition: &Partition| {
                    partition.index == index
                        && match self.version > FETCH_WITH_NAMES {
                            true => partition.topic_id == topic.topic_id,
                            false => partition.topic == topic.topic,
                        }
                };
                self.take(data, is_it, context)?;
            }
        }
        Ok(())
    }

    /// Reads later than it could, if that is this consumer's mode.
    async fn hold_back(&self, context: &Context) {
        let workload = &context.shared.supplies.workload;
        match workload.consumer_mode {
            ConsumerMode::Normal | ConsumerMode::Backlog => {}
            ConsumerMode::Slow(bytes_per_s) => {
                let since_start_s = self.fetched_bytes.get() as f64 / bytes_per_s;
                self.wait_until((since_start_s * 1e9) as u64, context).await;
            }
            ConsumerMode::Paused => {
                let (start_ns, end_ns) = overload(workload);
                if context.clock.now_ns() >= start_ns {
                    self.wait_until(end_ns, context).await;
                }
            }
        }
    }

    async fn wait_until(&self, at_ns: u64, context: &Context) {
        loop {
            let left_ns = at_ns.saturating_sub(context.clock.now_ns());
            if left_ns == 0 || self.is_closing.get() {
                return;
            }
            // In pieces: the end of the run does not wake it.
            glommio::timer::sleep(Duration::from_nanos(left_ns).min(NAP_MAX)).await;
        }
    }

    fn request(&self, context: &Context) -> FetchRequest {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (partition, offset) in self.positions.borrow().iter() {
            let partition = &context.shared.cluster.partitions[*partition];
            let asked = FetchPartition {
                partition: partition.index,
                fetch_offset: *offset,
                partition_max_bytes: PARTITION_BYTES_MAX,
                ..Default::default()
            };
            match topics.last_mut().filter(|topic| topic.topic == partition.topic) {
                Some(topic) => topic.partitions.push(asked),
                None => topics.push(FetchTopic {
                    topic: partition.topic.clone(),
                    topic_id: partition.topic_id,
                    partitions: vec![asked],
                }),
            }
        }
        FetchRequest {
            max_wait_ms: FETCH_WAIT_MS,
            min_bytes: 1,
            max_bytes: FETCH_BYTES_MAX,
            topics,
            ..Default::default()
        }
    }

    async fn write(&self, chain: &mut Chain) -> Result<(), ClientError> {
        let broken = |source| ClientError::Broken { address: self.address.clone(), source };
        while chain.has_remaining() {
            let slice = std::io::IoSlice::new(chain.chunk());
            match self.stream.try_write(&[slice]).map_err(broken)? {
                Some(count) => chain.advance(count),
                None => self.stream.writable().await.map_err(broken)?,
            }
        }
        Ok(())
    }

    /// Takes one partition's records.
    fn take(
        &self,
        data: PartitionData,
        is_it: impl Fn(&Partition) -> bool,
        context: &Context,
    ) -> Result<(), ClientError> {
        self.check(data.error_code, "fetching")?;
        let Some(bytes) = data.records.map(|pieces| Bytes::from(pieces.0.concat())) else { return Ok(()) };
        let mut positions = self.positions.borrow_mut();
        let partitions = &context.shared.cluster.partitions;
        let Some((_, position)) = positions.iter_mut().find(|(at, _)| is_it(&partitions[*at])) else {
            return self.check(ErrorCode::UnknownTopicOrPartition, "a partition that was not asked for came");
        };
        for batch in Batches::new(&bytes).check_crc() {
            let Ok(batch) = batch else { return self.check(ErrorCode::CorruptMessage, "fetching") };
            let first = *position;
            *position = batch.batch.header().last_offset() + 1;
            if batch.batch.header().attributes.is_control() {
                continue;
            }
            let base = batch.batch.header().base_offset;
            let is_read = records(&batch.batch, |record| {
                // A batch may start before the offset asked for.
                if base + i64::from(record.offset_delta) >= first {
                    let length = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                    count(record.value.and_then(Stamp::read), length, context);
                }
            });
            if is_read.is_err() {
                return self.check(ErrorCode::CorruptMessage, "reading a batch's records");
            }
        }
        Ok(())
    }

    fn check(&self, code: ErrorCode, what: &str) -> Result<(), ClientError> {
        match code {
            ErrorCode::None => Ok(()),
            code => Err(ClientError::Refused { what: format!("{what} from {}", self.address), code }),
        }
    }
}

/// When an overload begins and ends, in ns since the start of the run; 0 if there is none.
fn overload(workload: &Workload) -> (u64, u64) {
    let ns = |since: Duration| (workload.warmup + since).as_nanos() as u64;
    match workload.offered {
        Offered::Overload(overload) => (ns(overload.before), ns(overload.end())),
        _ => (0, 0),
    }
}

/// Counts one record.
fn count(stamp: Option<Stamp>, length: usize, context: &Context) {
    context.recorder.count(|tally| {
        tally.counts.consumed_records += 1;
        tally.counts.consumed_bytes += length as u64;
    });
    if let Some(stamp) = stamp.filter(|stamp| stamp.run == context.shared.supplies.run) {
        context.recorder.consumed(stamp.intended_ns, context.clock.now_ns());
        context.shared.progress.consumed_records.fetch_add(1, Ordering::AcqRel);
    }
}
