//! `loadgen cpu`: how long this machine takes a busy CPU away from who computes on it.
//!
//! A thread does nothing but read the clock. When it does not get to, for a host that shares its cores, for interrupts
//! or for other threads, whoever is due at such a moment waits until it does: what a broker on this CPU would add to a
//! response without having done anything. As in open loop, moments at equal distances count, not gaps; Gil Tene's
//! jHiccup has shown why.

use std::path::Path;
use std::time::{Duration, Instant};

use super::CommandError;
use crate::measure::histogram;
use crate::report::{CpuCell, CpuLimits, LatencySummary, utc_now, write_json};

/// Distance of the moments that are looked at.
const TICK: Duration = Duration::from_micros(50);
/// A gap as long as this is counted.
const LONG_GAP: Duration = Duration::from_millis(1);

/// Measures all of `cpus` at the same time and prints; writes `cpu.json` into `report`.
pub fn cpu(cpus: &[usize], duration: Duration, report: Option<&Path>) -> Result<(), CommandError> {
    let threads: Vec<_> =
        cpus.iter().map(|&cpu| std::thread::spawn(move || measured(cpu, duration))).collect();
    let cells: Vec<CpuCell> =
        threads.into_iter().map(|thread| thread.join().expect("the thread only reads the clock")).collect();
    say!("delay of a moment on a busy CPU, ms");
    for CpuCell { cpu, delay_ms: LatencySummary { p50, p99, p999, max, .. }, long_gaps_per_s } in &cells {
        say!(
            "  CPU {cpu}: p50 {p50:.3}  p99 {p99:.3}  p99.9 {p999:.3}  max {max:.3}  \
             ({long_gaps_per_s:.1} gaps a second of 1 ms and more)"
        );
    }
    if let Some(directory) = report {
        write_json(directory, "cpu.json", &CpuLimits { measured_at: utc_now(), cells })?;
    }
    Ok(())
}

fn measured(cpu: usize, duration: Duration) -> CpuCell {
    // A thread that cannot be pinned is measured wherever it runs.
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
    let started = Instant::now();
    let found = delays(duration, || started.elapsed());
    let long_gaps_per_s = found.long_gaps as f64 / duration.as_secs_f64();
    CpuCell { cpu, delay_ms: LatencySummary::of(&found.delays), long_gaps_per_s }
}

struct Delays {
    delays: hdrhistogram::Histogram<u64>,
    long_gaps: u64,
}

/// By how much each moment of `duration` was overslept by a clock that is read without a pause.
fn delays(duration: Duration, mut clock: impl FnMut() -> Duration) -> Delays {
    let mut found = Delays { delays: histogram(), long_gaps: 0 };
    let (mut due, mut before) = (clock() + TICK, clock());
    while before < duration {
        let now = clock();
        found.long_gaps += u64::from(now - before >= LONG_GAP);
        while due <= now {
            found.delays.saturating_record((now - due).as_nanos() as u64);
            due += TICK;
        }
        before = now;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_for_every_moment_that_falls_into_it() {
        // One reading each 10 us, but for 100 ms in the middle of a second.
        let mut micros = 0;
        let found = delays(Duration::from_secs(1), || {
            micros += if micros == 500_000 { 100_000 } else { 10 };
            Duration::from_micros(micros)
        });
        assert_eq!(found.long_gaps, 1);
        let at = |quantile| found.delays.value_at_quantile(quantile) / 1_000_000;
        // A tenth of all moments, which waited for 50 ms on average.
        assert_eq!(at(0.89), 0);
        assert!((48..=52).contains(&at(0.95)), "{}", at(0.95));
        assert!((97..=100).contains(&at(0.999)), "{}", at(0.999));
    }
}
