//! `loadgen backpressure`: offers a broker more than it can take, and tells what it did and how it recovered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::measure::{Measured, measure};
use super::run::{conclude, report, stop_on_signals};
use super::{CommandError, Invocation};
use crate::broker::Watch;
use crate::measure::Point;
use crate::report::{BrokerSide, Overloaded, Rates, utc_now};
use crate::settings::{ConsumerMode, Offered, Overload, Workload, format_bytes, format_count};

/// How long capacity is measured, after [`CAPACITY_WARMUP`].
const CAPACITY_WINDOW: Duration = Duration::from_secs(10);
const CAPACITY_WARMUP: Duration = Duration::from_secs(3);
/// An interval is normal if its p99 is at most this many times the median of those before the overload, or not above
/// nine tenths of them.
const NORMAL_AGAIN: f64 = 2.0;
/// Intervals that make a second.
const NORMAL_INTERVALS: usize = 4;
/// At least this is taken for normal: a scheduler's turn is no sign of overload.
const NORMAL_MS_MIN: f64 = 5.0;

/// Overloads a broker. `workload` is for a capacity of one request a second, and `scale` makes it one for another.
/// `broker_pid` and `broker_admin`: the broker's process and admin port, if they are to be watched.
pub fn backpressure(
    workload: Workload,
    capacity_requests_per_s: Option<f64>,
    scale: impl Fn(&Workload, f64) -> Workload,
    (broker_pid, broker_admin): (Option<u32>, Option<&str>),
    directory: Option<&Path>,
    invocation: &Invocation,
) -> Result<(), CommandError> {
    let (started_at, stop) = (utc_now(), stop_on_signals()?);
    let mut watch = Watch::new(broker_pid, broker_admin)?;
    let capacity = match capacity_requests_per_s {
        Some(capacity) => capacity,
        None => capacity(&workload, Arc::clone(&stop))?,
    };
    let batch = f64::from(workload.batch);
    say!("capacity: {} records/s", format_count(capacity * batch));
    let workload = scale(&workload, capacity);
    let Offered::Overload(overload) = workload.offered else {
        unreachable!("backpressure is resolved to an overload")
    };
    let measured = measure(workload, stop, |point| watch.observe(point.start_s + point.length_s))?;
    let mut report = report(&measured, "overload (open loop)", started_at, directory, invocation);
    report.overload = Some(judge(&measured, &overload, capacity * batch, watch.finish()));
    conclude(report, &measured, directory, |report| {
        if let Some(overloaded) = &report.overload {
            print(overloaded, &report.total);
        }
    })
}

/// What the broker takes in a closed loop, in requests a second.
fn capacity(workload: &Workload, stop: Arc<AtomicBool>) -> Result<f64, CommandError> {
    let closed = Workload {
        offered: Offered::Saturated,
        consumer_mode: ConsumerMode::Normal,
        warmup: CAPACITY_WARMUP,
        duration: CAPACITY_WINDOW,
        ..workload.clone()
    };
    let measured = measure(closed, stop, |_| ())?;
    match (measured.partial, Rates::of(&measured.totals).achieved_requests_per_s) {
        (Some(reason), _) => Err(CommandError::Partial(reason)),
        (None, rate) if rate > 0.0 => Ok(rate),
        (None, _) => Err(CommandError::NoCapacity),
    }
}

/// What the points tell of an overload.
fn judge(
    measured: &Measured,
    overload: &Overload,
    capacity_records_per_s: f64,
    broker: BrokerSide,
) -> Overloaded {
    let points = &measured.totals.points;
    let (before_s, end_s) = (overload.before.as_secs_f64(), overload.end().as_secs_f64());
    let hold_s = end_s - overload.hold.as_secs_f64();
    let within = |from: f64, to: f64| {
        points.iter().filter(move |it| it.start_s >= from - 1e-6 && it.start_s + it.length_s <= to + 1e-6)
    };
    let achieved = |from, to| {
        let (records, seconds) = within(from, to).fold((0, 0.0), |(records, seconds), point| {
            (records + point.counts.acked_records, seconds + point.length_s)
        });
        if seconds > 0.0 { records as f64 / seconds } else { 0.0 }
    };
    let bound_ms = normal_bound_ms(within(0.0, before_s).map(|it| it.response_ms.p99).collect());
    Overloaded {
        capacity_records_per_s,
        peak_records_per_s: overload.peak_per_s * f64::from(measured.batch),
        start_s: before_s,
        hold_s,
        end_s,
        achieved_before_records_per_s: achieved(0.0, before_s),
        achieved_in_hold_records_per_s: achieved(hold_s, end_s),
        dropped_requests: measured.totals.all.counts.dropped_requests,
        normal_p99_bound_ms: bound_ms,
        recovered_after_s: recovered_after_s(points, end_s, bound_ms),
        in_flight_bytes_max: points.iter().map(|it| it.counts.in_flight_bytes).max().unwrap_or(0),
        answer_gap_ms_max: answer_gap_ms_max(points, before_s),
        broker,
    }
}

/// How long a connection went without an answer, at most, from `start_s` on.
fn answer_gap_ms_max(points: &[Point], start_s: f64) -> f64 {
    let points = points.iter().filter(|it| it.start_s + it.length_s > start_s);
    points.map(|it| it.counts.answer_gap_ns_max).max().unwrap_or(0) as f64 / 1e6
}

