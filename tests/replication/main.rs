//! The leader of a partition and its followers in one thread, against a network and disks that do what networks and
//! disks do. What is pure runs as it is, and speaks by the bytes of its frames; the journal and the quorum are stood in
//! for.
//!
//! Fault model. Frames between two nodes are delayed by any time and keep their order within a connection; sessions
//! break, and what was on its way is lost, or comes long after; bits change on the way. Peers' windows fill up. Nodes
//! learn late who leads, or are cut off, so two may believe that they do. Nodes pause, and crash and lose what was not
//! synced, one or all. Writers fail, until the
//! next start. A node loses its disk when all three, or the two others, are in sync. The quorum takes its time, and does
//! not hear of some proposals. Clients delete the oldest records.
//!
//! What must hold after each event: replicas agree below the high watermark, which never goes back on a node that lives;
//! nothing is cut below it; who leads has all that was acknowledged with acks=all; no frame of an old session is looked
//! at, none twice, none that is damaged. And soon after the faults end all replicas hold the same and are in sync.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test replication` runs other seeds.

mod link;
mod metadata;
mod node;
#[path = "../quorum/random.rs"]
mod random;
#[path = "../support/seeds.rs"]
mod seeds;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane::base::planted::{Bug, plant};

use seeds::live_all;
use world::{Counts, World};

#[test]
fn what_is_acknowledged_stays() {
    live_all(0..100, |seed| {
        World::new(seed).live();
    });
}

#[test]
fn a_slow_quorum_harms_nobody() {
    (0..20).for_each(|seed| drop(World::hasty(seed).live()));
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in 0..4 {
        assert_eq!(World::new(seed).live().trace, World::new(seed).live().trace, "seed {seed}");
    }
    assert_ne!(World::new(7).live().trace, World::new(8).live().trace);
}

/// What the simulation is for must have happened in it.
#[test]
fn much_happens() {
    let mut sum = [0; 12];
    for seed in 0..20 {
        let counts = World::new(seed).live().counts;
        let Counts { acknowledged, elections, crashes, lost_disks, full_windows, .. } = counts;
        let Counts { stale, damaged, cuts, restarts, changes, lost_proposals, failed_writers, .. } = counts;
        let all = [
            acknowledged,
            elections,
            crashes,
            lost_disks,
            full_windows,
            stale,
            damaged,
            cuts,
            restarts,
            changes,
            lost_proposals,
            failed_writers,
        ];
        sum.iter_mut().zip(all).for_each(|(sum, count)| *sum += count);
    }
    println!("{sum:?}");
    assert!(sum.iter().all(|count| *count >= 10), "something hardly ever happens: {sum:?}");
}

/// Each bug with what it does.
const BUGS: &[(Bug, &str)] = &[
    (Bug::ReplicationAcknowledgeEarly, "a follower acknowledges before it has synced"),
    (Bug::ReplicationTruncateByHighWatermark, "a follower cuts its log to the high watermark"),
    (Bug::ReplicationSkipEpochCheck, "logs count as equal when their ends are"),
    (Bug::ReplicationKeepEpoch, "a leader goes on in its term after a crash"),
];

#[test]
fn planted_bugs_are_noticed() {
    let mut found: Vec<_> = BUGS.iter().map(|(bug, what)| (*what, noticed(Some(*bug), World::new))).collect();
    let shrunk = noticed(Some(Bug::ReplicationShrunkSetOnly), World::hasty);
    found.push(("a leader commits by the in-sync set that it proposes (where the quorum is slow)", shrunk));
    let fenced = noticed(None, World::with_fenced_counted);
    found.push(("a replica that is fenced, or on another disk, joins the in-sync set", fenced));
    for (what, seeds) in &found {
        println!("| {what} | {} |", seeds.map_or("never".to_owned(), |seeds| seeds.to_string()));
    }
    let missed: Vec<_> = found.iter().filter(|(_, seeds)| seeds.is_none()).collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

/// Runs seeds until one fails; how many it took.
fn noticed(bug: Option<Bug>, world: fn(u64) -> World) -> Option<u64> {
    let seeds = (0..200).find(|&seed| {
        plant(bug);
        let failed = catch_unwind(AssertUnwindSafe(|| world(seed).live()));
        plant(None);
        failed.is_err()
    });
    seeds.map(|seed| seed + 1)
}
