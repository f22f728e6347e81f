//! One producer's connection to one broker: a queue of requests whose time has come, a task that sends them and a
//! task that takes the answers.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bytes::Buf;
use corelane::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use corelane::protocol::{Chain, ErrorCode, decode_response, encode_request};

use super::context::Context;
use super::frames::Frames;
use super::producer::Producer;
use super::ticket::Ticket;
use crate::client::{BlockingClient, CLIENT_ID, ClientError, Event, Partition, Stream};
use crate::measure::RequestTimes;
use crate::settings::Acks;
use crate::workload::MadeBatch;

/// Requests that are due are encoded and sent together up to here; more would delay the first of them.
const SEND_BYTES: usize = 256 << 10;
/// Views in one vectored write.
const SEND_SLICES: usize = 64;
/// How long brokers may take to replicate, as the request says it.
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// The last version of Produce that names topics.
const PRODUCE_WITH_NAMES: i16 = 12;

/// A request that was sent.
#[derive(Clone, Debug)]
struct Sent {
    correlation_id: i32,
    ticket: Ticket,
    sent_ns: u64,
    payload_bytes: u64,
}

/// One connection.
pub struct Link {
    address: String,
    stream: Stream,
    version: i16,
    queue: RefCell<VecDeque<Ticket>>,
    in_flight: RefCell<VecDeque<Sent>>,
    correlation_id: Cell<i32>,
    /// When the last answer came; or when a request was sent while none was outstanding, if that is later.
    waiting_since_ns: Cell<u64>,
    /// Bytes are being written that were not in flight before: acks 0 has no other sign of it.
    is_writing: Cell<bool>,
    is_closing: Cell<bool>,
    sender: Event,
}

impl Link {
    /// Connects to a broker, blocking.
    pub fn connect(address: &str, has_topic_ids: bool) -> Result<Link, ClientError> {
        let client = BlockingClient::connect(address)?;
        let version_max = if has_topic_ids { i16::MAX } else { PRODUCE_WITH_NAMES };
        let version = client.versions().pick(
            <ProduceRequest as corelane::protocol::Message>::API,
            version_max,
            address,
        )?;
        let stream = Stream::new(client.into_stream())
            .map_err(|source| ClientError::Broken { address: address.to_owned(), source })?;
        Ok(Link {
            address: address.to_owned(),
            stream,
            version,
            queue: RefCell::default(),
            in_flight: RefCell::default(),
            correlation_id: Cell::new(0),
            waiting_since_ns: Cell::new(0),
            is_writing: Cell::new(false),
            is_closing: Cell::new(false),
            sender: Event::default(),
        })
    }

    /// Adds a request whose time has come.
    pub fn push(&self, ticket: Ticket) {
        let was_empty = {
            let mut queue = self.queue.borrow_mut();
            queue.push_back(ticket);
            queue.len() == 1
        };
        // Otherwise the sender is awake, or waits for an answer.
        if was_empty {
            self.sender.notify();
        }
    }

    /// Requests that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Requests that wait for an answer.
    pub fn outstanding(&self) -> usize {
        self.in_flight.borrow().len()
    }

    /// Bytes of keys and values in them.
    pub fn outstanding_bytes(&self) -> u64 {
        self.in_flight.borrow().iter().map(|sent| sent.payload_bytes).sum()
    }

    /// Drops what waits and was due before `before_ns`; returns how many requests that are.
    pub fn shed(&self, before_ns: u64) -> u64 {
        let mut queue = self.queue.borrow_mut();
        let waiting = queue.len();
        queue.retain(|ticket| ticket.intended_ns >= before_ns);
        (waiting - queue.len()) as u64
    }

    /// Whether everything was sent and answered.
    pub fn is_idle(&self) -> bool {
        self.waiting() == 0 && self.outstanding() == 0 && !self.is_writing.get()
    }

