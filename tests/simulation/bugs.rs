//! Bugs that are planted to prove that the simulation looks: one for each way to lose, double, reorder or raise from
//! the dead what was acknowledged. `CORELANE_SIM_BUGS=RecycleEarly,KeepTerm` plants only these.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane::base::planted::{Bug, plant};
use corelane::runtime::sim::SimWorld;

use super::run;

/// Seeds within which each bug must be noticed.
const SEEDS_MAX: u64 = 400;

/// Each bug with what it does.
const BUGS: &[(Bug, &str)] = &[
    (Bug::AcknowledgeEarly, "a group counts as durable when it is submitted"),
    (Bug::AcknowledgeOutOfOrder, "a group counts as durable though one before it is not"),
    (Bug::AcknowledgeFailed, "a failed write of the journal counts as done"),
    (Bug::AssignThenFail, "offsets are given, and then the append fails"),
    (Bug::IgnoreChain, "recovery accepts a group by its sequence alone, not by its chain"),
    (Bug::TakeRotForTear, "recovery takes rot among acknowledged groups for a torn tail"),
    (Bug::IgnoreCheckpoint, "recovery does not ask the checkpoint how far the journal was durable"),
    (Bug::TrustPayloads, "recovery believes payloads whose checksum is wrong"),
    (Bug::RecycleEarly, "a journal file is recycled although records in it are in no segment"),
    (Bug::ForgetRemainder, "less than a block is not repeated in the journal before its file is freed"),
    (Bug::SkipSegmentSync, "a segment counts as durable when it is written, not when it is synced"),
    (Bug::SkipDirectorySync, "a new segment file's entry in its directory is not synced"),
    (Bug::CheckpointEarly, "a checkpoint is written before what it reflects is durable"),
    (Bug::OneCheckpoint, "checkpoints overwrite each other in one file"),
    (Bug::IgnoreRecoveries, "recovery does not ask how many recoveries the journal has begun"),
    (Bug::TruncateEarly, "files behind a cut are removed before the cut is durable"),
    (Bug::TruncateKeepsProducers, "a cut leaves the state of producers as it was"),
    (Bug::RemoveEarly, "segments are removed before the move of the log start is durable"),
    (Bug::AnswerLogStartEarly, "a move of the log start is answered before it is durable"),
    (Bug::IdentifyByName, "a deleted topic's journal entries go to the new one of its name"),
    (Bug::DissolveEarly, "a shard's old files go before the new ones hold everything"),
    (Bug::SkipAllocation, "a batch is journaled before its segment has space"),
    (Bug::JournalExtentEarly, "an extent is journaled before its bytes are synced"),
    (Bug::ForgetExtentFile, "an extent is journaled before its file's name is synced"),
    (Bug::OvertakeExtent, "an append does not wait for the extent before it"),
    (Bug::DiscardEarly, "what compaction has replaced is removed before a checkpoint names the new segment"),
    (Bug::KeepTerm, "after a restart a shard goes on in its former incarnation's term"),
];

/// Runs seeds until one of them fails; how many it took.
fn seeds_until_noticed(prepare: impl Fn(&SimWorld)) -> Option<u64> {
    (0..SEEDS_MAX)
        .find(|&seed| catch_unwind(AssertUnwindSafe(|| drop(run(seed, &prepare)))).is_err())
        .map(|seed| seed + 1)
}

#[test]
fn planted_bugs_are_noticed() {
    let only = std::env::var("CORELANE_SIM_BUGS").ok();
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = Vec::new();
    note(&mut found, "the disk ignores `O_DSYNC`", |world| world.ignore_dsync());
    for &(bug, what) in BUGS {
        if only.as_ref().is_some_and(|names| !names.contains(&format!("{bug:?}"))) {
            continue;
        }
        note(&mut found, what, |_| plant(Some(bug)));
        plant(None);
    }
    let _ = std::panic::take_hook();
    let missed: Vec<_> = found.into_iter().filter(|(_, seeds)| seeds.is_none()).collect();
    assert!(missed.is_empty(), "not noticed in {SEEDS_MAX} seeds: {missed:?}");
}

fn note<'a>(found: &mut Vec<(&'a str, Option<u64>)>, what: &'a str, prepare: impl Fn(&SimWorld)) {
    let seeds = seeds_until_noticed(prepare);
    println!("| {what} | {} |", seeds.map_or("never".to_owned(), |seeds| seeds.to_string()));
    found.push((what, seeds));
}
