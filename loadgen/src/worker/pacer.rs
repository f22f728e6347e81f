//! The task that decides when requests are due. It has the thread's only fine timer: glommio's cost grows with their
//! number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::context::Context;
use super::producer::{Deadline, Producer};
use crate::measure::Tally;
use crate::schedule::Schedule;

/// The longest sleep: intervals are handed on, and failures noticed, this late at most.
const SLEEP_MAX: Duration = Duration::from_millis(5);
/// Requests put into queues before the tasks that send them get a turn.
const EMIT_MAX: usize = 256;
/// Sleeps shorter than this cost more than they save.
const SLEEP_MIN_NS: u64 = 5_000;

/// A time, a producer by its place, and the batch whose linger is over then.
type Due = (u64, usize, Option<Deadline>);

/// A schedule, and the first time of it that has not come yet.
struct Offered {
    schedule: Schedule,
    next_ns: u64,
}

/// Producers with their schedules; in a closed loop without.
pub struct Pacer {
    producers: Vec<Rc<Producer>>,
    schedules: Vec<Schedule>,
    /// The same schedules as they run on where a queue is full: what is due is offered, whether there is room or not.
    offered: Vec<Offered>,
    /// What comes next: the next request of each producer, or with linger its next record and its open batches.
    due: BinaryHeap<Reverse<Due>>,
    /// When an overload ends: what is due before and not sent by then is dropped.
    shed_at_ns: Option<u64>,
}

impl Pacer {
    /// With one schedule for each producer, or none at all. `shed_at_ns`: the end of an overload.
    pub fn new(producers: Vec<Rc<Producer>>, mut schedules: Vec<Schedule>, shed_at_ns: Option<u64>) -> Self {
        let offered = schedules.iter().cloned().map(|mut schedule| {
            let next_ns = schedule.next_ns();
            Offered { schedule, next_ns }
        });
        let offered = offered.collect();
        let due = schedules
            .iter_mut()
            .enumerate()
            .map(|(at, schedule)| Reverse((schedule.next_ns(), at, None)))
            .collect();
        Pacer { producers, schedules, offered, due, shed_at_ns }
    }

    /// Puts requests into the queues at their times, until the window is over or the run is stopped.
    pub async fn run(&mut self, context: &Context) {
        let end_ns = context.recorder.timeline().end_ns;
        loop {
            let now_ns = context.clock.now_ns();
            context.recorder.roll(now_ns, |tally| self.at_end(tally));
            if self.shed_at_ns.is_some_and(|at_ns| now_ns >= at_ns) {
                self.shed(context);
            }
            let next_ns = self.emit_due(now_ns.min(end_ns - 1), context);
            if context.is_stopped() || now_ns >= end_ns {
                return;
            }
            sleep_until(next_ns.min(end_ns), context).await;
        }
    }

    /// Sends what was due in the window and waits for all answers, until time is up or the run is stopped.
    pub async fn drain(&mut self, context: &Context, deadline_ns: u64) {
        let end_ns = context.recorder.timeline().end_ns;
        loop {
            // A run that is stopped early is not at its end.
            self.emit_due(context.clock.now_ns().min(end_ns - 1), context);
            let mut is_done = self.due.peek().is_none_or(|Reverse((due_ns, ..))| *due_ns >= end_ns);
            if is_done {
                self.producers.iter().for_each(|producer| producer.send_all_gathered(end_ns, context));
            }
            is_done &= self.producers.iter().flat_map(|it| it.links()).all(|link| link.is_idle());
            if is_done || context.is_stopped() || context.clock.now_ns() >= deadline_ns {
                return self.give_up_rest(end_ns, context);
            }
            self.tick(context).await;
        }
    }

