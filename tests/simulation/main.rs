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
mod compacted;
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
mod lost_records;
mod model;
mod node;
mod producer;
mod removal;
mod reshard;
mod rot;
mod scale;
#[path = "../support/seeds.rs"]
mod seeds;
mod space;
mod workload;

use std::sync::atomic::{AtomicU64, Ordering};

use cluster::Cluster;
use corelane::runtime::sim::SimWorld;
use life::Life;
use seeds::live_all;

/// Lives of one shard in one seed; the crash that ends each may come during recovery.
const LIVES: usize = 6;

fn run(seed: u64, prepare: impl FnOnce(&SimWorld)) -> Cluster {
    let world = SimWorld::new(seed);
    if std::env::var_os("CORELANE_SIM_TRACE").is_some() {
        world.print_trace();
    }
    prepare(&world);
    let mut cluster = Cluster::new(world, seed % 2 == 1);
    for _ in 0..LIVES {
        let life = Life::choose(&cluster.world);
        cluster.live(life);
    }
    disaster::strike(&mut cluster);
    cluster
}

#[test]
fn nothing_acknowledged_is_lost() {
    let (lived, compacted) = (AtomicU64::new(0), AtomicU64::new(0));
    live_all(0..200, |seed| {
        let cluster = run(seed, |_| {});
        lived.fetch_add(1, Ordering::Relaxed);
        compacted.fetch_add(cluster.is_compacted.get().into(), Ordering::Relaxed);
    });
    let (lived, compacted) = (lived.into_inner(), compacted.into_inner());
    println!("compaction has taken records in {compacted} of {lived} seeds");
    assert!(lived < 100 || compacted * 8 > lived, "compaction hardly ever happens");
}

#[test]
fn the_simulation_is_deterministic() {
    for seed in 0..8 {
        let digest = || run(seed, |_| {}).digest();
        assert_eq!(digest(), digest(), "seed {seed}");
    }
}
