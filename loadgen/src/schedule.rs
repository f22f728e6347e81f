//! When requests are meant to be sent. Pure: the same seed gives the same times, whatever happens to the requests.

use std::time::Duration;

use crate::random::Random;
use crate::settings::{Overload, ScheduleKind};

/// The intended send times of one producer, in ns since the start, never descending.
#[derive(Clone, Debug)]
pub struct Schedule {
    kind: Kind,
    /// Mean distance of two requests, in ns. Kept as a fraction: rounded, an hour at a high rate would drift.
    distance_ns: f64,
    /// Requests given out so far.
    given: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The first request at a phase of its own, so that producers do not all send at once.
    Constant {
        phase_ns: f64,
    },
    Poisson {
        random: Random,
        at_ns: f64,
    },
    Burst {
        phase_ns: f64,
        burst: u64,
    },
    Overload {
        overload: Overload,
        producers: f64,
        part: f64,
    },
}

impl Schedule {
    /// The schedule of producer `index` of `producers`, which send `requests_per_s` together.
    pub fn new(
        kind: ScheduleKind,
        requests_per_s: f64,
        burst: u32,
        index: u32,
        producers: u32,
        seed: u64,
    ) -> Self {
        let distance_ns = 1e9 * f64::from(producers) / requests_per_s;
        let part = f64::from(index) / f64::from(producers);
        let kind = match kind {
            ScheduleKind::Constant => Kind::Constant { phase_ns: distance_ns * part },
            ScheduleKind::Poisson => {
                Kind::Poisson { random: Random::new(seed, u64::from(index)), at_ns: 0.0 }
            }
            // Bursts of all producers come together: that is what makes them bursts.
            ScheduleKind::Burst => Kind::Burst { phase_ns: 0.0, burst: u64::from(burst) },
        };
        Schedule { kind, distance_ns, given: 0 }
    }

    /// The schedule of producer `index` of `producers` in an overload that begins `start` after the start; before
    /// it, the load is normal.
    pub fn overload(overload: Overload, start: Duration, index: u32, producers: u32) -> Self {
        let overload = Overload { before: overload.before + start, ..overload };
        let (producers, part) = (f64::from(producers), f64::from(index) / f64::from(producers));
        Schedule { kind: Kind::Overload { overload, producers, part }, distance_ns: 0.0, given: 0 }
    }

    /// The next request's intended time, in ns since the start.
    pub fn next_ns(&mut self) -> u64 {
        let number = self.given;
        self.given += 1;
        match &mut self.kind {
            Kind::Constant { phase_ns } => (*phase_ns + self.distance_ns * number as f64) as u64,
            Kind::Poisson { random, at_ns } => {
                *at_ns += random.exponential() * self.distance_ns;
                *at_ns as u64
            }
            Kind::Burst { phase_ns, burst } => {
                let first = number - number % *burst;
                (*phase_ns + self.distance_ns * first as f64) as u64
            }
            Kind::Overload { overload, producers, part } => {
                (1e9 * overload_time_s(overload, (number as f64 + *part) * *producers)) as u64
            }
        }
    }
}