    /// Ends both tasks, and writes down what is given up: requests never sent and never answered.
    pub fn close(&self, context: &Context) {
        let now_ns = context.clock.now_ns();
        let (unsent, unanswered) = (self.queue.take(), self.in_flight.take());
        context.recorder.count(|tally| {
            tally.counts.unsent_requests += unsent.len() as u64;
            tally.counts.unanswered_requests += unanswered.len() as u64;
        });
        if !unanswered.is_empty() {
            self.note_gap(now_ns, context);
        }
        let intended =
            unsent.iter().chain(unanswered.iter().map(|sent| &sent.ticket)).flat_map(Ticket::counted_ns);
        intended.for_each(|intended_ns| context.recorder.given_up(*intended_ns, now_ns));
        self.is_closing.set(true);
        self.sender.notify();
        self.stream.shutdown();
    }

    /// Sends what is in the queue, as far as requests may be in flight, until the link is closed.
    pub async fn send(&self, producer: Rc<Producer>, context: Rc<Context>) {
        let in_flight_max = context.shared.supplies.workload.in_flight as usize;
        let may_send = || match self.is_closing.get() {
            true => Some(false),
            false => (self.waiting() > 0 && self.outstanding() < in_flight_max).then_some(true),
        };
        while self.sender.wait(may_send).await {
            self.is_writing.set(true);
            let result = self.send_due(&producer, &context, in_flight_max).await;
            self.is_writing.set(false);
            if let Err(error) = result {
                return self.fail(&context, error);
            }
        }
    }

    async fn send_due(
        &self,
        producer: &Producer,
        context: &Context,
        in_flight_max: usize,
    ) -> Result<(), ClientError> {
        let is_answered = context.shared.supplies.workload.acks != Acks::None;
        let mut chain = Chain::default();
        let mut unanswered = Vec::new();
        while chain.remaining() < SEND_BYTES && self.outstanding() + unanswered.len() < in_flight_max {
            let Some(ticket) = self.queue.borrow_mut().pop_front() else { break };
            let (frame, sent) = self.encode(ticket, producer, context);
            chain.append(frame);
            match is_answered {
                true => {
                    if self.outstanding() == 0 {
                        self.waiting_since_ns.set(sent.sent_ns);
                    }
                    self.in_flight.borrow_mut().push_back(sent);
                }
                false => unanswered.push(sent),
            }
            context.recorder.count(|tally| tally.counts.sent_requests += 1);
        }
        self.write(chain, context).await?;
        for sent in unanswered {
            self.done(sent, ErrorCode::None, context);
        }
        Ok(())
    }

    fn encode(&self, ticket: Ticket, producer: &Producer, context: &Context) -> (Chain, Sent) {
        let now_ms = context.clock.wall_ms(context.clock.now_ns());
        let MadeBatch { bytes, payload_bytes } = producer.make(&ticket, now_ms);
        let Partition { topic, topic_id, index, .. } = &context.shared.cluster.partitions[ticket.partition];
        let correlation_id = self.correlation_id.get().wrapping_add(1);
        self.correlation_id.set(correlation_id);
        let partition_data = vec![PartitionProduceData { index: *index, records: Some(bytes) }];
        let request = ProduceRequest {
            transactional_id: None,
            acks: context.shared.supplies.workload.acks.wire(),
            timeout_ms: PRODUCE_TIMEOUT_MS,
            topic_data: vec![TopicProduceData { name: topic.clone(), topic_id: *topic_id, partition_data }],
        };
        let frame = encode_request(&request, self.version, correlation_id, Some(CLIENT_ID));
        let sent_ns = context.clock.now_ns();
        (frame, Sent { correlation_id, ticket, sent_ns, payload_bytes })
    }

