//! A shard's storage on a simulated machine, against a plain model, through crashes at every kind of point.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test simulation` runs other seeds; one seed prints its trace
//! with `CORELANE_SIM_TRACE=1`.

mod clock;
mod cluster;
mod cold;
mod compaction;
mod compaction_lives;
mod damage;
mod faults;
mod files;
mod model;
mod node;
mod removal;
mod rot;
mod scale;
mod space;
mod workload;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use cluster::Cluster;
use corelane::base::planted::{Bug, plant};
use corelane::runtime::sim::SimWorld;

/// Lives of one shard in one seed; the crash that ends each may come during recovery.
const LIVES: usize = 6;

fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("CORELANE_SIM_SEEDS") else { return default };
    let (first, last) = text.split_once("..").expect("FIRST..LAST");
    first.parse().expect("a number")..last.parse().expect("a number")
}

fn run(seed: u64, prepare: impl FnOnce(&SimWorld)) -> u64 {
    let world = SimWorld::new(seed);
    if std::env::var_os("CORELANE_SIM_TRACE").is_some() {
        world.print_trace();
    }
    prepare(&world);
    let mut cluster = Cluster::new(world);
    for _ in 0..LIVES {
        cluster.live();
    }
    cluster.trace_hash()
}

#[test]
fn nothing_acknowledged_is_lost() {
    let seeds = seeds(0..200);
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(panic) = catch_unwind(|| run(seed, |_| {})) {
                let end = seed + 1;
                eprintln!(
                    "seed {seed} fails; again: CORELANE_SIM_SEEDS={seed}..{end} cargo test --test simulation"
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

#[test]
fn the_simulation_is_deterministic() {
    for seed in 0..8 {
        assert_eq!(run(seed, |_| {}), run(seed, |_| {}), "seed {seed}");
    }
}

/// Plants a bug and says after how many seeds it was noticed.
fn notices(name: &str, seeds_max: u64, prepare: impl Fn(&SimWorld)) {
    std::panic::set_hook(Box::new(|_| {}));
    let noticed =
        (0..seeds_max).find(|&seed| catch_unwind(AssertUnwindSafe(|| run(seed, &prepare))).is_err());
    let _ = std::panic::take_hook();
    plant(None);
    let seed = noticed.unwrap_or_else(|| panic!("{name}: not noticed in {seeds_max} seeds"));
    println!("{name}: noticed after {} seeds", seed + 1);
}

#[test]
fn planted_bugs_are_noticed() {
    notices("acknowledge before completion", 50, |_| plant(Some(Bug::AcknowledgeEarly)));
    notices("no sync flag", 50, SimWorld::ignore_dsync);
    notices("recycle a journal file too early", 50, |_| plant(Some(Bug::RecycleEarly)));
    notices("remove segments before the log start is durable", 500, |_| plant(Some(Bug::RemoveEarly)));
    notices("accept a group without its chain", 500, |_| plant(Some(Bug::IgnoreChain)));
}
