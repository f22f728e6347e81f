//! One connection: three loops that a queue of requests and a queue of responses connect.
//!
//! ```text
//! socket -> read -> requests -> execute -> responses -> write -> socket
//! ```
//!
//! Requests are executed one at a time, in order, as Kafka does it; but a produce request that only has
//! produce requests ahead of it is appended without waiting for their durability. The three loops run in one
//! task, each polled only when it was woken itself; when one of them fails, all end and everything that they
//! hold is given back.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::error::Closed;
use super::receive::Receiver;
use super::refusals::Refusals;
use super::responses::{Outgoing, Response, Responses};
use super::turn::Turn;
use crate::api::{self, Call, Caller};
use crate::base::limits::{
    REFUSED_HEAD_BYTES, REQUEST_COST_BYTES, RESPONSE_STALL_BYTES, RESPONSE_STALL_MS, SEND_PARTS_PER_TURN,
};
use crate::base::meter::nanos;
use crate::protocol::{ApiKey, LENGTH_BYTES};
use crate::runtime::glommio::Stream;
use crate::shard::{Charge, ListenerIndex, PauseReason, Phase, Shard, Stage};

/// A request that was read.
struct Frame {
    /// All of it, or its beginning if memory does not hold the rest.
    bytes: Bytes,
    is_whole: bool,
    charge: Charge,
    /// When it was there whole, by the shard's clock.
    read_at: Duration,
}

struct Session {
    shard: Rc<Shard>,
    refusals: Rc<Refusals>,
    caller: Caller,
    stream: Stream,
    requests: RefCell<VecDeque<Frame>>,
    /// A request came, or none will any more.
    arrived: Notify,
    /// No more requests will come.
    is_read: Cell<bool>,
    /// Nobody waits for responses any more.
    is_client_gone: Cell<bool>,
    client_left: Notify,
    responses: Responses,
    /// Requests that were read and not answered, and their length.
    in_flight: Cell<usize>,
    in_flight_bytes: Cell<usize>,
    /// Requests other than produce that were read and not executed. Nothing is read behind one: it may wait for
    /// long, and what lies behind it would pin memory that others need.
    others: Cell<usize>,
    /// A request was executed or answered.
    answered: Notify,
    /// The requests that were executed and not answered, and when they had been read.
    unanswered: RefCell<VecDeque<(ApiKey, Duration)>>,
}

/// Times the stages of a request, one after the other.
struct Stopwatch<'a> {
    shard: &'a Shard,
    at: Duration,
}

impl<'a> Stopwatch<'a> {
    fn new(shard: &'a Shard, at: Duration) -> Self {
        Stopwatch { shard, at }
    }

    /// The stage ends now; it began when the one before it ended.
    fn ends(&mut self, stage: Stage) {
        let now = self.shard.runtime.now();
        self.shard.counters.requests.stage(stage).record_duration(now.saturating_sub(self.at));
        self.at = now;
    }
}

/// Serves a connection until it ends, and says why it did.
pub(super) async fn serve(
    shard: Rc<Shard>,
    stream: Stream,
    listener: ListenerIndex,
    refusals: Rc<Refusals>,
) -> Closed {
    // Responses are sent whole, and a client may vanish without a word. An error here shows at the first read.
    let _ = stream.set_nodelay(true).and_then(|()| stream.set_keepalive());
    let session = Session {
        refusals,
        caller: Caller::new(Rc::clone(&shard), listener).from(stream.peer_addr().ok().map(|peer| peer.ip())),
        stream,
        requests: RefCell::default(),
        arrived: Notify::new(),
        is_read: Cell::new(false),
        is_client_gone: Cell::new(false),
        client_left: Notify::new(),
        responses: Responses::new(Rc::clone(&shard.runtime)),
        in_flight: Cell::new(0),
        in_flight_bytes: Cell::new(0),
        others: Cell::new(0),
        answered: Notify::new(),
        unanswered: RefCell::default(),
        shard,
    };
    let closed = {
        let run = std::pin::pin!(session.run());
        let stopped = std::pin::pin!(session.shard.phases.reached(Phase::Stopped));
        match select(run, stopped).await {
            Either::Left((closed, _)) => closed,
            Either::Right(_) => Closed::Stopping,
        }
    };
    let Session { shard, responses, .. } = session;
    // Records that are not durable yet count against the shard's memory, whoever waits for them.
    for pending in responses.into_pending() {
        shard.spawn(pending.committed());
    }
    closed
}

