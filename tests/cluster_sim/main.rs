//! Whole clusters of three to five nodes in one thread and virtual time: the metadata quorum, the controller's decisions,
//! replication, the groups' coordinators and the rules for producers run as they are, and speak by the bytes of their
//! frames. Stood in for are the log's files (a copy is a list of records, and what of it is synced), sockets, and clients.
//!
//! Each machine is a voter of the quorum. What that commits is the image that the machine's shards follow: they lead, or
//! follow whom the image names. Whoever leads the quorum is the controller; registrations, heartbeats, proposals of in-sync
//! sets and commands of clients go to it, and it decides on them one proposal after the other.
//!
//! Fault model. Between two machines, each direction on its own: what is sent is delayed by any time, lost, cut off,
//! damaged (checksums find that), and comes again long after, in sessions that have ended; frames between shards keep
//! their order within a connection, which breaks. Machines crash, one or all, and lose what was not synced (what the
//! quorum's store had under way is durable or not, as a whole); pause; come back with another number of shards; are told
//! to stop, and do when they lead nothing any more; their clocks run apart. A shard cannot write any more, until somebody
//! starts its node anew. Machines lose the data directory's device, and the metadata's with it or not; or the data
//! directory's device comes back as it once was. That happens to one machine at a time, when all are there, reach each
//! other, and have all copies in sync; and nothing else happens before the in-sync sets are without that disk. More would be
//! more disks than `min.insync.replicas` less one, or leave nobody who is known to have everything (there are no eligible
//! leader replicas as in KIP-966). What such a machine has asked of the controller does not come late.
//!
//! Clients produce with acks=1 and acks=all, the latter with and without idempotence; they do not always hear the answer,
//! and send again. Others commit offsets of groups, which the leader of a partition of their topic coordinates. Records
//! are deleted from logs' starts; topics are created, deleted and made again under their names; leaders move back to the
//! preferred copies.
//!
//! What must hold after each event: one leader in a term of the quorum, and one history of it; one leader for each
//! partition and term, with all that anybody ever took for committed; whoever counts takes part; the same record at the
//! same offset below every high watermark for ever; a high watermark that never goes back on a node that lives, and, over
//! all changes of leaders, for a client that asks where a partition ends; for an idempotent producer neither gap nor duplicate; what is acknowledged with acks=all is committed, and so never lost; a
//! coordinator that has read its partition knows of every commit that was answered. And when the faults have ended: all
//! take part, all partitions are led, in sync everywhere, and written to.
//!
//! Not here: groups' members and rebalances, which have a simulation of their own, and the log's files, which have
//! another.
//!
//! `CORELANE_SIM_SEEDS=FIRST..LAST cargo test --test cluster_sim keeps_its_promises` runs other seeds, and with
//! `CORELANE_SIM_TRACE=1` tells what happens in them. A line begins with the virtual time in ms; nodes count from 1. What a
//! controller decides are the records as they are to be; what a leader proposes comes with all that the leader knows.
//! Troubles are the numbers of the branches in `faults.rs`.

mod checks;
mod clients;
mod controller;
mod copy;
mod duties_part;
mod faults;
mod frames;
mod groups_part;
mod links;
mod machine;
#[path = "../quorum/members.rs"]
mod members;
#[path = "../quorum/network.rs"]
mod network;
mod quorum_part;
#[path = "../quorum/random.rs"]
mod random;
mod replication_part;
#[path = "../support/seeds.rs"]
mod seeds;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use corelane::base::planted::{Bug, plant};

use seeds::live_all;
use world::World;

/// Seeds within which a planted bug must be noticed.
const SEEDS_PER_BUG: u64 = 100;

#[test]
fn the_cluster_keeps_its_promises() {
    live_all(0..60, |seed| {
        World::new(seed).live();
    });
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in 0..2 {
        assert_eq!(World::new(seed).live().trace, World::new(seed).live().trace, "seed {seed}");
    }
    assert_ne!(World::new(7).live().trace, World::new(8).live().trace);
}

/// What the simulation is for must have happened in it.
#[test]
fn much_happens() {
    let mut sums = [0; 17];
    for seed in 0..10 {
        let counts = World::new(seed).live().counts.all();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    println!("{sums:?}");
    assert!(sums.iter().all(|count| *count > 0), "something never happens: {sums:?}");
}

/// Each bug with what it does. Not here are those about disks that were changed or put back, and about former starts in
/// proposals: the fault model has the node of such a disk fenced before anything else happens, so that they do little harm.
/// `tests/controller/` has them.
const BUGS: &[(Bug, &str)] = &[
    (Bug::ControllerElectFailed, "a copy leads or counts whose shard cannot write"),
    (Bug::QuorumSendEarly, "a member of the quorum speaks of what its disk does not have yet"),
    (Bug::ReplicationAcknowledgeEarly, "a follower acknowledges before it has synced"),
    (Bug::ReplicationTruncateByHighWatermark, "a follower cuts its log to the high watermark"),
    (Bug::ReplicationSkipEpochCheck, "logs count as equal when their ends are"),
    (Bug::ReplicationKeepEpoch, "a node leads on in the term of its former start"),
    (Bug::ReplicationShrunkSetOnly, "a leader commits by the in-sync set that it proposes"),
    (Bug::ControllerAdmitFenced, "a leader may name a fenced node as in sync"),
    (Bug::ControllerKeepTerm, "a partition gets another leader in the same term"),
    (Bug::ControllerElectAny, "any copy may lead whose node is there"),
    (Bug::ControllerForgetFenced, "a node is fenced, and goes on leading"),
];

#[test]
fn planted_bugs_are_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let work = || {
        while let Some((bug, what)) = BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
            match noticed(*bug) {
                Some(seeds) => println!("| {what} | {seeds} |"),
                None => missed.lock().expect("nobody panics").push(*what),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let _ = std::panic::take_hook();
    let missed = missed.into_inner().expect("nobody panics");
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
