//! What is left of a shard when whole parts of it are gone: its journal, or both of its checkpoints; or when the journal is an
//! older copy. Nothing starts without a word, and a repair gets back what is there, also if the power goes amid it.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use corelane::base::limits::BLOCK_BYTES;
use corelane::log::journal::file_header;
use corelane::offline::{Lost, OfflineError, Site, plan_checkpoint, plan_journal, verify};
use corelane::runtime::OpenMode;
use corelane::runtime::sim::{CrashPoint, DiskFault, DiskOp, Plan};
use corelane::shard::Storage;

use super::disk::{PARTITIONS, Scene, checkpoint_files, id, journal_files, offset_behind, offset_of, paths};
use super::offline::{cut_what_is_offline, look, site, was_once};
use super::random::Random;
use super::{recovery, seeds, segments};

const SEEDS: u64 = 30;

/// A journal that is gone, in part or whole, is replaced by an empty one: then everything starts with what the segments
/// hold, and goes on.
#[test]
fn loss_without_journal() {
    seeds::for_each("loss_without_journal", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = recovery::written(seed, &mut random);
        let journal = paths().journal_directory;
        scene.run(async {
            // A new journal has the usual length then, which takes long here.
            let which = if seed == 0 { 0 } else { 1 + random.below(2) };
            match which {
                0 => scene.runtime.remove_dir_all(&journal).await.expect("removed"),
                1 => {
                    let path = random.pick(&journal_files()).clone();
                    scene.runtime.remove_file(&path).await.expect("removed");
                    scene.runtime.sync_dir(&journal).await.expect("synced");
                }
                _ => {
                    let path = random.pick(&journal_files()).clone();
                    scene.world.rot(&path, random.below(70) as u64);
                    return;
                }
            }
            let parent = journal.parent().expect("below");
            scene.runtime.sync_dir(parent).await.expect("synced");
        });
        let site = scene.run(site(&scene));
        assert!(!scene.run(verify(&site, None, &())).expect("the disk reads").is_sound());
        assert!(scene.run(scene.open()).is_err(), "started without its journal");
        scene.world.crash();
        let plan = scene.run(plan_journal(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        let mut lost = plan.repair.lost.clone();
        let loses_nothing = plan.repair.kind == "journal headers";
        assert!(!loses_nothing || plan.repair.lost.is_empty(), "{:?}", plan.repair.lost);
        if random.once_in(2) {
            let events = 1 + random.below(120) as u64;
            scene.world.crash_at(CrashPoint::DiskEvents(events));
        }
        if let Some(outcome) = scene.world.block_on(plan.carry_out(&site, &())) {
            outcome.expect("the disk works");
        }
        scene.world.crash();
        let site = scene.run(super::offline::site(&scene));
        match scene.run(plan_journal(&site, None)) {
            Ok(plan) => lost.extend(scene.run(plan.carry_out(&site, &())).expect("the disk works").lost),
            Err(OfflineError::NothingToRepair(_)) => {}
            Err(error) => panic!("{error}"),
        }
        if !loses_nothing {
            all_lost_is_listed(&scene, &site, &lost);
        }
        cut_what_is_offline(&scene, &site);
        // Twice: the second start replays what the first one has written to the new journal.
        for _ in 0..2 {
            let storage = scene.run(scene.open()).unwrap_or_else(|error| panic!("{error}"));
            let logs = scene.run(scene.logs(&storage));
            for (index, found) in (0..).zip(&logs) {
                was_once(&scene, index, found.as_ref().expect("it can be read"));
            }
            assert!(
                !loses_nothing || scene.changes_in(&logs) >= scene.acknowledged(),
                "headers cost records"
            );
            drop(storage);
            scene.world.crash();
        }
    });
}

/// A journal that is an older copy, from before the last start, is known to be one; without the newer one it is ended where
/// it ends.
#[test]
fn loss_of_old_journals() {
    seeds::for_each("loss_of_old_journals", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = recovery::written(seed, &mut random);
        let older = scene.run(recovery::read_all(&scene, &journal_files()));
        scene.run(async {
            let storage = scene.open().await.expect("an undamaged disk");
            let changes = random.below(20);
            scene.write(&storage, &mut random, changes).await;
        });
        scene.world.crash();
        scene.run(async {
            for (path, contents) in journal_files().iter().zip(&older) {
                scene.replace(path, contents).await;
            }
        });
        let site = scene.run(site(&scene));
        assert!(!scene.run(verify(&site, None, &())).expect("the disk reads").is_sound());
        let storage = scene.run(scene.open()).expect("it reads what there is");
        assert!(storage.check_in_service().is_err(), "an older journal is written to");
        drop(storage);
        scene.world.crash();
        let plan = scene.run(plan_journal(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        let lost = scene.run(plan.carry_out(&site, &())).expect("the disk works").lost;
        cut_what_is_offline(&scene, &site);
        all_lost_is_listed(&scene, &site, &lost);
        for _ in 0..2 {
            let storage = scene.run(scene.open()).unwrap_or_else(|error| panic!("{error}"));
            assert!(storage.check_in_service().is_ok());
            let logs = scene.run(scene.logs(&storage));
            for (index, found) in (0..).zip(&logs) {
                was_once(&scene, index, found.as_ref().expect("it can be read"));
            }
            drop(storage);
            scene.world.crash();
        }
    });
}

/// A shard that has lost both checkpoints and nothing else has lost nothing.
#[test]
fn loss_without_checkpoint() {
    seeds::for_each("loss_without_checkpoint", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = Scene::new(seed, 1000);
        for _ in 0..=random.below(2) {
            scene.run(async {
                let storage = scene.open().await.expect("an undamaged disk");
                append_some(&scene, &storage, &mut random).await;
                if random.once_in(4) {
                    storage.stop().await.expect("stopped");
                }
            });
            scene.world.crash();
        }
        rot_checkpoints(&scene, &mut random);
        let site = scene.run(site(&scene));
        assert!(!scene.run(verify(&site, None, &())).expect("the disk reads").is_sound());
        assert!(scene.run(scene.open()).is_err(), "started without a checkpoint");
        scene.world.crash();
        let plan = scene.run(plan_checkpoint(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        if random.once_in(2) {
            let events = 1 + random.below(120) as u64;
            scene.world.crash_at(CrashPoint::DiskEvents(events));
        }
        if let Some(outcome) = scene.world.block_on(plan.carry_out(&site, &())) {
            outcome.expect("the disk works");
        }
        scene.world.crash();
        let site = scene.run(super::offline::site(&scene));
        match scene.run(plan_checkpoint(&site, None)) {
            Ok(plan) => drop(scene.run(plan.carry_out(&site, &())).expect("the disk works")),
            Err(OfflineError::NothingToRepair(_)) => {}
            Err(error) => panic!("{error}"),
        }
        let verified = scene.run(look(&scene));
        assert!(verified.is_sound(), "{:?}", verified.findings);
        for _ in 0..2 {
            scene.run(async {
                let storage = scene.open().await.unwrap_or_else(|error| panic!("{error}"));
                let logs = scene.logs(&storage).await;
                for (index, found) in (0..).zip(&logs) {
                    let (found, log) = (found.as_ref().expect("it can be read"), scene.log(index));
                    assert!(*found == log, "partition {index}: {} of {} batches", found.len(), log.len());
                }
                // Goes on behind it.
                append_some(&scene, &storage, &mut random).await;
            });
            scene.world.crash();
        }
    });
}

/// Rots both checkpoints.
fn rot_checkpoints(scene: &Scene, random: &mut Random) {
    for path in checkpoint_files() {
        scene.world.rot(&path, random.below(80) as u64);
    }
}

/// A shard that was written to, without cuts, until it was stopped or the power went.
fn appended(seed: u64, random: &mut Random, is_stopped: bool) -> Scene {
    let scene = Scene::new(seed, 1000);
    scene.run(async {
        let storage = scene.open().await.expect("an undamaged disk");
        append_some(&scene, &storage, random).await;
        append_some(&scene, &storage, random).await;
        if is_stopped {
            storage.stop().await.expect("stopped");
        }
    });
    scene.world.crash();
    scene
}

/// Whatever of the logs is not there was listed.
fn all_lost_is_listed(scene: &Scene, site: &Site, lost: &[Lost]) {
    let storage = scene.run(scene.open()).unwrap_or_else(|error| panic!("{error}"));
    let logs = scene.run(scene.logs(&storage));
    for (index, found) in (0..).zip(&logs) {
        let found = found.as_ref().unwrap_or_else(|| panic!("partition {index} cannot be read: {lost:?}"));
        let name = site.name(id(index));
        let listed: Vec<_> = lost.iter().filter(|lost| lost.partition == name).collect();
        for batch in scene.log(index).iter().filter(|batch| !found.contains(batch)) {
            let offset = offset_of(batch);
            let is_listed = listed
                .iter()
                .any(|lost| lost.offsets.from <= offset && (offset < lost.offsets.until || lost.and_more));
            // What was cut off comes back where what is missing of the journal held the cut: the plan says so.
            let is_replaced = listed.iter().any(|lost| lost.and_more)
                && found.iter().any(|other| (offset_of(other)..offset_behind(other)).contains(&offset));
            assert!(is_listed || is_replaced, "partition {index} lacks {offset}: {listed:?}");
        }
    }
    drop(storage);
    scene.world.crash();
}

/// A segment rots besides: what that costs is listed, all of it.
#[test]
fn loss_without_checkpoint_and_with_rot() {
    let damaged = std::cell::Cell::new(0);
    seeds::for_each("loss_without_checkpoint_and_with_rot", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let is_stopped = random.once_in(2);
        let scene = appended(seed, &mut random, is_stopped);
        let files = scene.run(segments::files(&scene, &["log"]));
        if files.is_empty() {
            return;
        }
        let path = random.pick(&files).clone();
        let contents = scene.run(scene.contents(&path));
        // Behind the part of a header that no checksum covers.
        let at = *random.pick(&segments::batch_starts(&contents)) + 21 + random.below(20);
        if at >= contents.len() {
            return;
        }
        scene.world.rot(&path, at as u64);
        rot_checkpoints(&scene, &mut random);
        let site = scene.run(site(&scene));
        let plan = scene.run(plan_checkpoint(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        damaged.set(damaged.get() + plan.repair.lost.len());
        let repair = scene.run(plan.carry_out(&site, &())).expect("the disk works");
        scene.world.crash();
        all_lost_is_listed(&scene, &site, &repair.lost);
    });
    assert!(damaged.get() > 0, "the seeds damage nothing that counts");
}

/// First segments that were being removed are shorter than they were: the log begins behind them.
#[test]
fn loss_without_checkpoint_amid_removal() {
    let left_out = std::cell::Cell::new(0);
    seeds::for_each("loss_without_checkpoint_amid_removal", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = appended(seed, &mut random, true);
        let files = scene.run(segments::files(&scene, &["log"]));
        for index in 0..PARTITIONS {
            let directory = |path: &&PathBuf| path.to_string_lossy().contains(&format!("/t-{index}."));
            let of_it: Vec<&PathBuf> = files.iter().filter(directory).collect();
            let [first, _, ..] = of_it[..] else { continue };
            let contents = scene.run(scene.contents(first));
            let kept = random.below((contents.len() / BLOCK_BYTES).max(1)) * BLOCK_BYTES;
            scene.run(scene.replace(first, &contents[..kept]));
            left_out.set(left_out.get() + 1);
        }
        rot_checkpoints(&scene, &mut random);
        let site = scene.run(site(&scene));
        let plan = scene.run(plan_checkpoint(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            plan.repair.lost.iter().all(|lost| !lost.and_more),
            "what follows is kept: {:?}",
            plan.repair.lost
        );
        let repair = scene.run(plan.carry_out(&site, &())).expect("the disk works");
        scene.world.crash();
        all_lost_is_listed(&scene, &site, &repair.lost);
    });
    assert!(left_out.get() > 0, "the seeds leave no partition with two segments");
}

/// What was written back and never synced is synced by a repair before a checkpoint calls it durable.
#[test]
fn loss_amid_write_back() {
    seeds::for_each("loss_amid_write_back", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = appended(seed, &mut random, true);
        for path in scene.run(segments::files(&scene, &["log"])) {
            let contents = scene.run(scene.contents(&path));
            let durable = random.below(contents.len() / BLOCK_BYTES + 1) * BLOCK_BYTES;
            scene.run(async {
                scene.replace(&path, &contents[..durable]).await;
                let mut rest = corelane::base::buffer::AlignedBuf::copy_of(&contents[durable..]);
                rest.pad_to_block();
                let file = scene.runtime.open(&path, OpenMode::Write).await.expect("opened");
                if !rest.is_empty() {
                    file.write_at(durable as u64, rest.view(0..rest.len())).await.expect("written");
                }
                file.set_length(contents.len() as u64).await.expect("cut");
            });
        }
        rot_checkpoints(&scene, &mut random);
        let site = scene.run(site(&scene));
        let plan = scene.run(plan_checkpoint(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        assert!(plan.repair.lost.is_empty(), "{:?}", plan.repair.lost);
        scene.run(plan.carry_out(&site, &())).expect("the disk works");
        scene.world.crash();
        let storage = scene.run(scene.open()).unwrap_or_else(|error| panic!("{error}"));
        let logs = scene.run(scene.logs(&storage));
        for (index, found) in (0..).zip(&logs) {
            assert!(*found.as_ref().expect("it can be read") == scene.log(index), "partition {index}");
        }
    });
}

/// What was written back since the last checkpoint is kept although the journal is gone.
#[test]
fn loss_without_journal_since_a_checkpoint() {
    seeds::for_each("loss_without_journal_since_a_checkpoint", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let is_stopped = random.once_in(2);
        let scene = appended(seed, &mut random, is_stopped);
        let older = scene.run(recovery::read_all(&scene, &checkpoint_files()));
        scene.run(async {
            let storage = scene.open().await.expect("an undamaged disk");
            append_some(&scene, &storage, &mut random).await;
            storage.stop().await.expect("stopped");
            // The last bytes of each log are written then, and the kernel writes them back.
            for path in segments::files(&scene, &["log"]).await {
                let file = scene.runtime.open(&path, OpenMode::Write).await.expect("opened");
                file.sync().await.expect("synced");
            }
        });
        scene.world.crash();
        scene.run(async {
            for (path, contents) in checkpoint_files().iter().zip(&older) {
                scene.replace(path, contents).await;
            }
            let journal = random.pick(&journal_files()).clone();
            scene.runtime.remove_file(&journal).await.expect("removed");
            scene.runtime.sync_dir(&paths().journal_directory).await.expect("synced");
        });
        let site = scene.run(site(&scene));
        let plan = scene.run(plan_journal(&site, None)).unwrap_or_else(|error| panic!("{error}"));
        let lost = scene.run(plan.carry_out(&site, &())).expect("the disk works").lost;
        scene.world.crash();
        let storage = scene.run(scene.open()).unwrap_or_else(|error| panic!("{error}"));
        let logs = scene.run(scene.logs(&storage));
        for (index, found) in (0..).zip(&logs) {
            let (found, log) = (found.as_ref().expect("it can be read"), scene.log(index));
            let same = found.iter().zip(&log).take_while(|(found, log)| found == log).count();
            let (have, of) = (found.len(), log.len());
            assert!(*found == log, "partition {index}: {same} of {of} batches, then {have}: {lost:?}");
        }
    });
}

/// A journal of another data directory is not overwritten, as long as it is there.
#[test]
fn loss_to_a_foreign_journal() {
    let mut random = Random::new(0);
    let scene = appended(0, &mut random, true);
    let path = journal_files().remove(0);
    scene.run(async {
        let mut contents = scene.contents(&path).await;
        let mut header = file_header::decode(&contents).expect("an undamaged header");
        header.identity.disk_id = [1; 16];
        contents[..BLOCK_BYTES].copy_from_slice(file_header::encode(&header).as_slice());
        scene.replace(&path, &contents).await;
    });
    let site = scene.run(site(&scene));
    let refused = scene.run(plan_journal(&site, None)).err();
    assert!(matches!(refused, Some(OfflineError::ForeignFiles { .. })), "{refused:?}");
    scene.run(async {
        for path in journal_files() {
            scene.runtime.remove_file(&path).await.expect("removed");
        }
    });
    assert!(scene.run(plan_journal(&site, None)).is_ok(), "an emptied directory");
}

/// What the disk refuses to read is not taken for the end of a log.
#[test]
fn loss_with_a_disk_that_refuses() {
    seeds::for_each("loss_with_a_disk_that_refuses", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let scene = appended(seed, &mut random, true);
        rot_checkpoints(&scene, &mut random);
        let files = scene.run(segments::files(&scene, &["log"]));
        let Some(path) = files.last() else { return };
        let site = scene.run(site(&scene));
        scene.world.plan(Plan::new(DiskFault::Io).of(DiskOp::Read).below(path).for_ever());
        let refused = scene.run(plan_checkpoint(&site, None));
        assert!(matches!(refused, Err(OfflineError::Io { .. })), "{:?}", refused.err());
    });
}

/// Appends batches, each acknowledged before the next.
async fn append_some(scene: &Scene, storage: &Rc<Storage>, random: &mut Random) {
    for _ in 0..random.below(120) {
        let replica = storage.replica(id(random.below(PARTITIONS as usize) as i32)).expect("open");
        let Ok(last_offset) = scene.append(storage, &replica, random).await else { continue };
        if let Some(committed) = replica.commit_waiter(last_offset) {
            committed.await.expect("the disk works");
        }
        if random.once_in(4) {
            scene.runtime.sleep(Duration::from_millis(random.below(20) as u64)).await;
        }
    }
}
