//! The offline tools on files that were damaged: whatever it is, they end, do not panic, and call nothing sound that a
//! start or a reader finds damaged. What a repair leaves is the log up to the cut, also if the power goes amid it.

use std::path::PathBuf;
use std::rc::Rc;

use corelane::base::ids::{Offset, ShardId};
use corelane::base::limits::SCRUB_READ_BYTES;
use corelane::offline::{DumpOptions, Row};
use corelane::offline::{
    FindingKind, OfflineError, Site, Verified, dump, plan_journal, plan_truncate, stat, verify,
};
use corelane::runtime::sim::CrashPoint;

use super::disk::{DISK_ID, PARTITIONS, Scene, checkpoint_files, id, journal_files, offset_behind, paths};
use super::random::Random;
use super::{recovery, seeds, segments};

const SEEDS: u64 = 30;

pub async fn site(scene: &Scene) -> Site {
    let shards = vec![(ShardId(0), paths())];
    Site::new(Rc::clone(&scene.runtime), PathBuf::from("/data"), DISK_ID, shards).await.expect("listed")
}

pub async fn look(scene: &Scene) -> Verified {
    let site = site(scene).await;
    stat(&site, None).await.expect("the disk reads");
    let options =
        DumpOptions { partition: None, journal: true, records: true, from: 0, batches_max: u64::MAX };
    let mut rows = 0;
    let mut count = |_: Row| {
        rows += 1;
        Ok(())
    };
    dump(&site, &options, &mut count).await.expect("the disk reads").expect("rows are taken");
    verify(&site, None, &()).await.expect("the disk reads")
}

/// What verify calls sound can be opened and read, all of it.
fn check_verdict(scene: &Scene, verified: &Verified) {
    if !verified.is_sound() {
        return;
    }
    let findings = &verified.findings.listed;
    let opened = scene.run(scene.open());
    let storage = opened.unwrap_or_else(|error| panic!("called sound, and {error}: {findings:?}"));
    let logs = scene.run(scene.logs(&storage));
    assert!(logs.iter().all(Option::is_some), "called sound, and not all can be read: {findings:?}");
    scene.changes_in(&logs);
}

#[test]
fn offline_journal() {
    seeds::for_each("offline_journal", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, stale) = recovery::written(seed, &mut random);
        scene.run(recovery::damage(&scene, &mut random, &journal_files(), &stale));
        let verified = scene.run(look(&scene));
        check_verdict(&scene, &verified);
    });
}

#[test]
fn offline_checkpoint() {
    seeds::for_each("offline_checkpoint", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = recovery::written(seed, &mut random);
        scene.run(async {
            let paths = checkpoint_files();
            let stale = recovery::read_all(&scene, &paths).await;
            recovery::damage(&scene, &mut random, &paths, &stale).await;
        });
        let verified = scene.run(look(&scene));
        check_verdict(&scene, &verified);
    });
}

#[test]
fn offline_segments() {
    seeds::for_each("offline_segments", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = segments::written(seed, &mut random);
        scene.run(async {
            let endings: &[&str] = if seed % 3 == 0 { &["index", "timeindex"] } else { &["log"] };
            let paths = segments::files(&scene, endings).await;
            segments::damage(&scene, &mut random, &paths).await;
        });
        let verified = scene.run(look(&scene));
        check_verdict(&scene, &verified);
    });
}

/// One byte anywhere that is in use is noticed, or costs nothing.
#[test]
fn offline_one_byte() {
    seeds::for_each("offline_one_byte", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = segments::written(seed, &mut random);
        let path = scene.run(async {
            let mut paths = segments::files(&scene, &["log", "index", "timeindex"]).await;
            paths.extend(journal_files());
            paths.extend(checkpoint_files());
            random.pick(&paths).clone()
        });
        let length = scene.run(scene.contents(&path)).len();
        if length == 0 {
            return;
        }
        scene.world.rot(&path, random.below(length) as u64);
        let verified = scene.run(look(&scene));
        check_verdict(&scene, &verified);
    });
}

#[test]
fn what_was_not_damaged_is_sound() {
    seeds::for_each("what_was_not_damaged_is_sound", 0..10, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = recovery::written(seed, &mut random);
        let verified = scene.run(look(&scene));
        assert!(verified.is_sound(), "{:?}", verified.findings);
        let scene = segments::written(seed, &mut random);
        let verified = scene.run(look(&scene));
        assert!(verified.is_sound() && verified.totals.batches > 100, "{verified:?}");
    });
}

/// The batches of a partition that end at or before an offset.
fn below(scene: &Scene, index: i32, offset: Offset) -> Vec<Vec<u8>> {
    scene.log(index).into_iter().filter(|batch| offset_behind(batch) <= offset).collect()
}

