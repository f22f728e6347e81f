//! A connection's responses in the order of its requests, some of them not known yet.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Notify;

use crate::api::{PendingProduce, Refused, Reply};
use crate::base::limits::{SEND_BYTES_PER_TURN, SEND_PARTS_PER_TURN};
use crate::protocol::Chain;
use crate::runtime::Runtime;
use crate::shard::Charge;

/// What will answer a request.
pub(super) enum Response {
    /// It is known.
    Ready(Reply),
    /// Records on their way to the disk.
    Produce(PendingProduce),
}

struct Slot {
    response: Response,
    request_bytes: usize,
}

/// Responses to send at once.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) chain: Chain,
    /// Memory that the chain pins.
    pub(super) charges: Vec<Charge>,
    /// Requests that are answered by it, also those that get no response.
    pub(super) requests: usize,
    /// Length of those requests.
    pub(super) request_bytes: usize,
    /// Why the connection must close behind it, if it must.
    pub(super) closes: Option<Refused>,
}

/// See the module. One task pushes and one takes.
pub(super) struct Responses {
    runtime: Rc<dyn Runtime>,
    slots: RefCell<VecDeque<Slot>>,
    taker: Cell<Option<Waker>>,
    is_finished: Cell<bool>,
    emptied: Notify,
    /// Wakes the taker at a produce request's deadline, or earlier; and when that will be.
    timer: RefCell<Option<(Duration, LocalBoxFuture<'static, ()>)>>,
}

impl Responses {
    pub(super) fn new(runtime: Rc<dyn Runtime>) -> Self {
        Responses {
            runtime,
            slots: RefCell::default(),
            taker: Cell::new(None),
            is_finished: Cell::new(false),
            emptied: Notify::new(),
            timer: RefCell::default(),
        }
    }

    pub(super) fn push(&self, response: Response, request_bytes: usize) {
        self.slots.borrow_mut().push_back(Slot { response, request_bytes });
        self.wake();
    }

    /// Nothing more will be pushed.
    pub(super) fn finish(&self) {
        self.is_finished.set(true);
        self.wake();
    }

    /// Completes when everything that was pushed was taken.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.slots.borrow().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Takes the responses at the front that are known, at least one; `None` when there will be no more.
    pub(super) async fn take(&self) -> Option<Outgoing> {
        std::future::poll_fn(|context| self.poll_take(context)).await
    }

    /// Gives back the memory of records that have become durable although nobody takes responses: a client that does
    /// not read must not hold what others need. Never completes.
    pub(super) async fn settle(&self) -> Infallible {
        std::future::poll_fn(|context| {
            self.taker.set(Some(context.waker().clone()));
            for slot in self.slots.borrow_mut().iter_mut() {
                if let Response::Produce(pending) = &mut slot.response {
                    std::task::ready!(Pin::new(&mut *pending).poll(context).map(|()| pending.settle()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// What is still on its way to the disk.
    pub(super) fn into_pending(self) -> impl Iterator<Item = PendingProduce> {
        self.slots.into_inner().into_iter().filter_map(|slot| match slot.response {
            Response::Produce(pending) => Some(pending),
            Response::Ready(_) => None,
        })
    }

    fn wake(&self) {
        if let Some(waker) = self.taker.take() {
            waker.wake();
        }
    }

    fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut slots = self.slots.borrow_mut();
        let mut outgoing = Outgoing::default();
        while let Some(front) = slots.front_mut() {
            let Poll::Ready(reply) = self.poll_response(&mut front.response, context) else { break };
            outgoing.requests += 1;
            outgoing.request_bytes += front.request_bytes;
            slots.pop_front();
            outgoing.add(reply);
            if outgoing.is_enough() {
                break;
            }
        }
        if slots.is_empty() {
            self.emptied.notify_waiters();
        }
        if outgoing.requests > 0 {
            return Poll::Ready(Some(outgoing));
        }
        if slots.is_empty() && self.is_finished.get() {
            return Poll::Ready(None);
        }
        self.taker.set(Some(context.waker().clone()));
        Poll::Pending
    }

    fn poll_response(&self, response: &mut Response, context: &mut Context<'_>) -> Poll<Reply> {
        match response {
            Response::Ready(reply) => Poll::Ready(std::mem::replace(reply, Reply::Nothing)),
            Response::Produce(pending) => {
                if Pin::new(&mut *pending).poll(context).is_pending() && !self.is_late(pending, context) {
                    return Poll::Pending;
                }
                Poll::Ready(pending.reply())
            }
        }
    }

    /// Whether the deadline is over; if not, the taker is woken when it is.
    fn is_late(&self, pending: &PendingProduce, context: &mut Context<'_>) -> bool {
        let Some(deadline) = pending.deadline() else { return false };
        let mut timer = self.timer.borrow_mut();
        loop {
            let now = self.runtime.now();
            if now >= deadline {
                return true;
            }
            // One timer serves many requests: when it fires, the deadline is seldom over.
            let (_, sleep) = match &mut *timer {
                Some(armed) if armed.0 <= deadline => armed,
                armed => armed.insert((deadline, self.runtime.sleep(deadline - now))),
            };
            if sleep.as_mut().poll(context).is_pending() {
                return false;
            }
            *timer = None;
        }
    }
}

impl Outgoing {
    fn add(&mut self, reply: Reply) {
        match reply {
            Reply::Nothing => {}
            Reply::Close(reason) => self.closes = Some(reason),
            Reply::Send { frame, charge } => {
                self.chain.append(frame);
                self.charges.extend(charge);
            }
        }
    }

    fn is_enough(&self) -> bool {
        let parts = self.chain.parts().len();
        self.closes.is_some() || self.chain.remaining() >= SEND_BYTES_PER_TURN || parts >= SEND_PARTS_PER_TURN
    }
}