impl Session {
    async fn run(&self) -> Closed {
        let loops: [LocalBoxFuture<'_, Result<(), Closed>>; 3] =
            [Box::pin(self.read()), Box::pin(self.execute()), Box::pin(self.write())];
        let mut loops: FuturesUnordered<_> = loops.into_iter().collect();
        while let Some(ended) = loops.next().await {
            if let Err(closed) = ended {
                return closed;
            }
        }
        if self.is_client_gone.get() { Closed::ByClient } else { Closed::Stopping }
    }

    /// Reads requests until the client leaves or the shard drains.
    async fn read(&self) -> Result<(), Closed> {
        let read = std::pin::pin!(self.read_frames());
        let draining = std::pin::pin!(self.shard.phases.reached(Phase::Draining));
        let outcome = match select(read, draining).await {
            Either::Left((Err(closed), _)) => Err(closed),
            Either::Left((Ok(never), _)) => match never {},
            Either::Right(_) => Ok(()),
        };
        self.is_read.set(true);
        self.arrived.notify_one();
        match outcome {
            // What it sent before it left is still appended.
            Err(Closed::ByClient | Closed::Socket(_)) => {
                self.is_client_gone.set(true);
                self.client_left.notify_one();
                Ok(())
            }
            other => other,
        }
    }

    async fn read_frames(&self) -> Result<std::convert::Infallible, Closed> {
        let max = self.shard.config.socket_request_max_bytes;
        let mut receiver = Receiver::new();
        let mut turn = Turn::new(&*self.shard.runtime);
        loop {
            let length = receiver.frame_length(&self.stream, max).await?;
            let api_key = receiver.api_key(&self.stream).await?;
            let mut cost_bytes = api::request_cost(api_key, length);
            let budgets = &self.shard.budgets;
            let is_produce = api_key == ApiKey::Produce as i16;
            let memory = if is_produce { &budgets.requests } else { &budgets.queries };
            // It would have to wait until nobody else has anything, and all behind it with it.
            let is_whole = cost_bytes <= memory.total() + REQUEST_COST_BYTES;
            if !is_whole {
                let too_costly = Closed::TooCostly { length, cost_bytes, total_bytes: memory.total() };
                self.refusals.request(self.caller.client_address, &too_costly);
                if !api::is_refused_by_name(api_key) {
                    return Err(too_costly);
                }
                cost_bytes = api::request_cost(api_key, 2 * REFUSED_HEAD_BYTES);
            }
            self.shard.paused_for(PauseReason::InFlight, self.wait_for_room(length)).await;
            let charge = self.shard.paused_for(PauseReason::Requests, memory.take(cost_bytes)).await;
            let runtime = &*self.shard.runtime;
            let bytes = match is_whole {
                true => receiver.frame(&self.stream, runtime, memory, length).await?,
                false => Box::pin(receiver.head(&self.stream, runtime, memory, length)).await?,
            };
            let read_at = self.shard.runtime.now();
            self.shard.counters.requests.received_bytes.add((LENGTH_BYTES + length) as u64);
            self.others.set(self.others.get() + usize::from(!is_produce));
            self.in_flight.set(self.in_flight.get() + 1);
            self.in_flight_bytes.set(self.in_flight_bytes.get() + bytes.len());
            self.requests.borrow_mut().push_back(Frame { bytes, is_whole, charge, read_at });
            self.arrived.notify_one();
            turn.spend(length).await;
        }
    }

    /// Waits until the connection may have one more request of this length in flight.
    async fn wait_for_room(&self, length: usize) {
        let config = &self.shard.config;
        loop {
            let (requests, bytes) = (self.in_flight.get(), self.in_flight_bytes.get());
            let fits = self.others.get() == 0
                && requests < config.max_in_flight_requests_per_connection
                && bytes + length <= config.max_in_flight_bytes_per_connection;
            if requests == 0 || fits {
                return;
            }
            self.answered.notified().await;
        }
    }

    /// Executes requests in order.
    async fn execute(&self) -> Result<(), Closed> {
        let mut turn = Turn::new(&*self.shard.runtime);
        let meters = &self.shard.counters.requests;
        while let Some(Frame { bytes, is_whole, charge, read_at }) = self.next_request().await {
            let mut charge = Some(charge);
            let length = bytes.len();
            let mut watch = Stopwatch::new(&self.shard, read_at);
            watch.ends(Stage::Wait);
            let call = if is_whole { api::decode(bytes)? } else { api::decode_head(bytes)? };
            watch.ends(Stage::Decode);
            let api = call.api();
            meters.taken(api).increment();
            let response = match call {
                Call::Produce(produce) => {
                    let pending = self.caller.produce(produce).await;
                    watch.ends(Stage::Append);
                    Response::Produce(pending)
                }
                Call::Other(other) => {
                    self.responses.emptied().await;
                    let other = other.charged(&mut charge);
                    // Boxed, so that a connection that does nothing has no room for it.
                    let executed = Box::pin(async {
                        // Responses are counted when they are sent: no more of them while those before take
                        // more than there is.
                        let memory = self.shard.budgets.replies.take(1);
                        drop(self.shard.paused_for(PauseReason::Responses, memory).await);
                        self.caller.execute(other).await
                    });
                    let gone = std::pin::pin!(self.client_left.notified());
                    let reply = match select(executed, gone).await {
                        Either::Left((reply, _)) => reply,
                        Either::Right(_) => return Err(Closed::ByClient),
                    };
                    watch.ends(Stage::Execute);
                    self.others.set(self.others.get() - 1);
                    self.answered.notify_one();
                    Response::Ready(reply)
                }
            };
            // The frame was taken apart; what a response still needs of it is counted with the response.
            drop(charge);
            self.unanswered.borrow_mut().push_back((api, read_at));
            self.responses.push(response, length);
            turn.spend(length).await;
        }
        self.responses.finish();
        if self.is_client_gone.get() { Err(Closed::ByClient) } else { Ok(()) }
    }

    async fn next_request(&self) -> Option<Frame> {
        loop {
            let next = self.requests.borrow_mut().pop_front();
            if next.is_some() || self.is_read.get() {
                return next;
            }
            self.arrived.notified().await;
        }
    }

    /// Sends responses as they become known.
    async fn write(&self) -> Result<(), Closed> {
        while let Some(mut outgoing) = self.responses.take().await {
            let (requests, bytes) = (outgoing.requests, outgoing.request_bytes);
            if !self.is_client_gone.get() {
                let began = self.shard.runtime.now();
                self.send(&mut outgoing).await?;
                self.note_answered(requests, began);
            }
            let closes = outgoing.closes.take();
            drop(outgoing);
            self.in_flight.set(self.in_flight.get() - requests);
            self.in_flight_bytes.set(self.in_flight_bytes.get() - bytes);
            self.answered.notify_one();
            if let Some(refused) = closes {
                return Err(refused.into());
            }
        }
        Ok(())
    }

    /// Notes that the first requests of those that were executed are answered, in a write that began then.
    fn note_answered(&self, requests: usize, began: Duration) {
        let (meters, now) = (&self.shard.counters.requests, self.shard.runtime.now());
        meters.stage(Stage::Respond).record_times(nanos(now.saturating_sub(began)), requests as u64);
        for (api, read_at) in self.unanswered.borrow_mut().drain(..requests) {
            meters.answered(api).record_duration(now.saturating_sub(read_at));
        }
    }

    async fn send(&self, outgoing: &mut Outgoing) -> Result<(), Closed> {
        let Outgoing { chain, charges, .. } = outgoing;
        let charged: u64 = charges.iter().map(Charge::bytes).sum();
        let uncharged = (chain.remaining() as u64).saturating_sub(charged);
        let _rest = self.shard.budgets.replies.force(uncharged);
        let (bytes, began) = (chain.remaining(), self.shard.runtime.now());
        while chain.has_remaining() {
            let sent = {
                let mut slices = vec![IoSlice::new(&[]); chain.parts().len().min(SEND_PARTS_PER_TURN)];
                let filled = chain.chunks_vectored(&mut slices);
                self.write_some(&slices[..filled]).await?
            };
            chain.advance(sent);
            self.shard.counters.requests.sent_bytes.add(sent as u64);
            if chain.has_remaining() {
                // A socket that is always ready must not keep the shard from its other work.
                self.shard.runtime.yield_now().await;
            }
        }
        self.caller.pace.note(bytes, self.shard.runtime.now() - began);
        Ok(())
    }

    /// Writes what the socket takes. Meanwhile the memory of what is acknowledged behind it is given back.
    async fn write_some(&self, slices: &[IoSlice<'_>]) -> Result<usize, Closed> {
        let mut write = std::pin::pin!(self.stream.write_vectored(slices));
        if let std::task::Poll::Ready(written) = futures_util::poll!(write.as_mut()) {
            return Ok(written?);
        }
        let stalled = std::pin::pin!(self.stalled());
        let settled = std::pin::pin!(self.responses.settle());
        match select(write, select(stalled, settled)).await {
            Either::Left((written, _)) => Ok(written?),
            Either::Right((Either::Left((closed, _)), _)) => Err(closed),
            Either::Right((Either::Right((never, _)), _)) => match never {},
        }
    }

    /// Completes when the client takes nothing more although others need the memory. It may be slow.
    async fn stalled(&self) -> Closed {
        let budgets = &self.shard.budgets;
        let mut before = self.stream.unacknowledged_bytes();
        loop {
            self.shard.runtime.sleep(Duration::from_millis(RESPONSE_STALL_MS)).await;
            let left = self.stream.unacknowledged_bytes();
            let taken = before.saturating_sub(left);
            // Less than there is in a small socket's buffer counts, too.
            let is_stalled = taken < RESPONSE_STALL_BYTES.min(before / 8).max(1);
            if is_stalled && (budgets.fetches.is_exhausted() || budgets.replies.is_exhausted()) {
                return Closed::ResponsesStalled;
            }
            before = left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::{CONNECTION_BYTES, RECEIVE_BUFFER_BYTES};

    #[test]
    fn an_idle_connection_fits_its_share() {
        fn task<F>(_: impl FnOnce(Rc<Shard>, Stream, ListenerIndex, Rc<Refusals>) -> F) -> usize {
            size_of::<F>()
        }
        fn part<'a, F>(_: impl FnOnce(&'a Session) -> F) -> usize {
            size_of::<F>()
        }
        let parts = [task(serve), part(Session::read), part(Session::execute), part(Session::write)];
        let all = parts.iter().sum::<usize>() + RECEIVE_BUFFER_BYTES;
        assert!(all as u64 <= CONNECTION_BYTES, "{parts:?}");
    }
}