/// Cuts a partition, whatever state it is in, somewhere; with a loss of power amid it now and then.
#[test]
fn offline_truncate() {
    seeds::for_each("offline_truncate", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = match seed % 2 {
            0 => segments::written(seed, &mut random),
            _ => recovery::written(seed, &mut random).0,
        };
        let index = random.below(PARTITIONS as usize) as i32;
        let log = scene.log(index);
        if log.is_empty() {
            return;
        }
        let asked = random.below(offset_behind(&log[log.len() - 1]) as usize) as i64;
        let plan = scene.run(async { plan_truncate(&site(&scene).await, id(index), asked).await });
        let Ok(plan) = plan else { panic!("{:?}", plan.err()) };
        let cut = plan.offset;
        let kept = below(&scene, index, asked);
        assert_eq!(cut, kept.last().map_or(0, |last| offset_behind(last)), "at the last boundary");
        let power_goes = random.once_in(2);
        if power_goes {
            let events = 1 + random.below(80) as u64;
            scene.world.crash_at(CrashPoint::DiskEvents(events));
        }
        let ended = scene.world.block_on(async { plan.carry_out(&site(&scene).await, &()).await });
        assert!(ended.is_some() || power_goes);
        if let Some(outcome) = ended {
            outcome.expect("the disk works");
            // Whatever was armed and did not come to pass is of no use any more.
            scene.world.crash();
        }
        let is_done = ended_done(&scene, index, &kept);
        let verified = scene.run(look(&scene));
        assert!(verified.is_sound(), "{:?}", verified.findings);
        let whole = log.len();
        assert!(is_done == kept.len() || is_done == whole, "{is_done} of {whole}, cut to {}", kept.len());
    });
}

/// How many batches a start finds; they are the first ones of the log.
fn ended_done(scene: &Scene, index: i32, kept: &[Vec<u8>]) -> usize {
    let storage = scene.run(scene.open()).expect("it starts");
    let logs = scene.run(scene.logs(&storage));
    let found = logs[index as usize].as_ref().expect("it can be read");
    assert!(found.starts_with(kept) || kept.starts_with(found));
    let log = scene.log(index);
    assert!(log.starts_with(found), "other batches than were written");
    let count = found.len();
    drop(storage);
    scene.world.crash();
    count
}

/// A segment that has rotted is cut before the rot, and the partition is whole from then on.
#[test]
fn offline_repair_of_rot() {
    let repaired = std::cell::Cell::new(0);
    seeds::for_each("offline_repair_of_rot", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = segments::written(seed, &mut random);
        scene.run(async {
            let paths = segments::files(&scene, &["log"]).await;
            segments::damage(&scene, &mut random, &paths).await;
        });
        for index in 0..PARTITIONS {
            let site = scene.run(site(&scene));
            let verified = scene.run(verify(&site, Some(id(index)), &())).expect("the disk reads");
            let corrupt = verified.findings.listed.iter().filter(|it| it.kind == FindingKind::Corruption);
            let first = corrupt.filter_map(|it| it.offsets).map(|offsets| offsets.from).min();
            let Some(first) = first else { continue };
            let plan = scene.run(plan_truncate(&site, id(index), first));
            let Ok(plan) = plan else { panic!("{:?}", plan.err()) };
            let kept = below(&scene, index, plan.offset);
            scene.run(plan.carry_out(&site, &())).expect("the disk works");
            let again = scene.run(verify(&site, Some(id(index)), &())).expect("the disk reads");
            assert!(again.is_sound(), "cut at {first}: {:?}", again.findings);
            let found = ended_done(&scene, index, &kept);
            assert_eq!(found, kept.len());
            repaired.set(repaired.get() + 1);
        }
        let verified = scene.run(look(&scene));
        assert!(verified.is_sound(), "{:?}", verified.findings);
    });
    assert!(repaired.get() > 0, "the seeds damage no segment");
}

/// A journal without a group that was durable is ended before it; then everything starts, and what is read is what was
/// written, up to some moment for each partition.
#[test]
fn offline_repair_of_journals() {
    let repaired = std::cell::Cell::new(0);
    seeds::for_each("offline_repair_of_journals", 0..2 * SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = recovery::written(seed, &mut random);
        let path = random.pick(&journal_files()).clone();
        // A group begins with a block: somewhere in its header.
        let length = scene.run(scene.contents(&path)).len();
        let block = 1 + random.below(length / 4096 - 1);
        scene.world.rot(&path, (block * 4096 + random.below(128)) as u64);
        let site = scene.run(site(&scene));
        let plan = match scene.run(plan_journal(&site, None)) {
            Ok(plan) => plan,
            Err(OfflineError::NothingToRepair(_)) => return,
            Err(error) => panic!("{error}"),
        };
        if random.once_in(2) {
            let events = 1 + random.below(60) as u64;
            scene.world.crash_at(CrashPoint::DiskEvents(events));
        }
        let ended = scene.world.block_on(plan.carry_out(&site, &()));
        if let Some(outcome) = ended {
            outcome.expect("the disk works");
            scene.world.crash();
        }
        let site = scene.run(self::site(&scene));
        if let Ok(plan) = scene.run(plan_journal(&site, None)) {
            scene.run(plan.carry_out(&site, &())).expect("the disk works");
        }
        cut_what_is_offline(&scene, &site);
        let storage = scene.run(scene.open()).expect("it starts");
        let logs = scene.run(scene.logs(&storage));
        for (index, found) in (0..).zip(&logs) {
            let found = found.as_ref().expect("it can be read");
            assert!(was_once(&scene, index, found), "partition {index} never was so");
        }
        repaired.set(repaired.get() + 1);
    });
    assert!(repaired.get() > 0, "the seeds damage no journal");
}

