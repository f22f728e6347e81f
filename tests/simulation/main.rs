//! A node's storage on a simulated machine, against a plain model, through crashes at every kind of point and a disk
//! that fails in every way that it knows.
//!
//! Each seed is a node with one to three shards that lives some lives (`life.rs` says what may happen in one,
//! `workload.rs` what clients do meanwhile), each of which begins with a recovery and a check of everything
//! (`check.rs`, against `model.rs`), and then meets a disaster (`disaster.rs`). `bugs.rs` plants bugs that must be
//! noticed. Beside this, `faults.rs`, `rot.rs`, `removal.rs`, `cold.rs` and `scale.rs` set single scenes.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test simulation nothing_acknowledged` runs other seeds, and
//! `FIRST..` goes on for hours, until one fails. One seed prints its trace with `CORELANE_SIM_TRACE=1`; the legend is
//! in `src/runtime/sim/trace.rs`.

mod bugs;
mod check;
mod clock;
mod cluster;
mod cold;
mod compaction;
mod compaction_lives;
mod compaction_tools;
mod damage;
mod disaster;
mod extents;
mod faults;
mod files;
mod groups;
mod journal_view;
mod life;
mod model;
mod node;
mod producer;
mod removal;
mod reshard;
mod rot;
mod scale;
mod space;
mod workload;

use std::ops::Range;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use cluster::Cluster;
use corelane::runtime::sim::SimWorld;
use life::Life;

/// Lives of one shard in one seed; the crash that ends each may come during recovery.
const LIVES: usize = 6;

fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("CORELANE_SIM_SEEDS") else { return default };
    let (first, last) = text.split_once("..").expect("FIRST..LAST or FIRST..");
    let last = if last.is_empty() { u64::MAX } else { last.parse().expect("a number") };
    first.parse().expect("a number")..last
}

fn run(seed: u64, prepare: impl FnOnce(&SimWorld)) -> (u64, u64) {
    let world = SimWorld::new(seed);
    if std::env::var_os("CORELANE_SIM_TRACE").is_some() {
        world.print_trace();
    }
    prepare(&world);
    let mut cluster = Cluster::new(world);
    for _ in 0..LIVES {
        let life = Life::choose(&cluster.world);
        cluster.live(life);
    }
    disaster::strike(&mut cluster);
    cluster.digest()
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