/// When the `number`-th request of all producers is due: the time up to which the rate adds up to it.
fn overload_time_s(overload: &Overload, number: f64) -> f64 {
    let Overload { normal_per_s: normal, peak_per_s: peak, before, ramp, hold, .. } = *overload;
    let (before, ramp, hold) = (before.as_secs_f64(), ramp.as_secs_f64(), hold.as_secs_f64());
    let (in_before, in_ramp, in_hold) = (normal * before, (normal + peak) / 2.0 * ramp, peak * hold);
    if number < in_before {
        return number / normal;
    }
    let number = number - in_before;
    if number < in_ramp {
        // normal * t + (peak - normal) / (2 * ramp) * t^2 = number, solved for t without a difference of like values.
        let slope = (peak - normal) / ramp;
        return before + 2.0 * number / (normal + (normal * normal + 2.0 * slope * number).sqrt());
    }
    let number = number - in_ramp;
    if number < in_hold {
        return before + ramp + number / peak;
    }
    before + ramp + hold + (number - in_hold) / normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [ScheduleKind; 3] = [ScheduleKind::Constant, ScheduleKind::Poisson, ScheduleKind::Burst];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn times_never_descend_and_repeat_by_seed(
            kind in 0usize..3, rate in 0.1f64..1e6, burst in 1u32..50, producers in 1u32..20, seed: u64,
        ) {
            let make = || Schedule::new(KINDS[kind], rate, burst, producers - 1, producers, seed);
            let (mut one, mut other) = (make(), make());
            let mut last = 0;
            for _ in 0..500 {
                let at = one.next_ns();
                prop_assert!(at >= last);
                prop_assert_eq!(at, other.next_ns());
                last = at;
            }
        }

        #[test]
        fn the_rate_of_all_producers_is_the_one_asked_for(
            kind in 0usize..3, rate in 1_000f64..100_000.0, burst in 1u32..20, producers in 1u32..10, seed: u64,
        ) {
            let seconds = 5u64;
            let mut count = 0f64;
            for index in 0..producers {
                let mut schedule = Schedule::new(KINDS[kind], rate, burst, index, producers, seed);
                while schedule.next_ns() < seconds * 1_000_000_000 {
                    count += 1.0;
                }
            }
            let expected = rate * seconds as f64;
            // Poisson counts vary by their square root, bursts by one burst of each producer.
            let slack = match KINDS[kind] {
                ScheduleKind::Constant => f64::from(producers),
                ScheduleKind::Poisson => 6.0 * expected.sqrt(),
                ScheduleKind::Burst => f64::from(burst * producers),
            };
            prop_assert!((count - expected).abs() <= slack + 1.0, "{} of {}", count, expected);
        }

        #[test]
        fn constant_distances_are_equal_to_a_nanosecond(rate in 1f64..1e6, producers in 1u32..10) {
            let mut schedule = Schedule::new(ScheduleKind::Constant, rate, 1, 0, producers, 0);
            let distance = 1e9 * f64::from(producers) / rate;
            let mut last = schedule.next_ns();
            for _ in 0..1000 {
                let at = schedule.next_ns();
                prop_assert!(((at - last) as f64 - distance).abs() <= 1.5);
                last = at;
            }
        }
    }

    #[test]
    fn an_overload_rises_holds_and_falls_back() {
        let seconds = Duration::from_secs;
        let (before, ramp, hold, after) = (seconds(2), seconds(4), seconds(3), seconds(5));
        let overload = Overload { normal_per_s: 100.0, peak_per_s: 900.0, before, ramp, hold, after };
        let mut times: Vec<f64> = Vec::new();
        for index in 0..3 {
            let mut schedule = Schedule::overload(overload, seconds(1), index, 3);
            let own =
                std::iter::from_fn(|| Some(schedule.next_ns() as f64 / 1e9)).take_while(|at| *at < 15.0);
            let own: Vec<f64> = own.collect();
            assert!(own.windows(2).all(|pair| pair[0] <= pair[1]));
            times.extend(own);
        }
        let between = |from: f64, to: f64| times.iter().filter(|at| (from..to).contains(*at)).count();
        // One second of warm-up and two before, then 100 to 900 a second: on average 500.
        for (from, to, expected) in
            [(0.0, 3.0, 300), (3.0, 7.0, 2000), (3.0, 5.0, 600), (7.0, 10.0, 2700), (10.0, 15.0, 500)]
        {
            assert!(between(from, to).abs_diff(expected) <= 3, "{from} to {to}: {}", between(from, to));
        }
    }

    #[test]
    fn bursts_come_at_once_and_poisson_distances_vary_as_they_should() {
        let mut bursts = Schedule::new(ScheduleKind::Burst, 100.0, 10, 0, 1, 0);
        let times: Vec<u64> = (0..30).map(|_| bursts.next_ns()).collect();
        assert!(times[..10].iter().all(|at| *at == 0));
        assert!(times[10..20].iter().all(|at| *at == 100_000_000));

        // The deviation of exponential distances is their mean.
        let mut poisson = Schedule::new(ScheduleKind::Poisson, 1000.0, 1, 0, 1, 7);
        let times: Vec<f64> = (0..20_000).map(|_| poisson.next_ns() as f64 / 1e6).collect();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean - 1.0).abs() < 0.05 && (deviation - 1.0).abs() < 0.05, "{mean} {deviation}");
    }
}