/// Partitions of which the checkpoint promised more than is left.
pub fn cut_what_is_offline(scene: &Scene, site: &Site) {
    let verified = scene.run(verify(site, None, &())).expect("the disk reads");
    assert!(verified.findings.listed.iter().all(|it| !it.what.contains("journal group")), "{verified:?}");
    for index in 0..PARTITIONS {
        let verified = scene.run(verify(site, Some(id(index)), &())).expect("the disk reads");
        let corrupt = verified.findings.listed.iter().filter(|it| it.kind == FindingKind::Corruption);
        let Some(first) = corrupt.filter_map(|it| it.offsets).map(|offsets| offsets.from).min() else {
            continue;
        };
        let plan = scene.run(plan_truncate(site, id(index), first));
        let Ok(plan) = plan else { panic!("{:?} of {:?}", plan.err(), verified.findings) };
        scene.run(plan.carry_out(site, &())).expect("the disk works");
    }
}

/// Whether a partition's log was so at some moment.
pub fn was_once(scene: &Scene, index: i32, found: &[Vec<u8>]) -> bool {
    let mut logs = vec![None; PARTITIONS as usize];
    logs[index as usize] = Some(found.to_vec());
    scene.changes_in(&logs);
    true
}

/// The files of the segments that are sealed.
async fn sealed_segments(scene: &Scene) -> Vec<PathBuf> {
    let options =
        DumpOptions { partition: None, journal: false, records: false, from: 0, batches_max: u64::MAX };
    let mut sealed = Vec::new();
    let mut note = |row: Row| {
        if let Row::Segment { file, is_sealed: true, .. } = row {
            sealed.push(PathBuf::from(file));
        }
        Ok(())
    };
    dump(&site(scene).await, &options, &mut note).await.expect("the disk reads").expect("rows are taken");
    sealed
}

/// What a reader finds damaged in a sealed segment, a scrub finds; and nothing else.
#[test]
fn scrub() {
    const RATE: u64 = 1 << 20;
    let found = std::cell::Cell::new(0);
    seeds::for_each("scrub", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = segments::written(seed, &mut random);
        let sealed = scene.run(sealed_segments(&scene));
        let storage = scene.run(scene.open()).expect("an undamaged disk");
        let scrub_all = || {
            scene.run(async {
                for index in 0..PARTITIONS {
                    let replica = storage.replica(id(index)).expect("open");
                    storage.scrub_partition(&replica, RATE).await;
                }
            });
        };
        let before = scene.world.now();
        scrub_all();
        let meters = storage.scrub_meters();
        assert_eq!(meters.damaged_ranges.get(), 0);
        // A start may have sealed more.
        assert!(meters.segments.get() as usize >= sealed.len());
        let read: usize = sealed.iter().map(|path| scene.run(scene.contents(path)).len()).sum();
        assert!(meters.bytes.get() as usize >= read);
        // There is no pause behind a segment's last read.
        let paused = read.saturating_sub(sealed.len() * SCRUB_READ_BYTES);
        let least = std::time::Duration::from_secs_f64(paused as f64 / RATE as f64);
        assert!(scene.world.now() - before >= least, "in virtual time, at the rate that was asked for");

        let path = random.pick(&sealed).clone();
        let length = scene.run(scene.contents(&path)).len();
        scene.world.rot(&path, random.below(length) as u64);
        scrub_all();
        let damaged = meters.damaged_ranges.get();
        let failed = scene.run(segments::read_everything(&scene, &storage));
        assert!(failed == 0 || damaged > 0, "{failed} reads fail of what was found good");
        let is_refused = |index| storage.replica(id(index)).expect("open").check_intact().is_err();
        assert_eq!(damaged > 0, (0..PARTITIONS).any(is_refused), "damage takes its partition out of service");
        found.set(found.get() + damaged);
    });
    assert!(found.get() > SEEDS / 2, "most bytes are covered by a checksum");
}