    /// What was due and never came into a queue counts like what is left in them.
    fn give_up_rest(&mut self, end_ns: u64, context: &Context) {
        let now_ns = context.clock.now_ns();
        self.count_offered(now_ns.min(end_ns) - 1, context);
        while let Some(Reverse((due_ns, at, deadline))) = self.due.pop() {
            if deadline.is_none() && due_ns < now_ns.min(end_ns) {
                self.producers[at].give_up(due_ns, now_ns, context);
                self.due.push(Reverse((self.schedules[at].next_ns(), at, None)));
            }
        }
    }

    /// Sleeps a little and hands on the intervals that are over.
    pub async fn tick(&self, context: &Context) {
        glommio::timer::sleep(SLEEP_MAX).await;
        context.recorder.roll(context.clock.now_ns(), |tally| self.at_end(tally));
    }

    /// Completes an interval with what is true at its end.
    pub fn at_end(&self, tally: &mut Tally) {
        for link in self.producers.iter().flat_map(|it| it.links()) {
            tally.counts.in_flight_requests += link.outstanding() as u64;
            tally.counts.in_flight_bytes += link.outstanding_bytes();
            tally.counts.waiting_requests += link.waiting() as u64;
        }
    }

    /// The overload is over: drops what was due in it and is not sent, in queues or not yet in any.
    fn shed(&mut self, context: &Context) {
        let Some(before_ns) = self.shed_at_ns.take() else { return };
        let links = self.producers.iter().flat_map(|it| it.links());
        let mut dropped: u64 = links.map(|link| link.shed(before_ns)).sum();
        while let Some(Reverse((_, at, _))) = self.due.peek().copied().filter(|it| it.0.0 < before_ns) {
            self.due.pop();
            dropped += 1;
            self.due.push(Reverse((self.schedules[at].next_ns(), at, None)));
        }
        context.recorder.count(|tally| tally.counts.dropped_requests += dropped);
    }

    /// Counts what was due by `now_ns` at the latest.
    fn count_offered(&mut self, now_ns: u64, context: &Context) {
        let workload = &context.shared.supplies.workload;
        let mut due = 0;
        for Offered { schedule, next_ns } in &mut self.offered {
            while *next_ns <= now_ns {
                due += 1;
                *next_ns = schedule.next_ns();
            }
        }
        context.recorder.count(|tally| {
            if workload.linger.is_zero() {
                tally.counts.offered_requests += due;
                tally.counts.offered_records += due * u64::from(workload.batch);
            } else {
                // Which requests the records make is known when they are gathered.
                tally.counts.offered_records += due;
            }
        });
    }

    /// Puts what is due into the queues, and returns when the next one is.
    fn emit_due(&mut self, now_ns: u64, context: &Context) -> u64 {
        self.count_offered(now_ns, context);
        let lingers = !context.shared.supplies.workload.linger.is_zero();
        for _ in 0..EMIT_MAX {
            let Some(Reverse((due_ns, at, deadline))) = self.due.peek().copied() else { return u64::MAX };
            if due_ns > now_ns {
                return due_ns;
            }
            let producer = &self.producers[at];
            if !producer.has_room() {
                // Looked at again after a sleep; its time has come and stays what it is.
                return now_ns + SLEEP_MAX.as_nanos() as u64;
            }
            self.due.pop();
            if let Some(deadline) = deadline {
                producer.linger_over(deadline, context);
                continue;
            }
            if lingers {
                let open = producer.gather(due_ns, context);
                self.due.extend(open.map(|open| Reverse((open.at_ns, at, Some(open)))));
            } else {
                producer.emit(due_ns, context);
            }
            self.due.push(Reverse((self.schedules[at].next_ns(), at, None)));
        }
        now_ns
    }
}

async fn sleep_until(at_ns: u64, context: &Context) {
    let left_ns = at_ns.saturating_sub(context.clock.now_ns());
    if left_ns < SLEEP_MIN_NS {
        return yield_now().await;
    }
    // A new timer for each sleep, polled when it is made and when it is over: more polls would register more.
    glommio::timer::sleep(Duration::from_nanos(left_ns).min(SLEEP_MAX)).await;
}

/// Gives other tasks a turn.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| match std::mem::replace(&mut has_yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}
