//! Where a thread's tasks write down what happens. Each finished interval is handed on.

use std::cell::{Cell, RefCell};

use super::{LATENCY_NS_MAX, Tally, Timeline};

/// One thread's recorder.
pub struct Recorder {
    timeline: Timeline,
    tally: RefCell<Tally>,
    /// The interval of `tally`; `None` in the warm-up.
    interval: Cell<Option<u32>>,
    hand_on: Box<dyn Fn(u32, Tally)>,
}

/// A request's times, in ns since the start.
#[derive(Clone, Copy, Debug)]
pub struct RequestTimes {
    /// When it was meant to be sent.
    pub intended_ns: u64,
    /// When it was handed to the kernel.
    pub sent_ns: u64,
    /// When the answer was there.
    pub done_ns: u64,
}

impl Recorder {
    /// Gives each interval that is over to `hand_on`, in order and none left out.
    pub fn new(timeline: Timeline, hand_on: impl Fn(u32, Tally) + 'static) -> Self {
        Recorder {
            timeline,
            tally: RefCell::default(),
            // Where there is no warm-up, what happens before the first roll counts too.
            interval: Cell::new(timeline.interval(0)),
            hand_on: Box::new(hand_on),
        }
    }

    /// The parts of the run.
    pub fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Hands on the intervals that are over by now. `at_end` completes each with what is true at its end.
    pub fn roll(&self, now_ns: u64, at_end: impl Fn(&mut Tally)) {
        let Some(now) = self.timeline.interval(now_ns) else { return };
        let Some(mut current) = self.interval.get() else {
            // The warm-up is over: nothing of it counts.
            self.tally.take();
            self.interval.set(Some(0));
            return self.roll(now_ns, at_end);
        };
        while current < now {
            let mut tally = self.tally.take();
            at_end(&mut tally);
            (self.hand_on)(current, tally);
            current += 1;
        }
        self.interval.set(Some(current));
    }

    /// Hands on what is there: the last interval is cut short.
    pub fn finish(&self, now_ns: u64, at_end: impl Fn(&mut Tally)) {
        self.roll(now_ns, &at_end);
        if let Some(current) = self.interval.get() {
            let mut tally = self.tally.take();
            at_end(&mut tally);
            let start_ns = self.timeline.start_ns + (self.timeline.span_s(current).0 * 1e9) as u64;
            tally.cut_to_ns = Some(now_ns.saturating_sub(start_ns));
            (self.hand_on)(current, tally);
            self.interval.set(Some(current + 1));
        }
    }

    /// Writes something down.
    pub fn count(&self, write: impl FnOnce(&mut Tally)) {
        write(&mut self.tally.borrow_mut());
    }

    /// Writes down the latencies of a request, as far as it was meant for the window. Response time is counted from
    /// each of `counted_ns`: the request's own time, or those of its records.
    pub fn request(&self, times: RequestTimes, counted_ns: &[u64]) {
        let RequestTimes { intended_ns, sent_ns, done_ns } = times;
        let latencies = &mut self.tally.borrow_mut().latencies;
        for counted_ns in counted_ns.iter().filter(|at_ns| self.timeline.is_measured(**at_ns)) {
            latencies.response.saturating_record(latency(*counted_ns, done_ns));
        }
        if self.timeline.is_measured(intended_ns) {
            latencies.service.saturating_record(latency(sent_ns, done_ns));
            latencies.send_delay.saturating_record(latency(intended_ns, sent_ns));
        }
    }

    /// Writes down that a request will not be answered, with the time that it has waited so far: left out, it would
    /// make the percentiles look better than they are.
    pub fn given_up(&self, intended_ns: u64, now_ns: u64) {
        if self.timeline.is_measured(intended_ns) {
            let latencies = &mut self.tally.borrow_mut().latencies;
            latencies.response.saturating_record(latency(intended_ns, now_ns));
        }
    }

    /// Writes down when a record reached a consumer.
    pub fn consumed(&self, intended_ns: u64, now_ns: u64) {
        if self.timeline.is_measured(intended_ns) {
            let latencies = &mut self.tally.borrow_mut().latencies;
            latencies.end_to_end.saturating_record(latency(intended_ns, now_ns));
        }
    }
}

fn latency(from_ns: u64, to_ns: u64) -> u64 {
    to_ns.saturating_sub(from_ns).clamp(1, LATENCY_NS_MAX)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn without_a_warm_up_everything_counts() {
        let seen = Rc::new(Cell::new(0));
        let sink = Rc::clone(&seen);
        let timeline = Timeline::new(Duration::ZERO, Duration::from_secs(1));
        let recorder = Recorder::new(timeline, move |_, tally| sink.set(tally.counts.consumed_records));
        // A task runs as soon as it is spawned, and a consumer may find records that another thread made.
        recorder.count(|tally| tally.counts.consumed_records += 1);
        recorder.roll(5, |_| ());
        recorder.finish(10, |_| ());
        assert_eq!(seen.get(), 1);
    }

    #[test]
    fn intervals_are_handed_on_in_order_and_the_warm_up_is_dropped() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&seen);
        let timeline = Timeline::new(Duration::from_secs(1), Duration::from_secs(2));
        let recorder = Recorder::new(timeline, move |interval, tally| {
            sink.borrow_mut().push((interval, tally.counts.sent_requests, tally.latencies.response.len()))
        });
        let second = 1_000_000_000;
        let send = |intended_ns: u64, done_ns: u64| {
            recorder.roll(done_ns, |_| ());
            recorder.count(|tally| tally.counts.sent_requests += 1);
            recorder.request(RequestTimes { intended_ns, sent_ns: intended_ns, done_ns }, &[intended_ns]);
        };
        send(0, second / 2);
        // Meant for the warm-up, answered in the window: counts for throughput, not for latency.
        send(second - 1, second);
        send(second, second + 1);
        send(second + 5, 4 * second);
        recorder.finish(4 * second, |_| ());
        assert_eq!(*seen.borrow(), [(0, 2, 1), (1, 0, 0), (2, 0, 0), (3, 1, 1)]);
    }
}
