//! Which seeds a target runs, and what to do to run the one again that failed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Seeds between two lines of progress in a run that somebody asked for.
const PROGRESS_SEEDS: u64 = 1000;

/// Runs a target with each seed: `default`, or those that the environment names.
pub fn for_each(target: &str, default: Range<u64>, run: impl Fn(u64)) {
    let asked = std::env::var("CORELANE_FUZZ_SEEDS").ok().map(|text| parse(&text));
    let is_asked = asked.is_some();
    for seed in asked.unwrap_or(default) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            let end = seed + 1;
            eprintln!(
                "seed {seed} fails; again: CORELANE_FUZZ_SEEDS={seed}..{end} cargo test --test fuzz {target}"
            );
            resume_unwind(panic);
        }
        if is_asked && (seed + 1).is_multiple_of(PROGRESS_SEEDS) {
            println!("{target}: seed {seed} passed");
        }
    }
}

fn parse(text: &str) -> Range<u64> {
    let (first, last) = text.split_once("..").expect("FIRST..LAST, or FIRST..");
    let last = if last.is_empty() { u64::MAX } else { last.parse().expect("a number") };
    first.parse().expect("a number")..last
}
