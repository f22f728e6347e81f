//! Runs of many seeds, on all CPUs.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lives through [`seeds`]; says which one fails.
pub fn live_all(default: Range<u64>, live: impl Fn(u64) + Sync) {
    let seeds = seeds(default);
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| live(seed))) {
                let (end, target) = (seed + 1, env!("CARGO_CRATE_NAME"));
                eprintln!(
                    "seed {seed} fails; again: CORELANE_SIM_SEEDS={seed}..{end} cargo test --test {target}"
                );
                resume_unwind(panic);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
    });
}

/// These seeds, or those that `CORELANE_SIM_SEEDS` names.
pub fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("CORELANE_SIM_SEEDS") else { return default };
    let (first, last) = text.split_once("..").expect("FIRST..LAST or FIRST..");
    let last = if last.is_empty() { u64::MAX } else { last.parse().expect("a number") };
    first.parse().expect("a number")..last
}
