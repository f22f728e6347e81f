//! The controller's decisions against three to five nodes that do what nodes do, in one thread and virtual time.
//!
//! Fault model. Nodes are killed, stop cleanly, pause (they are not heard for a while), and come back with the same disk,
//! an empty one, an older copy of it, or another number of shards; another process comes with the id of one that runs.
//! Shards' writers fail, which lasts until the next start. Controllers die when some of their changes are committed, and the next one completes them. What nodes know of the metadata lags by any time, so that several take themselves for a partition's leader. What
//! leaders ask for arrives late, twice, or never. Controllers follow each other.
//!
//! Each copy has a log, which followers take from whom they believe to lead, if its term is not over for them; a record
//! is acknowledged when all copies have it that its leader believes to be, or has proposed to be, in sync.
//!
//! What must hold after each event: one leader for each partition and term, which is active, in sync, on its disk, and
//! has all that was acknowledged; epochs only grow; an in-sync set is never empty, and while there is a leader all of it
//! is active and as its leader knows it. When the faults end, every partition has its leader, but for those of which the
//! last disks in sync are lost: unclean elections give these one that was in sync once, on its disk, if there is one. After a clean stop of all nodes and their start each has it again, the preferred one.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test controller` runs other seeds.

mod checks;
mod node;
#[path = "../support/seeds.rs"]
mod seeds;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane::base::planted::{Bug, plant};

use seeds::live_all;
use world::World;

/// Seeds within which a planted bug must be noticed.
const SEEDS_PER_BUG: u64 = 300;

#[test]
fn no_acknowledged_record_is_led_over() {
    live_all(0..100, |seed| {
        World::new(seed).live();
    });
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in 0..4 {
        assert_eq!(World::new(seed).live(), World::new(seed).live(), "seed {seed}");
    }
    assert_ne!(World::new(7).live(), World::new(8).live());
}

/// What the simulation is for must have happened in it.
#[test]
fn much_happens() {
    let trace: Vec<String> = (0..40).flat_map(|seed| World::new(seed).live()).collect();
    for what in [
        "register",
        "heartbeat",
        "expire",
        "topics",
        "alter",
        "elect",
        "unclean",
        "old copy",
        "half done",
        "failed writer",
    ] {
        let count = trace.iter().filter(|line| line.contains(what)).count();
        println!("{what}: {count}");
        assert!(count >= 10, "{what} hardly ever happens");
    }
}

/// Each bug with what it does.
const BUGS: &[(Bug, &str)] = &[
    (Bug::ControllerKeepTerm, "a partition gets another leader in the same term"),
    (Bug::ControllerElectAny, "any copy may lead whose node is there"),
    (Bug::ControllerEmptySet, "the last member leaves an in-sync set"),
    (Bug::ControllerTrustDisk, "a node's copies stay what they were though it has another disk"),
    (Bug::ControllerForgetDisks, "nobody knows any more on which disk a copy was when it last counted"),
    (Bug::ControllerForgetFenced, "a node is fenced, and goes on leading"),
    (Bug::ControllerAdmitFenced, "a leader may name a fenced node as in sync"),
    (Bug::ControllerAdmitRestarted, "a leader may name a former start of a node as in sync"),
    (Bug::ControllerIgnoreEpoch, "a leader may ask for an in-sync set without knowing the present one"),
    (Bug::ControllerLeadUnknown, "a node leads by what an earlier start of it was granted"),
    (Bug::ControllerLeaveHalfDone, "a controller leaves what the one before it began"),
    (Bug::ControllerElectFailed, "a copy counts whose shard cannot write any more"),
    (Bug::ControllerTrustOldCopy, "a disk that was put back to an older state is taken for what it was"),
];

#[test]
fn planted_bugs_are_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    let found: Vec<_> = BUGS.iter().map(|(bug, what)| (*what, noticed(*bug))).collect();
    let _ = std::panic::take_hook();
    for (what, seeds) in &found {
        println!("| {what} | {} |", seeds.map_or("never".to_owned(), |seeds| seeds.to_string()));
    }
    let missed: Vec<_> = found.iter().filter(|(_, seeds)| seeds.is_none()).collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

/// Runs seeds until one fails; how many it took.
fn noticed(bug: Bug) -> Option<u64> {
    let fails = |seed: &u64| {
        plant(Some(bug));
        let life = catch_unwind(AssertUnwindSafe(|| World::new(*seed).live()));
        plant(None);
        life.is_err()
    };
    (0..SEEDS_PER_BUG).find(fails).map(|seed| seed + 1)
}
