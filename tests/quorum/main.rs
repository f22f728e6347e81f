//! The metadata quorum of three or five members in one thread and virtual time, against a network and disks that do
//! what networks and disks do.
//!
//! Fault model. Frames are delayed by any time, lost, cut off one way or both, damaged (checksums find that), doubled,
//! and said again long after in sessions that have ended; connections break and begin anew. Members crash and lose what
//! was not durable (what was under way is durable or not, as a whole), pause, have slow disks and clocks that drift, and
//! lose their disk, one at a time: then they come back under another id, and whoever leads has them take the place of
//! the old one.
//!
//! What must hold after each event: one leader in a term; the same entry and the same records at an index for all and
//! for ever; an answered proposal is never lost, one that was refused never carried out; a read sees what was answered
//! before it began. And soon after the faults end all members hold the same and proposals are carried out.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test quorum` runs other seeds.

mod checks;
mod machine;
mod members;
mod network;
mod random;
#[path = "../support/seeds.rs"]
mod seeds;
mod workload;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane::base::planted::{Bug, plant};

use seeds::live_all;
use world::World;

/// Seed 43 once found that a member that tries to be elected while a snapshot is on its way to the disk is ended by the
/// `raft` crate.
#[test]
fn the_quorum_keeps_its_promises() {
    live_all(0..100, |seed| {
        World::new(seed).live();
    });
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in 0..4 {
        assert_eq!(World::new(seed).live().trace, World::new(seed).live().trace, "seed {seed}");
    }
    assert_ne!(World::new(7).live().trace, World::new(8).live().trace);
}

/// Each bug with what it does.
const BUGS: &[(Bug, &str)] = &[
    (Bug::QuorumSendEarly, "a member speaks of what its disk does not have yet"),
    (Bug::QuorumAnswerEarly, "a proposal is answered when it is in the leader's log"),
    (Bug::QuorumTrimUnsaved, "entries go from the log before what they led to is durable"),
    (Bug::QuorumMergeSnapshot, "a snapshot's records come beside those that are there"),
    (Bug::QuorumReadStale, "a leader answers reads without asking whether it still leads"),
];

#[test]
fn planted_bugs_are_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut found: Vec<_> = BUGS.iter().map(|(bug, what)| (*what, noticed(Some(*bug), World::new))).collect();
    let forgets = noticed(Some(Bug::QuorumForgetVote), World::hasty);
    found.push(("a member forgets its votes when it crashes", forgets));
    found.push(("a member that lost its disk keeps its id", noticed(None, World::with_kept_ids)));
    let _ = std::panic::take_hook();
    for (what, seeds) in &found {
        println!("| {what} | {} |", seeds.map_or("never".to_owned(), |seeds| seeds.to_string()));
    }
    let missed: Vec<_> = found.iter().filter(|(_, seeds)| seeds.is_none()).collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn crashes_all_the_time_harm_nobody() {
    for seed in 0..5 {
        World::hasty(seed).live();
    }
}

/// Runs seeds until one fails; how many it took.
fn noticed(bug: Option<Bug>, world: fn(u64) -> World) -> Option<u64> {
    let seeds = (0..300).find(|&seed| {
        plant(bug);
        let failed = catch_unwind(AssertUnwindSafe(|| world(seed).live())).is_err();
        plant(None);
        failed
    });
    seeds.map(|seed| seed + 1)
}

/// What the simulation is for must have happened in it.
#[test]
fn much_happens() {
    let mut sums = checks::Counts::default();
    for seed in 0..20 {
        sums.add(&World::new(seed).live().counts);
    }
    println!("{sums:?}");
    let checks::Counts { elections, answered, reads, snapshots, crashes, wiped, replaced, stale, damaged } =
        sums;
    for count in [elections, answered, reads, snapshots, crashes, wiped, replaced, stale, damaged] {
        assert!(count >= 10, "something hardly ever happens: {sums:?}");
    }
}