/// The p99 up to which an interval is normal, from those before the overload.
fn normal_bound_ms(mut before_ms: Vec<f64>) -> f64 {
    before_ms.sort_by(f64::total_cmp);
    let at = |part: f64| before_ms.get((before_ms.len() as f64 * part) as usize).copied().unwrap_or(0.0);
    NORMAL_MS_MIN.max(NORMAL_AGAIN * at(0.5)).max(at(0.9))
}

/// How long after the end the first second begins whose intervals are all normal; `None` if there is none in the
/// window. One good interval may be chance, and so may a bad one later. An interval without answers is not normal.
fn recovered_after_s(points: &[Point], end_s: f64, bound_ms: f64) -> Option<f64> {
    let after: Vec<&Point> =
        points.iter().filter(|point| point.start_s >= end_s - 1e-6 && !point.is_drain).collect();
    let is_normal = |point: &&Point| point.response_ms.p99 > 0.0 && point.response_ms.p99 <= bound_ms;
    let second = after.windows(NORMAL_INTERVALS).find(|intervals| intervals.iter().all(is_normal))?;
    Some((second[0].start_s - end_s).max(0.0))
}

fn print(overloaded: &Overloaded, total: &crate::measure::Counts) {
    let Overloaded { capacity_records_per_s: capacity, peak_records_per_s: peak, .. } = overloaded;
    let achieved = overloaded.achieved_in_hold_records_per_s;
    say!("");
    say!("  peak offered         {:>14} records/s, {:.1} x capacity", format_count(*peak), peak / capacity);
    say!(
        "  achieved at the peak {:>14} records/s, {:.0} % of capacity",
        format_count(achieved),
        achieved / capacity * 100.0
    );
    say!(
        "  dropped at its end   {:>14} requests that were due and not sent",
        format_count(total.dropped_requests as f64)
    );
    say!("  in flight            {:>14} at most", format_bytes(overloaded.in_flight_bytes_max as f64));
    say!("  blocked by TCP       {:>14.1} s, over all connections", total.blocked_ns as f64 / 1e9);
    say!("  throttle time        {:>14.1} s", total.throttle_ms as f64 / 1e3);
    say!("  without an answer    {:>14.1} ms at most, any one connection", overloaded.answer_gap_ms_max);
    print_broker(&overloaded.broker);
    let bound = overloaded.normal_p99_bound_ms;
    match overloaded.recovered_after_s {
        Some(after) => say!(
            "  recovered            {after:>14.2} s after the end (p99 at most {bound:.1} ms for a second)"
        ),
        None => say!("  not recovered when the run ended (p99 above {bound:.1} ms)"),
    }
    if total.dropped_requests > 0 && total.blocked_ns == 0 && total.throttle_ms == 0 {
        say!("  producers waited for --in-flight alone; raise it to see how the broker holds them back");
    }
}

fn print_broker(broker: &BrokerSide) {
    if let Some((_, bytes)) = broker.memory_bytes.iter().max_by_key(|(_, bytes)| *bytes) {
        let of = broker
            .memory_limit_bytes
            .map(|limit| format!(", its --memory is {}", format_bytes(limit as f64)));
        say!("  broker's memory      {:>14} at most{}", format_bytes(*bytes as f64), of.unwrap_or_default());
    }
    for (name, fullest) in broker.fullest_budgets() {
        say!("  budget {name:<14}{:>12.0} % used at most", fullest * 100.0);
    }
    for (reason, most) in broker.longest_pauses() {
        say!("  paused: {reason:<13}{most:>14.1} s a second at most, over all connections");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Counts;

    fn points(p99s: &[f64]) -> Vec<Point> {
        let point = |(at, p99): (usize, &f64)| {
            let mut point = Point {
                start_s: at as f64 * 0.25,
                length_s: 0.25,
                is_drain: false,
                counts: Counts::default(),
                response_ms: Default::default(),
                service_ms: Default::default(),
                end_to_end_ms: Default::default(),
            };
            point.response_ms.p99 = *p99;
            point
        };
        p99s.iter().enumerate().map(point).collect()
    }

    #[test]
    fn recovery_is_when_latency_stays_normal() {
        let after = |p99s: &[f64]| recovered_after_s(&points(p99s), 0.5, 10.0);
        assert_eq!(after(&[1.0, 99.0, 1.0, 1.0, 1.0, 1.0]), Some(0.0));
        assert_eq!(after(&[1.0, 99.0, 50.0, 1.0, 1.0, 1.0, 1.0]), Some(0.25));
        // Good for a moment is not recovered, and a bad moment later does not undo it.
        assert_eq!(after(&[1.0, 99.0, 1.0, 50.0, 1.0, 1.0, 1.0, 1.0, 50.0]), Some(0.5));
        assert_eq!(after(&[1.0, 99.0, 1.0, 1.0, 1.0, 50.0, 1.0]), None);
        assert_eq!(after(&[1.0, 99.0, 0.0, 1.0, 1.0, 1.0, 1.0]), Some(0.25));
        assert_eq!(after(&[1.0, 99.0]), None);
    }

    #[test]
    fn normal_is_what_was_before_but_for_the_worst() {
        let mut before = vec![8.0; 20];
        before[3] = 1000.0;
        assert_eq!(normal_bound_ms(before.clone()), 16.0);
        before[4..8].fill(30.0);
        assert_eq!(normal_bound_ms(before), 30.0);
        assert_eq!(normal_bound_ms(vec![0.5; 20]), NORMAL_MS_MIN);
        assert_eq!(normal_bound_ms(Vec::new()), NORMAL_MS_MIN);
    }
}