    async fn write(&self, mut chain: Chain, context: &Context) -> Result<(), ClientError> {
        while chain.has_remaining() {
            let mut slices = [IoSlice::new(&[]); SEND_SLICES];
            let filled = chain.chunks_vectored(&mut slices);
            match self.stream.try_write(&slices[..filled]).map_err(|error| self.broken(error))? {
                Some(count) => chain.advance(count),
                None => {
                    let since_ns = context.clock.now_ns();
                    self.stream.writable().await.map_err(|error| self.broken(error))?;
                    let blocked_ns = context.clock.now_ns() - since_ns;
                    context.recorder.count(|tally| tally.counts.blocked_ns += blocked_ns);
                }
            }
        }
        Ok(())
    }

    /// Takes the answers, until the link is closed.
    pub async fn receive(&self, producer: Rc<Producer>, context: Rc<Context>) {
        let mut frames = Frames::new();
        loop {
            let frame = match frames.next(&self.stream, &self.address).await {
                Ok(frame) => frame,
                Err(error) => return self.fail(&context, error),
            };
            if let Err(error) = self.answered(frame, &context) {
                return self.fail(&context, error);
            }
            self.sender.notify();
            if context.shared.supplies.workload.offered.is_closed_loop() {
                producer.go_on(&context);
            }
        }
    }

    fn answered(&self, frame: bytes::Bytes, context: &Context) -> Result<(), ClientError> {
        let (header, response) =
            decode_response::<ProduceResponse>(frame, self.version).map_err(|source| {
                ClientError::Response {
                    address: self.address.clone(),
                    api: corelane::protocol::ApiKey::Produce,
                    source,
                }
            })?;
        let sent = self.in_flight.borrow_mut().pop_front();
        let expected = sent.as_ref().map_or(0, |sent| sent.correlation_id);
        let Some(sent) = sent.filter(|sent| sent.correlation_id == header.correlation_id) else {
            let (address, got) = (self.address.clone(), header.correlation_id);
            return Err(ClientError::OutOfOrder { address, expected, got });
        };
        self.note_gap(context.clock.now_ns(), context);
        let throttle_ms = response.throttle_time_ms.max(0) as u64;
        context.recorder.count(|tally| tally.counts.throttle_ms += throttle_ms);
        let partition = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let code = partition.map_or(ErrorCode::UnknownServerError, |partition| partition.error_code);
        self.done(sent, code, context);
        if code != ErrorCode::None && context.shared.supplies.workload.idempotence {
            // Every later batch of the partition would be refused because of the gap.
            return Err(ClientError::Refused { what: format!("producing to {}", self.address), code });
        }
        Ok(())
    }

    /// An answer came, or none will.
    fn note_gap(&self, now_ns: u64, context: &Context) {
        let gap_ns = now_ns.saturating_sub(self.waiting_since_ns.replace(now_ns));
        context.recorder.count(|tally| {
            tally.counts.answer_gap_ns_max = tally.counts.answer_gap_ns_max.max(gap_ns);
        });
    }

    fn done(&self, sent: Sent, code: ErrorCode, context: &Context) {
        let done_ns = context.clock.now_ns();
        let Sent { ticket, sent_ns, payload_bytes, .. } = sent;
        let records = u64::from(ticket.count());
        let times = RequestTimes { intended_ns: ticket.intended_ns, sent_ns, done_ns };
        context.recorder.request(times, ticket.counted_ns());
        context.recorder.count(|tally| {
            if code == ErrorCode::None {
                tally.counts.acked_requests += 1;
                tally.counts.acked_records += records;
                tally.counts.acked_bytes += payload_bytes;
            } else {
                tally.counts.failed_requests += 1;
                *tally.errors.entry(code.name().to_owned()).or_default() += 1;
            }
        });
        if code == ErrorCode::None {
            context.shared.progress.acked_records.fetch_add(records, Ordering::AcqRel);
        }
    }

    fn broken(&self, source: std::io::Error) -> ClientError {
        ClientError::Broken { address: self.address.clone(), source }
    }

    fn fail(&self, context: &Context, error: ClientError) {
        if !self.is_closing.get() {
            context.fail(error);
        }
    }
}
