//! The coordinator of consumer groups against members that come, go, fall silent and talk too late, and a broker that
//! crashes with records on their way to the disk.
//!
//! Fault model: requests and answers are delayed by any time, overtake each other, or are lost; a client leaves, or
//! vanishes and comes back; a crash loses any end of what was not yet durable, and everything in memory; the writer
//! fails and takes nothing more until the next start.
//!
//! What must hold: in one generation a partition has one owner at most, whoever was told so and whenever; an offset
//! whose commit was answered is found, or one that was committed later; and when the disturbances end, all members
//! share all partitions soon.

mod checks;
mod client;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane::base::planted::{Bug, plant};

use world::World;

#[test]
fn groups_keep_their_promises() {
    for seed in super::seeds::seeds(0..150) {
        let lived = catch_unwind(|| World::new(seed).live());
        assert!(lived.is_ok(), "seed {seed} fails");
    }
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let trace = |seed| World::new(seed).live();
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

fn seeds_until_noticed(bug: Bug) -> u64 {
    for seed in 0..200 {
        plant(Some(bug));
        let noticed = catch_unwind(AssertUnwindSafe(|| World::new(seed).live())).is_err();
        plant(None);
        if noticed {
            println!("{bug:?} is noticed with seed {seed}");
            return seed;
        }
    }
    panic!("{bug:?} is not noticed");
}

#[test]
fn planted_bugs_are_noticed() {
    for bug in [Bug::ShareEarly, Bug::CommitEarly, Bug::AwaitSilent] {
        seeds_until_noticed(bug);
    }
}
